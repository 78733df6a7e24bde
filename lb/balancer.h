// SPDX-License-Identifier: MIT
/*
 * The daemon as a whole, on its main thread: listening sockets, workers with their fronts, live pools, and the
 * passing of a generation of configuration to the workers.
 */
#ifndef LB_BALANCER_H
#define LB_BALANCER_H

#include "front.h"
#include "loop/drain.h"
#include "health_view.h"

struct balancer {
	struct daemon *daemon;
	struct worker_set *set;
	unsigned workers;
	struct front *fronts; /* one a worker */
	struct pools *pools;
	struct listener *listeners;
	struct stats stats;
	struct health_view_state health;
	struct mailbox mailbox; /* from the workers */
	struct drain *drain;	/* while stopping */
	struct ev_timer beat;
};

int balancer_start(struct daemon *d, struct err *e);
int balancer_reload(struct daemon *d, struct daemon_generation *old, struct err *e);
void balancer_stop(struct daemon *d);
bool balancer_alive(struct daemon *d);
void balancer_finish(struct daemon *d);

#endif
