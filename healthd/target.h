// SPDX-License-Identifier: MIT
/*
 * One target's verdict as a pure function of its probes: how many good or failed ones in a row turn
 * it, and when the next one is due. No clock, no I/O.
 *
 * The counter is HAProxy's: it runs from 0 to rise + fall - 1, and the target is up iff it stands
 * at rise or above. A good probe adds one and, once that makes it up, fills the counter; a failed
 * one takes one off and, once that makes it down, empties it. So one good probe while up forgives
 * every failure, and one failure while down undoes every success. A new target begins at rise with
 * its state unknown: its first probe decides.
 */
#ifndef TARGET_H
#define TARGET_H

#include "ipc/health.h"

struct target_rules {
	uint32_t inter_ms;     /* from the end of a probe to the next, while the counter is full */
	uint32_t fastinter_ms; /* on the way up or down, and before the first probe */
	uint32_t downinter_ms; /* while the counter is empty */
	uint32_t rise, fall;   /* at least 1 */
};

struct target {
	enum health_state state; /* ro */
	uint32_t health;	 /* ro: the counter */
	uint32_t changes;	 /* ro: of state, the first verdict not counted */
	int64_t since_s;	 /* ro: wall clock of the last change, 0: unknown yet */
};

void target_init(struct target *t, const struct target_rules *rules);

/* A probe ended. True: the state is another one now (also when it was unknown). */
bool target_result(struct target *t, const struct target_rules *rules, bool good, int64_t wall_s);

/*
 * Takes over what is known of the target of that name, by the rules it lived by: after a reload, or
 * from the table of a healthd before this one. sure: the very thing was being probed until now.
 * Else the verdict is kept, but the next probe alone may turn it.
 */
void target_adopt(struct target *t, const struct target_rules *rules, const struct target *old,
		  const struct target_rules *old_rules, bool sure);

/*
 * The wait until the next probe. It is lengthened or shortened by up to spread percent, as random
 * (any number) says, so that the boards of a cluster do not probe in step.
 */
int64_t target_delay_us(const struct target *t, const struct target_rules *rules, unsigned spread,
			uint64_t random);

/* How far the counter is on its way, as people want it told: 4/5 of fall while up, 1/2 of rise. */
void target_progress(const struct target *t, const struct target_rules *rules, unsigned *at,
		     unsigned *of);

void target_check(const struct target *t, const struct target_rules *rules); /* aborts if broken */

#endif
