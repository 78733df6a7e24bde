// SPDX-License-Identifier: MIT
/*
 * What vipd needs of rtnetlink(7), through libnl: set and remove IPv4 addresses, read links, events
 * of changes.
 *
 * Nothing is cached: the kernel is asked when something matters. Requests are answered before the
 * call returns (the kernel does so at once; a lost answer costs a second). Events come on the loop.
 * One thread.
 */
#ifndef NETLINK_H
#define NETLINK_H

#include <ev.h>
#include <net/if.h>

#include "base/err.h"

struct netlink; /* private to netlink.c */

struct netlink_link {
	int ifindex;
	char name[IF_NAMESIZE];
	unsigned flags; /* IFF_UP, IFF_RUNNING... of netdevice(7) */
	uint8_t mac[6]; /* zero when the link has none of this size */
};

struct netlink_addr {
	int ifindex;
	uint32_t ip; /* host order */
	uint8_t prefix;
	bool secondary;		 /* another address of the same network was there first */
	char label[IF_NAMESIZE]; /* "" for none */
};

/*
 * A receiver of events, embedded in what they are for. Removed by netlink_unwatch(), also from
 * inside a call.
 */
struct netlink_watch {
	struct netlink_watch *next; /* private */
	/* A link appeared, changed, or is gone. */
	void (*link)(struct netlink_watch *w, const struct netlink_link *l, bool gone);
	/* An IPv4 address was added, changed (its lifetime, say), or is gone. */
	void (*addr)(struct netlink_watch *w, const struct netlink_addr *a, bool gone);
	/* Events were lost: read everything anew. */
	void (*lost)(struct netlink_watch *w);
};

struct netlink *netlink_new(struct ev_loop *loop, struct err *e);
void netlink_free(struct netlink *n); /* NULL is fine; all watches must be gone */

/* Aborts if an invariant is broken, or there are not so many watches. */
void netlink_check(const struct netlink *n, unsigned watches);

void netlink_watch(struct netlink *n, struct netlink_watch *w);
void netlink_unwatch(struct netlink *n, struct netlink_watch *w);

/*
 * Adds the address without a route of its prefix (IFA_F_NOPREFIXROUTE), or renews the lifetime of
 * one that is there. lifetime_s 0: it stays for ever. 0, or -1 with e.
 */
int netlink_addr_set(struct netlink *n, const struct netlink_addr *a, uint32_t lifetime_s,
		     struct err *e);
/* Removes it; an address that is not there is no error. */
int netlink_addr_del(struct netlink *n, const struct netlink_addr *a, struct err *e);
/*
 * Calls each for every IPv4 address of the interface. 0, or -1 with e. The answer is still coming
 * in meanwhile, so each only takes notes: no request from inside it.
 */
int netlink_addr_each(struct netlink *n, int ifindex,
		      void (*each)(void *arg, const struct netlink_addr *a), void *arg,
		      struct err *e);

/* 1 and l filled, 0 when there is no such interface, -1 with e. */
int netlink_link_get(struct netlink *n, const char *name, struct netlink_link *l, struct err *e);

#endif
