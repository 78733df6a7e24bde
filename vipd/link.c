// SPDX-License-Identifier: MIT
/*
 * Usable means what VRRP's FAULT state asks: the interface is there, up, has carrier (IFF_RUNNING), and has an
 * address of its own to speak from. The virtual address never is the source of an advert: two routers would
 * then speak with one address, and the tie-break by address could not work.
 */
#include "link.h"

struct choice {
	uint32_t prefer, source;
	const uint32_t *not;
	unsigned n_not;
	bool primary; /* source is a primary address */
};

static void consider(void *arg, const struct netlink_addr *a)
{
	struct choice *c = arg;
	unsigned i;

	for (i = 0; i < c->n_not; i++)
		if (c->not[i] == a->ip)
			return;
	if (c->source != 0 && c->source == c->prefer)
		return;
	if (a->ip == c->prefer || c->source == 0 || (!c->primary && !a->secondary)) {
		c->source = a->ip;
		c->primary = !a->secondary;
	}
}

int link_read(struct link *l, struct netlink *n, uint32_t prefer, const uint32_t *not, unsigned n_not,
	      struct err *e)
{
	struct choice c = {.prefer = prefer, .not = not, .n_not = n_not};
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
