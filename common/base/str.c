// SPDX-License-Identifier: MIT
/*
 * Slices. Everything here is a loop over bytes that the caller owns; nothing allocates, nothing
 * writes but str_copy(). Comparison without case goes eight bytes at a time, since field names and
 * tokens of messages mostly match byte for byte or differ early.
 */
#include "base/str.h"

#define DISTANCE_MAX 63

static bool eq_nocase_bytes(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (a[i] != b[i] && str_lower_char(a[i]) != str_lower_char(b[i]))
			return false;
	}
	return true;
}

/* Letters of both cases differ in bit 5 alone: any other difference decides at once. */
static bool eq_nocase(const char *a, const char *b, size_t n)
{
	const uint64_t other_bits = ~UINT64_C(0x2020202020202020);
	for (; n >= sizeof(uint64_t); n -= sizeof(uint64_t)) {
		uint64_t x, y;
		memcpy(&x, a, sizeof(x));
		memcpy(&y, b, sizeof(y));
		if (((x ^ y) & other_bits) != 0)
			return false;
		if (x != y && !eq_nocase_bytes(a, b, sizeof(x)))
			return false;
		a += sizeof(x);
		b += sizeof(x);
	}
	return eq_nocase_bytes(a, b, n);
}

bool str_eq_nocase(struct str a, struct str b)
{
	return a.n == b.n && eq_nocase(a.p, b.p, a.n);
}

bool str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool str_starts_nocase(struct str s, struct str prefix)
{
	return s.n >= prefix.n && eq_nocase(s.p, prefix.p, prefix.n);
}

bool str_ends(struct str s, struct str suffix)
{
	return s.n >= suffix.n &&
	       (suffix.n == 0 || memcmp(s.p + (s.n - suffix.n), suffix.p, suffix.n) == 0);
}

int str_cmp(struct str a, struct str b)
{
	size_t n = MIN(a.n, b.n);
	int c = n == 0 ? 0 : memcmp(a.p, b.p, n);
	if (c != 0)
		return c;
	return (a.n > b.n) - (a.n < b.n);
}

ssize_t str_find(struct str s, char c)
{
	const char *at = s.n == 0 ? NULL : memchr(s.p, c, s.n);
	return at ? at - s.p : -1;
}

ssize_t str_find_str(struct str s, struct str needle)
{
	const char *at;
	if (needle.n == 0)
		return 0;
	if (s.n < needle.n)
		return -1;
	at = memmem(s.p, s.n, needle.p, needle.n);
	return at ? at - s.p : -1;
}

static bool is_ows(char c)
{
	return c == ' ' || c == '\t';
}

struct str str_trim(struct str s)
{
	while (s.n > 0 && is_ows(s.p[0]))
		s = str_skip(s, 1);
	while (s.n > 0 && is_ows(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* *piece is the first n bytes of *rest; the separator, where there is one, goes too. */
static void cut(struct str *rest, size_t n, struct str *piece)
{
	*piece = str_of(rest->p, n);
	*rest = n < rest->n ? str_skip(*rest, n + 1) : STR_NONE;
}

bool str_split(struct str *rest, char sep, struct str *piece)
{
	ssize_t at;
	if (!rest->p)
		return false;
	at = str_find(*rest, sep);
	cut(rest, at < 0 ? rest->n : (size_t)at, piece);
	return true;
}

/* Length of what stands before the first comma that is in no quoted string (RFC 9110 §5.6.4). */
static size_t element_length(struct str s)
{
	bool quoted = false;
	size_t i;
	for (i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (c == '"')
			quoted = !quoted;
		else if (quoted && c == '\\' && i + 1 < s.n)
			i++;
		else if (c == ',' && !quoted)
			break;
	}
	return i;
}

bool str_list_next(struct str *rest, struct str *item)
{
	while (rest->p) {
		struct str piece;
		cut(rest, element_length(*rest), &piece);
		piece = str_trim(piece);
		if (piece.n > 0) {
			*item = piece;
			return true;
		}
	}
	return false;
}

struct str str_u64(char digits[STR_U64_SIZE], uint64_t v)
{
	size_t at = STR_U64_SIZE;
	do
		digits[--at] = (char)('0' + v % 10);
	while (v /= 10);
	return str_of(digits + at, STR_U64_SIZE - at);
}

bool str_to_u64(struct str s, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;
	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned digit = (unsigned char)s.p[i] - (unsigned)'0';
		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (value > max)
		return false;
	*out = value;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = str_lower_char(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool str_hex_to_u64(struct str s, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;
	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		int digit = hex_digit(s.p[i]);
		if (digit < 0 || value >> 60 != 0)
			return false;
		value = value << 4 | (uint64_t)digit;
	}
	if (value > max)
		return false;
	*out = value;
	return true;
}

/* What follows the first byte is in 80..BF, but for the second byte of some, which keeps out overlong forms,
 * surrogates and what is beyond U+10FFFF. */
unsigned str_utf8(struct str s)
{
	const unsigned char *b = (const unsigned char *)s.p;
	unsigned char lo = 0x80, hi = 0xbf;
	unsigned n;
	if (s.n == 0)
		return 0;
	if (b[0] < 0x80)
		return 1;
	n = b[0] >= 0xf0 ? 4 : b[0] >= 0xe0 ? 3 : 2;
	if (b[0] < 0xc2 || b[0] > 0xf4 || s.n < n)
		return 0;
	if (b[0] == 0xe0)
		lo = 0xa0;
	else if (b[0] == 0xed)
		hi = 0x9f;
	else if (b[0] == 0xf0)
		lo = 0x90;
	else if (b[0] == 0xf4)
		hi = 0x8f;
	for (unsigned i = 1; i < n; i++) {
		if (b[i] < lo || b[i] > hi)
			return 0;
		lo = 0x80;
		hi = 0xbf;
	}
	return n;
}

/* C1 in UTF-8: a terminal may take U+009B for ESC [. */
static bool is_control(struct str s)
{
	const unsigned char *b = (const unsigned char *)s.p;
	return b[0] < 0x20 || b[0] == 0x7f || (b[0] == 0xc2 && b[1] < 0xa0);
}

struct str str_printable(struct str *rest)
{
	unsigned n = str_utf8(*rest);
	struct str c = n && !is_control(*rest) ? str_of(rest->p, n) : STR("?");
	*rest = str_skip(*rest, MAX(n, 1u));
	return c;
}

void str_sanitize(char *text)
{
	struct str rest = str_of(text, strlen(text));
	char *to = text;
	while (rest.n > 0) {
		struct str c = str_printable(&rest);
		memmove(to, c.p, c.n);
		to += c.n;
	}
	*to = '\0';
}

bool str_copy(char *to, size_t size, struct str s)
{
	size_t n;
	MUST(size > 0);
	n = MIN(s.n, size - 1);
	if (n > 0)
		memcpy(to, s.p, n);
	to[n] = '\0';
	return n == s.n;
}

/* The usual table of edit distances, one row at a time. */
unsigned str_distance(struct str a, struct str b)
{
	unsigned row[DISTANCE_MAX + 1];
	a.n = MIN(a.n, (size_t)DISTANCE_MAX);
	b.n = MIN(b.n, (size_t)DISTANCE_MAX);
	for (size_t j = 0; j <= b.n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 0; i < a.n; i++) {
		unsigned diagonal = row[0];
		row[0] = (unsigned)i + 1;
		for (size_t j = 0; j < b.n; j++) {
			unsigned change = diagonal + (a.p[i] != b.p[j]);
			diagonal = row[j + 1];
			row[j + 1] = MIN(change, MIN(row[j], diagonal) + 1);
		}
	}
	return row[b.n];
}
