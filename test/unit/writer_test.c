// SPDX-License-Identifier: MIT
/* The writer's thread with pipes and sockets for standard output and error, read late or never. */
#include "unit.h"

#include "base/writer.c"

#include <fcntl.h>
#include <stdio.h>

#define RING (2 * WRITER_LINE_MAX)

static int saved[2] = {-1, -1}, reader[2] = {-1, -1}; /* of standard output and error */

/* ---- messages: a number of them, made up as they are asked for */

static _Atomic unsigned messages;
static _Atomic unsigned ticks, stop_ticks;
static _Atomic int last_flow;

static size_t next_message(char *to)
{
	unsigned n = atomic_load(&messages);
	if (n == 0)
		return 0;
	atomic_store(&messages, n - 1);
	return (size_t)snprintf(to, WRITER_MESSAGE_MAX, "message %u\n", n);
}

static bool messages_pending(void)
{
	return atomic_load(&messages) > 0;
}

static bool on_tick(int64_t now_us UNUSED, enum writer_flow flow_now, bool stopping)
{
	atomic_store(&last_flow, (int)flow_now);
	atomic_fetch_add(stopping ? &stop_ticks : &ticks, 1);
	return false;
}

static const struct writer_ops ops = {
	.next = next_message, .pending = messages_pending, .tick = on_tick};

/* ---- outputs */

/* fds as of pipe(): puts fds[1] in the place of standard output or error. */
static void redirect(int which, const int fds[2])
{
	int place = which == 0 ? STDOUT_FILENO : STDERR_FILENO;
	fflush(NULL);
	saved[which] = dup(place);
	dup2(fds[1], place);
	close(fds[1]);
	reader[which] = fds[0];
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
}

static int two_pipes(void **state UNUSED)
{
	int fds[2];
	atomic_store(&w.dropped, 0);
	for (int i = 0; i < 2; i++) {
		if (pipe(fds) < 0)
			return -1;
		redirect(i, fds);
	}
	return 0;
}

static int one_socket(void **state UNUSED)
{
	int fds[2];
	atomic_store(&w.dropped, 0);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return -1;
	int twice[2] = {dup(fds[0]), dup(fds[1])};
	redirect(0, fds);
	redirect(1, twice);
	return 0;
}

static int restore(void **state UNUSED)
{
	atomic_store(&messages, 0);
	for (int i = 0; i < 2; i++) {
		dup2(saved[i], i == 0 ? STDOUT_FILENO : STDERR_FILENO);
		close(saved[i]);
		if (reader[i] >= 0)
			close(reader[i]);
		reader[i] = -1;
	}
	return 0;
}

/* What has come, for up to five seconds until there are so many lines. */
static const char *lines_of(int which, unsigned n)
{
	static char text[1 << 20];
	size_t size = 0;
	unsigned lines = 0;
	int64_t until_us = clock_now_us() + 5 * CLOCK_SECOND;
	while (lines < n && clock_now_us() < until_us) {
		struct pollfd p = {.fd = reader[which], .events = POLLIN};
		poll(&p, 1, 50);
		ssize_t got = read(reader[which], text + size, sizeof(text) - 1 - size);
		for (ssize_t i = 0; i < got; i++)
			lines += text[size + (size_t)i] == '\n';
		size += (size_t)MAX(got, 0);
	}
	text[size] = '\0';
	return text;
}

static unsigned count_lines(const char *text)
{
	unsigned n = 0;
	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static bool put(struct writer_lines *l, const char *line)
{
	return writer_put(l, line, (uint32_t)strlen(line));
}

/* ---- tests */

static void test_without_the_thread_lines_are_written_at_once(void **state UNUSED)
{
	struct writer_lines *l = writer_open(RING);
	assert_true(put(l, "one\n"));
	assert_string_equal(lines_of(0, 1), "one\n");
	writer_close(l);
	assert_null(atomic_load(&w.lines[0]));
}

static void test_lines_and_messages(void **state UNUSED)
{
	struct writer_lines *a = writer_open(RING), *b = writer_open(RING);
	assert_int_equal(writer_start(&ops), 0);
	assert_true(put(a, "one\n"));
	assert_string_equal(lines_of(0, 1), "one\n");
	assert_true(put(b, "two\n"));
	assert_string_equal(lines_of(0, 1), "two\n");
	atomic_store(&messages, 2);
	writer_wake();
	assert_string_equal(lines_of(1, 2), "message 2\nmessage 1\n");
	put(a, "last words\n");
	writer_close(a);
	writer_close(b);
	writer_stop(CLOCK_SECOND);
	assert_int_equal(writer_state(), WRITER_OFF);
	assert_string_equal(lines_of(0, 1), "last words\n");
	assert_null(atomic_load(&w.lines[0]));
	assert_null(atomic_load(&w.lines[1]));
	assert_in_range(atomic_load(&stop_ticks), 1, 1000);
	assert_int_equal(writer_dropped(), 0);
}

/* The first line is written at once although the thread sleeps for good. */
static void test_a_line_wakes_the_thread(void **state UNUSED)
{
	struct writer_lines *l = writer_open(RING);
	assert_int_equal(writer_start(&ops), 0);
	for (int i = 0; i < 3; i++) {
		/* Asleep: any line wakes it. */
		assert_soon(!atomic_load(&w.awake) && atomic_load(&w.wake_at) == 0);
		unsigned before = atomic_load(&ticks);
		usleep(300000); /* it does sleep */
		assert_int_equal(atomic_load(&ticks), before);
		assert_true(put(l, "wake up\n"));
		assert_string_equal(lines_of(0, 1), "wake up\n");
	}
	writer_close(l);
	writer_stop(CLOCK_SECOND);
}

/* Puts n numbered lines of 100 bytes; returns how many had room. */
static unsigned put_many(struct writer_lines *l, unsigned n)
{
	char line[101];
	unsigned fit = 0;
	for (unsigned i = 0; i < n; i++) {
		snprintf(line, sizeof(line), "%099u\n", i);
		fit += writer_put(l, line, 100);
	}
	return fit;
}

static void test_lines_are_not_read(void **state UNUSED)
{
	struct writer_lines *l = writer_open(RING);
	assert_int_equal(writer_start(&ops), 0);
	int64_t start_us = clock_now_us();
	unsigned fit = put_many(l, 100000);
	assert_true(clock_now_us() - start_us < 2 * CLOCK_SECOND);
	assert_int_equal(writer_dropped(), 100000 - fit);
	/* Messages are written all the same. */
	atomic_store(&messages, 1);
	writer_wake();
	assert_string_equal(lines_of(1, 1), "message 1\n");
	assert_int_equal(atomic_load(&last_flow), WRITER_OUT_STALLS);
	/* A reader: all that had room is there, and lines flow again. */
	const char *got = lines_of(0, fit);
	assert_int_equal(count_lines(got), fit);
	assert_int_equal(strlen(got), fit * 100);
	assert_true(put(l, "again\n"));
	assert_string_equal(lines_of(0, 1), "again\n");
	writer_close(l);
	writer_stop(CLOCK_SECOND);
	assert_int_equal(writer_state(), WRITER_OFF);
}

static void test_messages_are_not_read(void **state UNUSED)
{
	struct writer_lines *l = writer_open(RING);
	assert_int_equal(writer_start(&ops), 0);
	atomic_store(&messages, 20000);
	writer_wake();
	assert_soon(atomic_load(&last_flow) == WRITER_ERR_STALLS);
	assert_true(put(l, "line\n"));
	assert_string_equal(lines_of(0, 1), "line\n");
	assert_int_equal(count_lines(lines_of(1, 20000)), 20000);
	writer_close(l);
	writer_stop(CLOCK_SECOND);
}

/* On one socket, in bits of whatever size it takes: no line has another inside. */
static void test_one_output_for_both(void **state UNUSED)
{
	struct writer_lines *l = writer_open(RING);
	assert_int_equal(writer_start(&ops), 0);
	assert_ptr_equal(w.out, w.err);
	unsigned fit = put_many(l, 20000);
	atomic_store(&messages, 5000);
	writer_wake();
	const char *got = lines_of(0, fit + 5000);
	assert_int_equal(count_lines(got), fit + 5000);
	while (*got) {
		size_t n = strcspn(got, "\n");
		assert_true(n == 99 || strncmp(got, "message ", 8) == 0);
		got += n + 1;
	}
	writer_close(l);
	writer_stop(CLOCK_SECOND);
	assert_int_equal(writer_state(), WRITER_OFF);
}

static void test_a_reader_that_is_gone(void **state UNUSED)
{
	struct writer_lines *l = writer_open(RING);
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(writer_start(&ops), 0);
	close(reader[0]);
	reader[0] = -1;
	unsigned fit = put_many(l, 100);
	assert_int_equal(fit, 100);
	writer_close(l);
	writer_stop(CLOCK_SECOND);
	assert_int_equal(writer_state(), WRITER_OFF);
	assert_int_equal(writer_dropped(), 100);
}

static void test_the_longest_line(void **state UNUSED)
{
	struct writer_lines *l = writer_open(RING);
	static char line[WRITER_LINE_MAX];
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\n';
	assert_int_equal(writer_start(&ops), 0);
	for (int i = 0; i < 20; i++) {
		put(l, "short\n"); /* so that the long one begins at another place each time */
		assert_true(writer_put(l, line, sizeof(line)));
		assert_int_equal(strlen(lines_of(0, 2)), 6 + sizeof(line));
	}
	writer_close(l);
	writer_stop(CLOCK_SECOND);
}

#define PRODUCERS 4

static void *produce(void *arg)
{
	struct writer_lines *l = arg;
	for (unsigned i = 0; i < 200; i++) {
		put_many(l, 20);
		if (i % 16 == 0)
			writer_wake();
	}
	writer_close(l);
	return NULL;
}

static void *drain(void *arg)
{
	/* All there is until the writing end closes. */
	size_t *total = arg;
	char text[65536];
	struct pollfd p = {.fd = reader[0], .events = POLLIN};
	while (poll(&p, 1, -1) == 1) {
		ssize_t n = read(reader[0], text, sizeof(text));
		if (n == 0)
			break;
		*total += (size_t)MAX(n, 0);
	}
	return NULL;
}

static void test_many_producers(void **state UNUSED)
{
	pthread_t threads[PRODUCERS], drainer;
	size_t total = 0;
	assert_int_equal(writer_start(&ops), 0);
	MUST0(pthread_create(&drainer, NULL, drain, &total));
	for (int i = 0; i < PRODUCERS; i++)
		MUST0(pthread_create(&threads[i], NULL, produce, writer_open(RING)));
	for (int i = 0; i < PRODUCERS; i++)
		MUST0(pthread_join(threads[i], NULL));
	writer_stop(5 * CLOCK_SECOND);
	assert_int_equal(writer_state(), WRITER_OFF);
	dup2(saved[0], STDOUT_FILENO);
	MUST0(pthread_join(drainer, NULL));
	assert_int_equal(total / 100 + writer_dropped(), PRODUCERS * 200 * 20);
	for (int i = 0; i < WRITER_LINES_MAX; i++)
		assert_null(atomic_load(&w.lines[i]));
}

static void test_the_end_does_not_wait_for_the_reader(void **state UNUSED)
{
	struct writer_lines *l = writer_open(RING);
	assert_int_equal(writer_start(&ops), 0);
	put_many(l, 100000);
	int64_t start_us = clock_now_us();
	writer_stop(CLOCK_SECOND / 2);
	assert_in_range(clock_now_us() - start_us, CLOCK_SECOND * 4 / 10, CLOCK_SECOND);
	assert_int_equal(writer_state(), WRITER_STUCK);
	uint64_t before = writer_dropped();
	assert_false(put(l, "later\n"));
	assert_int_equal(writer_dropped(), before + 1);
	writer_close(l);
}

#define PIPES(f) cmocka_unit_test_setup_teardown(f, two_pipes, restore)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PIPES(test_without_the_thread_lines_are_written_at_once),
		PIPES(test_lines_and_messages),
		PIPES(test_a_line_wakes_the_thread),
		PIPES(test_lines_are_not_read),
		PIPES(test_messages_are_not_read),
		cmocka_unit_test_setup_teardown(test_one_output_for_both, one_socket, restore),
		PIPES(test_a_reader_that_is_gone),
		PIPES(test_the_longest_line),
		PIPES(test_many_producers),
		/* The last one: nothing can be written after it. */
		PIPES(test_the_end_does_not_wait_for_the_reader),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
