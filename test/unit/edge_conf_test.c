// SPDX-License-Identifier: MIT
// TEST-OF: edge
/* What edged makes of its sections, and what is refused, with its line. */
#include "unit.h"

#include <stdio.h>

#include "conf.h"

static struct daemon_generation gen;
static struct conf_errors errors;

static const struct edge_config *read_text(const char *text)
{
	memset(&gen, 0, sizeof(gen));
	arena_init(&gen.arena, NULL, 0, ARENA_UNLIMITED);
	conf_errors_init(&errors, &gen.arena);
	gen.conf = conf_read_text("f", str_c(text), conf_edge_schema, conf_edge_schema_n,
				  &gen.arena, &errors);
	conf_build(&gen, &errors);
	return conf_of(&gen);
}

static void done(void)
{
	arena_fini(&gen.arena);
}

/* One error, that says this. */
static void must_say(const char *text, const char *error)
{
	char said[2048] = "";
	read_text(text);
	FILE *to = fmemopen(said, sizeof(said), "w");
	assert_non_null(to);
	conf_errors_print(&errors, to);
	fclose(to);
	if (errors.n != 1 || !strstr(said, error)) {
		print_error("wanted \"%s\", got:\n%s", error, said);
		fail();
	}
	done();
}

static void nothing_needs_to_be_said(void **state UNUSED)
{
	char text[ADDR_TEXT_SIZE];
	const struct edge_config *c = read_text("");
	assert_int_equal(errors.n, 0);
	assert_int_equal(c->n_listen, 1);
	assert_int_equal(addr_port(&c->listen[0]), 6081);
	assert_true(addr_is_any(&c->listen[0]));
	assert_string_equal(addr_format(&c->settings->origin, text), "127.0.0.1:6080");
	assert_int_equal(c->settings->memory, 128 << 20);
	assert_int_equal(c->policy.default_ttl_s, 120);
	assert_int_equal(c->policy.grace_s, 10);
	assert_int_equal(c->policy.keep_s, 86400);
	assert_int_equal(c->n_purge_from, 2);
	assert_string_equal(addr_format_ip(&c->purge_from[0], text), "127.0.0.1");
	done();
}

static void times_and_addresses_are_taken_over(void **state UNUSED)
{
	char text[ADDR_TEXT_SIZE];
	const struct edge_config *c = read_text(
		"[board b1]\naddress = 10.0.0.1\n[board b2]\naddress = 10.0.0.2\n"
		"[edge]\nlisten = 127.0.0.1:1 [::1]:2\ndefault-ttl = 10m\n"
		"grace = 0\nkeep = 1h\npurge-from = 10.9.9.9\n");
	assert_int_equal(errors.n, 0);
	assert_int_equal(c->n_listen, 2);
	assert_string_equal(addr_format(&c->listen[1], text), "[::1]:2");
	assert_int_equal(c->policy.default_ttl_s, 600);
	assert_int_equal(c->policy.grace_s, 0);
	assert_int_equal(c->policy.keep_s, 3600);
	assert_int_equal(c->n_purge_from, 3); /* the boards, and the listed one */
	assert_string_equal(addr_format_ip(&c->purge_from[1], text), "10.0.0.2");
	assert_string_equal(addr_format_ip(&c->purge_from[2], text), "10.9.9.9");
	done();
}

static bool trusts(const struct edge_config *c, const char *ip)
{
	struct addr a;
	assert_int_equal(addr_parse_ip(&a, str_c(ip), NULL), 0);
	return nets_contain(&c->trust, &a);
}

static void the_own_cluster_is_trusted_unless_others_are_named(void **state UNUSED)
{
	static const char boards[] =
		"[board b1]\naddress = 10.0.0.1\n[board b2]\naddress = fd00::2\n";
	char text[256];
	const struct edge_config *c = read_text(boards);
	assert_int_equal(errors.n, 0);
	assert_true(trusts(c, "127.0.0.1") && trusts(c, "127.9.9.9") && trusts(c, "::1"));
	assert_true(trusts(c, "10.0.0.1") && trusts(c, "fd00::2"));
	assert_false(trusts(c, "10.0.0.2") || trusts(c, "192.168.1.1"));
	done();
	snprintf(text, sizeof(text), "%s[edge]\ntrust = 10.0.0.2\ntrust = 192.168.0.0/16\n",
		 boards);
	c = read_text(text);
	assert_int_equal(errors.n, 0);
	assert_true(trusts(c, "10.0.0.2") && trusts(c, "192.168.1.1"));
	assert_false(trusts(c, "127.0.0.1") || trusts(c, "::1") || trusts(c, "10.0.0.1"));
	done();
	snprintf(text, sizeof(text), "%s[edge]\ntrust = none\n", boards);
	c = read_text(text);
	assert_int_equal(errors.n, 0);
	assert_int_equal(c->trust.n, 0);
	done();
}

static void what_cannot_be_is_refused(void **state UNUSED)
{
	must_say("[edge]\nlisten = 127.0.0.1\n", "f:2: listen: ");
	must_say("[edge]\nlisten = :1 :2 :3 :4 :5 :6 :7 :8 :9 :10 :11 :12 :13 :14 :15 :16 :17\n",
		 "f:2: listen: more than 16 addresses");
	must_say("[edge]\npurge-from = 10.0.0.0/8\n", "f:2: purge-from: ");
	must_say("[edge]\ntrust = ::1\ntrust = 10.0.0.1/8\n",
		 "f:3: trust: \"10.0.0.1/8\" has address bits behind its prefix");
	must_say("[edge]\nmemory = 8M\nmax-object = 5M\n",
		 "f:3: max-object: must be at most half of memory");
	must_say("[edge]\nmemory = 8M\n", "max-object: must be at most half of memory");
	must_say("[edge]\nmemory = 8\n", "f:2: memory: ");
	must_say("[edge]\norigin = *:80\n", "f:2: origin: ");
	must_say("[edge]\norigin = 127.0.0.1:6081\n", "f:2: origin: is edged's own address");
	must_say("[edge]\nlisten = 10.0.0.1:81\norigin = 10.0.0.1:81\n",
		 "f:3: origin: is edged's own");
	must_say("[edge]\ngrase = 1s\n", "did you mean");
}

static void what_is_not_said_is_as_the_manual_says(void **state UNUSED)
{
	const struct edge_settings *s = read_text("")->settings;
	assert_int_equal(s->max_object, 8 << 20);
	assert_int_equal(s->workers, 0);
	assert_int_equal(s->maxconn, 4096);
	assert_int_equal(s->origin_maxconn, 256);
	assert_int_equal(s->uncacheable_ms, 120000);
	assert_int_equal(s->connect_ms, 3500);
	assert_int_equal(s->response_ms, 60000);
	assert_int_equal(s->origin_idle_ms, 4000);
	assert_int_equal(s->request_ms, 10000);
	assert_int_equal(s->keepalive_ms, 15000);
	assert_int_equal(s->client_ms, 50000);
	assert_str_equal(s->health_path, "/greenpi/health");
	assert_true(s->forwarded_for);
	assert_int_equal(s->bypass_cookies.n, 10);
	assert_str_equal(s->bypass_cookies.v[0], "wordpress_logged_in_");
	assert_str_equal(s->bypass_cookies.v[9], "PHPSESSID");
	done();
}

static void every_key_goes_to_its_own_place(void **state UNUSED)
{
	char text[ADDR_TEXT_SIZE];
	const struct edge_settings *s =
		read_text(
			"[edge]\norigin = [::1]:8080\nmemory = 64M\nmax-object = 1M\nworkers = 2\n"
			"maxconn = 3\norigin-maxconn = 4\ndefault-ttl = 5s\ngrace = 6s\nkeep = 7s\n"
			"uncacheable = 8s\nconnect-timeout = 9s\norigin-timeout = 10s\n"
			"origin-idle = 11s\nrequest-timeout = 12s\nkeep-alive-timeout = 13s\n"
			"client-timeout = 14s\nbypass-cookies = a b\nhealth-path = /h\n"
			"forwarded-for = no\n")
			->settings;
	assert_int_equal(errors.n, 0);
	assert_string_equal(addr_format(&s->origin, text), "[::1]:8080");
	assert_int_equal(s->memory, 64 << 20);
	assert_int_equal(s->max_object, 1 << 20);
	assert_int_equal(s->workers, 2);
	assert_int_equal(s->maxconn, 3);
	assert_int_equal(s->origin_maxconn, 4);
	assert_int_equal(s->default_ttl_ms, 5000);
	assert_int_equal(s->grace_ms, 6000);
	assert_int_equal(s->keep_ms, 7000);
	assert_int_equal(s->uncacheable_ms, 8000);
	assert_int_equal(s->connect_ms, 9000);
	assert_int_equal(s->response_ms, 10000);
	assert_int_equal(s->origin_idle_ms, 11000);
	assert_int_equal(s->request_ms, 12000);
	assert_int_equal(s->keepalive_ms, 13000);
	assert_int_equal(s->client_ms, 14000);
	assert_int_equal(s->bypass_cookies.n, 2);
	assert_str_equal(s->bypass_cookies.v[1], "b");
	assert_str_equal(s->health_path, "/h");
	assert_false(s->forwarded_for);
	done();
}

static void limits_may_be_reached(void **state UNUSED)
{
	const struct edge_config *c = read_text(
		"[edge]\nlisten = :1 :2 :3 :4 :5 :6 :7 :8 :9 :10 :11 :12 :13 :14 :15 :16\n"
		"memory = 8M\nmax-object = 4M\n");
	assert_int_equal(errors.n, 0);
	assert_int_equal(c->n_listen, CONF_LISTEN_MAX);
	assert_int_equal(addr_port(&c->listen[CONF_LISTEN_MAX - 1]), 16);
	done();
	must_say("[edge]\nmemory = 8M\nmax-object = 4097K\n", "f:3: max-object: ");
	must_say("[edge]\nmax-object = 65M\n", "f:2: max-object: must be at most half of memory");
	must_say("[edge]\nmemory = 8M\n", "f:1: max-object: must be at most half of memory");
}

static void boards_are_checked_here_too(void **state UNUSED)
{
	must_say("[board a]\naddress = 10.0.0.1\n[board b]\naddress = 10.0.0.1\n",
		 "f:4: address: [board a] has it already");
}

static void all_errors_are_told_at_once_in_the_order_of_their_lines(void **state UNUSED)
{
	static const char *const lines[] = {
		"f:2: listen: ",     "f:3: purge-from: ", "f:3: purge-from: ",
		"f:4: max-object: ", "f:6: workers: ",	  "f:7: origin: ",
	};
	const struct conf_error *e;
	size_t i = 0;
	const struct edge_config *c = read_text(
		"[edge]\nlisten = 1:2:3 :7\npurge-from = a 10.0.0.1:80\nmax-object = 64M\n"
		"memory = 100M\nworkers = 65\norigin = :1\n");
	assert_int_equal(errors.n, ARRAY_LEN(lines));
	for (e = errors.first; e; e = e->next, i++)
		assert_ptr_equal(strstr(e->text, lines[i]), e->text);
	assert_int_equal(c->n_listen, 1); /* what was good is there */
	done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_needs_to_be_said),
		cmocka_unit_test(times_and_addresses_are_taken_over),
		cmocka_unit_test(the_own_cluster_is_trusted_unless_others_are_named),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(what_is_not_said_is_as_the_manual_says),
		cmocka_unit_test(every_key_goes_to_its_own_place),
		cmocka_unit_test(limits_may_be_reached),
		cmocka_unit_test(boards_are_checked_here_too),
		cmocka_unit_test(all_errors_are_told_at_once_in_the_order_of_their_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
