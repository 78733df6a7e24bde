// SPDX-License-Identifier: MIT
/*
 * Objects of one size, got and put back without malloc, never more than a cap: a worker's
 * connections and buffers. At the cap slab_get() returns NULL, and the caller sheds load. Not
 * thread-safe: a slab belongs to one worker. Under AddressSanitizer each object is a malloc of its
 * own.
 */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include "base/def.h"

struct slab_free; /* private */

struct slab {
	struct slab_free *free; /* private: objects kept for reuse */
	size_t size;		/* ro: bytes of one object */
	uint32_t cap;		/* ro: objects that may be out at once */
	uint32_t used;		/* ro: objects out now */
	uint32_t kept;		/* ro: objects on the free list */
	uint32_t found;		/* private: see slab_found() */
	uint32_t keep;		/* ro: above this many, put returns memory to the system */
	uint64_t refused;	/* ro: gets that met the cap */
};

void slab_init(struct slab *s, size_t size, uint32_t cap, uint32_t keep);
void slab_fini(struct slab *s); /* all objects must be back */

/* A cap below what is out stops slab_get() until enough came back. */
void slab_set_cap(struct slab *s, uint32_t cap);

/* An object with undefined contents aligned to 64 bytes, or NULL at the cap (or out of memory). */
void *slab_get(struct slab *s);
void slab_put(struct slab *s, void *object); /* object may be NULL */

/* Aborts unless the invariants hold; returns 1, the number of structures looked at, as every x_check() does. */
unsigned slab_check(const struct slab *s);

/*
 * Are the objects that are out those that holders have? Begins to count; then each holder that is checked says so once
 * for each object it has; slab_check_found() aborts unless they have all.
 */
void slab_find(struct slab *s);
void slab_found(struct slab *s);
void slab_check_found(const struct slab *s);

#endif
