// SPDX-License-Identifier: MIT
/*
 * The PROXY protocol's header, versions 1 and 2 (HAProxy's doc/proxy-protocol.txt): at the start of a connection a
 * proxy names the addresses of the client connection that it relays. Pure; addresses are values.
 */
#ifndef NET_PROXY_HEADER_H
#define NET_PROXY_HEADER_H

#include "net/addr.h"

/* A longer header is bad. Of version 2 this leaves nearly 4 KiB for TLVs, which are skipped. */
#define PROXY_HEADER_MAX 4096

struct proxy_header {
	size_t size;	   /* DONE: bytes of the header. MORE: it has at least so many */
	const char *error; /* BAD: what is wrong, static text */
	/*
	 * DONE: the client's address, and the one it connected to. Without addresses (.len 0, both) the connection is
	 * the proxy's own: a health check (LOCAL), or the proxy does not know them (UNKNOWN, or no address of TCP).
	 */
	struct addr source, destination;
};

enum proxy_header_outcome {
	PROXY_HEADER_DONE,
	PROXY_HEADER_MORE, /* sound so far */
	PROXY_HEADER_BAD,
};

/*
 * Parses the header at the start of in; what follows it does not matter. More bytes never change DONE or BAD. Strict in
 * what the specification fixes: separators, digits, lengths, values that it calls invalid.
 */
enum proxy_header_outcome proxy_header_parse(struct proxy_header *h, struct str in);

#define PROXY_HEADER_ROOM 107 /* the longest that is written */

/*
 * Writes a header of that version (1, 2) and returns its size. Unless both addresses are there, of IP and of one family, it
 * says that the connection is the proxy's own (UNKNOWN, LOCAL). Either may be NULL.
 */
size_t proxy_header_write(char to[PROXY_HEADER_ROOM], unsigned version, const struct addr *source,
			  const struct addr *destination);

#endif
