// SPDX-License-Identifier: MIT
// TEST-OF: healthd
/* Rise and fall, the pace of probes, and what passes over to new rules. */
#include "unit.h"

#include "base/clock.h"
#include "target.h"

static const struct target_rules rules_25 = {
	.inter_ms = 2000, .fastinter_ms = 250, .downinter_ms = 3000, .rise = 2, .fall = 5};

/* Probes "+" and "-" in turn; states after each: "U" up, "D" down. */
static void assert_story(const char *probes, const char *states)
{
	struct target t;
	target_init(&t, &rules_25);
	assert_int_equal(t.state, HEALTH_UNKNOWN);
	for (size_t i = 0; probes[i]; i++) {
		enum health_state before = t.state;
		bool changed = target_result(&t, &rules_25, probes[i] == '+', 100 + (int64_t)i);
		target_check(&t, &rules_25);
		if ((t.state == HEALTH_UP) != (states[i] == 'U'))
			fail_msg("%s: after %zu probes state %d", probes, i + 1, t.state);
		assert_int_equal(changed, t.state != before);
		if (changed)
			assert_int_equal(t.since_s, 100 + i);
	}
}

static void test_stories(void **state UNUSED)
{
	assert_story("+", "U");
	assert_story("-", "D"); /* the first probe decides */
	assert_story("+-----", "UUUUUD");
	assert_story("+----+----", "UUUUUUUUUU"); /* one good probe forgives */
	assert_story("-++", "DDU");
	assert_story("-+-+-+", "DDDDDD"); /* one failure undoes */
	assert_story("+-----++-----", "UUUUUDDUUUUUD");
}

static void test_changes_are_counted_after_the_first_verdict(void **state UNUSED)
{
	struct target t;
	target_init(&t, &rules_25);
	target_result(&t, &rules_25, false, 1);
	assert_int_equal(t.changes, 0);
	target_result(&t, &rules_25, true, 2);
	target_result(&t, &rules_25, true, 3);
	assert_int_equal(t.changes, 1);
	assert_int_equal(t.since_s, 3);
}

/* Display as HAProxy's: 5/5 4/5 .. 1/5, 0/2, 1/2, 5/5. */
static void test_progress(void **state UNUSED)
{
	static const unsigned want[][2] = {{5, 5}, {4, 5}, {3, 5}, {2, 5},
					   {1, 5}, {0, 2}, {1, 2}, {5, 5}};
	static const char probes[] = "+-----++";
	struct target t;
	target_init(&t, &rules_25);
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		unsigned at, of;
		target_result(&t, &rules_25, probes[i] == '+', 1);
		target_progress(&t, &rules_25, &at, &of);
		assert_int_equal(at, want[i][0]);
		assert_int_equal(of, want[i][1]);
	}
}

static int64_t delay_ms(const struct target *t, unsigned spread, uint64_t random)
{
	return target_delay_us(t, &rules_25, spread, random) / CLOCK_MSEC;
}

static void test_pace(void **state UNUSED)
{
	struct target t;
	target_init(&t, &rules_25);
	assert_int_equal(delay_ms(&t, 0, 7), 250);
	target_result(&t, &rules_25, true, 1);
	assert_int_equal(delay_ms(&t, 0, 7), 2000);
	target_result(&t, &rules_25, false, 1);
	assert_int_equal(delay_ms(&t, 0, 7), 250);
	for (int i = 0; i < 4; i++)
		target_result(&t, &rules_25, false, 1);
	assert_int_equal(delay_ms(&t, 0, 7), 3000);
	target_result(&t, &rules_25, true, 1);
	assert_int_equal(delay_ms(&t, 0, 7), 250);
}

static void test_spread_stays_within_its_percents(void **state UNUSED)
{
	struct target t;
	int64_t least = INT64_MAX, most = 0;
	target_init(&t, &rules_25);
	target_result(&t, &rules_25, true, 1);
	for (uint64_t r = 0; r < 1000; r++) {
		int64_t ms = delay_ms(&t, 10, r * UINT64_C(0x9e3779b97f4a7c15));
		least = MIN(least, ms);
		most = MAX(most, ms);
	}
	assert_true(least >= 1800 && least < 1850 && most <= 2200 && most > 2150);
}

static void test_rise_and_fall_of_one(void **state UNUSED)
{
	const struct target_rules rules = {.rise = 1, .fall = 1};
	struct target t;
	target_init(&t, &rules);
	for (int i = 0; i < 6; i++) {
		assert_true(target_result(&t, &rules, i % 2 == 0, 1));
		target_check(&t, &rules);
	}
}

static struct target after(const char *probes)
{
	struct target t;
	target_init(&t, &rules_25);
	for (; *probes; probes++)
		target_result(&t, &rules_25, *probes == '+', 9);
	return t;
}

static void test_adopting_keeps_the_distance_to_the_edge(void **state UNUSED)
{
	static const struct {
		const char *probes;
		uint32_t rise, fall;
		uint32_t want;
	} cases[] = {
		{"+", 2, 5, 6},	     {"+--", 2, 5, 4}, {"+--", 3, 4, 4}, {"+----", 2, 2, 2},
		{"+-----", 2, 5, 0}, {"-+", 2, 5, 1},  {"-+", 1, 5, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct target_rules rules = {.rise = cases[i].rise, .fall = cases[i].fall};
		struct target old = after(cases[i].probes), t;
		target_adopt(&t, &rules, &old, &rules_25, true);
		target_check(&t, &rules);
		assert_int_equal(t.health, cases[i].want);
		assert_int_equal(t.state, old.state);
		assert_int_equal(t.since_s, 9);
	}
}

static void test_adopting_what_is_not_sure_lets_one_probe_decide(void **state UNUSED)
{
	struct target up = after("+"), down = after("-"), unknown = after(""), t;
	target_adopt(&t, &rules_25, &up, &rules_25, false);
	target_check(&t, &rules_25);
	assert_int_equal(t.state, HEALTH_UP);
	assert_true(target_result(&t, &rules_25, false, 10));
	target_adopt(&t, &rules_25, &down, &rules_25, false);
	target_check(&t, &rules_25);
	assert_int_equal(t.state, HEALTH_DOWN);
	assert_true(target_result(&t, &rules_25, true, 10));
	target_adopt(&t, &rules_25, &unknown, &rules_25, true);
	assert_int_equal(t.state, HEALTH_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stories),
		cmocka_unit_test(test_changes_are_counted_after_the_first_verdict),
		cmocka_unit_test(test_progress),
		cmocka_unit_test(test_pace),
		cmocka_unit_test(test_spread_stays_within_its_percents),
		cmocka_unit_test(test_rise_and_fall_of_one),
		cmocka_unit_test(test_adopting_keeps_the_distance_to_the_edge),
		cmocka_unit_test(test_adopting_what_is_not_sure_lets_one_probe_decide),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
