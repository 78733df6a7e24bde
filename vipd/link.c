// SPDX-License-Identifier: MIT
/*
 * Usable means what VRRP's FAULT state asks: the interface is there, up, has carrier (IFF_RUNNING),
 * and has an address of its own to speak from. The virtual address never is the source of an
 * advert: two routers would then speak with one address, and the tie-break by address could not
 * work.
 */
#include "link.h"

struct choice {
	enum link_fitness (*fitness)(void *arg, uint32_t ip);
	void *arg;
	uint32_t source;
	unsigned rank; /* of source: fitness, then primary */
};

static void consider(void *arg, const struct netlink_addr *a)
{
	struct choice *c = arg;
	enum link_fitness fitness = c->fitness(c->arg, a->ip);
	unsigned rank = 2 * (unsigned)fitness + !a->secondary;

	if (fitness != LINK_NOT_OURS && rank > c->rank) {
		c->source = a->ip;
		c->rank = rank;
	}
}

int link_read(struct link *l, struct netlink *n,
	      enum link_fitness (*fitness)(void *arg, uint32_t ip), void *arg, struct err *e)
{
	struct choice c = {.fitness = fitness, .arg = arg};
	struct netlink_link found = {0};
	int rc = netlink_link_get(n, l->name, &found, e);

	if (rc > 0)
		rc = netlink_addr_each(n, found.ifindex, consider, &c, e) < 0 ? -1 : 1;
	if (rc <= 0)
		found = (struct netlink_link){0};
	l->ifindex = found.ifindex;
	l->flags = found.flags;
	l->source = rc > 0 ? c.source : 0;
	memcpy(l->mac, found.mac, sizeof(l->mac));
	return MIN(rc, 0);
}

const char *link_fault(const struct link *l)
{
	if (l->ifindex == 0)
		return "there is no such interface";
	if (!(l->flags & IFF_UP))
		return "the interface is down";
	if (!(l->flags & IFF_RUNNING))
		return "the interface has no carrier";
	if (l->source == 0)
		return "the interface has no address of its own";
	return NULL;
}

bool link_same(const struct link *a, const struct link *b)
{
	return a->ifindex == b->ifindex && a->source == b->source &&
	       memcmp(a->mac, b->mac, sizeof(a->mac)) == 0;
}
