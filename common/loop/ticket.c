// SPDX-License-Identifier: MIT
/*
 * `posted` is true from a wake until its message is run: a wake that finds it true adds nothing. It is cleared before
 * woken() is called, so that a later wake posts anew. Both sides use an exchange: the one that clears `posted` sees the
 * writes of every thread whose wake was coalesced.
 *
 * The message on its way holds a reference. `cancelled` is the owner's alone.
 */
#include "loop/ticket.h"

#define TICKET_MAGIC 0x5449434bu

struct ticket {
	uint32_t magic;
	bool cancelled;
	_Atomic bool posted;
	_Atomic uint32_t refs;
	struct worker *owner;
	void (*woken)(void *user);
	void *user;
	struct message message;
};

static void on_message(struct message *msg)
{
	struct ticket *t = container_of(msg, struct ticket, message);
	MAGIC_CHECK(t, TICKET_MAGIC);
	MUST(atomic_exchange_explicit(&t->posted, false, memory_order_acq_rel));
	if (!t->cancelled) {
		MUST(worker_here(t->owner));
		t->woken(t->user);
	}
	ticket_unref(t);
}

struct ticket *ticket_new(struct worker *owner, void (*woken)(void *user), void *user)
{
	MUST(worker_here(owner) && woken);
	struct ticket *t = malloc(sizeof(*t));
	if (!t)
		return NULL;
	*t = (struct ticket){
		.owner = owner, .woken = woken, .user = user, .refs = 1, .message.run = on_message};
	MAGIC_SET(t, TICKET_MAGIC);
	return t;
}

void ticket_cancel(struct ticket *t)
{
	if (!t)
		return;
	MAGIC_CHECK(t, TICKET_MAGIC);
	MUST(!t->cancelled && worker_here(t->owner));
	t->cancelled = true;
	ticket_unref(t);
}

void ticket_wake(struct ticket *t)
{
	MAGIC_CHECK(t, TICKET_MAGIC);
	if (atomic_exchange_explicit(&t->posted, true, memory_order_acq_rel))
		return;
	ticket_ref(t);
	mailbox_post(&t->owner->mailbox, &t->message);
}

struct ticket *ticket_ref(struct ticket *t)
{
	MAGIC_CHECK(t, TICKET_MAGIC);
	MUST(atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed) > 0);
	return t;
}

void ticket_unref(struct ticket *t)
{
	if (!t)
		return;
	MAGIC_CHECK(t, TICKET_MAGIC);
	if (atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) > 1)
		return;
	MUST(!t->posted);
	MAGIC_WIPE(t, TICKET_MAGIC);
	free(t);
}
