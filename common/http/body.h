// SPDX-License-Identifier: MIT
/*
 * Body framing, both ways: taking a received body out of its framing, and framing one to send. Pure, in place.
 */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include "http/msg.h"

enum http_body_state {
	HTTP_BODY_MORE,	  /* the body goes on */
	HTTP_BODY_END,	  /* complete: its last byte has been seen */
	HTTP_BODY_BROKEN, /* bad framing, or it ended too early */
};

struct http_body {
	enum http_body_kind kind;   /* private */
	enum http_body_state state; /* ro */
	uint8_t phase;		    /* private: inside the chunk grammar */
	uint16_t line;		    /* private: bytes of the current chunk-size or trailer line */
	uint64_t left;		    /* private: bytes to come of the body or of the chunk */
	const char *broken;	    /* ro: why BROKEN, e.g. "bad chunk size" */
};

/* Starts a body as the head announced it; NONE and LENGTH 0 are at END at once. */
void http_body_init(struct http_body *b, enum http_body_kind kind, uint64_t length);

/*
 * Takes n raw bytes at data. Their payload is moved together to the start of data, *payload bytes of it; *used
 * raw bytes belonged to this body (less than n only at END or BROKEN: the rest is the next message). Chunk
 * extensions and trailers are dropped. Returns b->state.
 */
enum http_body_state http_body_take(struct http_body *b, char *data, size_t n, size_t *payload,
				    size_t *used);

/* Bytes of payload that may go past http_body_take() now: all that is left of a body with a length, any number of one
 * until close, 0 of a chunked one. */
uint64_t http_body_may_bypass(const struct http_body *b);
/* n bytes of payload were moved without being looked at. */
void http_body_bypass(struct http_body *b, uint64_t n);

/* The peer closed: END for HTTP_BODY_CLOSE, BROKEN unless already at END. */
enum http_body_state http_body_eof(struct http_body *b);

/* What a piece of body handed over for sending is. */
enum http_piece {
	HTTP_PIECE_SOME, /* to be sent now */
	HTTP_PIECE_LAST, /* these bytes finish the body */
	HTTP_PIECE_MORE, /* more is on its way already, and a part of a packet may wait for it */
};

/* "1f40\r\n" into to (at least 20 bytes); returns its length. */
size_t http_body_chunk_line(char *to, uint64_t size);

#endif
