// SPDX-License-Identifier: MIT
/*
 * Waiting as a state: by a ticket a request on one worker waits for something that happens on any thread. The code that
 * makes it happen holds a reference and wakes the ticket; the request is told on its own thread, any number of times,
 * until it cancels.
 *
 *     owner:  ticket_new() ─▶ hands out references ─▶ woken(): looks again, goes on waiting ─▶ ticket_cancel()
 *     others: ticket_ref() ─▶ ticket_wake(), whenever something changed ─▶ ticket_unref()
 *
 * Being woken says no more than "look again": wakes are coalesced, one message at most is on its way. What a thread
 * wrote before it woke the ticket is seen by the woken() that follows.
 *
 * A wake posts to the owner's mailbox: all references but those of that worker are given back before its set ends.
 */
#ifndef LOOP_TICKET_H
#define LOOP_TICKET_H

#include "loop/worker.h"

struct ticket;

/*
 * On the worker's thread; the reference returned is the owner's. woken() is called on that thread, from its mailbox,
 * never from inside a function below. NULL: no memory.
 */
struct ticket *ticket_new(struct worker *owner, void (*woken)(void *user), void *user);

/*
 * On the owner's thread: woken() is not called any more, neither by wakes that come nor by the one that is on its way.
 * The owner's reference is given back. Also inside woken(). Accepts NULL.
 */
void ticket_cancel(struct ticket *t);

/* Any thread that has a reference. Never blocks, calls nothing back. */
void ticket_wake(struct ticket *t);
struct ticket *ticket_ref(struct ticket *t); /* returns t */
void ticket_unref(struct ticket *t);	     /* the last one frees it; accepts NULL */

#endif
