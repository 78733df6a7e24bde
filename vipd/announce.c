// SPDX-License-Identifier: MIT
/*
 * The first frame must not be the only one: a switch may be learning, a neighbour may have lost it,
 * and the old master may have answered a request in the same millisecond. Hence the series. The
 * refresh mends what went unnoticed.
 */
#include "announce.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"

/* At 0, 10, 100 ms, 1 s, 5 s. */
static const double wait_before_s[] = {0, 0.010, 0.090, 0.900, 4.000};

#define ANNOUNCE_MAGIC UINT32_C(0xa3d84f16)

static void put32(uint8_t *p, uint32_t v)
{
	v = htonl(v);
	memcpy(p, &v, sizeof(v));
}

void announce_frame(uint8_t to[ANNOUNCE_FRAME_SIZE], const uint8_t mac[6], uint32_t ip,
		    enum announce_form form)
{
	static const uint8_t fixed[] = {0x08, 0x06, /* ARP */ 0, 1, 0x08, 0, 6, 4, 0};
	memset(to, 0xff, 6);
	memcpy(to + 6, mac, 6);
	memcpy(to + 12, fixed, sizeof(fixed));
	to[21] = (uint8_t)form;
	memcpy(to + 22, mac, 6);
	put32(to + 28, ip);
	memset(to + 32, 0xff, 6);
	put32(to + 38, ip);
}

static void send_one(struct announce *a, uint32_t ip, enum announce_form form)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_ifindex = a->ifindex, .sll_halen = ETH_ALEN};
	uint8_t frame[ANNOUNCE_FRAME_SIZE];
	MUST(a->fd >= 0 && ip);
	announce_frame(frame, a->mac, ip, form);
	memset(to.sll_addr, 0xff, ETH_ALEN);
	if (sendto(a->fd, frame, sizeof(frame), 0, (const struct sockaddr *)&to, sizeof(to)) < 0)
		log_warn("gratuitous ARP was not sent: %m");
	else
		a->sent++;
}

static void send_all(struct announce *a)
{
	MUST(a->count <= ANNOUNCE_ADDRS_MAX);
	for (unsigned i = 0; i < a->count; i++) {
		send_one(a, a->addrs[i], ANNOUNCE_REQUEST);
		send_one(a, a->addrs[i], ANNOUNCE_REPLY);
	}
}

static void arm(struct announce *a)
{
	double wait = a->step < ARRAY_LEN(wait_before_s) ? wait_before_s[a->step]
							 : a->refresh_ms / 1e3;
	if (a->step >= ARRAY_LEN(wait_before_s) && a->refresh_ms == 0)
		return;
	ev_timer_set(&a->timer, wait, 0);
	ev_timer_start(a->loop, &a->timer);
}

static void advance(struct announce *a)
{
	send_all(a);
	a->step = MIN(a->step + 1, (unsigned)ARRAY_LEN(wait_before_s));
	arm(a);
}

static void on_timer(struct ev_loop *loop UNUSED, struct ev_timer *w, int revents UNUSED)
{
	struct announce *a = container_of(w, struct announce, timer);
	MAGIC_CHECK(a, ANNOUNCE_MAGIC);
	advance(a);
}

void announce_init(struct announce *a, struct ev_loop *loop)
{
	*a = (struct announce){.magic = ANNOUNCE_MAGIC, .loop = loop, .fd = -1};
	ev_init(&a->timer, on_timer);
}

void announce_fini(struct announce *a)
{
	announce_close(a);
	MAGIC_WIPE(a, ANNOUNCE_MAGIC);
}

int announce_open(struct announce *a, int ifindex, const uint8_t mac[6], struct err *e)
{
	announce_close(a);
	/* Protocol 0: it receives nothing. */
	a->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (a->fd < 0)
		return err_set(e, "packet socket: %m");
	a->ifindex = ifindex;
	memcpy(a->mac, mac, sizeof(a->mac));
	return 0;
}

void announce_close(struct announce *a)
{
	MAGIC_CHECK(a, ANNOUNCE_MAGIC);
	announce_stop(a);
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
}

void announce_start(struct announce *a)
{
	MAGIC_CHECK(a, ANNOUNCE_MAGIC);
	announce_stop(a);
	if (a->fd < 0)
		return;
	a->step = 0;
	advance(a);
}

void announce_stop(struct announce *a)
{
	ev_timer_stop(a->loop, &a->timer);
}
