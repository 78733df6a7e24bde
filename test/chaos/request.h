// SPDX-License-Identifier: MIT
/* A client's request: which one, by chance, and how it is written. Its nonce tells it from every other. */
#ifndef CHAOS_REQUEST_H
#define CHAOS_REQUEST_H

#include "loop.h"
#include "page.h"

struct request {
	const char *method;
	struct page page;
	char nonce[32];
	char etag[32];	 /* If-None-Match, or empty */
	size_t from, to; /* Range; to 0: none */
	size_t body_n;
	bool bad;		   /* no request at all: to be refused */
	bool upgrade, expect, old; /* old: HTTP/1.0 */
	unsigned version;	   /* of a page of kind VERSION when it was asked for */
};

/* cached: for a proxy that answers from its cache. */
struct request request_random(bool cached);
bool request_is(const struct request *r, const char *method);

/*
 * source: what the connection's PROXY header names, or "". True: the body is held back for 100 Continue, and
 * request_send_body() is to send it, not chunked.
 */
bool request_send(struct conn *to, const struct request *r, const char *source);
void request_send_body(struct conn *to, const struct request *r, bool chunked);

/* The variant that the request names, of a page of kind VARIANT. */
unsigned request_variant(const struct request *r);
/* A client has seen that version of a page: later conditions name it. */
void request_learned(const struct page *p, unsigned version);

#endif
