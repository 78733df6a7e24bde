// SPDX-License-Identifier: MIT
// TEST-OF: vipd
/*
 * The set of virtual routers through reloads and stops. Their interface does not exist, so nothing is sent and no
 * address is touched: what is checked is the owner of each instance. Invariants are checked after each step.
 */
#include "unit.h"

#include <stdio.h>

#include "instances.h"
#include "stats.h"

#define VRRP(name, vrid, ip)                                                                       \
	"[vrrp " name "]\ninterface=nosuch0\nvirtual_router_id=" vrid "\naddress=" ip "\n"
#define A VRRP("A", "51", "10.0.0.1")
#define B VRRP("B", "52", "10.0.0.2")
#define C VRRP("C", "53", "10.0.0.3")

struct fixture {
	struct stats stats;
	struct ev_loop *loop;
	struct arena arena;
	struct conf_errors errors;
	struct instances *s;
	char dir[32];
	char events[1024];
	bool stopped;
};

static void on_event(void *arg, const char *text)
{
	struct fixture *f = arg;
	size_t n = strlen(f->events);
	snprintf(f->events + n, sizeof(f->events) - n, "%s\n", text);
}

static void on_stopped(void *arg)
{
	struct fixture *f = arg;
	f->stopped = true;
}

static const struct vip_conf *conf_of(struct fixture *f, const char *text)
{
	const struct conf *c = conf_read_text("f", str_c(text), vip_conf_schema, vip_conf_schema_n,
					      &f->arena, &f->errors);
	const struct vip_conf *made = vip_conf_build(c, &f->arena, &f->errors);
	assert_int_equal(f->errors.n, 0);
	return made;
}

static int setup(void **state)
{
	struct fixture *f = def_xcalloc(1, sizeof(*f));
	arena_init(&f->arena, NULL, 0, ARENA_UNLIMITED);
	conf_errors_init(&f->errors, &f->arena);
	snprintf(f->dir, sizeof(f->dir), "/tmp/instances.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	struct err e;
	stats_create(&f->stats, "/nowhere/at/all", stats_kinds, (unsigned)stats_kinds_n, 1, &e);
	f->loop = ev_loop_new(EVFLAG_AUTO);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	instances_free(f->s);
	stats_fini(&f->stats);
	ev_loop_destroy(f->loop);
	arena_fini(&f->arena);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static void start(struct fixture *f, const char *text)
{
	const struct instances_env env = {.loop = f->loop,
					  .run_dir = f->dir,
					  .event = on_event,
					  .stopped = on_stopped,
					  .arg = f,
					  .stats = &f->stats};
	struct err e;
	f->s = instances_new(&env, conf_of(f, text), &e);
	assert_non_null(f->s);
	instances_check(f->s);
}

static void reload(struct fixture *f, const char *text)
{
	instances_reload(f->s, conf_of(f, text));
	instances_check(f->s);
	ev_run(f->loop, EVRUN_NOWAIT);
	instances_check(f->s);
}

/* The report has a line for each of these, in this order. */
static void are(const struct fixture *f, const char *names)
{
	struct str rest, line;
	struct text report;
	text_init(&report, 1 << 16);
	instances_report(f->s, &report, false);
	rest = str_of(report.p, report.n);
	for (const char *name = names; *name; name++) {
		assert_true(str_split(&rest, '\n', &line));
		assert_int_equal(line.p[0], *name);
		assert_true(str_find_str(line, STR(" FAULT since ")) > 0);
		assert_true(str_find_str(line, STR("there is no such interface")) > 0);
	}
	assert_int_equal(rest.n, 0);
	text_fini(&report);
}

static void a_reload_pairs_instances_by_name(void **state)
{
	struct fixture *f = *state;
	start(f, A B C);
	are(f, "ABC");
	reload(f, A C);
	are(f, "AC");
	reload(f, C B A);
	are(f, "ACB");
	reload(f, "");
	are(f, "");
	reload(f, B);
	are(f, "B");
}

static void another_router_of_the_same_name_begins_anew(void **state)
{
	struct fixture *f = *state;
	start(f, A B);
	f->events[0] = '\0';
	reload(f, VRRP("A", "54", "10.0.0.1") B);
	assert_string_equal(f->events, "instance A state FAULT: there is no such interface\n");
}

static void a_stop_ends_all_and_says_so_once(void **state)
{
	struct fixture *f = *state;
	start(f, A B C);
	instances_stop(f->s);
	assert_false(f->stopped);
	instances_check(f->s);
	for (int i = 0; i < 10 && !f->stopped; i++)
		ev_run(f->loop, EVRUN_ONCE);
	assert_true(f->stopped);
	are(f, "");
	instances_check(f->s);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_reload_pairs_instances_by_name),
		T(another_router_of_the_same_name_begins_anew),
		T(a_stop_ends_all_and_says_so_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
