// SPDX-License-Identifier: MIT
/* One request to the cache: look up, wait or fetch, deliver. The functions are an http_handler's. */
#ifndef EDGE_SERVE_H
#define EDGE_SERVE_H

#include "http/relay.h"

void serve_begin(struct http_exchange *x);
void serve_readable(struct http_exchange *x);
void serve_writable(struct http_exchange *x);
void serve_closed(struct http_exchange *x, enum http_end why);

/* Nothing has moved in a tunnel for too long: both ends are cut. */
void serve_silent(struct deadline *silence);

#endif
