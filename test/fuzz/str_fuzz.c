// SPDX-License-Identifier: MIT
/* Slices: every piece lies inside what it was cut from, loops end, numbers obey their bounds. */
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(struct str piece, struct str text)
{
	return piece.p >= text.p && piece.p + piece.n <= text.p + text.n;
}

static void check_split(struct str text)
{
	struct str rest = text, piece;
	size_t total = 0, pieces = 0;
	while (str_split(&rest, ',', &piece)) {
		MUST(is_inside(piece, text) && str_find(piece, ',') < 0);
		total += piece.n;
		pieces++;
	}
	MUST(total + pieces - 1 == text.n);
}

static void check_list(struct str text)
{
	struct str rest = text, item;
	const char *last = text.p;
	while (str_list_next(&rest, &item)) {
		MUST(item.n > 0 && is_inside(item, text) && item.p >= last);
		MUST(str_eq(item, str_trim(item)));
		last = item.p + item.n;
	}
}

static void check_numbers(struct str text)
{
	uint64_t value;
	if (str_to_u64(text, 4711, &value))
		MUST(value <= 4711);
	if (str_hex_to_u64(text, UINT64_MAX, &value) && text.n <= 16)
		MUST(value >> 4 * (text.n - 1) >> 4 == 0 || text.n == 16);
}

static void check_comparison(struct str text)
{
	struct str a = str_of(text.p, text.n / 2), b = str_skip(text, text.n / 2);
	unsigned distance = str_distance(a, b);
	MUST((str_cmp(a, b) == 0) == str_eq(a, b));
	MUST((str_cmp(a, b) < 0) == (str_cmp(b, a) > 0));
	MUST(!str_eq(a, b) || str_eq_nocase(a, b));
	MUST(distance == str_distance(b, a) && distance <= MAX(a.n, b.n));
	if (str_starts(a, b) || str_ends(a, b))
		MUST(str_find_str(a, b) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_of((const char *)data, size);
	char copy[16];
	check_split(text);
	check_list(text);
	check_numbers(text);
	check_comparison(text);
	MUST(str_copy(copy, sizeof(copy), text) == (size < sizeof(copy)));
	return 0;
}
