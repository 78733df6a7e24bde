// SPDX-License-Identifier: MIT
/* Ending in good order: every worker is told once, and the main thread hears when the last one is idle. */
#include "unit.h"

#include "base/clock.h"
#include "loop/drain.h"

#define WORKERS 3

struct plan {
	struct ev_loop *loop;
	_Atomic unsigned begun, asked, busy;
	_Atomic bool told[WORKERS], asked_untold;
	_Atomic bool wrong_thread;
	unsigned done;
	pthread_t main;
};

static struct plan plan;

static void begin(struct worker *w)
{
	plan.wrong_thread |= !pthread_equal(pthread_self(), w->thread);
	plan.told[w->id] = true;
	plan.begun++;
}

/* Worker 1 has something to do for as long as busy says. */
static bool idle(struct worker *w)
{
	plan.wrong_thread |= !pthread_equal(pthread_self(), w->thread);
	plan.asked_untold |= !plan.told[w->id];
	plan.asked++;
	if (w->id != 1 || plan.busy == 0)
		return true;
	plan.busy--;
	return false;
}

static void done(void *arg)
{
	struct plan *p = arg;
	p->wrong_thread |= !pthread_equal(pthread_self(), p->main);
	p->done++;
	ev_break(p->loop, EVBREAK_ALL);
}

static const struct drain_ops ops = {.begin = begin, .idle = idle, .done = done};

static void drain_with(unsigned busy)
{
	struct mailbox box;
	plan = (struct plan){
		.loop = ev_loop_new(EVFLAG_AUTO), .main = pthread_self(), .busy = busy};
	mailbox_init(&box, plan.loop);
	struct worker_set *set = worker_set_start(WORKERS, 8, &unit_workers, &plan);
	assert_non_null(set);
	int64_t began = clock_now_us();
	struct drain *d = drain_start(set, &box, &ops, &plan);
	ev_run(plan.loop, 0);
	int64_t took = clock_now_us() - began;
	assert_int_equal(plan.done, 1);
	assert_int_equal(plan.begun, WORKERS);
	assert_int_equal(plan.busy, 0);
	assert_int_equal(plan.asked, WORKERS + busy);
	assert_false(plan.wrong_thread);
	assert_false(plan.asked_untold);
	assert_true(took >= (int64_t)busy * 40 * CLOCK_MSEC); /* it looks, it does not spin */
	assert_true(took < 2 * CLOCK_SECOND);		      /* nor does it sleep */
	worker_set_join(set);
	drain_free(d);
	mailbox_fini(&box);
	ev_loop_destroy(plan.loop);
}

static void idle_workers_are_done_at_once(void **state UNUSED)
{
	drain_with(0);
}

static void the_last_one_is_waited_for(void **state UNUSED)
{
	drain_with(4);
}

/* The deadline of a daemon may end it while a worker is still busy. */
static void an_unfinished_drain_can_be_left(void **state UNUSED)
{
	struct mailbox box;
	plan = (struct plan){
		.loop = ev_loop_new(EVFLAG_AUTO), .main = pthread_self(), .busy = 1000000};
	mailbox_init(&box, plan.loop);
	struct worker_set *set = worker_set_start(WORKERS, 8, &unit_workers, &plan);
	struct drain *d = drain_start(set, &box, &ops, &plan);
	while (plan.asked < WORKERS + 1)
		ev_run(plan.loop, EVRUN_NOWAIT);
	worker_set_join(set);
	mailbox_fini(&box);
	drain_free(d);
	drain_free(NULL);
	ev_loop_destroy(plan.loop);
	assert_int_equal(plan.done, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(idle_workers_are_done_at_once),
		cmocka_unit_test(the_last_one_is_waited_for),
		cmocka_unit_test(an_unfinished_drain_can_be_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
