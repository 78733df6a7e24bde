// SPDX-License-Identifier: MIT
/*
 * The VRRP state machine (RFC 3768 §6, RFC 9568 §6) as a pure function: (rules, state, event, now)
 * gives a new state and what the caller has to do. No clock, no socket, no log; times are absolute
 * microseconds on any monotonic scale. One timer: when vrrp_fsm_due() has passed, the caller hands
 * in VRRP_FSM_TIMER.
 *
 * Beyond the RFC: release of the address when the service behind it is dead, last resort, a planned
 * stop that hands over, equal priorities told apart by address before they collide, and no trust in
 * a clock that jumped.
 */
#ifndef VRRP_FSM_H
#define VRRP_FSM_H

#include "base/def.h"

#define VRRP_FSM_STATES(X) X(INIT) X(BACKUP) X(MASTER) X(FAULT)

enum vrrp_fsm_state {
#define X(name) VRRP_FSM_##name,
	VRRP_FSM_STATES(X)
#undef X
};

#define VRRP_FSM_NEVER INT64_MAX

/*
 * Priority of a router that holds the address although it is not eligible; any eligible one
 * replaces it.
 */
#define VRRP_FSM_LAST_RESORT_PRIORITY 1

/* The instance's configuration, as far as the machine is concerned. */
struct vrrp_fsm_rules {
	uint8_t version;      /* 2 or 3: they scale the skew differently */
	uint8_t priority;     /* 1..254 */
	bool preempt;	      /* take over from a master of lower priority */
	bool last_resort;     /* not eligible, and no master is heard: take it at priority 1 */
	uint32_t self;	      /* our address, host order: decides between equals, the higher wins */
	uint32_t interval_us; /* between adverts */
	uint32_t tie_us;      /* added to the skew: differs among routers of equal priority */
	bool tie_known; /* tie_us is 0 unless there are equals; else the master's priority tells */
	uint32_t rank_us;     /* instead of tie_us when not eligible: differs among all routers */
	uint32_t handover_us; /* a planned stop answers at most so long */
};

/* Reasons to be in FAULT; several may hold. */
enum vrrp_fsm_fault {
	VRRP_FSM_FAULT_LINK = 1,    /* no interface, no carrier, no address of its own */
	VRRP_FSM_FAULT_ADDRESS = 2, /* the virtual address does not stay where we put it */
};

/* Zero is INIT. The fields are for reading. */
struct vrrp_fsm {
	enum vrrp_fsm_state state;
	unsigned faults; /* of enum vrrp_fsm_fault */
	bool eligible;	 /* may be master; false until told so */
	bool leaving; /* MASTER: has sent priority 0, answers until the successor has taken over */
	bool master_left; /* BACKUP: the master sent priority 0, only the skew is left to wait */
	bool listening;	  /* BACKUP: woke up late and listens once more before it becomes master */
	int bonus;	  /* added to the priority by tracking */
	uint8_t master_priority; /* of the last advert that was followed; 0: none yet */
	uint32_t master;	 /* source of that advert, our own address as master; 0: none */
	uint32_t master_interval_us;
	int64_t silent_since_us; /* BACKUP: last advert of a master */
	int64_t due_us;		 /* when the timer expires */
	int64_t since_us;	 /* when this state was entered */
};

enum vrrp_fsm_event_type {
	VRRP_FSM_START,	   /* begin; eligibility and faults may be told before */
	VRRP_FSM_STOP,	   /* planned end */
	VRRP_FSM_TIMER,	   /* due_us has passed (harmless if not) */
	VRRP_FSM_ADVERT,   /* a valid advert of another router: priority, source, interval_us */
	VRRP_FSM_ELIGIBLE, /* tracking: eligible, bonus */
	VRRP_FSM_FAULTS,   /* faults: all that hold now */
	VRRP_FSM_RULES,	   /* the rules have changed */
};

struct vrrp_fsm_event {
	enum vrrp_fsm_event_type type;
	uint8_t priority;
	uint32_t source;
	uint32_t interval_us;
	bool eligible;
	int bonus;
	unsigned faults;
};

/* To be done in this order. */
enum vrrp_fsm_act {
	VRRP_FSM_SEND = 1,	/* an advert with .priority */
	VRRP_FSM_SEND_ZERO = 2, /* an advert with priority 0 */
	VRRP_FSM_HOLD = 4,	/* add the addresses and announce them */
	VRRP_FSM_DROP = 8,	/* remove the addresses */
	VRRP_FSM_ANNOUNCE = 16, /* announce them again: another router held them */
	VRRP_FSM_DONE = 32,	/* the stop is complete */
};

struct vrrp_fsm_out {
	unsigned acts;	  /* of enum vrrp_fsm_act */
	uint8_t priority; /* for SEND */
	const char *why;  /* for the log when the state changed, else NULL */
};

struct vrrp_fsm_out vrrp_fsm_step(const struct vrrp_fsm_rules *r, struct vrrp_fsm *s,
				  const struct vrrp_fsm_event *e, int64_t now);

/* Aborts if the state contradicts itself or the rules. Also done at the end of each step. */
void vrrp_fsm_check(const struct vrrp_fsm_rules *r, const struct vrrp_fsm *s);

/* When TIMER is to be handed in, or VRRP_FSM_NEVER. */
int64_t vrrp_fsm_due(const struct vrrp_fsm *s);

/*
 * The priority that its adverts have now: configured plus bonus, 1..254, or that of the last
 * resort.
 */
uint8_t vrrp_fsm_priority(const struct vrrp_fsm_rules *r, const struct vrrp_fsm *s);

/* Silence after which a master counts as dead, and the part of it that orders the backups. */
int64_t vrrp_fsm_down_us(const struct vrrp_fsm_rules *r, const struct vrrp_fsm *s);
int64_t vrrp_fsm_skew_us(const struct vrrp_fsm_rules *r, const struct vrrp_fsm *s);

const char *vrrp_fsm_state_name(enum vrrp_fsm_state state);

#endif
