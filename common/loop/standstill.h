// SPDX-License-Identifier: MIT
/*
 * All workers of a set stand still for a moment, so that what is spread over them can be checked as a whole: sums,
 * references. For diagnostics; requests wait meanwhile.
 *
 *     main: standstill_begin() ─▶ workers: each() ─ wait ─▶ main: all() ─▶ workers go on
 *
 * A worker does not wait for ever: when another one does not come within STANDSTILL_MS it goes on, and all() is told
 * that it does not see a whole. So long, too, may a worker_set_join() take that comes in between.
 */
#ifndef LOOP_STANDSTILL_H
#define LOOP_STANDSTILL_H

#include "loop/worker.h"

#define STANDSTILL_MS 2000

struct standstill_ops {
	/* On each worker's thread. */
	void (*each)(struct worker *w, void *arg);
	/*
	 * On the thread of the mailbox, last, once. still: all workers wait, and what they wrote is seen. Else they run,
	 * and only what may be looked at while they do is looked at.
	 */
	void (*all)(bool still, void *arg);
};

/*
 * Main thread; box is its mailbox, finished after the set was joined: all() is called there at the latest. ops stay in
 * place until then.
 */
void standstill_begin(struct worker_set *set, struct mailbox *box, const struct standstill_ops *ops,
		      void *arg);

#endif
