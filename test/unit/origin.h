// SPDX-License-Identifier: MIT
/* An origin for unit tests: a listener on loopback, a thread a connection, and a function of the test's that answers. */
#ifndef ORIGIN_H
#define ORIGIN_H

#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "http/parse.h"
#include "net/addr.h"

#define ORIGIN_CONNS 64

struct origin;

struct origin_call {
	struct origin *origin;
	int fd;
	const struct http_head *head;
	struct str body; /* whole */
	bool close;	 /* set by the answer: no more requests over this connection */
};

struct origin {
	struct addr addr; /* ro */
	void (*answer)(struct origin_call *c);
	_Atomic int calls; /* requests that came whole */
	_Atomic bool gate; /* for the test's answers: what they wait for */
	/* private */
	int fd;
	pthread_t thread, threads[ORIGIN_CONNS];
	int fds[ORIGIN_CONNS];
	_Atomic int n;
};

void origin_start(struct origin *o, void (*answer)(struct origin_call *c));
void origin_stop(struct origin *o); /* breaks what is open */

/* All of an answer; fields: lines with CRLF. Content-Length is added. */
void origin_reply(struct origin_call *c, const char *status, const char *fields, struct str body);
void origin_say(struct origin_call *c, const char *text);
/* Until gate is set, at most 5 s. */
void origin_wait(struct origin_call *c);

#endif
