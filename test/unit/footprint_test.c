// SPDX-License-Identifier: MIT
// TEST-OF: healthd
/* Pages of files go, and everything works on. */
#include "unit.h"

#include <curl/curl.h>
#include <fcntl.h>

#include "footprint.h"

/* Resident pages that are backed by files, from /proc/self/statm's third field. */
static uint64_t resident_of_files(void)
{
	char text[128];
	AUTO_CLOSE int fd = open("/proc/self/statm", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text));
	struct str rest = str_of(text, (size_t)MAX(n, 0)), field = STR_NONE;
	uint64_t pages = 0;

	for (int i = 0; i < 3; i++)
		str_split(&rest, ' ', &field);
	assert_true(str_to_u64(field, UINT64_MAX, &pages));
	return pages;
}

static void test_it_shrinks(void **state)
{
	uint64_t before, after;

	(void)state;
	before = resident_of_files();
	footprint_shrink();
	after = resident_of_files();
	assert_true(after < before / 2);
}

static void test_what_is_used_comes_back(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		CURL *easy = curl_easy_init();
		long status = 1;

		assert_non_null(easy);
		footprint_shrink();
		assert_int_equal(curl_easy_setopt(easy, CURLOPT_URL, "http://127.0.0.1:1/"),
				 CURLE_OK);
		assert_int_equal(curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status),
				 CURLE_OK);
		assert_int_equal(status, 0);
		curl_easy_cleanup(easy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_shrinks),
		cmocka_unit_test(test_what_is_used_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
