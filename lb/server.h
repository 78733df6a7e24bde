// SPDX-License-Identifier: MIT
/*
 * Pools and servers as they live: state that outlasts a generation of configuration. They are made by
 * the main thread, found again by name after a reload, and never freed before the daemon ends.
 *
 * State is atomic and read by every worker. The pick of a pool is behind one mutex, held for a pass over a handful
 * of servers, so that round robin is exact across workers.
 *
 * What makes a server usable: the operator has not disabled it, healthd does not call it down, and lbd itself has
 * not just met two failed connections in a row (it is then left out for 10 s, 20 s, 40 s … up to 5 min, but never
 * the last one standing).
 */
#ifndef LB_SERVER_H
#define LB_SERVER_H

#include <pthread.h>
#include <stdatomic.h>

#include "conf.h"
#include "ipc/health.h"
#include "pick_rr.h"
#include "sticky.h"

enum server_admin { SERVER_READY, SERVER_DRAIN, SERVER_MAINT };

#define SERVER_NO_SLOT UINT32_MAX

struct server {
	char name[64], pool_name[64];
	struct addr addr;	    /* main thread sets it; see server_join() */
	_Atomic uint32_t admin;	    /* enum server_admin */
	_Atomic uint32_t health;    /* enum health_state */
	_Atomic uint32_t failures;  /* failed connections in a row */
	_Atomic uint32_t ejections; /* in a row, for the next one's length */
	_Atomic int64_t ejected_until_us;
	_Atomic int64_t changed_s;	/* wall clock of the last change of health */
	_Atomic uint32_t downs;		/* changes to down */
	_Atomic uint32_t current, peak; /* requests in progress over all workers; the most ever */
	uint32_t slot;	     /* of its counters; main thread sets it before workers see it */
	struct pick_rr rr;   /* under the pool's mutex */
	unsigned turn;	     /* main thread's: the last of the pool's in which it was */
	struct server *next; /* in the pool */
};

struct pool {
	char name[64];
	unsigned id;		/* 0.. in order of appearance: index of a worker's clients */
	uint32_t slot;		/* of its counters */
	pthread_mutex_t lock;	/* rr of its servers */
	unsigned turn, members; /* main thread's: counts generations; servers of the last one */
	struct server *servers;
	struct pool *next;
};

struct pools; /* the registry; main thread */

struct pools *server_pools_new(void);
void server_pools_free(struct pools *p);
/*
 * Finds or makes the live pools and servers of a generation and puts them in its config; nothing that is in force
 * changes. False when there have been more than LB_POOLS_MAX pools by different names since the start.
 */
bool server_join(struct pools *p, struct lb_config *c, struct err *e);
/* The generation goes into force: its weights are the servers'. */
void server_weigh(const struct lb_config *c);

/* Of the generation's servers, joined before: each, and the one of that name or NULL. */
void server_each(const struct lb_config *c, void (*f)(struct server *s, void *arg), void *arg);
struct server *server_find(const struct lb_config *c, struct str pool, struct str name);

bool server_up(const struct server *s); /* checks and operator agree */
bool server_ejected(const struct server *s, int64_t now_us);
const char *server_status(const struct server *s,
			  int64_t now_us); /* "UP", "DOWN", "MAINT", "DRAIN", "EJECTED" */

/* What a connection taught us. failed: true only when the server could not be reached. */
void server_connected(struct server *s);
/* Returns true when this failure ejected it. */
bool server_failed(struct server *s, int64_t now_us);

/* The next server of p by its algorithm, none of those whose bit is set in avoid unless there is no other; index
 * into p->servers, or -1 when none is usable. */
int server_pick(const struct lb_pool *p, uint64_t avoid, int64_t now_us);
/*
 * Aborts unless the invariants hold, and each server's current is what attempts() counts; attempts NULL: workers run,
 * and what they count is not looked at. Returns how many structures it looked at.
 */
unsigned server_check(const struct pools *p,
		      unsigned (*attempts)(const struct server *s, void *arg), void *arg);

/* Whom the cookie means; see sticky_find(). */
struct sticky_match server_sticky(const struct lb_pool *p, const struct http_head *request,
				  int64_t now_us);

#endif
