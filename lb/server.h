// SPDX-License-Identifier: MIT
/*
 * Live pools and servers: state that outlasts a generation of configuration. The main thread makes
 * them and finds them again by name after a reload; none is freed before the daemon ends.
 *
 * State is atomic and read by every worker. The pick of a pool is behind one mutex, held for a pass over a handful
 * of servers, so that round robin is exact across workers.
 *
 * A server is usable if the operator has not disabled it, healthd does not report it down, and lbd itself has not
 * just had two failed connections to it in a row (then it is ejected for 10 s, 20 s, 40 s … up to 5 min, but used all
 * the same if no other is left).
 */
#ifndef LB_SERVER_H
#define LB_SERVER_H

#include <stdatomic.h>

#include "base/mutex.h"
#include "conf.h"
#include "ipc/health.h"
#include "pick_rr.h"
#include "sticky.h"

#define SERVER_MAGIC 0x4c425356u
#define POOL_MAGIC   0x4c42504cu

enum server_admin { SERVER_READY, SERVER_DRAIN, SERVER_MAINT };

#define SERVER_NO_SLOT UINT32_MAX

/* ro, but for the atomics: those are changed by the functions below, by lb/proxy.c (current, peak) and by the main
 * thread (admin, health). */
struct server {
	uint32_t magic;
	char name[64], pool_name[64];
	struct addr addr;
	_Atomic uint32_t admin;	    /* enum server_admin */
	_Atomic uint32_t health;    /* enum health_state */
	_Atomic uint32_t failures;  /* failed connections in a row */
	_Atomic uint32_t ejections; /* in a row, for the next one's length */
	_Atomic int64_t ejected_until_us;
	_Atomic int64_t changed_s;	/* wall clock of the last change of health */
	_Atomic uint32_t downs;		/* changes to down */
	_Atomic uint32_t current, peak; /* requests in progress over all workers; the most ever */
	uint32_t slot;			/* of its counters; set before workers see it */
	struct pick_rr rr;		/* private, under the pool's mutex */
	unsigned round;	     /* private, main thread: the last round of the pool that it was in */
	struct server *next; /* private */
};

struct pool {
	uint32_t magic;
	char name[64];
	unsigned id;	   /* 0.. in order of appearance: index of a worker's clients */
	uint32_t slot;	   /* of its counters */
	struct mutex lock; /* private: guards rr of its servers */
	/* Private, main thread: the number of apply_weights() so far, and of servers in the last one. */
	unsigned round, members;
	struct server *servers; /* private */
	struct pool *next;	/* private */
};

struct pools; /* the registry; of the thread that made it, the main one */

struct pools *server_pools_new(void);
void server_pools_free(struct pools *p);
/*
 * Finds or makes the live pools and servers of a generation and puts them in its config; changes nothing for the active
 * generation. False when there have been more than LB_POOLS_MAX pools by different names since the start.
 */
bool server_attach(struct pools *p, struct lb_config *c, struct err *e);
/* The generation becomes active: the servers get its weights. */
void server_apply_weights(const struct lb_config *c);

/* Of the generation's servers, attached before: each; the one of that name, or NULL. */
void server_each(const struct lb_config *c, void (*f)(struct server *s, void *arg), void *arg);
struct server *server_find(const struct lb_config *c, struct str pool, struct str name);

bool server_up(
	const struct server *s); /* neither down by its checks nor disabled by the operator */
bool server_ejected(const struct server *s, int64_t now_us);
/* "UP", "DOWN", "MAINT", "DRAIN", "EJECTED" */
const char *server_status(const struct server *s, int64_t now_us);

/* The outcome of a connection. server_failed(): the server could not be reached. */
void server_connected(struct server *s);
/* Returns true if this failure ejected it. */
bool server_failed(struct server *s, int64_t now_us);

/* The next server of p by its algorithm, none of those whose bit is set in avoid unless there is no other; index
 * into p->servers, or -1 when none is usable. */
int server_pick(const struct lb_pool *p, uint64_t avoid, int64_t now_us);
/*
 * Aborts unless the invariants hold, and each server's current is what attempts() counts. attempts NULL: workers run,
 * so their counts are not compared. Returns the number of structures checked.
 */
unsigned server_check(const struct pools *p,
		      unsigned (*attempts)(const struct server *s, void *arg), void *arg);

/* The server that the cookie selects; see sticky_find(). */
struct sticky_match server_sticky(const struct lb_pool *p, const struct http_head *request,
				  int64_t now_us);

#endif
