// SPDX-License-Identifier: MIT
/*
 * The virtual addresses of one instance in the kernel: on an interface while the instance is
 * master, with a label and a lifetime, and not there otherwise.
 *
 * They are always set as /32. With the subnet's mask a virtual address that is there before the
 * board's own would become the primary of the subnet and the board's own its secondary, and the
 * kernel removes the secondaries together with their primary (unless promote_secondaries is set);
 * and the board's own traffic would leave from the virtual address.
 *
 * The lifetime bounds what a dead or hung vipd leaves behind: unless renewed, the kernel takes the
 * address away. What other programs do to the addresses is undone: removed ones are set again,
 * unexpected ones are removed.
 */
#ifndef VIP_ADDR_H
#define VIP_ADDR_H

#include "netlink.h"

#define VIP_ADDR_MAX 20

/* So many losses in this time, and another program wants the address gone. */
#define VIP_ADDR_LOSSES_MAX 3
#define VIP_ADDR_WINDOW_US  (10 * 1000 * 1000)

struct vip_addr_set { /* what is wanted */
	unsigned count;
	uint32_t ip[VIP_ADDR_MAX]; /* host order */
	char label[IF_NAMESIZE];   /* "" for none */
	uint32_t lifetime_s;
};

struct vip_addr {
	struct netlink *netlink;	      /* private */
	int ifindex;			      /* private: 0 while there is no interface */
	struct vip_addr_set want;	      /* ro */
	bool held;			      /* ro */
	int64_t lost_us[VIP_ADDR_LOSSES_MAX]; /* private: ring of the last losses */
	unsigned losses;		      /* ro: since start */
};

/* What a change of an address in the kernel meant. */
enum vip_addr_event {
	VIP_ADDR_NOTHING,
	VIP_ADDR_RESTORED,   /* ours was removed and is there again: announce it */
	VIP_ADDR_LOST,	     /* it was removed too often, or does not come back */
	VIP_ADDR_UNEXPECTED, /* it was there though we do not hold it, and is removed */
};

void vip_addr_init(struct vip_addr *v, struct netlink *netlink, const struct vip_addr_set *want);

/*
 * The interface, or 0 when it is gone (and the addresses with it). Removes what an earlier life
 * left there.
 */
void vip_addr_bind(struct vip_addr *v, int ifindex);

/* Adds all. 0, or -1 with e when one could not be added (the others are). */
int vip_addr_hold(struct vip_addr *v, struct err *e);
/* Removes all, also copies that were added under another prefix length. Failures are logged. */
void vip_addr_drop(struct vip_addr *v);
/* Begins the lifetimes anew, if held; to be called four times in each. 0, or -1 with e. */
int vip_addr_renew(struct vip_addr *v, struct err *e);

/*
 * Wants another set from now on: while held, new ones are added before old ones go. 0, or -1 with
 * e.
 */
int vip_addr_change(struct vip_addr *v, const struct vip_addr_set *want, struct err *e);

/* Is this one of ours? (Any interface.) */
bool vip_addr_is(const struct vip_addr *v, uint32_t ip);

/* Passes on what netlink said about an address. */
enum vip_addr_event vip_addr_notify(struct vip_addr *v, const struct netlink_addr *a, bool gone,
				    int64_t now);

#endif
