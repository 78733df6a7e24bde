// SPDX-License-Identifier: MIT
/*
 * The files of conf/ as shipped: every line in form, every section a known one, and the shared sections say
 * what the documents promise. Each daemon's own sections are checked by its -t.
 */
#include "unit.h"

#include <stdio.h>

#include "conf/cluster.h"

static const struct conf_section *const schema[] = {&conf_board_section, &conf_pool_section,
						    &conf_server_section};

static struct conf *read_good(const char *path, struct arena *arena)
{
	struct conf_errors errors;
	struct conf *c;
	conf_errors_init(&errors, arena);
	c = conf_read(path, schema, ARRAY_LEN(schema), arena, &errors);
	if (c)
		conf_check_cluster(c, &errors);
	conf_errors_print(&errors, stderr);
	assert_int_equal(errors.n, 0);
	return c;
}

static bool is_board_3(const struct addr *a)
{
	char text[ADDR_TEXT_SIZE];
	return strcmp(addr_format_ip(a, text), "192.168.1.173") == 0;
}

static void test_greenpi(void **state UNUSED)
{
	const struct conf_pool *p;
	struct arena arena;
	struct conf *c;
	arena_init(&arena, NULL, 0, ARENA_UNLIMITED);
	c = read_good("conf/greenpi.conf", &arena);
	p = conf_find(c, "pool", STR("edges"));
	assert_non_null(p);
	assert_int_equal(p->cookie.mode, CONF_COOKIE_INSERT);
	assert_str_equal(p->cookie.name, "SERVERID");
	assert_true(p->cookie.indirect && p->cookie.nocache);
	assert_int_equal(p->check.kind, CONF_CHECK_HTTP);
	assert_int_equal(conf_count(c, "board"), 4);
	assert_str_equal(conf_own_board(c, is_board_3)->name, "GreenPi-3");
	assert_int_equal(conf_count(c, "server"), 4);
	for (size_t i = 0; i < 4; i++) {
		const struct conf_server *s = conf_at(c, "server", i);
		const struct conf_board *b = conf_at(c, "board", i);
		char id[16];
		snprintf(id, sizeof(id), "app1inst%zu", i + 1);
		assert_str_equal(s->cookie, id);
		assert_str_equal(s->pool, "edges");
		assert_true(addr_eq_ip(&s->address, &b->address));
		assert_int_equal(addr_port(&s->address), 6081);
	}
	arena_fini(&arena);
}

/* One board, found on every host; one server, on the same host. */
static void test_single(void **state UNUSED)
{
	const struct conf_server *s;
	struct arena arena;
	struct conf *c;
	arena_init(&arena, NULL, 0, ARENA_UNLIMITED);
	c = read_good("conf/single.conf", &arena);
	assert_ptr_equal(conf_own_board(c, addr_is_local), conf_at(c, "board", 0));
	assert_int_equal(conf_count(c, "server"), 1);
	s = conf_at(c, "server", 0);
	assert_true(addr_is_local(&s->address));
	assert_non_null(conf_find(c, "pool", s->pool));
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_greenpi),
		cmocka_unit_test(test_single),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
