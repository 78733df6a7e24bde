// SPDX-License-Identifier: MIT
/* A worker's side of edged: the shell's part, its connections to the origin, its fetches. */
#ifndef EDGE_FRONT_H
#define EDGE_FRONT_H

#include "conf.h"
#include "http/client.h"
#include "index.h"
#include "loop/deadline.h"
#include "shell.h"
#include "stats.h"

struct front {
	struct shell_worker base;
	struct index *index;
	struct http_client *origin;
	struct http_client_idle idle;	  /* of origin */
	struct deadline_class on_silence; /* of tunnels */
	struct slab fetches;
};

static inline struct front *front_from(struct shell_worker *w)
{
	return container_of(w, struct front, base);
}

static inline struct front *front_of(const struct http_exchange *x)
{
	return front_from(shell_worker_of(x));
}

static inline void front_count(struct front *f, unsigned stat)
{
	stats_add(&f->base.stats[stat], 1);
}

/* shell_ops */
extern const struct http_server_ops front_server_ops;
struct http_listener_conf front_listener_conf(const struct daemon_generation *g,
					      const struct addr *listen);
void front_init(struct shell_worker *w);
void front_fini(struct shell_worker *w);
void front_apply(struct shell_worker *w);

#endif
