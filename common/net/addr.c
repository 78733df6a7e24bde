// SPDX-License-Identifier: MIT
/*
 * Addresses as values. Text is numbers only: inet_pton() reads it, and a scope is the name or
 * number of an interface. IPv4 is printed by hand, since every line of an access log has one.
 *
 * Invariant: len is 0, sizeof(in4) with AF_INET, sizeof(in6) with AF_INET6, or what accept() said
 * of a Unix peer, of which only the family is kept.
 */
#include "net/addr.h"

#include <arpa/inet.h>
#include <endian.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>

static void set_v4(struct addr *a, struct in_addr ip, uint16_t port)
{
	*a = (struct addr){.len = sizeof(a->in4)};
	a->in4 = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr = ip,
		.sin_port = htons(port),
	};
}

static void set_v6(struct addr *a, const struct in6_addr *ip, uint32_t scope, uint16_t port)
{
	*a = (struct addr){.len = sizeof(a->in6)};
	a->in6 = (struct sockaddr_in6){
		.sin6_family = AF_INET6,
		.sin6_addr = *ip,
		.sin6_scope_id = scope,
		.sin6_port = htons(port),
	};
}

static bool parse_v4(struct addr *a, struct str text, uint16_t port)
{
	char copy[INET_ADDRSTRLEN];
	struct in_addr ip;
	if (!str_copy(copy, sizeof(copy), text) || memchr(text.p, '\0', text.n) ||
	    inet_pton(AF_INET, copy, &ip) != 1)
		return false;
	set_v4(a, ip, port);
	return true;
}

/* The interface after the '%': a number, or a name that exists. */
static bool parse_scope(struct str text, uint32_t *scope)
{
	char name[IF_NAMESIZE];
	uint64_t number;
	if (str_to_u64(text, UINT32_MAX, &number)) {
		*scope = (uint32_t)number;
		return number != 0;
	}
	if (text.n == 0 || !str_copy(name, sizeof(name), text))
		return false;
	*scope = if_nametoindex(name);
	return *scope != 0;
}

static bool parse_v6(struct addr *a, struct str text, uint16_t port)
{
	char copy[INET6_ADDRSTRLEN];
	ssize_t percent = str_find(text, '%');
	struct in6_addr ip;
	uint32_t scope = 0;
	if (percent >= 0) {
		if (!parse_scope(str_skip(text, (size_t)percent + 1), &scope))
			return false;
		text.n = (size_t)percent;
	}
	if (text.n == 0 || !str_copy(copy, sizeof(copy), text) || memchr(text.p, '\0', text.n) ||
	    inet_pton(AF_INET6, copy, &ip) != 1)
		return false;
	set_v6(a, &ip, scope, port);
	return true;
}

static bool parse_any(struct addr *a, struct str text, uint16_t port)
{
	if (text.n == 0 || str_eq(text, STR("*"))) {
		set_v4(a, (struct in_addr){.s_addr = htonl(INADDR_ANY)}, port);
		return true;
	}
	return parse_v4(a, text, port);
}

static int bad_address(struct err *e, struct str text)
{
	return err_set(e, "\"%.*s\" is not an IP address (names are not looked up)", STR_ARG(text));
}

int addr_parse_ip(struct addr *a, struct str text, struct err *e)
{
	if (text.n > 0 && (parse_v4(a, text, 0) || parse_v6(a, text, 0)))
		return 0;
	return bad_address(e, text);
}

/* What stands behind the host: ":port", or nothing where there is a default. */
static int parse_port(struct str tail, uint16_t default_port, uint16_t *port, struct err *e)
{
	uint64_t number;
	if (tail.n == 0 && default_port != 0) {
		*port = default_port;
		return 0;
	}
	if (tail.n == 0 || tail.p[0] != ':')
		return err_set(e, "a port is missing, as in 192.168.1.171:80 or [::1]:80");
	if (!str_to_u64(str_skip(tail, 1), UINT16_MAX, &number) || number == 0)
		return err_set(e, "port \"%.*s\" is outside 1..65535", STR_ARG(str_skip(tail, 1)));
	*port = (uint16_t)number;
	return 0;
}

static int parse_bracketed(struct addr *a, struct str text, uint16_t default_port, struct err *e)
{
	ssize_t end = str_find(text, ']');
	struct str host;
	uint16_t port;
	if (end < 0)
		return err_set(e, "\"%.*s\" lacks a ]", STR_ARG(text));
	host = str_of(text.p + 1, (size_t)end - 1);
	if (parse_port(str_skip(text, (size_t)end + 1), default_port, &port, e) != 0)
		return -1;
	return parse_v6(a, host, port) ? 0 : bad_address(e, host);
}

int addr_parse(struct addr *a, struct str text, uint16_t default_port, struct err *e)
{
	ssize_t colon = str_find(text, ':');
	struct str host = text;
	uint16_t port;
	if (text.n == 0)
		return err_set(e, "an address is missing");
	if (text.p[0] == '[')
		return parse_bracketed(a, text, default_port, e);
	if (colon >= 0 && str_find(str_skip(text, (size_t)colon + 1), ':') >= 0) {
		/* Two colons and no brackets: an IPv6 address alone. */
		if (!parse_v6(a, text, default_port))
			return bad_address(e, text);
		if (default_port == 0)
			return err_set(e, "a port is missing, as in [::1]:80");
		return 0;
	}
	if (colon >= 0)
		host.n = (size_t)colon;
	if (parse_port(str_skip(text, host.n), default_port, &port, e) != 0)
		return -1;
	return parse_any(a, host, port) ? 0 : bad_address(e, host);
}

static char *put_number(char *to, unsigned value)
{
	char digits[10];
	int n = 0;
	do {
		digits[n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	while (n > 0)
		*to++ = digits[--n];
	return to;
}

static char *put_v4(char *to, const struct in_addr *ip)
{
	uint32_t bits = ntohl(ip->s_addr);
	for (int shift = 24; shift >= 0; shift -= 8) {
		to = put_number(to, bits >> shift & 0xff);
		*to++ = '.';
	}
	return to - 1;
}

static char *put_v6(char *to, const struct sockaddr_in6 *in6)
{
	char name[IF_NAMESIZE];
	MUST(inet_ntop(AF_INET6, &in6->sin6_addr, to, INET6_ADDRSTRLEN));
	to += strlen(to);
	if (in6->sin6_scope_id == 0)
		return to;
	*to++ = '%';
	if (!if_indextoname(in6->sin6_scope_id, name))
		return put_number(to, in6->sin6_scope_id);
	return stpcpy(to, name);
}

static char *put_other(char *to, const struct addr *a)
{
	return stpcpy(to, a->len == 0 ? "-" : "unix");
}

static int family(const struct addr *a)
{
	return a->len == 0 ? AF_UNSPEC : a->sa.sa_family;
}

char *addr_format(const struct addr *a, char to[ADDR_TEXT_SIZE])
{
	char *end = to;
	switch (family(a)) {
	case AF_INET:
		end = put_v4(end, &a->in4.sin_addr);
		break;
	case AF_INET6:
		*end++ = '[';
		end = put_v6(end, &a->in6);
		*end++ = ']';
		break;
	default:
		put_other(to, a);
		return to;
	}
	*end++ = ':';
	*put_number(end, addr_port(a)) = '\0';
	return to;
}

char *addr_format_ip(const struct addr *a, char to[ADDR_TEXT_SIZE])
{
	char *end;
	switch (family(a)) {
	case AF_INET:
		end = put_v4(to, &a->in4.sin_addr);
		break;
	case AF_INET6:
		end = put_v6(to, &a->in6);
		break;
	default:
		end = put_other(to, a);
	}
	*end = '\0';
	return to;
}

/* The IPv4 address that a is or that it maps (::ffff:a.b.c.d); false for any other. */
static bool as_v4(const struct addr *a, struct in_addr *ip)
{
	if (family(a) == AF_INET) {
		*ip = a->in4.sin_addr;
		return true;
	}
	if (family(a) == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr)) {
		memcpy(ip, &a->in6.sin6_addr.s6_addr[12], sizeof(*ip));
		return true;
	}
	return false;
}

/* A link-local address written without a scope is that of any link. */
static bool eq_v6(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
	return memcmp(&a->sin6_addr, &b->sin6_addr, sizeof(a->sin6_addr)) == 0 &&
	       (a->sin6_scope_id == b->sin6_scope_id || a->sin6_scope_id == 0 ||
		b->sin6_scope_id == 0);
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
	if (family(a) != family(b) || addr_port(a) != addr_port(b))
		return false;
	switch (family(a)) {
	case AF_INET:
		return a->in4.sin_addr.s_addr == b->in4.sin_addr.s_addr;
	case AF_INET6:
		return eq_v6(&a->in6, &b->in6);
	default:
		return true;
	}
}

bool addr_eq_ip(const struct addr *a, const struct addr *b)
{
	struct in_addr a4, b4;
	bool a_is_v4 = as_v4(a, &a4), b_is_v4 = as_v4(b, &b4);
	if (a_is_v4 || b_is_v4)
		return a_is_v4 && b_is_v4 && a4.s_addr == b4.s_addr;
	if (family(a) != family(b))
		return false;
	return family(a) != AF_INET6 || eq_v6(&a->in6, &b->in6);
}

/* A bijection of 64 bits with good avalanche (the finaliser of MurmurHash3). */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
	x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

uint64_t addr_hash(const struct addr *a)
{
	uint64_t half[2];
	switch (family(a)) {
	case AF_INET:
		return mix((uint64_t)ntohl(a->in4.sin_addr.s_addr) << 16 | addr_port(a));
	case AF_INET6:
		memcpy(half, &a->in6.sin6_addr, sizeof(half));
		return mix(mix(mix(be64toh(half[0])) + be64toh(half[1])) + addr_port(a));
	default:
		return mix((uint64_t)family(a));
	}
}

uint16_t addr_port(const struct addr *a)
{
	switch (family(a)) {
	case AF_INET:
		return ntohs(a->in4.sin_port);
	case AF_INET6:
		return ntohs(a->in6.sin6_port);
	default:
		return 0;
	}
}

void addr_set_port(struct addr *a, uint16_t port)
{
	if (family(a) == AF_INET)
		a->in4.sin_port = htons(port);
	else if (family(a) == AF_INET6)
		a->in6.sin6_port = htons(port);
}

bool addr_is_any(const struct addr *a)
{
	switch (family(a)) {
	case AF_INET:
		return a->in4.sin_addr.s_addr == htonl(INADDR_ANY);
	case AF_INET6:
		return IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr);
	default:
		return false;
	}
}

/* The IP of an interface's address; false when it is of another family. */
static bool from_sockaddr(struct addr *a, const struct sockaddr *sa)
{
	*a = (struct addr){0};
	if (!sa)
		return false;
	if (sa->sa_family == AF_INET)
		a->len = sizeof(a->in4);
	else if (sa->sa_family == AF_INET6)
		a->len = sizeof(a->in6);
	memcpy(&a->sa, sa, a->len);
	return a->len != 0;
}

bool addr_is_local(const struct addr *a)
{
	struct ifaddrs *list, *i;
	bool found = false;
	if (getifaddrs(&list) != 0)
		return false;
	for (i = list; i && !found; i = i->ifa_next) {
		struct addr own;
		found = from_sockaddr(&own, i->ifa_addr) && addr_eq_ip(a, &own);
	}
	freeifaddrs(list);
	return found;
}
