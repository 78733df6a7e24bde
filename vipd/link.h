// SPDX-License-Identifier: MIT
/*
 * One interface, found by name: what an instance needs to know of it, and whether it can be used.
 *
 * Usable is a link that is up, has carrier, and has an address of its own to send from. With the
 * boards listed in the configuration only one of theirs will do: another address is a stopgap
 * (IPv4LL before the lease comes) or of another network, and unknown to the peers.
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
	bool unlisted;	 /* ro: it has addresses, but none that will do as source */
	uint8_t mac[6];	 /* ro */
};

/*
 * What an address is to us: a virtual one, one that is no board's though boards are listed, or our
 * own.
 */
enum link_role { LINK_VIRTUAL, LINK_UNLISTED, LINK_OWN };

/*
 * Reads the interface l->name and chooses the source among its own addresses: a primary one if
 * there is any, of equals the first. 0, or -1 with e and l as if the interface were absent.
 */
int link_read(struct link *l, struct netlink *n, enum link_role (*role)(void *arg, uint32_t ip),
	      void *arg, struct err *e);

/* Why the link cannot be used now, for the log; NULL when it can. */
const char *link_fault(const struct link *l);

/* Would sockets opened on a still serve b? */
bool link_same(const struct link *a, const struct link *b);

#endif
