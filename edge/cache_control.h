// SPDX-License-Identifier: MIT
/*
 * Cache-Control of requests and responses, parsed (RFC 9111 §5.2, RFC 5861). Pure.
 *
 * A directive given twice counts in its stricter form. A number that is no delta-seconds makes the response stale
 * (§4.2.1): it reads as 0. A qualified no-cache or private (with a list of fields) is read as unqualified.
 */
#ifndef EDGE_CACHE_CONTROL_H
#define EDGE_CACHE_CONTROL_H

#include "http/msg.h"

#define CACHE_CONTROL_NONE (-1) /* the directive is absent */

struct cache_control {
	bool no_store, no_cache, is_private, is_public, must_revalidate, proxy_revalidate,
		only_if_cached;
	/* Seconds, or CACHE_CONTROL_NONE. */
	int64_t max_age, s_maxage, stale_while_revalidate, stale_if_error;
};

/* Reads all Cache-Control fields of h. */
struct cache_control cache_control_read(const struct http_head *h);

#endif
