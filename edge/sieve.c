// SPDX-License-Identifier: MIT
#include "sieve.h"

void sieve_insert(struct sieve *s, struct sieve_node *n)
{
	MUST(!n->queued);
	n->newer = NULL;
	n->older = s->newest;
	atomic_store_explicit(&n->visited, false, memory_order_relaxed);
	n->queued = true;
	if (s->newest)
		s->newest->newer = n;
	else
		s->oldest = n;
	s->newest = n;
	s->count++;
}

void sieve_remove(struct sieve *s, struct sieve_node *n)
{
	if (!n->queued)
		return;
	if (s->hand == n)
		s->hand = n->newer;
	*(n->newer ? &n->newer->older : &s->newest) = n->older;
	*(n->older ? &n->older->newer : &s->oldest) = n->newer;
	n->newer = n->older = NULL;
	n->queued = false;
	s->count--;
}

struct sieve_node *sieve_victim(struct sieve *s, bool (*pinned)(const struct sieve_node *n))
{
	struct sieve_node *n = s->hand ? s->hand : s->oldest;
	/* Two rounds: the first may only clear flags. */
	for (unsigned left = 2 * s->count; left; left--) {
		struct sieve_node *next = n->newer ? n->newer : s->oldest;
		bool visited = atomic_exchange_explicit(&n->visited, false, memory_order_relaxed);
		if (!visited && !pinned(n)) {
			s->hand = n;
			return n;
		}
		n = next;
	}
	s->hand = n;
	return NULL;
}

unsigned sieve_check(const struct sieve *s)
{
	const struct sieve_node *older = NULL;
	bool hand = !s->hand;
	unsigned n = 0;
	for (const struct sieve_node *one = s->oldest; one; older = one, one = one->newer, n++) {
		MUST(one->queued && one->older == older && n < s->count);
		hand |= one == s->hand;
	}
	MUST(s->newest == older && n == s->count && hand);
	return 1;
}
