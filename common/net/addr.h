// SPDX-License-Identifier: MIT
/*
 * Socket addresses: IPv4, IPv6 and Unix, as values.
 */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/err.h"
#include "base/str.h"

struct addr {
	socklen_t len; /* 0: no address */
	union {
		struct sockaddr sa;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
	};
};

#define ADDR_TEXT_SIZE 64 /* enough for "[v6%scope]:65535" and its NUL */

/*
 * "192.168.1.171:6081", "[::1]:80", ":6081" (any address), "*:80", or an address alone when
 * default_port is not 0. Numbers only: no name is ever resolved. Returns 0, or -1 with e set.
 */
int addr_parse(struct addr *a, struct str text, uint16_t default_port, struct err *e);
/* As addr_parse, but of an IP address without port ("192.168.1.170"). */
int addr_parse_ip(struct addr *a, struct str text, struct err *e);

/*
 * "1.2.3.4:80" / "[::1]:80" into to; returns to. addr_format_ip leaves the port out (and the
 * brackets).
 */
char *addr_format(const struct addr *a, char to[ADDR_TEXT_SIZE]);
char *addr_format_ip(const struct addr *a, char to[ADDR_TEXT_SIZE]);

bool addr_eq(const struct addr *a, const struct addr *b); /* family, address, port */
/* port left aside; v4-mapped v6 equals v4 */
bool addr_eq_ip(const struct addr *a, const struct addr *b);
uint64_t addr_hash(const struct addr *a);
uint16_t addr_port(const struct addr *a);
void addr_set_port(struct addr *a, uint16_t port);
bool addr_is_any(const struct addr *a);

/* Is this IP (port aside) configured on an interface of this host right now? */
bool addr_is_local(const struct addr *a);

#endif
