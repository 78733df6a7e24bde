// SPDX-License-Identifier: MIT
/*
 * health.shm, written and kept alive: a heartbeat every 500 ms says that the verdicts are fresh.
 * Belongs to the main loop.
 */
#ifndef PUBLISH_H
#define PUBLISH_H

#include <ev.h>

#include "ipc/health.h"

struct publish {
	uint32_t magic;		   /* private */
	struct health_table table; /* private */
	struct ev_loop *loop;	   /* private */
	struct ev_timer beat;	   /* private */
	char path[256];		   /* private */
};

void publish_init(struct publish *p, struct ev_loop *loop, const char *path);
void publish_fini(struct publish *p); /* the file goes */

/*
 * The table of the healthd before this one: from the service manager after a restart, the file
 * after a crash. -1: none.
 */
int publish_open_last(const struct publish *p, struct health_view *v);

/* A new table of these records replaces the one before it. -1 with e set: that one goes on. */
int publish_table(struct publish *p, const struct health_record *records, unsigned n,
		  struct err *e);

void publish_record(struct publish *p, unsigned index, const struct health_record *r);

#endif
