// SPDX-License-Identifier: MIT
/*
 * Private to both halves: what is still to be sent of one message, its head in pieces and the framing of its
 * body, sent in as few writev calls as the kernel allows.
 */
#ifndef HTTP_OUT_H
#define HTTP_OUT_H

#include "http/body.h"
#include "net/io.h"

#define HTTP_OUT_PIECES 12

enum http_out_framing {
	HTTP_OUT_NONE,	  /* no body */
	HTTP_OUT_LENGTH,  /* .left bytes */
	HTTP_OUT_CHUNKED, /* framing is added here */
	HTTP_OUT_RAW,	  /* as many bytes as come, until the connection closes */
};

/* Written by out.c alone; both halves read `framing` and `early`. */
struct http_out {
	struct iovec early; /* rest of framing or of an interim response: goes before everything */
	struct iovec head[HTTP_OUT_PIECES];
	uint8_t head_next, head_count;
	uint8_t framing;
	bool terminated; /* the last chunk was written, or is in early */
	uint8_t line_at, line_n;
	char line[20]; /* chunk-size line */
	uint64_t left; /* LENGTH: of the body. CHUNKED: of the current chunk */
};

void http_out_init(struct http_out *o, enum http_out_framing framing, uint64_t length);
/* The same for the next message; what was to go first of the one before (an interim response) still goes first. */
void http_out_restart(struct http_out *o, enum http_out_framing framing, uint64_t length);
/* Goes before everything else. Nothing may be waiting there. */
void http_out_first(struct http_out *o, struct str bytes);
/* Appends to the head, until the first send; bytes stay in place. */
void http_out_piece(struct http_out *o, struct str bytes);

/*
 * One writev of {pending bytes, body bytes, framing}. Returns how many of the body bytes were taken, or -1 when
 * the connection is broken. *put is the number of bytes that left.
 */
ssize_t http_out_send(struct http_out *o, struct io *io, const struct iovec *iov, int n,
		      enum http_piece piece, size_t *put);

/* May body bytes go past http_out_send() now? Nothing is pending, and the body is not chunked. */
bool http_out_may_bypass(const struct http_out *o);
/* n body bytes went another way (splice). */
void http_out_bypass(struct http_out *o, uint64_t n);
/* Bytes of the body still to come; UINT64_MAX when its end is not known. */
uint64_t http_out_left(const struct http_out *o);

/* Bytes of our own (head, chunk line, framing) wait to be sent. */
static inline bool http_out_pending(const struct http_out *o)
{
	return o->early.iov_len || o->head_next < o->head_count || o->line_at < o->line_n;
}

/* The body ends with the connection. */
static inline bool http_out_until_close(const struct http_out *o)
{
	return o->framing == HTTP_OUT_RAW;
}

/* The whole message was sent. */
bool http_out_complete(const struct http_out *o);

/* The caller offers no more: true if what was offered makes a whole message (once flushed). A chunked body may
 * still need its last chunk: http_out_send(o, io, NULL, 0, HTTP_PIECE_LAST, …). */
bool http_out_may_end(const struct http_out *o);

/* Appends to lines under construction, which have room: *to moves on. */
void http_out_put(char **to, struct str s);
void http_out_put_length(char **to, uint64_t length); /* a Content-Length field line */

void http_out_check(const struct http_out *o); /* aborts unless the invariants hold */

static inline struct iovec http_iov(struct str s)
{
	return (struct iovec){.iov_base = (char *)(uintptr_t)s.p, .iov_len = s.n};
}

size_t http_out_total(const struct iovec *iov, int n);

#endif
