// SPDX-License-Identifier: MIT
/*
 * held says what should be so; the kernel says what is so. Events about our own doing come back to
 * us, maybe after the next thing we did: so an event that contradicts held is only a reason to ask
 * the kernel.
 *
 * A lifetime that ran out looks like a removal. The caller must therefore have asked the state
 * machine first whether it is still entitled to be master (it may have been frozen) before it lets
 * an address be restored.
 */
#include "vip_addr.h"

#include <string.h>

#include "base/log.h"

static struct netlink_addr nth(const struct vip_addr *v, const struct vip_addr_set *set, unsigned i)
{
	struct netlink_addr a = {
		.ifindex = v->ifindex, .ip = set->at[i].ip, .prefix = set->at[i].prefix};

	memcpy(a.label, set->label, sizeof(a.label));
	return a;
}

static void remove_one(struct vip_addr *v, const struct netlink_addr *a)
{
	struct err e = {0};

	if (netlink_addr_del(v->netlink, a, &e) < 0)
		log_err("%s", e.text);
}

static int set_all(struct vip_addr *v, struct err *e)
{
	unsigned i;
	int rc = 0;

	for (i = 0; i < v->want.count; i++) {
		struct netlink_addr a = nth(v, &v->want, i);

		if (netlink_addr_set(v->netlink, &a, v->want.lifetime_s, e) < 0)
			rc = -1;
	}
	return rc;
}

void vip_addr_init(struct vip_addr *v, struct netlink *netlink, const struct vip_addr_set *want)
{
	unsigned i;

	*v = (struct vip_addr){.netlink = netlink, .want = *want};
	for (i = 0; i < VIP_ADDR_LOSSES_MAX; i++)
		v->lost_us[i] = INT64_MIN / 2;
}

bool vip_addr_is(const struct vip_addr *v, uint32_t ip)
{
	unsigned i;

	for (i = 0; i < v->want.count; i++)
		if (v->want.at[i].ip == ip)
			return true;
	return false;
}

struct leftovers {
	const struct vip_addr *v;
	unsigned count;
	struct netlink_addr at[VIP_ADDR_MAX];
};

static void note_leftover(void *arg, const struct netlink_addr *a)
{
	struct leftovers *l = arg;

	if (vip_addr_is(l->v, a->ip) && l->count < VIP_ADDR_MAX)
		l->at[l->count++] = *a;
}

void vip_addr_bind(struct vip_addr *v, int ifindex)
{
	struct leftovers l = {.v = v};
	struct err e = {0};
	unsigned i;

	v->ifindex = ifindex;
	if (ifindex == 0 || v->held)
		return;
	if (netlink_addr_each(v->netlink, ifindex, note_leftover, &l, &e) < 0)
		log_err("%s", e.text);
	for (i = 0; i < l.count; i++) {
		log_notice(
			"removing the virtual address that an earlier run left on the interface");
		remove_one(v, &l.at[i]);
	}
}

int vip_addr_hold(struct vip_addr *v, struct err *e)
{
	v->held = true;
	return set_all(v, e);
}

void vip_addr_drop(struct vip_addr *v)
{
	unsigned i;

	v->held = false;
	if (v->ifindex == 0)
		return;
	for (i = 0; i < v->want.count; i++) {
		struct netlink_addr a = nth(v, &v->want, i);

		remove_one(v, &a);
	}
}

int vip_addr_renew(struct vip_addr *v, struct err *e)
{
	return v->held ? set_all(v, e) : 0;
}

static bool has(const struct vip_addr_set *set, uint32_t ip, uint8_t prefix)
{
	unsigned i;

	for (i = 0; i < set->count; i++)
		if (set->at[i].ip == ip && set->at[i].prefix == prefix)
			return true;
	return false;
}

int vip_addr_change(struct vip_addr *v, const struct vip_addr_set *want, struct err *e)
{
	struct vip_addr_set old = v->want;
	unsigned i;
	int rc;

	v->want = *want;
	if (!v->held) {
		vip_addr_bind(v, v->ifindex);
		return 0;
	}
	rc = set_all(v, e);
	for (i = 0; i < old.count; i++) {
		struct netlink_addr a = nth(v, &old, i);

		if (!has(want, a.ip, a.prefix))
			remove_one(v, &a);
	}
	return rc;
}

/* Notes a loss; true when there were too many lately. */
static bool too_many(struct vip_addr *v, int64_t now)
{
	v->lost_us[v->losses++ % VIP_ADDR_LOSSES_MAX] = now;
	return now - v->lost_us[v->losses % VIP_ADDR_LOSSES_MAX] < VIP_ADDR_WINDOW_US;
}

struct search {
	uint32_t ip;
	bool found;
};

static void compare(void *arg, const struct netlink_addr *a)
{
	struct search *s = arg;

	s->found = s->found || a->ip == s->ip;
}

/* What the kernel says now; guess when it says nothing. */
static bool is_there(struct vip_addr *v, uint32_t ip, bool guess)
{
	struct search s = {.ip = ip};
	struct err e = {0};

	if (netlink_addr_each(v->netlink, v->ifindex, compare, &s, &e) == 0)
		return s.found;
	log_err("%s", e.text);
	return guess;
}

enum vip_addr_event vip_addr_heard(struct vip_addr *v, const struct netlink_addr *a, bool gone,
				   int64_t now)
{
	struct err e = {0};

	if (v->ifindex == 0 || a->ifindex != v->ifindex || !vip_addr_is(v, a->ip) ||
	    gone != v->held)
		return VIP_ADDR_NOTHING;
	if (is_there(v, a->ip, !gone) == v->held)
		return VIP_ADDR_NOTHING;
	if (v->held) {
		if (too_many(v, now))
			return VIP_ADDR_LOST;
		if (set_all(v, &e) == 0)
			return VIP_ADDR_RESTORED;
		log_err("%s", e.text);
		return VIP_ADDR_LOST;
	}
	remove_one(v, a);
	return VIP_ADDR_INTRUDER;
}
