// SPDX-License-Identifier: MIT
// TEST-OF: vipd
/*
 * Adverts: what parses lies inside the packet; what is built from it parses to the same advert and
 * is what its own rules demand.
 */
#include "vrrp_pkt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t read_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void check_built(const struct vrrp_pkt *p)
{
	struct vrrp_pkt_rules r = {
		.version = p->version,
		.vrid = p->vrid,
		.auth_type = p->auth_type,
		.plain_sum = p->plain_sum,
		.interval_us = p->interval_us,
		.source = p->source,
		.count = p->count,
	};
	uint8_t built[VRRP_PKT_SIZE_MAX];
	struct vrrp_pkt again;
	if (p->count > VRRP_PKT_ADDRS_MAX || p->auth_type > 1)
		return;
	for (unsigned i = 0; i < p->count; i++)
		r.addrs[i] = read_u32(p->addrs + 4 * i);
	if (p->auth)
		memcpy(r.auth, p->auth, sizeof(r.auth));
	MUST(vrrp_pkt_parse(str_of((const char *)built, vrrp_pkt_build(&r, p->priority, built)),
			    &again) == VRRP_PKT_OK);
	MUST(again.version == p->version && again.vrid == p->vrid && again.count == p->count);
	MUST(again.priority == p->priority && again.interval_us == p->interval_us);
	MUST(again.source == p->source);
	r.source = ~p->source;
	MUST(vrrp_pkt_match(&again, &r) == VRRP_PKT_OK);
	MUST(vrrp_pkt_match(p, &r) == VRRP_PKT_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vrrp_pkt p;
	if (vrrp_pkt_parse(str_of((const char *)data, size), &p) != VRRP_PKT_OK)
		return 0;
	MUST(p.addrs >= data && p.addrs + 4 * p.count <= data + size);
	MUST(!p.auth || (p.auth >= data && p.auth + VRRP_PKT_AUTH_SIZE <= data + size));
	MUST(p.version == 2 || p.version == 3);
	check_built(&p);
	return 0;
}
