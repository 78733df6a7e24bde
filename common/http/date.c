// SPDX-License-Identifier: MIT
/*
 * The three date formats of RFC 9110 §5.6.7, read strictly by template: a letter of the template takes its kind
 * of character, anything else must match as it stands.
 */
#include "http/date.h"

#include <time.h>

static const char month_names[12][4] = {"jan", "feb", "mar", "apr", "may", "jun",
					"jul", "aug", "sep", "oct", "nov", "dec"};
static const char day_names[7][10] = {"sunday",	  "monday", "tuesday", "wednesday",
				      "thursday", "friday", "saturday"};

static char upper(char c)
{
	return (char)(c - ('a' - 'A'));
}

static void two(char *to, int v)
{
	to[0] = (char)('0' + v / 10);
	to[1] = (char)('0' + v % 10);
}

void http_date_format(char to[HTTP_DATE_LEN + 1], int64_t unix_s)
{
	struct tm tm;
	time_t t = (time_t)unix_s;
	gmtime_r(&t, &tm);
	memcpy(to, "Xxx, 00 Xxx 0000 00:00:00 GMT", HTTP_DATE_LEN + 1);
	memcpy(to, day_names[tm.tm_wday], 3);
	to[0] = upper(to[0]);
	two(to + 5, tm.tm_mday);
	memcpy(to + 8, month_names[tm.tm_mon], 3);
	to[8] = upper(to[8]);
	two(to + 12, (tm.tm_year + 1900) / 100 % 100);
	two(to + 14, (tm.tm_year + 1900) % 100);
	two(to + 17, tm.tm_hour);
	two(to + 20, tm.tm_min);
	two(to + 23, tm.tm_sec);
}

struct parts {
	int day, month, year, hour, minute, second;
};

static bool take_char(struct str *s, char c)
{
	if (s->n == 0 || str_lower_char(s->p[0]) != c)
		return false;
	*s = str_skip(*s, 1);
	return true;
}

static bool take_number(struct str *s, size_t digits, int *v)
{
	uint64_t n;
	if (s->n < digits || !str_to_u64(str_of(s->p, digits), 9999, &n))
		return false;
	*v = (int)n;
	*s = str_skip(*s, digits);
	return true;
}

static bool take_month(struct str *s, int *month)
{
	for (int m = 0; m < 12; m++) {
		if (str_starts_nocase(*s, str_of(month_names[m], 3))) {
			*month = m;
			*s = str_skip(*s, 3);
			return true;
		}
	}
	return false;
}

static bool take_day_name(struct str *s, bool whole)
{
	for (int d = 0; d < 7; d++) {
		struct str name = whole ? str_c(day_names[d]) : str_of(day_names[d], 3);
		if (str_starts_nocase(*s, name)) {
			*s = str_skip(*s, name.n);
			return true;
		}
	}
	return false;
}

/* "08:49:37" */
static bool take_time(struct str *s, struct parts *p)
{
	return take_number(s, 2, &p->hour) && take_char(s, ':') && take_number(s, 2, &p->minute) &&
	       take_char(s, ':') && take_number(s, 2, &p->second);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool imf_fixdate(struct str s, struct parts *p)
{
	return take_day_name(&s, false) && take_char(&s, ',') && take_char(&s, ' ') &&
	       take_number(&s, 2, &p->day) && take_char(&s, ' ') && take_month(&s, &p->month) &&
	       take_char(&s, ' ') && take_number(&s, 4, &p->year) && take_char(&s, ' ') &&
	       take_time(&s, p) && str_eq_nocase(s, STR(" GMT"));
}

/* "Sunday, 06-Nov-94 08:49:37 GMT" */
static bool rfc850_date(struct str s, struct parts *p, int year_now)
{
	bool good = take_day_name(&s, true) && take_char(&s, ',') && take_char(&s, ' ') &&
		    take_number(&s, 2, &p->day) && take_char(&s, '-') &&
		    take_month(&s, &p->month) && take_char(&s, '-') &&
		    take_number(&s, 2, &p->year) && take_char(&s, ' ') && take_time(&s, p) &&
		    str_eq_nocase(s, STR(" GMT"));
	if (!good)
		return false;
	p->year += year_now / 100 * 100;
	if (p->year > year_now + 50)
		p->year -= 100;
	return true;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool asctime_date(struct str s, struct parts *p)
{
	if (!take_day_name(&s, false) || !take_char(&s, ' ') || !take_month(&s, &p->month) ||
	    !take_char(&s, ' '))
		return false;
	bool day = take_char(&s, ' ') ? take_number(&s, 1, &p->day) : take_number(&s, 2, &p->day);
	return day && take_char(&s, ' ') && take_time(&s, p) && take_char(&s, ' ') &&
	       take_number(&s, 4, &p->year) && s.n == 0;
}

static bool leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool sensible(const struct parts *p)
{
	static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int last = days[p->month] + (p->month == 1 && leap(p->year));
	return p->day >= 1 && p->day <= last && p->hour <= 23 && p->minute <= 59 && p->second <= 60;
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar, counted in years that begin in March. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
	year -= month < 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t of_era = year - era * 400;
	int64_t of_year = (153 * (month + (month > 1 ? -2 : 10)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

bool http_date_parse(struct str text, int64_t now_s, int64_t *unix_s)
{
	struct parts p;
	struct tm now;
	time_t t = (time_t)now_s;
	gmtime_r(&t, &now);
	if (!imf_fixdate(text, &p) && !rfc850_date(text, &p, now.tm_year + 1900) &&
	    !asctime_date(text, &p))
		return false;
	if (!sensible(&p))
		return false;
	*unix_s = days_from_civil(p.year, p.month, p.day) * 86400 + p.hour * 3600 + p.minute * 60 +
		  p.second;
	return true;
}
