// SPDX-License-Identifier: MIT
#include "loop/drain.h"

#define LOOK_S 0.05

#define DRAIN_MAGIC 0x44524149u

struct drain_part {
	struct message begin, done;
	struct drain *drain;
	struct worker *worker;
	struct ev_timer look;
};

struct drain {
	uint32_t magic;
	const struct drain_ops *ops;
	void *arg;
	struct mailbox *main_box;
	unsigned left; /* main thread */
	struct drain_part parts[];
};

static void on_done(struct message *msg)
{
	struct drain *d = container_of(msg, struct drain_part, done)->drain;
	MAGIC_CHECK(d, DRAIN_MAGIC);
	MUST(d->left > 0);
	if (--d->left == 0)
		d->ops->done(d->arg);
}

static void on_look(struct ev_loop *loop, struct ev_timer *t, int events UNUSED)
{
	struct drain_part *p = container_of(t, struct drain_part, look);
	MAGIC_CHECK(p->drain, DRAIN_MAGIC);
	if (!p->drain->ops->idle(p->worker))
		return;
	ev_timer_stop(loop, t);
	mailbox_post(p->drain->main_box, &p->done);
}

static void on_begin(struct message *msg)
{
	struct drain_part *p = container_of(msg, struct drain_part, begin);
	MAGIC_CHECK(p->drain, DRAIN_MAGIC);
	p->drain->ops->begin(p->worker);
	ev_timer_init(&p->look, on_look, 0., LOOK_S);
	ev_timer_start(p->worker->loop, &p->look);
}

struct drain *drain_start(struct worker_set *set, struct mailbox *main_box,
			  const struct drain_ops *ops, void *arg)
{
	unsigned n = worker_set_count(set);
	struct drain *d = def_xcalloc(1, sizeof(*d) + n * sizeof(d->parts[0]));
	MAGIC_SET(d, DRAIN_MAGIC);
	d->ops = ops;
	d->arg = arg;
	d->main_box = main_box;
	d->left = n;
	for (unsigned i = 0; i < n; i++) {
		struct drain_part *p = &d->parts[i];
		p->begin.run = on_begin;
		p->done.run = on_done;
		p->drain = d;
		p->worker = worker_set_at(set, i);
		mailbox_post(&p->worker->mailbox, &p->begin);
	}
	return d;
}

void drain_free(struct drain *d)
{
	if (d)
		MAGIC_WIPE(d, DRAIN_MAGIC);
	free(d);
}
