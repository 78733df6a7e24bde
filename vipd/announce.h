// SPDX-License-Identifier: MIT
/*
 * Gratuitous ARP (RFC 5227 §3, RFC 9568 §8.2): tells switches and neighbours on one interface where
 * the virtual addresses live now. A series of 0, 10, 100 ms, 1 s, 5 s, then a refresh now and then.
 * Each time as a request and as a reply, because there are stacks that take only one of them.
 */
#ifndef ANNOUNCE_H
#define ANNOUNCE_H

#include <ev.h>

#include "base/err.h"

#define ANNOUNCE_FRAME_SIZE 42
#define ANNOUNCE_ADDRS_MAX  20

struct announce {
	uint32_t magic;	       /* private */
	struct ev_loop *loop;  /* private */
	struct ev_timer timer; /* private */
	int fd;		       /* private: packet socket, -1 when closed */
	int ifindex;	       /* private */
	uint8_t mac[6];	       /* private */
	unsigned step;	       /* private: place in the series */
	uint32_t refresh_ms;   /* rw: between refreshes, 0 for none */
	unsigned count;	       /* rw: addresses to announce */
	uint32_t addrs[ANNOUNCE_ADDRS_MAX];
	uint64_t sent; /* ro: frames */
};

void announce_init(struct announce *a, struct ev_loop *loop);
void announce_fini(struct announce *a);

/*
 * Announces on this interface with this hardware address from now on. 0, or -1 with e. Needs
 * CAP_NET_RAW.
 */
int announce_open(struct announce *a, int ifindex, const uint8_t mac[6], struct err *e);
void announce_close(struct announce *a); /* stops too */

void announce_start(struct announce *a); /* begins the series, the first frames leave at once */
void announce_stop(struct announce *a);

enum announce_form { ANNOUNCE_REQUEST = 1, ANNOUNCE_REPLY = 2 };

/* The frame itself; pure. */
void announce_frame(uint8_t to[ANNOUNCE_FRAME_SIZE], const uint8_t mac[6], uint32_t ip,
		    enum announce_form form);

#endif
