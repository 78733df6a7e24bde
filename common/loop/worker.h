// SPDX-License-Identifier: MIT
/*
 * Worker threads: one libev loop each, with its own buffers and mailbox. A connection never changes
 * workers.
 *
 * The main thread makes the set, starts it, posts messages to it, and joins it. It alone takes
 * signals; workers block them all. worker_set_alive() tells whether every loop still runs:
 * the service manager's watchdog is fed from it.
 */
#ifndef LOOP_WORKER_H
#define LOOP_WORKER_H

#include <ev.h>
#include <pthread.h>

#include "base/slab.h"
#include "loop/mailbox.h"
#include "loop/pipes.h"

#define WORKER_BUFFER_SIZE 16384 /* bytes of one I/O buffer */
#define WORKER_MAX	   64

struct worker_set;

struct worker {
	uint32_t magic;		/* private */
	struct ev_loop *loop;	/* ro */
	int64_t now_us;		/* ro: see worker_now_us() */
	unsigned id;		/* ro: 0.. */
	struct worker_set *set; /* ro */
	struct slab buffers;	/* WORKER_BUFFER_SIZE each; the worker's own code gets and puts */
	struct pipes pipes;	/* the worker's own code gets and puts */
	struct mailbox mailbox; /* post from anywhere */
	void *ctx;		/* the daemon's own state for this worker, set by its start() */
	/* private */
	pthread_t thread; /* main thread: to join */
	pthread_t own;	  /* the same, as the thread itself sees it */
	struct ev_check turn;
	struct message ping;
	int64_t pinged_us;     /* main thread's: when ping was posted */
	_Atomic bool ping_out; /* posted and not yet answered */
	_Atomic bool stopping; /* the loop ends or has ended */
};

/* What the daemon does on each worker's thread. */
struct worker_ops {
	/* Before the loop runs; non-zero: the set fails to start. */
	int (*start)(struct worker *w, void *arg);
	/* After the loop ended, on the same thread; not called where start() failed. */
	void (*stop)(struct worker *w);
};

/* Is the caller on the worker's own thread? For asserts in functions that must be called there. */
static inline bool worker_here(const struct worker *w)
{
	return pthread_equal(w->own, pthread_self());
}

/*
 * clock_now_us() as of the start of the loop's turn: an ev_check sets it before anything else runs.
 */
static inline int64_t worker_now_us(const struct worker *w)
{
	return w->now_us;
}

/*
 * Starts n workers (1..WORKER_MAX) and waits until every start() returned. max_buffers caps each
 * worker's buffers. Returns NULL if a start() failed; those that started have been stopped then.
 */
struct worker_set *worker_set_start(unsigned n, uint32_t max_buffers, const struct worker_ops *ops,
				    void *arg);
unsigned worker_set_count(const struct worker_set *set);
struct worker *worker_set_at(const struct worker_set *set, unsigned id);

/*
 * Main thread: pings every worker, without waiting. False when a ping has been unanswered for
 * longer than the limit. A worker that worker_stop() ended need not answer.
 */
bool worker_set_alive(struct worker_set *set, int64_t limit_us);

/*
 * Ends a worker's loop once its current turn is over; called on that worker's thread. Messages that
 * come after it are run when the last worker of the set has ended, before stop().
 */
void worker_stop(struct worker *w);
/* Any thread: its loop ends or has ended. */
bool worker_stopping(const struct worker *w);
/* Main thread: stops all, busy or not, joins them, frees the set. */
void worker_set_join(struct worker_set *set);

#endif
