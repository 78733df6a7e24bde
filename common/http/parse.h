// SPDX-License-Identifier: MIT
/*
 * Strict HTTP/1.x head parsing (RFC 9112): an ambiguous head is refused with a reason, never guessed at.
 *
 * Pure functions over bytes: no I/O, no allocation, linear time. Input is what a peer sends, so every outcome is a
 * value.
 */
#ifndef HTTP_PARSE_H
#define HTTP_PARSE_H

#include "http/msg.h"

enum http_parse {
	HTTP_PARSE_DONE, /* head is filled */
	HTTP_PARSE_MORE, /* valid so far: call again when there are more bytes */
	HTTP_PARSE_BAD,	 /* *bad has the reason and the status of the refusal */
};

struct http_bad {
	uint16_t status;    /* 400, 413, 414, 417, 431, 501, 505; for responses always 502 */
	const char *reason; /* static text such as "two Content-Length values" */
};

struct http_limits {
	/* Request line and each field line, bytes without CRLF; beyond: 414 or 431. */
	uint32_t line;
	uint32_t head;	 /* the whole head; beyond: 431 */
	uint16_t fields; /* at most HTTP_FIELDS_MAX; beyond: 431 */
};

#define HTTP_LIMITS_DEFAULT                                                                        \
	((struct http_limits){.line = 8190, .head = 16000, .fields = HTTP_FIELDS_MAX})

/*
 * Parses the request head at the start of in. *scanned is a hint of how far earlier calls got: set it to 0 for
 * each new message; it makes a head that drips in byte by byte cost linear time. Empty lines before the request
 * line are skipped (at most 2; counted in head->size).
 */
enum http_parse http_parse_request(struct http_head *head, struct str in, size_t *scanned,
				   const struct http_limits *limits, struct http_bad *bad);

/* The same for a response to a request of that method: decides the body's kind from both (RFC 9112 §6.3). */
enum http_parse http_parse_response(struct http_head *head, struct str in, size_t *scanned,
				    const struct http_limits *limits,
				    enum http_method request_method, struct http_bad *bad);

#endif
