// SPDX-License-Identifier: MIT
/*
 * Ending in good order: every worker is told to take no more work, and looks now and then whether it is idle; when
 * the last one is, the main thread hears of it.
 */
#ifndef LOOP_DRAIN_H
#define LOOP_DRAIN_H

#include "loop/worker.h"

struct drain;

struct drain_ops {
	void (*begin)(struct worker *w); /* on the worker's thread, once */
	bool (*idle)(struct worker *w);	 /* on the worker's thread, every 50 ms */
	void (*done)(void *arg);	 /* on the main thread, once all are idle */
};

/* main_box: a mailbox of the calling thread. */
struct drain *drain_start(struct worker_set *set, struct mailbox *main_box,
			  const struct drain_ops *ops, void *arg);
/* After the workers were joined and main_box was finished, whether or not it came to its end; accepts NULL. */
void drain_free(struct drain *d);

#endif
