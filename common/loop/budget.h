// SPDX-License-Identifier: MIT
/*
 * A limit over all workers: how many units (client connections, say) they may hold at once together.
 *
 * Taking and giving back is one compare-and-swap while there are enough. A worker that finds the budget spent queues
 * up, at most once, and goes on with other work; nothing polls. A unit that is given back goes to the first waiter in
 * the queue by a message to its mailbox. It stays counted on its way, so that no other worker can take it first, and
 * one unit wakes exactly one worker. A worker that is woken and has no use for the unit gives it back, which wakes the
 * next one.
 */
#ifndef LOOP_BUDGET_H
#define LOOP_BUDGET_H

#include "loop/mailbox.h"

#define BUDGET_MAX 0x7fffffffu

struct budget;
struct budget_waiter;

/* limit: 0..BUDGET_MAX. */
struct budget *budget_new(uint32_t limit);
/* After all waiters were freed and their mailboxes finished. Accepts NULL. */
void budget_free(struct budget *b);

/*
 * Any thread; takes effect at once. Below what is taken: no unit is handed out until enough were given back. Raised:
 * waiters get the new units first.
 */
void budget_set_limit(struct budget *b, uint32_t limit);
uint32_t budget_limit(const struct budget *b);
uint32_t budget_taken(const struct budget *b);

/* A place in the queue, one a worker. granted() runs on the mailbox's thread and owns one unit, already taken. */
struct budget_waiter *budget_waiter_new(struct budget *b, struct mailbox *mailbox,
					void (*granted)(void *arg), void *arg);
/*
 * On the mailbox's thread. granted() is not called any more; a unit on its way to it is given back when its message
 * is run, so the budget has to outlive the mailbox. Accepts NULL.
 */
void budget_waiter_free(struct budget_waiter *w);

/*
 * Takes a unit. False: there is none, or others wait for one; then w is in the queue and granted() will be called,
 * unless w is NULL. With w on its mailbox's thread, else on any.
 */
bool budget_take(struct budget *b, struct budget_waiter *w);
/* Gives a unit back; any thread. */
void budget_give(struct budget *b);

/* Checks the invariants; any thread, any time. */
void budget_check(struct budget *b);

#endif
