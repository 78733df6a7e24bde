// SPDX-License-Identifier: MIT
/*
 * A set is an array of workers, each on cache lines of its own, and one lock for the two moments
 * when threads wait for each other: at the start (every start() has returned) and at the end.
 *
 * The end, in order: a worker leaves its loop; when all have, no thread posts any more, so each runs
 * what is left in its mailbox and then stop(), on its own thread; the joining thread takes the
 * loops apart when all threads are gone, since a sender may still be inside ev_async_send() when
 * its message has long been run.
 *
 * A ping is a message posted by the main thread and answered by being run. While ping_out is
 * set the message belongs to the mailbox.
 */
#include "loop/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"

#define WORKER_MAGIC 0x574f524bu

#define BUFFERS_KEPT 256 /* 4 MiB a worker stay warm; more goes back to the system */

/* A worker and what only this file knows of it. */
struct slot {
	_Alignas(CACHE_LINE) struct worker worker;
	struct message stop;
	bool has_thread;
};

struct worker_set {
	const struct worker_ops *ops;
	void *arg;
	struct mutex lock; /* guards the counts */
	pthread_cond_t changed;
	unsigned ready, failed; /* start() returned, and how many of those failed */
	unsigned ended;		/* left their loop */
	unsigned n;
	struct slot slots[];
};

static void count(struct worker_set *set, unsigned *what)
{
	mutex_lock(&set->lock);
	(*what)++;
	MUST0(pthread_cond_broadcast(&set->changed));
	mutex_unlock(&set->lock);
}

static void wait_for_all(struct worker_set *set, const unsigned *what)
{
	mutex_lock(&set->lock);
	while (*what < set->n)
		mutex_wait(&set->lock, &set->changed);
	mutex_unlock(&set->lock);
}

static void on_turn(struct ev_loop *loop UNUSED, struct ev_check *turn, int events UNUSED)
{
	struct worker *w = container_of(turn, struct worker, turn);
	MAGIC_CHECK(w, WORKER_MAGIC);
	w->now_us = clock_now_us();
}

static void on_ping(struct message *message)
{
	struct worker *w = container_of(message, struct worker, ping);
	MAGIC_CHECK(w, WORKER_MAGIC);
	atomic_store_explicit(&w->ping_out, false, memory_order_release);
}

static void on_stop(struct message *message)
{
	struct worker *w = &container_of(message, struct slot, stop)->worker;
	MAGIC_CHECK(w, WORKER_MAGIC);
	worker_stop(w);
}

static void *thread_main(void *arg)
{
	struct worker *w = arg;
	MAGIC_CHECK(w, WORKER_MAGIC);
	struct worker_set *set = w->set;
	w->own = pthread_self();
	bool started = set->ops->start(w, set->arg) == 0;
	if (!started)
		count(set, &set->failed);
	count(set, &set->ready);
	if (started && !atomic_load_explicit(&w->stopping, memory_order_relaxed))
		ev_run(w->loop, 0);
	atomic_store_explicit(&w->stopping, true, memory_order_relaxed);
	count(set, &set->ended);
	wait_for_all(set, &set->ended);
	mailbox_run(&w->mailbox);
	if (started)
		set->ops->stop(w);
	return NULL;
}

static int init_worker(struct worker *w, struct worker_set *set, unsigned id, uint32_t max_buffers)
{
	w->loop = ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
	if (!w->loop)
		return -1;
	MAGIC_SET(w, WORKER_MAGIC);
	w->set = set;
	w->id = id;
	w->now_us = clock_now_us();
	w->ping.run = on_ping;
	slab_init(&w->buffers, WORKER_BUFFER_SIZE, max_buffers, BUFFERS_KEPT);
	pipes_init(&w->pipes);
	mailbox_init(&w->mailbox, w->loop);
	ev_check_init(&w->turn, on_turn);
	ev_set_priority(&w->turn, EV_MAXPRI);
	ev_check_start(w->loop, &w->turn);
	return 0;
}

static void fini_worker(struct worker *w)
{
	if (!w->loop)
		return;
	mailbox_fini(&w->mailbox);
	ev_check_stop(w->loop, &w->turn);
	slab_fini(&w->buffers);
	pipes_fini(&w->pipes);
	ev_loop_destroy(w->loop);
	MAGIC_WIPE(w, WORKER_MAGIC);
}

static void free_set(struct worker_set *set)
{
	for (unsigned i = 0; i < set->n; i++)
		fini_worker(&set->slots[i].worker);
	MUST0(pthread_cond_destroy(&set->changed));
	mutex_fini(&set->lock);
	free(set);
}

static struct worker_set *new_set(unsigned n, const struct worker_ops *ops, void *arg)
{
	size_t size = sizeof(struct worker_set) + n * sizeof(struct slot);
	struct worker_set *set = def_xcalloc_lines(size);
	set->ops = ops;
	set->arg = arg;
	set->n = n;
	mutex_init(&set->lock);
	MUST0(pthread_cond_init(&set->changed, NULL));
	return set;
}

/* A thread that cannot be made counts as one whose start() failed. */
static void start_thread(struct slot *slot)
{
	struct worker_set *set = slot->worker.set;
	char name[16];
	int error = pthread_create(&slot->worker.thread, NULL, thread_main, &slot->worker);
	if (error == 0) {
		slot->has_thread = true;
		snprintf(name, sizeof(name), "worker-%u", slot->worker.id);
		pthread_setname_np(slot->worker.thread, name);
		return;
	}
	errno = error;
	log_err("worker %u: thread: %m", slot->worker.id);
	count(set, &set->failed);
	count(set, &set->ready);
	count(set, &set->ended);
}

/* Workers inherit the mask. Signals of faults stay unblocked: a crash must look like one. */
static void block_signals(sigset_t *before)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
	sigset_t all;
	sigfillset(&all);
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		sigdelset(&all, faults[i]);
	MUST0(pthread_sigmask(SIG_SETMASK, &all, before));
}

struct worker_set *worker_set_start(unsigned n, uint32_t max_buffers, const struct worker_ops *ops,
				    void *arg)
{
	struct worker_set *set;
	sigset_t before;
	MUST(n >= 1 && n <= WORKER_MAX);
	set = new_set(n, ops, arg);
	for (unsigned i = 0; i < n; i++) {
		set->slots[i].stop.run = on_stop;
		if (init_worker(&set->slots[i].worker, set, i, max_buffers) != 0) {
			log_err("worker %u: no event loop: %m", i);
			free_set(set);
			return NULL;
		}
	}
	block_signals(&before);
	for (unsigned i = 0; i < n; i++)
		start_thread(&set->slots[i]);
	MUST0(pthread_sigmask(SIG_SETMASK, &before, NULL));
	wait_for_all(set, &set->ready);
	if (set->failed == 0)
		return set;
	worker_set_join(set);
	return NULL;
}

unsigned worker_set_count(const struct worker_set *set)
{
	return set->n;
}

struct worker *worker_set_at(const struct worker_set *set, unsigned id)
{
	MUST(id < set->n);
	return (struct worker *)(uintptr_t)&set->slots[id].worker;
}

/*
 * Asks again when the last ping was answered; one that is out for longer than the limit means a
 * stuck loop.
 */
static bool is_alive(struct worker *w, int64_t now_us, int64_t limit_us)
{
	if (atomic_load_explicit(&w->stopping, memory_order_relaxed))
		return true;
	if (atomic_load_explicit(&w->ping_out, memory_order_acquire))
		return now_us - w->pinged_us <= limit_us;
	w->pinged_us = now_us;
	atomic_store_explicit(&w->ping_out, true, memory_order_relaxed);
	mailbox_post(&w->mailbox, &w->ping);
	return true;
}

bool worker_set_alive(struct worker_set *set, int64_t limit_us)
{
	int64_t now_us = clock_now_us();
	bool alive = true;
	for (unsigned i = 0; i < set->n; i++)
		alive = is_alive(&set->slots[i].worker, now_us, limit_us) && alive;
	return alive;
}

void worker_stop(struct worker *w)
{
	MAGIC_CHECK(w, WORKER_MAGIC);
	MUST(worker_here(w));
	atomic_store_explicit(&w->stopping, true, memory_order_relaxed);
	ev_break(w->loop, EVBREAK_ALL);
}

bool worker_stopping(const struct worker *w)
{
	return atomic_load_explicit(&w->stopping, memory_order_relaxed);
}

void worker_set_join(struct worker_set *set)
{
	for (unsigned i = 0; i < set->n; i++)
		mailbox_post(&set->slots[i].worker.mailbox, &set->slots[i].stop);
	for (unsigned i = 0; i < set->n; i++) {
		if (set->slots[i].has_thread)
			MUST0(pthread_join(set->slots[i].worker.thread, NULL));
	}
	free_set(set);
}
