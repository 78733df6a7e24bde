// SPDX-License-Identifier: MIT
// TEST-OF: edge
/* Pages and SIEVE, each against a plain model, step by random step (the seed is fixed). */
#include "pages.h"

#include <string.h>

#include "sieve.h"
#include "unit.h"

static uint32_t seed;

static uint32_t next_random(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % below;
}

/* ---- pages */

#define TOTAL 300

static void allocations_never_overlap(void **state UNUSED)
{
	struct pages p;
	struct extent held[TOTAL];
	char owner[TOTAL] = {0};
	unsigned n = 0;
	uint32_t free_pages = TOTAL;
	seed = 1;
	pages_init(&p, TOTAL);
	for (int step = 0; step < 20000; step++) {
		struct extent e;
		if (next_random(2) && n < TOTAL) {
			uint32_t want = 1 + next_random(20);
			if (!pages_alloc(&p, want, &e)) {
				assert_int_equal(free_pages, 0);
				continue;
			}
			assert_in_range(e.count, 1, want);
			for (uint32_t i = e.page; i < e.page + e.count; i++) {
				assert_int_equal(owner[i], 0);
				owner[i] = 1;
			}
			free_pages -= e.count;
			held[n++] = e;
		} else if (n) {
			unsigned i = next_random(n);
			memset(owner + held[i].page, 0, held[i].count);
			free_pages += held[i].count;
			pages_release(&p, held[i]);
			held[i] = held[--n];
		}
		assert_int_equal(p.free, free_pages);
		pages_check(&p);
	}
	pages_fini(&p);
}

static void a_whole_run_is_found_before_pieces(void **state UNUSED)
{
	struct pages p;
	struct extent e;
	pages_init(&p, 100);
	for (uint32_t i = 0; i < 100; i += 10)
		assert_true(pages_claim(&p, (struct extent){i, 3}));
	assert_true(pages_alloc(&p, 7, &e));
	assert_int_equal(e.count, 7);
	assert_true(pages_alloc(&p, 50, &e));
	assert_int_equal(e.count, 7); /* the longest there is */
	pages_fini(&p);
}

static void claims_are_checked(void **state UNUSED)
{
	struct pages p;
	pages_init(&p, 64);
	assert_true(pages_claim(&p, (struct extent){60, 4}));
	assert_false(pages_claim(&p, (struct extent){63, 1}));
	assert_false(pages_claim(&p, (struct extent){58, 4}));
	assert_false(pages_claim(&p, (struct extent){0, 0}));
	assert_false(pages_claim(&p, (struct extent){64, 1}));
	assert_false(pages_claim(&p, (struct extent){UINT32_MAX, 2}));
	assert_int_equal(p.free, 60);
	pages_fini(&p);
}

/* ---- SIEVE */

#define NODES 50

static struct sieve_node nodes[NODES];
static bool pins[NODES];

static bool pinned(const struct sieve_node *n)
{
	return pins[n - nodes];
}

static void check(const struct sieve *s)
{
	unsigned n = 0;
	sieve_check(s);
	for (const struct sieve_node *i = s->newest; i; i = i->older)
		n++;
	assert_int_equal(s->count, n);
}

static void what_was_asked_for_is_spared_once(void **state UNUSED)
{
	struct sieve s = {0};
	memset(nodes, 0, sizeof(nodes));
	memset(pins, 0, sizeof(pins));
	for (int i = 0; i < 4; i++)
		sieve_insert(&s, &nodes[i]);
	sieve_visit(&nodes[0]);
	sieve_visit(&nodes[2]);
	const int order[] = {1, 3, 0, 2};
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		struct sieve_node *v = sieve_victim(&s, pinned);
		assert_ptr_equal(v, &nodes[order[i]]);
		sieve_remove(&s, v);
		check(&s);
	}
	assert_null(sieve_victim(&s, pinned));
}

static void the_pinned_stay(void **state UNUSED)
{
	struct sieve s = {0};
	memset(nodes, 0, sizeof(nodes));
	memset(pins, 0, sizeof(pins));
	for (int i = 0; i < 3; i++)
		sieve_insert(&s, &nodes[i]);
	pins[0] = pins[1] = pins[2] = true;
	assert_null(sieve_victim(&s, pinned));
	pins[1] = false;
	assert_ptr_equal(sieve_victim(&s, pinned), &nodes[1]);
	check(&s);
}

static void the_queue_holds_together(void **state UNUSED)
{
	struct sieve s = {0};
	seed = 7;
	memset(nodes, 0, sizeof(nodes));
	memset(pins, 0, sizeof(pins));
	for (int step = 0; step < 20000; step++) {
		struct sieve_node *n = &nodes[next_random(NODES)];
		switch (next_random(4)) {
		case 0:
			if (!n->queued)
				sieve_insert(&s, n);
			break;
		case 1:
			sieve_remove(&s, n);
			break;
		case 2:
			sieve_visit(n);
			break;
		default:
			n = sieve_victim(&s, pinned);
			if (n)
				sieve_remove(&s, n);
		}
		check(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allocations_never_overlap),
		cmocka_unit_test(a_whole_run_is_found_before_pieces),
		cmocka_unit_test(claims_are_checked),
		cmocka_unit_test(what_was_asked_for_is_spared_once),
		cmocka_unit_test(the_pinned_stay),
		cmocka_unit_test(the_queue_holds_together),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
