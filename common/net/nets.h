// SPDX-License-Identifier: MIT
/*
 * Lists of networks, IPv4 and IPv6, as a configuration names them: "10.0.0.0/8 fd00::/8 192.168.1.5".
 * Made once and then only read, by any thread.
 */
#ifndef NET_NETS_H
#define NET_NETS_H

#include "base/arena.h"
#include "net/addr.h"

struct net {
	uint8_t ip[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint8_t bits;	/* of ip that count, 96 more than written for IPv4 */
	bool v4;
};

/* All zero: an empty list, that contains nothing. */
struct nets {
	struct net *v;
	unsigned n;
};

/*
 * Adds "ADDRESS" or "ADDRESS/BITS"; no address bit may stand behind the prefix, and there is no scope. Memory is
 * the arena's. Returns 0, or -1 with e set and the list as it was.
 */
int nets_add(struct nets *l, struct str text, struct arena *arena, struct err *e);
/* Adds one IP address (port and scope left aside). */
void nets_add_ip(struct nets *l, const struct addr *a, struct arena *arena);

/* Is this IP in one of them? A v4-mapped IPv6 address is IPv4; Unix peers and no address are in none. */
bool nets_contain(const struct nets *l, const struct addr *a);

#endif
