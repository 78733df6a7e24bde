// SPDX-License-Identifier: MIT
// TEST-OF: vipd
/*
 * The state machine by table: each case is the story of one router, told as events with their time,
 * and after each the state, the acts and the moment of the timer that must follow. Times are in
 * milliseconds unless they end in _us. The figures are RFC 3768's: priority 101 waits 3 s + 155/256
 * s = 3605.468 ms.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vrrp_fsm.h"

#define LOW  UINT32_C(0xc0a801ab) /* .171 */
#define SELF UINT32_C(0xc0a801ac) /* .172 */
#define HIGH UINT32_C(0xc0a801ad) /* .173 */
#define MS   INT64_C(1000)

#define SKEW101_US 605468
#define DOWN101_US 3605468
#define TIE_US	   20000
/* not eligible: three times (3 s + 255/256 s + tie) */
#define LAST_US (3 * (3000000 + 996093 + TIE_US))

enum {
	SEND = VRRP_FSM_SEND,
	ZERO = VRRP_FSM_SEND_ZERO,
	HOLD = VRRP_FSM_HOLD,
	DROP = VRRP_FSM_DROP,
	ANNOUNCE = VRRP_FSM_ANNOUNCE,
	DONE = VRRP_FSM_DONE,
	ALL = SEND | ZERO | HOLD | DROP | ANNOUNCE | DONE,
};
#define SENDS(priority) (SEND | (priority) << 8) /* when it is not 101 */

static const struct vrrp_fsm_rules post = {
	.version = 2,
	.priority = 101,
	.preempt = true,
	.last_resort = true,
	.self = SELF,
	.interval_us = 1000000,
	.tie_us = TIE_US,
	.rank_us = TIE_US,
	.handover_us = 1000000,
};

struct line {
	double at; /* ms */
	struct vrrp_fsm_event event;
	enum vrrp_fsm_state state;
	unsigned acts;	/* with SENDS(p) the priority too */
	int64_t due_us; /* VRRP_FSM_NEVER, or absolute */
};

#define NEVER VRRP_FSM_NEVER
#define EV_START                                                                                   \
	{                                                                                          \
		.type = VRRP_FSM_START                                                             \
	}
#define EV_STOP                                                                                    \
	{                                                                                          \
		.type = VRRP_FSM_STOP                                                              \
	}
#define EV_TIMER                                                                                   \
	{                                                                                          \
		.type = VRRP_FSM_TIMER                                                             \
	}
#define EV_RULES                                                                                   \
	{                                                                                          \
		.type = VRRP_FSM_RULES                                                             \
	}
#define EV_ELIGIBLE                                                                                \
	{                                                                                          \
		.type = VRRP_FSM_ELIGIBLE, .eligible = true                                        \
	}
#define EV_INELIGIBLE                                                                              \
	{                                                                                          \
		.type = VRRP_FSM_ELIGIBLE, .eligible = false                                       \
	}
#define EV_BONUS(n)                                                                                \
	{                                                                                          \
		.type = VRRP_FSM_ELIGIBLE, .eligible = true, .bonus = (n)                          \
	}
#define EV_FAULT(f)                                                                                \
	{                                                                                          \
		.type = VRRP_FSM_FAULTS, .faults = (f)                                             \
	}
#define EV_HEAR(p, from)                                                                           \
	{                                                                                          \
		.type = VRRP_FSM_ADVERT, .priority = (p), .source = (from), .interval_us = 1000000 \
	}
#define EV_HEAR3(p, from, us)                                                                      \
	{                                                                                          \
		.type = VRRP_FSM_ADVERT, .priority = (p), .source = (from), .interval_us = (us)    \
	}

#define BACKUP VRRP_FSM_BACKUP
#define MASTER VRRP_FSM_MASTER
#define FAULT  VRRP_FSM_FAULT
#define INIT   VRRP_FSM_INIT

static void play_on(const struct vrrp_fsm_rules *r, struct vrrp_fsm *s, const struct line *lines,
		    size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct line *l = &lines[i];
		struct vrrp_fsm_out out = vrrp_fsm_step(r, s, &l->event, (int64_t)(l->at * 1000));
		print_message("line %zu at %.3f: %s acts %u due %lld %s\n", i, l->at,
			      vrrp_fsm_state_name(s->state), out.acts, (long long)vrrp_fsm_due(s),
			      out.why ? out.why : "");
		assert_int_equal(s->state, l->state);
		assert_int_equal(out.acts, l->acts & ALL);
		assert_true(vrrp_fsm_due(s) == l->due_us);
		if (out.acts & SEND)
			assert_int_equal(out.priority, l->acts >> 8 ? l->acts >> 8 : 101);
	}
}

#define PLAY(rules, ...)                                                                           \
	do {                                                                                       \
		static const struct line lines_[] = {__VA_ARGS__};                                 \
		struct vrrp_fsm s_ = {0};                                                          \
		play_on((rules), &s_, lines_, ARRAY_LEN(lines_));                                  \
	} while (0)

/* Every story of a router that works begins so. */
#define BORN_FIT                                                                                   \
	{0, EV_ELIGIBLE, INIT, 0, NEVER},                                                          \
	{                                                                                          \
		0, EV_START, BACKUP, 0, DOWN101_US + TIE_US                                        \
	}
#define BORN_MASTER                                                                                \
	BORN_FIT,                                                                                  \
	{                                                                                          \
		3625.468, EV_TIMER, MASTER, SEND | HOLD, 4625468                                   \
	}

static void claims_after_silence(void **state UNUSED)
{
	PLAY(&post, BORN_FIT, {3625.467, EV_TIMER, BACKUP, 0, 3625468},
	     {3625.468, EV_TIMER, MASTER, SEND | HOLD, 4625468},
	     {4625.468, EV_TIMER, MASTER, SEND, 5625468},
	     {5626, EV_TIMER, MASTER, SEND, 6625468}); /* late: the rhythm stays */
}

static void stays_backup_while_a_master_speaks(void **state UNUSED)
{
	PLAY(&post, BORN_FIT, {1000, EV_HEAR(101, LOW), BACKUP, 0, 1000000 + DOWN101_US + TIE_US},
	     {2000, EV_HEAR(101, LOW), BACKUP, 0, 2000000 + DOWN101_US + TIE_US},
	     {3000, EV_HEAR(200, LOW), BACKUP, 0, 3000000 + DOWN101_US}, /* no tie: no extra wait */
	     {3500, EV_HEAR(102, HIGH), BACKUP, 0, 3500000 + DOWN101_US});
}

static void preempts_a_lower_priority(void **state UNUSED)
{
	PLAY(&post, BORN_FIT, {1000, EV_HEAR(100, HIGH), BACKUP, 0, DOWN101_US + TIE_US},
	     {2000, EV_HEAR(100, HIGH), BACKUP, 0, DOWN101_US + TIE_US},
	     {3625.468, EV_TIMER, MASTER, SEND | HOLD, 4625468});
}

static void without_preempt_a_lower_master_stays(void **state UNUSED)
{
	struct vrrp_fsm_rules r = post;
	r.preempt = false;
	PLAY(&r, BORN_FIT, {1000, EV_HEAR(100, HIGH), BACKUP, 0, 1000000 + DOWN101_US},
	     {2000, EV_HEAR(100, HIGH), BACKUP, 0, 2000000 + DOWN101_US},
	     /* but one that holds it as the last resort does not */
	     {3000, EV_HEAR(1, HIGH), BACKUP, 0, 3000000 + SKEW101_US},
	     {3605.468, EV_TIMER, MASTER, SEND | HOLD, 4605468});
}

static void priority_zero_leaves_the_skew(void **state UNUSED)
{
	PLAY(&post, BORN_FIT, {1000, EV_HEAR(101, LOW), BACKUP, 0, 1000000 + DOWN101_US + TIE_US},
	     {1500, EV_HEAR(0, LOW), BACKUP, 0, 1500000 + SKEW101_US + TIE_US},
	     {2125.468, EV_TIMER, MASTER, SEND | HOLD, 3125468});
	PLAY(&post, BORN_FIT, {1000, EV_HEAR(102, LOW), BACKUP, 0, 1000000 + DOWN101_US},
	     {1500, EV_HEAR(0, LOW), BACKUP, 0, 1500000 + SKEW101_US},
	     {1600, EV_HEAR(101, HIGH), BACKUP, 0,
	      1600000 + DOWN101_US + TIE_US}); /* another was first */
}

static void master_answers_a_lower_priority(void **state UNUSED)
{
	PLAY(&post, BORN_MASTER, {4000, EV_HEAR(100, HIGH), MASTER, SEND | ANNOUNCE, 5000000},
	     {4100, EV_HEAR(101, LOW), MASTER, SEND | ANNOUNCE, 5100000},
	     {4200, EV_HEAR(0, HIGH), MASTER, SEND | ANNOUNCE, 5200000});
}

static void master_yields_to_a_higher_priority(void **state UNUSED)
{
	PLAY(&post, BORN_MASTER,
	     {4000, EV_HEAR(102, LOW), BACKUP, SEND | DROP, 4000000 + DOWN101_US});
	PLAY(&post, BORN_MASTER,
	     {4000, EV_HEAR(101, HIGH), BACKUP, SEND | DROP, 4000000 + DOWN101_US + TIE_US});
	PLAY(&post, BORN_MASTER,
	     {4000, EV_HEAR(255, LOW), BACKUP, SEND | DROP, 4000000 + DOWN101_US});
}

static void a_planned_stop_answers_until_the_successor_speaks(void **state UNUSED)
{
	PLAY(&post, BORN_MASTER, {4000, EV_STOP, MASTER, ZERO, 5000000},
	     {4100, EV_STOP, MASTER, 0, 5000000}, {4200, EV_HEAR(0, LOW), MASTER, 0, 5000000},
	     {4300, EV_ELIGIBLE, MASTER, 0, 5000000}, {4400, EV_RULES, MASTER, 0, 5000000},
	     {4606, EV_HEAR(50, LOW), MASTER, 0, 4626000},
	     {4610, EV_HEAR(50, LOW), MASTER, 0, 4626000},
	     {4626, EV_TIMER, INIT, DROP | DONE, NEVER});
	PLAY(&post, BORN_MASTER, {4000, EV_STOP, MASTER, ZERO, 5000000},
	     {4999.999, EV_TIMER, MASTER, 0, 5000000}, {5000, EV_TIMER, INIT, DROP | DONE, NEVER});
	PLAY(&post, BORN_MASTER, {4000, EV_STOP, MASTER, ZERO, 5000000},
	     {4100, EV_INELIGIBLE, INIT, DROP | DONE, NEVER});
	PLAY(&post, BORN_MASTER, {4000, EV_STOP, MASTER, ZERO, 5000000},
	     {4100, EV_FAULT(VRRP_FSM_FAULT_LINK), INIT, DROP | DONE, NEVER});
}

static void a_router_that_holds_nothing_stops_at_once(void **state UNUSED)
{
	PLAY(&post, BORN_FIT, {10, EV_STOP, INIT, DONE, NEVER});
	PLAY(&post, {0, EV_FAULT(1), INIT, 0, NEVER}, {0, EV_START, FAULT, 0, NEVER},
	     {10, EV_STOP, INIT, DONE, NEVER});
	PLAY(&post, {10, EV_STOP, INIT, DONE, NEVER});
}

static void a_fault_sends_priority_zero_and_drops(void **state UNUSED)
{
	PLAY(&post, BORN_MASTER, {4000, EV_FAULT(VRRP_FSM_FAULT_LINK), FAULT, ZERO | DROP, NEVER},
	     {4100, EV_HEAR(1, LOW), FAULT, 0, NEVER},
	     {4200, EV_FAULT(VRRP_FSM_FAULT_LINK | VRRP_FSM_FAULT_ADDRESS), FAULT, 0, NEVER},
	     {4300, EV_FAULT(VRRP_FSM_FAULT_ADDRESS), FAULT, 0, NEVER},
	     {9000, EV_TIMER, FAULT, 0, NEVER},
	     {9000, EV_FAULT(0), BACKUP, 0, 9000000 + DOWN101_US + TIE_US});
	PLAY(&post, BORN_FIT, {10, EV_FAULT(1), FAULT, 0, NEVER});
}

static void a_release_sends_priority_zero_and_claims_nothing(void **state UNUSED)
{
	PLAY(&post, BORN_MASTER, {4000, EV_INELIGIBLE, BACKUP, ZERO | DROP, 4000000 + LAST_US},
	     {4700, EV_HEAR(101, LOW), BACKUP, 0, 4700000 + LAST_US},
	     {5000, EV_HEAR(1, LOW), BACKUP, 0, 5000000 + LAST_US},
	     {6000, EV_HEAR(0, LOW), BACKUP, 0,
	      6000000 + LAST_US}, /* priority 0 is for the others */
	     {6100, EV_ELIGIBLE, BACKUP, 0, 6000000 + SKEW101_US},
	     {6200, EV_HEAR(101, HIGH), BACKUP, 0, 6200000 + DOWN101_US + TIE_US});
}

static void waits_for_its_track_at_start(void **state UNUSED)
{
	PLAY(&post, {0, EV_START, BACKUP, 0, LAST_US},
	     {500, EV_ELIGIBLE, BACKUP, 0, DOWN101_US + TIE_US},
	     {3625.468, EV_TIMER, MASTER, SEND | HOLD, 4625468});
	PLAY(&post, {0, EV_START, BACKUP, 0, LAST_US},
	     {9000, EV_ELIGIBLE, BACKUP, 0, 9000000}, /* long silence already: at once */
	     {9000, EV_TIMER, MASTER, SEND | HOLD, 10000000});
}

static void the_last_resort_is_priority_1(void **state UNUSED)
{
	struct vrrp_fsm_rules none = post;
	enum { AT = LAST_US };
	PLAY(&post, {0, EV_START, BACKUP, 0, AT},
	     {AT / 1000.0, EV_TIMER, MASTER, SENDS(1) | HOLD, AT + 1000000},
	     {AT / 1000.0 + 1000, EV_TIMER, MASTER, SENDS(1), AT + 2000000},
	     {AT / 1000.0 + 1100, EV_INELIGIBLE, MASTER, 0, AT + 2000000},
	     {AT / 1000.0 + 1200, EV_ELIGIBLE, MASTER, SENDS(101), AT + 2200000},
	     {AT / 1000.0 + 1300, EV_INELIGIBLE, BACKUP, ZERO | DROP, AT + 1300000 + LAST_US});
	PLAY(&post, {0, EV_START, BACKUP, 0, AT},
	     {AT / 1000.0, EV_TIMER, MASTER, SENDS(1) | HOLD, AT + 1000000},
	     {AT / 1000.0 + 100, EV_HEAR(101, LOW), BACKUP, SENDS(1) | DROP,
	      AT + 100000 + LAST_US});
	none.last_resort = false;
	PLAY(&none, {0, EV_START, BACKUP, 0, NEVER}, {99999, EV_TIMER, BACKUP, 0, NEVER},
	     {99999, EV_ELIGIBLE, BACKUP, 0, 99999000});
}

static void an_eligible_router_replaces_the_last_resort(void **state UNUSED)
{
	PLAY(&post, BORN_FIT, {1000, EV_HEAR(101, LOW), BACKUP, 0, 1000000 + DOWN101_US + TIE_US},
	     {2000, EV_HEAR(1, HIGH), BACKUP, 0, 2000000 + SKEW101_US + TIE_US},
	     {2500, EV_HEAR(1, HIGH), BACKUP, 0,
	      2000000 + SKEW101_US + TIE_US}, /* does not postpone */
	     {2625.468, EV_TIMER, MASTER, SEND | HOLD, 3625468});
}

static void weight_moves_the_priority(void **state UNUSED)
{
	struct vrrp_fsm_rules top = post;
	PLAY(&post, {0, EV_BONUS(2), INIT, 0, NEVER},
	     {0, EV_START, BACKUP, 0, 3000000 + 597656 + TIE_US},
	     {1000, EV_HEAR(101, HIGH), BACKUP, 0,
	      3000000 + 597656 + TIE_US}, /* lower: not heeded */
	     {3617.656, EV_TIMER, MASTER, SENDS(103) | HOLD, 4617656},
	     {4000, EV_BONUS(0), MASTER, SENDS(101), 5000000},
	     {4100, EV_HEAR(103, LOW), BACKUP, SENDS(101) | DROP, 4100000 + DOWN101_US});
	top.priority = 253;
	PLAY(&top, {0, EV_BONUS(100), INIT, 0, NEVER},
	     {0, EV_START, BACKUP, 0, 3000000 + 7812 + TIE_US});
	PLAY(&top, {0, EV_BONUS(-300), INIT, 0, NEVER},
	     {0, EV_START, BACKUP, 0, 3000000 + 996093 + TIE_US});
}

static void a_frozen_master_listens_first(void **state UNUSED)
{
	/* last spoken at 3625; one that wakes before the others claim goes on */
	PLAY(&post, BORN_MASTER, {7250, EV_TIMER, MASTER, SEND, 7750000});
	PLAY(&post, BORN_MASTER, {7251, EV_TIMER, BACKUP, DROP, 8251000});
	PLAY(&post, BORN_MASTER, {11000, EV_TIMER, BACKUP, DROP, 12000000},
	     {11001, EV_HEAR(101, LOW), BACKUP, 0, 11001000 + DOWN101_US + TIE_US});
	PLAY(&post, BORN_MASTER,
	     {11000, EV_HEAR(101, LOW), BACKUP, DROP,
	      11000000 + DOWN101_US + TIE_US}); /* no answer to it */
	PLAY(&post, BORN_MASTER, {11000, EV_TIMER, BACKUP, DROP, 12000000},
	     {12000, EV_TIMER, MASTER, SEND | HOLD, 13000000}); /* silence: it was alone */
	PLAY(&post, BORN_MASTER, {11000, EV_STOP, INIT, DROP | DONE, NEVER});
}

static void a_frozen_backup_listens_first(void **state UNUSED)
{
	PLAY(&post, BORN_FIT, {4500, EV_TIMER, MASTER, SEND | HOLD, 5500000});
	PLAY(&post, BORN_FIT, {60000, EV_TIMER, BACKUP, 0, 61000000},
	     {60001, EV_HEAR(101, LOW), BACKUP, 0, 60001000 + DOWN101_US + TIE_US});
	PLAY(&post, BORN_FIT, {60000, EV_TIMER, BACKUP, 0, 61000000},
	     {69000, EV_TIMER, MASTER, SEND | HOLD,
	      70000000}); /* once only: a slow machine must not wait for ever */
}

static void new_rules_apply_at_once(void **state UNUSED)
{
	struct vrrp_fsm_rules r = post;
	struct vrrp_fsm b = {0}, m = {0};
	static const struct line born[] = {BORN_FIT};
	static const struct line claimed[] = {{3625.468, EV_TIMER, MASTER, SEND | HOLD, 4625468}};
	static const struct line backup[] = {{100, EV_RULES, BACKUP, 0, 3000000 + 410156 + TIE_US}};
	static const struct line master[] = {{3700, EV_RULES, MASTER, SENDS(151), 4700000}};
	play_on(&r, &b, born, 2);
	play_on(&r, &m, born, 2);
	play_on(&r, &m, claimed, 1);
	r.priority = 151;
	play_on(&r, &b, backup, 1);
	play_on(&r, &m, master, 1);
}

static void a_last_resort_can_be_forbidden_later(void **state UNUSED)
{
	struct vrrp_fsm_rules r = post;
	struct vrrp_fsm s = {0};
	static const struct line alone[] = {
		{0, EV_START, BACKUP, 0, LAST_US},
		{LAST_US / 1000.0, EV_TIMER, MASTER, SENDS(1) | HOLD, LAST_US + 1000000}};
	static const struct line barred[] = {{12500, EV_RULES, BACKUP, ZERO | DROP, NEVER}};
	play_on(&r, &s, alone, 2);
	r.last_resort = false;
	play_on(&r, &s, barred, 1);
}

static void version_3_counts_in_the_masters_interval(void **state UNUSED)
{
	struct vrrp_fsm_rules r = post;
	r.version = 3;
	r.interval_us = 100000;
	r.tie_us = 2000;
	/* 3 x 100 ms + 155/256 x 100 ms */
	PLAY(&r, {0, EV_ELIGIBLE, INIT, 0, NEVER}, {0, EV_START, BACKUP, 0, 360546 + 2000},
	     {100, EV_HEAR3(101, LOW, 10000), BACKUP, 0, 100000 + 36054 + 2000},
	     {110, EV_HEAR3(200, LOW, 1000000), BACKUP, 0, 110000 + 3605468},
	     {200, EV_HEAR3(0, LOW, 1000000), BACKUP, 0, 200000 + 605468},
	     {805.468, EV_TIMER, MASTER, SEND | HOLD, 905468});
}

static void the_skew_orders_priorities(void **state UNUSED)
{
	struct vrrp_fsm_rules r = post;
	struct vrrp_fsm s = {.eligible = true, .master_priority = 255};
	int64_t last = INT64_MAX;
	for (unsigned p = 1; p <= 254; p++) {
		r.priority = (uint8_t)p;
		assert_true(vrrp_fsm_skew_us(&r, &s) < last);
		last = vrrp_fsm_skew_us(&r, &s);
	}
	assert_int_equal(last, 7812);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(claims_after_silence),
		cmocka_unit_test(stays_backup_while_a_master_speaks),
		cmocka_unit_test(preempts_a_lower_priority),
		cmocka_unit_test(without_preempt_a_lower_master_stays),
		cmocka_unit_test(priority_zero_leaves_the_skew),
		cmocka_unit_test(master_answers_a_lower_priority),
		cmocka_unit_test(master_yields_to_a_higher_priority),
		cmocka_unit_test(a_planned_stop_answers_until_the_successor_speaks),
		cmocka_unit_test(a_router_that_holds_nothing_stops_at_once),
		cmocka_unit_test(a_fault_sends_priority_zero_and_drops),
		cmocka_unit_test(a_release_sends_priority_zero_and_claims_nothing),
		cmocka_unit_test(waits_for_its_track_at_start),
		cmocka_unit_test(the_last_resort_is_priority_1),
		cmocka_unit_test(an_eligible_router_replaces_the_last_resort),
		cmocka_unit_test(weight_moves_the_priority),
		cmocka_unit_test(a_frozen_master_listens_first),
		cmocka_unit_test(a_frozen_backup_listens_first),
		cmocka_unit_test(new_rules_apply_at_once),
		cmocka_unit_test(a_last_resort_can_be_forbidden_later),
		cmocka_unit_test(version_3_counts_in_the_masters_interval),
		cmocka_unit_test(the_skew_orders_priorities),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
