// SPDX-License-Identifier: MIT
/* One request to the cache: look up, wait or fetch, deliver. The functions are those of an http_handler. */
#ifndef EDGE_SERVE_H
#define EDGE_SERVE_H

#include "edge_worker.h"
#include "http/relay.h"

void serve_begin(struct http_exchange *x);
void serve_readable(struct http_exchange *x);
void serve_writable(struct http_exchange *x);
void serve_closed(struct http_exchange *x, enum http_end why);

/* Idle timeout of a tunnel: both ends are cut. */
void serve_silent(struct deadline *silence);

/* Aborts unless the invariants of the worker's requests hold; returns how many there are. */
unsigned serve_check(const struct edge_worker *w);
/* The objects that each request refers to: what it delivers or waits for, what it validates, what its waiter does. */
void serve_each(const struct edge_worker *w,
		void (*one)(const struct object *object, const struct object *stale,
			    const struct object *waits, void *arg),
		void *arg);

#endif
