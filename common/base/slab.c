// SPDX-License-Identifier: MIT
/*
 * A slab is a stack of objects kept for reuse: the one put back last is got first, while its lines
 * are still in the processor's cache. An object on the stack carries the link in its own first
 * bytes. Objects come from the system one by one, so a worker costs the memory it has needed, not
 * its cap.
 *
 * Invariants: kept is the length of the stack, kept <= keep; used <= cap unless the cap was
 * lowered. Under AddressSanitizer nothing is kept, so that use after put and double puts are seen.
 */
#include "base/slab.h"

#if defined(__SANITIZE_ADDRESS__)
#define KEEP_NONE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEP_NONE 1
#endif
#endif
#ifndef KEEP_NONE
#define KEEP_NONE 0
#endif

struct slab_free {
	struct slab_free *next;
};

void slab_init(struct slab *s, size_t size, uint32_t cap, uint32_t keep)
{
	size_t lines = (MAX(size, sizeof(struct slab_free)) + CACHE_LINE - 1) / CACHE_LINE;
	*s = (struct slab){.size = lines * CACHE_LINE, .cap = cap, .keep = KEEP_NONE ? 0 : keep};
}

void slab_fini(struct slab *s)
{
	MUST(s->used == 0);
	while (s->free) {
		struct slab_free *object = s->free;
		s->free = object->next;
		free(object);
	}
	*s = (struct slab){0};
}

void slab_set_cap(struct slab *s, uint32_t cap)
{
	s->cap = cap;
}

void *slab_get(struct slab *s)
{
	struct slab_free *object = s->free;
	if (UNLIKELY(s->used >= s->cap)) {
		s->refused++;
		return NULL;
	}
	if (LIKELY(object)) {
		s->free = object->next;
		s->kept--;
	} else {
		object = aligned_alloc(CACHE_LINE, s->size);
		if (!object) {
			s->refused++;
			return NULL;
		}
	}
	s->used++;
	return object;
}

void slab_put(struct slab *s, void *object)
{
	struct slab_free *head = object;
	if (!head)
		return;
	MUST(s->used > 0);
	s->used--;
	if (s->kept >= s->keep) {
		free(head);
		return;
	}
	head->next = s->free;
	s->free = head;
	s->kept++;
}

void slab_find(struct slab *s)
{
	s->found = 0;
}

void slab_found(struct slab *s)
{
	s->found++;
}

void slab_check_found(const struct slab *s)
{
	MUST(s->found == s->used);
}

unsigned slab_check(const struct slab *s)
{
	uint32_t n = 0;
	for (const struct slab_free *f = s->free; f; f = f->next, n++)
		MUST(n < s->kept && (uintptr_t)f % CACHE_LINE == 0);
	MUST(n == s->kept && s->kept <= s->keep);
	MUST(s->size >= sizeof(struct slab_free) && s->size % CACHE_LINE == 0);
	return 1;
}
