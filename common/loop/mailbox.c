// SPDX-License-Identifier: MIT
/*
 * The queue is a stack: senders push with compare-and-swap, the receiver takes all of it at once
 * with an exchange and turns it round, which gives back the order of each sender. No message is ever
 * popped singly, so the stack has no ABA problem.
 *
 * Only the sender that finds the stack empty wakes the loop: a later sender is sure that a
 * wake-up is under way and the messages above its own go with it. run() may free its message, hence
 * next is read before.
 */
#include "loop/mailbox.h"

#define MAILBOX_MAGIC 0x4d424f58u

static struct message *take_in_order(struct mailbox *m)
{
	struct message *message = atomic_exchange_explicit(&m->top, NULL, memory_order_acquire);
	struct message *first = NULL;
	while (message) {
		struct message *below = message->next;
		message->next = first;
		first = message;
		message = below;
	}
	return first;
}

void mailbox_run(struct mailbox *m)
{
	MAGIC_CHECK(m, MAILBOX_MAGIC);
	struct message *message = take_in_order(m);
	while (message) {
		struct message *next = message->next;
		MUST(message->queued);
		message->queued = false;
		message->run(message);
		message = next;
	}
}

static void on_wake(struct ev_loop *loop UNUSED, struct ev_async *wake, int events UNUSED)
{
	mailbox_run(container_of(wake, struct mailbox, wake));
}

void mailbox_init(struct mailbox *m, struct ev_loop *loop)
{
	MAGIC_SET(m, MAILBOX_MAGIC);
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
	MAGIC_WIPE(m, MAILBOX_MAGIC);
}

void mailbox_post(struct mailbox *m, struct message *message)
{
	struct message *top = atomic_load_explicit(&m->top, memory_order_relaxed);
	MAGIC_CHECK(m, MAILBOX_MAGIC);
	MUST(!message->queued && message->run);
	message->queued = true;
	do
		message->next = top;
	while (!atomic_compare_exchange_weak_explicit(&m->top, &top, message, memory_order_release,
						      memory_order_relaxed));
	if (!top)
		ev_async_send(m->loop, &m->wake);
}

/* Messages that come meanwhile lie above those that are looked at; none but this thread takes any away. */
unsigned mailbox_check(struct mailbox *m)
{
	MAGIC_CHECK(m, MAILBOX_MAGIC);
	const struct message *l = atomic_load_explicit(&m->top, memory_order_acquire);
	for (; l; l = l->next)
		MUST(l->queued && l->run);
	MUST(ev_is_active(&m->wake));
	return 1;
}
