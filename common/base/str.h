// SPDX-License-Identifier: MIT
/*
 * Slices: a pointer and a length, passed by value, never NUL-terminated and never owned.
 * ASCII rules only: what travels in HTTP heads and configuration keys does not depend on a locale.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <string.h>

#include "base/def.h"

struct str {
	const char *p;
	size_t n;
};

#define STR(lit)   ((struct str){.p = "" lit, .n = sizeof(lit) - 1})
#define STR_NONE   ((struct str){.p = NULL, .n = 0})
#define STR_ARG(s) (int)(s).n, (s).p /* for "%.*s" */

static inline struct str str_of(const char *p, size_t n)
{
	return (struct str){.p = p, .n = n};
}

/* The bytes of a NUL-terminated string; c NULL gives STR_NONE. */
static inline struct str str_c(const char *c)
{
	return (struct str){.p = c, .n = c ? strlen(c) : 0};
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* s without its first n bytes; n must not exceed s.n. */
static inline struct str str_skip(struct str s, size_t n)
{
	return (struct str){.p = s.p + n, .n = s.n - n};
}

static inline char str_lower_char(char c)
{
	return (c >= 'A' && c <= 'Z') ? (char)(c + ('a' - 'A')) : c;
}

bool str_eq_nocase(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_starts_nocase(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
int str_cmp(struct str a, struct str b); /* bytewise, shorter first: <0, 0, >0 */

/* Position of the first c, or -1; of the first occurrence of needle, or -1. */
ssize_t str_find(struct str s, char c);
ssize_t str_find_str(struct str s, struct str needle);

/* s without spaces and tabs at both ends (RFC 9110 §5.6.3 OWS). */
struct str str_trim(struct str s);

/*
 * Cuts the next piece off *rest at sep: *piece is what stands before it (untrimmed, maybe empty),
 * *rest what stands after. Returns false when *rest was exhausted (rest->p == NULL). "a,,b" gives
 * a, "", b.
 */
bool str_split(struct str *rest, char sep, struct str *piece);

/*
 * Next non-empty element of a comma-separated HTTP list (RFC 9110 §5.6.1), trimmed; commas inside
 * quoted strings do not split. Returns false at the end.
 */
bool str_list_next(struct str *rest, struct str *item);

/* Digits only, no sign, at least one, value <= max; else false and *out untouched. */
bool str_to_u64(struct str s, uint64_t max, uint64_t *out);
bool str_hex_to_u64(struct str s, uint64_t max, uint64_t *out);

/* The decimal digits of v, written to the end of digits; the slice points into it. */
#define STR_U64_SIZE 20
struct str str_u64(char digits[STR_U64_SIZE], uint64_t v);

/* Bytes of the well-formed UTF-8 character (RFC 3629 §4) that s begins with: 1 to 4; 0 when it begins with none. */
unsigned str_utf8(struct str s);

/*
 * Takes the first character off *rest, which is not empty, and returns what may stand for it in a line of a log, a
 * socket or a terminal: "?" for a control character (C0, DEL, C1) and for a byte outside well-formed UTF-8, else itself.
 */
struct str str_printable(struct str *rest);

/* The same for all of a text, in place. */
void str_sanitize(char *text);

/* Copies at most size-1 bytes and terminates; returns false when s was cut. size > 0. */
bool str_copy(char *to, size_t size, struct str s);

/* Levenshtein distance, for "did you mean"; strings beyond 63 bytes compare by their first 63. */
unsigned str_distance(struct str a, struct str b);

#endif
