// SPDX-License-Identifier: MIT
/* A ring against a plain model of it, and with its two threads, also for the thread sanitizer. */
#include "unit.h"

#include "base/ring.c"

#include <pthread.h>
#include <sched.h>

static void test_what_is_put_comes_out_in_order(void **state UNUSED)
{
	static struct ring r;
	char got[16];
	ring_init(&r, 16);
	assert_int_equal(ring_used(&r), 0);
	assert_int_equal(ring_copy(&r, got, sizeof(got)), 0);
	assert_true(ring_put(&r, "abc", 3, 0));
	assert_true(ring_put(&r, "de", 2, 0));
	assert_int_equal(ring_used(&r), 5);
	assert_int_equal(ring_copy(&r, got, 4), 4);
	assert_memory_equal(got, "abcd", 4);
	assert_int_equal(ring_used(&r), 5);
	ring_take(&r, 3);
	assert_int_equal(ring_copy(&r, got, sizeof(got)), 2);
	assert_memory_equal(got, "de", 2);
	ring_take(&r, 2);
	assert_int_equal(ring_used(&r), 0);
	ring_fini(&r);
}

static void test_a_full_ring_refuses_whole_pieces(void **state UNUSED)
{
	static struct ring r;
	char got[8];
	ring_init(&r, 8);
	assert_false(ring_put(&r, "123456789", 9, 0));
	assert_true(ring_put(&r, "12345678", 8, 0));
	assert_false(ring_put(&r, "x", 1, 0));
	assert_int_equal(ring_copy(&r, got, 8), 8);
	assert_memory_equal(got, "12345678", 8);
	ring_take(&r, 3);
	assert_false(ring_put(&r, "abcd", 4, 0));
	assert_int_equal(ring_used(&r), 5);
	assert_true(ring_put(&r, "abc", 3, 0));
	assert_int_equal(ring_copy(&r, got, 8), 8);
	assert_memory_equal(got, "45678abc", 8);
	ring_fini(&r);
}

static void test_room_that_is_kept(void **state UNUSED)
{
	static struct ring r;
	ring_init(&r, 16);
	assert_true(ring_put(&r, "12345678", 8, 8));
	assert_false(ring_put(&r, "x", 1, 8));
	assert_true(ring_put(&r, "12345678", 8, 0));
	assert_false(ring_put(&r, "", 0, 1));
	assert_false(ring_put(&r, "", 0, UINT32_MAX));
	assert_false(ring_put(&r, "x", 1, UINT32_MAX));
	ring_fini(&r);
}

/* Pieces of all lengths at all places, also where the counters wrap. */
static void test_wraps(void **state UNUSED)
{
	static struct ring r;
	uint8_t next_in = 0, next_out = 0, piece[64], got[64];
	uint32_t seed = 1, used = 0;
	ring_init(&r, 64);
	atomic_store(&r.head, UINT32_MAX - 1000);
	atomic_store(&r.tail, UINT32_MAX - 1000);
	r.tail_seen = UINT32_MAX - 1000;
	for (int i = 0; i < 20000; i++) {
		seed = seed * 1664525u + 1013904223u;
		uint32_t n = seed >> 26;
		if (seed >> 25 & 1) {
			for (uint32_t k = 0; k < n; k++)
				piece[k] = (uint8_t)(next_in + k);
			bool fits = n <= 64 - used;
			assert_int_equal(ring_put(&r, piece, n, 0), fits);
			next_in = (uint8_t)(next_in + (fits ? n : 0));
			used += fits ? n : 0;
		} else {
			n = MIN(n, used);
			assert_int_equal(ring_copy(&r, got, n), n);
			for (uint32_t k = 0; k < n; k++)
				assert_int_equal(got[k], next_out++);
			ring_take(&r, n);
			used -= n;
		}
		assert_int_equal(ring_used(&r), used);
	}
	ring_fini(&r);
}

#define PIECES 200000

static void *produce(void *arg)
{
	struct ring *r = arg;
	char piece[32];
	for (uint32_t i = 0; i < PIECES; i++) {
		/* A length byte, then so many bytes of that value: a torn piece shows. */
		uint32_t n = 1 + i % 31;
		memset(piece, (int)n, sizeof(piece));
		while (!ring_put(r, piece, n, 0))
			sched_yield();
	}
	return NULL;
}

static void test_two_threads(void **state UNUSED)
{
	static struct ring r;
	pthread_t producer;
	ring_init(&r, 256);
	MUST0(pthread_create(&producer, NULL, produce, &r));
	for (uint32_t i = 0; i < PIECES; i++) {
		uint32_t want = 1 + i % 31;
		char got[32];
		uint32_t n;
		/* What is there at all is there whole; and never more than was asked for. */
		while ((n = ring_copy(&r, got, sizeof(got))) == 0)
			sched_yield();
		assert_in_range(n, want, sizeof(got));
		for (uint32_t k = 0; k < want; k++)
			assert_int_equal(got[k], want);
		ring_take(&r, want);
	}
	MUST0(pthread_join(producer, NULL));
	assert_int_equal(ring_used(&r), 0);
	ring_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_put_comes_out_in_order),
		cmocka_unit_test(test_a_full_ring_refuses_whole_pieces),
		cmocka_unit_test(test_room_that_is_kept),
		cmocka_unit_test(test_wraps),
		cmocka_unit_test(test_two_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
