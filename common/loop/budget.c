// SPDX-License-Identifier: MIT
/*
 * One word holds the count of units taken and, in its top bit, whether there are waiters. Without waiters it is
 * changed by compare-and-swap alone. The bit is set and cleared under the lock, and while it is set the count changes
 * under the lock only. A waiter sets the bit against the very count it saw spent; so a unit given back either finds
 * the bit or was seen by the waiter, and no wake-up is lost.
 *
 * Invariants: the bit is set exactly while the queue is not empty; while it is, the count is at the limit or above.
 */
#include "loop/budget.h"

#include "base/mutex.h"

#define BUDGET_MAGIC 0x62756467u
#define WAITER_MAGIC 0x62776172u
#define WAITERS	     0x80000000u

enum waiter_state {
	IDLE,
	QUEUED,
	GRANTED, /* the message is under way */
};

struct budget_waiter {
	uint32_t magic;
	struct budget *budget;
	struct mailbox *mailbox;
	struct message message;
	struct budget_waiter *next; /* in the queue */
	_Atomic uint8_t state; /* changed under the lock, but GRANTED to IDLE by its own thread */
	void (*granted)(void *arg); /* NULL: freed while the message was under way */
	void *arg;
};

struct budget {
	uint32_t magic;
	_Atomic uint32_t word;	/* the count, and WAITERS */
	_Atomic uint32_t limit; /* changed under the lock */
	struct mutex lock;
	struct budget_waiter *first, **end;
};

struct budget *budget_new(uint32_t limit)
{
	MUST(limit <= BUDGET_MAX);
	struct budget *b = def_xcalloc(1, sizeof(*b));
	MAGIC_SET(b, BUDGET_MAGIC);
	atomic_init(&b->word, 0);
	atomic_init(&b->limit, limit);
	mutex_init(&b->lock);
	b->end = &b->first;
	return b;
}

void budget_free(struct budget *b)
{
	if (!b)
		return;
	MAGIC_WIPE(b, BUDGET_MAGIC);
	MUST(!b->first);
	mutex_fini(&b->lock);
	free(b);
}

uint32_t budget_limit(const struct budget *b)
{
	return atomic_load_explicit(&b->limit, memory_order_relaxed);
}

uint32_t budget_taken(const struct budget *b)
{
	return atomic_load_explicit(&b->word, memory_order_relaxed) & ~WAITERS;
}

/* ---- under the lock */

/* The first in the queue, no longer in it, or NULL. */
static struct budget_waiter *dequeue(struct budget *b)
{
	MUST(mutex_held(&b->lock));
	struct budget_waiter *w = b->first;
	if (!w)
		return NULL;
	b->first = w->next;
	if (!b->first) {
		b->end = &b->first;
		atomic_fetch_and_explicit(&b->word, ~WAITERS, memory_order_relaxed);
	}
	w->next = NULL;
	return w;
}

/* Counts one more if the limit allows it, whether or not there are waiters. */
static bool count_one(struct budget *b)
{
	MUST(mutex_held(&b->lock));
	uint32_t word = atomic_load_explicit(&b->word, memory_order_relaxed);
	while ((word & ~WAITERS) < budget_limit(b))
		if (atomic_compare_exchange_weak_explicit(
			    &b->word, &word, word + 1, memory_order_acquire, memory_order_relaxed))
			return true;
	return false;
}

/* Counts one more, or marks the word: a unit given back after this finds the mark. */
static bool count_one_or_mark(struct budget *b)
{
	MUST(mutex_held(&b->lock));
	uint32_t word = atomic_load_explicit(&b->word, memory_order_relaxed);
	for (;;) {
		bool enough = !(word & WAITERS) && word < budget_limit(b);
		uint32_t next = enough ? word + 1 : word | WAITERS;
		if (atomic_compare_exchange_weak_explicit(
			    &b->word, &word, next, memory_order_acquire, memory_order_relaxed))
			return enough;
	}
}

/* w gets a unit that is counted already. */
static void grant(struct budget_waiter *w)
{
	MUST(w && w->state == QUEUED && mutex_held(&w->budget->lock));
	atomic_store_explicit(&w->state, GRANTED, memory_order_relaxed);
	mailbox_post(w->mailbox, &w->message);
}

/* ---- taking and giving */

bool budget_take(struct budget *b, struct budget_waiter *w)
{
	uint32_t word = atomic_load_explicit(&b->word, memory_order_relaxed);
	while (!(word & WAITERS) && word < budget_limit(b))
		if (atomic_compare_exchange_weak_explicit(
			    &b->word, &word, word + 1, memory_order_acquire, memory_order_relaxed))
			return true;
	if (!w || atomic_load_explicit(&w->state, memory_order_relaxed) != IDLE)
		return false;
	MAGIC_CHECK(w, WAITER_MAGIC);
	mutex_lock(&b->lock);
	bool taken = count_one_or_mark(b);
	if (!taken) {
		atomic_store_explicit(&w->state, QUEUED, memory_order_relaxed);
		*b->end = w;
		b->end = &w->next;
	}
	mutex_unlock(&b->lock);
	return taken;
}

/* The unit goes to the first waiter, unless the limit was lowered meanwhile. */
static void give_waiter(struct budget *b)
{
	mutex_lock(&b->lock);
	MUST(budget_taken(b) > 0);
	atomic_fetch_sub_explicit(&b->word, 1, memory_order_release);
	if (b->first && count_one(b))
		grant(dequeue(b));
	mutex_unlock(&b->lock);
}

void budget_give(struct budget *b)
{
	uint32_t word = atomic_load_explicit(&b->word, memory_order_relaxed);
	while (!(word & WAITERS)) {
		MUST(word > 0);
		if (atomic_compare_exchange_weak_explicit(
			    &b->word, &word, word - 1, memory_order_release, memory_order_relaxed))
			return;
	}
	give_waiter(b);
}

void budget_set_limit(struct budget *b, uint32_t limit)
{
	MUST(limit <= BUDGET_MAX);
	MAGIC_CHECK(b, BUDGET_MAGIC);
	mutex_lock(&b->lock);
	atomic_store_explicit(&b->limit, limit, memory_order_relaxed);
	while (b->first && count_one(b))
		grant(dequeue(b));
	mutex_unlock(&b->lock);
}

/* ---- waiters */

static void on_granted(struct message *msg)
{
	struct budget_waiter *w = container_of(msg, struct budget_waiter, message);
	MAGIC_CHECK(w, WAITER_MAGIC);
	atomic_store_explicit(&w->state, IDLE, memory_order_relaxed);
	if (w->granted) {
		w->granted(w->arg);
		return;
	}
	budget_give(w->budget);
	MAGIC_WIPE(w, WAITER_MAGIC);
	free(w);
}

struct budget_waiter *budget_waiter_new(struct budget *b, struct mailbox *mailbox,
					void (*granted)(void *arg), void *arg)
{
	MAGIC_CHECK(b, BUDGET_MAGIC);
	struct budget_waiter *w = def_xcalloc(1, sizeof(*w));
	MAGIC_SET(w, WAITER_MAGIC);
	w->budget = b;
	w->mailbox = mailbox;
	w->message.run = on_granted;
	atomic_init(&w->state, IDLE);
	w->granted = granted;
	w->arg = arg;
	return w;
}

static void leave_queue(struct budget *b, struct budget_waiter *w)
{
	MUST(mutex_held(&b->lock));
	struct budget_waiter **at = &b->first;
	while (*at != w) {
		MUST(*at);
		at = &(*at)->next;
	}
	*at = w->next;
	if (b->end == &w->next)
		b->end = at;
	if (!b->first)
		atomic_fetch_and_explicit(&b->word, ~WAITERS, memory_order_relaxed);
}

void budget_waiter_free(struct budget_waiter *w)
{
	if (!w)
		return;
	MAGIC_CHECK(w, WAITER_MAGIC);
	mutex_lock(&w->budget->lock);
	uint8_t state = atomic_load_explicit(&w->state, memory_order_relaxed);
	if (state == QUEUED)
		leave_queue(w->budget, w);
	mutex_unlock(&w->budget->lock);
	w->granted = NULL;
	if (state == GRANTED)
		return; /* on_granted() frees it */
	MAGIC_WIPE(w, WAITER_MAGIC);
	free(w);
}

void budget_check(struct budget *b)
{
	MAGIC_CHECK(b, BUDGET_MAGIC);
	mutex_lock(&b->lock);
	uint32_t word = atomic_load_explicit(&b->word, memory_order_relaxed);
	struct budget_waiter **at = &b->first;
	for (; *at; at = &(*at)->next) {
		MAGIC_CHECK(*at, WAITER_MAGIC);
		MUST((*at)->budget == b && (*at)->state == QUEUED);
	}
	MUST(b->end == at);
	MUST(!(word & WAITERS) == !b->first);
	MUST(!b->first || (word & ~WAITERS) >= budget_limit(b));
	mutex_unlock(&b->lock);
}
