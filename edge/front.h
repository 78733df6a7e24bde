// SPDX-License-Identifier: MIT
/* A worker's side of edged: its http_server, its connections to the origin, its counters, its configuration. */
#ifndef EDGE_FRONT_H
#define EDGE_FRONT_H

#include "conf.h"
#include "http/client.h"
#include "http/server.h"
#include "index.h"
#include "ipc/listener.h"
#include "stats.h"

struct front {
	struct worker *worker;
	struct index *index;
	struct daemon_generation *gen; /* for new requests */
	struct http_server *server;
	struct http_client *origin;
	struct slab fetches;
	stats_cell *stats;
	struct http_server_stats seen;
	struct ev_timer tidy;
};

static inline struct front *front_of(const struct http_exchange *x)
{
	return x->worker->ctx;
}

static inline void front_count(struct front *f, unsigned stat)
{
	stats_add(&f->stats[stat], 1);
}

/* On the worker's thread. */
void front_init(struct front *f, struct worker *w, struct index *ix, struct daemon_generation *g,
		stats_cell *stats);
void front_listen(struct front *f, const struct listener *l);
void front_apply(struct front *f, struct daemon_generation *g); /* takes a reference */
void front_drain(struct front *f);
bool front_idle(const struct front *f);
void front_fini(struct front *f);

#endif
