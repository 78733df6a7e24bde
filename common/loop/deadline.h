// SPDX-License-Identifier: MIT
/*
 * Deadlines by class. All members of a class wait equally long, so the list stays sorted by
 * appending, arming and cancelling are O(1) without a system call, and one ev_timer serves
 * thousands of connections. The timer is set for the head only and may fire early after a cancel;
 * it then just moves on.
 *
 * A deadline is absolute: nothing but arming it anew extends it. Belongs to one loop's thread.
 */
#ifndef LOOP_DEADLINE_H
#define LOOP_DEADLINE_H

#include <ev.h>

#include "base/def.h"

struct deadline_class;

struct deadline {
	struct deadline *prev, *next; /* private */
	struct deadline_class *class; /* ro: NULL while not armed */
	int64_t due_us;		      /* ro: on clock_now_us()'s scale */
};

struct deadline_class {
	uint32_t magic;	       /* private */
	struct ev_loop *loop;  /* private */
	struct ev_timer timer; /* private */
	struct deadline list;  /* private: sentinel */
	int64_t wait_us;       /* ro */
	/* private: d is no longer armed when it is called. It may finish the class, and free it. */
	void (*expired)(struct deadline *d);
};

void deadline_class_init(struct deadline_class *c, struct ev_loop *loop, int64_t wait_us,
			 void (*expired)(struct deadline *d));
void deadline_class_fini(struct deadline_class *c); /* members are cancelled silently */
/*
 * Changes the wait for deadlines armed from now on; those armed keep theirs (they may fire late by
 * the difference).
 */
void deadline_class_set(struct deadline_class *c, int64_t wait_us);

/* (Re)arms d in c for now_us + the class's wait, cancelling what it was armed for. */
void deadline_arm(struct deadline *d, struct deadline_class *c, int64_t now_us);
void deadline_cancel(struct deadline *d); /* nothing if not armed */

unsigned deadline_class_check(const struct deadline_class *c); /* see slab_check() */

static inline bool deadline_armed(const struct deadline *d)
{
	return d->class;
}

#endif
