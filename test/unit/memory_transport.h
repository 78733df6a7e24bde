// SPDX-License-Identifier: MIT
/*
 * A transport without a connection: an exchange's head and body are given as values, and what the handler answers is
 * collected as values. It keeps the contract of http/exchange.h, and checks that the handler does: it is what a
 * handler meets that is to be good for any version of HTTP.
 *
 * The functions are the test thread's; the exchange lives on the worker's.
 */
#ifndef MEMORY_TRANSPORT_H
#define MEMORY_TRANSPORT_H

#include "unit.h"

#include <stdatomic.h>

#include "http/exchange.h"

#define MEMORY_INTERIMS 8

/* A request. */
struct memory_request {
	const char *method, *target, *host;
	const char *fields;   /* a block, or NULL */
	bool has_body;	      /* by memory_body() */
	uint64_t body_length; /* HTTP_NO_LENGTH: not known */
	struct addr peer;
	void *tag;
	size_t room;	 /* bytes of the response body that are taken before writes come short */
	size_t memory;	 /* of the exchange's arena; 0: 64 KiB */
	bool late_close; /* closed() comes from the loop, not from inside end() */
	bool unread;	 /* the client takes no end: closed() comes by memory_break() only */
};

/* What came of it. */
struct memory_exchange {
	/* ro; of the worker's thread until closed is set, then of any */
	_Atomic bool closed;
	enum http_end why;
	uint16_t status;
	enum http_framing framing;
	uint64_t length;     /* that the head announced, or HTTP_NO_LENGTH */
	bool whole;	     /* the handler ended its answer and nothing of it is missing */
	char *fields, *body; /* NUL-terminated */
	size_t body_n;
	uint16_t interim[MEMORY_INTERIMS];
	char *interim_fields[MEMORY_INTERIMS];
	unsigned interims;
	_Atomic int short_writes; /* how often the handler was told that not all was taken */
	_Atomic int responded;
};

/* Begins an exchange on w with this handler. */
struct memory_exchange *memory_ask(struct worker *w, const struct http_handler *handler,
				   const struct memory_request *r);
/* More of the request body; last: all of it. */
void memory_body(struct memory_exchange *m, const void *p, size_t n, bool last);
/* Waits until the handler has taken all of it that came so far and wants more, at most 5 s. */
void memory_taken(struct memory_exchange *m);
void memory_half_close(struct memory_exchange *m);
/* The client is gone, or what why says. */
void memory_break(struct memory_exchange *m, enum http_end why);
/* The client reads: so many more bytes are taken. */
void memory_room(struct memory_exchange *m, size_t n);
/* Waits until closed() was called, at most 5 s. */
void memory_wait(struct memory_exchange *m);
void memory_free(struct memory_exchange *m); /* after closed */

/* The value of a field of the response, in memory of the function's own; NULL: it has none. */
const char *memory_field(const struct memory_exchange *m, const char *name);

#endif
