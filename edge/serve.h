// SPDX-License-Identifier: MIT
/* One request to the cache: look up, wait or fetch, deliver. */
#ifndef EDGE_SERVE_H
#define EDGE_SERVE_H

#include "http/server.h"

void serve_begin(struct http_exchange *x);
void serve_readable(struct http_exchange *x);
void serve_writable(struct http_exchange *x);
void serve_aborted(struct http_exchange *x, enum http_abort why);

#endif
