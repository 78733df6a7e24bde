// SPDX-License-Identifier: MIT
/*
 * Includes log.c to give the repeat limit its time. Lines are read back from a pipe on standard
 * error, which is not read for as long as a test wants it.
 */
#include "unit.h"

#include "base/log.c"

#include <fcntl.h>
#include <poll.h>

static int saved_stderr = -1, reader = -1;

static int capture(void **state UNUSED)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) != 0)
		return -1;
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	saved_stderr = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	reader = fds[0];
	log_init(true, LOG_LEVEL_INFO);
	/* What the tests before left. */
	atomic_store(&muted, NULL);
	report_at_us = 0;
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
	size_t n = strlen("<3>") + TEXT_MAX - 1;
	assert_int_equal(strlen(got), n + 1);
	assert_int_equal(got[n], '\n');
	assert_int_equal(got[n - 1], 'x');
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
			admitted += admit(&site, rows[i].now_s, &left_out) <= WINDOW_MAX;
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

static void test_events_are_not_limited(void **state UNUSED)
{
	log_set_level(LOG_LEVEL_ERR);
	for (int i = 0; i < 40; i++)
		log_event(LOG_LEVEL_NOTICE, &(struct log_fields){.event = "server_down"}, "%d", i);
	assert_int_equal(count_lines(lines()), 40);
}

static void test_lines_that_a_site_may_always_write(void **state UNUSED)
{
	for (int i = 0; i < 40; i++)
		log_write(NULL, LOG_LEVEL_ERR, "%d", i);
	assert_int_equal(count_lines(lines()), 40);
}

/* ---- with the writer's thread */

/* All that comes until a line has that part in it, or for ten seconds. */
static const char *lines_until(const char *part)
{
	static char text[1 << 20];
	size_t n = 0;
	int64_t until_us = clock_now_us() + 10 * CLOCK_SECOND;
	text[0] = '\0';
	while (!strstr(text, part) && clock_now_us() < until_us) {
		struct pollfd p = {.fd = reader, .events = POLLIN};
		poll(&p, 1, 100);
		ssize_t got = read(reader, text + n, sizeof(text) - 1 - n);
		n += (size_t)MAX(got, 0);
		text[n] = '\0';
	}
	return text;
}

static unsigned count_of(const char *text, const char *part)
{
	unsigned n = 0;
	for (; (text = strstr(text, part)); text++)
		n++;
	return n;
}

static void test_the_thread_writes(void **state UNUSED)
{
	log_start();
	assert_int_equal(writer_state(), WRITER_ON);
	errno = ENOENT;
	log_err("open: %m");
	assert_int_equal(errno, ENOENT);
	assert_string_equal(lines_until("\n"), "<3>open: No such file or directory\n");
	log_notice("a\nb");
	log_event(LOG_LEVEL_WARN, &(struct log_fields){.event = "server_down"}, "down");
	log_stop();
	assert_int_equal(writer_state(), WRITER_OFF);
	log_info("by itself");
	assert_string_equal(lines(), "<5>a?b\n<4>down\n<6>by itself\n");
	assert_int_equal(log_dropped(), 0);
}

/* What is left out is said when the window ends, also if the site says nothing more. */
static void test_left_out_lines_are_told_by_time(void **state UNUSED)
{
	log_start();
	for (int i = 0; i < 30; i++)
		log_err("conn %d: bad", i);
	const char *got = lines_until("were left out");
	assert_non_null(strstr(got, "<4>20 more lines like \"conn 9: bad\" were left out\n"));
	assert_int_equal(count_of(got, ": bad\n"), 10);
	for (int i = 0; i < 12; i++)
		log_warn("at the end");
	log_stop();
	got = lines();
	assert_non_null(strstr(got, "<4>2 more lines like \"at the end\" were left out\n"));
}

/* A full pipe, then messages until their part of the ring is full; returns how many of them, and how many got lost. */
static unsigned fill_the_log(uint64_t *lost)
{
	uint64_t before = log_dropped();
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
	char filler[4096];
	unsigned n = 0;
	memset(filler, '\n', sizeof(filler));
	while (poll(&p, 1, 0) == 1)
		(void)!write(STDERR_FILENO, filler, sizeof(filler));
	log_start();
	for (; n < 3000 || log_dropped() == before; n++)
		log_write(NULL, LOG_LEVEL_INFO, "noise %050u", n);
	*lost = log_dropped() - before;
	return n;
}

static void test_a_log_that_is_not_read(void **state UNUSED)
{
	uint64_t before = log_dropped(), noise;
	char said[64];
	int64_t start_us = clock_now_us();
	unsigned n = fill_the_log(&noise);
	for (int i = 0; i < 200; i++)
		log_event(LOG_LEVEL_WARN,
			  &(struct log_fields){.event = "server_down", .server = "web1"},
			  "server p/web%d is DOWN: L4TOUT, no answer", i);
	assert_true(clock_now_us() - start_us < CLOCK_SECOND);
	assert_int_equal(log_dropped() - before, noise);
	/* Now it is read: every state change is there, and what was left out is told once. */
	snprintf(said, sizeof(said), "<4>%u lines were left out: ", (unsigned)noise);
	const char *got = lines_until(said);
	assert_non_null(strstr(got, said));
	assert_int_equal(count_of(got, " is DOWN: "), 200);
	assert_int_equal(count_of(got, "noise "), n - noise);
	assert_int_equal(count_of(got, "were left out"), 1);
	log_stop();
}

static void test_too_many_events_are_counted(void **state UNUSED)
{
	uint64_t before = log_dropped(), noise;
	char said[100];
	fill_the_log(&noise);
	for (int i = 0; i < 2000; i++)
		log_event(LOG_LEVEL_WARN, &(struct log_fields){.event = "server_down"}, "event %d",
			  i);
	uint64_t events = log_dropped() - before - noise;
	assert_in_range(events, 1, 1700);
	snprintf(said, sizeof(said), "<4>%u lines were left out, %u state changes among them: ",
		 (unsigned)(noise + events), (unsigned)events);
	assert_non_null(strstr(lines_until(said), said));
	log_stop();
}

static void test_the_end_does_not_wait_for_the_reader(void **state UNUSED)
{
	uint64_t lost;
	fill_the_log(&lost);
	int64_t start_us = clock_now_us();
	log_stop();
	assert_in_range(clock_now_us() - start_us, STOP_US / 2, STOP_US * 3 / 2);
	assert_int_equal(writer_state(), WRITER_STUCK);
	/* The pipe is full: this would block. */
	log_err("later");
	log_event(LOG_LEVEL_ERR, &(struct log_fields){.event = "stopped"}, "later");
	for (const char *got = lines(); *got; got = lines())
		assert_null(strstr(got, "later"));
}

/* ---- the sink */

static unsigned taken;
static bool taken_well, refuse;

static bool take_message(const struct log_message *m)
{
	if (refuse)
		return false;
	taken++;
	taken_well = m->level == LOG_LEVEL_WARN && strcmp(m->text, "web1 is DOWN?") == 0 &&
		     strcmp(m->fields.event, "server_down") == 0 &&
		     strcmp(m->fields.server, "web1") == 0 && strcmp(m->fields.pool, "") == 0 &&
		     strcmp(m->fields.reason, "a?b") == 0 &&
		     strlen(m->fields.status) == VALUE_MAX - 1;
	return true;
}

static void send_event(void)
{
	char big[300];
	memset(big, 's', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	log_event(
		LOG_LEVEL_WARN,
		&(struct log_fields){
			.event = "server_down", .server = "web1", .status = big, .reason = "a\nb"},
		"web1 is DOWN\n");
}

static void test_events_go_to_the_sink(void **state UNUSED)
{
	log_set_sink(take_message);
	send_event(); /* no thread yet: the sink may block */
	assert_int_equal(taken, 0);
	assert_string_equal(lines(), "<4>web1 is DOWN?\n");
	log_start();
	send_event();
	log_warn("a message");
	log_stop();
	assert_int_equal(taken, 1);
	assert_true(taken_well);
	assert_string_equal(lines(), "<4>a message\n");
	refuse = true;
	log_start();
	send_event();
	log_stop();
	log_set_sink(NULL);
	assert_string_equal(lines(), "<4>web1 is DOWN?\n");
}

/* ---- many threads */

#define THREADS 4
#define EACH	300

static void *talk(void *arg)
{
	unsigned id = *(unsigned *)arg;
	for (unsigned i = 0; i < EACH; i++) {
		log_event(LOG_LEVEL_NOTICE, &(struct log_fields){.event = "e"}, "thread %u %u", id,
			  i);
		log_info("limited"); /* one site for all threads */
		if (i % 50 == 0)
			sched_yield();
	}
	return NULL;
}

static void test_many_threads(void **state UNUSED)
{
	pthread_t threads[THREADS];
	unsigned ids[THREADS];
	uint64_t before = log_dropped();
	log_start();
	for (unsigned i = 0; i < THREADS; i++) {
		ids[i] = i;
		MUST0(pthread_create(&threads[i], NULL, talk, &ids[i]));
	}
	/* The pipe holds all of it. */
	for (unsigned i = 0; i < THREADS; i++)
		MUST0(pthread_join(threads[i], NULL));
	log_stop();
	const char *got = lines();
	assert_int_equal(count_of(got, "<5>thread ") + (log_dropped() - before), THREADS * EACH);
	assert_in_range(count_of(got, "<6>limited\n"), 10, 20);
	assert_non_null(strstr(got, "more lines like \"limited\" were left out"));
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
		TEST(test_events_are_not_limited),
		TEST(test_lines_that_a_site_may_always_write),
		TEST(test_the_thread_writes),
		TEST(test_left_out_lines_are_told_by_time),
		TEST(test_a_log_that_is_not_read),
		TEST(test_too_many_events_are_counted),
		TEST(test_events_go_to_the_sink),
		TEST(test_many_threads),
		/* The last one: nothing can be written after it. */
		TEST(test_the_end_does_not_wait_for_the_reader),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
