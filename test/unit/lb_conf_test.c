// SPDX-License-Identifier: MIT
// TEST-OF: lb
/* From sections to listeners and pools, and what is refused, with its line. */
#include "unit.h"

#include <stdio.h>
#include <unistd.h>

#include "conf.h"

struct fixture {
	struct daemon_generation gen;
	struct conf_errors errors;
	const struct lb_config *made;
};

static struct fixture f;

static void read_text(const char *text)
{
	memset(&f, 0, sizeof(f));
	arena_init(&f.gen.arena, NULL, 0, ARENA_UNLIMITED);
	conf_errors_init(&f.errors, &f.gen.arena);
	f.gen.conf = conf_read_text("f", str_c(text), conf_lb_schema, conf_lb_schema_n,
				    &f.gen.arena, &f.errors);
	conf_build(&f.gen, &f.errors);
	f.made = conf_of(&f.gen);
}

static void done(void)
{
	arena_fini(&f.gen.arena);
}

static void must_be_good(const char *text)
{
	read_text(text);
	if (f.errors.n) {
		conf_errors_print(&f.errors, stderr);
		fail();
	}
}

static void must_say(const char *text, const char *const *lines, size_t n)
{
	char said[4096] = "";
	read_text(text);
	FILE *to = fmemopen(said, sizeof(said), "w");
	assert_non_null(to);
	conf_errors_print(&f.errors, to);
	fclose(to);
	for (size_t i = 0; i < n; i++)
		if (!strstr(said, lines[i])) {
			print_error("\"%s\" is not in:\n%s", lines[i], said);
			fail();
		}
	if (f.errors.n != n) {
		print_error("%zu errors, not %zu:\n%s", (size_t)f.errors.n, n, said);
		fail();
	}
	done();
}

#define MUST_SAY(text, ...)                                                                        \
	do {                                                                                       \
		static const char *const lines_[] = {__VA_ARGS__};                                 \
		must_say(text, lines_, ARRAY_LEN(lines_));                                         \
	} while (0)

#define FRONTEND "[frontend web]\nbind = 127.0.0.1:80\npool = p\n"
#define POOL	 "[pool p]\ncheck = none\n"
#define SERVER	 "[server s1]\npool = p\naddress = 10.0.0.1:80\n"

static void sections_become_listeners_and_pools(void **state UNUSED)
{
	char text[ADDR_TEXT_SIZE];
	must_be_good("[frontend web]\nbind = 127.0.0.1:80 [::1]:80\npool = b\n"
		     "[frontend api]\nbind = *:8080\npool = a\n"
		     "[stats]\nbind = :81\nauth = admin:secret\n"
		     "[pool a]\n[pool b]\ncookie = SERVERID insert indirect nocache\n"
		     "[server s1]\npool = a\naddress = 10.0.0.1:80\n"
		     "[server s2]\npool = b\naddress = 10.0.0.2:80\ncookie = two\nweight = 3\n"
		     "[server s3]\npool = a\naddress = 10.0.0.3:80\n");
	const struct lb_config *c = f.made;
	assert_int_equal(c->n_binds, 4);
	assert_string_equal(addr_format(&c->binds[0].addr, text), "127.0.0.1:80");
	assert_string_equal(addr_format(&c->binds[1].addr, text), "[::1]:80");
	assert_str_equal(c->binds[1].frontend, "web");
	assert_str_equal(c->binds[1].pool->conf->name, "b");
	assert_str_equal(c->binds[2].frontend, "api");
	assert_str_equal(c->binds[2].pool->conf->name, "a");
	assert_str_equal(c->binds[3].frontend, "stats");
	assert_null(c->binds[3].pool);
	assert_non_null(c->stats);
	assert_int_equal(c->n_pools, 2);
	assert_int_equal(c->pools[0].n, 2);
	assert_str_equal(c->pools[0].conf_servers[0]->name, "s1");
	assert_str_equal(c->pools[0].conf_servers[1]->name, "s3");
	assert_int_equal(c->pools[1].n, 1);
	assert_int_equal(c->pools[1].conf_servers[0]->weight, 3);
	assert_str_equal(c->pools[1].conf_servers[0]->cookie, "two");
	assert_true(c->node.n > 0);
	assert_int_equal(c->settings->maxconn, 4096);
	done();
}

static void what_does_not_fit_together_is_refused_with_its_line(void **state UNUSED)
{
	MUST_SAY("[frontend web]\nbind = 127.0.0.1:80\npool = q\n" POOL SERVER,
		 "f:3: pool: there is no [pool q]");
	MUST_SAY(FRONTEND POOL, "f:3: pool: [pool p] has no [server]");
	MUST_SAY(POOL SERVER, "lbd would listen nowhere");
	MUST_SAY(FRONTEND POOL SERVER "[stats]\nbind = 127.0.0.1:80\n",
		 "f:10: bind: 127.0.0.1:80 is already listened on");
	MUST_SAY(FRONTEND POOL SERVER "[stats]\nbind = :81\nuri = stats\nauth = admin\n",
		 "f:11: uri: must begin with /", "f:12: auth: must be USER:PASSWORD");
	MUST_SAY(FRONTEND POOL SERVER "[stats]\nbind = :81\nauth = :x\n",
		 "f:11: auth: must be USER:PASSWORD");
	MUST_SAY(FRONTEND POOL SERVER "[lb]\ntrust = 10.0.0.0/8\ntrust = 10.0.0.0/33\n",
		 ": trust: \"10.0.0.0/33\": a prefix of 0..32 bits");
	MUST_SAY("[frontend web]\nbind = 1.2.3:80 :99999 :80\npool = p\n" POOL SERVER,
		 "f:2: bind: ", "99999");
	MUST_SAY(FRONTEND POOL SERVER "[server s2]\npool = r\naddress = 10.0.0.2:80\n", "f:10: ");
}

static void all_errors_are_told_at_once(void **state UNUSED)
{
	MUST_SAY("[frontend web]\nbind = 127.0.0.1:80\npool = q\n[lb]\nworkers = 65\nmaxcon = 5\n"
		 "[stats]\nbind = 127.0.0.1:80\nuri = x\n" POOL SERVER,
		 "f:3: pool", "f:5: workers", "f:6: maxcon", "f:8: bind", "f:9: uri");
}

static char big[1 << 20];

static void numbers_are_bounded(void **state UNUSED)
{
	size_t n = (size_t)sprintf(big, FRONTEND POOL);
	for (unsigned i = 0; i < LB_SERVERS_MAX; i++)
		n += (size_t)sprintf(big + n, "[server s%u]\npool = p\naddress = 10.0.0.%u:80\n", i,
				     i + 1);
	must_be_good(big);
	assert_int_equal(f.made->pools[0].n, LB_SERVERS_MAX);
	done();
	sprintf(big + n, "[server more]\npool = p\naddress = 10.0.1.1:80\n");
	MUST_SAY(big, "f:4: [pool p] has 65 servers, at most 64 are allowed");

	n = (size_t)sprintf(big, FRONTEND SERVER POOL);
	for (unsigned i = 1; i < LB_POOLS_MAX; i++)
		n += (size_t)sprintf(big + n, "[pool p%u]\n", i);
	must_be_good(big);
	assert_int_equal(f.made->n_pools, LB_POOLS_MAX);
	done();
	sprintf(big + n, "[pool more]\n");
	MUST_SAY(big, "more than 256 pools");

	n = (size_t)sprintf(big, POOL SERVER);
	for (unsigned i = 0; i < LB_BINDS_MAX; i++)
		n += (size_t)sprintf(big + n, "[frontend f%u]\nbind = :%u\npool = p\n", i,
				     8000 + i);
	must_be_good(big);
	assert_int_equal(f.made->n_binds, LB_BINDS_MAX);
	done();
	sprintf(big + n, "[frontend more]\nbind = :9000\npool = p\n");
	MUST_SAY(big, "f:199: bind: lbd listens on at most 64 addresses");
}

static void what_is_not_said_is_as_the_manual_says(void **state UNUSED)
{
	must_be_good(FRONTEND POOL SERVER);
	const struct lb_settings *s = f.made->settings;
	assert_int_equal(s->workers, 0);
	assert_int_equal(s->maxconn, 4096);
	assert_int_equal(s->request_ms, 10000);
	assert_int_equal(s->keepalive_ms, 15000);
	assert_int_equal(s->client_ms, 50000);
	assert_int_equal(s->server_idle_ms, 4000);
	assert_true(s->access_log && s->forwarded_for);
	assert_int_equal(s->trust.n, 0);
	assert_null(f.made->stats);
	done();
	must_be_good(FRONTEND POOL SERVER "[stats]\nbind = :81\n");
	assert_str_equal(f.made->stats->uri, "/haproxy?stats");
	assert_int_equal(f.made->stats->auth.n, 0);
	assert_int_equal(f.made->stats->refresh_ms, 0);
	done();
}

static void every_key_goes_to_its_own_place(void **state UNUSED)
{
	must_be_good(
		FRONTEND POOL SERVER
		"[lb]\nworkers = 2\nmaxconn = 3\nrequest-timeout = 4s\nkeep-alive-timeout = 5s\n"
		"client-timeout = 6s\nserver-idle = 7s\naccess-log = no\nforwarded-for = yes\n"
		"[stats]\nbind = :81 :82\nuri = /s\nauth = u:p:q\nrefresh = 8s\n");
	const struct lb_settings *s = f.made->settings;
	assert_int_equal(s->workers, 2);
	assert_int_equal(s->maxconn, 3);
	assert_int_equal(s->request_ms, 4000);
	assert_int_equal(s->keepalive_ms, 5000);
	assert_int_equal(s->client_ms, 6000);
	assert_int_equal(s->server_idle_ms, 7000);
	assert_false(s->access_log);
	assert_true(s->forwarded_for);
	assert_int_equal(f.made->n_binds, 3);
	assert_str_equal(f.made->stats->uri, "/s");
	assert_str_equal(f.made->stats->auth, "u:p:q"); /* the password may hold colons */
	assert_int_equal(f.made->stats->refresh_ms, 8000);
	done();
	must_be_good(FRONTEND POOL SERVER
		     "[lb]\naccess-log = yes\nforwarded-for = no\ntrust = 10.0.0.0/8, ::1\n"
		     "trust = 192.168.1.5\n");
	assert_int_equal(f.made->settings->trust.n, 3);
	assert_int_equal(f.made->binds[0].proxies->n, 0);
	assert_true(f.made->settings->access_log);
	assert_false(f.made->settings->forwarded_for);
	done();
}

static void each_bind_has_the_proxies_of_its_section(void **state UNUSED)
{
	must_be_good("[frontend a]\nbind = :80 :82\npool = p\nproxy-protocol = 10.0.0.0/8 ::1\n"
		     "proxy-protocol = 192.0.2.1\n"
		     "[frontend b]\nbind = :83\npool = p\nproxy-protocol = none\n"
		     "[stats]\nbind = :81\nproxy-protocol = 10.0.0.1\n" POOL SERVER);
	static const unsigned want[] = {3, 3, 0, 1};
	assert_int_equal(f.made->n_binds, ARRAY_LEN(want));
	for (unsigned i = 0; i < ARRAY_LEN(want); i++)
		assert_int_equal(f.made->binds[i].proxies->n, want[i]);
	done();
}

static void a_pool_says_how_its_cookie_works(void **state UNUSED)
{
	must_be_good(FRONTEND POOL SERVER "[pool i]\ncookie = A insert indirect nocache\n"
					  "[pool j]\ncookie = B insert\n"
					  "[pool r]\ncookie = C rewrite\n");
	const struct lb_pool *p = f.made->pools;
	assert_int_equal(p[0].conf->cookie.mode, CONF_COOKIE_NONE);
	assert_int_equal(p[1].conf->cookie.mode, CONF_COOKIE_INSERT);
	assert_str_equal(p[1].conf->cookie.name, "A");
	assert_true(p[1].conf->cookie.indirect && p[1].conf->cookie.nocache);
	assert_int_equal(p[2].conf->cookie.mode, CONF_COOKIE_INSERT);
	assert_false(p[2].conf->cookie.indirect || p[2].conf->cookie.nocache);
	assert_int_equal(p[3].conf->cookie.mode, CONF_COOKIE_REWRITE);
	assert_str_equal(p[3].conf->cookie.name, "C");
	done();
}

/* 192.0.2.0/24 is for examples: no host has it. */
static void the_node_is_the_board_with_an_address_of_this_host_or_the_host(void **state UNUSED)
{
	char host[256] = "";
	must_be_good(
		"[board far]\naddress = 192.0.2.1\n[board here]\naddress = 127.0.0.1\n" FRONTEND
			POOL SERVER);
	assert_str_equal(f.made->node, "here");
	done();
	assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
	must_be_good("[board far]\naddress = 192.0.2.1\n" FRONTEND POOL SERVER);
	assert_str_equal(f.made->node, host);
	done();
}

static void one_mistake_is_told_once(void **state UNUSED)
{
	MUST_SAY("[frontend web]\nbind = :80\n" POOL SERVER,
		 "f:1: pool: missing in [frontend web]");
	MUST_SAY("[frontend web]\nbind = 1.2.3:80\npool = p\n" POOL SERVER, "f:2: bind: ");
	MUST_SAY("[frontend web]\nbind = :80\npool = q\n[pool p]\n" SERVER,
		 "f:3: pool: there is no [pool q]");
}

static void the_same_port_of_other_addresses_is_free_and_of_the_same_one_is_not(void **state UNUSED)
{
	must_be_good("[frontend web]\nbind = 10.0.0.1:80 10.0.0.2:80 10.0.0.1:81\npool = p\n" POOL
			     SERVER);
	assert_int_equal(f.made->n_binds, 3);
	done();
	MUST_SAY("[frontend web]\nbind = :80 *:80\npool = p\n" POOL SERVER,
		 "f:2: bind: *:80 is already listened on");
	MUST_SAY(FRONTEND "[frontend two]\nbind = 127.0.0.1:80\npool = p\n" POOL SERVER,
		 "f:5: bind: 127.0.0.1:80 is already listened on");
}

static void two_servers_of_a_pool_are_not_at_one_address(void **state UNUSED)
{
	MUST_SAY(FRONTEND POOL SERVER "[server s2]\npool = p\naddress = 10.0.0.1:80\n",
		 "f:11: address: [server s1] of the pool has it already");
	must_be_good(FRONTEND POOL SERVER
		     "[pool q]\n[server s2]\npool = q\naddress = 10.0.0.1:80\n");
	assert_int_equal(f.made->pools[0].n, 1);
	assert_int_equal(f.made->pools[1].n, 1);
	done();
}

static void limits_are_told_where_they_are_passed(void **state UNUSED)
{
	size_t n = (size_t)sprintf(big, FRONTEND POOL SERVER "[pool large]\n");
	for (unsigned i = 0; i <= LB_SERVERS_MAX; i++)
		n += (size_t)sprintf(
			big + n, "[server l%u]\npool = large\naddress = 10.0.1.%u:80\n", i, i + 1);
	MUST_SAY(big, "f:9: [pool large] has 65 servers, at most 64 are allowed");

	n = (size_t)sprintf(big, FRONTEND SERVER POOL);
	for (unsigned i = 1; i <= LB_POOLS_MAX; i++) /* [pool p] is in line 7, p1 in line 9 */
		n += (size_t)sprintf(big + n, "[pool p%u]\n", i);
	MUST_SAY(big, "f:264: more than 256 pools");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections_become_listeners_and_pools),
		cmocka_unit_test(what_does_not_fit_together_is_refused_with_its_line),
		cmocka_unit_test(all_errors_are_told_at_once),
		cmocka_unit_test(numbers_are_bounded),
		cmocka_unit_test(what_is_not_said_is_as_the_manual_says),
		cmocka_unit_test(every_key_goes_to_its_own_place),
		cmocka_unit_test(each_bind_has_the_proxies_of_its_section),
		cmocka_unit_test(a_pool_says_how_its_cookie_works),
		cmocka_unit_test(the_node_is_the_board_with_an_address_of_this_host_or_the_host),
		cmocka_unit_test(one_mistake_is_told_once),
		cmocka_unit_test(
			the_same_port_of_other_addresses_is_free_and_of_the_same_one_is_not),
		cmocka_unit_test(two_servers_of_a_pool_are_not_at_one_address),
		cmocka_unit_test(limits_are_told_where_they_are_passed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
