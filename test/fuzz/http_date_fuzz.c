// SPDX-License-Identifier: MIT
/* Dates: what parses prints, and what was printed parses to the same second. */
#include "http/date.h"

#define YEAR_10000 INT64_C(253402300800)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t now_s = 1800000000;
	char text[HTTP_DATE_LEN + 1];
	int64_t s, again;
	if (!http_date_parse(str_of((const char *)data, size), now_s, &s))
		return 0;
	/* The leap second at the end of 9999 is in a year that four digits cannot tell. */
	if (s == YEAR_10000)
		return 0;
	http_date_format(text, s);
	MUST(strlen(text) == HTTP_DATE_LEN);
	MUST(http_date_parse(str_c(text), now_s, &again) && again == s);
	return 0;
}
