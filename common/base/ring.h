// SPDX-License-Identifier: MIT
/*
 * A bounded queue of bytes from one producer thread to one consumer thread, lock-free. What one ring_put() adds
 * becomes visible as a whole. Neither side waits: a full ring refuses, an empty one has nothing.
 *
 * Putting and looking at the fill level are sequentially consistent, so a consumer may announce that it goes to
 * sleep, look once more, and sleep; the producer puts, then looks for the announcement. One of the two sees the other.
 */
#ifndef BASE_RING_H
#define BASE_RING_H

#include <stdatomic.h>

#include "base/def.h"

struct ring {
	uint32_t magic; /* private, all of it */
	uint32_t size;
	char *mem;
	/* The producer's: bytes put since the beginning (modulo 2^32), and tail when it last looked. */
	_Alignas(CACHE_LINE) _Atomic uint32_t head;
	uint32_t tail_seen;
	/* The consumer's: bytes taken since the beginning. */
	_Alignas(CACHE_LINE) _Atomic uint32_t tail;
};

/* size: bytes, a power of two up to 2^31. Aborts when memory is out. Before the two threads use it. */
void ring_init(struct ring *r, uint32_t size);
void ring_fini(struct ring *r);

/* ---- the producer */

/* Adds n bytes and returns true, unless fewer than keep bytes would then be free: false, nothing is added. */
bool ring_put(struct ring *r, const void *data, uint32_t n, uint32_t keep);

/* ---- the consumer */

/* Copies the first n bytes, or all if there are fewer, without taking them; returns how many. */
uint32_t ring_copy(const struct ring *r, void *to, uint32_t n);
/* Removes the first n bytes; so many must be there. */
void ring_take(struct ring *r, uint32_t n);

/* ---- either */

/* Bytes in it now. The other side may be changing it: the producer sees at least, the consumer at most that many
 * left a moment later. */
uint32_t ring_used(const struct ring *r);

#endif
