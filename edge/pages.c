// SPDX-License-Identifier: MIT
/*
 * Next fit over a bitmap, a word at a time where whole words are taken or free. A search looks at the whole map
 * once at most; if no run is long enough the longest one found is returned, so a fragmented cache still stores objects
 * in several extents.
 */
#include "pages.h"

bool pages_taken(const struct pages *p, uint32_t page)
{
	return p->used[page / 64] >> (page % 64) & 1;
}

static void mark(struct pages *p, struct extent e, bool use)
{
	for (uint32_t i = e.page; i < e.page + e.count; i++) {
		if (use)
			p->used[i / 64] |= UINT64_C(1) << (i % 64);
		else
			p->used[i / 64] &= ~(UINT64_C(1) << (i % 64));
	}
	p->free += use ? -e.count : e.count;
}

void pages_init(struct pages *p, uint32_t total)
{
	*p = (struct pages){.total = total, .free = total};
	p->used = def_xcalloc(total / 64 + 1, sizeof(uint64_t));
}

void pages_fini(struct pages *p)
{
	free(p->used);
	*p = (struct pages){0};
}

/* First free page at or after from, or total. */
static uint32_t next_free(const struct pages *p, uint32_t from)
{
	while (from < p->total) {
		uint64_t word = ~p->used[from / 64] >> (from % 64);
		if (word) {
			from += (uint32_t)__builtin_ctzll(word);
			return MIN(from, p->total);
		}
		from = (from / 64 + 1) * 64;
	}
	return p->total;
}

static uint32_t run_length(const struct pages *p, uint32_t from, uint32_t most)
{
	uint32_t n = 0;
	while (n < most && from + n < p->total && !pages_taken(p, from + n))
		n++;
	return n;
}

/* The best run in [from, to); stops at the first that is long enough. */
static struct extent search(const struct pages *p, uint32_t from, uint32_t to, uint32_t want,
			    struct extent best)
{
	while (best.count < want) {
		uint32_t at = next_free(p, from);
		if (at >= to)
			break;
		uint32_t n = run_length(p, at, want);
		if (n > best.count)
			best = (struct extent){.page = at, .count = n};
		from = at + n;
	}
	return best;
}

bool pages_alloc(struct pages *p, uint32_t want, struct extent *e)
{
	struct extent best = {0};
	if (p->free == 0 || want == 0)
		return false;
	best = search(p, p->hint, p->total, want, best);
	if (best.count < want)
		best = search(p, 0, p->hint, want, best);
	if (best.count == 0)
		return false;
	mark(p, best, true);
	p->hint = best.page + best.count < p->total ? best.page + best.count : 0;
	*e = best;
	return true;
}

void pages_release(struct pages *p, struct extent e)
{
	MUST((uint64_t)e.page + e.count <= p->total);
	for (uint32_t i = e.page; i < e.page + e.count; i++)
		MUST(pages_taken(p, i));
	mark(p, e, false);
}

bool pages_claim(struct pages *p, struct extent e)
{
	if (e.count == 0 || (uint64_t)e.page + e.count > p->total)
		return false;
	for (uint32_t i = 0; i < e.count; i++)
		if (pages_taken(p, e.page + i))
			return false;
	mark(p, e, true);
	return true;
}

unsigned pages_check(const struct pages *p)
{
	uint32_t used = 0;
	for (uint32_t i = 0; i <= p->total / 64; i++)
		used += (uint32_t)__builtin_popcountll(p->used[i]);
	MUST(used <= p->total && p->free == p->total - used && p->hint <= p->total);
	for (uint32_t i = p->total; i < (p->total / 64 + 1) * 64; i++)
		MUST(!pages_taken(p, i));
	return 1;
}
