// SPDX-License-Identifier: MIT
/* A worker's part of edged: the shell's part, its connections to the origin, its fetches. */
#ifndef EDGE_EDGE_WORKER_H
#define EDGE_EDGE_WORKER_H

#include "base/list.h"
#include "conf.h"
#include "http/client.h"
#include "index.h"
#include "loop/deadline.h"
#include "shell.h"
#include "stats.h"

struct edge_worker {
	struct shell_worker base;
	struct index *index;
	struct http_client *origin;
	struct http_client_idle idle;	  /* of origin */
	struct deadline_class on_silence; /* of tunnels */
	struct slab fetches;
	struct list fetching; /* fetches */
	struct list serves;   /* requests that have state */
};

static inline struct edge_worker *edge_worker_from(struct shell_worker *base)
{
	MAGIC_CHECK(base, SHELL_WORKER_MAGIC);
	return container_of(base, struct edge_worker, base);
}

static inline struct edge_worker *edge_worker_of(const struct http_exchange *x)
{
	return edge_worker_from(shell_worker_of(x));
}

static inline void edge_worker_count(struct edge_worker *w, unsigned stat)
{
	stats_add(&w->base.stats[stat], 1);
}

/* shell_ops */
extern const struct http_server_ops edge_worker_server_ops;
struct http_listener_conf edge_worker_listener_conf(const struct daemon_generation *g,
						    const struct addr *listen);
void edge_worker_init(struct shell_worker *base);
void edge_worker_fini(struct shell_worker *base);
void edge_worker_apply(struct shell_worker *base);
unsigned edge_worker_check(struct shell_worker *base);

#endif
