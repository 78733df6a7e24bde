// SPDX-License-Identifier: MIT
/*
 * Fields as they are forwarded: without hop-by-hop fields, cookies by the pool's mode, X-Forwarded-For as a field line
 * of its own after those of a trusted peer, X-Forwarded-Proto and -Host unless a trusted peer sent them
 * (http/forwarded.h), Via (RFC 9110 §7.6).
 * Pure but for the arena.
 */
#ifndef LB_FORWARD_H
#define LB_FORWARD_H

#include "conf.h"
#include "sticky.h"

/* The filtered request's fields for the servers of a pool, Host excepted; .p NULL when the arena has no room. */
struct str forward_request(struct arena *a, const struct lb_pool *p, const struct http_head *h,
			   const struct addr *peer, bool forwarded_for);

/* The response's fields for the client. *flag: see sticky_write_response(). */
struct str forward_response(struct arena *a, const struct lb_pool *p, const struct http_head *h,
			    struct str cookie, struct sticky_match match, char *flag);

#endif
