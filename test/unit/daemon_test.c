// SPDX-License-Identifier: MIT
/* The life of a daemon, a small one of the test's own that runs in a process of its own. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon.h"
#include "ipc/watch.h"
#include "net/sock.h"

#define PATIENCE_US (5 * CLOCK_SECOND)
#define LIFE_S	    8 /* no daemon lives longer, whatever goes wrong */
#define WEIGHT	    (1u << 20)

static char dir[] = "/tmp/daemon_testXXXXXX";
static char conf_path[64], run_path[64], out_path[64], ctl_path[80];
static struct sockaddr_un manager_addr = {.sun_family = AF_UNIX};
static int manager = -1;

/* ---- the daemon */

struct settings {
	uint32_t speed, limit;
};

static const struct conf_key keys[] = {
	CONF_U32(struct settings, speed, "speed", "1", 1, 9, "How fast."),
	CONF_U32(struct settings, limit, "limit", "1", 1, 9, "How far.", .flags = CONF_RESTART),
};
static const struct conf_section section = CONF_SINGLE(struct settings, "lb", keys, "Settings.",
						       .flags = CONF_IMPLICIT);
static const struct conf_section *const schema[] = {&section};

static const struct settings *settings_of(const struct daemon_generation *g)
{
	return g->config;
}

/* Speed 7 is good for the schema and bad for the daemon. */
static void build(struct daemon_generation *g, struct conf_errors *errors)
{
	const struct settings *s = conf_at(g->conf, "lb", 0);
	g->config = (void *)(uintptr_t)s;
	memset(arena_alloc(&g->arena, WEIGHT), 'w', WEIGHT); /* so that one not freed is noticed */
	if (s->speed == 7)
		conf_error_at(errors, conf_key_loc(g->conf, "lb", 0, "speed"), "speed",
			      "7 is unlucky");
}

#define COUNTERS(X) X(starts, COUNTER, "how often it began")
enum { STATS_ENUM(COUNTERS) };
static const struct stats_counter counter_rows[] = {STATS_ROWS(COUNTERS)};
static const struct stats_kind counters[] = {STATS_KIND("process", "All of it.", 1, counter_rows)};

static int start(struct daemon *d, struct err *e)
{
	char path[DAEMON_PATH_SIZE];
	if (settings_of(daemon_current(d))->speed == 6)
		return err_set(e, "speed 6 does not start");
	daemon_set_user(d, (void *)(uintptr_t)schema);
	struct stats *s = daemon_open_stats(d, 1);
	MUST(s == daemon_stats(d));
	stats_add(&stats_cells(s, 0, 0, 0)[STAT_starts], 1);
	if (!daemon_ctl(d))
		printf("no control socket\n");
	printf("start %u, run directory %s\n", settings_of(daemon_current(d))->speed,
	       daemon_path(d, "x", path, sizeof(path)));
	fflush(stdout);
	return 0;
}

static struct daemon_generation *held; /* by a slow user of it */

/* Speed 8 cannot be had. */
static int reload(struct daemon *d, struct daemon_generation *old, struct err *e)
{
	if (settings_of(daemon_current(d))->speed == 8)
		return err_set(e, "speed 8 cannot be had");
	if (!held)
		held = daemon_ref(old);
	printf("reload %u after %u, first was %u\n", settings_of(daemon_current(d))->speed,
	       settings_of(old)->speed, settings_of(held)->speed);
	fflush(stdout);
	return 0;
}

/* With speed 9 a thread hangs. */
static bool alive(struct daemon *d)
{
	return settings_of(daemon_current(d))->speed != 9;
}

/* Speed 5 never finishes its work. */
static void stop(struct daemon *d)
{
	printf("stop %d %d\n", daemon_stopping(d), daemon_user(d) == (void *)(uintptr_t)schema);
	fflush(stdout);
	if (settings_of(daemon_current(d))->speed != 5)
		daemon_done(d);
}

static void finish(struct daemon *d UNUSED)
{
	daemon_unref(held);
	daemon_unref(NULL);
	printf("finish\n");
	fflush(stdout);
}

static void cmd_speed(struct text *out, struct str args UNUSED, bool json UNUSED, void *arg)
{
	text_printf(out, "%u\n", settings_of(daemon_current(arg))->speed);
}

/* Bytes on the heap. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static void cmd_memory(struct text *out, struct str args UNUSED, bool json UNUSED, void *arg UNUSED)
{
	struct mallinfo2 m = mallinfo2();
	text_printf(out, "%zu\n",
		    __sanitizer_get_current_allocated_bytes
			    ? __sanitizer_get_current_allocated_bytes()
			    : m.uordblks + m.hblkhd);
}

/* Threads that work by a generation while the daemon goes on to others. */
static struct holder {
	pthread_t thread;
	struct daemon_generation *generation;
	unsigned speed;
	_Atomic bool enough;
} holders[3];

static void *hold(void *arg)
{
	struct holder *h = arg;
	while (!h->enough) {
		struct daemon_generation *g = daemon_ref(h->generation);
		h->speed = settings_of(g)->speed;
		daemon_unref(g);
		usleep(100);
	}
	h->speed = settings_of(h->generation)->speed;
	daemon_unref(h->generation);
	return NULL;
}

static void cmd_hold(struct text *out, struct str args UNUSED, bool json UNUSED, void *arg)
{
	for (unsigned i = 0; i < ARRAY_LEN(holders); i++) {
		holders[i].generation = daemon_ref(daemon_current(arg));
		MUST0(pthread_create(&holders[i].thread, NULL, hold, &holders[i]));
	}
	text_add(out, STR("held\n"));
}

static void cmd_let_go(struct text *out, struct str args UNUSED, bool json UNUSED, void *arg UNUSED)
{
	for (unsigned i = 0; i < ARRAY_LEN(holders); i++)
		holders[i].enough = true;
	for (unsigned i = 0; i < ARRAY_LEN(holders); i++) {
		MUST0(pthread_join(holders[i].thread, NULL));
		text_printf(out, "%u\n", holders[i].speed);
	}
}

static const struct ctl_command commands[] = {
	{"speed", "", "how fast", false, cmd_speed},
	{"memory", "", "how much", false, cmd_memory},
	{"hold", "", "the generation of now", false, cmd_hold},
	{"let go", "", "of it", false, cmd_let_go},
	{NULL, NULL, NULL, false, NULL},
};

static const struct daemon_ops ops = {.name = "testd",
				      .summary = "does nothing",
				      .schema = schema,
				      .n_schema = ARRAY_LEN(schema),
				      .commands = commands,
				      .counters = counters,
				      .n_counters = ARRAY_LEN(counters),
				      .drain_ms = 300,
				      .build = build,
				      .start = start,
				      .reload = reload,
				      .stop = stop,
				      .alive = alive,
				      .finish = finish};

/* ---- its surroundings */

static void write_conf(const char *text)
{
	FILE *f = fopen(conf_path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static const char *output(void)
{
	static char text[16384];
	FILE *f = fopen(out_path, "r");
	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return text;
}

static void must_say(const char *part)
{
	int64_t until = clock_now_us() + PATIENCE_US;
	while (!strstr(output(), part) && clock_now_us() < until)
		usleep(2000);
	if (!strstr(output(), part)) {
		print_error("\"%s\" is not in:\n%s\n", part, output());
		fail();
	}
}

static int drain_ms;	     /* when not that of ops */
static bool handed_over_one; /* descriptor 3, under the name "old" */

static void hand_over(void)
{
	char pid[32];
	dup2(open("/dev/null", O_RDWR | O_CLOEXEC), 3);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_FDNAMES", "old", 1);
}

static pid_t spawn(const char *const *words)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid)
		return pid;
	char *argv[8] = {(char *)(uintptr_t) "testd"};
	int argc = 1;
	for (; words[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc - 1];
	int out = open(out_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
	dup2(out, 1);
	dup2(out, 2);
	struct daemon_ops own = ops;
	if (drain_ms)
		own.drain_ms = drain_ms;
	if (handed_over_one)
		hand_over();
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* it never outlives the test */
	alarm(LIFE_S);
	exit(daemon_main(argc, argv, &own));
}

static int exit_of(pid_t pid)
{
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int run(const char *a, const char *b, const char *c)
{
	const char *const words[] = {a, b, c, NULL};
	return exit_of(spawn(words));
}

static void manager_must_hear(const char *part)
{
	char text[512];
	struct pollfd p = {.fd = manager, .events = POLLIN};
	while (poll(&p, 1, (int)(PATIENCE_US / CLOCK_MSEC)) == 1) {
		ssize_t n = recv(manager, text, sizeof(text) - 1, 0);
		assert_true(n >= 0);
		text[n] = '\0';
		if (strstr(text, part))
			return;
	}
	fail_msg("the manager did not hear %s", part);
}

/* Did the manager hear it up to now? All that it heard is gone then. */
static bool manager_heard(const char *part)
{
	char text[512];
	bool heard = false;
	ssize_t n;
	while ((n = recv(manager, text, sizeof(text) - 1, MSG_DONTWAIT)) >= 0) {
		text[n] = '\0';
		heard |= !!strstr(text, part);
	}
	return heard;
}

static pid_t start_daemon(const char *conf)
{
	const char *const words[] = {"-c", conf_path, "-r", run_path, NULL};
	write_conf(conf);
	manager_heard(""); /* of the one before */
	pid_t pid = spawn(words);
	manager_must_hear("READY=1");
	return pid;
}

static const char *ask(const char *line)
{
	static char answer[1024];
	struct text reply;
	struct err e = {""};
	text_init(&reply, sizeof(answer) - 1);
	if (watch_ask(ctl_path, line, &reply, 5000, &e) < 0)
		fail_msg("%s: %s", line, e.text);
	str_copy(answer, sizeof(answer), str_of(reply.p, reply.n));
	text_fini(&reply);
	return answer;
}

static size_t memory(void)
{
	return strtoul(ask("memory"), NULL, 10);
}

/* A watcher of the daemon's events. */
static int watcher(void)
{
	char got[16];
	struct err e;
	struct pollfd p = {.fd = sock_unix_connect(ctl_path, &e), .events = POLLIN};
	assert_true(p.fd >= 0);
	assert_int_equal(send(p.fd, "watch\n", 6, MSG_NOSIGNAL), 6);
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(recv(p.fd, got, sizeof(got), 0), strlen("watching\n"));
	return p.fd;
}

static void watcher_must_hear(int fd, const char *want)
{
	char got[256];
	size_t n = 0;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	while (n < strlen(want) && poll(&p, 1, 5000) == 1) {
		ssize_t r = recv(fd, got + n, strlen(want) - n, 0);
		if (r <= 0)
			break;
		n += (size_t)r;
	}
	assert_str_equal(str_of(got, n), want);
}

/* ---- options */

static void options_without_a_life(void **state UNUSED)
{
	assert_int_equal(run("-V", NULL, NULL), 0);
	must_say("testd " GREENPI_VERSION "\n");
	assert_int_equal(run("-h", NULL, NULL), 0);
	must_say("usage: testd");
	assert_int_equal(run("-x", NULL, NULL), 2);
	must_say("usage: testd");
	assert_int_equal(run("word", NULL, NULL), 2);
	must_say("usage: testd");
	assert_int_equal(run("--doc", "man", NULL), 0);
	must_say("How fast.");
	assert_int_equal(run("--doc", "example", NULL), 0);
	assert_int_equal(run("--doc", "counters", NULL), 0);
	must_say("how often it began.");
	assert_int_equal(run("--doc", "novel", NULL), 2);
}

static void a_file_is_checked(void **state UNUSED)
{
	write_conf("[lb]\nspeed = 3\n");
	assert_int_equal(run("-tc", conf_path, NULL), 0);
	must_say("good");
	write_conf("[lb]\nspeed = 77\nlimit = x\n[lbb]\n");
	assert_int_equal(run("-tc", conf_path, NULL), 1);
	must_say(".conf:2: speed");
	must_say(".conf:3: limit");
	must_say(".conf:4: ");
	assert_ptr_equal(strstr(output(), conf_path), output()); /* plain, for a person */
	assert_true(strstr(output(), ".conf:2:") < strstr(output(), ".conf:3:"));
	assert_true(strstr(output(), ".conf:3:") < strstr(output(), ".conf:4:"));
	write_conf("[lb]\nspeed = 7\n");
	assert_int_equal(run("-tc", conf_path, NULL), 1);
	must_say(".conf:2: speed: 7 is unlucky");
	unlink(conf_path);
	assert_int_equal(run("-tc", conf_path, NULL), 1);
	must_say("No such file");
}

static void what_is_in_effect_is_printed(void **state UNUSED)
{
	write_conf("[lb]\nspeed = 3\n");
	assert_int_equal(run("-Tc", conf_path, NULL), 0);
	must_say("speed = 3");
	must_say("limit = 1");
	write_conf("[lb]\nspeed = 7\n");
	assert_int_equal(run("-Tc", conf_path, NULL), 1);
	must_say(".conf:2: speed: 7 is unlucky");
}

/* ---- life */

static void it_lives_and_ends(void **state UNUSED)
{
	pid_t pid = start_daemon("[lb]\nspeed = 2\n");
	must_say("start 2, run directory ");
	assert_string_equal(ask("speed"), "2\n");
	assert_non_null(strstr(ask("version"), "configuration 1"));
	assert_non_null(strstr(ask("version json"), "\"configuration\":1"));
	kill(pid, SIGPIPE); /* is no reason to end */
	assert_string_equal(ask("speed"), "2\n");
	kill(pid, SIGTERM);
	manager_must_hear("STOPPING=1");
	assert_int_equal(exit_of(pid), 0);
	/* Lines of the log, from a thread of their own, may come between them. */
	must_say("stop 1 1\n");
	must_say("finish\n");
	assert_int_equal(access(ctl_path, F_OK), -1);
}

static void its_counters_are_published_and_told(void **state UNUSED)
{
	char shm_path[96];
	struct stats_view v;
	struct err e;
	uint64_t n = 0;
	snprintf(shm_path, sizeof(shm_path), "%s/testd.shm", run_path);
	pid_t pid = start_daemon("[lb]\nspeed = 2\n");
	assert_string_equal(ask("stats"), "process starts 1\n");
	assert_string_equal(ask("stats process json"), "{\"process\":{\"starts\":1}}\n");
	assert_string_equal(ask("stats csv"), "object,name,value,note\nprocess,starts,1,\n");
	assert_string_equal(ask("stats process csv"), ask("stats csv"));
	assert_string_equal(ask("stats server"), "error: no kind of counters \"server\"\n");
	assert_int_equal(stats_view_open(&v, shm_path, &e), 0);
	assert_true(stats_view_get(&v, "starts", &n));
	assert_int_equal(n, 1);
	assert_int_equal(stats_view_pid(&v), pid);
	int64_t until_us = clock_now_us() + PATIENCE_US, made_us = clock_now_us();
	while (clock_now_us() - stats_view_age_us(&v, clock_now_us()) <= made_us)
		MUST(clock_now_us() < until_us); /* the heartbeat */
	stats_view_close(&v);
	kill(pid, SIGTERM);
	assert_int_equal(exit_of(pid), 0);
	assert_int_equal(access(shm_path, F_OK), -1);
}

static void what_cannot_start_exits(void **state UNUSED)
{
	const char *const words[] = {"-c", conf_path, "-r", run_path, NULL};
	manager_heard("");
	write_conf("[lb]\nspeed = 6\n");
	handed_over_one = true;
	assert_int_equal(exit_of(spawn(words)), 1);
	handed_over_one = false;
	must_say("speed 6 does not start");
	assert_null(strstr(output(), "finish"));
	/* Never ready; and what it was handed is kept for the next attempt. */
	assert_false(manager_heard(""));
	assert_int_equal(access(ctl_path, F_OK), -1);
	write_conf("[lb]\nspeed = 60\n");
	assert_int_equal(exit_of(spawn(words)), 1);
	must_say(".conf:2: speed");
	assert_null(strstr(output(), "start 60"));
}

static void a_reload_is_all_or_nothing(void **state UNUSED)
{
	pid_t pid = start_daemon("[lb]\nspeed = 2\n");
	write_conf("[lb]\nspeed = 3\n");
	kill(pid, SIGHUP);
	manager_must_hear("RELOADING=1");
	manager_must_hear("READY=1");
	must_say("reload 3 after 2, first was 2");
	assert_string_equal(ask("speed"), "3\n");

	write_conf("[lb]\nspeed = 99\nlimit = 99\n"); /* bad for the schema */
	kill(pid, SIGHUP);
	manager_must_hear("refused");
	must_say(".conf:2: speed");
	must_say(".conf:3: limit");
	must_say("the previous configuration is kept");
	assert_string_equal(ask("speed"), "3\n");

	write_conf("[lb]\nspeed = 8\n"); /* good, but not to be had */
	assert_non_null(strstr(ask("reload"), "error: refused"));
	must_say("speed 8 cannot be had");
	assert_string_equal(ask("speed"), "3\n");

	write_conf("[lb]\nspeed = 4\nlimit = 2\n");
	assert_string_equal(ask("reload"), "done\n");
	must_say("reload 4 after 3, first was 2"); /* the first one lives while it is referenced */
	must_say("limit changed: it takes effect when testd is restarted");
	assert_string_equal(ask("speed"), "4\n");
	kill(pid, SIGTERM);
	assert_int_equal(exit_of(pid), 0);
}

/* The manager reads meanwhile: its queue is short, and a sender waits for room. */
static void reload_must_say(const char *part, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		assert_non_null(strstr(ask("reload"), part));
		manager_heard("");
	}
}

/* A referenced generation lives on, and the last unref, on any thread, frees it. */
static void generations_go_with_their_last_reference(void **state UNUSED)
{
	pid_t pid = start_daemon("[lb]\nspeed = 2\n");
	reload_must_say("done", 1); /* the first one is held to the end */
	write_conf("[lb]\nspeed = 3\n");
	reload_must_say("done", 1);
	size_t one = memory();
	assert_string_equal(ask("hold"), "held\n");
	write_conf("[lb]\nspeed = 4\n");
	reload_must_say("done", 4);
	write_conf("[lb]\nspeed = 7\n"); /* these are never active */
	reload_must_say("refused", 4);
	assert_in_range(memory(), one + WEIGHT - WEIGHT / 4, one + 2 * WEIGHT - WEIGHT / 4);
	assert_string_equal(ask("let go"), "3\n3\n3\n");
	assert_in_range(memory(), 0, one + WEIGHT / 2);
	kill(pid, SIGTERM);
	assert_int_equal(exit_of(pid), 0);
}

static void watchers_hear_of_it(void **state UNUSED)
{
	pid_t pid = start_daemon("[lb]\nspeed = 2\n");
	int fd = watcher();
	kill(pid, SIGHUP);
	watcher_must_hear(fd, "reload done 2\n");
	write_conf("[lb]\nspeed = 7\n");
	kill(pid, SIGHUP);
	watcher_must_hear(fd, "reload refused\n");
	kill(pid, SIGTERM);
	watcher_must_hear(fd, "stopping\n");
	assert_int_equal(exit_of(pid), 0);
	close(fd);
}

static void unclaimed_descriptors_are_closed(void **state UNUSED)
{
	handed_over_one = true;
	write_conf("[lb]\nspeed = 2\n");
	pid_t pid = spawn((const char *const[]){"-c", conf_path, "-r", run_path, NULL});
	handed_over_one = false;
	manager_must_hear("FDSTOREREMOVE=1\nFDNAME=old");
	manager_must_hear("READY=1");
	kill(pid, SIGTERM);
	assert_int_equal(exit_of(pid), 0);
}

static void while_it_stops_nothing_is_reloaded(void **state UNUSED)
{
	drain_ms = 60000;
	pid_t pid = start_daemon("[lb]\nspeed = 5\n");
	drain_ms = 0;
	kill(pid, SIGTERM);
	must_say("stop 1 1");
	write_conf("[lb]\nspeed = 2\n");
	kill(pid, SIGHUP);
	assert_non_null(strstr(ask("reload"), "error: "));
	assert_string_equal(ask("speed"), "5\n");
	kill(pid, SIGTERM);
	assert_int_equal(exit_of(pid), 0);
	assert_null(strstr(output(), "reload "));
}

static void a_daemon_that_does_not_drain_exits_at_the_timeout(void **state UNUSED)
{
	pid_t pid = start_daemon("[lb]\nspeed = 5\n");
	int64_t began = clock_now_us();
	kill(pid, SIGTERM);
	assert_int_equal(exit_of(pid), 0);
	assert_true(clock_now_us() - began >= 250 * CLOCK_MSEC);
	must_say("drain timeout");
	must_say("finish");
}

static void the_second_signal_ends_it_at_once(void **state UNUSED)
{
	pid_t pid = start_daemon("[lb]\nspeed = 5\n");
	kill(pid, SIGINT);
	must_say("stop 1 1");
	kill(pid, SIGHUP); /* too late for that */
	kill(pid, SIGINT);
	assert_int_equal(exit_of(pid), 0);
	must_say("SIGINT again: exiting at once");
	assert_null(strstr(output(), "drain timeout"));
}

/* Killed, it leaves its socket behind; the next one takes its place. */
static void a_dead_ones_socket_is_no_obstacle(void **state UNUSED)
{
	pid_t pid = start_daemon("[lb]\nspeed = 2\n");
	kill(pid, SIGKILL);
	assert_int_equal(exit_of(pid), 1000 + SIGKILL);
	assert_int_equal(access(ctl_path, F_OK), 0);
	pid = start_daemon("[lb]\nspeed = 3\n");
	assert_string_equal(ask("speed"), "3\n");
	kill(pid, SIGTERM);
	assert_int_equal(exit_of(pid), 0);
}

static void a_living_ones_socket_is_not_taken(void **state UNUSED)
{
	pid_t first = start_daemon("[lb]\nspeed = 2\n"), second = start_daemon("[lb]\nspeed = 3\n");
	must_say("no control socket: ");
	must_say("no control socket\n");
	assert_string_equal(ask("speed"), "2\n");
	kill(second, SIGHUP); /* it works all the same */
	must_say("reload 3 after 3");
	kill(second, SIGTERM);
	assert_int_equal(exit_of(second), 0);
	assert_string_equal(ask("speed"), "2\n");
	kill(first, SIGTERM);
	assert_int_equal(exit_of(first), 0);
}

static void a_hanging_worker_stops_the_watchdog(void **state UNUSED)
{
	setenv("WATCHDOG_USEC", "90000", 1);
	pid_t pid = start_daemon("[lb]\nspeed = 9\n");
	unsetenv("WATCHDOG_USEC");
	must_say("no heartbeat");
	assert_false(manager_heard("WATCHDOG=1"));
	write_conf("[lb]\nspeed = 2\n");
	kill(pid, SIGHUP);
	manager_must_hear("WATCHDOG=1");
	kill(pid, SIGTERM);
	assert_int_equal(exit_of(pid), 0);
}

static void the_watchdog_gets_its_signs_of_life(void **state UNUSED)
{
	setenv("WATCHDOG_USEC", "90000", 1);
	pid_t pid = start_daemon("[lb]\nspeed = 2\n");
	unsetenv("WATCHDOG_USEC");
	for (unsigned i = 0; i < 3; i++)
		manager_must_hear("WATCHDOG=1");
	kill(pid, SIGTERM);
	assert_int_equal(exit_of(pid), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_without_a_life),
		cmocka_unit_test(a_file_is_checked),
		cmocka_unit_test(what_is_in_effect_is_printed),
		cmocka_unit_test(it_lives_and_ends),
		cmocka_unit_test(its_counters_are_published_and_told),
		cmocka_unit_test(what_cannot_start_exits),
		cmocka_unit_test(a_reload_is_all_or_nothing),
		cmocka_unit_test(generations_go_with_their_last_reference),
		cmocka_unit_test(watchers_hear_of_it),
		cmocka_unit_test(unclaimed_descriptors_are_closed),
		cmocka_unit_test(while_it_stops_nothing_is_reloaded),
		cmocka_unit_test(a_daemon_that_does_not_drain_exits_at_the_timeout),
		cmocka_unit_test(the_second_signal_ends_it_at_once),
		cmocka_unit_test(a_dead_ones_socket_is_no_obstacle),
		cmocka_unit_test(a_living_ones_socket_is_not_taken),
		cmocka_unit_test(a_hanging_worker_stops_the_watchdog),
		cmocka_unit_test(the_watchdog_gets_its_signs_of_life),
	};
	MUST(mkdtemp(dir));
	snprintf(conf_path, sizeof(conf_path), "%s/testd.conf", dir);
	snprintf(out_path, sizeof(out_path), "%s/out", dir);
	snprintf(run_path, sizeof(run_path), "%s/run", dir);
	snprintf(ctl_path, sizeof(ctl_path), "%s/testd.sock", run_path);
	snprintf(manager_addr.sun_path, sizeof(manager_addr.sun_path), "%s/notify", dir);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	MUST(bind(manager, (struct sockaddr *)&manager_addr, sizeof(manager_addr)) == 0);
	setenv("NOTIFY_SOCKET", manager_addr.sun_path, 1);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(conf_path);
	unlink(out_path);
	unlink(manager_addr.sun_path);
	rmdir(run_path);
	rmdir(dir);
	return rc;
}
