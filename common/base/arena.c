// SPDX-License-Identifier: MIT
/*
 * A list of chunks, the newest first; only the newest is bumped. The owner's block is used before any chunk and
 * survives resets. Chunks grow with what is asked for, so a large piece costs one malloc and wastes nothing.
 *
 * Under AddressSanitizer each piece is a chunk of its own.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

#define ALIGN	   _Alignof(max_align_t)
#define CHUNK_SIZE 4096u

#if defined(__SANITIZE_ADDRESS__)
#define ONE_PIECE_A_CHUNK 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ONE_PIECE_A_CHUNK 1
#endif
#endif
#ifndef ONE_PIECE_A_CHUNK
#define ONE_PIECE_A_CHUNK 0
#endif

struct arena_chunk {
	struct arena_chunk *older;
	_Alignas(max_align_t) char data[];
};

void arena_init(struct arena *a, void *first, size_t first_size, size_t cap)
{
	*a = (struct arena){.first = first, .first_size = first_size, .cap = cap};
	arena_reset(a);
}

static void free_chunks(struct arena *a)
{
	while (a->chunks) {
		struct arena_chunk *older = a->chunks->older;
		free(a->chunks);
		a->chunks = older;
	}
}

void arena_reset(struct arena *a)
{
	free_chunks(a);
	a->used = 0;
	a->next = a->end = a->first;
	if (a->first && !ONE_PIECE_A_CHUNK) {
		size_t skew = (ALIGN - (uintptr_t)a->first % ALIGN) % ALIGN;
		a->next = a->first + MIN(skew, a->first_size);
		a->end = a->first + a->first_size;
	}
}

void arena_fini(struct arena *a)
{
	free_chunks(a);
	*a = (struct arena){0};
}

static void *grow(struct arena *a, size_t n, size_t rounded)
{
	size_t size = ONE_PIECE_A_CHUNK ? n : MAX(rounded, CHUNK_SIZE - sizeof(struct arena_chunk));
	struct arena_chunk *c = malloc(sizeof(*c) + size);
	if (!c) {
		MUST(a->cap != ARENA_UNLIMITED);
		return NULL;
	}
	c->older = a->chunks;
	a->chunks = c;
	if (!ONE_PIECE_A_CHUNK && size - rounded > (size_t)(a->end - a->next)) {
		a->next = c->data + rounded;
		a->end = c->data + size;
	}
	return c->data;
}

void *arena_alloc(struct arena *a, size_t n)
{
	size_t rounded = (MAX(n, 1) + ALIGN - 1) & ~(ALIGN - 1);
	if (UNLIKELY(rounded < n || rounded > a->cap - a->used))
		return NULL;
	a->used += rounded;
	if (LIKELY(rounded <= (size_t)(a->end - a->next))) {
		void *p = a->next;
		a->next += rounded;
		return p;
	}
	return grow(a, n, rounded);
}

void *arena_calloc(struct arena *a, size_t n)
{
	void *p = arena_alloc(a, n);
	return p ? memset(p, 0, n) : NULL;
}

struct str arena_str(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);
	if (!p)
		return STR_NONE;
	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return str_of(p, s.n);
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	MUST(n >= 0);
	char *p = arena_alloc(a, (size_t)n + 1);
	if (p)
		vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return p ? str_of(p, (size_t)n) : STR_NONE;
}
