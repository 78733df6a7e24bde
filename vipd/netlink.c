// SPDX-License-Identifier: MIT
/*
 * Two netlink sockets: one for requests and their answers, one for the events of the link and IPv4
 * address groups. Were they one, an event between request and answer would have to be queued here.
 *
 * Addresses we set carry IFA_PROTO (Linux 5.18; older kernels ignore it), so that `ip addr` shows
 * that they are vipd's, and IFA_F_NOPREFIXROUTE, so that no traffic of the board's own is routed by
 * them.
 */
#include "netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/rtnl.h>
#include <sys/time.h>

#include "base/log.h"
#include "base/str.h"

enum { PROTO_VRRP = 112, EVENT_BUFFER = 256 * 1024 };

#define NETLINK_MAGIC UINT32_C(0x2f90c6b8)

struct netlink {
	uint32_t magic;
	struct ev_loop *loop;
	struct nl_sock *requests, *events;
	struct ev_io readable;
	struct netlink_watch *watches;
	struct netlink_watch *next; /* of the walk under way, kept right by netlink_unwatch */
};

static struct netlink *checked(struct netlink *n)
{
	MAGIC_CHECK(n, NETLINK_MAGIC);
	return n;
}

static bool is_watching(const struct netlink *n, const struct netlink_watch *w)
{
	const struct netlink_watch *at = n->watches;
	while (at && at != w)
		at = at->next;
	return at;
}

void netlink_watch(struct netlink *n, struct netlink_watch *w)
{
	MAGIC_CHECK(n, NETLINK_MAGIC);
	MUST(w->link && w->addr && w->lost && !is_watching(n, w));
	w->next = n->watches;
	n->watches = w;
}

void netlink_unwatch(struct netlink *n, struct netlink_watch *w)
{
	struct netlink_watch **at = &n->watches;
	while (*at && *at != w)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = w->next;
	if (n->next == w)
		n->next = w->next;
}

/* ---- libnl's objects as our values */

static bool ip_of(struct nl_addr *a, uint32_t *ip)
{
	if (!a || nl_addr_get_family(a) != AF_INET || nl_addr_get_len(a) != sizeof(*ip))
		return false;
	memcpy(ip, nl_addr_get_binary_addr(a), sizeof(*ip));
	*ip = ntohl(*ip);
	return true;
}

static bool addr_of(struct rtnl_addr *ra, struct netlink_addr *a)
{
	const char *label = rtnl_addr_get_label(ra);
	*a = (struct netlink_addr){.ifindex = rtnl_addr_get_ifindex(ra),
				   .prefix = (uint8_t)rtnl_addr_get_prefixlen(ra),
				   .secondary = rtnl_addr_get_flags(ra) & IFA_F_SECONDARY};
	if (label)
		str_copy(a->label, sizeof(a->label), str_c(label));
	return ip_of(rtnl_addr_get_local(ra), &a->ip);
}

static void link_of(struct rtnl_link *rl, struct netlink_link *l)
{
	const char *name = rtnl_link_get_name(rl);
	struct nl_addr *mac = rtnl_link_get_addr(rl);
	*l = (struct netlink_link){.ifindex = rtnl_link_get_ifindex(rl),
				   .flags = rtnl_link_get_flags(rl)};
	if (name)
		str_copy(l->name, sizeof(l->name), str_c(name));
	if (mac && nl_addr_get_len(mac) == sizeof(l->mac))
		memcpy(l->mac, nl_addr_get_binary_addr(mac), sizeof(l->mac));
}

/* ---- events */

static void notify_addr(struct netlink *n, const struct netlink_addr *a, bool gone)
{
	struct netlink_watch *w;
	for (w = n->watches; w; w = n->next) {
		n->next = w->next;
		w->addr(w, a, gone);
	}
}

static void notify_link(struct netlink *n, const struct netlink_link *l, bool gone)
{
	struct netlink_watch *w;
	for (w = n->watches; w; w = n->next) {
		n->next = w->next;
		w->link(w, l, gone);
	}
}

static void notify_lost(struct netlink *n)
{
	struct netlink_watch *w;
	for (w = n->watches; w; w = n->next) {
		n->next = w->next;
		w->lost(w);
	}
}

static void on_object(struct nl_object *o, void *arg)
{
	struct netlink *n = checked(arg);
	int type = nl_object_get_msgtype(o);
	struct netlink_addr a;
	struct netlink_link l;
	if (type == RTM_NEWADDR || type == RTM_DELADDR) {
		if (addr_of((struct rtnl_addr *)o, &a))
			notify_addr(n, &a, type == RTM_DELADDR);
	} else if (type == RTM_NEWLINK || type == RTM_DELLINK) {
		link_of((struct rtnl_link *)o, &l);
		notify_link(n, &l, type == RTM_DELLINK);
	}
}

static int on_event(struct nl_msg *msg, void *arg)
{
	nl_msg_parse(msg, on_object, arg);
	return NL_OK;
}

static void on_readable(struct ev_loop *loop UNUSED, struct ev_io *w, int revents UNUSED)
{
	struct netlink *n = checked(container_of(w, struct netlink, readable));
	int rc;
	do {
		rc = nl_recvmsgs_default(n->events);
	} while (rc >= 0);
	if (rc == -NLE_AGAIN)
		return;
	log_warn("netlink: events were lost (%s), reading everything anew", nl_geterror(rc));
	notify_lost(n);
}

/* ---- life */

static struct nl_sock *open_socket(struct err *e)
{
	struct nl_sock *s = nl_socket_alloc();
	int rc;
	if (!s) {
		err_set(e, "netlink: out of memory");
		return NULL;
	}
	rc = nl_connect(s, NETLINK_ROUTE);
	if (rc < 0) {
		err_set(e, "netlink: %s", nl_geterror(rc));
		nl_socket_free(s);
		return NULL;
	}
	return s;
}

static int listen_to_events(struct netlink *n, struct err *e)
{
	int rc;
	nl_socket_disable_seq_check(n->events);
	nl_socket_modify_cb(n->events, NL_CB_VALID, NL_CB_CUSTOM, on_event, n);
	nl_socket_set_buffer_size(n->events, EVENT_BUFFER, 0);
	rc = nl_socket_add_memberships(n->events, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, 0);
	if (rc >= 0)
		rc = nl_socket_set_nonblocking(n->events);
	return rc < 0 ? err_set(e, "netlink: %s", nl_geterror(rc)) : 0;
}

struct netlink *netlink_new(struct ev_loop *loop, struct err *e)
{
	struct netlink *n = def_xcalloc(1, sizeof(*n));
	const struct timeval second = {.tv_sec = 1};
	MAGIC_SET(n, NETLINK_MAGIC);
	n->loop = loop;
	n->requests = open_socket(e);
	n->events = n->requests ? open_socket(e) : NULL;
	if (!n->events || listen_to_events(n, e) < 0) {
		netlink_free(n);
		return NULL;
	}
	setsockopt(nl_socket_get_fd(n->requests), SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
	ev_io_init(&n->readable, on_readable, nl_socket_get_fd(n->events), EV_READ);
	ev_io_start(loop, &n->readable);
	return n;
}

void netlink_free(struct netlink *n)
{
	if (!n)
		return;
	MUST(!n->watches);
	if (ev_is_active(&n->readable))
		ev_io_stop(n->loop, &n->readable);
	if (n->events)
		nl_socket_free(n->events);
	if (n->requests)
		nl_socket_free(n->requests);
	MAGIC_WIPE(n, NETLINK_MAGIC);
	free(n);
}

void netlink_check(const struct netlink *n, unsigned watches)
{
	unsigned found = 0;
	MAGIC_CHECK(n, NETLINK_MAGIC);
	MUST(n->events && n->requests && ev_is_active(&n->readable));
	MUST(!n->next || is_watching(n, n->next));
	for (const struct netlink_watch *w = n->watches; w; w = w->next) {
		MUST(++found <= watches);
		MUST(w->link && w->addr && w->lost);
	}
	MUST(found == watches);
}

/* ---- requests */

static int set_local(struct rtnl_addr *ra, const struct netlink_addr *a)
{
	uint32_t ip = htonl(a->ip);
	struct nl_addr *local = nl_addr_build(AF_INET, &ip, sizeof(ip));
	int rc;
	if (!local)
		return -NLE_NOMEM;
	nl_addr_set_prefixlen(local, a->prefix);
	rc = rtnl_addr_set_local(ra, local);
	nl_addr_put(local);
	return rc;
}

/* The libnl object of a; NULL when memory is out or the label is refused. */
static struct rtnl_addr *object_of(const struct netlink_addr *a, uint32_t lifetime_s)
{
	struct rtnl_addr *ra = rtnl_addr_alloc();
	if (!ra)
		return NULL;
	rtnl_addr_set_ifindex(ra, a->ifindex);
	if (set_local(ra, a) < 0 || (a->label[0] && rtnl_addr_set_label(ra, a->label) < 0)) {
		rtnl_addr_put(ra);
		return NULL;
	}
	if (lifetime_s) {
		rtnl_addr_set_valid_lifetime(ra, lifetime_s);
		rtnl_addr_set_preferred_lifetime(ra, lifetime_s);
	}
	return ra;
}

/* Sends and frees msg, waits for the kernel's answer: 0 or a negative libnl error. */
static int request(struct netlink *n, struct nl_msg *msg)
{
	int rc = nl_send_auto(n->requests, msg);
	nlmsg_free(msg);
	return rc < 0 ? rc : nl_wait_for_ack(n->requests);
}

static int fail_addr(struct err *e, const char *verb, const struct netlink_addr *a, int rc)
{
	return err_set(e, "%s %u.%u.%u.%u/%u: %s", verb, a->ip >> 24, a->ip >> 16 & 255,
		       a->ip >> 8 & 255, a->ip & 255, a->prefix, nl_geterror(rc));
}

int netlink_addr_set(struct netlink *n, const struct netlink_addr *a, uint32_t lifetime_s,
		     struct err *e)
{
	MUST(a->ifindex > 0 && a->ip && a->prefix <= 32);
	struct rtnl_addr *ra = object_of(a, lifetime_s);
	struct nl_msg *msg = NULL;
	int rc = ra ? rtnl_addr_build_add_request(ra, NLM_F_REPLACE, &msg) : -NLE_NOMEM;
	if (ra)
		rtnl_addr_put(ra);
	if (rc == 0) {
		nla_put_u8(msg, IFA_PROTO, PROTO_VRRP);
		nla_put_u32(msg, IFA_FLAGS, IFA_F_NOPREFIXROUTE);
		rc = request(n, msg);
	}
	return rc < 0 ? fail_addr(e, "cannot set", a, rc) : 0;
}

int netlink_addr_del(struct netlink *n, const struct netlink_addr *a, struct err *e)
{
	struct netlink_addr bare = *a;
	struct rtnl_addr *ra;
	struct nl_msg *msg = NULL;
	int rc;
	bare.label[0] = '\0'; /* whatever its label is */
	ra = object_of(&bare, 0);
	rc = ra ? rtnl_addr_build_delete_request(ra, 0, &msg) : -NLE_NOMEM;
	if (ra)
		rtnl_addr_put(ra);
	if (rc == 0)
		rc = request(n, msg);
	if (rc == -NLE_NOADDR || rc == -NLE_OBJ_NOTFOUND || rc == -NLE_NODEV)
		return 0;
	return rc < 0 ? fail_addr(e, "cannot remove", a, rc) : 0;
}

struct walk {
	int ifindex;
	void (*each)(void *arg, const struct netlink_addr *a);
	void *arg;
};

static void on_dumped(struct nl_object *o, void *arg)
{
	struct walk *w = arg;
	struct netlink_addr a;
	if (addr_of((struct rtnl_addr *)o, &a) && a.ifindex == w->ifindex)
		w->each(w->arg, &a);
}

static int on_dump(struct nl_msg *msg, void *arg)
{
	nl_msg_parse(msg, on_dumped, arg);
	return NL_OK;
}

int netlink_addr_each(struct netlink *n, int ifindex,
		      void (*each)(void *arg, const struct netlink_addr *a), void *arg,
		      struct err *e)
{
	struct walk w = {.ifindex = ifindex, .each = each, .arg = arg};
	struct nl_cb *old = nl_socket_get_cb(n->requests), *cb = nl_cb_clone(old);
	int rc;
	nl_cb_put(old);
	if (!cb)
		return err_set(e, "netlink: out of memory");
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_dump, &w);
	rc = nl_rtgen_request(n->requests, RTM_GETADDR, AF_INET, NLM_F_DUMP);
	if (rc >= 0)
		rc = nl_recvmsgs(n->requests, cb);
	nl_cb_put(cb);
	return rc < 0 ? err_set(e, "cannot list addresses: %s", nl_geterror(rc)) : 0;
}

int netlink_link_get(struct netlink *n, const char *name, struct netlink_link *l, struct err *e)
{
	struct rtnl_link *rl;
	int rc = rtnl_link_get_kernel(n->requests, 0, name, &rl);
	if (rc == -NLE_OBJ_NOTFOUND || rc == -NLE_NODEV)
		return 0;
	if (rc < 0)
		return err_set(e, "cannot read interface %s: %s", name, nl_geterror(rc));
	link_of(rl, l);
	rtnl_link_put(rl);
	return 1;
}
