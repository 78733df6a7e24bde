// SPDX-License-Identifier: MIT
/* Dates: written in one format, read in three (RFC 9110 §5.6.7), and nothing else taken for one. */
#include "unit.h"

#include <time.h>

#include "http/date.h"

#define NOW 1795000000 /* November 2026 */

static int64_t parse(const char *text)
{
	int64_t t = -1;
	return http_date_parse(str_c(text), NOW, &t) ? t : -1;
}

static void the_three_formats_say_the_same(void **state)
{
	(void)state;
	assert_int_equal(parse("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
	assert_int_equal(parse("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777);
	assert_int_equal(parse("Sun Nov  6 08:49:37 1994"), 784111777);
	assert_int_equal(parse("sun, 06 NOV 1994 08:49:37 gmt"), 784111777);
	assert_int_equal(parse("Wed Nov 16 08:49:37 1994"), 784975777);
}

static void a_date_is_written_as_glibc_would(void **state)
{
	(void)state;
	for (int64_t t = 0; t < INT64_C(7258118400); t += 86400 * 11 + 3661) { /* until 2200 */
		char ours[HTTP_DATE_LEN + 1], theirs[64];
		struct tm tm;
		time_t tt = (time_t)t;
		http_date_format(ours, t);
		strftime(theirs, sizeof(theirs), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&tt, &tm));
		assert_string_equal(ours, theirs);
		assert_int_equal(parse(ours), t);
	}
}

static void two_digits_of_a_year_are_near_now(void **state)
{
	(void)state;
	assert_int_equal(parse("Wednesday, 01-Jan-70 00:00:00 GMT"),
			 INT64_C(3155760000)); /* 2070 */
	assert_int_equal(parse("Wednesday, 01-Jan-76 00:00:00 GMT"),
			 INT64_C(3345062400));					/* 2076 */
	assert_int_equal(parse("Saturday, 01-Jan-77 00:00:00 GMT"), 220924800); /* 1977 */
	assert_int_equal(parse("Friday, 01-Jan-99 00:00:00 GMT"), 915148800);	/* 1999 */
	assert_int_equal(parse("Saturday, 01-Jan-00 00:00:00 GMT"), 946684800); /* 2000 */
}

static void months_have_their_days(void **state)
{
	(void)state;
	assert_int_equal(parse("Thu, 29 Feb 2024 00:00:00 GMT"), 1709164800);
	assert_int_equal(parse("Tue, 29 Feb 2000 00:00:00 GMT"), 951782400);
	assert_int_equal(parse("Thu, 29 Feb 2023 00:00:00 GMT"), -1);
	assert_int_equal(parse("Thu, 29 Feb 2100 00:00:00 GMT"), -1);
	assert_int_equal(parse("Fri, 31 Apr 2026 00:00:00 GMT"), -1);
	assert_int_equal(parse("Fri, 00 Apr 2026 00:00:00 GMT"), -1);
}

static void a_leap_second_is_the_next_one(void **state)
{
	(void)state;
	assert_int_equal(parse("Sat, 31 Dec 2016 23:59:60 GMT"),
			 parse("Sun, 01 Jan 2017 00:00:00 GMT"));
	assert_int_equal(parse("Sat, 31 Dec 2016 23:59:61 GMT"), -1);
}

static void nothing_else_is_a_date(void **state)
{
	static const char *const cases[] = {
		"",
		"0",
		"-1",
		"Sun, 06 Nov 1994 08:49:37",
		"Sun, 06 Nov 1994 08:49:37 UTC",
		"Sun, 06 Nov 1994 08:49:37 +0000",
		"Sun, 06 Nov 1994 08:49:37 GMT ",
		" Sun, 06 Nov 1994 08:49:37 GMT",
		"Sun,06 Nov 1994 08:49:37 GMT",
		"Sun, 6 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 94 08:49:37 GMT",
		"Sun, 06-Nov-1994 08:49:37 GMT",
		"Sun, 06 Nou 1994 08:49:37 GMT",
		"Son, 06 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 24:00:00 GMT",
		"Sun, 06 Nov 1994 08:60:00 GMT",
		"Sun, 06 Nov 1994 8:49:37 GMT",
		"Sun, 06 Nov 1994 -8:49:37 GMT",
		"Sun Nov 6 08:49:37 1994",
		"Sun Nov  6 08:49:37 94",
		"Sun Nov  6 08:49:37 1994 GMT",
		"Sunday, 06-Nov-94 08:49:37",
		"1994-11-06T08:49:37Z",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (parse(cases[i]) != -1) {
			print_error("taken for a date: \"%s\"\n", cases[i]);
			fail();
		}
}

/* Whatever one byte of a good date is changed into: refused, or read as another time, never beyond the text. */
static void any_other_byte_is_safe(void **state)
{
	static const char good[] = "Sun, 06 Nov 1994 08:49:37 GMT";
	(void)state;
	for (size_t i = 0; i < sizeof(good) - 1; i++) {
		for (unsigned c = 0; c < 256; c++) {
			char text[sizeof(good)];
			int64_t t = 0;
			memcpy(text, good, sizeof(good));
			text[i] = (char)c;
			bool digit = c >= '0' && c <= '9';
			bool was_digit = good[i] >= '0' && good[i] <= '9';
			bool read = http_date_parse(str_of(text, sizeof(good) - 1), NOW, &t);
			if (read && digit != was_digit)
				fail_msg("byte %zu as %u", i, c);
		}
		int64_t t;
		assert_false(http_date_parse(str_of(good, i), NOW, &t));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_three_formats_say_the_same),
		cmocka_unit_test(a_date_is_written_as_glibc_would),
		cmocka_unit_test(two_digits_of_a_year_are_near_now),
		cmocka_unit_test(months_have_their_days),
		cmocka_unit_test(a_leap_second_is_the_next_one),
		cmocka_unit_test(nothing_else_is_a_date),
		cmocka_unit_test(any_other_byte_is_safe),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
