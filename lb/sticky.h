// SPDX-License-Identifier: MIT
/*
 * The cookie that keeps a client on one server, by HAProxy's rules. Pure.
 *
 * Names compare exactly, values byte for byte (a quoted value never matches). Of several occurrences the first one
 * that names a usable server counts.
 */
#ifndef LB_STICKY_H
#define LB_STICKY_H

#include "conf/cluster.h"
#include "http/fields.h"

struct sticky_server {
	struct str value; /* n 0: the server has no cookie */
	bool usable;
};

struct sticky_match {
	int server; /* index, or -1: choose by the algorithm */
	char flag; /* for the log: '-' no cookie configured, N no cookie, I unknown value, D its server is down, V valid */
};

struct sticky_match sticky_find(const struct conf_cookie *c, const struct http_head *request,
				const struct sticky_server *servers, unsigned n);

/* Writes the request's Cookie fields; with `indirect` without the pool's cookie, and without a field that held no other. */
void sticky_write_request(struct http_fields *to, const struct conf_cookie *c,
			  const struct http_head *request);

/*
 * Writes the response's Set-Cookie fields, and the one that the mode adds. value: the cookie value of the server that
 * responded. Returns the log's flag: '-' not configured, N unchanged, I inserted, R rewritten, D the server's own removed.
 */
char sticky_write_response(struct http_fields *to, const struct conf_cookie *c,
			   const struct http_head *response, struct str value,
			   struct sticky_match match);

#endif
