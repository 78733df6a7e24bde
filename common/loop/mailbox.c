// SPDX-License-Identifier: MIT
/*
 * Senders push onto a stack with one compare-and-swap; the receiver takes the whole stack with one exchange and
 * turns it round. Whoever pushes onto the empty stack wakes the receiver, so a burst costs one wake-up.
 */
#include "loop/mailbox.h"

static struct letter *reversed(struct letter *top)
{
	struct letter *first = NULL;
	while (top) {
		struct letter *next = top->next;
		top->next = first;
		first = top;
		top = next;
	}
	return first;
}

static void deliver(struct mailbox *m)
{
	struct letter *l = reversed(atomic_exchange_explicit(&m->top, NULL, memory_order_acquire));
	while (l) {
		struct letter *next = l->next;
		l->run(l);
		l = next;
	}
}

static void on_wake(struct ev_loop *loop, struct ev_async *w, int events)
{
	(void)loop;
	(void)events;
	deliver(container_of(w, struct mailbox, wake));
}

void mailbox_init(struct mailbox *m, struct ev_loop *loop)
{
	m->loop = loop;
	atomic_init(&m->top, NULL);
	ev_async_init(&m->wake, on_wake);
	ev_async_start(loop, &m->wake);
}

void mailbox_fini(struct mailbox *m)
{
	while (atomic_load_explicit(&m->top, memory_order_relaxed))
		deliver(m);
	ev_async_stop(m->loop, &m->wake);
}

void mailbox_post(struct mailbox *m, struct letter *letter)
{
	struct letter *top = atomic_load_explicit(&m->top, memory_order_relaxed);
	do
		letter->next = top;
	while (!atomic_compare_exchange_weak_explicit(&m->top, &top, letter, memory_order_release,
						      memory_order_relaxed));
	if (!top)
		ev_async_send(m->loop, &m->wake);
}
