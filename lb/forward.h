// SPDX-License-Identifier: MIT
/*
 * Heads as they go on, rewritten in canonical form: hop-by-hop fields out, cookies by the pool's mode,
 * X-Forwarded-For as a line of its own behind what was there, Via (RFC 9110 §7.6). Pure but for the arena.
 */
#ifndef LB_FORWARD_H
#define LB_FORWARD_H

#include "conf.h"
#include "sticky.h"

/* The request's head for the servers of a pool, blank line included; .p NULL when the arena has no room.
 * host: used when an HTTP/1.0 client sent no Host. */
struct str forward_request(struct arena *a, const struct lb_pool *p, const struct http_head *h,
			   const struct addr *peer, bool forwarded_for, const struct addr *host);

/* The response's head for the client, without Connection and the blank line. *flag: see sticky_write_response(). */
struct str forward_response(struct arena *a, const struct lb_pool *p, const struct http_head *h,
			    struct str cookie, struct sticky_match match, char *flag);

#endif
