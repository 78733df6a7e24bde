// SPDX-License-Identifier: MIT
/*
 * Which pages of the mapping are free: a bitmap on the heap, rebuilt at start. Pure; the caller locks.
 */
#ifndef EDGE_PAGES_H
#define EDGE_PAGES_H

#include "base/def.h"

struct extent {
	uint32_t page, count;
};

struct pages {
	uint64_t *used; /* private: one bit a page */
	uint32_t total; /* ro */
	uint32_t free;	/* ro */
	uint32_t hint;	/* private: where the last search ended */
};

void pages_init(struct pages *p, uint32_t total);
void pages_fini(struct pages *p);

/* A run of at most want pages: the first that is long enough, else the longest found. False when nothing is free. */
bool pages_alloc(struct pages *p, uint32_t want, struct extent *e);
void pages_release(struct pages *p, struct extent e);
/* Takes exactly e, as a record from an earlier process says; false when it is out of range or partly taken. */
bool pages_claim(struct pages *p, struct extent e);

bool pages_taken(const struct pages *p, uint32_t page);
unsigned pages_check(const struct pages *p); /* see slab_check() */

#endif
