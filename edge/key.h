// SPDX-License-Identifier: MIT
/*
 * The cache key: scheme, hosts and target as they will be sent to the origin. What forms the key is what is
 * forwarded, of a request that http_forwarded_filter() has been over: a field that the origin does not see counts
 * neither here nor in the choice of a variant (vary.h), and of those that it does see and that say for what the
 * client asked, all count.
 *
 * Its text is "https://" if the client used TLS, then, where a trusted balancer was asked for another host than it
 * asks for, that host and "|", then "host/target". Pure.
 */
#ifndef EDGE_KEY_H
#define EDGE_KEY_H

#include "base/arena.h"
#include "conf.h"
#include "http/msg.h"

struct key {
	struct str bytes; /* .p NULL: the arena has no room, or the key would be too long */
	struct str host;  /* part of bytes: lower case, without a final dot and without :80 */
	struct str
		asked; /* the host the client asked for, likewise: host, unless a balancer says other */
	bool tls;
};

#define KEY_MAX 16000

/* Of a filtered request. */
struct key key_of(struct arena *a, const struct http_head *request);

/* Must this request go to the origin whatever is stored? *why: in Cache-Status's words. */
bool key_bypass(const struct edge_settings *s, const struct http_head *request, const char **why);

#endif
