// SPDX-License-Identifier: MIT
// TEST-OF: lb
/* Which servers get work: by the operator, by healthd, and by what lbd met itself; and what outlasts a reload. */
#include "unit.h"

#include <stdio.h>

#include "base/clock.h"
#include "http/parse.h"
#include "server.h"

struct generation {
	struct daemon_generation gen;
	struct lb_config *c;
};

static struct pools *pools;
static struct generation g;

static struct generation generation(const char *text)
{
	struct generation made = {0};
	struct daemon_generation *d = &made.gen;
	struct conf_errors errors;
	struct err e;
	arena_init(&d->arena, NULL, 0, ARENA_UNLIMITED);
	conf_errors_init(&errors, &d->arena);
	d->conf = conf_read_text("f", str_c(text), conf_lb_schema, conf_lb_schema_n, &d->arena,
				 &errors);
	conf_build(d, &errors);
	if (errors.n) {
		conf_errors_print(&errors, stderr);
		fail();
	}
	made.c = d->config;
	assert_true(server_attach(pools, made.c, &e));
	server_check(pools, NULL, NULL);
	server_apply_weights(made.c);
	server_check(pools, NULL, NULL);
	return made;
}

#define HEADER "[frontend w]\nbind = :80\npool = p\n[pool p]\ncookie = C insert\n"
#define THREE                                                                                      \
	HEADER "[server a]\npool = p\naddress = 10.0.0.1:80\ncookie = ca\n"                        \
	       "[server b]\npool = p\naddress = 10.0.0.2:80\ncookie = cb\n"                        \
	       "[server c]\npool = p\naddress = 10.0.0.3:80\ncookie = cc\n"

static int three(void **state UNUSED)
{
	pools = server_pools_new();
	g = generation(THREE);
	return 0;
}

static int gone(void **state UNUSED)
{
	server_check(pools, NULL, NULL);
	arena_fini(&g.gen.arena);
	server_pools_free(pools);
	return 0;
}

static struct server *named(const char *name)
{
	struct server *s = server_find(g.c, STR("p"), str_c(name));
	assert_non_null(s);
	return s;
}

/* The next n picks, as letters. */
static const char *picks(unsigned n, uint64_t avoid, int64_t now_us)
{
	static char letters[64];
	for (unsigned i = 0; i < n; i++) {
		int at = server_pick(&g.c->pools[0], avoid, now_us);
		letters[i] = at < 0 ? '-' : g.c->pools[0].servers[at]->name[0];
	}
	letters[n] = '\0';
	return letters;
}

static struct sticky_match match(const char *cookie, int64_t now_us)
{
	static struct http_head h;
	static char text[128];
	struct http_limits limits = HTTP_LIMITS_DEFAULT;
	struct http_bad bad;
	size_t scanned = 0;
	int n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\nCookie: C=%s\r\n\r\n",
			 cookie);
	assert_int_equal(http_parse_request(&h, str_of(text, (size_t)n), &scanned, &limits, &bad),
			 HTTP_PARSE_DONE);
	return server_sticky(&g.c->pools[0], &h, now_us);
}

static void all_take_turns(void **state UNUSED)
{
	assert_string_equal(picks(6, 0, 1), "abcabc");
	assert_string_equal(picks(4, 1u << 1, 1), "acac");
	assert_int_equal(strspn(picks(2, 7, 1), "abc"), 2); /* rather one that failed than none */
}

static void a_server_that_is_down_gets_nothing(void **state UNUSED)
{
	atomic_store(&named("b")->health, HEALTH_DOWN);
	assert_string_equal(server_status(named("b"), 1), "DOWN");
	assert_false(server_up(named("b")));
	assert_string_equal(picks(4, 0, 1), "acac");
	assert_int_equal(match("cb", 1).server, -1);
	assert_int_equal(match("cb", 1).flag, 'D');
	atomic_store(&named("a")->health, HEALTH_DOWN);
	atomic_store(&named("c")->health, HEALTH_DOWN);
	assert_string_equal(picks(1, 0, 1), "-");
	atomic_store(&named("b")->health, HEALTH_UP);
	assert_string_equal(picks(2, 0, 1), "bb");
	assert_int_equal(match("cb", 1).server, 1);
}

static void the_operator_drains_and_disables(void **state UNUSED)
{
	atomic_store(&named("a")->admin, SERVER_DRAIN);
	assert_string_equal(server_status(named("a"), 1), "DRAIN");
	assert_string_equal(picks(4, 0, 1), "bcbc");
	assert_int_equal(match("ca", 1).server, 0); /* its own client stays */
	atomic_store(&named("a")->admin, SERVER_MAINT);
	assert_string_equal(server_status(named("a"), 1), "MAINT");
	assert_int_equal(match("ca", 1).server, -1);
	assert_string_equal(picks(4, 0, 1), "bcbc");
	atomic_store(&named("a")->admin, SERVER_READY);
	assert_string_equal(server_status(named("a"), 1), "UP");
}

static void two_failed_connections_put_a_server_aside_for_longer_each_time(void **state UNUSED)
{
	static const int64_t lengths_s[] = {10, 20, 40, 80, 160, 300, 300};
	struct server *a = named("a");
	int64_t now = 1000 * CLOCK_SECOND;
	assert_false(server_failed(a, now));
	server_connected(a); /* in between: they must be in a row */
	assert_false(server_failed(a, now));
	for (size_t i = 0; i < ARRAY_LEN(lengths_s); i++) {
		assert_true(server_failed(a, now));
		assert_false(server_failed(a, now)); /* it is aside already */
		assert_string_equal(server_status(a, now), "EJECTED");
		assert_int_equal(strspn(picks(4, 0, now), "bc"), 4);
		assert_int_equal(match("ca", now).server, -1);
		now += lengths_s[i] * CLOCK_SECOND;
		assert_true(server_ejected(a, now - 1));
		assert_false(server_ejected(a, now));
		assert_non_null(strchr(picks(3, 0, now), 'a')); /* it gets another chance */
	}
	server_connected(a); /* it answered: all is forgotten */
	assert_false(server_failed(a, now));
	assert_true(server_failed(a, now));
	assert_false(server_ejected(a, now + 10 * CLOCK_SECOND));
}

static void the_last_one_standing_is_asked_although_it_failed(void **state UNUSED)
{
	int64_t now = 1000 * CLOCK_SECOND;
	for (const char *name = "abc"; *name; name++) {
		struct server *s = named((char[]){*name, '\0'});
		server_failed(s, now);
		assert_true(server_failed(s, now));
	}
	assert_int_equal(strspn(picks(3, 0, now), "abc"), 3);
	atomic_store(&named("a")->health, HEALTH_DOWN);
	assert_null(strchr(picks(6, 0, now), 'a'));
}

static void a_weight_of_nothing_is_for_cookies_only(void **state UNUSED)
{
	struct generation next = generation(
		HEADER "[server a]\npool = p\naddress = 10.0.0.1:80\nweight = 0\ncookie = ca\n"
		       "[server b]\npool = p\naddress = 10.0.0.2:80\nweight = 2\n"
		       "[server c]\npool = p\naddress = 10.0.0.3:80\n");
	arena_fini(&g.gen.arena);
	g = next;
	const char *six = picks(6, 0, 1);
	assert_null(strchr(six, 'a'));
	unsigned b = 0;
	for (; *six; six++)
		b += *six == 'b';
	assert_int_equal(b, 4);
	assert_int_equal(match("ca", 1).server, 0);
}

static void a_server_outlasts_a_reload_by_name_and_address(void **state UNUSED)
{
	struct server *a = named("a"), *b = named("b");
	atomic_store(&a->admin, SERVER_MAINT);
	atomic_store(&a->current, 5);
	struct generation next = generation(HEADER "[server b]\npool = p\naddress = 10.0.0.9:80\n"
						   "[server a]\npool = p\naddress = 10.0.0.1:80\n");
	arena_fini(&g.gen.arena);
	g = next;
	assert_ptr_equal(named("a"), a);
	assert_string_equal(server_status(a, 1), "MAINT");
	assert_int_equal(atomic_load(&a->current), 5);
	atomic_store(&a->current, 0);
	assert_ptr_not_equal(named("b"), b); /* another address: another server */
	assert_null(server_find(g.c, STR("p"), STR("c")));
	assert_null(server_find(g.c, STR("q"), STR("a")));
	next = generation(THREE); /* and back */
	arena_fini(&g.gen.arena);
	g = next;
	assert_ptr_equal(named("a"), a);
	assert_ptr_equal(named("b"), b);
}

static void a_refused_generation_changes_nothing(void **state UNUSED)
{
	struct generation next = {0};
	struct err e = {""};
	for (unsigned i = 0; i < LB_POOLS_MAX; i++) {
		char text[256];
		struct conf_errors errors;
		struct daemon_generation *d = &next.gen;
		snprintf(text, sizeof(text),
			 HEADER
			 "[server a]\npool = p\naddress = 10.0.0.1:80\nweight = 9\n[pool p%u]\n",
			 i);
		arena_init(&d->arena, NULL, 0, ARENA_UNLIMITED);
		conf_errors_init(&errors, &d->arena);
		d->conf = conf_read_text("f", str_c(text), conf_lb_schema, conf_lb_schema_n,
					 &d->arena, &errors);
		conf_build(d, &errors);
		assert_int_equal(errors.n, 0);
		bool last = i == LB_POOLS_MAX - 1; /* the 257th name */
		assert_int_equal(server_attach(pools, d->config, &e), !last);
		arena_fini(&d->arena);
	}
	assert_non_null(strstr(e.text, "restart lbd"));
	assert_string_equal(picks(6, 0, 1), "abcabc"); /* no weight of 9 */
}

static void replace(const char *text)
{
	struct generation next = generation(text);
	arena_fini(&g.gen.arena);
	g = next;
}

static void eject(const char *name, int64_t now_us)
{
	server_failed(named(name), now_us);
	assert_true(server_failed(named(name), now_us));
}

static void a_server_not_checked_yet_is_used(void **state UNUSED)
{
	assert_int_equal(atomic_load(&named("a")->health), HEALTH_UNKNOWN);
	assert_true(server_up(named("a")));
	assert_string_equal(server_status(named("a"), 1), "UP");
}

static void the_operator_has_the_last_word_and_checks_come_before_failures(void **state UNUSED)
{
	int64_t now = 1000 * CLOCK_SECOND;
	struct server *a = named("a");
	eject("a", now);
	assert_true(server_up(a)); /* being aside is not being down */
	atomic_store(&a->health, HEALTH_DOWN);
	assert_string_equal(server_status(a, now), "DOWN");
	atomic_store(&a->admin, SERVER_DRAIN);
	assert_string_equal(server_status(a, now), "DRAIN");
	assert_false(server_up(a));
	atomic_store(&a->admin, SERVER_MAINT);
	assert_string_equal(server_status(a, now), "MAINT");
	atomic_store(&a->health, HEALTH_UP);
	assert_false(server_up(a));
}

static void a_connection_that_is_made_brings_a_server_back_at_once(void **state UNUSED)
{
	int64_t now = 1000 * CLOCK_SECOND;
	eject("a", now);
	server_connected(named("a"));
	assert_false(server_ejected(named("a"), now));
	assert_string_equal(server_status(named("a"), now), "UP");
	assert_non_null(strchr(picks(3, 0, now), 'a'));
}

static void an_ejected_server_comes_before_one_this_request_has_met(void **state UNUSED)
{
	int64_t now = 1000 * CLOCK_SECOND;
	eject("b", now);
	eject("c", now);
	assert_int_equal(strspn(picks(8, 1u << 0, now), "bc"), 8);
	assert_string_equal(picks(3, 0, now), "aaa");
}

static void a_weight_of_nothing_does_not_stand_for_the_last_one(void **state UNUSED)
{
	int64_t now = 1000 * CLOCK_SECOND;
	replace(HEADER "[server a]\npool = p\naddress = 10.0.0.1:80\nweight = 0\n"
		       "[server b]\npool = p\naddress = 10.0.0.2:80\n");
	eject("b", now);
	assert_string_equal(picks(2, 0, now), "bb");
	atomic_store(&named("b")->health, HEALTH_DOWN);
	assert_string_equal(picks(1, 0, now), "-");
}

static void another_name_at_the_same_address_is_another_server(void **state UNUSED)
{
	struct server *a = named("a");
	atomic_store(&a->current, 5);
	replace(HEADER "[server z]\npool = p\naddress = 10.0.0.1:80\n");
	assert_ptr_not_equal(named("z"), a);
	assert_string_equal(named("z")->name, "z");
	assert_int_equal(atomic_load(&named("z")->current), 0);
	atomic_store(&a->current, 0);
}

static void a_new_server_has_its_name_and_time(void **state UNUSED)
{
	int64_t before = clock_wall_s();
	char text[ADDR_TEXT_SIZE];
	replace("[frontend w]\nbind = :80\npool = q\n[pool q]\n"
		"[server n]\npool = q\naddress = 10.0.0.7:70\n");
	const struct server *n = server_find(g.c, STR("q"), STR("n"));
	assert_non_null(n);
	assert_string_equal(n->name, "n");
	assert_string_equal(n->pool_name, "q");
	assert_string_equal(addr_format(&n->addr, text), "10.0.0.7:70");
	assert_in_range(atomic_load(&n->changed_s), before, clock_wall_s());
	assert_int_equal(atomic_load(&n->admin), SERVER_READY);
}

#define TWO_POOLS                                                                                  \
	HEADER "[pool q]\n[server a]\npool = p\naddress = 10.0.0.1:80\n"                           \
	       "[server d]\npool = q\naddress = 10.0.0.4:80\nweight = 3\n"                         \
	       "[server b]\npool = p\naddress = 10.0.0.2:80\n"                                     \
	       "[server e]\npool = q\naddress = 10.0.0.5:80\n"

static void pools_are_numbered_as_they_appear_and_keep_their_number(void **state UNUSED)
{
	const struct pool *p = g.c->pools[0].live;
	assert_int_equal(p->id, 0);
	replace("[frontend w]\nbind = :80\npool = o\n[pool o]\n"
		"[server x]\npool = o\naddress = 10.0.0.8:80\n");
	assert_int_equal(g.c->pools[0].live->id, 1);
	replace(TWO_POOLS);
	assert_ptr_equal(g.c->pools[0].live, p);
	assert_int_equal(g.c->pools[0].live->id, 0);
	assert_int_equal(g.c->pools[1].live->id, 2);
}

static void each_pool_has_its_own_turns(void **state UNUSED)
{
	unsigned d = 0;
	replace(TWO_POOLS);
	const struct lb_pool *q = &g.c->pools[1];
	for (int i = 0; i < 8; i++) {
		const char *name = q->servers[server_pick(q, 0, 1)]->name;
		d += name[0] == 'd';
		assert_int_equal(picks(1, 0, 1)[0], i % 2 ? 'b' : 'a');
	}
	assert_int_equal(d, 6);
	assert_null(server_find(g.c, STR("p"), STR("d")));
	assert_non_null(server_find(g.c, STR("q"), STR("d")));
}

static void note_name(struct server *s, void *arg)
{
	char *names = arg;
	names[strlen(names)] = s->name[0];
}

static void each_server_is_visited_once_pool_by_pool(void **state UNUSED)
{
	char names[16] = "";
	replace(TWO_POOLS);
	server_each(g.c, note_name, names);
	assert_string_equal(names, "abde");
}

static void an_ejection_outlasts_a_reload(void **state UNUSED)
{
	int64_t now = 1000 * CLOCK_SECOND;
	eject("a", now);
	replace(THREE);
	assert_string_equal(server_status(named("a"), now), "EJECTED");
	assert_null(strchr(picks(6, 0, now), 'a'));
}

static void a_generation_that_is_only_joined_has_no_say_yet(void **state UNUSED)
{
	struct daemon_generation d = {0};
	struct conf_errors errors;
	struct err e;
	arena_init(&d.arena, NULL, 0, ARENA_UNLIMITED);
	conf_errors_init(&errors, &d.arena);
	d.conf = conf_read_text("f",
				STR(HEADER
				    "[server a]\npool = p\naddress = 10.0.0.1:80\nweight = 4\n"
				    "[server n]\npool = p\naddress = 10.0.0.9:80\n"),
				conf_lb_schema, conf_lb_schema_n, &d.arena, &errors);
	conf_build(&d, &errors);
	assert_int_equal(errors.n, 0);
	assert_true(server_attach(pools, d.config, &e));
	assert_string_equal(picks(6, 0, 1), "abcabc");
	server_apply_weights(d.config);
	arena_fini(&g.gen.arena);
	g = (struct generation){.gen = d, .c = d.config};
	const char *five = picks(5, 0, 1);
	assert_non_null(strchr(five, 'n'));
	assert_ptr_equal(strchr(five, 'n'), strrchr(five, 'n')); /* one in five */
}

/* A worker that has not heard of the new generation goes on by the old one. */
static void the_generation_before_still_picks(void **state UNUSED)
{
	struct generation next = generation(HEADER "[server n]\npool = p\naddress = 10.0.0.9:80\n");
	assert_string_equal(picks(3, 0, 1), "abc");
	struct generation old = g;
	g = next;
	assert_string_equal(picks(2, 0, 1), "nn");
	arena_fini(&old.gen.arena);
}

static void turns_are_by_the_new_weights_right_after_a_reload(void **state UNUSED)
{
	replace(HEADER "[server a]\npool = p\naddress = 10.0.0.1:80\nweight = 256\n"
		       "[server b]\npool = p\naddress = 10.0.0.2:80\nweight = 256\n");
	picks(1, 0, 1);
	replace(HEADER "[server a]\npool = p\naddress = 10.0.0.1:80\n"
		       "[server b]\npool = p\naddress = 10.0.0.2:80\n");
	assert_non_null(strchr(picks(4, 0, 1), 'a'));
}

/* ---- what is broken is found */

static void a_server_of_another_pool(void)
{
	str_copy(named("a")->pool_name, sizeof(named("a")->pool_name), STR("q"));
	server_check(pools, NULL, NULL);
}

static void a_member_that_is_not_counted(void)
{
	g.c->pools[0].live->members--;
	server_check(pools, NULL, NULL);
}

static unsigned none(const struct server *s UNUSED, void *arg UNUSED)
{
	return 0;
}

static void a_request_that_nobody_has(void)
{
	atomic_store(&named("b")->current, 1);
	server_check(pools, none, NULL);
}

static void an_administrative_state_that_nobody_sets(void)
{
	atomic_store(&named("b")->admin, SERVER_MAINT + 1);
	server_status(named("b"), 1);
}

static void a_failure_of_a_server_that_has_ended(void)
{
	MAGIC_WIPE(named("c"), SERVER_MAGIC);
	server_failed(g.c->pools[0].servers[2], 1);
}

static void a_candidate_outside_the_pool(void)
{
	server_pick(&g.c->pools[0], 1u << 3, 1);
}

static void picking_with_the_lock_held(void)
{
	mutex_lock(&g.c->pools[0].live->lock);
	server_pick(&g.c->pools[0], 0, 1);
}

static void *attach_here(void *arg UNUSED)
{
	struct err e;
	server_attach(pools, g.c, &e);
	return NULL;
}

static void attaching_on_another_thread(void)
{
	pthread_t thread;
	MUST0(pthread_create(&thread, NULL, attach_here, NULL));
	MUST0(pthread_join(thread, NULL));
}

static void broken_invariants_are_found(void **state UNUSED)
{
	assert_true(unit_aborts(a_server_of_another_pool));
	assert_true(unit_aborts(a_member_that_is_not_counted));
	assert_true(unit_aborts(a_request_that_nobody_has));
	assert_true(unit_aborts(an_administrative_state_that_nobody_sets));
	assert_true(unit_aborts(a_failure_of_a_server_that_has_ended));
	assert_true(unit_aborts(a_candidate_outside_the_pool));
	assert_true(unit_aborts(picking_with_the_lock_held));
	assert_true(unit_aborts(attaching_on_another_thread));
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, three, gone)
	const struct CMUnitTest tests[] = {
		TEST(broken_invariants_are_found),
		TEST(all_take_turns),
		TEST(a_server_that_is_down_gets_nothing),
		TEST(the_operator_drains_and_disables),
		TEST(two_failed_connections_put_a_server_aside_for_longer_each_time),
		TEST(the_last_one_standing_is_asked_although_it_failed),
		TEST(a_weight_of_nothing_is_for_cookies_only),
		TEST(a_server_outlasts_a_reload_by_name_and_address),
		TEST(a_refused_generation_changes_nothing),
		TEST(a_server_not_checked_yet_is_used),
		TEST(the_operator_has_the_last_word_and_checks_come_before_failures),
		TEST(a_connection_that_is_made_brings_a_server_back_at_once),
		TEST(an_ejected_server_comes_before_one_this_request_has_met),
		TEST(a_weight_of_nothing_does_not_stand_for_the_last_one),
		TEST(another_name_at_the_same_address_is_another_server),
		TEST(a_new_server_has_its_name_and_time),
		TEST(pools_are_numbered_as_they_appear_and_keep_their_number),
		TEST(each_pool_has_its_own_turns),
		TEST(each_server_is_visited_once_pool_by_pool),
		TEST(an_ejection_outlasts_a_reload),
		TEST(a_generation_that_is_only_joined_has_no_say_yet),
		TEST(the_generation_before_still_picks),
		TEST(turns_are_by_the_new_weights_right_after_a_reload),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
