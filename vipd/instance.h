// SPDX-License-Identifier: MIT
/*
 * One virtual router: the state machine with its socket, timer, interface, addresses, announcements
 * and tracked daemon.
 *
 * It lives from instance_new() to instance_free() on one loop. It never gives up: whatever is
 * missing (interface, carrier, address, socket) is waited for.
 */
#ifndef INSTANCE_H
#define INSTANCE_H

#include "ipc/report.h"
#include "netlink.h"
#include "vip_conf.h"
#include "vrrp_fsm.h"

struct instance; /* private to instance.c */

/* What an instance needs of its daemon; must outlive it. */
struct instance_env {
	struct ev_loop *loop;
	struct netlink *netlink;
	const char *run_dir;	    /* of the tracked daemon's socket and table */
	uint64_t _Atomic *counters; /* STAT_COUNT cells */
	/* A line for watchers: "instance VI_1 state MASTER ...". */
	void (*event)(void *arg, const char *text);
	/* A stop is complete; free it soon, but not in this call. */
	void (*done)(void *arg, struct instance *i);
	void *arg;
};

/* The configuration is copied. Starts at once. */
struct instance *instance_new(const struct instance_env *env, const struct vip_conf_instance *conf);

/* Ends at once: a master sends priority 0 and removes its addresses. NULL is fine. */
void instance_free(struct instance *i);

/*
 * Planned end: a master sends priority 0 and answers until its successor has taken over; env->done
 * follows, maybe before the return.
 */
void instance_stop(struct instance *i);

/*
 * Goes on by another configuration of the same router (vip_conf_same_router()), keeping its state.
 */
void instance_change(struct instance *i, const struct vip_conf_instance *conf);

const struct vip_conf_instance *instance_conf(const struct instance *i);
enum vrrp_fsm_state instance_state(const struct instance *i);

/* Aborts if an invariant is broken. Between calls of the loop. */
void instance_check(const struct instance *i);

/* One line of text, or a JSON object. */
void instance_report(const struct instance *i, struct report *r);

#endif
