// SPDX-License-Identifier: MIT
/*
 * Usable means what VRRP's FAULT state asks: the interface is there, up, has carrier (IFF_RUNNING),
 * and has an address of its own to send from. The virtual address never is the source of an
 * advert: two routers would then send from one address, and the tie-break by address could not
 * work.
 */
#include "link.h"

struct choice {
	enum link_role (*role)(void *arg, uint32_t ip);
	void *arg;
	uint32_t source;
	bool secondary; /* the source is */
	bool unlisted;	/* there was one of that role */
};

static void consider(void *arg, const struct netlink_addr *a)
{
	struct choice *c = arg;
	enum link_role role = c->role(c->arg, a->ip);
	c->unlisted = c->unlisted || role == LINK_UNLISTED;
	if (role == LINK_OWN && (!c->source || (c->secondary && !a->secondary))) {
		c->source = a->ip;
		c->secondary = a->secondary;
	}
}

int link_read(struct link *l, struct netlink *n, enum link_role (*role)(void *arg, uint32_t ip),
	      void *arg, struct err *e)
{
	struct choice c = {.role = role, .arg = arg};
	struct netlink_link found = {0};
	int rc = netlink_link_get(n, l->name, &found, e);
	if (rc > 0)
		rc = netlink_addr_each(n, found.ifindex, consider, &c, e) < 0 ? -1 : 1;
	if (rc <= 0)
		found = (struct netlink_link){0};
	l->ifindex = found.ifindex;
	l->flags = found.flags;
	l->source = rc > 0 ? c.source : 0;
	l->unlisted = rc > 0 && !c.source && c.unlisted;
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
	if (l->unlisted)
		return "none of the interface's addresses is a [board]";
	if (l->source == 0)
		return "the interface has no address of its own";
	return NULL;
}

bool link_same(const struct link *a, const struct link *b)
{
	return a->ifindex == b->ifindex && a->source == b->source &&
	       memcmp(a->mac, b->mac, sizeof(a->mac)) == 0;
}
