// SPDX-License-Identifier: MIT
/* The shared sections: compound values, what holds between sections, and whose board this is. */
#include "unit.h"

#include <stdio.h>

#include "conf/cluster.h"

static const struct conf_section *const schema[] = {&conf_board_section, &conf_pool_section,
						    &conf_server_section};

struct fixture {
	struct arena arena;
	struct conf_errors errors;
};

static int setup(void **state)
{
	struct fixture *f = def_xcalloc(1, sizeof(*f));
	arena_init(&f->arena, NULL, 0, ARENA_UNLIMITED);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	arena_fini(&f->arena);
	free(f);
	return 0;
}

static struct conf *read_n(struct fixture *f, const char *text, size_t n)
{
	struct conf *c;
	conf_errors_init(&f->errors, &f->arena);
	c = conf_read_text("f", str_c(text), schema, n, &f->arena, &f->errors);
	conf_check_cluster(c, &f->errors);
	return c;
}

static struct conf *read_all(struct fixture *f, const char *text)
{
	return read_n(f, text, ARRAY_LEN(schema));
}

static struct conf *read_good(struct fixture *f, const char *text)
{
	struct conf *c = read_all(f, text);
	conf_errors_print(&f->errors, stderr);
	assert_int_equal(f->errors.n, 0);
	return c;
}

static void assert_errors(const struct fixture *f, const char *want)
{
	AUTO_FREE char *got = NULL;
	size_t size;
	FILE *to = open_memstream(&got, &size);
	conf_errors_print(&f->errors, to);
	fclose(to);
	assert_string_equal(got, want);
}

/* A pool with one line more. */
static const struct conf_pool *read_pool(struct fixture *f, const char *line)
{
	char text[256];
	snprintf(text, sizeof(text), "[pool p]\n%s\n", line);
	return conf_at(read_all(f, text), "pool", 0);
}

static void test_pool_defaults(void **state)
{
	struct fixture *f = *state;
	const struct conf_pool *p = read_pool(f, "");
	assert_int_equal(f->errors.n, 0);
	assert_str_equal(p->name, "p");
	assert_int_equal(p->balance, CONF_BALANCE_ROUNDROBIN);
	assert_int_equal(p->cookie.mode, CONF_COOKIE_NONE);
	assert_int_equal(p->retries, 3);
	assert_int_equal(p->connect_ms, 1000);
	assert_int_equal(p->server_ms, 50000);
	assert_int_equal(p->send_proxy, 0);
	assert_int_equal(p->check.kind, CONF_CHECK_TCP);
	assert_int_equal(p->expect.lo, 200);
	assert_int_equal(p->expect.hi, 399);
	assert_int_equal(p->inter_ms, 2000);
	assert_int_equal(p->fastinter_ms, 250);
	assert_int_equal(p->downinter_ms, 2000);
	assert_int_equal(p->check_timeout_ms, 1000);
	assert_int_equal(p->rise, 2);
	assert_int_equal(p->fall, 3);
}

static void test_send_proxy(void **state)
{
	assert_int_equal(read_pool(*state, "send-proxy = no")->send_proxy, 0);
	assert_int_equal(read_pool(*state, "send-proxy = v1")->send_proxy, 1);
	assert_int_equal(read_pool(*state, "send-proxy = v2")->send_proxy, 2);
}

static void test_intervals_follow_inter(void **state)
{
	struct fixture *f = *state;
	const struct conf_pool *p = read_pool(f, "inter = 100ms");
	assert_int_equal(p->fastinter_ms, 100);
	assert_int_equal(p->downinter_ms, 100);
	p = read_pool(f, "inter = 1s\nfastinter = 500ms\ndowninter = 5s");
	assert_int_equal(p->fastinter_ms, 500);
	assert_int_equal(p->downinter_ms, 5000);
}

static void test_cookies(void **state)
{
	static const struct {
		const char *text;
		enum conf_cookie_mode mode;
		bool indirect, nocache;
	} cases[] = {
		{"SERVERID rewrite", CONF_COOKIE_REWRITE, false, false},
		{"SERVERID insert", CONF_COOKIE_INSERT, false, false},
		{"SERVERID insert indirect", CONF_COOKIE_INSERT, true, false},
		{"SERVERID nocache insert", CONF_COOKIE_INSERT, false, true},
		{"SERVERID insert indirect nocache", CONF_COOKIE_INSERT, true, true},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char line[64];
		const struct conf_pool *p;
		snprintf(line, sizeof(line), "cookie = %s", cases[i].text);
		p = read_pool(f, line);
		assert_int_equal(f->errors.n, 0);
		assert_str_equal(p->cookie.name, "SERVERID");
		assert_int_equal(p->cookie.mode, cases[i].mode);
		assert_int_equal(p->cookie.indirect, cases[i].indirect);
		assert_int_equal(p->cookie.nocache, cases[i].nocache);
	}
}

#define COOKIE_ALLOWED "allowed: NAME insert [indirect] [nocache] | NAME rewrite"

static void test_bad_pools(void **state)
{
	static const struct {
		const char *line, *error;
	} cases[] = {
		{"cookie = S;D insert",
		 "cookie: the cookie's name is not a token, " COOKIE_ALLOWED},
		{"cookie = S", "cookie: not supported, " COOKIE_ALLOWED},
		{"cookie = S indirect", "cookie: not supported, " COOKIE_ALLOWED},
		{"cookie = S prefix", "cookie: not supported, " COOKIE_ALLOWED},
		{"cookie = S insert postonly", "cookie: not supported, " COOKIE_ALLOWED},
		{"cookie = S insert preserve", "cookie: not supported, " COOKIE_ALLOWED},
		{"cookie = S insert httponly secure", "cookie: not supported, " COOKIE_ALLOWED},
		{"cookie = S rewrite nocache", "cookie: not supported, " COOKIE_ALLOWED},
		{"cookie = S rewrite insert",
		 "cookie: only one of rewrite, insert and prefix is possible"},
		{"cookie = S prefix insert",
		 "cookie: only one of rewrite, insert and prefix is possible"},
		{"cookie = S rewrite indirect", "cookie: indirect is not possible with rewrite"},
		{"cookie = S rewrite preserve",
		 "cookie: preserve is possible with insert or indirect only"},
		{"cookie = S insert insert", "cookie: \"insert\" is given twice"},
		{"cookie = S inser", "cookie: unknown word \"inser\", " COOKIE_ALLOWED},
		{"check = htp", "check: not a check, allowed: none | tcp | http METHOD PATH"},
		{"check = tcp 80", "check: not a check, allowed: none | tcp | http METHOD PATH"},
		{"check = http GET",
		 "check: http takes a method and a path, allowed: none | tcp | http METHOD PATH"},
		{"check = http GET / HTTP/1.1",
		 "check: http takes a method and a path, allowed: none | tcp | http METHOD PATH"},
		{"check = http get /",
		 "check: method \"get\" is not possible, allowed: GET, HEAD or OPTIONS"},
		{"check = http POST /",
		 "check: method \"POST\" is not possible, allowed: GET, HEAD or OPTIONS"},
		{"check = http GET health",
		 "check: the path must begin with / and hold visible ASCII without #"},
		{"check = http GET /\xc3\xa9",
		 "check: the path must begin with / and hold visible ASCII without #"},
		{"check = http GET /#top",
		 "check: the path must begin with / and hold visible ASCII without #"},
		{"expect = 2xx", "expect: not a range of statuses, such as 200-399 or 200"},
		{"expect = 399-200", "expect: not a range of statuses, such as 200-399 or 200"},
		{"expect = 99-200", "expect: not a range of statuses, such as 200-399 or 200"},
		{"expect = 200-600", "expect: not a range of statuses, such as 200-399 or 200"},
		{"expect = 200-", "expect: not a range of statuses, such as 200-399 or 200"},
		{"send-proxy = yes", "send-proxy: \"yes\" is unknown, allowed: no, v1 or v2"},
		{"balance = leastconn", "balance: \"leastconn\" is unknown, allowed: roundrobin"},
		{"retries = 11", "retries: 11 is outside 0..10"},
		{"inter = 5ms", "inter: 5ms is outside 10ms..1h"},
		{"connect-timeout = 0", "connect-timeout: 0 is outside 1ms..5m"},
		{"rise = 0", "rise: 0 is outside 1..1000"},
		{"connect_timeout = 1s",
		 "connect_timeout: unknown in [pool]; did you mean `connect-timeout`?"},
	};
	struct fixture *f = *state;
	char want[256];
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		read_pool(f, cases[i].line);
		snprintf(want, sizeof(want), "f:2: %s\n", cases[i].error);
		assert_errors(f, want);
	}
}

static void test_checks(void **state)
{
	struct fixture *f = *state;
	const struct conf_pool *p = read_pool(f, "check = http GET /a?b=c\nexpect = 204");
	assert_int_equal(f->errors.n, 0);
	assert_int_equal(p->check.kind, CONF_CHECK_HTTP);
	assert_str_equal(p->check.method, "GET");
	assert_str_equal(p->check.path, "/a?b=c");
	assert_int_equal(p->expect.lo, 204);
	assert_int_equal(p->expect.hi, 204);
	assert_int_equal(read_pool(f, "check = none")->check.kind, CONF_CHECK_NONE);
	assert_int_equal(read_pool(f, "check = tcp")->check.kind, CONF_CHECK_TCP);
	assert_int_equal(read_pool(f, "expect = 200 - 299")->expect.hi, 299);
}

static void test_servers(void **state)
{
	struct fixture *f = *state;
	struct conf *c = read_good(f, "[server a]\npool = p\naddress = 10.0.0.1:80\ncookie = x.1\n"
				      "weight = 0\n[pool p]\n[server b]\npool = p\n"
				      "address = [fe80::1]:80\n");
	const struct conf_server *a = conf_at(c, "server", 0), *b = conf_at(c, "server", 1);
	char text[ADDR_TEXT_SIZE];
	assert_str_equal(a->pool, "p");
	assert_str_equal(a->cookie, "x.1");
	assert_int_equal(a->weight, 0);
	assert_string_equal(addr_format(&a->address, text), "10.0.0.1:80");
	assert_int_equal(b->cookie.n, 0);
	assert_int_equal(b->weight, 1);
}

static void test_bad_servers(void **state)
{
	static const struct {
		const char *line, *error;
	} cases[] = {
		{"cookie = a b",
		 "cookie: not a cookie's value: visible ASCII without \" , ; \\ | ~"},
		{"cookie = a|b",
		 "cookie: not a cookie's value: visible ASCII without \" , ; \\ | ~"},
		{"cookie = \"a\"",
		 "cookie: not a cookie's value: visible ASCII without \" , ; \\ | ~"},
		{"weight = 257", "weight: 257 is outside 0..256"},
		{"backup = yes", "backup: unknown in [server]"},
	};
	struct fixture *f = *state;
	char text[256], want[256];
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(text, sizeof(text),
			 "[pool p]\n[server s]\npool = p\naddress = 1.1.1.1:1\n%s", cases[i].line);
		read_all(f, text);
		snprintf(want, sizeof(want), "f:5: %s\n", cases[i].error);
		assert_errors(f, want);
	}
	read_all(f, "[server s]\naddress = 1.2.3.4\n");
	assert_errors(f, "f:1: pool: missing in [server s], needed: POOL\n"
			 "f:2: address: a port is missing, as in 192.168.1.171:80 or [::1]:80\n");
}

static void test_between_sections(void **state)
{
	struct fixture *f = *state;
	read_all(f, "[board a]\naddress = 10.0.0.1\n[board b]\naddress = 10.0.0.1\n"
		    "[pool p]\n[pool q]\n"
		    "[server a]\npool = p\naddress = 10.0.0.1:80\n"
		    "[server b]\npool = q\naddress = 10.0.0.1:80\n"
		    "[server c]\npool = p\naddress = 10.0.0.1:80\n"
		    "[server d]\npool = r\naddress = 10.0.0.1:81\n");
	assert_errors(f, "f:4: address: [board a] has it already\n"
			 "f:15: address: [server a] of the pool has it already\n"
			 "f:17: pool: there is no [pool r]\n");
}

/* A daemon that reads only boards is not bothered with servers. */
static void test_part_of_the_schema(void **state)
{
	struct fixture *f = *state;
	read_n(f, "[server a]\npool = nowhere\naddress = x\n[board a]\naddress = 1.1.1.1\n", 1);
	assert_errors(f, "");
	read_n(f, "[board a]\naddress = 0.0.0.0\npriority = 255\n", 1);
	assert_errors(f, "f:2: address: \"0.0.0.0\" says any address, one host's is needed\n"
			 "f:3: priority: 255 is outside 1..254\n");
}

static bool ends_in_3(const struct addr *a)
{
	return (ntohl(a->in4.sin_addr.s_addr) & 0xff) == 3;
}

static bool is_nobody(const struct addr *a UNUSED)
{
	return false;
}

static void test_own_board(void **state)
{
	struct fixture *f = *state;
	struct conf *c = read_good(f,
				   "[board a]\naddress = 10.0.0.2\n[board b]\naddress = 10.0.0.3\n"
				   "priority = 104\n[board c]\naddress = 10.0.1.3\n");
	const struct conf_board *b = conf_own_board(c, ends_in_3);
	assert_non_null(b);
	assert_str_equal(b->name, "b");
	assert_int_equal(b->priority, 104);
	assert_null(conf_own_board(c, is_nobody));
	assert_int_equal(((struct conf_board *)conf_at(c, "board", 0))->priority, 0);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_pool_defaults),
		TEST(test_send_proxy),
		TEST(test_intervals_follow_inter),
		TEST(test_cookies),
		TEST(test_bad_pools),
		TEST(test_checks),
		TEST(test_servers),
		TEST(test_bad_servers),
		TEST(test_between_sections),
		TEST(test_part_of_the_schema),
		TEST(test_own_board),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
