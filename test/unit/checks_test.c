// SPDX-License-Identifier: MIT
// TEST-OF: healthd
/*
 * The set of checks through probes and reloads, against a listener of the test's own and a port where nothing
 * listens. Invariants are checked after each step.
 */
#include "unit.h"

#include <stdio.h>

#include "base/clock.h"
#include "checks.h"
#include "stats.h"
#include "net/sock.h"

struct fixture {
	struct stats stats;
	struct ev_loop *loop;
	struct arena arena;
	struct conf_errors errors;
	struct checks *s;
	int listener;
	unsigned open_port, closed_port;
	char dir[32], table[64];
	char last[256]; /* event */
	unsigned events;
};

static void on_event(void *arg, const char *text)
{
	struct fixture *f = arg;
	str_copy(f->last, sizeof(f->last), str_c(text));
	f->events++;
}

static unsigned a_port(int *listener)
{
	struct addr at;
	assert_int_equal(addr_parse_ip(&at, STR("127.0.0.1"), NULL), 0);
	*listener = sock_listen(&at, 0, 16, NULL);
	assert_true(*listener >= 0);
	sock_local(*listener, &at);
	return addr_port(&at);
}

static int setup(void **state)
{
	struct fixture *f = def_xcalloc(1, sizeof(*f));
	int other;
	arena_init(&f->arena, NULL, 0, ARENA_UNLIMITED);
	conf_errors_init(&f->errors, &f->arena);
	snprintf(f->dir, sizeof(f->dir), "/tmp/checks.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->table, sizeof(f->table), "%s/health.shm", f->dir);
	f->open_port = a_port(&f->listener);
	f->closed_port = a_port(&other);
	close(other);
	struct err e;
	stats_create(&f->stats, "/nowhere/at/all", stats_kinds, (unsigned)stats_kinds_n, 1, &e);
	f->loop = ev_loop_new(EVFLAG_AUTO);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	checks_free(f->s);
	stats_fini(&f->stats);
	close(f->listener);
	ev_loop_destroy(f->loop);
	arena_fini(&f->arena);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

/* One [check] a letter: capitals at the open port, others at the closed one. */
static const struct health_conf *conf_of(struct fixture *f, const char *names, const char *probe)
{
	char text[2048] = "";
	const struct health_conf *made;
	const struct conf *c;
	for (const char *n = names; *n; n++) {
		size_t at = strlen(text);
		snprintf(
			text + at, sizeof(text) - at,
			"[check %c]\nprobe=%s\naddress=127.0.0.1:%u\ninter=10ms\nfastinter=10ms\ntimeout=100ms\n"
			"rise=1\nfall=1\n%s",
			*n, probe, *n <= 'Z' ? f->open_port : f->closed_port,
			strncmp(probe, "mysql", 5) == 0 ? "user=u\n" : "");
	}
	c = conf_read_text("f", arena_str(&f->arena, str_c(text)), health_conf_schema,
			   health_conf_schema_n, &f->arena, &f->errors);
	made = health_conf_build(c, &f->arena, &f->errors);
	assert_int_equal(f->errors.n, 0);
	return made;
}

static void start(struct fixture *f, const char *names, const char *probe)
{
	const struct checks_env env = {.loop = f->loop,
				       .table_path = f->table,
				       .event = on_event,
				       .arg = f,
				       .stats = &f->stats};

	f->s = checks_new(&env, conf_of(f, names, probe), NULL);
	assert_non_null(f->s);
	checks_check(f->s);
}

/* Until so many events were told, with the invariants looked at after each turn of the loop. */
static void run_until_events(struct fixture *f, unsigned n)
{
	int64_t end = clock_now_us() + 5 * CLOCK_SECOND;
	while (f->events < n && clock_now_us() < end) {
		ev_run(f->loop, EVRUN_ONCE);
		checks_check(f->s);
	}
	assert_int_equal(f->events, n);
}

static void run_for(struct fixture *f, int64_t us)
{
	int64_t end = clock_now_us() + us;
	while (clock_now_us() < end) {
		ev_run(f->loop, EVRUN_ONCE);
		checks_check(f->s);
	}
}

static void verdicts_come_and_stay_over_reloads(void **state)
{
	struct fixture *f = *state;
	start(f, "ABcd", "tcp");
	run_until_events(f, 4);
	for (const char *const *names = (const char *const[]){"ABcd", "dA", "Ad", NULL}; *names;
	     names++) {
		assert_int_equal(checks_reload(f->s, conf_of(f, *names, "tcp"), NULL), 0);
		checks_check(f->s);
		run_for(f, 50 * CLOCK_MSEC);
	}
	assert_int_equal(f->events, 4);
	assert_int_equal(checks_reload(f->s, conf_of(f, "Ade", "tcp"), NULL), 0);
	run_until_events(f, 5);
	assert_string_equal(f->last, "check e DOWN L4CON connection refused");
	assert_int_equal(checks_reload(f->s, conf_of(f, "", "tcp"), NULL), 0);
	checks_check(f->s);
}

static void a_reload_may_come_at_any_time(void **state)
{
	struct fixture *f = *state;
	static const char *const probes[] = {"tcp", "http GET /", "mysql SELECT 1"};
	start(f, "ABcd", "tcp");
	for (unsigned k = 0; k < 30; k++) {
		assert_int_equal(checks_reload(f->s,
					       conf_of(f, k % 2 ? "cAd" : "ABcd", probes[k % 3]),
					       NULL),
				 0);
		checks_check(f->s);
		run_for(f, (int64_t)(k % 4) * 5 * CLOCK_MSEC);
		checks_now(f->s, STR("check/A"));
		checks_check(f->s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(verdicts_come_and_stay_over_reloads, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_reload_may_come_at_any_time, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
