// SPDX-License-Identifier: MIT
/*
 * Messages to a loop from any thread: a many-to-one queue and an ev_async, the only libev call
 * allowed from another thread. A message is embedded in what it carries and belongs to the sender
 * until posted, then to the receiver until its run() returns; run() may free it, and from
 * its beginning it may be posted again. Messages of one sender arrive in order.
 */
#ifndef LOOP_MAILBOX_H
#define LOOP_MAILBOX_H

#include <ev.h>
#include <stdatomic.h>

#include "base/def.h"

struct message {
	struct message *next;		      /* private */
	bool queued;			      /* private: posted and not yet run */
	void (*run)(struct message *message); /* called on the receiver's thread */
};

struct mailbox {
	uint32_t magic;		       /* private */
	struct ev_loop *loop;	       /* private */
	struct ev_async wake;	       /* private */
	_Atomic(struct message *) top; /* private */
};

/* On the receiver's thread, or before it starts. */
void mailbox_init(struct mailbox *m, struct ev_loop *loop);
void mailbox_fini(struct mailbox *m); /* runs what is left, then stops */
void mailbox_run(struct mailbox *m);  /* on the receiver's thread: runs what is there now */
/* Any thread. A message is posted once at a time: as long as it is on its way it is not posted again. */
void mailbox_post(struct mailbox *m, struct message *message);

unsigned mailbox_check(struct mailbox *m); /* on the receiver's thread; see slab_check() */

#endif
