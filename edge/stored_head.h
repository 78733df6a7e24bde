// SPDX-License-Identifier: MIT
/*
 * The head of a stored response: a field block without the fields of one connection or one delivery (hop-by-hop
 * fields, Age, Content-Length). Its status is kept beside it. Pure but for the arena.
 */
#ifndef EDGE_STORED_HEAD_H
#define EDGE_STORED_HEAD_H

#include "base/arena.h"
#include "http/msg.h"

/* As stored; with a Date added if there was none and there is room (wall_s: now). .p NULL: the arena has no room. */
struct str stored_head_of(struct arena *a, const struct http_head *response, int64_t wall_s);

/* Its fields as a head, for lookups; they point into stored. NULL: no room. */
struct http_head *stored_head_parse(struct arena *a, struct str stored);

/* The stored head with the fields of a 304 in the place of its own (RFC 9111 §3.2), as a head of that status. NULL: no
 * room, or more than HTTP_FIELDS_MAX fields. */
struct http_head *stored_head_merge(struct arena *a, struct str stored, uint16_t status,
				    const struct http_head *not_modified);

#endif
