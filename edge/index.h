// SPDX-License-Identifier: MIT
/*
 * From key to object: shards by hash, each with a mutex held for a look-up of well under a microsecond, a hash
 * table and an eviction queue. Misses are collapsed here: the first request gets a BUSY object to fill, all others get
 * the same object to wait on.
 *
 * Lock order: a shard's lock before the store's. Two shard locks are never held together; no callback runs under
 * one but the Vary match, which is pure.
 */
#ifndef EDGE_INDEX_H
#define EDGE_INDEX_H

#include "object.h"

struct index;

struct index *index_new(struct store *s); /* with the objects of the store's records */
void index_free(struct index *ix);
struct store *index_store(struct index *ix);
uint64_t index_hash(const struct index *ix, struct str key);

enum index_result {
	INDEX_FOUND, /* *o: STREAMING, SEALED or HIT_FOR_MISS; *f: its freshness */
	INDEX_BUSY,  /* *o: it is being fetched */
	INDEX_NEW,   /* *o: BUSY; the caller has to fetch it */
	INDEX_FULL,  /* no memory: pass */
};

/* May a stored response with this Vary data be used for the request at arg? Pure. */
typedef bool index_match(struct str vary, const void *arg);

/* The caller gets a reference to *o. now_us: objects past their retention are dropped here. */
enum index_result index_lookup(struct index *ix, uint64_t hash, struct str key, index_match *match,
			       const void *arg, int64_t now_us, struct object **o,
			       struct freshness *f);

/* A new object, not yet linked, for a response that supersedes a stale or hit-for-miss object: BUSY, one
 * reference. NULL: no memory. */
struct object *index_new_object(struct index *ix, uint64_t hash, struct str key);

/* An object's freshness as it is now. */
struct freshness index_freshness(struct index *ix, const struct object *o);
/* Is it still in the index: neither purged nor superseded? */
bool index_holds(struct index *ix, const struct object *o);

/* Removes every variant of the key; soft: only makes them stale. Returns how many. */
unsigned index_purge(struct index *ix, uint64_t hash, struct str key, bool soft);
/* All keys that begin with prefix; visits every object. */
unsigned index_purge_prefix(struct index *ix, struct str prefix, bool soft);

/* ---- for fill.c */
struct index_shard; /* private */
void index_lock(struct index *ix, const struct object *o);
void index_unlock(struct index *ix, const struct object *o);
bool index_locked(struct index *ix, const struct object *o); /* by the calling thread */
/* With the lock held. link: into table and queue, in place of the objects it supersedes; not if a purge came
 * since the object was requested. */
void index_link(struct index *ix, struct object *o);
/* The index's reference is released at the unlock. */
void index_unlink(struct index *ix, struct object *o);
void index_wake(struct index *ix, struct object *o); /* lock held: all waiters' tickets */
/* Frees at least want pages if anything unpinned is left. Without locks. */
bool index_evict(struct index *ix, uint32_t want);

/* ---- waiting */
/* Progress of o from now on wakes w's ticket. Look at the object again after this. One object at a time. */
void index_subscribe(struct index *ix, struct waiter *w, struct object *o);
void index_unsubscribe(struct index *ix, struct waiter *w); /* nothing if it is not subscribed */

/* Aborts unless the invariants hold; any thread, any time. Returns the number of structures checked. */
unsigned index_check(struct index *ix);
/* Each linked object. one() is called with its shard locked, and must not change it. */
void index_each(struct index *ix, void (*one)(const struct object *o, void *arg), void *arg);

struct index_stats {
	uint64_t objects, evicted, expired, purged;
	uint64_t pages, pages_free;
};
void index_get_stats(struct index *ix, struct index_stats *st);

#endif
