// SPDX-License-Identifier: MIT
/*
 * The cache key: host and target as they will be sent to the origin. What forms the key is what is forwarded, so
 * nothing that the origin sees can differ between requests that share an object. Pure.
 */
#ifndef EDGE_KEY_H
#define EDGE_KEY_H

#include "base/arena.h"
#include "conf.h"
#include "http/msg.h"

struct key {
	struct str bytes; /* .p NULL: the arena has no room, or the key would be too long */
	struct str host;  /* part of bytes: lower case, without a final dot and without :80 */
};

#define KEY_MAX 16000

struct key key_of(struct arena *a, const struct http_head *request);

/* Must this request go to the origin whatever is stored? *why: in Cache-Status's words. */
bool key_bypass(const struct edge_settings *s, const struct http_head *request, const char **why);

#endif
