// SPDX-License-Identifier: MIT
/* A limit over all workers: exact, first come first served, one wake-up a unit, none lost. */
#include "unit.h"

#include "base/clock.h"
#include "loop/budget.h"
#include "loop/worker.h"

/* ---- one thread: waiters with a mailbox, which is run by hand */

struct waiting {
	struct budget_waiter *w;
	unsigned granted;
};

static struct {
	struct ev_loop *loop;
	struct mailbox box;
	struct budget *b;
	struct waiting w[3];
	unsigned order[16], n_order;
} rig;

static void on_granted(void *arg)
{
	struct waiting *w = arg;
	w->granted++;
	rig.order[rig.n_order++] = (unsigned)(w - rig.w);
}

static int setup(void **state UNUSED)
{
	memset(&rig, 0, sizeof(rig));
	rig.loop = ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
	mailbox_init(&rig.box, rig.loop);
	rig.b = budget_new(2);
	for (unsigned i = 0; i < ARRAY_LEN(rig.w); i++)
		rig.w[i].w = budget_waiter_new(rig.b, &rig.box, on_granted, &rig.w[i]);
	return 0;
}

static int teardown(void **state UNUSED)
{
	for (unsigned i = 0; i < ARRAY_LEN(rig.w); i++)
		budget_waiter_free(rig.w[i].w);
	mailbox_fini(&rig.box);
	budget_check(rig.b);
	budget_free(rig.b);
	ev_loop_destroy(rig.loop);
	return 0;
}

static bool take(unsigned i)
{
	bool taken = budget_take(rig.b, rig.w[i].w);
	budget_check(rig.b);
	return taken;
}

static void give(void)
{
	budget_give(rig.b);
	budget_check(rig.b);
}

static void set_limit(uint32_t limit)
{
	budget_set_limit(rig.b, limit);
	budget_check(rig.b);
}

/* Runs what was posted; the waiters that were granted since the last call, as a decimal number: 12 is 1, then 2. */
static unsigned granted(void)
{
	unsigned told = 0;
	rig.n_order = 0;
	mailbox_run(&rig.box);
	for (unsigned i = 0; i < rig.n_order; i++)
		told = told * 10 + rig.order[i] + 1;
	return told;
}

static void the_limit_is_exact(void **state UNUSED)
{
	assert_true(budget_take(rig.b, NULL) && take(0));
	assert_false(budget_take(rig.b, NULL));
	assert_int_equal(budget_taken(rig.b), 2);
	assert_int_equal(budget_limit(rig.b), 2);
	give();
	assert_true(take(1));
	assert_int_equal(granted(), 0);
	give();
	give();
	assert_int_equal(budget_taken(rig.b), 0);
}

static void a_unit_wakes_the_first_waiter_only(void **state UNUSED)
{
	assert_true(take(0) && take(0));
	assert_false(take(0));
	assert_false(take(1));
	assert_false(take(2));
	assert_false(take(0)); /* queues once */
	give();
	assert_int_equal(budget_taken(rig.b), 2);
	assert_int_equal(granted(), 1);
	give();
	give();
	assert_int_equal(granted(), 23);
	assert_int_equal(budget_taken(rig.b), 2);
	give();
	give();
	assert_int_equal(granted(), 0);
	assert_int_equal(budget_taken(rig.b), 0);
}

static void a_waiter_is_not_overtaken(void **state UNUSED)
{
	assert_true(take(0) && take(0));
	assert_false(take(1));
	give(); /* on its way to 1 */
	assert_false(budget_take(rig.b, NULL));
	assert_false(take(0)); /* behind 1 */
	assert_int_equal(granted(), 2);
	give();
	assert_int_equal(granted(), 1);
	give();
	give();
}

static void an_unused_unit_goes_to_the_next(void **state UNUSED)
{
	assert_true(take(0) && take(0));
	assert_false(take(1));
	assert_false(take(2));
	give();
	assert_int_equal(granted(), 2);
	give();
	assert_int_equal(granted(), 3);
	give();
	give();
	assert_int_equal(budget_taken(rig.b), 0);
}

static void a_raised_limit_serves_the_waiters(void **state UNUSED)
{
	assert_true(take(0) && take(0));
	assert_false(take(0));
	assert_false(take(1));
	assert_false(take(2));
	set_limit(4);
	assert_int_equal(granted(), 12);
	assert_int_equal(budget_taken(rig.b), 4);
	set_limit(9);
	assert_int_equal(granted(), 3);
	assert_true(take(1));
	for (unsigned i = 0; i < 6; i++)
		give();
	assert_int_equal(budget_taken(rig.b), 0);
}

static void a_lowered_limit_holds_at_once(void **state UNUSED)
{
	set_limit(4);
	assert_true(take(0) && take(0) && take(0) && take(0));
	set_limit(1);
	assert_false(take(1));
	give();
	give();
	give();
	assert_int_equal(granted(), 0);
	assert_int_equal(budget_taken(rig.b), 1);
	give();
	assert_int_equal(granted(), 2);
	set_limit(0);
	give();
	assert_false(take(0));
	assert_int_equal(budget_taken(rig.b), 0);
	set_limit(1);
	assert_int_equal(granted(), 1);
	give();
}

static void free_waiter(unsigned i)
{
	budget_waiter_free(rig.w[i].w);
	rig.w[i].w = NULL;
	budget_check(rig.b);
}

static void a_waiter_leaves_the_queue_from_anywhere(void **state UNUSED)
{
	for (unsigned gone = 0; gone < 3; gone++) {
		assert_true(take(0) && take(0));
		for (unsigned i = 0; i < 3; i++)
			assert_false(take(i));
		free_waiter(gone);
		give();
		give();
		assert_int_equal(granted(), gone == 0 ? 23 : gone == 1 ? 13 : 12);
		give();
		give();
		rig.w[gone].w = budget_waiter_new(rig.b, &rig.box, on_granted, &rig.w[gone]);
	}
}

static void the_last_waiter_leaves_an_empty_queue(void **state UNUSED)
{
	assert_true(take(0) && take(0));
	assert_false(take(1));
	free_waiter(1);
	give();
	assert_true(budget_take(rig.b, NULL));
	assert_false(take(2));
	give();
	assert_int_equal(granted(), 3);
	give();
	give();
}

static void a_unit_on_its_way_to_a_freed_waiter_is_not_lost(void **state UNUSED)
{
	assert_true(take(0) && take(0));
	assert_false(take(1));
	assert_false(take(2));
	give();
	free_waiter(1);
	assert_int_equal(granted(), 0); /* posts the next one */
	assert_int_equal(granted(), 3);
	assert_int_equal(rig.w[1].granted, 0);
	give();
	give();
	assert_int_equal(budget_taken(rig.b), 0);
}

/* ---- workers against each other, for the thread sanitizer too */

#define WORKERS 4
#define ROUNDS	5000
#define LIMIT	3

struct user {
	struct message go, release;
	struct worker *worker;
	struct budget_waiter *w;
	unsigned left; /* rounds */
};

static struct {
	struct budget *b;
	struct user users[WORKERS];
	_Atomic unsigned holding, most, finished;
} many;

static void hold(struct user *u)
{
	unsigned now = ++many.holding, most = many.most;
	while (now > most && !atomic_compare_exchange_weak(&many.most, &most, now))
		;
	mailbox_post(&u->worker->mailbox, &u->release);
}

static void on_go(struct message *msg)
{
	struct user *u = container_of(msg, struct user, go);
	if (budget_take(many.b, u->w))
		hold(u);
}

static void on_unit(void *arg)
{
	hold(arg);
}

static void on_release(struct message *msg)
{
	struct user *u = container_of(msg, struct user, release);
	many.holding--;
	budget_give(many.b);
	if (--u->left)
		mailbox_post(&u->worker->mailbox, &u->go);
	else
		many.finished++;
}

static int on_start(struct worker *w, void *arg UNUSED)
{
	struct user *u = &many.users[w->id];
	*u = (struct user){.go.run = on_go, .release.run = on_release, .worker = w, .left = ROUNDS};
	u->w = budget_waiter_new(many.b, &w->mailbox, on_unit, u);
	w->ctx = u;
	mailbox_post(&w->mailbox, &u->go);
	return 0;
}

static void on_stop(struct worker *w)
{
	struct user *u = w->ctx;
	budget_waiter_free(u->w);
	u->w = NULL; /* what is left in the mailbox still takes, but does not wait */
}

static const struct worker_ops ops = {.start = on_start, .stop = on_stop};

static void workers_share_it_and_none_is_forgotten(void **state UNUSED)
{
	int64_t end = clock_now_us() + 60 * CLOCK_SECOND;
	many.b = budget_new(1);
	many.holding = many.most = many.finished = 0;
	struct worker_set *set = worker_set_start(WORKERS, 1, &ops, NULL);
	for (unsigned i = 0; many.finished < WORKERS && clock_now_us() < end; i++) {
		budget_set_limit(many.b, i % (LIMIT + 1));
		budget_check(many.b);
		budget_set_limit(many.b, LIMIT);
		usleep(50); /* a pause between two changes */
	}
	assert_int_equal(many.finished, WORKERS);
	assert_int_equal(budget_taken(many.b), 0);
	assert_true(many.most <= LIMIT);
	worker_set_join(set);
	budget_free(many.b);
}

/* The set ends in the middle: units on their way to freed waiters are given back. */
static void workers_that_end_leave_nothing_taken(void **state UNUSED)
{
	for (unsigned i = 0; i < 30; i++) {
		many.b = budget_new(1);
		many.holding = many.finished = 0;
		struct worker_set *set = worker_set_start(WORKERS, 1, &ops, NULL);
		usleep(i * 50); /* into their rounds, each time further */
		worker_set_join(set);
		budget_check(many.b);
		assert_int_equal(budget_taken(many.b), many.holding);
		budget_free(many.b);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_limit_is_exact),
		T(a_unit_wakes_the_first_waiter_only),
		T(a_waiter_is_not_overtaken),
		T(an_unused_unit_goes_to_the_next),
		T(a_raised_limit_serves_the_waiters),
		T(a_lowered_limit_holds_at_once),
		T(a_waiter_leaves_the_queue_from_anywhere),
		T(the_last_waiter_leaves_an_empty_queue),
		T(a_unit_on_its_way_to_a_freed_waiter_is_not_lost),
		cmocka_unit_test(workers_share_it_and_none_is_forgotten),
		cmocka_unit_test(workers_that_end_leave_nothing_taken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
