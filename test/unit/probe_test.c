// SPDX-License-Identifier: MIT
// TEST-OF: healthd
/*
 * The promises of a probe: done() once and from the loop, by the deadline at the latest; stopped and
 * freed at any time. Peers are listeners of the test's own on loopback.
 */
#include "unit.h"

#include "base/clock.h"
#include "curl_loop.h"
#include "net/sock.h"
#include "probe.h"
#include "probe_mysql.h"

struct fixture {
	struct ev_loop *loop;
	struct probe_env env;
	int listener;
	struct addr at;
};

static struct probe_result got;
static int calls;
static bool free_inside;

static int setup(void **state)
{
	struct fixture *f = def_xcalloc(1, sizeof(*f));
	f->loop = ev_loop_new(EVFLAG_AUTO);
	f->env = (struct probe_env){.loop = f->loop,
				    .curl = curl_loop_new(f->loop, NULL),
				    .mysql = probe_mysql_jobs_new(f->loop)};
	assert_int_equal(addr_parse_ip(&f->at, STR("127.0.0.1"), NULL), 0);
	f->listener = sock_listen(&f->at, 0, 16, NULL);
	assert_true(f->listener >= 0);
	sock_local(f->listener, &f->at);
	calls = 0;
	free_inside = false;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	probe_mysql_jobs_free(f->env.mysql);
	curl_loop_free(f->env.curl);
	if (f->listener >= 0)
		close(f->listener);
	ev_loop_destroy(f->loop);
	free(f);
	return 0;
}

static void on_done(struct probe *p, const struct probe_result *r)
{
	got = *r;
	calls++;
	if (free_inside)
		probe_free(p);
}

/* One of each kind, at the fixture's listener, which accepts and says nothing. */
static struct probe_spec spec_of(const struct fixture *f, enum probe_kind kind)
{
	return (struct probe_spec){.kind = kind,
				   .address = f->at,
				   .timeout_ms = 100,
				   .method = STR("GET"),
				   .path = STR("/"),
				   .status_lo = 200,
				   .status_hi = 399,
				   .user = STR("u"),
				   .password = STR(""),
				   .query = STR("SELECT 1")};
}

static void run_until_done(const struct fixture *f, int want)
{
	int64_t end = clock_now_us() + 5 * CLOCK_SECOND;
	while (calls < want && clock_now_us() < end) {
		ev_run(f->loop, EVRUN_ONCE);
		probe_mysql_jobs_check(f->env.mysql);
	}
	assert_int_equal(calls, want);
}

static void test_a_silent_peer_is_late(void **state)
{
	static const enum health_result want[] = {[PROBE_tcp] = HEALTH_L4OK,
						  [PROBE_http] = HEALTH_L7TOUT,
						  [PROBE_mysql] = HEALTH_L7TOUT};
	struct fixture *f = *state;
	for (unsigned k = 0; k < ARRAY_LEN(want); k++) {
		struct probe_spec spec = spec_of(f, k);
		struct probe *p = probe_new(&f->env, &spec, on_done);
		int64_t began = clock_now_us();
		for (int round = 0; round < 2;
		     round++) { /* the second one: begun while a job hangs */
			calls = 0;
			probe_start(p);
			assert_int_equal(calls, 0);
			run_until_done(f, 1);
			assert_int_equal(got.result, want[k]);
		}
		assert_true(clock_now_us() - began < CLOCK_SECOND);
		probe_free(p);
	}
}

static void test_a_refusal_comes_from_the_loop(void **state)
{
	struct fixture *f = *state;
	close(f->listener);
	f->listener = -1;
	for (unsigned k = PROBE_tcp; k <= PROBE_mysql; k++) {
		struct probe_spec spec = spec_of(f, k);
		struct probe *p;
		free_inside = true;
		calls = 0;
		p = probe_new(&f->env, &spec, on_done);
		probe_start(p);
		assert_int_equal(calls, 0);
		run_until_done(f, 1);
		assert_int_equal(got.result, HEALTH_L4CON);
		assert_true(got.reason[0] != '\0' && got.latency_us < 1000000);
	}
}

static void test_a_freed_probe_is_silent(void **state)
{
	struct fixture *f = *state;
	int64_t end;
	for (unsigned k = PROBE_tcp; k <= PROBE_mysql; k++) {
		struct probe_spec spec = spec_of(f, k);
		struct probe *p = probe_new(&f->env, &spec, on_done);
		probe_start(p);
		ev_run(f->loop, EVRUN_NOWAIT);
		probe_free(p);
	}
	calls = 0;
	for (end = clock_now_us() + 200 * CLOCK_MSEC; clock_now_us() < end; usleep(1000))
		ev_run(f->loop, EVRUN_NOWAIT);
	assert_int_equal(calls, 0);
}

static void test_same(void **state)
{
	struct fixture *f = *state;
	struct probe_spec a = spec_of(f, PROBE_http), b = a;
	b.timeout_ms = 7;
	assert_true(probe_same(&a, &b));
	b.path = STR("/other");
	assert_false(probe_same(&a, &b));
	b = a;
	addr_set_port(&b.address, 1);
	assert_false(probe_same(&a, &b));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_a_silent_peer_is_late),
		T(test_a_refusal_comes_from_the_loop),
		T(test_a_freed_probe_is_silent),
		T(test_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
