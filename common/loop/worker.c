// SPDX-License-Identifier: MIT
/*
 * Threads around loops. Start is a rendezvous: the main thread waits until every worker has run its start(), so
 * that a failure there fails the daemon's start. Stop is a letter, so a worker finishes the turn it is in.
 *
 * Liveness: the main thread posts a ping and remembers it is out; the worker's answer stamps the time. A worker
 * that does not turn leaves the ping unanswered and its stamp old.
 */
#include "loop/worker.h"

#include <signal.h>
#include <stdio.h>

#include "base/clock.h"

struct worker_set {
	unsigned count;
	uint32_t max_buffers;
	const struct worker_ops *ops;
	void *arg;
	pthread_mutex_t lock; /* guards the two below */
	pthread_cond_t changed;
	unsigned started, failed;
	struct worker *workers;
};

static void on_turn(struct ev_loop *loop, struct ev_check *w, int events)
{
	(void)loop;
	(void)events;
	container_of(w, struct worker, turn)->now_us = clock_now_us();
}

static void on_ping(struct letter *l)
{
	struct worker *w = container_of(l, struct worker, ping);
	atomic_store_explicit(&w->turned_us, w->now_us, memory_order_relaxed);
	atomic_store_explicit(&w->ping_out, false, memory_order_release);
}

static void report_start(struct worker_set *set, bool ok)
{
	MUST0(pthread_mutex_lock(&set->lock));
	set->started++;
	set->failed += !ok;
	MUST0(pthread_cond_signal(&set->changed));
	MUST0(pthread_mutex_unlock(&set->lock));
}

static void *run(void *arg)
{
	struct worker *w = arg;
	char name[16];
	snprintf(name, sizeof(name), "worker-%u", w->id);
	pthread_setname_np(pthread_self(), name);
	w->now_us = clock_now_us();
	bool ok = w->set->ops->start(w, w->set->arg) == 0;
	report_start(w->set, ok);
	while (ok && !w->stopping)
		ev_run(w->loop, 0);
	if (ok)
		w->set->ops->stop(w);
	return NULL;
}

static void init_worker(struct worker_set *set, unsigned id)
{
	struct worker *w = &set->workers[id];
	w->id = id;
	w->set = set;
	w->loop = ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
	MUST(w->loop != NULL);
	slab_init(&w->buffers, WORKER_BUFFER_SIZE, set->max_buffers, 64);
	mailbox_init(&w->mailbox, w->loop);
	ev_check_init(&w->turn, on_turn);
	ev_set_priority(&w->turn, EV_MAXPRI);
	ev_check_start(w->loop, &w->turn);
	w->ping.run = on_ping;
	atomic_init(&w->turned_us, clock_now_us());
	atomic_init(&w->ping_out, false);
}

static void fini_worker(struct worker *w)
{
	mailbox_fini(&w->mailbox);
	ev_check_stop(w->loop, &w->turn);
	slab_fini(&w->buffers);
	ev_loop_destroy(w->loop);
}

/* Workers take no signals: they inherit a full mask. */
static void start_threads(struct worker_set *set)
{
	sigset_t all, old;
	sigfillset(&all);
	MUST0(pthread_sigmask(SIG_SETMASK, &all, &old));
	for (unsigned i = 0; i < set->count; i++)
		MUST0(pthread_create(&set->workers[i].thread, NULL, run, &set->workers[i]));
	MUST0(pthread_sigmask(SIG_SETMASK, &old, NULL));
}

struct worker_set *worker_set_start(unsigned n, uint32_t max_buffers, const struct worker_ops *ops, void *arg)
{
	MUST(n >= 1 && n <= WORKER_MAX);
	struct worker_set *set = def_xcalloc(1, sizeof(*set));
	*set = (struct worker_set){.count = n, .max_buffers = max_buffers, .ops = ops, .arg = arg};
	MUST0(pthread_mutex_init(&set->lock, NULL));
	MUST0(pthread_cond_init(&set->changed, NULL));
	set->workers = def_xcalloc(n, sizeof(*set->workers));
	for (unsigned i = 0; i < n; i++)
		init_worker(set, i);
	start_threads(set);
	MUST0(pthread_mutex_lock(&set->lock));
	while (set->started < n)
		MUST0(pthread_cond_wait(&set->changed, &set->lock));
	bool ok = set->failed == 0;
	MUST0(pthread_mutex_unlock(&set->lock));
	if (ok)
		return set;
	worker_set_join(set);
	return NULL;
}

unsigned worker_set_count(const struct worker_set *set)
{
	return set->count;
}

struct worker *worker_set_at(const struct worker_set *set, unsigned id)
{
	MUST(id < set->count);
	return &set->workers[id];
}

bool worker_set_alive(struct worker_set *set, int64_t limit_us)
{
	bool alive = true;
	int64_t now_us = clock_now_us();
	for (unsigned i = 0; i < set->count; i++) {
		struct worker *w = &set->workers[i];
		if (!atomic_exchange_explicit(&w->ping_out, true, memory_order_acquire)) {
			atomic_store_explicit(&w->turned_us, now_us, memory_order_relaxed);
			mailbox_post(&w->mailbox, &w->ping);
		} else if (now_us - atomic_load_explicit(&w->turned_us, memory_order_relaxed) > limit_us) {
			alive = false;
		}
	}
	return alive;
}

void worker_stop(struct worker *w)
{
	w->stopping = true;
	ev_break(w->loop, EVBREAK_ALL);
}

struct stop_letter {
	struct letter letter;
	struct worker *worker;
};

static void on_stop(struct letter *l)
{
	struct stop_letter *s = container_of(l, struct stop_letter, letter);
	worker_stop(s->worker);
	free(s);
}

void worker_set_join(struct worker_set *set)
{
	for (unsigned i = 0; i < set->count; i++) {
		struct stop_letter *s = def_xmalloc(sizeof(*s));
		*s = (struct stop_letter){.letter.run = on_stop, .worker = &set->workers[i]};
		mailbox_post(&set->workers[i].mailbox, &s->letter);
	}
	for (unsigned i = 0; i < set->count; i++)
		MUST0(pthread_join(set->workers[i].thread, NULL));
	for (unsigned i = 0; i < set->count; i++)
		fini_worker(&set->workers[i]);
	MUST0(pthread_cond_destroy(&set->changed));
	MUST0(pthread_mutex_destroy(&set->lock));
	free(set->workers);
	free(set);
}
