// SPDX-License-Identifier: MIT
/*
 * A class is a ring in order of arming and a timer that is never set later than the first member's
 * deadline. Cancelling only unlinks. When the timer fires it expires what is due and is set for the
 * first of the rest, or stops; so a busy class costs one firing a wait, however many members come
 * and go.
 *
 * expired() may arm, cancel or free any deadline: after each call the ring is read from its head again. A mark at the
 * end of the ring keeps deadlines that are armed meanwhile for the next firing, however late it is by then; and when
 * the mark is gone, so is the class.
 */
#include "loop/deadline.h"

#include "base/clock.h"

#define CLASS_MAGIC 0x444c434cu

static void unlink_one(struct deadline *d)
{
	d->prev->next = d->next;
	d->next->prev = d->prev;
	d->class = NULL;
}

static bool is_empty(const struct deadline_class *c)
{
	return c->list.next == &c->list;
}

/* At least a millisecond, which is as fine as epoll waits: shorter would only spin. */
static void set_timer(struct deadline_class *c, int64_t after_us)
{
	c->timer.repeat = (double)MAX(after_us, CLOCK_MSEC) / (double)CLOCK_SECOND;
	ev_timer_again(c->loop, &c->timer);
}

static void append(struct deadline_class *c, struct deadline *d)
{
	d->class = c;
	d->next = &c->list;
	d->prev = c->list.prev;
	d->prev->next = d;
	c->list.prev = d;
}

static void expire(struct deadline_class *c, int64_t now_us)
{
	struct deadline mark;
	append(c, &mark);
	while (c->list.next != &mark && c->list.next->due_us <= now_us) {
		struct deadline *d = c->list.next;
		unlink_one(d);
		c->expired(d);
		if (!mark.class)
			return;
	}
	unlink_one(&mark);
	if (is_empty(c))
		ev_timer_stop(c->loop, &c->timer);
	else
		set_timer(c, c->list.next->due_us - now_us);
}

static void on_timer(struct ev_loop *loop UNUSED, struct ev_timer *timer, int events UNUSED)
{
	struct deadline_class *c = container_of(timer, struct deadline_class, timer);
	MAGIC_CHECK(c, CLASS_MAGIC);
	expire(c, clock_now_us());
}

void deadline_class_init(struct deadline_class *c, struct ev_loop *loop, int64_t wait_us,
			 void (*expired)(struct deadline *d))
{
	MUST(wait_us > 0 && expired);
	*c = (struct deadline_class){.loop = loop, .wait_us = wait_us, .expired = expired};
	MAGIC_SET(c, CLASS_MAGIC);
	c->list.prev = c->list.next = &c->list;
	ev_timer_init(&c->timer, on_timer, 0., 0.);
}

void deadline_class_fini(struct deadline_class *c)
{
	while (!is_empty(c))
		unlink_one(c->list.next);
	ev_timer_stop(c->loop, &c->timer);
	MAGIC_WIPE(c, CLASS_MAGIC);
}

void deadline_class_set(struct deadline_class *c, int64_t wait_us)
{
	MAGIC_CHECK(c, CLASS_MAGIC);
	MUST(wait_us > 0);
	c->wait_us = wait_us;
	/* A timer left over from a longer wait would delay the deadlines armed now. */
	if (is_empty(c))
		ev_timer_stop(c->loop, &c->timer);
}

void deadline_arm(struct deadline *d, struct deadline_class *c, int64_t now_us)
{
	MAGIC_CHECK(c, CLASS_MAGIC);
	deadline_cancel(d);
	d->due_us = now_us + c->wait_us;
	append(c, d);
	if (!ev_is_active(&c->timer))
		set_timer(c, c->wait_us);
}

void deadline_cancel(struct deadline *d)
{
	if (d->class)
		unlink_one(d);
}

unsigned deadline_class_check(const struct deadline_class *c)
{
	MAGIC_CHECK(c, CLASS_MAGIC);
	MUST(c->wait_us > 0 && c->expired);
	const struct deadline *before = &c->list;
	for (const struct deadline *d = c->list.next; d != &c->list; before = d, d = d->next)
		MUST(d->class == c && d->prev == before);
	MUST(c->list.prev == before && !c->list.class);
	MUST(is_empty(c) || ev_is_active(&c->timer));
	return 1;
}
