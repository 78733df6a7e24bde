// SPDX-License-Identifier: MIT
/* A worker's side of lbd: the shell's part, its connections to the pools, its access log. */
#ifndef LB_FRONT_H
#define LB_FRONT_H

#include "access_log.h"
#include "conf.h"
#include "http/client.h"
#include "loop/deadline.h"
#include "server.h"
#include "shell.h"
#include "stats.h"

struct front {
	struct shell_worker base;
	const struct stats *stats;		   /* the table */
	struct http_client *clients[LB_POOLS_MAX]; /* by pool id */
	struct deadline_class on_silence;	   /* of tunnels */
	struct http_client_idle idle;		   /* of all of them */
	struct access_log log;
	unsigned running; /* requests now */
};

static inline struct front *front_from(struct shell_worker *w)
{
	return container_of(w, struct front, base);
}

static inline struct front *front_of(const struct http_exchange *x)
{
	return front_from(shell_worker_of(x));
}

/* Counting, by the worker itself. n may be negative for gauges. */
static inline void lb_count(const struct front *f, unsigned counter, int64_t n)
{
	stats_add(&f->base.stats[counter], n);
}

static inline stats_cell *lb_cells(const struct front *f, unsigned kind, unsigned slot)
{
	return stats_cells(f->stats, kind, slot, f->base.worker->id);
}

static inline void lb_count_frontend(const struct front *f, const struct lb_bind *b,
				     unsigned counter, int64_t n)
{
	stats_add(&lb_cells(f, STATS_FRONTEND, b->slot)[counter], n);
}

static inline void lb_count_pool(const struct front *f, const struct lb_pool *p, unsigned counter,
				 int64_t n)
{
	stats_add(&lb_cells(f, STATS_POOL, p->live->slot)[counter], n);
}

static inline void lb_count_server(const struct front *f, const struct server *s, unsigned counter,
				   int64_t n)
{
	stats_add(&lb_cells(f, STATS_SERVER, s->slot)[counter], n);
}

/* Of a counter of type MAX. */
static inline void lb_max_server(const struct front *f, const struct server *s, unsigned counter,
				 uint64_t value)
{
	stats_max(&lb_cells(f, STATS_SERVER, s->slot)[counter], value);
}

/* shell_ops */
extern const struct http_server_ops front_server_ops;
struct http_listener_conf front_listener_conf(const struct daemon_generation *g,
					      const struct addr *listen);
void front_init(struct shell_worker *w);
void front_fini(struct shell_worker *w);
void front_apply(struct shell_worker *w);
void front_publish(struct shell_worker *w);

/* The rest on the worker's thread. Drops kept connections to a server that went down. */
void front_forget(struct front *f, const struct addr *server);

/* The client for a pool, made when first used. */
struct http_client *front_client(struct front *f, const struct lb_pool *p);

/* Which bind of its generation a request came in by; NULL when a reload took it away meanwhile. */
const struct lb_bind *front_bind(const struct front *f, const struct http_exchange *x);

#endif
