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

static void nothing_needs_to_be_said(void **state)
{
	char text[ADDR_TEXT_SIZE];
	(void)state;
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

static void times_and_addresses_are_taken_over(void **state)
{
	char text[ADDR_TEXT_SIZE];
	(void)state;
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
	assert_int_equal(c->n_purge_from, 3); /* the boards, and who is named */
	assert_string_equal(addr_format_ip(&c->purge_from[1], text), "10.0.0.2");
	assert_string_equal(addr_format_ip(&c->purge_from[2], text), "10.9.9.9");
	done();
}

static void what_cannot_be_is_refused(void **state)
{
	(void)state;
	must_say("[edge]\nlisten = 127.0.0.1\n", "f:2: listen: ");
	must_say("[edge]\nlisten = :1 :2 :3 :4 :5 :6 :7 :8 :9 :10 :11 :12 :13 :14 :15 :16 :17\n",
		 "f:2: listen: more than 16 addresses");
	must_say("[edge]\npurge-from = 10.0.0.0/8\n", "f:2: purge-from: ");
	must_say("[edge]\nmemory = 8M\nmax-object = 5M\n",
		 "f:3: max-object: must be at most half of memory");
	must_say("[edge]\nmemory = 8M\n", "max-object: must be at most half of memory");
	must_say("[edge]\nmemory = 8\n", "f:2: memory: ");
	must_say("[edge]\norigin = *:80\n", "f:2: origin: ");
	must_say("[edge]\ngrase = 1s\n", "did you mean");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_needs_to_be_said),
		cmocka_unit_test(times_and_addresses_are_taken_over),
		cmocka_unit_test(what_cannot_be_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
