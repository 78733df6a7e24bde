// SPDX-License-Identifier: MIT
/* All workers stand still while the main thread looks; one that does not come holds the others up for a while only. */
#include "unit.h"

#include <unistd.h>

#include "base/clock.h"
#include "loop/standstill.h"

#define WORKERS 4

struct plan {
	struct ev_loop *loop;
	struct mailbox box;
	struct worker_set *set;
	unsigned moves[WORKERS]; /* no atomics: a standstill must do */
	unsigned seen[WORKERS];
	struct message tick[WORKERS];
	_Atomic unsigned each;
	_Atomic bool ticking;
	unsigned all, stills;
	unsigned sleep_ms; /* of worker 0 */
};

static struct plan plan;

/* A worker that is never idle. */
static void on_tick(struct message *l)
{
	unsigned id = (unsigned)(l - plan.tick);
	plan.moves[id]++;
	if (plan.ticking)
		mailbox_post(&worker_set_at(plan.set, id)->mailbox, l);
}

static void each(struct worker *w, void *arg)
{
	assert_ptr_equal(arg, &plan);
	assert_true(pthread_equal(pthread_self(), w->thread));
	plan.each++;
	if (w->id == 0)
		usleep(plan.sleep_ms * 1000);
}

static void all(bool still, void *arg UNUSED)
{
	plan.all++;
	plan.stills += still;
	if (still) {
		memcpy(plan.seen, plan.moves, sizeof(plan.seen));
		usleep(5000); /* time to move */
		assert_memory_equal(plan.seen, plan.moves, sizeof(plan.seen));
	}
	ev_break(plan.loop, EVBREAK_ALL);
}

static const struct standstill_ops ops = {.each = each, .all = all};

static int setup(void **state UNUSED)
{
	plan = (struct plan){.loop = ev_loop_new(EVFLAG_AUTO), .ticking = true};
	mailbox_init(&plan.box, plan.loop);
	plan.set = worker_set_start(WORKERS, 8, &unit_workers, &plan);
	for (unsigned i = 0; i < WORKERS; i++) {
		plan.tick[i].run = on_tick;
		mailbox_post(&worker_set_at(plan.set, i)->mailbox, &plan.tick[i]);
	}
	return 0;
}

static int teardown(void **state UNUSED)
{
	plan.ticking = false;
	if (plan.set) {
		worker_set_join(plan.set);
		mailbox_fini(&plan.box);
	}
	ev_loop_destroy(plan.loop);
	return 0;
}

static void nothing_moves_while_all_stand_still(void **state UNUSED)
{
	for (unsigned i = 1; i <= 20; i++) {
		standstill_begin(plan.set, &plan.box, &ops, &plan);
		ev_run(plan.loop, 0);
		assert_int_equal(plan.stills, i);
		assert_int_equal(plan.each, i * WORKERS);
	}
}

static void rounds_do_not_get_in_each_others_way(void **state UNUSED)
{
	for (unsigned i = 0; i < 5; i++)
		standstill_begin(plan.set, &plan.box, &ops, &plan);
	while (plan.all < 5)
		ev_run(plan.loop, 0);
	assert_int_equal(plan.stills, 5);
	assert_int_equal(plan.each, 5 * WORKERS);
}

static void a_worker_that_does_not_come_is_not_waited_for(void **state UNUSED)
{
	plan.sleep_ms = STANDSTILL_MS + 300;
	standstill_begin(plan.set, &plan.box, &ops, &plan);
	ev_run(plan.loop, 0);
	assert_int_equal(plan.all, 1);
	assert_int_equal(plan.stills, 0);
}

static void an_end_in_the_middle_waits_as_long(void **state UNUSED)
{
	int64_t began = clock_now_us();
	standstill_begin(plan.set, &plan.box, &ops, &plan);
	plan.ticking = false;
	worker_set_join(plan.set);
	plan.set = NULL;
	assert_true(clock_now_us() - began < (STANDSTILL_MS + 1000) * CLOCK_MSEC);
	mailbox_fini(&plan.box);
	assert_int_equal(plan.all, 1);
	assert_int_equal(plan.each, WORKERS);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(nothing_moves_while_all_stand_still),
		TEST(rounds_do_not_get_in_each_others_way),
		TEST(a_worker_that_does_not_come_is_not_waited_for),
		TEST(an_end_in_the_middle_waits_as_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
