// SPDX-License-Identifier: MIT
/*
 * A round is shared by its workers and the main thread, and freed by the last of them. The main thread never blocks: it
 * hears by a message that the last worker has come.
 */
#include "loop/standstill.h"

#include <time.h>

#include "base/mutex.h"

#define ROUND_MAGIC 0x5354494cu

struct part {
	struct message message;
	struct worker *worker;
	struct round *round;
};

enum state {
	GATHERING,
	STILL, /* all() is at work */
	OVER,
};

struct round {
	uint32_t magic;
	const struct standstill_ops *ops;
	void *arg;
	struct mailbox *box;
	struct message gathered;
	struct mutex lock;
	pthread_cond_t moved; /* monotonic clock */
	/* under the lock */
	enum state state;
	bool broken; /* a worker does not wait: no other one has to */
	unsigned n, come, refs;
	struct part parts[];
};

/* Unlocks, and gives one reference back. */
static void leave(struct round *r)
{
	MUST(mutex_held(&r->lock) && r->refs > 0);
	unsigned left = --r->refs;
	mutex_unlock(&r->lock);
	if (left)
		return;
	MUST0(pthread_cond_destroy(&r->moved));
	mutex_fini(&r->lock);
	MAGIC_WIPE(r, ROUND_MAGIC);
	free(r);
}

static struct timespec limit(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += STANDSTILL_MS / 1000;
	t.tv_nsec += STANDSTILL_MS % 1000 * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

/* Under the lock. */
static void give_up(struct round *r)
{
	MUST(mutex_held(&r->lock));
	if (r->state != GATHERING)
		return;
	r->broken = true;
	MUST0(pthread_cond_broadcast(&r->moved));
}

static void on_worker(struct message *l)
{
	struct part *p = container_of(l, struct part, message);
	struct round *r = p->round;
	MAGIC_CHECK(r, ROUND_MAGIC);
	MUST(worker_here(p->worker));
	r->ops->each(p->worker, r->arg);
	struct timespec until = limit();
	mutex_lock(&r->lock);
	MUST(r->come < r->n);
	if (++r->come == r->n)
		mailbox_post(r->box, &r->gathered);
	if (worker_stopping(p->worker))
		give_up(r);
	while (r->state == STILL || (r->state == GATHERING && !r->broken)) {
		if (r->state == STILL)
			mutex_wait(&r->lock, &r->moved);
		else if (!mutex_wait_until(&r->lock, &r->moved, &until))
			give_up(r);
	}
	leave(r);
}

static void on_gathered(struct message *l)
{
	struct round *r = container_of(l, struct round, gathered);
	MAGIC_CHECK(r, ROUND_MAGIC);
	mutex_lock(&r->lock);
	bool still = !r->broken;
	if (still)
		r->state = STILL;
	mutex_unlock(&r->lock);
	r->ops->all(still, r->arg);
	mutex_lock(&r->lock);
	r->state = OVER;
	MUST0(pthread_cond_broadcast(&r->moved));
	leave(r);
}

void standstill_begin(struct worker_set *set, struct mailbox *box, const struct standstill_ops *ops,
		      void *arg)
{
	unsigned n = worker_set_count(set);
	struct round *r = def_xcalloc(1, sizeof(*r) + n * sizeof(r->parts[0]));
	pthread_condattr_t monotonic;
	MAGIC_SET(r, ROUND_MAGIC);
	r->ops = ops;
	r->arg = arg;
	r->box = box;
	r->gathered.run = on_gathered;
	r->n = n;
	r->refs = n + 1;
	mutex_init(&r->lock);
	MUST0(pthread_condattr_init(&monotonic));
	MUST0(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC));
	MUST0(pthread_cond_init(&r->moved, &monotonic));
	MUST0(pthread_condattr_destroy(&monotonic));
	for (unsigned i = 0; i < n; i++) {
		struct part *p = &r->parts[i];
		*p = (struct part){
			.message.run = on_worker, .worker = worker_set_at(set, i), .round = r};
	}
	for (unsigned i = 0; i < n; i++)
		mailbox_post(&worker_set_at(set, i)->mailbox, &r->parts[i].message);
}
