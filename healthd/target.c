// SPDX-License-Identifier: MIT
/*
 * The counter and nothing else. Invariant: health is within 0..rise+fall-1, and the state, once
 * known, is up iff health >= rise.
 */
#include "target.h"

#include "base/clock.h"

static uint32_t top(const struct target_rules *rules)
{
	return rules->rise + rules->fall - 1;
}

void target_init(struct target *t, const struct target_rules *rules)
{
	*t = (struct target){.state = HEALTH_UNKNOWN, .health = rules->rise};
}

void target_check(const struct target *t, const struct target_rules *rules)
{
	MUST(rules->rise > 0 && rules->fall > 0);
	MUST(t->health <= top(rules));
	MUST(t->state == HEALTH_UNKNOWN || (t->state == HEALTH_UP) == (t->health >= rules->rise));
}

static void pass(struct target *t, const struct target_rules *rules)
{
	if (t->health < top(rules))
		t->health++;
	if (t->health >= rules->rise)
		t->health = top(rules);
}

static void fail(struct target *t, const struct target_rules *rules)
{
	if (t->health > 0)
		t->health--;
	if (t->health < rules->rise)
		t->health = 0;
}

bool target_result(struct target *t, const struct target_rules *rules, bool good, int64_t wall_s)
{
	enum health_state before = t->state;
	if (good)
		pass(t, rules);
	else
		fail(t, rules);
	t->state = t->health >= rules->rise ? HEALTH_UP : HEALTH_DOWN;
	if (t->state == before)
		return false;
	t->since_s = wall_s;
	if (before != HEALTH_UNKNOWN)
		t->changes++;
	return true;
}

/* The old counter under new rules: as many steps from the edge as before, if there are so many. */
static uint32_t rescale(const struct target *old, const struct target_rules *old_rules,
			const struct target_rules *rules)
{
	uint32_t failures;
	if (old->state == HEALTH_DOWN)
		return MIN(old->health, rules->rise - 1);
	failures = top(old_rules) - MIN(old->health, top(old_rules));
	return top(rules) - MIN(failures, rules->fall - 1);
}

void target_adopt(struct target *t, const struct target_rules *rules, const struct target *old,
		  const struct target_rules *old_rules, bool sure)
{
	target_init(t, rules);
	if (old->state == HEALTH_UNKNOWN)
		return;
	*t = *old;
	if (sure)
		t->health = rescale(old, old_rules, rules);
	else
		t->health = old->state == HEALTH_UP ? rules->rise : rules->rise - 1;
}

int64_t target_delay_us(const struct target *t, const struct target_rules *rules, unsigned spread,
			uint64_t random)
{
	uint32_t ms = rules->fastinter_ms;
	int64_t us, most;
	if (t->state != HEALTH_UNKNOWN && t->health == top(rules))
		ms = rules->inter_ms;
	else if (t->state == HEALTH_DOWN && t->health == 0)
		ms = rules->downinter_ms;
	us = ms * CLOCK_MSEC;
	most = us * spread / 100;
	return us - most + (int64_t)(random % (uint64_t)(2 * most + 1));
}

void target_progress(const struct target *t, const struct target_rules *rules, unsigned *at,
		     unsigned *of)
{
	bool up = t->health >= rules->rise;
	*at = up ? t->health - rules->rise + 1 : t->health;
	*of = up ? rules->fall : rules->rise;
}
