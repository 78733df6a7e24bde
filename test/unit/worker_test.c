// SPDX-License-Identifier: MIT
/*
 * Worker sets: start, failure to start, messages, the watchdog's question, and joining workers that
 * are busy.
 */
#include "unit.h"

#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "loop/worker.h"

#define LIMIT_US CLOCK_SECOND

struct plan {
	unsigned fail_id; /* this worker's start() says no; WORKER_MAX: none's */
	_Atomic unsigned started, stopped, messages;
	_Atomic bool wrong_thread, signals_open;
};

static int on_start(struct worker *w, void *arg)
{
	struct plan *plan = arg;
	sigset_t mask;
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	if (!sigismember(&mask, SIGTERM) || !sigismember(&mask, SIGHUP))
		plan->signals_open = true;
	if (w->id == plan->fail_id)
		return -1;
	w->ctx = plan;
	plan->started++;
	return 0;
}

static void on_stop(struct worker *w)
{
	struct plan *plan = w->ctx;
	if (!pthread_equal(w->thread, pthread_self()))
		plan->wrong_thread = true;
	plan->stopped++;
}

static const struct worker_ops ops = {.start = on_start, .stop = on_stop};

struct note {
	struct message message;
	struct worker *to;
	unsigned hops; /* messages still to be posted on arrival */
};

static void on_note(struct message *message)
{
	struct note *note = container_of(message, struct note, message);
	struct plan *plan = note->to->ctx;
	if (!pthread_equal(note->to->thread, pthread_self()))
		plan->wrong_thread = true;
	plan->messages++;
	if (note->hops-- > 0)
		mailbox_post(&note->to->mailbox, message);
}

static void post_note(struct note *note, struct worker *to, unsigned hops)
{
	*note = (struct note){.message.run = on_note, .to = to, .hops = hops};
	mailbox_post(&to->mailbox, &note->message);
}

static void test_start_post_join(void **state UNUSED)
{
	struct plan plan = {.fail_id = WORKER_MAX};
	struct worker_set *set = worker_set_start(4, 8, &ops, &plan);
	struct note notes[4];
	assert_non_null(set);
	assert_int_equal(worker_set_count(set), 4);
	assert_int_equal(plan.started, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(worker_set_at(set, i)->id, i);
		post_note(&notes[i], worker_set_at(set, i), 99);
	}
	assert_reaches(plan.messages, 400);
	worker_set_join(set);
	assert_int_equal(plan.stopped, 4);
	assert_false(plan.wrong_thread);
	assert_false(plan.signals_open);
}

static void test_caller_keeps_its_signals(void **state UNUSED)
{
	struct plan plan = {.fail_id = WORKER_MAX};
	struct worker_set *set = worker_set_start(1, 8, &ops, &plan);
	sigset_t mask;
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	assert_false(sigismember(&mask, SIGTERM));
	worker_set_join(set);
}

static void test_failed_start_stops_the_others(void **state UNUSED)
{
	for (unsigned id = 0; id < 3; id++) {
		struct plan plan = {.fail_id = id};
		assert_null(worker_set_start(3, 8, &ops, &plan));
		assert_int_equal(plan.started, 2);
		assert_int_equal(plan.stopped, 2);
	}
}

static void test_join_at_once(void **state UNUSED)
{
	for (int i = 0; i < 50; i++) {
		struct plan plan = {.fail_id = WORKER_MAX};
		worker_set_join(worker_set_start(2, 8, &ops, &plan));
		assert_int_equal(plan.stopped, 2);
	}
}

/* A message that posts itself again keeps its loop busy in every turn; none is lost by the join. */
static void test_join_of_busy_workers(void **state UNUSED)
{
	struct plan plan = {.fail_id = WORKER_MAX};
	struct worker_set *set = worker_set_start(2, 8, &ops, &plan);
	struct note notes[2];
	for (unsigned i = 0; i < 2; i++)
		post_note(&notes[i], worker_set_at(set, i), 100000);
	assert_soon(plan.messages >= 1000);
	worker_set_join(set);
	assert_int_equal(plan.stopped, 2);
	assert_int_equal(plan.messages, 2 * 100001);
}

static void stop_self(struct message *message)
{
	struct note *note = container_of(message, struct note, message);
	worker_stop(note->to);
}

static void test_worker_that_stopped_itself(void **state UNUSED)
{
	struct plan plan = {.fail_id = WORKER_MAX};
	struct worker_set *set = worker_set_start(2, 8, &ops, &plan);
	struct note last = {.message.run = stop_self, .to = worker_set_at(set, 0)}, late, other;
	mailbox_post(&last.to->mailbox, &last.message);
	assert_soon(last.to->stopping);
	assert_true(worker_set_alive(set, LIMIT_US));
	post_note(&late, worker_set_at(set, 0), 0);
	post_note(&other, worker_set_at(set, 1), 0);
	assert_soon(plan.messages > 0);
	worker_set_join(set);
	assert_int_equal(plan.messages, 2);
	assert_int_equal(plan.stopped, 2);
	assert_false(plan.wrong_thread);
}

static void test_alive_sees_a_hanging_worker(void **state UNUSED)
{
	struct plan plan = {.fail_id = WORKER_MAX};
	struct worker_set *set = worker_set_start(2, 8, &ops, &plan);
	struct unit_hold hold;
	assert_true(worker_set_alive(set, LIMIT_US));
	unit_hold(&hold, worker_set_at(set, 1));
	assert_soon(!worker_set_alive(set, 2 * CLOCK_MSEC));
	unit_release(&hold);
	assert_soon(worker_set_alive(set, 2 * CLOCK_MSEC));
	worker_set_join(set);
}

struct timing {
	struct worker *w;
	int64_t now_us, real_us;
};

static void read_time(void *arg)
{
	struct timing *t = arg;
	t->now_us = worker_now_us(t->w);
	t->real_us = clock_now_us();
}

static void test_now_is_that_of_the_turn(void **state UNUSED)
{
	struct plan plan = {.fail_id = WORKER_MAX};
	struct worker_set *set = worker_set_start(1, 8, &ops, &plan);
	struct timing t = {.w = worker_set_at(set, 0)};
	usleep(30000); /* the turn before is long over */
	int64_t before = clock_now_us();
	unit_on_worker(t.w, read_time, &t);
	assert_true(t.now_us >= before);
	assert_true(t.now_us <= t.real_us);
	worker_set_join(set);
}

static void use_buffers(struct message *message)
{
	struct note *note = container_of(message, struct note, message);
	struct slab *buffers = &note->to->buffers;
	void *a = slab_get(buffers), *b = slab_get(buffers);
	note->hops = a && b && !slab_get(buffers) && buffers->size == WORKER_BUFFER_SIZE;
	slab_put(buffers, a);
	slab_put(buffers, b);
	((struct plan *)note->to->ctx)->messages++;
}

static void test_buffers_are_capped(void **state UNUSED)
{
	struct plan plan = {.fail_id = WORKER_MAX};
	struct worker_set *set = worker_set_start(1, 2, &ops, &plan);
	struct note note = {.message.run = use_buffers, .to = worker_set_at(set, 0)};
	mailbox_post(&note.to->mailbox, &note.message);
	assert_reaches(plan.messages, 1);
	assert_int_equal(note.hops, 1);
	worker_set_join(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start_post_join),
		cmocka_unit_test(test_caller_keeps_its_signals),
		cmocka_unit_test(test_failed_start_stops_the_others),
		cmocka_unit_test(test_join_at_once),
		cmocka_unit_test(test_join_of_busy_workers),
		cmocka_unit_test(test_worker_that_stopped_itself),
		cmocka_unit_test(test_alive_sees_a_hanging_worker),
		cmocka_unit_test(test_now_is_that_of_the_turn),
		cmocka_unit_test(test_buffers_are_capped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
