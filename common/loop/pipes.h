// SPDX-License-Identifier: MIT
/*
 * A worker's pipes, kept for reuse: making one costs two system calls and the kernel's memory for it. Not thread-safe.
 */
#ifndef LOOP_PIPES_H
#define LOOP_PIPES_H

#include "base/def.h"

#define PIPES_KEPT 16  /* empty ones, kept warm */
#define PIPES_MAX  256 /* each may hold 64 KiB of the kernel's memory */

/* Non-blocking, close-on-exec. The holder counts what is in it. */
struct pipes_pair {
	int in, out; /* write end, read end; -1, -1: none */
};

struct pipes {
	struct pipes_pair kept[PIPES_KEPT]; /* private */
	unsigned n_kept, n_out, n_found;    /* private */
	unsigned max;			    /* private: of both together */
};

void pipes_init(struct pipes *p);
void pipes_fini(struct pipes *p); /* all must be back */

/* Of kept and out together; 0..PIPES_MAX, which it is at first. Those that are out stay out. */
void pipes_set_max(struct pipes *p, unsigned max);

/* False: too many are out, or no descriptors. */
bool pipes_get(struct pipes *p, struct pipes_pair *pair);
/* empty: nothing is left in it, so that another may have it. pair becomes -1, -1. */
void pipes_put(struct pipes *p, struct pipes_pair *pair, bool empty);

unsigned pipes_check(const struct pipes *p); /* see slab_check() */
/* As slab_find() and its like. A pair that is -1, -1 does not count. */
void pipes_find(struct pipes *p);
void pipes_found(struct pipes *p, const struct pipes_pair *pair);
void pipes_check_found(const struct pipes *p);

#endif
