// SPDX-License-Identifier: MIT
// TEST-OF: healthd
/* From sections to the flat list of targets, and what is refused. */
#include "unit.h"

#include <stdio.h>

#include "health_conf.h"

struct fixture {
	struct arena arena;
	struct conf_errors errors;
	const struct health_conf *made;
};

static void read_text(struct fixture *f, const char *text)
{
	const struct conf *c;
	arena_init(&f->arena, NULL, 0, ARENA_UNLIMITED);
	conf_errors_init(&f->errors, &f->arena);
	c = conf_read_text("f", str_c(text), health_conf_schema, health_conf_schema_n, &f->arena,
			   &f->errors);
	f->made = health_conf_build(c, &f->arena, &f->errors);
}

#define POOL "[pool edges]\ncheck = http GET /h\ninter = 2s\nrise = 2\nfall = 5\n"
#define WEB1 "[server web1]\npool = edges\naddress = 10.0.0.1:80\n"

static void test_servers_take_their_pools_rules(void **state UNUSED)
{
	struct fixture f;
	const struct health_conf_target *t;
	read_text(&f, POOL WEB1);
	assert_int_equal(f.errors.n, 0);
	assert_int_equal(f.made->n, 1);
	assert_int_equal(f.made->spread, 5);
	t = &f.made->targets[0];
	assert_string_equal(t->name, "edges/web1");
	assert_true(t->is_server);
	assert_int_equal(t->spec.kind, PROBE_http);
	assert_str_equal(t->spec.method, "GET");
	assert_str_equal(t->spec.path, "/h");
	assert_int_equal(t->spec.status_lo, 200);
	assert_int_equal(t->spec.status_hi, 399);
	assert_int_equal(t->spec.timeout_ms, 1000);
	assert_int_equal(t->spec.send_proxy, 0);
	assert_int_equal(t->rules.inter_ms, 2000);
	assert_int_equal(t->rules.fastinter_ms, 250);
	assert_int_equal(t->rules.downinter_ms, 2000);
	assert_int_equal(t->rules.rise, 2);
	assert_int_equal(t->rules.fall, 5);
	arena_fini(&f.arena);
}

static void test_a_check_begins_as_the_pools_connections_do(void **state UNUSED)
{
	struct fixture f;
	read_text(&f, "[pool edges]\nsend-proxy = v2\n" WEB1);
	assert_int_equal(f.errors.n, 0);
	assert_int_equal(f.made->targets[0].spec.send_proxy, 2);
	arena_fini(&f.arena);
	read_text(&f, "[check a]\nprobe = tcp\naddress = 127.0.0.1:1\nsend-proxy = v1\n");
	assert_int_equal(f.errors.n, 0);
	assert_int_equal(f.made->targets[0].spec.send_proxy, 1);
	arena_fini(&f.arena);
}

static void test_a_pool_without_check_is_left_alone(void **state UNUSED)
{
	struct fixture f;
	read_text(&f, "[pool edges]\ncheck = none\n" WEB1);
	assert_int_equal(f.errors.n, 0);
	assert_int_equal(f.made->n, 0);
	arena_fini(&f.arena);
}

static void test_checks_of_each_kind(void **state UNUSED)
{
	struct fixture f;
	const struct health_conf_target *t;
	read_text(&f,
		  "[check a]\nprobe = tcp\naddress = 127.0.0.1:1\n"
		  "[check b]\nprobe = http HEAD /x\naddress = 127.0.0.1:2\nexpect = 404\n"
		  "[check c]\nprobe = mysql SELECT 1 FROM t\naddress = 127.0.0.1:3306\nuser = u\n"
		  "password = p\ndatabase = d\ntimeout = 3s\ninter = 100ms\n");
	assert_int_equal(f.errors.n, 0);
	assert_int_equal(f.made->n, 3);
	t = f.made->targets;
	assert_string_equal(t[0].name, "check/a");
	assert_false(t[0].is_server);
	assert_int_equal(t[0].spec.kind, PROBE_tcp);
	assert_int_equal(t[1].spec.kind, PROBE_http);
	assert_int_equal(t[1].spec.status_lo, 404);
	assert_int_equal(t[1].spec.status_hi, 404);
	assert_int_equal(t[2].spec.kind, PROBE_mysql);
	assert_str_equal(t[2].spec.query, "SELECT 1 FROM t");
	assert_str_equal(t[2].spec.user, "u");
	assert_str_equal(t[2].spec.database, "d");
	assert_int_equal(t[2].spec.timeout_ms, 3000);
	assert_int_equal(t[2].rules.fastinter_ms, 100);
	arena_fini(&f.arena);
}

static void test_what_is_refused(void **state UNUSED)
{
#define AT "address = 127.0.0.1:1\n"
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"[check a]\n" AT "probe = udp\n",
		 "f:3: probe: not a probe, allowed: tcp | http METHOD PATH | mysql QUERY"},
		{"[check a]\n" AT "probe = none\n",
		 "f:3: probe: not a probe, allowed: tcp | http METHOD PATH | mysql QUERY"},
		{"[check a]\n" AT "probe = mysql\n",
		 "f:3: probe: mysql takes a query, such as mysql SELECT 1"},
		{"[check a]\n" AT "probe = mysql SELECT 1\n", "a mysql probe needs a user"},
		{"[check a]\n" AT "probe = mysql SELECT 1\nuser = u\nsend-proxy = v1\n",
		 "send-proxy goes with a tcp or http probe only"},
		{"[check a]\n" AT "probe = tcp\nuser = x\n",
		 "user, password and database go with a mysql probe only"},
		{"[pool check]\n", "no pool may be called \"check\""},
		{"[pool aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n"
		 "[server bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb]\n" AT
		 "pool = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
		 "is longer than 63 bytes"},
		{WEB1, "there is no [pool edges]"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture f;
		read_text(&f, cases[i].text);
		if (f.errors.n != 1 || !strstr(f.errors.first->text, cases[i].error)) {
			conf_errors_print(&f.errors, stderr);
			fail_msg("case %zu: %zu errors, wanted %s", i, f.errors.n, cases[i].error);
		}
		arena_fini(&f.arena);
	}
}

static void test_too_many(void **state UNUSED)
{
	struct fixture f;
	char *text = def_xmalloc(HEALTH_MAX * 64 + 64);
	size_t n = 0;
	for (int i = 0; i <= HEALTH_MAX; i++)
		n += (size_t)snprintf(text + n, 64,
				      "[check c%d]\nprobe = tcp\naddress = 10.0.0.1:%d\n", i,
				      i + 1);
	read_text(&f, text);
	assert_int_equal(f.errors.n, 1);
	assert_non_null(strstr(f.errors.first->text, "more than 256 things to check"));
	arena_fini(&f.arena);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_servers_take_their_pools_rules),
		cmocka_unit_test(test_a_check_begins_as_the_pools_connections_do),
		cmocka_unit_test(test_a_pool_without_check_is_left_alone),
		cmocka_unit_test(test_checks_of_each_kind),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_too_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
