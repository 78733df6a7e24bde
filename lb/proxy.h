// SPDX-License-Identifier: MIT
/*
 * One balanced request: pick a server, send, relay, and, while the client has not seen a byte, retry. The functions are
 * those of an http_handler, for exchanges that proxy_begin() was called with.
 */
#ifndef LB_PROXY_H
#define LB_PROXY_H

#include "conf.h"
#include "http/relay.h"
#include "lb_worker.h"

void proxy_begin(struct http_exchange *x, const struct lb_bind *bind);
void proxy_readable(struct http_exchange *x);
void proxy_writable(struct http_exchange *x);
void proxy_closed(struct http_exchange *x, enum http_end why);

/* Idle timeout of a tunnel: both ends are cut. */
void proxy_silent(struct deadline *silence);

/* Aborts unless the invariants of the worker's requests hold; returns how many there are. See slab_find(). */
unsigned proxy_check(const struct lb_worker *w);
/* Each request: where it came in, its pool, and its server now or NULL. */
void proxy_each(const struct lb_worker *w,
		void (*one)(const struct lb_bind *b, const struct lb_pool *p,
			    const struct server *s, void *arg),
		void *arg);
/* The number of its requests that the server has now. */
unsigned proxy_attempts(const struct lb_worker *w, const struct server *s);

#endif
