// SPDX-License-Identifier: MIT
/* Dates: written in one format, read in three (RFC 9110 §5.6.7), and nothing else taken for one. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "http/date.h"

#define NOW 1795000000 /* November 2026 */

static int64_t parse(const char *text)
{
	int64_t t = INT64_MIN;
	bool good = http_date_parse(str_c(text), NOW, &t);
	assert_int_equal(good, t != INT64_MIN); /* set, or left alone */
	return good ? t : -1;
}

static void the_three_formats_say_the_same(void **state UNUSED)
{
	assert_int_equal(parse("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
	assert_int_equal(parse("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777);
	assert_int_equal(parse("Sun Nov  6 08:49:37 1994"), 784111777);
	assert_int_equal(parse("sun, 06 NOV 1994 08:49:37 gmt"), 784111777);
	assert_int_equal(parse("Wed Nov 16 08:49:37 1994"), 784975777);
}

static void a_date_is_written_as_glibc_would(void **state UNUSED)
{
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

static void two_digits_of_a_year_are_near_now(void **state UNUSED)
{
	assert_int_equal(parse("Wednesday, 01-Jan-70 00:00:00 GMT"),
			 INT64_C(3155760000)); /* 2070 */
	assert_int_equal(parse("Wednesday, 01-Jan-76 00:00:00 GMT"),
			 INT64_C(3345062400));					/* 2076 */
	assert_int_equal(parse("Saturday, 01-Jan-77 00:00:00 GMT"), 220924800); /* 1977 */
	assert_int_equal(parse("Friday, 01-Jan-99 00:00:00 GMT"), 915148800);	/* 1999 */
	assert_int_equal(parse("Saturday, 01-Jan-00 00:00:00 GMT"), 946684800); /* 2000 */
}

static void months_have_their_days(void **state UNUSED)
{
	assert_int_equal(parse("Thu, 29 Feb 2024 00:00:00 GMT"), 1709164800);
	assert_int_equal(parse("Tue, 29 Feb 2000 00:00:00 GMT"), 951782400);
	assert_int_equal(parse("Thu, 29 Feb 2023 00:00:00 GMT"), -1);
	assert_int_equal(parse("Thu, 29 Feb 2100 00:00:00 GMT"), -1);
	assert_int_equal(parse("Fri, 31 Apr 2026 00:00:00 GMT"), -1);
	assert_int_equal(parse("Fri, 00 Apr 2026 00:00:00 GMT"), -1);
}

static void a_leap_second_is_the_next_one(void **state UNUSED)
{
	assert_int_equal(parse("Sat, 31 Dec 2016 23:59:60 GMT"),
			 parse("Sun, 01 Jan 2017 00:00:00 GMT"));
	assert_int_equal(parse("Sat, 31 Dec 2016 23:59:61 GMT"), -1);
}

static void nothing_else_is_a_date(void **state UNUSED)
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
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (parse(cases[i]) != -1) {
			print_error("taken for a date: \"%s\"\n", cases[i]);
			fail();
		}
}

/* Whatever one byte of a good date is changed into: refused, or read as another time, never beyond the text. */
static void any_other_byte_is_safe(void **state UNUSED)
{
	static const char good[] = "Sun, 06 Nov 1994 08:49:37 GMT";
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

static void a_month_ends_with_its_last_day(void **state UNUSED)
{
	static const struct {
		const char *month;
		int last;
	} cases[] = {
		{"Jan", 31}, {"Feb", 28}, {"Mar", 31}, {"Apr", 30}, {"May", 31}, {"Jun", 30},
		{"Jul", 31}, {"Aug", 31}, {"Sep", 30}, {"Oct", 31}, {"Nov", 30}, {"Dec", 31},
	};
	int64_t day = 1767225600; /* 2026-01-01 */
	for (size_t m = 0; m < ARRAY_LEN(cases); m++) {
		for (int d = 0; d <= 32; d++) {
			bool good = d >= 1 && d <= cases[m].last;
			const char *month = cases[m].month;
			char text[64];
			snprintf(text, sizeof(text), "Sun, %02d %s 2026 00:00:00 GMT", d, month);
			assert_int_equal(parse(text), good ? day : -1);
			snprintf(text, sizeof(text), "Sunday, %02d-%s-26 00:00:00 GMT", d, month);
			assert_int_equal(parse(text), good ? day : -1);
			snprintf(text, sizeof(text), "Sun %s %2d 00:00:00 2026", month, d);
			assert_int_equal(parse(text), good ? day : -1);
			day += good ? 86400 : 0;
		}
	}
	assert_int_equal(day, 1798761600); /* 2027-01-01 */
}

static void a_year_is_leap_by_the_gregorian_rule(void **state UNUSED)
{
	static const struct {
		int year;
		bool leap;
	} cases[] = {
		{0, true},     {4, true},     {100, false},  {400, true},
		{1900, false}, {1972, true},  {2000, true},  {2023, false},
		{2024, true},  {2025, false}, {2026, false}, {2100, false},
		{2400, true},  {9996, true},  {9900, false}, {9999, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[64];
		snprintf(text, sizeof(text), "Mon, 29 Feb %04d 12:00:00 GMT", cases[i].year);
		assert_int_equal(parse(text) != -1, cases[i].leap);
		int64_t before, after;
		snprintf(text, sizeof(text), "Mon, 28 Feb %04d 12:00:00 GMT", cases[i].year);
		before = parse(text);
		snprintf(text, sizeof(text), "Mon, 01 Mar %04d 12:00:00 GMT", cases[i].year);
		after = parse(text);
		assert_int_equal(after - before, (cases[i].leap ? 2 : 1) * 86400);
	}
}

/* Every four-digit year can be written and read. */
static void what_is_written_is_read_back(void **state UNUSED)
{
	const int64_t first = INT64_C(-62167219200), last = INT64_C(253402300799);
	char text[HTTP_DATE_LEN + 1];
	unsigned n = 0;
	for (int64_t t = first; t <= last; t += 86400 * 29 + 11 * 3600 + 7 * 60 + 13, n++) {
		int64_t back = t + 1;
		http_date_format(text, t);
		assert_int_equal(strlen(text), HTTP_DATE_LEN);
		assert_true(http_date_parse(str_c(text), NOW, &back));
		assert_int_equal(back, t);
	}
	assert_true(n > 100000);
	http_date_format(text, first);
	assert_string_equal(text, "Sat, 01 Jan 0000 00:00:00 GMT");
	assert_int_equal(parse(text), first);
	assert_int_equal(parse("Wed, 01 Mar 0000 00:00:00 GMT"), INT64_C(-62162035200));
	http_date_format(text, last);
	assert_string_equal(text, "Fri, 31 Dec 9999 23:59:59 GMT");
	assert_int_equal(parse(text), last);
	http_date_format(text, 0);
	assert_string_equal(text, "Thu, 01 Jan 1970 00:00:00 GMT");
	http_date_format(text, INT64_C(4294967296)); /* beyond 32 bits */
	assert_string_equal(text, "Sun, 07 Feb 2106 06:28:16 GMT");
	assert_int_equal(parse("Mon Feb  7 06:28:16 2106"), INT64_C(4294967296));
}

/* The second before the epoch is a time like any other, though it is -1. */
static void before_1970_was_time_too(void **state UNUSED)
{
	int64_t t = 0;
	assert_true(http_date_parse(STR("Wed, 31 Dec 1969 23:59:59 GMT"), NOW, &t));
	assert_int_equal(t, -1);
	assert_true(http_date_parse(STR("Wed Dec 31 23:59:58 1969"), NOW, &t));
	assert_int_equal(t, -2);
}

/* The far sides of fifty years by whole years; that year itself is two_digits_of_a_year_are_near_now. */
static void two_digits_of_a_year_depend_on_now(void **state UNUSED)
{
	static const struct {
		int64_t now;
		const char *text, *same;
	} cases[] = {
		{INT64_C(951868800), "Sunday, 06-Nov-94 08:49:37 GMT",
		 "Sun, 06 Nov 1994 08:49:37 GMT"},
		{INT64_C(951868800), "Sunday, 06-Nov-06 08:49:37 GMT",
		 "Mon, 06 Nov 2006 08:49:37 GMT"},
		{INT64_C(951868800), "Sunday, 06-Nov-49 08:49:37 GMT",
		 "Sat, 06 Nov 2049 08:49:37 GMT"},
		{INT64_C(951868800), "Sunday, 06-Nov-51 08:49:37 GMT",
		 "Tue, 06 Nov 1951 08:49:37 GMT"},
		{INT64_C(2524608000), "Sunday, 06-Nov-94 08:49:37 GMT",
		 "Sat, 06 Nov 2094 08:49:37 GMT"},
		{INT64_C(1419984000), "Monday, 01-Jun-63 00:00:00 GMT",
		 "Fri, 01 Jun 2063 00:00:00 GMT"},
		{INT64_C(1419984000), "Monday, 01-Jun-65 00:00:00 GMT",
		 "Tue, 01 Jun 1965 00:00:00 GMT"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t two = 0, four = 1;
		assert_true(http_date_parse(str_c(cases[i].text), cases[i].now, &two));
		assert_true(http_date_parse(str_c(cases[i].same), cases[i].now, &four));
		assert_int_equal(two, four);
	}
}

/* A name of the wrong kind, a piece too many: the three formats do not mix (RFC 9110 §5.6.7). */
static void the_formats_do_not_mix(void **state UNUSED)
{
	static const char *const cases[] = {
		"Sunday, 06 Nov 1994 08:49:37 GMT", "Sun, 06-Nov-94 08:49:37 GMT",
		"Sunday Nov  6 08:49:37 1994",	    "Sun, Nov  6 08:49:37 1994",
		"Sun 06 Nov 1994 08:49:37 GMT",	    "Sun, 06 November 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:49 GMT",	    "Sun, 06 Nov 1994  08:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37GMT",	    "Sun, 06 Nov 1994 08:49:37.0 GMT",
		"Sun, 06 Nov +994 08:49:37 GMT",    "Sun, 06 Nov 19940 08:49:37 GMT",
		"Sun, 006 Nov 1994 08:49:37 GMT",   "Sun Nov 16 08:49:37 94",
		"Sun Nov   6 08:49:37 1994",	    "Sun Nov  16 08:49:37 1994",
		"Sun Nov  0 08:49:37 1994",	    "Sun Nov  6 24:49:37 1994",
		"Sun Nov  6 08:49:37 19940",	    "Sunday, 6-Nov-94 08:49:37 GMT",
		"Sunday, 06-Nov-94 08:60:37 GMT",   "Sunday, 06 Nov 94 08:49:37 GMT",
		"Sunday, 06-Nov-94 08:49:61 GMT",   "Sunday, 06-Nov-94 08:49:37 EST",
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (parse(cases[i]) != -1)
			fail_msg("taken for a date: \"%s\"", cases[i]);
}

/* As any_other_byte_is_safe, for the old formats, and with nothing behind the last byte. */
static void every_byte_of_the_old_formats_counts(void **state UNUSED)
{
	static const char *const good[] = {"Sunday, 06-Nov-94 08:49:37 GMT",
					   "Sun Nov  6 08:49:37 1994", "Sun Nov 16 08:49:37 1994"};
	for (size_t g = 0; g < ARRAY_LEN(good); g++) {
		size_t n = strlen(good[g]);
		for (size_t i = 0; i < n; i++) {
			int64_t t = 4711;
			char *part = malloc(i ? i : 1);
			assert_non_null(part);
			memcpy(part, good[g], i);
			assert_false(http_date_parse(str_of(part, i), NOW, &t));
			assert_int_equal(t, 4711);
			free(part);
			for (unsigned c = 0; c < 256; c++) {
				char text[64];
				memcpy(text, good[g], n);
				text[i] = (char)c;
				bool digit = c >= '0' && c <= '9';
				bool was_digit = good[g][i] >= '0' && good[g][i] <= '9';
				/* "Nov  6" may be "Nov 06" and "Nov 16" "Nov  6". */
				bool pad = g > 0 && i == 8 && (digit || c == ' ');
				if (http_date_parse(str_of(text, n), NOW, &t) &&
				    digit != was_digit && !pad)
					fail_msg("byte %zu as %u of %s", i, c, good[g]);
			}
		}
	}
}

/* Hours, minutes and seconds at their ends, in all three. */
static void a_day_has_its_hours(void **state UNUSED)
{
	static const struct {
		const char *time;
		int64_t s; /* of the day, -1: refused */
	} cases[] = {
		{"00:00:00", 0},     {"00:00:59", 59},	  {"00:59:00", 3540}, {"23:00:00", 82800},
		{"23:59:59", 86399}, {"23:59:60", 86400}, {"24:00:00", -1},   {"00:60:00", -1},
		{"00:00:61", -1},    {"99:99:99", -1},	  {"0:00:000", -1},   {"00-00-00", -1},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		static const struct {
			const char *before, *after;
		} shapes[] = {
			{"Thu, 02 Jan 1975 ", " GMT"},
			{"Thursday, 02-Jan-75 ", " GMT"},
			{"Thu Jan  2 ", " 1975"},
		};
		for (size_t f = 0; f < ARRAY_LEN(shapes); f++) {
			char text[64];
			int64_t t = 4711;
			snprintf(text, sizeof(text), "%s%s%s", shapes[f].before, cases[i].time,
				 shapes[f].after);
			/* In 2020, where 75 is last century's. */
			bool good = http_date_parse(str_c(text), 1577836800, &t);
			assert_int_equal(good, cases[i].s >= 0);
			assert_int_equal(t, good ? 157852800 + cases[i].s : 4711);
		}
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
		cmocka_unit_test(a_month_ends_with_its_last_day),
		cmocka_unit_test(a_year_is_leap_by_the_gregorian_rule),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(before_1970_was_time_too),
		cmocka_unit_test(two_digits_of_a_year_depend_on_now),
		cmocka_unit_test(the_formats_do_not_mix),
		cmocka_unit_test(every_byte_of_the_old_formats_counts),
		cmocka_unit_test(a_day_has_its_hours),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
