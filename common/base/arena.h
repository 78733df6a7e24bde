// SPDX-License-Identifier: MIT
/*
 * Bump allocation with one owner and one life: a request's, or a generation of configuration.
 *
 * Pieces are not freed singly; the whole arena is reset or finished. Under AddressSanitizer every piece is
 * a malloc of its own, so that overruns and use after reset are seen. Not thread-safe.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

struct arena_chunk; /* private to arena.c */

struct arena {
	char *next, *end;	    /* private: free part of the current chunk */
	struct arena_chunk *chunks; /* private: chunks got from malloc */
	char *first;		    /* private: the owner's own block, or NULL */
	size_t first_size;	    /* private */
	size_t used, cap;	    /* ro: bytes handed out since reset, and their limit */
};

#define ARENA_UNLIMITED SIZE_MAX

/*
 * first is a block that the owner lends (and keeps across resets and frees after fini), or NULL. Up
 * to its size no malloc happens. At most cap bytes are handed out between resets.
 */
void arena_init(struct arena *a, void *first, size_t first_size, size_t cap);
void arena_reset(struct arena *a);
void arena_fini(struct arena *a); /* accepts a zeroed arena */

/*
 * n bytes, aligned for any type, not zeroed; NULL once cap would be passed (never when unlimited:
 * aborts on OOM).
 */
void *arena_alloc(struct arena *a, size_t n);
void *arena_calloc(struct arena *a, size_t n); /* the same, zeroed */

#define ARENA_NEW(a, type)	((type *)arena_calloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_calloc((a), sizeof(type) * (size_t)(n)))

/*
 * Copies s; .p is NULL when the cap was reached. The copy is followed by a NUL not counted in .n.
 */
struct str arena_str(struct arena *a, struct str s);
/* Formatted text, NUL-terminated; .p NULL when the cap was reached. */
struct str arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

unsigned arena_check(const struct arena *a); /* see slab_check() */

#endif
