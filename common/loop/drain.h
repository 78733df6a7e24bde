// SPDX-License-Identifier: MIT
/*
 * Draining: every worker is told to take no more work and then checks from time to time whether it is idle; when all
 * are, the main thread is told.
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
