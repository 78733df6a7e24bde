// SPDX-License-Identifier: MIT
/*
 * Parsing goes outside in: IP header, version, length, checksum; each check may rely on those
 * before it, so no byte is read that was not counted. Whether the advert concerns us is a second
 * question (vrrp_pkt_match), since several instances receive the same group.
 *
 * Differences from keepalived 2.2.7, wished for: a source of 0.0.0.0 is refused; version 3 is
 * accepted with and without pseudo-header in the sum (implementations disagree; RFC 9568 §5.2.8
 * says without); a list of addresses that shares one with ours is ours, so that addresses can be
 * rolled out board by board.
 */
#include "vrrp_pkt.h"

enum { IP_HEAD = 20, VRRP_HEAD = 8, TYPE_ADVERT = 1, TOS_CONTROL = 0xc0, TTL = 255 };

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static uint32_t sum_words(const uint8_t *p, size_t n, uint32_t sum)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += get16(p + i);
	if (n & 1)
		sum += (uint32_t)p[n - 1] << 8;
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* The pseudo-header that keepalived sums up with version 3: source, group, protocol, length. */
static uint32_t pseudo_sum(uint32_t source, size_t len)
{
	return (source >> 16) + (source & 0xffff) + (VRRP_PKT_GROUP >> 16) +
	       (VRRP_PKT_GROUP & 0xffff) + VRRP_PKT_PROTO + (uint32_t)len;
}

uint16_t vrrp_pkt_checksum(const uint8_t *p, size_t n)
{
	return fold(sum_words(p, n, 0));
}

const char *vrrp_pkt_drop_text(enum vrrp_pkt_drop d)
{
	static const char *const texts[] = {[VRRP_PKT_OK] = "good",
#define X(name, text) [VRRP_PKT_DROP_##name] = text,
					    VRRP_PKT_DROPS(X)
#undef X
	};
	MUST(d < ARRAY_LEN(texts));
	return texts[d];
}

const char *vrrp_pkt_drop_name(enum vrrp_pkt_drop d)
{
	static const char *const names[] = {[VRRP_PKT_OK] = "ok",
#define X(name, text) [VRRP_PKT_DROP_##name] = #name,
					    VRRP_PKT_DROPS(X)
#undef X
	};
	MUST(d < ARRAY_LEN(names));
	return names[d];
}

static bool is_host(uint32_t a)
{
	return a >> 24 != 0 && a >> 24 != 127 && a < UINT32_C(0xe0000000);
}

/* Checks the IPv4 header; on success *head is its length. */
static enum vrrp_pkt_drop check_ip(const uint8_t *p, size_t n, size_t *head)
{
	if (n < IP_HEAD)
		return VRRP_PKT_DROP_short;
	*head = (size_t)(p[0] & 15) * 4;
	if (p[0] >> 4 != 4 || *head < IP_HEAD || p[9] != VRRP_PKT_PROTO)
		return VRRP_PKT_DROP_ip;
	if (n < *head + VRRP_HEAD)
		return VRRP_PKT_DROP_short;
	if (get16(p + 2) != n)
		return VRRP_PKT_DROP_ip_length;
	if (p[8] != TTL)
		return VRRP_PKT_DROP_ttl;
	if (!is_host(get32(p + 12)))
		return VRRP_PKT_DROP_source;
	return VRRP_PKT_OK;
}

static size_t message_size(unsigned version, unsigned count)
{
	return VRRP_HEAD + 4 * (size_t)count + (version == 2 ? VRRP_PKT_AUTH_SIZE : 0);
}

/* Version 3 only: either sum is good, plain tells which. */
static bool sum_is_good(const uint8_t *m, size_t n, struct vrrp_pkt *p)
{
	uint32_t sum = sum_words(m, n, 0);
	p->plain_sum = fold(sum) == 0;
	if (p->plain_sum || p->version == 2)
		return p->plain_sum;
	return fold(sum + pseudo_sum(p->source, n)) == 0;
}

enum vrrp_pkt_drop vrrp_pkt_parse(struct str packet, struct vrrp_pkt *out)
{
	const uint8_t *ip = (const uint8_t *)packet.p, *m;
	size_t head, n;
	struct vrrp_pkt p;
	enum vrrp_pkt_drop d = check_ip(ip, packet.n, &head);
	if (d != VRRP_PKT_OK)
		return d;
	m = ip + head;
	n = packet.n - head;
	p = (struct vrrp_pkt){.source = get32(ip + 12),
			      .version = m[0] >> 4,
			      .vrid = m[1],
			      .priority = m[2],
			      .count = m[3],
			      .addrs = m + VRRP_HEAD};
	if (p.version != 2 && p.version != 3)
		return VRRP_PKT_DROP_version;
	if ((m[0] & 15) != TYPE_ADVERT)
		return VRRP_PKT_DROP_type;
	if (p.count == 0)
		return VRRP_PKT_DROP_count;
	if (n != message_size(p.version, p.count))
		return VRRP_PKT_DROP_length;
	if (!sum_is_good(m, n, &p))
		return VRRP_PKT_DROP_checksum;
	if (p.version == 2) {
		p.auth_type = m[4];
		p.interval_us = m[5] * UINT32_C(1000000);
		p.auth = p.addrs + 4 * (size_t)p.count;
	} else {
		p.interval_us = (get16(m + 4) & 0xfffu) * UINT32_C(10000);
	}
	if (p.interval_us == 0)
		return VRRP_PKT_DROP_interval_zero;
	*out = p;
	return VRRP_PKT_OK;
}

static bool shares_address(const struct vrrp_pkt *p, const struct vrrp_pkt_rules *r)
{
	for (unsigned i = 0; i < p->count; i++) {
		uint32_t a = get32(p->addrs + 4 * (size_t)i);
		for (unsigned k = 0; k < r->count; k++)
			if (r->addrs[k] == a)
				return true;
	}
	return false;
}

static bool auth_is_ours(const struct vrrp_pkt *p, const struct vrrp_pkt_rules *r)
{
	if (p->auth_type != r->auth_type)
		return false;
	return p->auth_type == 0 || memcmp(p->auth, r->auth, VRRP_PKT_AUTH_SIZE) == 0;
}

enum vrrp_pkt_drop vrrp_pkt_match(const struct vrrp_pkt *p, const struct vrrp_pkt_rules *r)
{
	if (p->vrid != r->vrid)
		return VRRP_PKT_DROP_vrid;
	if (p->source == r->source)
		return VRRP_PKT_DROP_own;
	if (p->version != r->version)
		return VRRP_PKT_DROP_version;
	if (!shares_address(p, r))
		return VRRP_PKT_DROP_addresses;
	if (p->version == 2 && !auth_is_ours(p, r))
		return VRRP_PKT_DROP_auth;
	if (p->version == 2 && p->interval_us != r->interval_us)
		return VRRP_PKT_DROP_interval;
	return VRRP_PKT_OK;
}

static void build_ip(const struct vrrp_pkt_rules *r, size_t total, uint8_t *ip)
{
	memset(ip, 0, IP_HEAD);
	ip[0] = 0x45;
	ip[1] = TOS_CONTROL;
	put16(ip + 2, (unsigned)total);
	ip[8] = TTL;
	ip[9] = VRRP_PKT_PROTO;
	put32(ip + 12, r->source);
	put32(ip + 16, VRRP_PKT_GROUP);
	put16(ip + 10, vrrp_pkt_checksum(ip, IP_HEAD));
}

size_t vrrp_pkt_build(const struct vrrp_pkt_rules *r, uint8_t priority,
		      uint8_t to[VRRP_PKT_SIZE_MAX])
{
	uint8_t *m = to + IP_HEAD;
	size_t n = message_size(r->version, r->count);
	uint32_t sum;
	MUST(r->version == 2 || r->version == 3);
	MUST(r->vrid > 0);
	MUST(r->count >= 1 && r->count <= VRRP_PKT_ADDRS_MAX);
	MUST(r->interval_us >= (r->version == 2 ? 1000000u : 10000u));
	MUST(r->interval_us <= (r->version == 2 ? 255000000u : 40950000u));
	MUST(r->auth_type == 0 || r->version == 2);
	memset(m, 0, n);
	m[0] = (uint8_t)(r->version << 4 | TYPE_ADVERT);
	m[1] = r->vrid;
	m[2] = priority;
	m[3] = (uint8_t)r->count;
	if (r->version == 2) {
		m[4] = r->auth_type;
		m[5] = (uint8_t)(r->interval_us / 1000000);
		memcpy(m + n - VRRP_PKT_AUTH_SIZE, r->auth, r->auth_type ? VRRP_PKT_AUTH_SIZE : 0);
	} else {
		put16(m + 4, r->interval_us / 10000);
	}
	for (unsigned i = 0; i < r->count; i++)
		put32(m + VRRP_HEAD + 4 * (size_t)i, r->addrs[i]);
	sum = sum_words(m, n, 0);
	if (r->version == 3 && !r->plain_sum)
		sum += pseudo_sum(r->source, n);
	put16(m + 6, fold(sum));
	build_ip(r, IP_HEAD + n, to);
	return IP_HEAD + n;
}
