// SPDX-License-Identifier: MIT
/*
 * One interface, found by name: what an instance needs to know of it, and whether it can be used.
 *
 * A link is read anew whenever netlink says that something about it changed. It may be absent, come
 * later, and come back under another index.
 */
#ifndef LINK_H
#define LINK_H

#include "base/str.h"
#include "netlink.h"

struct link {
	char name[IF_NAMESIZE];
	int ifindex;	 /* ro: 0 while there is no such interface */
	unsigned flags;	 /* ro */
	uint32_t source; /* ro: our own address on it, host order; 0 for none */
	uint8_t mac[6];	 /* ro */
};

/*
 * How good an address is as our own: the virtual ones are none of ours, those of the boards in the
 * configuration are the best.
 */
enum link_fitness { LINK_NOT_OURS, LINK_ANY, LINK_BEST };

/*
 * Reads the interface l->name and chooses the source among its addresses: the fittest, of equals a
 * primary one, of equals the first. 0, or -1 with e and l as if the interface were absent.
 */
int link_read(struct link *l, struct netlink *n,
	      enum link_fitness (*fitness)(void *arg, uint32_t ip), void *arg, struct err *e);

/* Why the link cannot be used now, for the log; NULL when it can. */
const char *link_fault(const struct link *l);

/* Would sockets opened on a still serve b? */
bool link_same(const struct link *a, const struct link *b);

#endif
