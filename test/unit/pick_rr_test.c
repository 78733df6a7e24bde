// SPDX-License-Identifier: MIT
// TEST-OF: lb
/* Round robin: order, shares, smoothness, and servers that are not usable. */
#include "pick_rr.h"

#include "unit.h"

#define N 4

static struct pick_rr servers[N];
static struct pick_rr *all[N];
static bool usable[N];

static void with_weights(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
	const uint32_t w[N] = {a, b, c, d};
	for (int i = 0; i < N; i++) {
		servers[i] = (struct pick_rr){.weight = w[i]};
		all[i] = &servers[i];
		usable[i] = true;
	}
}

static void equal_ones_take_turns(void **state UNUSED)
{
	with_weights(1, 1, 1, 1);
	for (int i = 0; i < 40; i++)
		assert_int_equal(pick_rr(all, usable, N), i % N);
}

static void shares_are_exact_in_every_window(void **state UNUSED)
{
	int picks[600];
	with_weights(1, 2, 3, 0);
	for (int i = 0; i < 600; i++)
		picks[i] = pick_rr(all, usable, N);
	for (int from = 0; from + 6 <= 600; from++) {
		int seen[N] = {0};
		for (int i = from; i < from + 6; i++)
			seen[picks[i]]++;
		assert_int_equal(seen[0], 1);
		assert_int_equal(seen[1], 2);
		assert_int_equal(seen[2], 3);
		assert_int_equal(seen[3], 0);
	}
}

static void a_heavy_one_gets_no_burst(void **state UNUSED)
{
	with_weights(5, 5, 5, 5);
	int before = -1;
	for (int i = 0; i < 100; i++) {
		int now = pick_rr(all, usable, N);
		assert_int_not_equal(now, before);
		before = now;
	}
}

static void the_unusable_are_passed_over(void **state UNUSED)
{
	with_weights(1, 1, 1, 1);
	usable[1] = false;
	for (int i = 0; i < 30; i++)
		assert_int_not_equal(pick_rr(all, usable, N), 1);
	usable[0] = usable[2] = usable[3] = false;
	assert_int_equal(pick_rr(all, usable, N), -1);
	usable[1] = true;
	assert_int_equal(pick_rr(all, usable, N), 1);
	with_weights(0, 0, 0, 0);
	assert_int_equal(pick_rr(all, usable, N), -1);
	assert_int_equal(pick_rr(all, usable, 0), -1);
}

/* One that was away comes back to its share, not to all it missed. */
static void coming_back_is_gentle(void **state UNUSED)
{
	with_weights(1, 1, 1, 1);
	usable[3] = false;
	for (int i = 0; i < 1000; i++)
		pick_rr(all, usable, N);
	usable[3] = true;
	int got = 0;
	for (int i = 0; i < 40; i++)
		got += pick_rr(all, usable, N) == 3;
	assert_in_range(got, 9, 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_ones_take_turns),
		cmocka_unit_test(shares_are_exact_in_every_window),
		cmocka_unit_test(a_heavy_one_gets_no_burst),
		cmocka_unit_test(the_unusable_are_passed_over),
		cmocka_unit_test(coming_back_is_gentle),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
