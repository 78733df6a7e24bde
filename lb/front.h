// SPDX-License-Identifier: MIT
/*
 * A worker's side of lbd: its listening sockets, its http_server, its connections to the pools, its counters, and
 * the generation of configuration that new requests begin with.
 */
#ifndef LB_FRONT_H
#define LB_FRONT_H

#include "access_log.h"
#include "conf.h"
#include "http/client.h"
#include "http/server.h"
#include "ipc/listener.h"
#include "server.h"
#include "stats.h"

struct front {
	struct worker *worker;
	struct daemon_generation *gen; /* for new requests */
	struct http_server *server;
	struct http_client *clients[LB_POOLS_MAX]; /* by pool id */
	struct access_log log;
	stats_cell *stats;
	struct http_server_stats seen; /* of server, as last added to stats */
	struct ev_timer tidy;	       /* once a second: the slow counters */
	const struct listener *listening[LB_BINDS_MAX];
	unsigned n_listening;
	unsigned running; /* requests now */
};

static inline struct front *front_of(const struct http_exchange *x)
{
	return x->worker->ctx;
}

/* On the worker's thread. */
void front_init(struct front *f, struct worker *w, struct daemon_generation *g, stats_cell *stats);
void front_fini(struct front *f);
/* Works by generation g from now on (a reference is taken), listening on exactly these. */
void front_apply(struct front *f, struct daemon_generation *g, struct listener *const *listeners,
		 unsigned n);
/* Stop accepting; done when front_idle(). */
void front_drain(struct front *f);
bool front_idle(const struct front *f);
/* Drops kept connections to a server that went down. */
void front_forget(struct front *f, const struct addr *server);

/* The client for a pool, made when first used. */
struct http_client *front_client(struct front *f, const struct lb_pool *p);

/* Which bind of its generation a request came in by; NULL when a reload took it away meanwhile. */
const struct lb_bind *front_bind(const struct front *f, const struct http_exchange *x);

#endif
