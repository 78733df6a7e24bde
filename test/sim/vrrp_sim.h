// SPDX-License-Identifier: MIT
/*
 * A LAN of routers that run vipd's state machine, in simulated time: packets are lost and late,
 * groups are cut off from one another, boards lose power, processes die or freeze, clocks run at
 * their own pace. All chance comes from a seed, so a failure can be played again.
 *
 * The simulation plays the shell around the machine (instance.c) and the kernel (leases of
 * addresses). It aborts nothing: what went wrong is found in sim->broken.
 */
#ifndef VRRP_SIM_H
#define VRRP_SIM_H

#include "vrrp_fsm.h"

#define SIM_NODES   8
#define SIM_PACKETS 4096
#define SIM_SECOND  INT64_C(1000000)
#define SIM_LEASE   (3 * SIM_SECOND + SIM_SECOND / 5) /* lifetime 3 s: the kernel took up to 3.2 s */

struct sim_node {
	struct vrrp_fsm_rules rules;
	struct vrrp_fsm fsm;
	int64_t clock_offset;
	double clock_rate;
	bool powered, running, frozen, linked, eligible;
	unsigned group;	     /* nodes of one group hear each other */
	int64_t lease_until; /* the kernel has the address until then */
	int64_t renewed;
	int64_t wake_at;    /* when its timer will be served, in real time */
	int64_t idle_since; /* process dead or frozen since then; -1 while it works */
	unsigned transitions;
};

struct sim_packet {
	int64_t at;
	unsigned to;
	struct vrrp_fsm_event advert;
};

struct sim {
	uint64_t random;
	int64_t now;
	unsigned n;
	struct sim_node node[SIM_NODES];
	unsigned packets;
	struct sim_packet packet[SIM_PACKETS];
	unsigned loss_percent;
	int64_t delay_min, delay_max; /* of a packet */
	int64_t late_max;	      /* of a process that is to be woken */
	int64_t conflict_since;	      /* two working masters of one group since then; -1 none */
	int64_t conflict_worst;	      /* longest such time */
	int64_t orphan_since;	      /* no holder in node 0's group since then; -1 none */
	int64_t orphan_worst;
	const char *broken; /* the first invariant that did not hold */
};

/* n boards, off; priorities equal, or distinct when told so. */
void sim_init(struct sim *s, uint64_t seed, unsigned n, bool distinct);
uint64_t sim_random(struct sim *s, uint64_t below);

void sim_run(struct sim *s, int64_t until);

void sim_start(struct sim *s, unsigned i); /* power and process on; does what a start does */
void sim_stop(struct sim *s, unsigned i);  /* SIGTERM */
void sim_kill(struct sim *s, unsigned i);  /* SIGKILL: the address stays until its lease ends */
void sim_cut(struct sim *s, unsigned i);   /* power */
void sim_freeze(struct sim *s, unsigned i, bool frozen);
void sim_link(struct sim *s, unsigned i, bool up);
void sim_eligible(struct sim *s, unsigned i, bool eligible);
void sim_group(struct sim *s, unsigned i, unsigned group);

bool sim_works(const struct sim_node *n); /* on, running, awake, on the wire */
bool sim_holds(const struct sim *s, unsigned i);
int sim_master(const struct sim *s,
	       unsigned group); /* its number; -1 none, -2 several; one that leaves is none */

#endif
