// SPDX-License-Identifier: MIT
/*
 * The receive window of an HTTP/1.1 connection, the same for both halves of a proxy: one buffer into which a
 * connection is read, the head that lies at its start, and the body that is taken out of its framing in place.
 *
 *     | head, pinned while its slices are used | payload not yet consumed | raw bytes behind it | free |
 *     0                                       head  start                end                  tail    size
 *
 * Private to the connection that owns it; not thread-safe. Memory comes from the worker's buffers and is held only
 * between http_in_open() and http_in_close(), so an idle connection holds none.
 */
#ifndef HTTP_IN_H
#define HTTP_IN_H

#include "base/slab.h"
#include "http/body.h"
#include "net/io.h"

struct http_in {
	struct slab *buffers;		 /* private */
	char *mem;			 /* private: NULL when closed */
	uint32_t head, start, end, tail; /* private */
	size_t scanned;			 /* the head parser's hint, see http_parse_request() */
	struct http_body body;		 /* ro: of the message whose head is pinned */
};

/* buffers: of WORKER_BUFFER_SIZE bytes each; outlives the window. Begins closed. */
void http_in_init(struct http_in *in, struct slab *buffers);
bool http_in_open(struct http_in *in);	/* gets memory if it has none; false: no buffer is left */
void http_in_close(struct http_in *in); /* gives the memory back; what was received is dropped */

enum http_in_result {
	HTTP_IN_SOME,	 /* bytes came */
	HTTP_IN_NOTHING, /* it would block; nothing changed */
	HTTP_IN_EOF,	 /* the peer has sent all it will */
	HTTP_IN_ERROR,	 /* the connection is broken, errno says how */
};

/* One read into the free end, which must not be empty. *got: bytes that came. */
enum http_in_result http_in_fill(struct http_in *in, struct io *io, size_t *got);

/* ---- heads */

/* All bytes received and not pinned nor taken: where a head is looked for. */
struct str http_in_raw(const struct http_in *in);
/* Everything in the window, heads and all: for telling what came. */
struct str http_in_all(const struct http_in *in);
/* Cuts n raw bytes off the front: a head that was dealt with at once (1xx). No head may be pinned. */
void http_in_skip(struct http_in *in, size_t n);
/*
 * Pins the first size raw bytes as the head of a message with such a body, and takes the body bytes that are there.
 * in->body.state says whether its framing is sound so far.
 */
void http_in_pin(struct http_in *in, size_t size, enum http_body_kind kind, uint64_t length);
/* What follows the head is no message body but bytes until the connection ends (after a 101). */
void http_in_tunnel(struct http_in *in);

/* ---- the body */

/* Takes what http_in_fill() brought out of the body's framing; returns the bytes of payload gained. */
size_t http_in_take(struct http_in *in);
struct str http_in_data(const struct http_in *in); /* payload not yet consumed */
void http_in_consume(struct http_in *in, size_t n);
/* n bytes of payload went another way than through the window, which must be empty (splice). */
void http_in_bypass(struct http_in *in, uint64_t n);

/* The message is over: unpins its head, drops what was not consumed. True: bytes of the next message are there already. */
bool http_in_next(struct http_in *in);

/* Aborts unless the invariants hold. Its buffer is found, see slab_find(). */
void http_in_check(const struct http_in *in);

static inline size_t http_in_payload(const struct http_in *in)
{
	return in->end - in->start;
}

/* Raw bytes behind the payload: of the body's framing, or of the next message. */
static inline size_t http_in_behind(const struct http_in *in)
{
	return in->tail - in->end;
}

#define HTTP_IN_SIZE 16384u /* WORKER_BUFFER_SIZE */
static inline size_t http_in_room(const struct http_in *in)
{
	return HTTP_IN_SIZE - in->tail;
}

#endif
