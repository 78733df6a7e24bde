// SPDX-License-Identifier: MIT
/* The daemon as a whole, on its main thread: the store, the index, listeners, workers with their fronts. */
#ifndef EDGE_CACHE_H
#define EDGE_CACHE_H

#include "front.h"
#include "loop/drain.h"

struct cache {
	struct daemon *daemon;
	struct worker_set *set;
	unsigned workers;
	struct drain *drain; /* while stopping */
	struct front *fronts;
	struct store store;
	struct index *index;
	struct listener *listeners;
	struct stats stats;
	struct mailbox mailbox; /* from the workers */
	struct ev_timer beat;
};

int cache_start(struct daemon *d, struct err *e);
int cache_reload(struct daemon *d, struct daemon_generation *old, struct err *e);
void cache_stop(struct daemon *d);
bool cache_alive(struct daemon *d);
void cache_finish(struct daemon *d);

extern const struct ctl_command cache_commands[]; /* arg: the struct daemon */

#endif
