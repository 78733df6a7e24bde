// SPDX-License-Identifier: MIT
/*
 * A ring with a sentinel, sorted because every member waits equally long. The timer aims at the oldest member; a
 * cancelled one leaves it aimed too early, which costs one idle wake-up and never a system call in between.
 */
#include "loop/deadline.h"

#include "base/clock.h"

static bool empty(const struct deadline_class *c)
{
	return c->list.next == &c->list;
}

static void unlink_one(struct deadline *d)
{
	d->prev->next = d->next;
	d->next->prev = d->prev;
	d->class = NULL;
}

static void aim(struct deadline_class *c, int64_t now_us)
{
	if (empty(c) || ev_is_active(&c->timer))
		return;
	int64_t wait = MAX(c->list.next->due_us - now_us, 0);
	/* ev_timer counts from the loop's idea of now, which may be older than ours. */
	double late = ev_time() - ev_now(c->loop);
	ev_timer_set(&c->timer, (double)wait / 1e6 + MAX(late, 0.0), 0.);
	ev_timer_start(c->loop, &c->timer);
}

static void on_timer(struct ev_loop *loop, struct ev_timer *w, int events)
{
	struct deadline_class *c = container_of(w, struct deadline_class, timer);
	int64_t now_us = clock_now_us();
	(void)loop;
	(void)events;
	while (!empty(c) && c->list.next->due_us <= now_us) {
		struct deadline *d = c->list.next;
		unlink_one(d);
		c->expired(d);
	}
	aim(c, now_us);
}

void deadline_class_init(struct deadline_class *c, struct ev_loop *loop, int64_t wait_us,
			 void (*expired)(struct deadline *d))
{
	*c = (struct deadline_class){.loop = loop, .wait_us = wait_us, .expired = expired};
	c->list.prev = c->list.next = &c->list;
	ev_timer_init(&c->timer, on_timer, 0., 0.);
}

void deadline_class_fini(struct deadline_class *c)
{
	while (!empty(c))
		unlink_one(c->list.next);
	ev_timer_stop(c->loop, &c->timer);
}

void deadline_class_set(struct deadline_class *c, int64_t wait_us)
{
	c->wait_us = wait_us;
}

void deadline_arm(struct deadline *d, struct deadline_class *c, int64_t now_us)
{
	if (d->class)
		unlink_one(d);
	d->class = c;
	d->due_us = now_us + c->wait_us;
	d->prev = c->list.prev;
	d->next = &c->list;
	d->prev->next = d;
	c->list.prev = d;
	if (UNLIKELY(!ev_is_active(&c->timer)))
		aim(c, now_us);
}

void deadline_cancel(struct deadline *d)
{
	if (d->class)
		unlink_one(d);
}
