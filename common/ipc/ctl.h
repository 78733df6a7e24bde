// SPDX-License-Identifier: MIT
/*
 * Control sockets: /run/greenpi/NAME.sock, one text command a line, the reply as text (or JSON
 * when the command's last word is "json"), closed by an empty line; so `socat` and `nc` can drive
 * them. `watch` keeps the connection open and carries the line "watching", then one line for each
 * event from that moment on. `help` lists the commands.
 *
 * The server runs on the daemon's main loop. The socket file's mode says who may connect (group greenpi); commands
 * that change something also require the peer to be root, the daemon's own user, or in the daemon's group. Output is
 * bounded: a watcher that does not read is dropped, never waited for.
 */
#ifndef IPC_CTL_H
#define IPC_CTL_H

#include <ev.h>

#include "base/err.h"
#include "ipc/text.h"

struct ctl; /* private: the server */

struct ctl_command {
	const char *name; /* one word, or two: "disable server" */
	const char *args; /* for help: "POOL/SERVER", or "" */
	const char *help; /* one line */
	bool changes;	  /* needs more rights than commands that only read */
	/* args: what follows the name, trimmed. json: the word json was last, and is not in args. What is added to
	 * reply goes to the peer; lines end with \n, and no line is empty. */
	void (*run)(struct text *reply, struct str args, bool json, void *arg);
};

/*
 * A reply that comes later. ctl_defer(), from a command's run(), keeps back its reply; what run() has put into it is
 * dropped. The peer's next command waits. ctl_reply() sends the reply, unless the peer has gone meanwhile, and frees
 * the handle; also after ctl_free().
 */
struct ctl_deferred;
struct ctl_deferred *ctl_defer(struct ctl *c);
void ctl_reply(struct ctl_deferred *d, struct str reply);

#define CTL_MAX 64 /* connections at once, unless told otherwise */

/* commands ends with a row whose name is NULL. NULL with e set when the socket cannot be opened. */
struct ctl *ctl_new(struct ev_loop *loop, const char *path, const struct ctl_command *commands,
		    void *arg, struct err *e);
void ctl_free(struct ctl *c); /* closes all, removes the socket file; accepts NULL */

/* Connections at once: a further one is accepted and closed at once. */
void ctl_set_max(struct ctl *c, unsigned max);

/* One line to every watcher; no newline in it. Does nothing for c NULL. */
void ctl_event(struct ctl *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
