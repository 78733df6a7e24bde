// SPDX-License-Identifier: MIT
/*
 * Both versions are told apart by how they begin; neither can be the start of a request. Version 1 is one line, cut at
 * single spaces. Version 2 is a fixed part of 16 bytes, a block of addresses whose size its family fixes, and TLVs
 * up to the length that the fixed part announces.
 */
#include "net/proxy_header.h"

#include <arpa/inet.h>
#include <stdio.h>

#define V1_SIGNATURE STR("PROXY ")
#define V1_SHORTEST  (sizeof("PROXY UNKNOWN\r\n") - 1)
#define V1_LONGEST   107

#define V2_SIGNATURE STR("\r\n\r\n\0\r\nQUIT\n")
#define V2_FIXED     16
#define V2_LOCAL     0x20 /* version and command */
#define V2_PROXY     0x21
#define V2_TCP4	     0x11 /* family and protocol */
#define V2_TCP6	     0x21

static enum proxy_header_outcome bad(struct proxy_header *h, const char *why)
{
	*h = (struct proxy_header){.error = why};
	return PROXY_HEADER_BAD;
}

static enum proxy_header_outcome more(struct proxy_header *h, size_t size)
{
	h->size = size;
	return PROXY_HEADER_MORE;
}

static void set_v4(struct addr *a, const void *ip, uint16_t port)
{
	a->len = sizeof(a->in4);
	a->in4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
	memcpy(&a->in4.sin_addr, ip, sizeof(a->in4.sin_addr));
}

static void set_v6(struct addr *a, const void *ip, uint16_t port)
{
	a->len = sizeof(a->in6);
	a->in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
	memcpy(&a->in6.sin6_addr, ip, sizeof(a->in6.sin6_addr));
}

/* ---- version 1 */

static bool parse_port(struct str s, uint16_t *port)
{
	uint64_t n;
	if ((s.n > 1 && s.p[0] == '0') || !str_to_u64(s, UINT16_MAX, &n))
		return false;
	*port = (uint16_t)n;
	return true;
}

static bool parse_address(struct addr *a, int family, struct str ip, struct str port_text)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t bytes[sizeof(struct in6_addr)];
	uint16_t port;
	if (!str_copy(text, sizeof(text), ip) || strlen(text) != ip.n ||
	    inet_pton(family, text, bytes) != 1 || !parse_port(port_text, &port))
		return false;
	(family == AF_INET ? set_v4 : set_v6)(a, bytes, port);
	return true;
}

/* SOURCE DESTINATION SOURCE-PORT DESTINATION-PORT */
static bool parse_addresses(struct proxy_header *h, int family, struct str rest)
{
	struct str word[4];
	for (unsigned i = 0; i < ARRAY_LEN(word); i++)
		if (!str_split(&rest, ' ', &word[i]))
			return false;
	return !rest.p && parse_address(&h->source, family, word[0], word[2]) &&
	       parse_address(&h->destination, family, word[1], word[3]);
}

static enum proxy_header_outcome parse_line(struct proxy_header *h, struct str line)
{
	struct str protocol;
	if (!str_split(&line, ' ', &protocol))
		return bad(h, "PROXY header names no protocol");
	if (str_eq(protocol, STR("UNKNOWN"))) /* what follows is to be ignored */
		return PROXY_HEADER_DONE;
	if (!str_eq(protocol, STR("TCP4")) && !str_eq(protocol, STR("TCP6")))
		return bad(h, "PROXY header of an unknown protocol");
	if (!parse_addresses(h, protocol.p[3] == '4' ? AF_INET : AF_INET6, line))
		return bad(h, "PROXY header with malformed addresses");
	return PROXY_HEADER_DONE;
}

static enum proxy_header_outcome parse_v1(struct proxy_header *h, struct str in)
{
	struct str line = str_of(in.p, MIN(in.n, (size_t)V1_LONGEST));
	ssize_t lf = str_find(line, '\n'), cr = str_find(line, '\r');
	if (lf < 0 && line.n < V1_LONGEST)
		return more(h, MAX(in.n + 1, V1_SHORTEST));
	if (lf < 0)
		return bad(h, "PROXY header without an end of line");
	if (cr != lf - 1)
		return bad(h, "PROXY header with a bare CR or LF");
	h->size = (size_t)lf + 1;
	return parse_line(h, str_skip(str_of(in.p, (size_t)cr), V1_SIGNATURE.n));
}

/* ---- version 2 */

/* Of the address block by the upper half of the family byte; the specification calls other values invalid. */
static const uint8_t v2_block[] = {0, 12, 36, 216};

static enum proxy_header_outcome parse_family(struct proxy_header *h, const uint8_t *b,
					      size_t length)
{
	unsigned family = b[13] >> 4, protocol = b[13] & 15;
	uint16_t ports[2];
	if (family >= ARRAY_LEN(v2_block) || protocol > 2)
		return bad(h, "PROXY header of an unknown family or protocol");
	if (protocol == 2)
		return bad(h, "PROXY header of datagrams");
	if (length < v2_block[family])
		return bad(h, "PROXY header shorter than its addresses");
	b += V2_FIXED;
	if (family == 1 && protocol == 1) {
		memcpy(ports, b + 8, sizeof(ports));
		set_v4(&h->source, b, ntohs(ports[0]));
		set_v4(&h->destination, b + 4, ntohs(ports[1]));
	} else if (family == 2 && protocol == 1) {
		memcpy(ports, b + 32, sizeof(ports));
		set_v6(&h->source, b, ntohs(ports[0]));
		set_v6(&h->destination, b + 16, ntohs(ports[1]));
	}
	return PROXY_HEADER_DONE;
}

static enum proxy_header_outcome parse_v2(struct proxy_header *h, struct str in)
{
	const uint8_t *b = (const uint8_t *)in.p;
	if (in.n < V2_FIXED)
		return more(h, V2_FIXED);
	size_t length = (size_t)b[14] << 8 | b[15];
	if (b[12] != V2_LOCAL && b[12] != V2_PROXY)
		return bad(h, "PROXY header of an unknown version or command");
	if (V2_FIXED + length > PROXY_HEADER_MAX)
		return bad(h, "PROXY header is too long");
	if (in.n < V2_FIXED + length)
		return more(h, V2_FIXED + length);
	h->size = V2_FIXED + length;
	return b[12] == V2_LOCAL ? PROXY_HEADER_DONE : parse_family(h, b, length);
}

/* Is in the signature, or its beginning? */
static bool begins(struct str in, struct str signature)
{
	return memcmp(in.p, signature.p, MIN(in.n, signature.n)) == 0;
}

enum proxy_header_outcome proxy_header_parse(struct proxy_header *h, struct str in)
{
	*h = (struct proxy_header){0};
	if (in.n == 0)
		return more(h, V1_SHORTEST);
	if (begins(in, V1_SIGNATURE))
		return parse_v1(h, in);
	if (begins(in, V2_SIGNATURE))
		return parse_v2(h, in);
	return bad(h, "no PROXY header");
}

/* ---- writing */

static size_t write_v1(char *to, const struct addr *source, const struct addr *destination)
{
	char from[INET6_ADDRSTRLEN], dest[INET6_ADDRSTRLEN], text[PROXY_HEADER_ROOM + 1];
	bool v4 = source->sa.sa_family == AF_INET;
	inet_ntop(source->sa.sa_family,
		  v4 ? (const void *)&source->in4.sin_addr : &source->in6.sin6_addr, from,
		  sizeof(from));
	inet_ntop(source->sa.sa_family,
		  v4 ? (const void *)&destination->in4.sin_addr : &destination->in6.sin6_addr, dest,
		  sizeof(dest));
	int n = snprintf(text, sizeof(text), "PROXY TCP%c %s %s %u %u\r\n", v4 ? '4' : '6', from,
			 dest, addr_port(source), addr_port(destination));
	MUST(n > 0 && n <= PROXY_HEADER_ROOM);
	memcpy(to, text, (size_t)n);
	return (size_t)n;
}

static char *put(char *to, const void *bytes, size_t n)
{
	memcpy(to, bytes, n);
	return to + n;
}

static char *put_v2_fixed(char *to, unsigned command, unsigned family, unsigned length)
{
	to = put(to, V2_SIGNATURE.p, V2_SIGNATURE.n);
	return put(to, (const uint8_t[]){(uint8_t)command, (uint8_t)family, 0, (uint8_t)length}, 4);
}

static size_t write_v2(char *to, const struct addr *source, const struct addr *destination)
{
	char *p = to;
	if (source->sa.sa_family == AF_INET) {
		p = put_v2_fixed(p, V2_PROXY, V2_TCP4, v2_block[1]);
		p = put(p, &source->in4.sin_addr, 4);
		p = put(p, &destination->in4.sin_addr, 4);
		p = put(p, &source->in4.sin_port, 2);
		p = put(p, &destination->in4.sin_port, 2);
	} else {
		p = put_v2_fixed(p, V2_PROXY, V2_TCP6, v2_block[2]);
		p = put(p, &source->in6.sin6_addr, 16);
		p = put(p, &destination->in6.sin6_addr, 16);
		p = put(p, &source->in6.sin6_port, 2);
		p = put(p, &destination->in6.sin6_port, 2);
	}
	return (size_t)(p - to);
}

static bool is_ip(const struct addr *a)
{
	return a && a->len && (a->sa.sa_family == AF_INET || a->sa.sa_family == AF_INET6);
}

size_t proxy_header_write(char to[PROXY_HEADER_ROOM], unsigned version, const struct addr *source,
			  const struct addr *destination)
{
	MUST(version == 1 || version == 2);
	if (is_ip(source) && is_ip(destination) &&
	    source->sa.sa_family == destination->sa.sa_family)
		return (version == 1 ? write_v1 : write_v2)(to, source, destination);
	if (version == 1)
		return (size_t)(put(to, "PROXY UNKNOWN\r\n", V1_SHORTEST) - to);
	return (size_t)(put_v2_fixed(to, V2_LOCAL, 0, 0) - to);
}
