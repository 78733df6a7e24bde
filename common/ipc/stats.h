// SPDX-License-Identifier: MIT
/*
 * A daemon's counters in shared memory: one block a worker, on cache lines of its own, so that counting is an
 * add to memory nobody else writes; readers sum the blocks. Names travel in the table, so greenpictl can print the
 * counters of any daemon.
 *
 *	#define LBD_STATS(X) X(requests, COUNTER, "requests received") X(conns, GAUGE, "connections open")
 *	enum { STATS_ENUM(LBD_STATS) };                          gives STAT_requests, STAT_conns
 *	static const struct stats_name names[] = {STATS_NAMES(LBD_STATS)};
 */
#ifndef IPC_STATS_H
#define IPC_STATS_H

#include "ipc/shmem.h"

#define STATS_MAGIC  0x47505354u /* GPST */
#define STATS_LAYOUT 1u

enum stats_kind { STATS_COUNTER = 'c', STATS_GAUGE = 'g' };

struct stats_name {
	char name[39];
	uint8_t kind; /* enum stats_kind */
};
_Static_assert(sizeof(struct stats_name) == 40, "fixed layout");

#define STATS_ENUM_ROW_(name, kind, prose)  STAT_##name,
#define STATS_NAME_ROW_(name, kind_, prose) {#name, STATS_##kind_},
#define STATS_ENUM(LIST)		    LIST(STATS_ENUM_ROW_)
#define STATS_NAMES(LIST)		    LIST(STATS_NAME_ROW_)

typedef _Atomic uint64_t stats_cell;

struct stats {
	struct shmem shmem; /* ro */
	stats_cell *cells;  /* private: first block */
	unsigned count, blocks, stride;
	void *heap; /* private: where the blocks are when there is no table */
};

/* Makes the table. When that fails (e is set, -1) the counters still work, unseen by others. */
int stats_create(struct stats *s, const char *path, const struct stats_name *names, unsigned count,
		 unsigned blocks, struct err *e);
void stats_fini(struct stats *s);

/* Block of worker i: an array of count cells. */
static inline stats_cell *stats_block(const struct stats *s, unsigned i)
{
	MUST(i < s->blocks);
	return s->cells + (size_t)i * s->stride;
}

/* By the block's own worker only. Gauges go down by adding a negative number. */
static inline void stats_add(stats_cell *cell, int64_t n)
{
	uint64_t v = atomic_load_explicit(cell, memory_order_relaxed);
	atomic_store_explicit(cell, v + (uint64_t)n, memory_order_relaxed);
}

static inline void stats_set(stats_cell *cell, uint64_t v)
{
	atomic_store_explicit(cell, v, memory_order_relaxed);
}

static inline uint64_t stats_get(const stats_cell *cell)
{
	return atomic_load_explicit(cell, memory_order_relaxed);
}

uint64_t stats_sum(const struct stats *s, unsigned index); /* over the blocks */

/* ---- another process's table */
struct stats_view {
	struct shmem shmem;
	unsigned count;		 /* ro */
	unsigned blocks, stride; /* private: as they were when they were checked */
	const stats_cell *cells; /* private */
};

int stats_view_open(struct stats_view *v, const char *path, struct err *e);
void stats_view_close(struct stats_view *v);
struct stats_name stats_view_name(const struct stats_view *v, unsigned index); /* terminated */
uint64_t stats_view_sum(const struct stats_view *v, unsigned index);
/* By name; false when there is no such counter. */
bool stats_view_get(const struct stats_view *v, const char *name, uint64_t *value);

#endif
