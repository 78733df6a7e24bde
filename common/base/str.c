// SPDX-License-Identifier: MIT
#include "base/str.h"

bool str_eq_nocase(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (str_lower_char(a.p[i]) != str_lower_char(b.p[i]))
			return false;
	return true;
}

bool str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_eq(str_of(s.p, prefix.n), prefix);
}

bool str_starts_nocase(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_eq_nocase(str_of(s.p, prefix.n), prefix);
}

bool str_ends(struct str s, struct str suffix)
{
	return s.n >= suffix.n && str_eq(str_skip(s, s.n - suffix.n), suffix);
}

int str_cmp(struct str a, struct str b)
{
	size_t n = MIN(a.n, b.n);
	int d = n ? memcmp(a.p, b.p, n) : 0;
	if (d)
		return d;
	return a.n < b.n ? -1 : a.n > b.n;
}

ssize_t str_find(struct str s, char c)
{
	const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
	return at ? at - s.p : -1;
}

ssize_t str_find_str(struct str s, struct str needle)
{
	if (needle.n == 0)
		return 0;
	const char *at = s.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;
	return at ? at - s.p : -1;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

struct str str_trim(struct str s)
{
	while (s.n && blank(s.p[0]))
		s = str_skip(s, 1);
	while (s.n && blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool str_split(struct str *rest, char sep, struct str *piece)
{
	if (!rest->p)
		return false;
	ssize_t at = str_find(*rest, sep);
	if (at < 0) {
		*piece = *rest;
		*rest = STR_NONE;
	} else {
		*piece = str_of(rest->p, (size_t)at);
		*rest = str_skip(*rest, (size_t)at + 1);
	}
	return true;
}

/* Length up to the next comma that is not inside a quoted string. */
static size_t list_item(struct str s)
{
	bool quoted = false;
	for (size_t i = 0; i < s.n; i++) {
		if (quoted && s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			quoted = !quoted;
		else if (s.p[i] == ',' && !quoted)
			return i;
	}
	return s.n;
}

bool str_list_next(struct str *rest, struct str *item)
{
	while (rest->n) {
		size_t n = list_item(*rest);
		*item = str_trim(str_of(rest->p, n));
		*rest = str_skip(*rest, MIN(n + 1, rest->n));
		if (item->n)
			return true;
	}
	return false;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = str_lower_char(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

static bool to_u64(struct str s, unsigned base, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;
	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned d = (unsigned)digit(s.p[i]);
		if (d >= base || __builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, d, &v))
			return false;
	}
	if (v > max)
		return false;
	*out = v;
	return true;
}

bool str_to_u64(struct str s, uint64_t max, uint64_t *out)
{
	return to_u64(s, 10, max, out);
}

bool str_hex_to_u64(struct str s, uint64_t max, uint64_t *out)
{
	return to_u64(s, 16, max, out);
}

bool str_copy(char *to, size_t size, struct str s)
{
	size_t n = MIN(s.n, size - 1);
	if (n)
		memcpy(to, s.p, n);
	to[n] = '\0';
	return n == s.n;
}

unsigned str_distance(struct str a, struct str b)
{
	unsigned row[64];
	size_t an = MIN(a.n, 63), bn = MIN(b.n, 63);
	for (size_t j = 0; j <= bn; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= an; i++) {
		unsigned diagonal = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= bn; j++) {
			unsigned above = row[j];
			unsigned swap = diagonal + (a.p[i - 1] != b.p[j - 1]);
			row[j] = MIN(swap, MIN(above, row[j - 1]) + 1);
			diagonal = above;
		}
	}
	return row[bn];
}
