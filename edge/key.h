// SPDX-License-Identifier: MIT
/*
 * The cache key: scheme, hosts and target as they will be sent to the origin. The key is made from what is forwarded,
 * of a request that http_forwarded_filter() has filtered: a field that the origin does not see counts neither here nor
 * in the choice of a variant (vary.h); all fields that the origin sees and that select a resource are in the key.
 *
 * Its text is "https://" if the client used TLS, then, if a trusted balancer names another host in X-Forwarded-Host than
 * in Host, that host and "|", then "host/target". Pure.
 */
#ifndef EDGE_KEY_H
#define EDGE_KEY_H

#include "base/arena.h"
#include "conf.h"
#include "http/msg.h"

struct key {
	struct str bytes; /* .p NULL: the arena has no room, or the key would be too long */
	struct str host;  /* part of bytes: lower case, without a final dot and without :80 */
	/* The host that the client asked for, likewise: host, unless a trusted balancer names another. */
	struct str asked;
	bool tls;
};

#define KEY_MAX 16000

/* request: filtered. */
struct key key_of(struct arena *a, const struct http_head *request);

/* Must this request go to the origin whatever is stored? *why: as a parameter of Cache-Status. */
bool key_bypass(const struct edge_settings *s, const struct http_head *request, const char **why);

#endif
