// SPDX-License-Identifier: MIT
/*
 * VRRP advertisements over IPv4 as bytes: version 2 (RFC 3768 §5.3) and version 3 (RFC 9568 §5.2).
 *
 * Pure: no socket, no clock, no memory of its own. Parsing is strict and names what it refuses;
 * what a peer sends is an outcome, never an assert. Addresses are in host byte order, so that they
 * compare as numbers.
 */
#ifndef VRRP_PKT_H
#define VRRP_PKT_H

#include "base/str.h"

#define VRRP_PKT_PROTO	   112
#define VRRP_PKT_GROUP	   UINT32_C(0xe0000012) /* 224.0.0.18 */
#define VRRP_PKT_ADDRS_MAX 20			/* addresses one of our own instances may have */
#define VRRP_PKT_AUTH_SIZE 8
#define VRRP_PKT_SIZE_MAX  (20 + 8 + 4 * VRRP_PKT_ADDRS_MAX + VRRP_PKT_AUTH_SIZE)

/* Why an advert is ignored. The names are counters' names, the texts are for the log. */
#define VRRP_PKT_DROPS(X)                                                                          \
	X(short, "shorter than its headers")                                                       \
	X(ip, "not an IPv4 header of this protocol")                                               \
	X(ip_length, "IP total length and packet size differ")                                     \
	X(ttl, "TTL is not 255: it came through a router")                                         \
	X(source, "source is 0.0.0.0 or not a host address")                                       \
	X(version, "other VRRP version")                                                           \
	X(type, "not an advertisement")                                                            \
	X(count, "carries no address")                                                             \
	X(length, "length does not fit its number of addresses")                                   \
	X(checksum, "wrong checksum")                                                              \
	X(interval_zero, "advertisement interval 0")                                               \
	X(own, "our own address as source")                                                        \
	X(vrid, "other virtual router")                                                            \
	X(auth, "other authentication")                                                            \
	X(interval, "other advertisement interval")                                                \
	X(addresses, "no address in common: another cluster uses our virtual_router_id")

enum vrrp_pkt_drop {
	VRRP_PKT_OK,
#define X(name, text) VRRP_PKT_DROP_##name,
	VRRP_PKT_DROPS(X)
#undef X
		VRRP_PKT_DROP_COUNT
};

/* An advert as parsed; it points into the packet. */
struct vrrp_pkt {
	uint32_t source;      /* the sender's address */
	uint8_t version;      /* 2 or 3 */
	uint8_t vrid;	      /* virtual router */
	uint8_t priority;     /* 0: the sender is no longer master */
	uint8_t count;	      /* addresses */
	uint8_t auth_type;    /* version 2: 0 none, 1 password in clear text (RFC 2338) */
	bool plain_sum;	      /* version 3: summed without pseudo-header, as RFC 9568 has it */
	uint32_t interval_us; /* sender's interval */
	const uint8_t *addrs; /* count times 4 bytes, network order */
	const uint8_t *auth;  /* version 2: VRRP_PKT_AUTH_SIZE bytes; else NULL */
};

/* What an instance sends, and demands of what it receives. */
struct vrrp_pkt_rules {
	uint8_t version; /* 2 or 3 */
	uint8_t vrid;
	uint8_t auth_type; /* version 2 only: 0 or 1 */
	uint8_t auth[VRRP_PKT_AUTH_SIZE];
	bool plain_sum;	      /* version 3: send without pseudo-header */
	uint32_t interval_us; /* whole seconds up to 255 (2), hundredths up to 4095 (3) */
	uint32_t source;      /* our address on the interface */
	unsigned count;
	uint32_t addrs[VRRP_PKT_ADDRS_MAX];
};

/* For the log and for counters: the text ("TTL is not 255...") and the name ("ttl") of a reason. */
const char *vrrp_pkt_drop_text(enum vrrp_pkt_drop d);
const char *vrrp_pkt_drop_name(enum vrrp_pkt_drop d);

/*
 * Internet checksum (RFC 1071) of n bytes, as it stands in a header; 0 over a message with a good
 * one.
 */
uint16_t vrrp_pkt_checksum(const uint8_t *p, size_t n);

/*
 * Reads an IPv4 packet with its header, as a raw socket gives it. p is set only when the result is
 * OK.
 */
enum vrrp_pkt_drop vrrp_pkt_parse(struct str packet, struct vrrp_pkt *p);

/* Is this well-formed advert meant for the instance that r describes? */
enum vrrp_pkt_drop vrrp_pkt_match(const struct vrrp_pkt *p, const struct vrrp_pkt_rules *r);

/*
 * Writes header and advert with this priority; returns the number of bytes. The IP id is left to
 * the kernel.
 */
size_t vrrp_pkt_build(const struct vrrp_pkt_rules *r, uint8_t priority,
		      uint8_t to[VRRP_PKT_SIZE_MAX]);

#endif
