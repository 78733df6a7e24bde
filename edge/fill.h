// SPDX-License-Identifier: MIT
/*
 * Filling an object: by one fetch, on one worker. Each step wakes the object's waiters.
 */
#ifndef EDGE_FILL_H
#define EDGE_FILL_H

#include "index.h"

struct fill_head {
	struct str vary, head; /* copied */
	uint16_t status;
	uint64_t length; /* of the body, or OBJECT_LENGTH_UNKNOWN */
	struct freshness fresh;
};

/* BUSY to STREAMING, and linked in place of what it supersedes. False: there is no room; the object is unchanged. */
bool fill_begin(struct index *ix, struct object *o, const struct fill_head *h);

/* Where the next body bytes go, and how many fit there; NULL: the cache has no more room. */
char *fill_space(struct index *ix, struct object *o, size_t *room);
void fill_added(struct index *ix, struct object *o, size_t n);

/* Complete: SEALED, and committed to the store. */
void fill_seal(struct index *ix, struct object *o);
/* BUSY or STREAMING to FAILED. status: of the responses to the waiting requests. */
void fill_fail(struct index *ix, struct object *o, uint16_t status);
/* STREAMING to OVERFLOWED: it is too large for the cache. Unlinked; readers get what there is. */
void fill_overflow(struct index *ix, struct object *o);
/* BUSY to HIT_FOR_MISS: the response may not be stored. For lifetime_s requests for this key are not collapsed. */
void fill_hit_for_miss(struct index *ix, struct object *o, int64_t now_us, uint32_t lifetime_s);
/* SEALED, validated: new freshness. */
void fill_refresh(struct index *ix, struct object *o, const struct freshness *f);
/* BUSY to UNCHANGED: the target of a validation that ended with 304. The stale object is used as it is. */
void fill_unchanged(struct index *ix, struct object *o);
/* Superseded: unlinked, and its waiters look again. */
void fill_drop(struct index *ix, struct object *o);
/* The waiters look again: a validation failed. */
void fill_wake(struct index *ix, struct object *o);

#endif
