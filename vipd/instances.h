// SPDX-License-Identifier: MIT
/*
 * All virtual routers of the daemon, kept in step with the configuration.
 */
#ifndef INSTANCES_H
#define INSTANCES_H

#include "instance.h"
#include "ipc/stats.h"

struct instances; /* private to instances.c */

struct instances_env {
	struct ev_loop *loop;
	const char *run_dir;
	/* Of stats_kinds, for one worker. */
	struct stats *stats;
	/* A line for watchers. */
	void (*event)(void *arg, const char *text);
	/* After instances_stop(): the last one is done. */
	void (*stopped)(void *arg);
	void *arg;
};

/* Opens netlink, starts the instances. NULL with e. */
struct instances *instances_new(const struct instances_env *env, const struct vip_conf *conf,
				struct err *e);
void instances_free(struct instances *s); /* ends at once what still runs; NULL is fine */

/*
 * Instances are paired by name. One that stays the same router keeps its state; one that is gone
 * stops as planned.
 */
void instances_reload(struct instances *s, const struct vip_conf *conf);

/* Planned; env->stopped follows, maybe before the return. */
void instances_stop(struct instances *s);

/* Aborts if an invariant is broken. Between calls of the loop; also done at the end of a reload. */
void instances_check(const struct instances *s);

void instances_report(const struct instances *s, struct text *to, bool json);

#endif
