// SPDX-License-Identifier: MIT
/*
 * Filling an object: by one fetch, on one worker. Whoever waits is woken at each step.
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

/* BUSY to HEADED, and linked in place of what it supersedes. False: there is no room; the object is as it was. */
bool fill_begin(struct index *ix, struct object *o, const struct fill_head *h);

/* Where the next body bytes go, and how many fit there; NULL: no room and no more to be had. */
char *fill_space(struct index *ix, struct object *o, size_t *room);
void fill_added(struct index *ix, struct object *o, size_t n);

void fill_seal(struct index *ix,
	       struct object *o); /* complete: SEALED, and committed to the store */
/* BUSY or HEADED: it will not be. Who waits answers status. */
void fill_fail(struct index *ix, struct object *o, uint16_t status);
/* HEADED: it outgrew the cache. Out of the index; who reads it gets what there is. */
void fill_spill(struct index *ix, struct object *o);
/* BUSY: the answer may not be kept. For lifetime_s nobody waits for another's answer to this key. */
void fill_mark(struct index *ix, struct object *o, int64_t now_us, uint32_t lifetime_s);
/* SEALED, validated: fresh anew. */
void fill_refresh(struct index *ix, struct object *o, const struct freshness *f);
/* BUSY, the target of a validation that ended with 304: it is not needed, the stale object is good as it is. */
void fill_unchanged(struct index *ix, struct object *o);
/* Its place was taken, or it is of no use any more: out of the index, and who waits for it looks again. */
void fill_drop(struct index *ix, struct object *o);
/* Nothing changed, but who waits should look again (a validation failed). */
void fill_wake(struct index *ix, struct object *o);

#endif
