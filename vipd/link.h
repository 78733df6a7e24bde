// SPDX-License-Identifier: MIT
/*
 * One interface, found by name: what an instance needs to know of it, and whether it can be used.
 *
 * A link is read anew whenever netlink says that something about it changed. It may be absent, come later,
 * and come back under another index.
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
 * Reads the interface l->name. An address counts as our own unless it is one of the n in not[] (the virtual
 * ones); prefer is taken if it is there, else the first primary address, else any. 0, or -1 with e and l
 * as if the interface were absent.
 */
int link_read(struct link *l, struct netlink *n, uint32_t prefer, const uint32_t *not, unsigned n_not,
	      struct err *e);

/* Why the link cannot be used now, for the log; NULL when it can. */
const char *link_fault(const struct link *l);

/* Would sockets opened on a still serve b? */
bool link_same(const struct link *a, const struct link *b);

#endif
