// SPDX-License-Identifier: MIT
#include "unit.h"

#include "base/str.h"

static void test_eq_nocase(void **state UNUSED)
{
	static const struct {
		const char *a, *b;
		bool eq;
	} cases[] = {
		{"", "", true},
		{"a", "A", true},
		{"Host", "hOST", true},
		{"Host", "Hos", false},
		{"Content-Length", "content-length", true},
		{"Content-Length", "content_length", false},
		{"Transfer-Encoding", "TRANSFER-ENCODING", true},
		{"transfer-encodinh", "TRANSFER-ENCODING", false},
		/* These differ in bit 5 alone and are no letters. */
		{"@", "`", false},
		{"[", "{", false},
		{"aaaaaaa[", "aaaaaaa{", false},
		{"aaaaaaa@bbbbbbbb", "aaaaaaa`bbbbbbbb", false},
		{"\xc1zzzzzzz", "\xe1zzzzzzz", false},
		{"12345678", "12345678", true},
		{"1234567 ", "1234567\t", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str a = str_c(cases[i].a), b = str_c(cases[i].b);
		assert_int_equal(str_eq_nocase(a, b), cases[i].eq);
		assert_int_equal(str_eq_nocase(b, a), cases[i].eq);
	}
}

/*
 * The eight bytes at a time agree with one byte at a time, for every pair of bytes at every place.
 */
static void test_eq_nocase_of_all_bytes(void **state UNUSED)
{
	char a[9] = "aBcDeFgHi", b[9] = "AbCdEfGhI";
	for (int at = 0; at < 9; at += 4) {
		char a_was = a[at], b_was = b[at];
		for (int x = 0; x < 256; x++) {
			for (int y = 0; y < 256; y++) {
				bool same = str_lower_char((char)x) == str_lower_char((char)y);
				a[at] = (char)x;
				b[at] = (char)y;
				if (str_eq_nocase(str_of(a, 9), str_of(b, 9)) != same)
					fail_msg("bytes %02x and %02x at %d", x, y, at);
			}
		}
		a[at] = a_was;
		b[at] = b_was;
	}
}

static void test_starts_and_ends(void **state UNUSED)
{
	assert_true(str_starts(STR("/wordpress/a"), STR("/wordpress/")));
	assert_true(str_starts(STR("abc"), STR_NONE));
	assert_true(str_starts(STR_NONE, STR("")));
	assert_false(str_starts(STR("ab"), STR("abc")));
	assert_false(str_starts(STR("abc"), STR("b")));
	assert_true(str_starts_nocase(STR("Bearer x"), STR("bearer ")));
	assert_false(str_starts_nocase(STR("Bear"), STR("bearer ")));
	assert_true(str_ends(STR("style.css"), STR(".css")));
	assert_true(str_ends(STR("a"), STR("")));
	assert_false(str_ends(STR("css"), STR(".css")));
	assert_false(str_ends(STR("style.js"), STR(".css")));
}

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

static void test_cmp(void **state UNUSED)
{
	static const struct {
		const char *a, *b;
		int sign;
	} cases[] = {
		{"", "", 0},	   {"", "a", -1},   {"a", "b", -1},   {"ab", "a", 1},
		{"abc", "abc", 0}, {"ab", "b", -1}, {"\xff", "a", 1},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str a = str_c(cases[i].a), b = str_c(cases[i].b);
		assert_int_equal(sign(str_cmp(a, b)), cases[i].sign);
		assert_int_equal(sign(str_cmp(b, a)), -cases[i].sign);
		assert_int_equal(str_eq(a, b), cases[i].sign == 0);
	}
}

static void test_find(void **state UNUSED)
{
	assert_int_equal(str_find(STR("a:b:c"), ':'), 1);
	assert_int_equal(str_find(STR("abc"), ':'), -1);
	assert_int_equal(str_find(STR_NONE, ':'), -1);
	assert_int_equal(str_find(str_of("ab:", 2), ':'), -1);
	assert_int_equal(str_find_str(STR("xaab"), STR("aab")), 1);
	assert_int_equal(str_find_str(STR("xaab"), STR("")), 0);
	assert_int_equal(str_find_str(STR_NONE, STR("")), 0);
	assert_int_equal(str_find_str(STR_NONE, STR("a")), -1);
	assert_int_equal(str_find_str(STR("aa"), STR("aab")), -1);
	assert_int_equal(str_find_str(str_of("xaab", 3), STR("aab")), -1);
}

static void test_trim(void **state UNUSED)
{
	assert_str_equal(str_trim(STR(" \t a b\t ")), "a b");
	assert_str_equal(str_trim(STR(" \t ")), "");
	assert_str_equal(str_trim(STR_NONE), "");
	assert_str_equal(str_trim(STR("\r\na\v")), "\r\na\v");
}

/* Joins the pieces by '|', so that one string shows them all. */
static void check_split(struct str text, const char *want)
{
	struct str rest = text, piece;
	char got[128] = "";
	while (str_split(&rest, ',', &piece)) {
		strncat(got, piece.p, piece.n);
		strcat(got, "|");
	}
	assert_string_equal(got, want);
	assert_null(rest.p);
	assert_false(str_split(&rest, ',', &piece));
}

static void test_split(void **state UNUSED)
{
	check_split(STR_NONE, "");
	check_split(STR(""), "|");
	check_split(STR("a"), "a|");
	check_split(STR("a,,b"), "a||b|");
	check_split(STR(",a,"), "|a||");
	check_split(STR(" a , b "), " a | b |");
	check_split(str_of("a,b,c", 3), "a|b|");
}

static void check_list(const char *text, const char *want)
{
	struct str rest = str_c(text), item;
	char got[128] = "";
	while (str_list_next(&rest, &item)) {
		assert_true(item.n > 0);
		strncat(got, item.p, item.n);
		strcat(got, "|");
	}
	assert_string_equal(got, want);
	assert_false(str_list_next(&rest, &item));
}

static void test_list(void **state UNUSED)
{
	check_list("", "");
	check_list(" , ,, ", "");
	check_list("gzip", "gzip|");
	check_list("a, b ,\tc", "a|b|c|");
	check_list(",a,,b,", "a|b|");
	check_list("W/\"x,y\", \"z\"", "W/\"x,y\"|\"z\"|");
	check_list("\"a\\\",b\",c", "\"a\\\",b\"|c|");
	check_list("\"open,a", "\"open,a|");
	check_list("\"open\\", "\"open\\|");
	check_list("a\\,b", "a\\|b|");
	check_list("no-cache=\"a, b\", max-age=3", "no-cache=\"a, b\"|max-age=3|");
}

static void test_to_u64(void **state UNUSED)
{
	static const struct {
		const char *text;
		uint64_t max, value;
		bool ok;
	} cases[] = {
		{"0", 0, 0, true},
		{"007", 7, 7, true},
		{"65535", 65535, 65535, true},
		{"65536", 65535, 0, false},
		{"18446744073709551615", UINT64_MAX, UINT64_MAX, true},
		{"18446744073709551616", UINT64_MAX, 0, false},
		{"18446744073709551620", UINT64_MAX, 0, false},
		{"99999999999999999999", UINT64_MAX, 0, false},
		{"", 9, 0, false},
		{"+1", 9, 0, false},
		{"-1", 9, 0, false},
		{" 1", 9, 0, false},
		{"1 ", 9, 0, false},
		{"1a", 99, 0, false},
		{":", 99, 0, false},
		{"/", 99, 0, false},
		{"\xb1", 99, 0, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t value = 4711;
		assert_int_equal(str_to_u64(str_c(cases[i].text), cases[i].max, &value),
				 cases[i].ok);
		assert_true(value == (cases[i].ok ? cases[i].value : 4711));
	}
	assert_false(str_to_u64(str_of("1\0", 2), 99, &(uint64_t){0}));
}

static void test_hex_to_u64(void **state UNUSED)
{
	static const struct {
		const char *text;
		uint64_t max, value;
		bool ok;
	} cases[] = {
		{"0", 0, 0, true},
		{"fF", 255, 255, true},
		{"100", 255, 0, false},
		{"ffffffffffffffff", UINT64_MAX, UINT64_MAX, true},
		{"0ffffffffffffffff", UINT64_MAX, UINT64_MAX, true},
		{"10000000000000000", UINT64_MAX, 0, false},
		{"", 255, 0, false},
		{"0x1", 255, 0, false},
		{"g", 255, 0, false},
		{"G", 255, 0, false},
		{"@", 255, 0, false},
		{"-1", 255, 0, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t value = 4711;
		assert_int_equal(str_hex_to_u64(str_c(cases[i].text), cases[i].max, &value),
				 cases[i].ok);
		assert_true(value == (cases[i].ok ? cases[i].value : 4711));
	}
}

static void test_copy(void **state UNUSED)
{
	char to[4];
	assert_true(str_copy(to, sizeof(to), STR("abc")));
	assert_string_equal(to, "abc");
	assert_false(str_copy(to, sizeof(to), STR("abcd")));
	assert_string_equal(to, "abc");
	assert_true(str_copy(to, sizeof(to), STR_NONE));
	assert_string_equal(to, "");
	assert_true(str_copy(to, 1, STR("")));
	assert_false(str_copy(to, 1, STR("a")));
	assert_string_equal(to, "");
}

static void test_distance(void **state UNUSED)
{
	static const struct {
		const char *a, *b;
		unsigned distance;
	} cases[] = {
		{"", "", 0},
		{"", "abc", 3},
		{"kitten", "sitting", 3},
		{"balance", "balanse", 1},
		{"retries", "retires", 2},
		{"abc", "abc", 0},
		{"abc", "xyz", 3},
	};
	char a[100], b[100];
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str x = str_c(cases[i].a), y = str_c(cases[i].b);
		assert_int_equal(str_distance(x, y), cases[i].distance);
		assert_int_equal(str_distance(y, x), cases[i].distance);
	}
	memset(a, 'a', sizeof(a));
	memset(b, 'b', sizeof(b));
	assert_int_equal(str_distance(str_of(a, 100), str_of(b, 100)), 63);
	assert_int_equal(str_distance(str_of(a, 100), str_of(a, 63)), 0);
}

static void test_utf8(void **state UNUSED)
{
	static const struct {
		const char *text;
		unsigned n;
	} cases[] = {
		{"a", 1},
		{"\x7f", 1},
		{"\xc3\xbc", 2},
		{"\xc2\x80z", 2},
		{"\xdf\xbf", 2},
		{"\xe2\x82\xac", 3},
		{"\xe0\xa0\x80", 3},
		{"\xed\x9f\xbf", 3},
		{"\xf0\x9f\x8d\x93", 4},
		{"\xf0\x90\x80\x80", 4},
		{"\xf4\x8f\xbf\xbf", 4},
		{"\x80", 0},
		{"\xc0\xaf", 0},
		{"\xc1\xbf", 0},
		{"\xc3", 0},
		{"\xc3z", 0},
		{"\xe2\x82", 0},
		{"\xe2\x82z", 0},
		{"\xe0\x9f\xbf", 0},
		{"\xed\xa0\x80", 0},
		{"\xf0\x8f\xbf\xbf", 0},
		{"\xf4\x90\x80\x80", 0},
		{"\xf5\x80\x80\x80", 0},
		{"\xff", 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(str_utf8(str_c(cases[i].text)), cases[i].n);
	assert_int_equal(str_utf8(STR_NONE), 0);
	assert_int_equal(str_utf8(str_of("\xe2\x82\xac", 2)), 0);
}

static void test_sanitize(void **state UNUSED)
{
	static const char *const cases[][2] = {
		{"", ""},
		{"Access denied for user 'x'", "Access denied for user 'x'"},
		{"Zugriff verweigert f\xc3\xbcr 'x'", "Zugriff verweigert f\xc3\xbcr 'x'"},
		{"a\nb\r\n\nstopping", "a?b???stopping"},
		{"\x1b]0;owned\x07\x1b[31m", "?]0;owned??[31m"},
		{"\x7f\t", "??"},
		{"\xc2\x9b[2J\xc2\xa0.", "?[2J\xc2\xa0."},
		{"\xff\xfe\xc3", "???"},
		{"cut \xe2\x82", "cut ??"},
		{"\xe2\x82\xac \xf0\x9f\x8d\x93", "\xe2\x82\xac \xf0\x9f\x8d\x93"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[64];
		assert_true(str_copy(text, sizeof(text), str_c(cases[i][0])));
		str_sanitize(text);
		assert_string_equal(text, cases[i][1]);
		str_sanitize(text);
		assert_string_equal(text, cases[i][1]);
	}
}

static void test_small_inlines(void **state UNUSED)
{
	assert_null(str_c(NULL).p);
	assert_int_equal(str_c(NULL).n, 0);
	assert_str_equal(str_skip(STR("abc"), 3), "");
	assert_str_equal(str_skip(STR("abc"), 1), "bc");
	assert_true(str_eq(STR_NONE, STR("")));
	assert_int_equal(str_lower_char('Z'), 'z');
	assert_int_equal(str_lower_char('['), '[');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_eq_nocase),
		cmocka_unit_test(test_eq_nocase_of_all_bytes),
		cmocka_unit_test(test_starts_and_ends),
		cmocka_unit_test(test_cmp),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_to_u64),
		cmocka_unit_test(test_hex_to_u64),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_sanitize),
		cmocka_unit_test(test_small_inlines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
