// SPDX-License-Identifier: MIT
/* Tickets: no wake is lost, none comes twice, none after a cancel, whatever threads do. */
#include "unit.h"

#include <pthread.h>

#include "base/clock.h"
#include "loop/ticket.h"

static struct worker_set *set;
static struct worker *worker; /* the owner of tickets here; a second one of the set only wakes */

static int setup(void **state UNUSED)
{
	set = worker_set_start(2, 1, &unit_workers, NULL);
	worker = set ? worker_set_at(set, 0) : NULL;
	return set ? 0 : -1;
}

static int teardown(void **state UNUSED)
{
	if (set)
		worker_set_join(set);
	return 0;
}

/* One that waits, and what it has seen. */
struct waiting {
	struct ticket *ticket;
	_Atomic int woken;
	_Atomic uint64_t news, seen; /* written by wakers; as of the last woken() */
	int cancel_at;		     /* cancels inside that call of woken() */
	int again;		     /* wakes itself so often */
	_Atomic bool wrong_thread;
};

static void woken(void *user)
{
	struct waiting *w = user;
	MUST(w->ticket); /* not cancelled */
	w->wrong_thread |= !pthread_equal(worker->thread, pthread_self());
	w->seen = atomic_load_explicit(&w->news, memory_order_relaxed);
	w->woken++;
	if (w->woken == w->cancel_at) {
		ticket_cancel(w->ticket);
		w->ticket = NULL;
	} else if (w->again && w->again--) {
		ticket_wake(w->ticket);
	}
}

static void begin(void *arg)
{
	struct waiting *w = arg;
	w->ticket = ticket_new(worker, woken, w);
}

static void cancel(void *arg)
{
	struct waiting *w = arg;
	struct ticket *t = w->ticket;
	w->ticket = NULL;
	ticket_cancel(t);
}

static void wakes_from_any_thread(void **state UNUSED)
{
	struct waiting w = {0};
	unit_on_worker(worker, begin, &w);
	for (int i = 1; i <= 10; i++) {
		w.news = (uint64_t)i;
		ticket_wake(w.ticket);
		assert_reaches(w.woken, i);
		assert_int_equal(w.seen, i);
	}
	assert_false(w.wrong_thread);
	unit_on_worker(worker, cancel, &w);
}

static void wake_many(void *arg)
{
	struct waiting *w = arg;
	for (int i = 0; i < 1000; i++)
		ticket_wake(w->ticket);
	MUST(w->woken == 0); /* never from inside */
}

static void wakes_are_coalesced(void **state UNUSED)
{
	struct waiting w = {0};
	unit_on_worker(worker, begin, &w);
	unit_on_worker(worker, wake_many, &w); /* it is busy meanwhile */
	unit_settle(worker);
	assert_int_equal(w.woken, 1);
	ticket_wake(w.ticket);
	unit_settle(worker);
	assert_int_equal(w.woken, 2);
	unit_on_worker(worker, cancel, &w);
}

static void wakes_itself(void **state UNUSED)
{
	struct waiting w = {.again = 5};
	unit_on_worker(worker, begin, &w);
	ticket_wake(w.ticket);
	assert_reaches(w.woken, 6);
	unit_on_worker(worker, cancel, &w);
	unit_settle(worker);
	assert_int_equal(w.woken, 6);
}

static void wake_then_cancel(void *arg)
{
	struct waiting *w = arg;
	ticket_wake(w->ticket);
	cancel(w);
}

static void a_cancel_overtakes_the_wake(void **state UNUSED)
{
	struct waiting w = {0};
	unit_on_worker(worker, begin, &w);
	struct ticket *t = ticket_ref(w.ticket);
	unit_on_worker(worker, wake_then_cancel, &w);
	unit_settle(worker);
	ticket_wake(t); /* cancelled: no harm */
	unit_settle(worker);
	assert_int_equal(w.woken, 0);
	ticket_unref(t);
	ticket_cancel(NULL);
	ticket_unref(NULL);
}

static void cancels_inside_woken(void **state UNUSED)
{
	struct waiting w = {.cancel_at = 3};
	unit_on_worker(worker, begin, &w);
	struct ticket *t = ticket_ref(w.ticket);
	for (int i = 0; i < 10; i++) {
		ticket_wake(t);
		unit_settle(worker);
	}
	assert_int_equal(w.woken, 3);
	ticket_unref(t);
}

/* ---- many threads */

#define THREADS 4
#define ROUNDS	20000

struct waker {
	pthread_t thread;
	struct ticket *ticket; /* its own reference */
	struct waiting *waiting;
	int rounds;
};

static void *wake_main(void *arg)
{
	struct waker *k = arg;
	for (int i = 0; i < k->rounds; i++) {
		atomic_fetch_add_explicit(&k->waiting->news, 1, memory_order_relaxed);
		ticket_wake(k->ticket);
	}
	ticket_unref(k->ticket);
	return NULL;
}

static void start_waker(struct waker *k, struct waiting *w, struct ticket *t, int rounds)
{
	*k = (struct waker){.ticket = ticket_ref(t), .waiting = w, .rounds = rounds};
	MUST0(pthread_create(&k->thread, NULL, wake_main, k));
}

/* The news are relaxed: that woken() sees the last of them is the ticket's doing alone. */
static void no_wake_is_lost(void **state UNUSED)
{
	struct waiting w = {0};
	struct waker k[THREADS];
	unit_on_worker(worker, begin, &w);
	for (int i = 0; i < THREADS; i++)
		start_waker(&k[i], &w, w.ticket, ROUNDS);
	for (int i = 0; i < THREADS; i++)
		MUST0(pthread_join(k[i].thread, NULL));
	unit_settle(worker);
	assert_int_equal(w.seen, THREADS * ROUNDS);
	assert_in_range(w.woken, 1, THREADS * ROUNDS);
	assert_false(w.wrong_thread);
	unit_on_worker(worker, cancel, &w);
}

/* Owners come and go while others wake them; the last reference may be any thread's. */
static void cancels_while_threads_wake(void **state UNUSED)
{
	for (int round = 0; round < 300; round++) {
		struct waiting *w = def_xcalloc(1, sizeof(*w));
		struct waker k[THREADS];
		unit_on_worker(worker, begin, w);
		struct ticket *t = ticket_ref(w->ticket);
		for (int i = 0; i < THREADS; i++)
			start_waker(&k[i], w, t, 50);
		ticket_unref(t);
		usleep((useconds_t)(round % 10) * 20); /* into their wakes, more or less far */
		unit_on_worker(worker, cancel, w);
		int last = w->woken;
		for (int i = 0; i < THREADS; i++)
			MUST0(pthread_join(k[i].thread, NULL));
		unit_settle(worker);
		assert_int_equal(w->woken, last);
		free(w);
	}
}

/* ---- the end of the workers */

static void wake_it(void *arg)
{
	ticket_wake(((struct waiting *)arg)->ticket);
}

static void the_set_ends_with_a_wake_on_its_way(void **state UNUSED)
{
	struct waiting w = {0};
	unit_on_worker(worker, begin, &w);
	struct ticket *t = ticket_ref(w.ticket);
	unit_on_worker(worker_set_at(set, 1), wake_it, &w);
	unit_on_worker(worker, cancel, &w);
	ticket_wake(t);
	ticket_unref(t); /* the message holds the last reference */
	worker_set_join(set);
	set = NULL;
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(wakes_from_any_thread),
		T(wakes_are_coalesced),
		T(wakes_itself),
		T(a_cancel_overtakes_the_wake),
		T(cancels_inside_woken),
		T(no_wake_is_lost),
		T(cancels_while_threads_wake),
		T(the_set_ends_with_a_wake_on_its_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
