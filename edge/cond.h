// SPDX-License-Identifier: MIT
/* Conditional requests, evaluated against a stored response (RFC 9110 §13, RFC 9111 §4.3.2). Pure. */
#ifndef EDGE_COND_H
#define EDGE_COND_H

#include "http/msg.h"

/* True: the response is 304. If-None-Match takes precedence and is a list, compared weakly; else If-Modified-Since
 * against Last-Modified, or Date without one. */
bool cond_not_modified(const struct http_head *request, const struct http_head *stored,
		       int64_t wall_s);

#endif
