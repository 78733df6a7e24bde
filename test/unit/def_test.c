// SPDX-License-Identifier: MIT
/*
 * def, err, clock and rnd. What aborts does so in a child, whose last words are read from a pipe.
 */
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/rnd.h"

static int returns(int value)
{
	return value;
}

static void break_must(void)
{
	MUST(returns(1) == 2);
}

static void break_must0(void)
{
	MUST0(returns(EPERM));
}

static void break_wrong(void)
{
	WRONG("no such step");
}

struct living {
	uint32_t magic;
};

#define LIVING_MAGIC 0x4c495645u

static void break_magic(void)
{
	struct living l = {0};
	MAGIC_SET(&l, LIVING_MAGIC);
	MAGIC_CHECK(&l, LIVING_MAGIC);
	MAGIC_WIPE(&l, LIVING_MAGIC);
	MAGIC_CHECK(&l, LIVING_MAGIC);
}

/* Runs f in a child that must abort; its standard error goes to text. */
static void last_words(void (*f)(void), char *text, size_t size)
{
	int fds[2], status;
	size_t n = 0;
	ssize_t got;
	pid_t pid;
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		setrlimit(RLIMIT_CORE, &(struct rlimit){0});
		dup2(fds[1], STDERR_FILENO);
		f();
		_exit(0);
	}
	close(fds[1]);
	while (n < size - 1 && (got = read(fds[0], text + n, size - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void test_broken_invariants_say_what_and_where(void **state UNUSED)
{
	char text[512];
	last_words(break_must, text, sizeof(text));
	assert_non_null(strstr(text, "def_test.c:"));
	assert_non_null(strstr(text, "break_must: invariant broken: returns(1) == 2\n"));
	last_words(break_must0, text, sizeof(text));
	assert_non_null(strstr(text, "returns(EPERM) failed: error 1 (Operation not permitted)\n"));
	last_words(break_wrong, text, sizeof(text));
	assert_non_null(strstr(text, "no such step"));
}

static void test_magic_of_a_freed_object(void **state UNUSED)
{
	char text[256];
	last_words(break_magic, text, sizeof(text));
	assert_non_null(strstr(text, "magic == (0x4c495645u)"));
}

static void test_must_evaluates_once(void **state UNUSED)
{
	int n = 0;
	MUST(++n == 1);
	MUST0(returns(n++ - 1));
	assert_int_equal(n, 2);
}

static void test_auto_close(void **state UNUSED)
{
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	{
		AUTO_CLOSE int fd = fds[0];
		AUTO_CLOSE int none = -1;
		AUTO_FREE char *text = def_xmalloc(10);
		AUTO_FREE char *empty = def_xmalloc(0);
		assert_non_null(text);
		assert_non_null(empty);
		assert_true(fd >= 0 && none < 0);
	}
	assert_int_equal(close(fds[0]), -1);
	assert_int_equal(errno, EBADF);
	close(fds[1]);
}

static void test_xcalloc_is_zeroed(void **state UNUSED)
{
	AUTO_FREE char *p = def_xcalloc(100, 3);
	for (int i = 0; i < 300; i++)
		assert_int_equal(p[i], 0);
	for (size_t size = 1; size < 200; size += 13) {
		AUTO_FREE char *lines = def_xcalloc_lines(size);
		assert_int_equal((uintptr_t)lines % CACHE_LINE, 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(lines[i], 0);
	}
}

static void test_container_of(void **state UNUSED)
{
	struct outer {
		int first;
		int inner;
	} outer;
	assert_ptr_equal(container_of(&outer.inner, struct outer, inner), &outer);
}

static void test_err_set(void **state UNUSED)
{
	char big[400];
	struct err e;
	errno = ENOENT;
	assert_int_equal(err_set(&e, "open %s: %m", "x"), -1);
	assert_string_equal(e.text, "open x: No such file or directory");
	assert_int_equal(errno, ENOENT);
	assert_int_equal(err_set(NULL, "not read %d", 1), -1);
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	err_set(&e, "%s", big);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
}

static void test_clocks(void **state UNUSED)
{
	int64_t a = clock_now_us(), wall_us = clock_wall_us(), b;
	usleep(2000);
	b = clock_now_us();
	assert_true(b - a >= 2000);
	assert_true(b - a < 10 * CLOCK_SECOND);
	assert_in_range(clock_wall_s(), (uintmax_t)(wall_us / CLOCK_SECOND),
			(uintmax_t)(wall_us / CLOCK_SECOND + 10));
	assert_true(clock_wall_s() > 1600000000);
}

static void test_random(void **state UNUSED)
{
	unsigned char bytes[1000] = {0};
	uint64_t a = rnd_u64(), b = rnd_u64();
	int zeros = 0;
	assert_true(a != b);
	rnd_bytes(bytes, sizeof(bytes) - 1);
	for (size_t i = 0; i < sizeof(bytes) - 1; i++)
		zeros += bytes[i] == 0;
	assert_true(zeros < 50);
	assert_int_equal(bytes[sizeof(bytes) - 1], 0);
	rnd_bytes(NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_broken_invariants_say_what_and_where),
		cmocka_unit_test(test_magic_of_a_freed_object),
		cmocka_unit_test(test_must_evaluates_once),
		cmocka_unit_test(test_auto_close),
		cmocka_unit_test(test_xcalloc_is_zeroed),
		cmocka_unit_test(test_container_of),
		cmocka_unit_test(test_err_set),
		cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_random),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
