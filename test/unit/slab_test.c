// SPDX-License-Identifier: MIT
#include "unit.h"

#include "base/slab.h"

#if defined(__SANITIZE_ADDRESS__)
#define KEEP(n) 0
#else
#define KEEP(n) (n)
#endif

static void *get(struct slab *s)
{
	void *object = slab_get(s);
	slab_check(s);
	return object;
}

static void put(struct slab *s, void *object)
{
	slab_put(s, object);
	slab_check(s);
}

static void test_cap_and_refusals(void **state UNUSED)
{
	struct slab s;
	void *objects[3];
	slab_init(&s, 100, 3, 3);
	for (int i = 0; i < 3; i++) {
		objects[i] = get(&s);
		assert_non_null(objects[i]);
		assert_int_equal((uintptr_t)objects[i] % CACHE_LINE, 0);
		memset(objects[i], i, 100);
	}
	assert_null(get(&s));
	assert_null(get(&s));
	assert_int_equal(s.refused, 2);
	assert_int_equal(s.used, 3);
	for (int i = 0; i < 3; i++) {
		for (int j = 0; j < 100; j++)
			assert_int_equal(((char *)objects[i])[j], i);
		put(&s, objects[i]);
	}
	assert_int_equal(s.used, 0);
	assert_int_equal(s.kept, KEEP(3));
	slab_fini(&s);
}

static void test_keep_bounds_what_is_kept(void **state UNUSED)
{
	struct slab s;
	void *objects[10];
	slab_init(&s, 16384, 10, 4);
	for (int i = 0; i < 10; i++)
		objects[i] = get(&s);
	for (int i = 0; i < 10; i++)
		put(&s, objects[i]);
	assert_int_equal(s.kept, KEEP(4));
	put(&s, NULL);
	assert_int_equal(s.used, 0);
	slab_fini(&s);
}

static void test_last_put_is_first_got(void **state UNUSED)
{
	struct slab s;
	void *a, *b;
	slab_init(&s, 64, 8, 8);
	a = get(&s);
	b = get(&s);
	put(&s, a);
	put(&s, b);
	if (KEEP(1)) {
		assert_ptr_equal(get(&s), b);
		assert_ptr_equal(get(&s), a);
		assert_int_equal(s.kept, 0);
		put(&s, a);
		put(&s, b);
	}
	slab_fini(&s);
}

static void test_tiny_objects_and_no_cap(void **state UNUSED)
{
	struct slab s;
	char *object;
	slab_init(&s, 1, 1, 0);
	assert_true(s.size >= sizeof(void *));
	object = get(&s);
	*object = 1;
	put(&s, object);
	assert_int_equal(s.kept, 0);
	slab_fini(&s);
	slab_init(&s, 64, 0, 0);
	assert_null(get(&s));
	slab_fini(&s);
}

static void test_cap_that_changes(void **state UNUSED)
{
	struct slab s;
	void *a, *b;
	slab_init(&s, 64, 1, 0);
	a = get(&s);
	assert_null(get(&s));
	slab_set_cap(&s, 2);
	b = get(&s);
	assert_non_null(b);
	slab_set_cap(&s, 1); /* both stay out */
	put(&s, a);
	assert_null(get(&s));
	put(&s, b);
	a = get(&s);
	assert_non_null(a);
	put(&s, a);
	slab_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cap_and_refusals),
		cmocka_unit_test(test_keep_bounds_what_is_kept),
		cmocka_unit_test(test_last_put_is_first_got),
		cmocka_unit_test(test_tiny_objects_and_no_cap),
		cmocka_unit_test(test_cap_that_changes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
