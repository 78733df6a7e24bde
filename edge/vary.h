// SPDX-License-Identifier: MIT
/*
 * Which of a key's responses is for a request (RFC 9111 §4.1). Vary data is "name\0value\0" for each field that
 * the response's Vary names, with the value that the stored response's request had: lines joined by ", ". The request as
 * sent to the origin counts, not as the client sent it. Requests are filtered ones (http/forwarded.h). Pure.
 */
#ifndef EDGE_VARY_H
#define EDGE_VARY_H

#include "base/arena.h"
#include "http/fields.h"

/* Fields of the client that a request to fill the cache does not carry: the response cannot depend on them. */
#define VARY_UNSENT                                                                                \
	(HTTP_SKIP(HTTP_F_RANGE) | HTTP_SKIP(HTTP_F_IF_RANGE) | HTTP_SKIP(HTTP_F_IF_NONE_MATCH) |  \
	 HTTP_SKIP(HTTP_F_IF_MODIFIED_SINCE) | HTTP_SKIP(HTTP_F_IF_MATCH) |                        \
	 HTTP_SKIP(HTTP_F_IF_UNMODIFIED_SINCE) | HTTP_SKIP(HTTP_F_COOKIE) |                        \
	 HTTP_SKIP(HTTP_F_CACHE_CONTROL) | HTTP_SKIP(HTTP_F_PRAGMA) | HTTP_SKIP(HTTP_F_EXPECT))

/* The data for a response to that request; n 0 when it does not vary, .p NULL when the arena has no room. */
struct str vary_data(struct arena *a, const struct http_head *request,
		     const struct http_head *response);

/* May a response with this data be used for the request? (an index_match) */
bool vary_match(struct str data, const void *request);

/* All that counts of Accept-Encoding: is gzip acceptable (RFC 9110 §12.5.3)? */
bool vary_accepts_gzip(const struct http_head *request);

#endif
