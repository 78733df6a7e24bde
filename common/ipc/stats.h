// SPDX-License-Identifier: MIT
/*
 * A daemon's counters in shared memory. A table has kinds of objects (lbd: the process, frontends, pools, servers), a
 * kind has counters, and an object has a slot: one block of cells for each worker, on cache lines of its own. So
 * counting is an add to memory that one thread writes; readers combine the workers' cells. Names, types and prose
 * travel in the table, so that greenpictl prints any daemon's counters without knowing the daemon.
 *
 *	#define SERVER_COUNTERS(X) \
 *		X(requests, COUNTER, "requests sent to it", "stot") X(running, GAUGE, "requests it has now")
 *	enum { STATS_ENUM(SERVER_COUNTERS) };                          gives STAT_requests, STAT_running
 *	static const struct stats_counter rows[] = {STATS_ROWS(SERVER_COUNTERS)};
 *	static const struct stats_kind kinds[] = {STATS_KIND("server", "Each server.", 4096, rows)};
 *
 * The last word of a row is the column of HAProxy's CSV that shows the counter, and may be absent.
 */
#ifndef IPC_STATS_H
#define IPC_STATS_H

#include "base/str.h"
#include "ipc/shmem.h"

#define STATS_MAGIC  0x47505354u /* GPST */
#define STATS_LAYOUT 2u

enum {
	STATS_KINDS_MAX = 8,
	STATS_NAME_SIZE = 128, /* of an object */
};

enum stats_type {
	STATS_COUNTER = 'c', /* grows; the workers' sum */
	STATS_GAUGE = 'g',   /* goes up and down, also below zero; the workers' sum */
	STATS_MAX = 'm',     /* the largest of the workers' */
};

/* ---- what a daemon declares; all of it static */
struct stats_counter {
	const char *name, *prose;
	const char *column; /* of HAProxy's CSV, or "" */
	enum stats_type type;
};

struct stats_kind {
	const char *name, *prose;
	unsigned capacity; /* objects; 1: there is one, which has no name */
	const struct stats_counter *counters;
	unsigned n;
};

#define STATS_ENUM_ROW_(name, ...) STAT_##name,
#define STATS_ENUM(LIST)	   LIST(STATS_ENUM_ROW_)
#define STATS_ROW_(name_, type_, prose_, ...)                                                      \
	{.name = #name_, .prose = prose_, .column = "" __VA_ARGS__, .type = STATS_##type_},
#define STATS_ROWS(LIST) LIST(STATS_ROW_)
#define STATS_KIND(name_, prose_, capacity_, rows_)                                                \
	{                                                                                          \
		.name = name_, .prose = prose_, .capacity = capacity_, .counters = rows_,          \
		.n = ARRAY_LEN(rows_)                                                              \
	}

/* ---- the table: header, directory, kinds, counters, then for each kind the names and the cells of its slots */
struct stats_directory {
	uint32_t kinds, counters, workers;
	uint32_t kinds_at, counters_at; /* byte offsets */
	uint32_t reserved[11];
};
_Static_assert(sizeof(struct stats_directory) == 64, "fixed layout");

struct stats_kind_row {
	char name[24], prose[68];
	uint32_t counters, first; /* how many, the first one's index among all */
	uint32_t slots;
	uint32_t stride; /* cells of a worker's block, a multiple of a cache line */
	uint32_t names_at, cells_at;
	uint32_t single;	 /* capacity was 1 */
	_Atomic uint32_t used;	 /* slots that have their names */
	_Atomic uint32_t shared; /* objects that share slot 0, since no slot was left */
};
_Static_assert(sizeof(struct stats_kind_row) == 128, "fixed layout");
_Static_assert(offsetof(struct stats_kind_row, used) == 120, "fixed layout");

struct stats_counter_row {
	char name[40], column[23];
	uint8_t type; /* enum stats_type */
	char prose[192];
};
_Static_assert(sizeof(struct stats_counter_row) == 256, "fixed layout");
_Static_assert(offsetof(struct stats_counter_row, prose) == 64, "fixed layout");

typedef _Atomic uint64_t stats_cell;
_Static_assert(sizeof(stats_cell) == 8, "fixed layout");

/* ---- a reader: another process's table, or the own one. Nothing in it is trusted: offsets are checked when it is
 * opened and kept here, texts are copied out and terminated. */
struct stats_view_kind {
	char name[sizeof(((struct stats_kind_row *)0)->name)]; /* ro */
	unsigned counters;				       /* ro */
	bool single;					       /* ro */
	unsigned first, slots, stride;			       /* private */
	uint32_t names_at, cells_at;			       /* private */
};

struct stats_view {
	struct shmem shmem;	   /* private */
	unsigned n_kinds, workers; /* ro */
	struct stats_view_kind kind[STATS_KINDS_MAX];
	uint32_t kinds_at, counters_at; /* private */
};

int stats_view_open(struct stats_view *v, const char *path, struct err *e);
void stats_view_close(struct stats_view *v); /* also of one that was never opened, if zeroed */
bool stats_view_is_open(const struct stats_view *v);
/* Another file, or none, is at path now: time to open it anew. */
bool stats_view_stale(const struct stats_view *v, const char *path);
int64_t stats_view_age_us(const struct stats_view *v, int64_t now_us); /* of the last heartbeat */
uint32_t stats_view_pid(const struct stats_view *v);		       /* of the writer */

/* Index of the kind of that name, or -1. */
int stats_view_find(const struct stats_view *v, struct str kind);
/* Slots to look at: 0 .. n - 1. Slots do not move, and an object keeps the one it has. */
unsigned stats_view_slots(const struct stats_view *v, unsigned kind);
/* The object's name, terminated; "" of a single one. False: there is nothing in this slot. */
bool stats_view_object(const struct stats_view *v, unsigned kind, unsigned slot,
		       char to[STATS_NAME_SIZE]);
struct stats_counter_row stats_view_counter(const struct stats_view *v, unsigned kind,
					    unsigned counter);
/* Over all workers. A gauge is to be read as int64_t. */
uint64_t stats_view_value(const struct stats_view *v, unsigned kind, unsigned slot,
			  unsigned counter);
/* A counter of the first kind's first object, by name; false when there is none of that name. */
bool stats_view_get(const struct stats_view *v, const char *name, uint64_t *value);

/* ---- the writer */
struct stats {
	struct stats_view view; /* ro: of this very table */
	bool published;		/* ro: others can see it */
};

/*
 * Makes the table. When that fails (e is set, -1) the counters still work, unseen by others. Its file is as large as
 * all capacities want, but only the used parts take memory.
 */
int stats_create(struct stats *s, const char *path, const struct stats_kind *kinds,
		 unsigned n_kinds, unsigned workers, struct err *e);
void stats_fini(struct stats *s); /* the file stays; also of a zeroed one */
void stats_heartbeat(struct stats *s, int64_t now_us);

/*
 * The slot of an object, by name: the one it has had before, or a new one. A slot is never given to another object. When
 * all are taken, or memory is out, it is slot 0, which such objects share; a log line says so. Main thread.
 */
unsigned stats_slot(struct stats *s, unsigned kind, struct str name);

/* A worker's cells of an object, one a counter. */
static inline stats_cell *stats_cells(const struct stats *s, unsigned kind, unsigned slot,
				      unsigned worker)
{
	const struct stats_view_kind *k = &s->view.kind[kind];
	MUST(kind < s->view.n_kinds && slot < k->slots && worker < s->view.workers);
	stats_cell *first = (stats_cell *)(void *)((char *)s->view.shmem.mem + k->cells_at);
	return first + ((size_t)slot * s->view.workers + worker) * k->stride;
}

/* By the cell's own worker only. Gauges go down by adding a negative number. */
static inline void stats_add(stats_cell *cell, int64_t n)
{
	uint64_t v = atomic_load_explicit(cell, memory_order_relaxed);
	atomic_store_explicit(cell, v + (uint64_t)n, memory_order_relaxed);
}

static inline void stats_set(stats_cell *cell, uint64_t v)
{
	atomic_store_explicit(cell, v, memory_order_relaxed);
}

static inline void stats_max(stats_cell *cell, uint64_t v)
{
	if (v > atomic_load_explicit(cell, memory_order_relaxed))
		stats_set(cell, v);
}

static inline uint64_t stats_get(const stats_cell *cell)
{
	return atomic_load_explicit(cell, memory_order_relaxed);
}

/* Over all workers, as stats_view_value(). */
static inline uint64_t stats_value(const struct stats *s, unsigned kind, unsigned slot,
				   unsigned counter)
{
	return stats_view_value(&s->view, kind, slot, counter);
}

#endif
