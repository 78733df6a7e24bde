// SPDX-License-Identifier: MIT
/*
 * An arena hands out the bytes between next and end and moves next up. When they do not suffice, a
 * chunk is got from malloc, and whichever of the two has more left is the current one. A reset
 * frees the chunks and goes back to the owner's first block, so the common request never meets
 * malloc at all.
 *
 * Invariants: every piece starts at a multiple of ALIGN; used is the sum of the rounded sizes
 * handed out, so that the cap trips at the same piece with and without AddressSanitizer; used <=
 * cap.
 *
 * Under AddressSanitizer next and end stay NULL, and each piece has a chunk of its own.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

#if defined(__SANITIZE_ADDRESS__)
#define PIECE_IS_CHUNK 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PIECE_IS_CHUNK 1
#endif
#endif
#ifndef PIECE_IS_CHUNK
#define PIECE_IS_CHUNK 0
#endif

#define ALIGN	  _Alignof(max_align_t)
#define CHUNK_MIN 4096u
#define CHUNK_MAX 65536u

struct arena_chunk {
	struct arena_chunk *next;
	_Alignas(max_align_t) char bytes[];
};

static size_t round_up(size_t n)
{
	return (n + (ALIGN - 1)) & ~(ALIGN - 1);
}

static void rewind_to_first(struct arena *a)
{
	size_t skew = (ALIGN - (uintptr_t)a->first % ALIGN) % ALIGN;
	a->used = 0;
	a->next = a->end = NULL;
	if (!PIECE_IS_CHUNK && a->first && a->first_size > skew) {
		a->next = a->first + skew;
		a->end = a->first + a->first_size;
	}
}

void arena_init(struct arena *a, void *first, size_t first_size, size_t cap)
{
	*a = (struct arena){.first = first, .first_size = first_size, .cap = cap};
	rewind_to_first(a);
}

void arena_reset(struct arena *a)
{
	while (a->chunks) {
		struct arena_chunk *chunk = a->chunks;
		a->chunks = chunk->next;
		free(chunk);
	}
	rewind_to_first(a);
}

void arena_fini(struct arena *a)
{
	arena_reset(a);
	*a = (struct arena){0};
}

/*
 * A piece of size bytes from a new chunk. Chunks grow with what was used, so they stay few. The new
 * one becomes the current one only if it has more left than the old one: a large piece does not
 * waste a chunk's rest.
 */
static void *from_new_chunk(struct arena *a, size_t size)
{
	size_t room = PIECE_IS_CHUNK ? size : MAX(size, MIN(MAX(a->used, CHUNK_MIN), CHUNK_MAX));
	struct arena_chunk *chunk = malloc(sizeof(*chunk) + room);
	if (!chunk) {
		MUST(a->cap != ARENA_UNLIMITED);
		return NULL;
	}
	chunk->next = a->chunks;
	a->chunks = chunk;
	if (room - size > (size_t)(a->end - a->next)) {
		a->next = chunk->bytes + size;
		a->end = chunk->bytes + room;
	}
	return chunk->bytes;
}

void *arena_alloc(struct arena *a, size_t n)
{
	size_t counted = round_up(MAX(n, 1u));
	char *piece = a->next;
	if (UNLIKELY(n > SIZE_MAX / 2 || counted > a->cap - a->used)) {
		MUST(a->cap != ARENA_UNLIMITED);
		return NULL;
	}
	if (PIECE_IS_CHUNK || UNLIKELY(counted > (size_t)(a->end - a->next)))
		piece = from_new_chunk(a, PIECE_IS_CHUNK ? n : counted);
	else
		a->next += counted;
	if (LIKELY(piece))
		a->used += counted;
	return piece;
}

void *arena_calloc(struct arena *a, size_t n)
{
	void *piece = arena_alloc(a, n);
	if (piece)
		memset(piece, 0, n);
	return piece;
}

struct str arena_str(struct arena *a, struct str s)
{
	char *copy = arena_alloc(a, s.n + 1);
	if (!copy)
		return STR_NONE;
	if (s.n > 0)
		memcpy(copy, s.p, s.n);
	copy[s.n] = '\0';
	return str_of(copy, s.n);
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
	char small[256], *text;
	va_list args, again;
	int n;
	va_start(args, fmt);
	va_copy(again, args);
	n = vsnprintf(small, sizeof(small), fmt, args);
	va_end(args);
	MUST(n >= 0);
	text = arena_alloc(a, (size_t)n + 1);
	if (text && (size_t)n < sizeof(small))
		memcpy(text, small, (size_t)n + 1);
	else if (text)
		vsnprintf(text, (size_t)n + 1, fmt, again);
	va_end(again);
	return str_of(text, text ? (size_t)n : 0);
}

unsigned arena_check(const struct arena *a)
{
	size_t chunks = 0;
	MUST(a->used <= a->cap && a->used % ALIGN == 0);
	MUST(a->next <= a->end && !a->next == !a->end && (uintptr_t)a->next % ALIGN == 0);
	/* Each chunk was got for one piece at least. */
	for (const struct arena_chunk *c = a->chunks; c; c = c->next)
		MUST(++chunks <= a->used / ALIGN);
	return 1;
}
