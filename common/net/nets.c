// SPDX-License-Identifier: MIT
/*
 * Both families are compared as 128 bits. The family is compared besides, so that ::/0 is every IPv6 address and
 * no IPv4 one.
 *
 * A list has no room counter of its own: its capacity is the power of two that holds n.
 */
#include "net/nets.h"

#define V4_BITS 96 /* of the prefix that maps IPv4 into IPv6 */

static const uint8_t v4_prefix[V4_BITS / 8] = {[10] = 0xff, [11] = 0xff};

/* The address as a network of its own; false for what is no IP. */
static bool net_of(struct net *net, const struct addr *a)
{
	if (a->len == 0 || (a->sa.sa_family != AF_INET && a->sa.sa_family != AF_INET6))
		return false;
	net->bits = 128;
	if (a->sa.sa_family == AF_INET) {
		memcpy(net->ip, v4_prefix, sizeof(v4_prefix));
		memcpy(net->ip + sizeof(v4_prefix), &a->in4.sin_addr, sizeof(a->in4.sin_addr));
	} else {
		memcpy(net->ip, &a->in6.sin6_addr, sizeof(net->ip));
	}
	net->v4 = memcmp(net->ip, v4_prefix, sizeof(v4_prefix)) == 0;
	return true;
}

static uint8_t mask_of(unsigned bits)
{
	return (uint8_t)(0xff00 >> bits);
}

static bool contains(const struct net *net, const struct net *one)
{
	unsigned whole = net->bits / 8, rest = net->bits % 8;
	return net->v4 == one->v4 && memcmp(net->ip, one->ip, whole) == 0 &&
	       (rest == 0 || ((net->ip[whole] ^ one->ip[whole]) & mask_of(rest)) == 0);
}

static bool clear_behind(const struct net *net)
{
	for (unsigned i = net->bits / 8; i < sizeof(net->ip); i++) {
		unsigned kept = i == net->bits / 8 ? net->bits % 8 : 0;
		if (net->ip[i] & (uint8_t)~mask_of(kept))
			return false;
	}
	return true;
}

static void append(struct nets *l, const struct net *net, struct arena *arena)
{
	if ((l->n & (l->n - 1)) == 0) { /* 0, or full */
		struct net *v = ARENA_ARRAY(arena, struct net, MAX(l->n * 2, 1u));
		MUST(v);
		if (l->n)
			memcpy(v, l->v, l->n * sizeof(*v));
		l->v = v;
	}
	l->v[l->n++] = *net;
}

int nets_add(struct nets *l, struct str text, struct arena *arena, struct err *e)
{
	ssize_t slash = str_find(text, '/');
	struct str ip = slash < 0 ? text : str_of(text.p, (size_t)slash);
	struct addr a;
	struct net net;
	if (addr_parse_ip(&a, ip, e) != 0)
		return -1;
	if (str_find(ip, '%') >= 0)
		return err_set(e, "\"%.*s\": a network has no scope", STR_ARG(text));
	MUST(net_of(&net, &a));
	if (slash >= 0) {
		bool dotted = a.sa.sa_family == AF_INET;
		unsigned most = dotted ? 32 : 128;
		uint64_t bits;
		if (!str_to_u64(str_skip(text, (size_t)slash + 1), most, &bits))
			return err_set(e, "\"%.*s\": a prefix of 0..%u bits is needed after the /",
				       STR_ARG(text), most);
		net.bits = (uint8_t)(bits + (dotted ? V4_BITS : 0));
		net.v4 = net.v4 && net.bits >= V4_BITS;
	}
	if (!clear_behind(&net))
		return err_set(e, "\"%.*s\" has address bits behind its prefix", STR_ARG(text));
	append(l, &net, arena);
	return 0;
}

void nets_add_ip(struct nets *l, const struct addr *a, struct arena *arena)
{
	struct net net;
	MUST(net_of(&net, a));
	append(l, &net, arena);
}

bool nets_contain(const struct nets *l, const struct addr *a)
{
	struct net one;
	if (l->n == 0 || !net_of(&one, a))
		return false;
	for (unsigned i = 0; i < l->n; i++)
		if (contains(&l->v[i], &one))
			return true;
	return false;
}
