// SPDX-License-Identifier: MIT
/*
 * What proxies tell each other about a request, in fields that any client can send as well: the client's
 * address, host and scheme (X-Forwarded-*, Forwarded, X-Real-IP), and a target or method that replaces that of the
 * request line (X-Original-URL, X-HTTP-Method-Override). Servers believe them; a response made from forged ones and
 * stored goes to every client. So one rule holds on every hop:
 *
 *  - From a peer that is not trusted none of them goes on. From a trusted one, a balancer or a TLS terminator of
 *    the operator's, they do.
 *  - X-Forwarded-For is continued with the peer's own address. X-Forwarded-Proto and X-Forwarded-Host are set
 *    where a trusted peer has not: so they are always there, and always from a hop that knows.
 *  - A name that only looks like one of them (X_Forwarded_For, which CGI cannot tell from the real one) is
 *    never forwarded.
 *  - A method override on an unsafe method says no more than another method would, and editors need it
 *    (WordPress sends DELETE as POST): it goes on from any peer.
 *
 * Pure: no I/O, no allocation.
 */
#ifndef HTTP_FORWARDED_H
#define HTTP_FORWARDED_H

#include "http/fields.h"
#include "net/addr.h"

enum http_forwarded_flag {
	HTTP_FORWARDED_TRUSTED = 1, /* the peer is trusted */
	/* GET and HEAD may be served from a cache, whose key has no overrides. */
	HTTP_FORWARDED_CACHED = 2,
};

/*
 * Takes the fields out of h that must not go on by this rule, and those that Connection names. Afterwards h is the
 * request as it is forwarded: http_has() and the others find only what the server will see.
 * Fields that are of one connection by their own name (Connection, TE, Upgrade) stay in h, marked as before.
 */
void http_forwarded_filter(struct http_head *h, unsigned flags);

/* Of a filtered request: did the client use TLS? The first X-Forwarded-Proto that a trusted peer sent says so. */
bool http_forwarded_tls(const struct http_head *h);

/* Of a filtered request: the host that a trusted peer was asked for, the first X-Forwarded-Host; n 0: none, or it
 * cannot be a host. */
struct str http_forwarded_host(const struct http_head *h);

/* Bytes that http_forwarded_add() needs at most, beyond the host's. */
#define HTTP_FORWARDED_ROOM (ADDR_TEXT_SIZE + 80)

/* Adds X-Forwarded-For with the peer's address, -Proto and -Host; each only if given (NULL, n 0: not). */
void http_forwarded_add(struct http_fields *to, const struct addr *peer, struct str proto,
			struct str host);

#endif
