// SPDX-License-Identifier: MIT
/*
 * healthd's verdicts, applied to the live servers. Events on healthd's socket say when to read health.shm; it is not
 * polled. Without healthd the last verdicts are kept (before the first ones all servers count as up) and marked stale,
 * and lbd relies on its own connection failures. Main thread.
 */
#ifndef LB_HEALTH_VIEW_H
#define LB_HEALTH_VIEW_H

#include "daemon.h"
#include "ipc/watch.h"
#include "server.h"

struct health_view_state {
	uint32_t magic;	       /* private */
	struct daemon *daemon; /* private */
	void (*went_down)(const struct addr *server, void *arg);
	void *arg;
	struct watch watch;	  /* private */
	struct health_view table; /* private */
	struct ev_timer check;	  /* private */
	bool stale;		  /* ro: the verdicts are old */
	bool ever;		  /* private: there were some */
};

void health_view_start(struct health_view_state *v, struct daemon *d,
		       void (*went_down)(const struct addr *server, void *arg), void *arg);
void health_view_read(struct health_view_state *v); /* now: after a reload brought new servers */
void health_view_stop(struct health_view_state *v);

#endif
