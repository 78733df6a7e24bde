// SPDX-License-Identifier: MIT
/*
 * A linear buffer over somebody else's memory: bytes come in at the tail and leave at the head.
 * When it runs empty both ends go back to the start, so a buffer that is drained never needs
 * compaction.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/str.h"

struct buf {
	char *mem;		  /* ro: NULL while the buffer has no memory */
	uint32_t cap, head, tail; /* ro: bytes are in [head, tail) */
};

static inline void buf_attach(struct buf *b, void *mem, size_t cap)
{
	*b = (struct buf){.mem = mem, .cap = (uint32_t)cap};
}

/* Gives the memory back to the caller; the buffer must be considered empty. */
static inline void *buf_detach(struct buf *b)
{
	void *mem = b->mem;
	*b = (struct buf){0};
	return mem;
}

static inline struct str buf_data(const struct buf *b)
{
	return str_of(b->mem + b->head, b->tail - b->head);
}

static inline size_t buf_len(const struct buf *b)
{
	return b->tail - b->head;
}

static inline size_t buf_room(const struct buf *b)
{
	return b->cap - b->tail;
}

static inline char *buf_end(const struct buf *b)
{
	return b->mem + b->tail;
}

static inline void buf_added(struct buf *b, size_t n)
{
	MUST(n <= buf_room(b));
	b->tail += (uint32_t)n;
}

static inline void buf_consume(struct buf *b, size_t n)
{
	MUST(n <= buf_len(b));
	b->head += (uint32_t)n;
	if (b->head == b->tail)
		b->head = b->tail = 0;
}

/* Moves the contents to the start. Slices that point into the buffer become wrong. */
static inline void buf_compact(struct buf *b)
{
	if (b->head == 0)
		return;
	memmove(b->mem, b->mem + b->head, buf_len(b));
	b->tail -= b->head;
	b->head = 0;
}

#endif
