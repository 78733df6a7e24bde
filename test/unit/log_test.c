// SPDX-License-Identifier: MIT
/*
 * Includes log.c to give the repeat limit its time. Lines are read back from a pipe on standard
 * error.
 */
#include "unit.h"

#include "base/log.c"

#include <fcntl.h>

static int saved_stderr = -1, reader = -1;

static int capture(void **state UNUSED)
{
	int fds[2];

	if (pipe2(fds, O_NONBLOCK) != 0)
		return -1;
	saved_stderr = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	reader = fds[0];
	log_init(true, LOG_LEVEL_INFO);
	return 0;
}

static int release(void **state UNUSED)
{
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(reader);
	return 0;
}

static const char *lines(void)
{
	static char text[65536];
	ssize_t n = read(reader, text, sizeof(text) - 1);

	text[MAX(n, 0)] = '\0';
	return text;
}

static void test_levels_and_prefixes(void **state UNUSED)
{
	log_err("e %d", 1);
	log_warn("w");
	log_notice("n");
	log_info("i");
	log_debug("d");
	assert_string_equal(lines(), "<3>e 1\n<4>w\n<5>n\n<6>i\n");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("d");
	assert_string_equal(lines(), "<7>d\n");
	log_set_level(LOG_LEVEL_ERR);
	log_warn("w");
	assert_string_equal(lines(), "");
	assert_int_equal(log_get_level(), LOG_LEVEL_ERR);
}

static void test_lines_for_a_person(void **state UNUSED)
{
	const char *got;

	log_init(false, LOG_LEVEL_INFO);
	log_warn("disk");
	got = lines();
	assert_int_equal(strlen(got), strlen("14:05:59.123 warning: disk\n"));
	assert_string_equal(got + 12, " warning: disk\n");
	assert_int_equal(got[2], ':');
	assert_int_equal(got[8], '.');
	log_info("plain");
	assert_string_equal(lines() + 12, " plain\n");
}

static void test_errno(void **state UNUSED)
{
	errno = ENOENT;
	log_err("open: %m");
	assert_int_equal(errno, ENOENT);
	assert_string_equal(lines(), "<3>open: No such file or directory\n");
}

static void test_control_bytes_make_no_line(void **state UNUSED)
{
	log_err("a\nb\r\x1b[31m\x7f\tc");
	assert_string_equal(lines(), "<3>a?b??[31m??c\n");
}

static void test_long_line_is_cut(void **state UNUSED)
{
	char big[3000];
	const char *got;

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	log_err("%s", big);
	got = lines();
	assert_int_equal(strlen(got), LINE_SIZE);
	assert_int_equal(got[LINE_SIZE - 1], '\n');
	assert_int_equal(got[LINE_SIZE - 2], 'x');
}

static void test_admit(void **state UNUSED)
{
	static const struct {
		uint32_t now_s;
		int lines, admitted;
		uint32_t left_out; /* told to the first line of the row */
	} rows[] = {
		{100, 9, 9, 0},
		{104, 1, 1, 0},	  /* the tenth of the window */
		{104, 7, 0, 0},	  /* muted */
		{105, 10, 10, 7}, /* a new window */
		{105, 1, 0, 0},
		{1000, 1, 1, 1},
		{1004, 9, 9, 0},
		{1005, 1, 1, 0},
		{UINT32_MAX, 11, 10, 0},
		{3, 1, 0, 0}, /* the seconds wrapped round: same window */
		{4, 1, 1, 2},
	};
	struct log_site site = {0};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int admitted = 0;

		for (int n = 0; n < rows[i].lines; n++) {
			uint32_t left_out;

			admitted += admit(&site, rows[i].now_s, &left_out);
			assert_int_equal(left_out, n == 0 ? rows[i].left_out : 0);
		}
		assert_int_equal(admitted, rows[i].admitted);
	}
}

static int count_lines(const char *text)
{
	int n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

static void test_a_site_is_muted_alone(void **state UNUSED)
{
	for (int i = 0; i < 40; i++)
		log_err("one %d", i);
	/* A window may end in between, which lets ten more and a report through. */
	assert_in_range(count_lines(lines()), 10, 21);
	log_err("other");
	assert_string_equal(lines(), "<3>other\n");
	log_set_level(LOG_LEVEL_DEBUG);
	for (int i = 0; i < 40; i++)
		log_debug("debug %d", i);
	assert_int_equal(count_lines(lines()), 40);
}

static void test_report_of_what_was_left_out(void **state UNUSED)
{
	uint64_t long_ago = (uint64_t)((uint32_t)(clock_now_us() / CLOCK_SECOND) - 60) << 32;
	struct log_site site = {.window = long_ago | (WINDOW_MAX + 5)};

	log_write(&site, LOG_LEVEL_WARN, "again");
	assert_string_equal(lines(), "<4>5 lines like the next one were left out\n<4>again\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, capture, release)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_levels_and_prefixes),
		TEST(test_lines_for_a_person),
		TEST(test_errno),
		TEST(test_control_bytes_make_no_line),
		TEST(test_long_line_is_cut),
		TEST(test_admit),
		TEST(test_a_site_is_muted_alone),
		TEST(test_report_of_what_was_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
