// SPDX-License-Identifier: MIT
#include "net/addr.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>

static int not_an_address(struct err *e, struct str text)
{
	return err_set(e, "\"%.*s\" is not an address: wanted IP:PORT, [IPv6]:PORT or :PORT", STR_ARG(text));
}

static bool set_ip(struct addr *a, struct str ip)
{
	char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
	*a = (struct addr){0};
	if (!str_copy(text, sizeof(text), ip))
		return false;
	if (inet_pton(AF_INET, text, &a->in4.sin_addr) == 1) {
		a->in4.sin_family = AF_INET;
		a->len = sizeof(a->in4);
		return true;
	}
	char *scope = strchr(text, '%');
	if (scope)
		*scope++ = '\0';
	if (inet_pton(AF_INET6, text, &a->in6.sin6_addr) != 1)
		return false;
	a->in6.sin6_family = AF_INET6;
	a->in6.sin6_scope_id = scope ? if_nametoindex(scope) : 0;
	a->len = sizeof(a->in6);
	return !scope || a->in6.sin6_scope_id != 0;
}

static void set_any(struct addr *a)
{
	*a = (struct addr){.len = sizeof(a->in4)};
	a->in4.sin_family = AF_INET;
}

/* Takes "host:port" apart. host STR_NONE: any. port STR_NONE: not given. */
static bool cut(struct str text, struct str *host, struct str *port)
{
	ssize_t close = str_find(text, ']');
	*port = STR_NONE;
	if (text.n && text.p[0] == '[') {
		if (close < 0)
			return false;
		*host = str_of(text.p + 1, (size_t)close - 1);
		struct str rest = str_skip(text, (size_t)close + 1);
		if (rest.n == 0)
			return true;
		*port = str_skip(rest, 1);
		return rest.p[0] == ':';
	}
	ssize_t colon = str_find(text, ':');
	if (colon >= 0 && str_find(str_skip(text, (size_t)colon + 1), ':') >= 0) {
		*host = text; /* a bare IPv6 address */
		return true;
	}
	*host = colon < 0 ? text : str_of(text.p, (size_t)colon);
	if (colon >= 0)
		*port = str_skip(text, (size_t)colon + 1);
	return true;
}

int addr_parse(struct addr *a, struct str text, uint16_t default_port, struct err *e)
{
	struct str host, port;
	uint64_t number = default_port;
	if (!cut(text, &host, &port))
		return not_an_address(e, text);
	if (port.p && (!str_to_u64(port, 65535, &number) || number == 0))
		return err_set(e, "\"%.*s\": the port must be 1..65535", STR_ARG(text));
	if (number == 0)
		return err_set(e, "\"%.*s\" has no port: wanted IP:PORT", STR_ARG(text));
	if (host.n == 0 || str_eq(host, STR("*"))) {
		if (!port.p)
			return not_an_address(e, text);
		set_any(a);
	} else if (!set_ip(a, host)) {
		return not_an_address(e, text);
	}
	addr_set_port(a, (uint16_t)number);
	return 0;
}

int addr_parse_ip(struct addr *a, struct str text, struct err *e)
{
	if (!set_ip(a, text))
		return err_set(e, "\"%.*s\" is not an IP address", STR_ARG(text));
	return 0;
}

char *addr_format_ip(const struct addr *a, char to[ADDR_TEXT_SIZE])
{
	to[0] = '\0';
	if (a->len == 0)
		snprintf(to, ADDR_TEXT_SIZE, "-");
	else if (a->sa.sa_family == AF_INET)
		inet_ntop(AF_INET, &a->in4.sin_addr, to, ADDR_TEXT_SIZE);
	else if (a->sa.sa_family == AF_INET6)
		inet_ntop(AF_INET6, &a->in6.sin6_addr, to, ADDR_TEXT_SIZE);
	else
		snprintf(to, ADDR_TEXT_SIZE, "unix");
	return to;
}

char *addr_format(const struct addr *a, char to[ADDR_TEXT_SIZE])
{
	char ip[ADDR_TEXT_SIZE];
	addr_format_ip(a, ip);
	if (a->len && a->sa.sa_family == AF_INET6)
		snprintf(to, ADDR_TEXT_SIZE, "[%.48s]:%u", ip, addr_port(a));
	else if (a->len && a->sa.sa_family == AF_INET)
		snprintf(to, ADDR_TEXT_SIZE, "%.48s:%u", ip, addr_port(a));
	else
		str_copy(to, ADDR_TEXT_SIZE, str_c(ip));
	return to;
}

uint16_t addr_port(const struct addr *a)
{
	if (a->len == 0)
		return 0;
	return ntohs(a->sa.sa_family == AF_INET ? a->in4.sin_port : a->in6.sin6_port);
}

void addr_set_port(struct addr *a, uint16_t port)
{
	if (a->sa.sa_family == AF_INET)
		a->in4.sin_port = htons(port);
	else if (a->sa.sa_family == AF_INET6)
		a->in6.sin6_port = htons(port);
}

/* The IPv4 address in network order, also out of a v4-mapped IPv6 one. */
static bool as_v4(const struct addr *a, uint32_t *v4)
{
	if (a->len == 0)
		return false;
	if (a->sa.sa_family == AF_INET) {
		*v4 = a->in4.sin_addr.s_addr;
		return true;
	}
	if (a->sa.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr))
		return false;
	memcpy(v4, &a->in6.sin6_addr.s6_addr[12], sizeof(*v4));
	return true;
}

bool addr_eq_ip(const struct addr *a, const struct addr *b)
{
	uint32_t x = 0, y = 0;
	bool a4 = as_v4(a, &x), b4 = as_v4(b, &y);
	if (a4 || b4)
		return a4 && b4 && x == y;
	return a->len && b->len && a->sa.sa_family == AF_INET6 && b->sa.sa_family == AF_INET6 &&
	       memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(a->in6.sin6_addr)) == 0;
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
	if (a->len != b->len)
		return false;
	if (a->len == 0)
		return true;
	return a->sa.sa_family == b->sa.sa_family && addr_port(a) == addr_port(b) && addr_eq_ip(a, b);
}

/* FNV-1a: addresses come from the configuration, not from an attacker. */
static uint64_t fnv(uint64_t h, const void *p, size_t n)
{
	const unsigned char *b = p;
	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * UINT64_C(0x100000001b3);
	return h;
}

uint64_t addr_hash(const struct addr *a)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	if (a->len == 0)
		return h;
	uint16_t port = addr_port(a);
	h = fnv(h, &port, sizeof(port));
	if (a->sa.sa_family == AF_INET)
		return fnv(h, &a->in4.sin_addr, sizeof(a->in4.sin_addr));
	return fnv(h, &a->in6.sin6_addr, sizeof(a->in6.sin6_addr));
}

bool addr_is_any(const struct addr *a)
{
	if (a->len == 0)
		return true;
	if (a->sa.sa_family == AF_INET)
		return a->in4.sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr);
}

bool addr_is_local(const struct addr *a)
{
	struct ifaddrs *all, *i;
	bool found = false;
	if (getifaddrs(&all) < 0)
		return false;
	for (i = all; i && !found; i = i->ifa_next) {
		struct addr one = {0};
		if (!i->ifa_addr)
			continue;
		if (i->ifa_addr->sa_family == AF_INET)
			one.len = sizeof(one.in4);
		else if (i->ifa_addr->sa_family == AF_INET6)
			one.len = sizeof(one.in6);
		else
			continue;
		memcpy(&one.sa, i->ifa_addr, one.len);
		found = addr_eq_ip(a, &one);
	}
	freeifaddrs(all);
	return found;
}
