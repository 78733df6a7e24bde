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
	struct netlink_addr a = {.ifindex = v->ifindex, .ip = set->ip[i], .prefix = 32};
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
	int rc = 0;
	for (unsigned i = 0; i < v->want.count; i++) {
		struct netlink_addr a = nth(v, &v->want, i);
		if (netlink_addr_set(v->netlink, &a, v->want.lifetime_s, e) < 0)
			rc = -1;
	}
	return rc;
}

void vip_addr_init(struct vip_addr *v, struct netlink *netlink, const struct vip_addr_set *want)
{
	MUST(want->count >= 1 && want->count <= VIP_ADDR_MAX);
	*v = (struct vip_addr){.netlink = netlink, .want = *want};
	for (unsigned i = 0; i < VIP_ADDR_LOSSES_MAX; i++)
		v->lost_us[i] = INT64_MIN / 2;
}

static bool has(const struct vip_addr_set *set, uint32_t ip)
{
	for (unsigned i = 0; i < set->count; i++)
		if (set->ip[i] == ip)
			return true;
	return false;
}

bool vip_addr_is(const struct vip_addr *v, uint32_t ip)
{
	return has(&v->want, ip);
}

/* What the interface has of a set, under whatever prefix lengths. */
struct copies {
	const struct vip_addr_set *of;
	unsigned count;
	struct netlink_addr at[2 * VIP_ADDR_MAX];
};

static void note_copy(void *arg, const struct netlink_addr *a)
{
	struct copies *c = arg;
	if (has(c->of, a->ip) && c->count < ARRAY_LEN(c->at))
		c->at[c->count++] = *a;
}

/* 0, or -1 after a log line. */
static int find_copies(const struct vip_addr *v, struct copies *c)
{
	struct err e = {0};
	c->of = &v->want;
	c->count = 0;
	if (netlink_addr_each(v->netlink, v->ifindex, note_copy, c, &e) == 0)
		return 0;
	log_err("%s", e.text);
	return -1;
}

static void remove_copies(struct vip_addr *v, const struct copies *c)
{
	for (unsigned i = 0; i < c->count; i++)
		remove_one(v, &c->at[i]);
}

void vip_addr_bind(struct vip_addr *v, int ifindex)
{
	struct copies left;
	v->ifindex = ifindex;
	if (ifindex == 0 || v->held || find_copies(v, &left) < 0)
		return;
	if (left.count > 0)
		log_notice(
			"removing the virtual address that an earlier run left on the interface");
	remove_copies(v, &left);
}

int vip_addr_hold(struct vip_addr *v, struct err *e)
{
	MUST(v->ifindex > 0);
	v->held = true;
	return set_all(v, e);
}

/* What vipd set goes first, without a question before it. */
void vip_addr_drop(struct vip_addr *v)
{
	struct copies others;
	v->held = false;
	if (v->ifindex == 0)
		return;
	for (unsigned i = 0; i < v->want.count; i++) {
		struct netlink_addr a = nth(v, &v->want, i);
		remove_one(v, &a);
	}
	if (find_copies(v, &others) == 0)
		remove_copies(v, &others);
}

int vip_addr_renew(struct vip_addr *v, struct err *e)
{
	return v->held ? set_all(v, e) : 0;
}

int vip_addr_change(struct vip_addr *v, const struct vip_addr_set *want, struct err *e)
{
	struct vip_addr_set old = v->want;
	int rc;
	MUST(want->count >= 1 && want->count <= VIP_ADDR_MAX);
	v->want = *want;
	if (!v->held) {
		vip_addr_bind(v, v->ifindex);
		return 0;
	}
	rc = set_all(v, e);
	for (unsigned i = 0; i < old.count; i++) {
		struct netlink_addr a = nth(v, &old, i);
		if (!has(want, a.ip))
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

/* As vipd sets it while held; in any form otherwise. */
static bool is_there(const struct vip_addr *v, const struct copies *c, uint32_t ip)
{
	for (unsigned i = 0; i < c->count; i++)
		if (c->at[i].ip == ip && (!v->held || c->at[i].prefix == 32))
			return true;
	return false;
}

static enum vip_addr_event restore(struct vip_addr *v, int64_t now)
{
	struct err e = {0};
	if (too_many(v, now))
		return VIP_ADDR_LOST;
	if (set_all(v, &e) == 0)
		return VIP_ADDR_RESTORED;
	log_err("%s", e.text);
	return VIP_ADDR_LOST;
}

enum vip_addr_event vip_addr_notify(struct vip_addr *v, const struct netlink_addr *a, bool gone,
				    int64_t now)
{
	struct copies c;
	if (v->ifindex == 0 || a->ifindex != v->ifindex || !vip_addr_is(v, a->ip) ||
	    gone != v->held)
		return VIP_ADDR_NOTHING;
	if (find_copies(v, &c) < 0) { /* the event is all there is to go by */
		c.count = gone ? 0 : 1;
		c.at[0] = *a;
	}
	if (is_there(v, &c, a->ip) == v->held)
		return VIP_ADDR_NOTHING;
	if (v->held)
		return restore(v, now);
	remove_copies(v, &c);
	return VIP_ADDR_UNEXPECTED;
}
