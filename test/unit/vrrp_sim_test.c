// SPDX-License-Identifier: MIT
// TEST-OF: vipd
/*
 * The state machine among its own kind: stories with figures, then many random histories that must
 * all settle into one master per group, the right one, without a flap. A failing seed is printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../sim/vrrp_sim.c"

#define SECONDS(x) ((int64_t)((x)*SIM_SECOND))

/* n boards, started within a second, elected. */
static void elected(struct sim *s, uint64_t seed, unsigned n, bool distinct)
{
	sim_init(s, seed, n, distinct);
	for (unsigned i = 0; i < n; i++) {
		sim_run(s, s->now + (int64_t)sim_random(s, SIM_SECOND));
		sim_start(s, i);
	}
	sim_run(s, s->now + SECONDS(6));
	assert_null(s->broken);
}

static void forget_worst(struct sim *s)
{
	s->conflict_worst = s->orphan_worst = 0;
	s->conflict_since = s->orphan_since = -1;
}

static void started_together_the_highest_address_wins_without_a_duel(void **state UNUSED)
{
	struct sim s;
	for (unsigned n = 2; n <= 6; n++) {
		sim_init(&s, n, n, false);
		for (unsigned i = 0; i < n; i++)
			sim_start(&s, i);
		sim_run(&s, SECONDS(5));
		assert_null(s.broken);
		assert_int_equal(sim_master(&s, 0), n - 1);
		assert_int_equal(s.conflict_worst, 0);
		for (unsigned i = 0; i < n - 1; i++)
			assert_int_equal(s.node[i].transitions,
					 1); /* INIT to BACKUP, never MASTER */
	}
}

static void the_first_stays_master_among_equals(void **state UNUSED)
{
	struct sim s;
	sim_init(&s, 1, 4, false);
	sim_start(&s, 1);
	sim_run(&s, SECONDS(5));
	for (unsigned i = 0; i < 4; i++)
		sim_start(&s, i);
	sim_run(&s, SECONDS(60));
	assert_int_equal(sim_master(&s, 0), 1);
}

static void a_power_cut_costs_less_than_four_seconds(void **state UNUSED)
{
	struct sim s;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		int master;
		elected(&s, seed, 4, false);
		sim_run(&s, s.now + (int64_t)sim_random(&s, SIM_SECOND));
		master = sim_master(&s, 0);
		assert_true(master >= 0);
		forget_worst(&s);
		sim_cut(&s, (unsigned)master);
		sim_run(&s, s.now + SECONDS(8));
		assert_true(sim_master(&s, 0) >= 0);
		assert_true(s.orphan_worst > SECONDS(2.5));
		assert_true(s.orphan_worst < SECONDS(3.65));
		assert_int_equal(s.conflict_worst, 0);
	}
}

static void a_planned_stop_leaves_no_gap(void **state UNUSED)
{
	struct sim s;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		int master;
		elected(&s, seed, 2 + (unsigned)seed % 4, seed % 2);
		master = sim_master(&s, 0);
		forget_worst(&s);
		sim_stop(&s, (unsigned)master);
		sim_run(&s, s.now + SECONDS(8));
		assert_true(sim_master(&s, 0) >= 0);
		assert_int_not_equal(sim_master(&s, 0), master);
		assert_int_equal(s.orphan_worst, 0);
		assert_false(sim_holds(&s, (unsigned)master));
	}
}

static void a_release_moves_it_within_the_skew(void **state UNUSED)
{
	struct sim s;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		int master;
		elected(&s, seed, 4, false);
		master = sim_master(&s, 0);
		forget_worst(&s);
		sim_eligible(&s, (unsigned)master, false);
		sim_run(&s, s.now + SECONDS(8));
		assert_true(sim_master(&s, 0) >= 0);
		assert_int_not_equal(sim_master(&s, 0), master);
		assert_true(s.orphan_worst < SECONDS(0.65));
	}
}

static void ineligible_everywhere_it_is_held_as_the_last_resort(void **state UNUSED)
{
	struct sim s;
	int master;
	elected(&s, 7, 4, false);
	for (unsigned i = 0; i < 4; i++)
		sim_eligible(&s, i, false);
	forget_worst(&s);
	sim_run(&s, s.now + SECONDS(20));
	master = sim_master(&s, 0);
	assert_true(master >= 0);
	assert_true(s.orphan_worst > SECONDS(10) && s.orphan_worst < SECONDS(13));
	sim_eligible(&s, master == 0 ? 1 : 0, true); /* one recovers */
	sim_run(&s, s.now + SECONDS(1.7));	     /* an advert of priority 1, then the skew */
	assert_int_equal(sim_master(&s, 0), master == 0 ? 1 : 0);
}

static void a_healed_partition_ends_with_one_master_at_once(void **state UNUSED)
{
	struct sim s;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		elected(&s, seed, 4, false);
		sim_group(&s, 0, 1);
		sim_group(&s, 1, 1);
		sim_run(&s, s.now + SECONDS(6) + (int64_t)sim_random(&s, SIM_SECOND));
		assert_true(sim_master(&s, 0) >= 0);
		assert_true(sim_master(&s, 1) >= 0);
		sim_group(&s, 0, 0);
		sim_group(&s, 1, 0);
		forget_worst(&s);
		sim_run(&s, s.now + SECONDS(5));
		assert_true(sim_master(&s, 0) >= 2);
		assert_true(s.conflict_worst < SECONDS(1.01)); /* until either sends */
		assert_int_equal(s.orphan_worst, 0);
	}
}

static void a_frozen_master_wakes_as_backup(void **state UNUSED)
{
	struct sim s;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		int master, successor;
		elected(&s, seed, 3, false);
		master = sim_master(&s, 0);
		sim_freeze(&s, (unsigned)master, true);
		sim_run(&s, s.now + SECONDS(4) + (int64_t)sim_random(&s, SECONDS(20)));
		successor = sim_master(&s, 0);
		assert_true(successor >= 0);
		forget_worst(&s);
		sim_freeze(&s, (unsigned)master, false);
		sim_run(&s, s.now + SECONDS(10));
		assert_null(s.broken);
		assert_int_equal(sim_master(&s, 0), successor);
		assert_true(s.conflict_worst < SECONDS(0.01));
	}
}

static void a_killed_one_answers_no_longer_than_its_lease(void **state UNUSED)
{
	struct sim s;
	int master;
	elected(&s, 3, 4, false);
	master = sim_master(&s, 0);
	sim_kill(&s, (unsigned)master);
	sim_run(&s, s.now + SIM_LEASE);
	assert_false(sim_holds(&s, (unsigned)master));
	sim_run(&s, s.now + SECONDS(1));
	assert_true(sim_master(&s, 0) >= 0);
}

/* ---- random histories */

static void something_happens(struct sim *s)
{
	unsigned i = (unsigned)sim_random(s, s->n);
	switch (sim_random(s, 12)) {
	case 0:
		sim_cut(s, i);
		break;
	case 1:
		sim_kill(s, i);
		break;
	case 2:
		sim_stop(s, i);
		break;
	case 3:
	case 4:
		sim_start(s, i);
		break;
	case 5:
		sim_freeze(s, i, !s->node[i].frozen);
		break;
	case 6:
		sim_link(s, i, !s->node[i].linked);
		break;
	case 7:
	case 8:
		sim_eligible(s, i, !s->node[i].eligible);
		break;
	case 9:
		sim_group(s, i, (unsigned)sim_random(s, 3));
		break;
	case 10:
		s->loss_percent = (unsigned)sim_random(s, 60);
		break;
	case 11: /* a busy or a quiet network, busy or idle boards */
		s->delay_max = s->delay_min + (int64_t)sim_random(s, 30000);
		s->late_max = (int64_t)sim_random(s, 30000);
		break;
	}
}

/* Quiet: none is frozen, packets arrive. What is dead stays dead. */
static void calm(struct sim *s)
{
	s->loss_percent = 0;
	s->delay_max = 400;
	s->late_max = 500;
	for (unsigned i = 0; i < s->n; i++)
		sim_freeze(s, i, false);
}

static const struct sim_node *best_of(const struct sim *s, unsigned group)
{
	const struct sim_node *best = NULL;
	for (unsigned i = 0; i < s->n; i++) {
		const struct sim_node *n = &s->node[i];
		if (n->group == group && sim_works(n) && n->eligible &&
		    (!best || n->rules.priority > best->rules.priority))
			best = n;
	}
	return best;
}

static const char *judge_group(const struct sim *s, unsigned group)
{
	const struct sim_node *best = best_of(s, group);
	bool works = false;
	int master = sim_master(s, group);
	for (unsigned i = 0; i < s->n; i++) {
		const struct sim_node *n = &s->node[i];
		if (n->group != group)
			continue;
		works = works || sim_works(n);
		if (sim_holds(s, i) && (int)i != master)
			return "another board holds the address";
	}
	if (master == -2)
		return "two masters";
	if (works && master == -1)
		return "no master";
	if (!works)
		return NULL;
	if (!sim_holds(s, (unsigned)master))
		return "the master has no address";
	if (best && !s->node[master].eligible)
		return "the master is not eligible though an eligible one is there";
	if (best && s->node[master].rules.priority < best->rules.priority)
		return "the master has not the highest priority";
	return NULL;
}

static unsigned transitions(const struct sim *s)
{
	unsigned sum = 0;
	for (unsigned i = 0; i < s->n; i++)
		sum += s->node[i].transitions;
	return sum;
}

static const char *history(uint64_t seed)
{
	struct sim s;
	const char *bad = NULL;
	unsigned before;
	sim_init(&s, seed, 2 + (unsigned)(seed % 6), seed % 2);
	for (unsigned i = 0; i < s.n; i++)
		sim_start(&s, i);
	for (unsigned k = 0; k < 40; k++) {
		sim_run(&s, s.now + (int64_t)sim_random(&s, SECONDS(6)));
		something_happens(&s);
	}
	calm(&s);
	sim_run(&s, s.now + SECONDS(30));
	before = transitions(&s);
	for (unsigned k = 0; k < 10 && !bad; k++) {
		sim_run(&s, s.now + SECONDS(1));
		for (unsigned g = 0; g < 3 && !bad; g++)
			bad = judge_group(&s, g);
	}
	if (s.broken)
		return s.broken;
	return bad ? bad : transitions(&s) != before ? "it flaps" : NULL;
}

static void every_history_settles(void **state UNUSED)
{
	unsigned bad = 0;
	for (uint64_t seed = 1; seed <= 10000; seed++) {
		const char *why = history(seed);
		if (why)
			print_message("seed %u: %s\n", (unsigned)seed, why), bad++;
	}
	assert_int_equal(bad, 0);
}

/*
 * Equal priorities, nothing lost: whatever dies and comes back, two masters never coexist
 * noticeably.
 */
static void without_loss_there_is_no_conflict(void **state UNUSED)
{
	for (uint64_t seed = 1; seed <= 500; seed++) {
		struct sim s;
		elected(&s, seed, 4, seed % 2);
		forget_worst(&s);
		for (unsigned k = 0; k < 30; k++) {
			unsigned i = (unsigned)sim_random(&s, s.n);
			sim_run(&s, s.now + (int64_t)sim_random(&s, SECONDS(8)));
			switch (sim_random(&s, 6)) {
			case 0:
				sim_cut(&s, i);
				break;
			case 1:
				sim_kill(&s, i);
				break;
			case 2:
				sim_stop(&s, i);
				break;
			case 3:
				sim_eligible(&s, i, !s.node[i].eligible);
				break;
			default:
				sim_start(&s, i);
			}
		}
		sim_run(&s, s.now + SECONDS(20));
		if (s.broken || s.conflict_worst > SECONDS(0.01))
			print_message("seed %u: %s, conflict for %d us\n", (unsigned)seed,
				      s.broken ? s.broken : "", (int)s.conflict_worst);
		assert_null(s.broken);
		assert_true(s.conflict_worst <= SECONDS(0.01));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(started_together_the_highest_address_wins_without_a_duel),
		cmocka_unit_test(the_first_stays_master_among_equals),
		cmocka_unit_test(a_power_cut_costs_less_than_four_seconds),
		cmocka_unit_test(a_planned_stop_leaves_no_gap),
		cmocka_unit_test(a_release_moves_it_within_the_skew),
		cmocka_unit_test(ineligible_everywhere_it_is_held_as_the_last_resort),
		cmocka_unit_test(a_healed_partition_ends_with_one_master_at_once),
		cmocka_unit_test(a_frozen_master_wakes_as_backup),
		cmocka_unit_test(a_killed_one_answers_no_longer_than_its_lease),
		cmocka_unit_test(every_history_settles),
		cmocka_unit_test(without_loss_there_is_no_conflict),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
