// SPDX-License-Identifier: MIT
/*
 * vipd's part of greenpi.conf: [vrrp NAME], [vip], and of [board NAME] the address and the
 * priority.
 *
 * What an instance works by is a plain value without pointers, so that it survives the generation
 * of configuration it came from and two generations can be compared.
 */
#ifndef VIP_CONF_H
#define VIP_CONF_H

#include "conf/cluster.h"
#include "vip_addr.h"
#include "vrrp_pkt.h"

#define VIP_CONF_BOARDS_MAX    64
#define VIP_CONF_INSTANCES_MAX 16

enum vip_conf_track_mode { VIP_CONF_TRACK_NONE, VIP_CONF_TRACK_RELEASE, VIP_CONF_TRACK_WEIGHT };

struct vip_conf_track {
	enum vip_conf_track_mode mode;
	char daemon[16]; /* the tracked one: "lbd" */
	int weight;	 /* as keepalived's: +n while it lives, or -n while it does not */
};

struct vip_conf_board {
	uint32_t ip;	  /* host order */
	uint8_t priority; /* 0: the instance's */
};

struct vip_conf_instance {
	char name[32];
	char interface[IF_NAMESIZE];
	struct vrrp_pkt_rules packet; /* source is not known here */
	uint8_t priority;
	bool preempt, last_resort;
	uint32_t handover_ms;
	struct vip_addr_set addrs;
	struct vip_conf_track track;
	uint32_t garp_refresh_ms;
	unsigned n_boards;
	struct vip_conf_board boards[VIP_CONF_BOARDS_MAX]; /* by address, the highest first */
};

struct vip_conf {
	unsigned n;
	struct vip_conf_instance *instances;
	bool mlock;
};

extern const struct conf_section *const vip_conf_schema[];
extern const size_t vip_conf_schema_n;

/*
 * Makes the values of a configuration that was read by the schema, in the arena; what is wrong goes
 * to errors.
 */
struct vip_conf *vip_conf_build(const struct conf *c, struct arena *arena,
				struct conf_errors *errors);

/*
 * May an instance that works by a go on with b, mastership and all? If not it must end and begin
 * anew.
 */
bool vip_conf_same_router(const struct vip_conf_instance *a, const struct vip_conf_instance *b);

/* Priority of the router with that address. */
uint8_t vip_conf_priority(const struct vip_conf_instance *i, uint32_t ip);

/*
 * What that router adds to its skew so as not to become master together with others: among all
 * routers, or only among those of its own priority (0 when it has no equal).
 */
uint32_t vip_conf_rank_us(const struct vip_conf_instance *i, uint32_t ip, bool among_equals);

/* Is it one of the boards listed? If not, vip_conf_rank_us() is a guess from its address. */
bool vip_conf_is_board(const struct vip_conf_instance *i, uint32_t ip);

#endif
