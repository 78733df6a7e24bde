// SPDX-License-Identifier: MIT
/*
 * Includes deadline.c to expire a class at a time of the test's choosing; two tests let a real
 * timer fire.
 */
#include "unit.h"

#include "loop/deadline.c"

#define WAIT_US (5 * CLOCK_MSEC)

struct thing {
	struct deadline deadline;
	int expirations;
	void (*then)(struct thing *self);
};

static struct ev_loop *loop;
static struct deadline_class class;
static struct thing things[8];
static char order[32]; /* indices of things as they expired */

static void on_expired(struct deadline *d)
{
	struct thing *t = container_of(d, struct thing, deadline);
	size_t n = strlen(order);
	MUST(!deadline_armed(d));
	deadline_class_check(&class);
	order[n] = (char)('0' + (t - things));
	t->expirations++;
	if (t->then)
		t->then(t);
}

static int setup(void **state UNUSED)
{
	memset(things, 0, sizeof(things));
	memset(order, 0, sizeof(order));
	loop = ev_loop_new(EVFLAG_NOENV);
	deadline_class_init(&class, loop, WAIT_US, on_expired);
	return loop ? 0 : -1;
}

static int teardown(void **state UNUSED)
{
	deadline_class_fini(&class);
	ev_loop_destroy(loop);
	return 0;
}

static void check_ring(int members)
{
	int n = 0;
	deadline_class_check(&class);
	for (const struct deadline *d = class.list.next; d != &class.list; d = d->next)
		n++;
	assert_int_equal(n, members);
}

static void arm(int i, int64_t now_us)
{
	deadline_arm(&things[i].deadline, &class, now_us);
	deadline_class_check(&class);
}

static void test_expires_in_order_when_due(void **state UNUSED)
{
	for (int i = 0; i < 4; i++)
		arm(i, 1000 + i);
	check_ring(4);
	assert_true(things[2].deadline.due_us == 1002 + WAIT_US);
	expire(&class, 1001 + WAIT_US);
	assert_string_equal(order, "01");
	check_ring(2);
	expire(&class, 1001 + WAIT_US);
	assert_string_equal(order, "01");
	expire(&class, 9999 + WAIT_US);
	assert_string_equal(order, "0123");
	check_ring(0);
	assert_false(ev_is_active(&class.timer));
}

static void test_arming_again_moves_to_the_end(void **state UNUSED)
{
	for (int i = 0; i < 3; i++)
		arm(i, 1000 + i);
	arm(0, 1003);
	check_ring(3);
	expire(&class, 1002 + WAIT_US);
	assert_string_equal(order, "12");
	expire(&class, 1003 + WAIT_US);
	assert_string_equal(order, "120");
}

static void test_cancel(void **state UNUSED)
{
	for (int i = 0; i < 4; i++)
		arm(i, 1000);
	deadline_cancel(&things[1].deadline);
	deadline_cancel(&things[1].deadline);
	assert_false(deadline_armed(&things[1].deadline));
	deadline_cancel(&things[0].deadline);
	deadline_cancel(&things[3].deadline);
	check_ring(1);
	expire(&class, 1000 + WAIT_US);
	assert_string_equal(order, "2");
	/* Never armed at all. */
	deadline_cancel(&things[5].deadline);
}

static void arm_self(struct thing *t)
{
	deadline_arm(&t->deadline, &class, 1000 + WAIT_US);
}

static void cancel_the_next(struct thing *t)
{
	deadline_cancel(&t[1].deadline);
}

static void test_expired_may_arm_and_cancel(void **state UNUSED)
{
	for (int i = 0; i < 4; i++)
		arm(i, 1000);
	things[0].then = arm_self;
	things[1].then = cancel_the_next;
	expire(&class, 1000 + WAIT_US);
	assert_string_equal(order, "013");
	check_ring(1);
	assert_true(deadline_armed(&things[0].deadline));
	things[0].then = NULL;
	expire(&class, 1000 + 2 * WAIT_US);
	assert_string_equal(order, "0130");
}

static void arm_self_late(struct thing *t)
{
	deadline_arm(&t->deadline, &class, 1000);
}

/* A turn that took longer than the wait: what is armed anew is due at once, and has its next turn for that. */
static void test_arming_what_is_due_already(void **state UNUSED)
{
	for (int i = 0; i < 2; i++) {
		arm(i, 1000);
		things[i].then = arm_self_late;
	}
	expire(&class, 1000 + 5 * WAIT_US);
	assert_string_equal(order, "01");
	check_ring(2);
	expire(&class, 1000 + 5 * WAIT_US);
	assert_string_equal(order, "0101");
}

static struct deadline_class *owned;

static void finish_the_class(struct thing *t)
{
	assert_ptr_equal(t, &things[0]);
	deadline_class_fini(owned);
	free(owned);
}

static void test_expired_may_finish_the_class(void **state UNUSED)
{
	owned = def_xmalloc(sizeof(*owned));
	deadline_class_init(owned, loop, WAIT_US, on_expired);
	things[0].then = finish_the_class;
	for (int i = 0; i < 2; i++)
		deadline_arm(&things[i].deadline, owned, 1000);
	expire(owned, 1000 + WAIT_US);
	assert_string_equal(order, "0");
	assert_false(deadline_armed(&things[1].deadline));
}

static void test_move_between_classes(void **state UNUSED)
{
	struct deadline_class other;
	deadline_class_init(&other, loop, 2 * WAIT_US, on_expired);
	arm(0, 1000);
	deadline_arm(&things[0].deadline, &other, 1000);
	check_ring(0);
	expire(&class, 1000 + 9 * WAIT_US);
	assert_string_equal(order, "");
	expire(&other, 1000 + 2 * WAIT_US);
	assert_string_equal(order, "0");
	deadline_class_fini(&other);
}

static void test_fini_cancels_silently(void **state UNUSED)
{
	arm(0, 1000);
	arm(1, 1000);
	deadline_class_fini(&class);
	assert_false(deadline_armed(&things[0].deadline));
	assert_false(deadline_armed(&things[1].deadline));
	assert_false(ev_is_active(&class.timer));
	assert_string_equal(order, "");
	deadline_class_init(&class, loop, WAIT_US, on_expired);
}

static void test_changed_wait(void **state UNUSED)
{
	arm(0, 1000);
	deadline_class_set(&class, 3 * WAIT_US);
	arm(1, 1000);
	expire(&class, 1000 + WAIT_US);
	assert_string_equal(order, "0");
	expire(&class, 1000 + 3 * WAIT_US);
	assert_string_equal(order, "01");
	/* A timer set for the long wait does not hold up a short one that finds the class empty. */
	arm(2, 1000);
	deadline_cancel(&things[2].deadline);
	deadline_class_set(&class, WAIT_US);
	arm(3, 1000);
	assert_true(class.timer.repeat < 1.5 * (double)WAIT_US / (double)CLOCK_SECOND);
}

static void test_real_timer(void **state UNUSED)
{
	int64_t start = clock_now_us();
	for (int i = 0; i < 3; i++)
		arm(i, clock_now_us());
	deadline_cancel(&things[0].deadline);
	/* Returns when the class is empty, since nothing else keeps the loop. */
	ev_run(loop, 0);
	assert_string_equal(order, "12");
	assert_true(clock_now_us() - start >= WAIT_US);
	assert_true(clock_now_us() - start < WAIT_US + 5 * CLOCK_SECOND);
}

static void test_early_timer_moves_on(void **state UNUSED)
{
	int64_t now = clock_now_us();
	arm(0, now);
	deadline_cancel(&things[0].deadline);
	arm(1, now + 20 * CLOCK_MSEC);
	ev_run(loop, 0);
	assert_string_equal(order, "1");
	assert_true(clock_now_us() >= now + 20 * CLOCK_MSEC + WAIT_US);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_expires_in_order_when_due),
		TEST(test_arming_again_moves_to_the_end),
		TEST(test_cancel),
		TEST(test_expired_may_arm_and_cancel),
		TEST(test_arming_what_is_due_already),
		TEST(test_expired_may_finish_the_class),
		TEST(test_move_between_classes),
		TEST(test_fini_cancels_silently),
		TEST(test_changed_wait),
		TEST(test_real_timer),
		TEST(test_early_timer_moves_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
