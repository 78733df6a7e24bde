// SPDX-License-Identifier: MIT
/*
 * The queue is a stack: senders push with compare-and-swap, the receiver takes all of it at once
 * with an exchange and turns it round, which gives back the order of each sender. No letter is ever
 * popped singly, so the stack has no ABA problem.
 *
 * Only the sender that finds the stack empty wakes the loop: whoever comes later is sure that a
 * wake-up is under way and the letters above its own go with it. run() may free its letter, hence
 * next is read before.
 */
#include "loop/mailbox.h"

static struct letter *take_in_order(struct mailbox *m)
{
	struct letter *letter = atomic_exchange_explicit(&m->top, NULL, memory_order_acquire);
	struct letter *first = NULL;
	while (letter) {
		struct letter *below = letter->next;
		letter->next = first;
		first = letter;
		letter = below;
	}
	return first;
}

void mailbox_run(struct mailbox *m)
{
	struct letter *letter = take_in_order(m);
	while (letter) {
		struct letter *next = letter->next;
		letter->queued = false;
		letter->run(letter);
		letter = next;
	}
}

static void on_wake(struct ev_loop *loop UNUSED, struct ev_async *wake, int events UNUSED)
{
	mailbox_run(container_of(wake, struct mailbox, wake));
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
		mailbox_run(m);
	ev_async_stop(m->loop, &m->wake);
}

void mailbox_post(struct mailbox *m, struct letter *letter)
{
	struct letter *top = atomic_load_explicit(&m->top, memory_order_relaxed);
	MUST(!letter->queued && letter->run);
	letter->queued = true;
	do
		letter->next = top;
	while (!atomic_compare_exchange_weak_explicit(&m->top, &top, letter, memory_order_release,
						      memory_order_relaxed));
	if (!top)
		ev_async_send(m->loop, &m->wake);
}

/* Letters that come meanwhile lie above those that are looked at; none but this thread takes any away. */
unsigned mailbox_check(struct mailbox *m)
{
	const struct letter *l = atomic_load_explicit(&m->top, memory_order_acquire);
	for (; l; l = l->next)
		MUST(l->queued && l->run);
	MUST(ev_is_active(&m->wake));
	return 1;
}
