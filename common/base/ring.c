// SPDX-License-Identifier: MIT
/*
 * head and tail run on and wrap with 32 bits; their difference is the fill level, their value modulo size the place.
 * Each is written by one side. The producer keeps the last tail that it saw, so it touches the consumer's cache line
 * only when the ring looks full.
 */
#include "base/ring.h"

#include <string.h>

#define RING_MAGIC 0x52494e47u /* RING */

void ring_init(struct ring *r, uint32_t size)
{
	MUST(size > 0 && size <= UINT32_C(1) << 31 && (size & (size - 1)) == 0);
	r->mem = def_xmalloc(size);
	r->size = size;
	atomic_init(&r->head, 0);
	atomic_init(&r->tail, 0);
	r->tail_seen = 0;
	MAGIC_SET(r, RING_MAGIC);
}

void ring_fini(struct ring *r)
{
	MAGIC_WIPE(r, RING_MAGIC);
	free(r->mem);
	r->mem = NULL;
}

bool ring_put(struct ring *r, const void *data, uint32_t n, uint32_t keep)
{
	uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	uint64_t need = (uint64_t)n + keep;
	if (r->size - (head - r->tail_seen) < need) {
		r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
		if (r->size - (head - r->tail_seen) < need)
			return false;
	}
	uint32_t at = head & (r->size - 1), first = MIN(n, r->size - at);
	memcpy(r->mem + at, data, first);
	memcpy(r->mem, (const char *)data + first, n - first);
	atomic_store(&r->head, head + n);
	return true;
}

uint32_t ring_copy(const struct ring *r, void *to, uint32_t n)
{
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	uint32_t used = atomic_load_explicit(&r->head, memory_order_acquire) - tail;
	n = MIN(n, used);
	uint32_t at = tail & (r->size - 1), first = MIN(n, r->size - at);
	memcpy(to, r->mem + at, first);
	memcpy((char *)to + first, r->mem, n - first);
	return n;
}

void ring_take(struct ring *r, uint32_t n)
{
	MAGIC_CHECK(r, RING_MAGIC);
	MUST(n <= ring_used(r));
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	atomic_store_explicit(&r->tail, tail + n, memory_order_release);
}

uint32_t ring_used(const struct ring *r)
{
	/* In this order the difference cannot be negative: tail only follows head. */
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);
	return atomic_load(&r->head) - tail;
}
