// SPDX-License-Identifier: MIT
/*
 * SIEVE eviction (Zhang et al., NSDI 2024): a queue in order of arrival and a hand that walks from the oldest to the
 * newest, sparing once each object that was hit since it last came by. A hit sets one flag; nothing moves.
 *
 * Pure but for the flag, which readers set without a lock. The caller guards all else.
 */
#ifndef EDGE_SIEVE_H
#define EDGE_SIEVE_H

#include <stdatomic.h>

#include "base/def.h"

struct sieve_node {
	struct sieve_node *newer, *older; /* private; newer NULL for the newest */
	_Atomic bool visited;
	bool queued; /* ro */
};

struct sieve {
	struct sieve_node *newest, *oldest, *hand; /* private */
	unsigned count;				   /* ro */
};

void sieve_insert(struct sieve *s, struct sieve_node *n);
void sieve_remove(struct sieve *s, struct sieve_node *n); /* nothing if it is not queued */

static inline void sieve_visit(struct sieve_node *n)
{
	if (!atomic_load_explicit(&n->visited, memory_order_relaxed))
		atomic_store_explicit(&n->visited, true, memory_order_relaxed);
}

/* The next to evict, still queued, or NULL when all are pinned. */
struct sieve_node *sieve_victim(struct sieve *s, bool (*pinned)(const struct sieve_node *n));

unsigned sieve_check(const struct sieve *s); /* see slab_check() */

#endif
