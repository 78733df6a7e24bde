// SPDX-License-Identifier: MIT
/*
 * A free list over aligned_alloc. The list is a stack, so the object given out is the one whose cache lines
 * are warmest.
 */
#include "base/slab.h"

#if defined(__SANITIZE_ADDRESS__)
#define KEEP_NOTHING 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEP_NOTHING 1
#endif
#endif
#ifndef KEEP_NOTHING
#define KEEP_NOTHING 0
#endif

struct slab_free {
	struct slab_free *next;
};

void slab_init(struct slab *s, size_t size, uint32_t cap, uint32_t keep)
{
	size_t rounded = (MAX(size, sizeof(struct slab_free)) + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
	*s = (struct slab){.size = rounded, .cap = cap, .keep = KEEP_NOTHING ? 0 : keep};
}

void slab_fini(struct slab *s)
{
	MUST(s->used == 0);
	while (s->free) {
		struct slab_free *f = s->free;
		s->free = f->next;
		free(f);
	}
	s->kept = 0;
}

void *slab_get(struct slab *s)
{
	struct slab_free *f = s->free;
	if (UNLIKELY(s->used >= s->cap)) {
		s->refused++;
		return NULL;
	}
	if (LIKELY(f != NULL)) {
		s->free = f->next;
		s->kept--;
	} else {
		f = aligned_alloc(CACHE_LINE, s->size);
		if (!f) {
			s->refused++;
			return NULL;
		}
	}
	s->used++;
	return f;
}

void slab_put(struct slab *s, void *object)
{
	if (!object)
		return;
	MUST(s->used > 0);
	s->used--;
	if (s->kept >= s->keep) {
		free(object);
		return;
	}
	struct slab_free *f = object;
	f->next = s->free;
	s->free = f;
	s->kept++;
}
