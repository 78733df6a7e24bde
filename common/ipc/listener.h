// SPDX-License-Identifier: MIT
/*
 * A listening address with a socket for each worker (SO_REUSEPORT), bound although the address may not be on this
 * board yet, and kept in the service manager's store, so that clients that connect during a restart wait instead of
 * being refused. Main thread.
 */
#ifndef IPC_LISTENER_H
#define IPC_LISTENER_H

#include "loop/worker.h"
#include "net/addr.h"

#define LISTENER_MAGIC 0x4c49534eu

struct listener {
	uint32_t magic;	  /* private */
	struct addr addr; /* ro, also when closed: connections that came this way know it by this */
	struct listener *next; /* the owner's */
	unsigned count;	       /* sockets; 0 when closed */
	unsigned retiring;     /* the owner's; 0: not handed to the workers to close */
	int fds[WORKER_MAX];   /* one a worker */
};

/* What a http_listener has as its tag. Any thread. */
static inline const struct listener *listener_from(const void *tag)
{
	const struct listener *l = tag;
	MAGIC_CHECK(l, LISTENER_MAGIC);
	return l;
}

/* Closed; the caller's to free. */
struct listener *listener_new(const struct addr *a);
/* Takes the sockets back from the store, or binds new ones and puts them there. -1 with e set: it is still closed. */
int listener_open(struct listener *l, unsigned workers, struct err *e);
/* Closes the sockets and the store's duplicates too, so that the port is free. For sockets no worker has seen yet. */
void listener_close(struct listener *l);
/*
 * The same of sockets that workers watch: each closes its own, since an event loop may still touch a socket after it
 * was told to stop watching it. Forgets the store's duplicates; once all are closed, listener_retired() says so.
 */
void listener_retire(struct listener *l, unsigned retiring);
void listener_retired(struct listener *l);
/* Closes, leaves the duplicates to the next process, and frees. */
void listener_free(struct listener *l);

/* One worker for each core this process may use, at most 16; or as many as asked for. */
unsigned listener_workers(unsigned asked);

#endif
