// SPDX-License-Identifier: MIT
/*
 * A response in the cache, from its first request until it is evicted.
 *
 *     BUSY ──head──▶ STREAMING ──complete──▶ SEALED
 *       ├──not cacheable──▶ HIT_FOR_MISS  └──too large for the cache──▶ OVERFLOWED
 *       ├──origin failed──▶ FAILED  (STREAMING too)
 *       └──304──▶ UNCHANGED  (the target of a validation: the stale object is used, this one is not needed)
 *
 * HIT_FOR_MISS has no response: it says that requests for the key are not collapsed.
 *
 * Objects are counted: the index holds one reference while it is linked, every delivery and the fetch hold their
 * own; the last unref frees the pages. Head and body are written by one fetch and never change once seen; readers
 * follow `filled`. What may change, freshness and the list of waiters, is guarded by the lock of the index shard.
 */
#ifndef EDGE_OBJECT_H
#define EDGE_OBJECT_H

#include <stdatomic.h>
#include <sys/uio.h>

#include "base/str.h"
#include "loop/ticket.h"
#include "sieve.h"
#include "store.h"

enum object_state {
	OBJECT_BUSY,
	OBJECT_STREAMING,
	OBJECT_SEALED,
	OBJECT_HIT_FOR_MISS,
	OBJECT_FAILED,
	OBJECT_OVERFLOWED,
	OBJECT_UNCHANGED
};

#define OBJECT_LENGTH_UNKNOWN UINT64_MAX

/* RFC 9111 §4.2, as far as the cache keeps it. */
struct freshness {
	int64_t received_us; /* of the response, or of its last validation */
	uint32_t age_s;	     /* at that time */
	uint32_t lifetime_s, grace_s, keep_s;
	uint8_t flags; /* STORE_MUST_REVALIDATE, STORE_NO_CACHE */
};

struct waiter;

#define OBJECT_MAGIC 0x4f424a31u
#define WAITER_MAGIC 0x57414954u

/* Written by index.c and fill.c; serve.c also sets `refreshing`. */
struct object {
	struct object *next;	 /* private to index.c: in its bucket */
	struct sieve_node sieve; /* private to index.c */
	struct waiter *waiters;	 /* shard lock */
	struct freshness fresh;	 /* shard lock */
	uint64_t hash;		 /* ro */
	uint32_t magic;
	_Atomic uint32_t refs;	 /* see object_ref() */
	_Atomic uint8_t state;	 /* enum object_state */
	_Atomic bool refreshing; /* a validation or refresh is under way */
	bool linked;		 /* shard lock */
	uint32_t epoch; /* of its shard at the request: after a purge it is not linked any more */
	_Atomic uint8_t extents; /* grows while it fills; each is written before it is counted */
	uint16_t status;
	uint16_t fail_status; /* FAILED: of the responses to waiting requests */
	uint16_t key_len, vary_len;
	uint32_t head_len;
	uint32_t record;	 /* STORE_NO_RECORD: not stored */
	_Atomic uint64_t filled; /* body bytes written */
	_Atomic uint64_t length; /* of the body, or OBJECT_LENGTH_UNKNOWN */
	struct extent extent[STORE_EXTENTS];
	char key[];
};

/*
 * A request, on any worker, that wants to hear of an object's progress: its place in the object's list. Embedded in
 * the request's state, which keeps it in place while it is subscribed.
 */
struct waiter {
	uint32_t magic;	       /* private: WAITER_MAGIC while subscribed */
	struct waiter *next;   /* private; shard lock */
	struct object *object; /* ro: subscribed to, a reference; NULL when not */
	struct ticket *ticket; /* the embedder's: what is woken */
};

static inline enum object_state object_state(const struct object *o)
{
	return (enum object_state)atomic_load_explicit(&o->state, memory_order_acquire);
}

static inline bool object_has_head(const struct object *o)
{
	enum object_state s = object_state(o);
	return s == OBJECT_STREAMING || s == OBJECT_SEALED;
}

static inline struct str object_key(const struct object *o)
{
	return str_of(o->key, o->key_len);
}

/* From STREAMING on. Key, Vary data and head are contiguous in the first extent. */
struct str object_vary(const struct store *s, const struct object *o);
struct str object_head(const struct store *s, const struct object *o);

/* At most max pieces of the body from offset to what is filled; returns their number and *total bytes. */
int object_body(const struct store *s, const struct object *o, uint64_t offset, struct iovec *iov,
		int max, size_t *total);

struct object *object_new(uint64_t hash, struct str key);
static inline struct object *object_ref(struct object *o)
{
	MAGIC_CHECK(o, OBJECT_MAGIC);
	atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
	return o;
}
void object_unref(struct store *s, struct object *o); /* accepts NULL */

/* Aborts unless the invariants of one that is not being written hold; waiters are the index's to check. */
void object_check(const struct object *o, const struct store *s);

#endif
