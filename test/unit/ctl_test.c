// SPDX-License-Identifier: MIT
/* A control socket and its clients, on one loop. */
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "ipc/ctl.h"
#include "ipc/watch.h"
#include "net/sock.h"

static char dir[] = "/tmp/ctl_testXXXXXX";
static char path[64];

struct fixture {
	struct ev_loop *loop;
	struct ctl *ctl;
};

static struct fixture f;

static void cmd_echo(struct text *reply, struct str args, bool json, void *arg)
{
	assert_ptr_equal(arg, &f);
	text_printf(reply, "%s%.*s\n", json ? "json:" : "", STR_ARG(args));
}

static void cmd_tell(struct text *reply, struct str args, bool json UNUSED, void *arg UNUSED)
{
	text_add(reply, STR("before"));
	ctl_event(f.ctl, "told %.*s", STR_ARG(args));
	text_add(reply, STR(" after"));
}

/* More events than a watcher may be behind, from inside the watcher's own command. */
static void cmd_flood(struct text *reply, struct str args UNUSED, bool json UNUSED,
		      void *arg UNUSED)
{
	for (unsigned i = 0; i < 3000; i++)
		ctl_event(f.ctl, "flood %u of three thousand lines that are not read", i);
	text_add(reply, STR("done"));
}

static void cmd_huge(struct text *reply, struct str args UNUSED, bool json UNUSED, void *arg UNUSED)
{
	for (unsigned i = 0; i < 200000; i++)
		text_add(reply, STR("forty bytes, many times, which is a lot\n"));
}

static struct ctl_deferred *deferred;

static void cmd_later(struct text *reply, struct str args UNUSED, bool json UNUSED,
		      void *arg UNUSED)
{
	text_add(reply, STR("not this"));
	deferred = ctl_defer(f.ctl);
}

static const struct ctl_command commands[] = {
	{"later", "", "is answered later", false, cmd_later},
	{"echo", "WORDS", "says it again", false, cmd_echo},
	{"two words", "", "a name of two words", false, cmd_echo},
	{"tell", "WORD", "makes an event", true, cmd_tell},
	{"flood", "", "makes many", true, cmd_flood},
	{"huge", "", "answers too much", false, cmd_huge},
	{NULL, NULL, NULL, false, NULL},
};

static int setup(void **state UNUSED)
{
	struct err e;
	f.loop = ev_loop_new(EVFLAG_AUTO);
	f.ctl = ctl_new(f.loop, path, commands, &f, &e);
	return f.ctl ? 0 : -1;
}

static int teardown(void **state UNUSED)
{
	ctl_free(f.ctl);
	ev_loop_destroy(f.loop);
	return access(path, F_OK) == 0 ? -1 : 0; /* the file goes too */
}

static void turn(unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		ev_run(f.loop, EVRUN_NOWAIT);
}

static int dial(void)
{
	int fd = sock_unix_connect(path, NULL);
	assert_true(fd >= 0);
	return fd;
}

/* What comes back for s, as long as something does. */
static const char *say(int fd, const char *s)
{
	static char got[8192];
	size_t n = 0;
	ssize_t r;
	assert_int_equal(send(fd, s, strlen(s), MSG_NOSIGNAL), strlen(s));
	for (unsigned i = 0; i < 10; i++) {
		turn(1);
		while (n < sizeof(got) - 1 &&
		       (r = recv(fd, got + n, sizeof(got) - 1 - n, MSG_DONTWAIT)) > 0)
			n += (size_t)r;
	}
	got[n] = '\0';
	return got;
}

static bool ended(int fd)
{
	char c[65536];
	ssize_t n;
	for (unsigned i = 0; i < 1000; i++) {
		turn(1);
		while ((n = recv(fd, c, sizeof(c), MSG_DONTWAIT)) > 0)
			;
		if (n == 0 || errno == ECONNRESET)
			return true;
	}
	return false;
}

static void answers_end_with_an_empty_line(void **state UNUSED)
{
	int fd = dial();
	struct stat st;
	assert_string_equal(say(fd, "echo  a b \n"), "a b\n\n");
	assert_string_equal(say(fd, "echo\r\n"), "\n\n");
	assert_string_equal(say(fd, "echo x json\n"), "json:x\n\n");
	assert_string_equal(say(fd, "echo json\n"), "json:\n\n");
	assert_string_equal(say(fd, "two words too\n"), "too\n\n");
	assert_string_equal(say(fd, "ec"), "");
	assert_string_equal(say(fd, "ho split\necho next\n\n"), "split\n\nnext\n\n");
	assert_string_equal(say(fd, "echoes\n"), "error: unknown command \"echoes\"; try help\n\n");
	assert_non_null(strstr(say(fd, "help\n"), "\necho WORDS: says it again\n"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	say(fd, "quit\n");
	assert_true(ended(fd));
	close(fd);
}

static void a_deferred_reply_keeps_the_order(void **state UNUSED)
{
	int fd = dial(), other = dial();
	char full[1025] = "later\n";
	assert_string_equal(say(fd, "echo a\nlater\necho b\n"), "a\n\n");
	assert_string_equal(say(other, "echo c\n"), "c\n\n");
	assert_string_equal(say(fd, "echo d\n"), "");
	ctl_reply(deferred, STR("later"));
	assert_string_equal(say(fd, ""), "later\n\nb\n\nd\n\n");
	/* Nor is a full window a line too long. */
	memset(full + 6, '\n', 1018);
	assert_string_equal(say(fd, full), "");
	ctl_reply(deferred, STR(""));
	assert_string_equal(say(fd, "echo e\n"), "\ne\n\n");
	close(fd);
	close(other);
}

static void a_watcher_hears_on_before_a_deferred_reply(void **state UNUSED)
{
	int fd = dial(), other = dial();
	assert_string_equal(say(fd, "watch\nlater\n"), "watching\n");
	say(other, "tell x\n");
	assert_string_equal(say(fd, ""), "told x\n");
	ctl_reply(deferred, STR("done\n"));
	assert_string_equal(say(fd, "tell y\n"), "done\n\ntold y\nbefore after\n\n");
	close(fd);
	close(other);
}

static void a_deferred_reply_to_a_peer_that_has_gone(void **state UNUSED)
{
	int fd = dial();
	say(fd, "watch\nlater\n");
	for (unsigned i = 0; i < 20000; i++)
		ctl_event(f.ctl, "event %u, of some length so that the buffers fill up soon enough",
			  i);
	assert_true(ended(fd));
	ctl_reply(deferred, STR("done\n"));
	close(fd);
	fd = dial();
	say(fd, "later\n");
	close(fd);
	turn(3);
	ctl_reply(deferred, STR("done\n"));
	turn(3);
	fd = dial();
	say(fd, "later\n");
	struct err e;
	ctl_free(f.ctl);
	ctl_reply(deferred, STR("done\n"));
	f.ctl = ctl_new(f.loop, path, commands, &f, &e);
	assert_non_null(f.ctl);
	close(fd);
}

static void a_line_too_long_ends_it(void **state UNUSED)
{
	char line[2000];
	int fd = dial();
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	assert_non_null(strstr(say(fd, line), "error: line longer"));
	assert_true(ended(fd));
	close(fd);
}

static void watchers_hear_what_happens(void **state UNUSED)
{
	int watcher = dial(), other = dial();
	assert_string_equal(say(watcher, "watch\n"), "watching\n");
	assert_string_equal(say(other, "tell x\n"), "before after\n\n");
	assert_string_equal(say(watcher, ""), "told x\n");
	/* Its own command's event comes before the reply, never inside. */
	assert_string_equal(say(watcher, "tell y\n"), "told y\nbefore after\n\n");
	close(watcher);
	close(other);
	turn(3);
	ctl_event(f.ctl, "not heard");
	ctl_event(NULL, "no server either");
}

static void a_watcher_that_does_not_read_is_let_go(void **state UNUSED)
{
	int slow = dial(), good = dial();
	say(slow, "watch\n");
	for (unsigned i = 0; i < 20000; i++)
		ctl_event(f.ctl, "event %u, of some length so that the buffers fill up soon enough",
			  i);
	assert_string_equal(say(good, "echo on\n"), "on\n\n");
	assert_true(ended(slow));
	close(slow);
	close(good);
}

static void a_watcher_may_flood_itself(void **state UNUSED)
{
	int fd = dial();
	say(fd, "watch\n");
	assert_int_equal(send(fd, "flood\n", 6, MSG_NOSIGNAL), 6);
	assert_true(ended(fd));
	close(fd);
}

static void a_reply_without_end_ends_the_connection(void **state UNUSED)
{
	int fd = dial();
	assert_int_equal(send(fd, "huge\n", 5, MSG_NOSIGNAL), 5);
	assert_true(ended(fd));
	close(fd);
}

static void a_second_server_is_refused(void **state UNUSED)
{
	struct err e;
	assert_null(ctl_new(f.loop, path, commands, &f, &e));
	assert_non_null(strstr(e.text, path));
}

/* ---- watch.h */

struct seen {
	struct watch watch;
	unsigned ups, downs, lines;
	char last[64];
};

static void on_up(struct watch *w)
{
	container_of(w, struct seen, watch)->ups++;
}

static void on_down(struct watch *w)
{
	container_of(w, struct seen, watch)->downs++;
}

static void on_line(struct watch *w, struct str line)
{
	struct seen *s = container_of(w, struct seen, watch);
	s->lines++;
	str_copy(s->last, sizeof(s->last), line);
}

static void turn_until(const unsigned *count, unsigned wanted)
{
	for (unsigned i = 0; i < 3000 && *count < wanted; i++) {
		turn(1);
		poll(NULL, 0, 1);
	}
	assert_int_equal(*count, wanted);
}

static void a_watch_is_a_leash_and_comes_back(void **state UNUSED)
{
	struct seen s = {.watch = {.up = on_up, .line = on_line, .down = on_down}};
	struct err e;
	ctl_free(f.ctl);
	watch_start(&s.watch, f.loop, path);
	turn(3);
	assert_int_equal(s.ups, 0);
	assert_int_equal(s.downs, 0);
	f.ctl = ctl_new(f.loop, path, commands, &f, &e);
	assert_non_null(f.ctl);
	turn_until(&s.lines, 1);
	assert_string_equal(s.last, "watching");
	ctl_event(f.ctl, "hello %d", 1);
	turn_until(&s.lines, 2);
	assert_string_equal(s.last, "hello 1");
	ctl_free(f.ctl);
	turn_until(&s.downs, 1);
	f.ctl = ctl_new(f.loop, path, commands, &f, &e);
	turn_until(&s.lines, 3);
	assert_int_equal(s.ups, 2);
	watch_stop(&s.watch);
	watch_stop(&s.watch);
	assert_int_equal(s.downs, 1);
}

/* Descriptors may run out; peers that connected meanwhile are answered when there are some again. */
static void no_descriptor_is_no_busy_loop(void **state UNUSED)
{
	struct rlimit was, none;
	int fd = dial();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = (struct rlimit){.rlim_cur = (rlim_t)fd + 1, .rlim_max = was.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	turn(3);
	unsigned before = ev_iteration(f.loop);
	int64_t until = clock_now_us() + 100000;
	while (clock_now_us() < until)
		ev_run(f.loop, EVRUN_ONCE);
	assert_true(ev_iteration(f.loop) - before < 10);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(send(fd, "echo x\n", 7, MSG_NOSIGNAL), 7);
	char got[64];
	ssize_t n = -1;
	for (until += 2000000; n < 0 && clock_now_us() < until;) {
		ev_run(f.loop, EVRUN_ONCE);
		n = recv(fd, got, sizeof(got), MSG_DONTWAIT);
	}
	assert_int_equal(n, 3);
	assert_memory_equal(got, "x\n\n", 3);
	close(fd);
}

static void asking_a_daemon_that_does_not_run_is_an_error(void **state UNUSED)
{
	struct text reply;
	struct err e;
	text_init(&reply, 1000);
	assert_int_equal(watch_ask("/nonexistent.sock", "echo", &reply, 100, &e), -1);
	assert_int_equal(watch_ask(path, "echo", &reply, 50, &e), -1); /* the loop does not turn */
	assert_non_null(strstr(e.text, "no answer in time"));
	text_fini(&reply);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(answers_end_with_an_empty_line),
		TEST(a_deferred_reply_keeps_the_order),
		TEST(a_watcher_hears_on_before_a_deferred_reply),
		TEST(a_deferred_reply_to_a_peer_that_has_gone),
		TEST(a_line_too_long_ends_it),
		TEST(watchers_hear_what_happens),
		TEST(a_watcher_that_does_not_read_is_let_go),
		TEST(a_watcher_may_flood_itself),
		TEST(a_reply_without_end_ends_the_connection),
		TEST(a_second_server_is_refused),
		TEST(a_watch_is_a_leash_and_comes_back),
		TEST(asking_a_daemon_that_does_not_run_is_an_error),
		TEST(no_descriptor_is_no_busy_loop),
	};
	MUST(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/x.sock", dir);
	log_init(false, LOG_LEVEL_ERR);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(dir);
	return rc;
}
