// SPDX-License-Identifier: MIT
/*
 * The client's end of a control socket: a watcher that stays connected to a daemon and receives its events, and a
 * single command with its reply.
 *
 * The watcher's connection also tells that the daemon lives: down() is called as soon as the daemon's end of the socket
 * is closed, however it died.
 */
#ifndef IPC_WATCH_H
#define IPC_WATCH_H

#include <ev.h>

#include "base/err.h"
#include "ipc/text.h"

struct watch {
	/* set before watch_start() */
	void (*up)(struct watch *w); /* connected; may be NULL */
	/* An event; may be NULL. The first is "watching": from then on nothing is missed. */
	void (*line)(struct watch *w, struct str line);
	void (*down)(struct watch *w); /* the connection is lost (only after up) */
	/* private */
	uint32_t magic;
	struct ev_loop *loop;
	struct ev_io readable;
	struct ev_timer retry;
	char path[108];
	char in[1024];
	size_t n;
	double wait;
	bool connected; /* ro */
};

/* Connects now and, whenever the connection fails or ends, again: after 50 ms, then up to 1 s. */
void watch_start(struct watch *w, struct ev_loop *loop, const char *path);
void watch_stop(struct watch *w); /* no callback */

/*
 * Blocking: sends one command line and collects the reply without its closing empty line. 0, or -1 with e set
 * (not running, no answer within timeout_ms, rights).
 */
int watch_ask(const char *path, const char *command, struct text *reply, int timeout_ms,
	      struct err *e);

#endif
