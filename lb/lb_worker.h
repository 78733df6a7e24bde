// SPDX-License-Identifier: MIT
/* A worker's part of lbd: the shell's part, its connections to the pools, its access log. */
#ifndef LB_LB_WORKER_H
#define LB_LB_WORKER_H

#include "access_log.h"
#include "base/list.h"
#include "conf.h"
#include "http/client.h"
#include "loop/deadline.h"
#include "server.h"
#include "shell.h"
#include "stats.h"

struct lb_worker {
	struct shell_worker base;
	const struct stats *stats;		   /* the table */
	struct http_client *clients[LB_POOLS_MAX]; /* by pool id */
	struct deadline_class on_silence;	   /* of tunnels */
	struct http_client_idle idle;		   /* of all of them */
	struct access_log log;
	struct list proxies; /* requests now */
	unsigned running;    /* how many */
};

static inline struct lb_worker *lb_worker_from(struct shell_worker *base)
{
	MAGIC_CHECK(base, SHELL_WORKER_MAGIC);
	return container_of(base, struct lb_worker, base);
}

static inline struct lb_worker *lb_worker_of(const struct http_exchange *x)
{
	return lb_worker_from(shell_worker_of(x));
}

/* Counting, on the worker's thread only. n may be negative for gauges. */
static inline void lb_count(const struct lb_worker *w, unsigned counter, int64_t n)
{
	MUST(counter < STAT_COUNT);
	stats_add(&w->base.stats[counter], n);
}

static inline stats_cell *lb_cells(const struct lb_worker *w, unsigned kind, unsigned slot)
{
	return stats_cells(w->stats, kind, slot, w->base.worker->id);
}

static inline void lb_count_frontend(const struct lb_worker *w, const struct lb_bind *b,
				     unsigned counter, int64_t n)
{
	MUST(counter < FRONTEND_STAT_COUNT);
	stats_add(&lb_cells(w, STATS_FRONTEND, b->slot)[counter], n);
}

static inline void lb_count_pool(const struct lb_worker *w, const struct lb_pool *p,
				 unsigned counter, int64_t n)
{
	MUST(counter < POOL_STAT_COUNT);
	stats_add(&lb_cells(w, STATS_POOL, p->live->slot)[counter], n);
}

static inline void lb_count_server(const struct lb_worker *w, const struct server *s,
				   unsigned counter, int64_t n)
{
	MUST(counter < SERVER_STAT_COUNT);
	stats_add(&lb_cells(w, STATS_SERVER, s->slot)[counter], n);
}

/* Of a counter of type MAX. */
static inline void lb_max_server(const struct lb_worker *w, const struct server *s,
				 unsigned counter, uint64_t value)
{
	MUST(counter < SERVER_STAT_COUNT);
	stats_max(&lb_cells(w, STATS_SERVER, s->slot)[counter], value);
}

/* shell_ops */
extern const struct http_server_ops lb_worker_server_ops;
struct http_listener_conf lb_worker_listener_conf(const struct daemon_generation *g,
						  const struct addr *listen);
void lb_worker_init(struct shell_worker *base);
void lb_worker_fini(struct shell_worker *base);
void lb_worker_apply(struct shell_worker *base);
void lb_worker_publish(struct shell_worker *base);
unsigned lb_worker_check(struct shell_worker *base);

/* The rest on the worker's thread. Closes idle connections to a server that went down. */
void lb_worker_forget(struct lb_worker *w, const struct addr *server);

/* The client of a pool, made when first used. */
struct http_client *lb_worker_client(struct lb_worker *w, const struct lb_pool *p);

#endif
