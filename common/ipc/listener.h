// SPDX-License-Identifier: MIT
/*
 * A listening address with a socket for each worker (SO_REUSEPORT), bound although the address may not be on this
 * board yet, and kept in the service manager's store, so that clients who come during a restart wait instead of
 * being refused. Main thread.
 */
#ifndef IPC_LISTENER_H
#define IPC_LISTENER_H

#include "loop/worker.h"
#include "net/addr.h"

struct listener {
	struct addr addr;      /* ro */
	struct listener *next; /* the owner's */
	unsigned count;	       /* ro */
	int fds[WORKER_MAX];   /* ro: one a worker */
};

/* Takes the sockets back from the store, or binds new ones and puts them there. NULL with e set. */
struct listener *listener_open(const struct addr *a, unsigned workers, struct err *e);
/* Closes; forget: the store's duplicates too, so that the port is free. */
void listener_close(struct listener *l, bool forget);

/* One worker for each core this process may use, at most 16; or as many as asked for. */
unsigned listener_workers(unsigned asked);

#endif
