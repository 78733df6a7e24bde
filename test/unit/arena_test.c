// SPDX-License-Identifier: MIT
#include "unit.h"

#include "base/arena.h"

#define ALIGN _Alignof(max_align_t)

static bool is_inside(const void *p, const char *block, size_t size)
{
	return (const char *)p >= block && (const char *)p < block + size;
}

static bool under_asan(void)
{
#if defined(__SANITIZE_ADDRESS__)
	return true;
#else
	return false;
#endif
}

static void *alloc(struct arena *a, size_t n)
{
	void *piece = arena_alloc(a, n);
	arena_check(a);
	return piece;
}

static void test_first_block_is_used_first(void **state UNUSED)
{
	_Alignas(max_align_t) char block[256];
	struct arena a;
	char *first;
	arena_init(&a, block, sizeof(block), ARENA_UNLIMITED);
	first = alloc(&a, 100);
	memset(first, 1, 100);
	if (!under_asan()) {
		assert_ptr_equal(first, block);
		assert_true(is_inside(alloc(&a, 100), block, sizeof(block)));
		assert_null(a.chunks);
	}
	assert_false(is_inside(alloc(&a, 200), block, sizeof(block)));
	arena_reset(&a);
	assert_int_equal(a.used, 0);
	assert_null(a.chunks);
	if (!under_asan())
		assert_ptr_equal(alloc(&a, 1), block);
	arena_fini(&a);
	arena_fini(&a);
}

static void test_pieces_are_aligned_and_apart(void **state UNUSED)
{
	_Alignas(max_align_t) char block[128];
	unsigned char *pieces[200];
	struct arena a;
	/* A block that starts askew, too. */
	arena_init(&a, block + 1, sizeof(block) - 1, ARENA_UNLIMITED);
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		pieces[i] = alloc(&a, i);
		assert_non_null(pieces[i]);
		assert_int_equal((uintptr_t)pieces[i] % ALIGN, 0);
		memset(pieces[i], (int)i, i);
	}
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		for (size_t j = 0; j < i; j++)
			assert_int_equal(pieces[i][j], i);
	}
	arena_fini(&a);
}

static void test_block_smaller_than_its_skew(void **state UNUSED)
{
	_Alignas(max_align_t) char block[4];
	struct arena a;
	void *piece;
	arena_init(&a, block + 1, 3, ARENA_UNLIMITED);
	piece = alloc(&a, 1);
	assert_non_null(piece);
	assert_false(is_inside(piece, block, sizeof(block)));
	arena_fini(&a);
}

static void test_cap(void **state UNUSED)
{
	struct arena a;
	arena_init(&a, NULL, 0, 10 * ALIGN);
	assert_null(alloc(&a, 10 * ALIGN + 1));
	assert_non_null(alloc(&a, 9 * ALIGN));
	assert_null(alloc(&a, ALIGN + 1));
	assert_non_null(alloc(&a, 1));
	assert_int_equal(a.used, 10 * ALIGN);
	assert_null(alloc(&a, 1));
	assert_null(arena_calloc(&a, 1));
	assert_null(arena_str(&a, STR("x")).p);
	assert_null(arena_printf(&a, "%d", 1).p);
	assert_null(alloc(&a, SIZE_MAX));
	assert_null(alloc(&a, SIZE_MAX - ALIGN));
	arena_reset(&a);
	assert_non_null(alloc(&a, 10 * ALIGN));
	arena_fini(&a);
}

/* A large piece gets a chunk of its own, and the small ones go on filling what there is. */
static void test_large_piece_wastes_no_chunk(void **state UNUSED)
{
	struct arena a;
	char *before, *after;
	if (under_asan())
		return;
	arena_init(&a, NULL, 0, ARENA_UNLIMITED);
	before = alloc(&a, ALIGN);
	memset(alloc(&a, 1000000), 1, 1000000);
	after = alloc(&a, ALIGN);
	assert_ptr_equal(after, before + ALIGN);
	arena_fini(&a);
}

static void test_zeroed_pieces(void **state UNUSED)
{
	char block[512];
	struct pair {
		int a, b;
	} * pair, *many;
	struct arena a;
	memset(block, 0xff, sizeof(block));
	arena_init(&a, block, sizeof(block), ARENA_UNLIMITED);
	pair = ARENA_NEW(&a, struct pair);
	assert_int_equal(pair->a | pair->b, 0);
	many = ARENA_ARRAY(&a, struct pair, 5);
	for (int i = 0; i < 5; i++)
		assert_int_equal(many[i].a | many[i].b, 0);
	arena_fini(&a);
}

static void test_text(void **state UNUSED)
{
	char big[1000];
	struct arena a;
	struct str s;
	memset(big, 'x', sizeof(big));
	arena_init(&a, NULL, 0, ARENA_UNLIMITED);
	s = arena_str(&a, str_of("abcdef", 3));
	assert_str_equal(s, "abc");
	assert_int_equal(s.p[3], '\0');
	s = arena_str(&a, STR_NONE);
	assert_non_null(s.p);
	assert_int_equal(s.n, 0);
	assert_int_equal(s.p[0], '\0');
	s = arena_printf(&a, "%s-%d", "web", 7);
	assert_str_equal(s, "web-7");
	assert_int_equal(s.p[s.n], '\0');
	assert_str_equal(arena_printf(&a, "%s", ""), "");
	for (int n = 250; n < 260; n++) {
		s = arena_printf(&a, "%.*s", n, big);
		assert_int_equal(s.n, n);
		assert_memory_equal(s.p, big, n);
		assert_int_equal(s.p[n], '\0');
	}
	arena_fini(&a);
}

static void test_many_resets(void **state UNUSED)
{
	char block[64];
	struct arena a;
	arena_init(&a, block, sizeof(block), 1 << 20);
	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < 50; i++)
			memset(alloc(&a, 333), round, 333);
		arena_reset(&a);
		arena_check(&a);
	}
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_block_is_used_first),
		cmocka_unit_test(test_pieces_are_aligned_and_apart),
		cmocka_unit_test(test_block_smaller_than_its_skew),
		cmocka_unit_test(test_cap),
		cmocka_unit_test(test_large_piece_wastes_no_chunk),
		cmocka_unit_test(test_zeroed_pieces),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_many_resets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
