// SPDX-License-Identifier: MIT
/*
 * One balanced request: pick a server, send, relay, and, while the client has not seen a byte, try again elsewhere.
 */
#ifndef LB_PROXY_H
#define LB_PROXY_H

#include "conf.h"
#include "http/server.h"

void proxy_begin(struct http_exchange *x, const struct lb_bind *bind);
void proxy_readable(struct http_exchange *x);
void proxy_writable(struct http_exchange *x);
void proxy_aborted(struct http_exchange *x, enum http_abort why);

#endif
