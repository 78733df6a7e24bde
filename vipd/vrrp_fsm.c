// SPDX-License-Identifier: MIT
/*
 * One function per kind of event, each a switch on the state where it matters.
 *
 *            START, no fault            master down, or skew after priority 0
 *     INIT ─────────────────▶ BACKUP ─────────────────────────────────────▶ MASTER
 *       ▲                      ▲  │ ◀───────────────────────────────────────  │ │
 *       │ STOP    fault cleared│  │ fault   better advert, release, late wake │ │ STOP: handover, INIT
 *       └──────────────────── FAULT ◀──────────────────────────────────────── ┘ ▼
 *
 * Invariants: only MASTER holds the addresses, and every way out of MASTER carries DROP. There is
 * one timer: in MASTER the next advert (or the end of the handover), in BACKUP the moment to become
 * master, otherwise never. In BACKUP it is always derived from silent_since_us, so a change of
 * eligibility or rules needs no history.
 *
 * Where we go beyond RFC 3768 and RFC 9568:
 * - Equal priorities. Backups of equal priority would become master in the same instant. Each adds
 *   tie_us, so that one is first and the others receive its advert in time. Unless the caller
 *   knows, the last master's priority tells whether to expect equals.
 * - Eligibility. A master that is not eligible sends priority 0 at once and does not become master
 *   again, except as the last resort: after three whole master-down times without any master it
 *   takes the address at priority 1. An eligible router treats priority 1 like priority 0.
 * - Handover. A planned stop sends priority 0 but keeps the addresses until the successor's advert
 *   is received, and a moment longer: the successor sends its advert first and sets its address
 *   then.
 * - Late wake. A master that finds its last advert older than a master-down time was suspended; its
 *   peers have replaced it. It drops the addresses without an advert and listens for an interval. A
 *   late backup does the same before it becomes master, since the adverts it missed may still be in
 *   the socket.
 * - A master that gives way sends one more advert, so that the winner knows of the conflict and
 *   announces again.
 */
#include "vrrp_fsm.h"

enum { OVERLAP_US = 20000 }; /* from the successor's first advert to its gratuitous ARP, amply */

const char *vrrp_fsm_state_name(enum vrrp_fsm_state state)
{
	static const char *const names[] = {
#define X(name) [VRRP_FSM_##name] = #name,
		VRRP_FSM_STATES(X)
#undef X
	};
	MUST(state < ARRAY_LEN(names));
	return names[state];
}

int64_t vrrp_fsm_due(const struct vrrp_fsm *s)
{
	return s->state == VRRP_FSM_BACKUP || s->state == VRRP_FSM_MASTER ? s->due_us
									  : VRRP_FSM_NEVER;
}

uint8_t vrrp_fsm_priority(const struct vrrp_fsm_rules *r, const struct vrrp_fsm *s)
{
	if (!s->eligible)
		return VRRP_FSM_LAST_RESORT_PRIORITY;
	return (uint8_t)MAX(1, MIN(254, r->priority + s->bonus));
}

/*
 * RFC 9568 §6.1: a version 3 backup counts in the master's interval; version 2 demands that they
 * are equal.
 */
static int64_t interval_us(const struct vrrp_fsm_rules *r, const struct vrrp_fsm *s)
{
	return r->version == 3 && s->master_interval_us != 0 ? s->master_interval_us
							     : r->interval_us;
}

int64_t vrrp_fsm_skew_us(const struct vrrp_fsm_rules *r, const struct vrrp_fsm *s)
{
	int64_t unit = r->version == 3 ? interval_us(r, s) : INT64_C(1000000);
	uint8_t own = vrrp_fsm_priority(r, s);
	bool tie = r->tie_known || s->master_priority == 0 || s->master_priority == own;
	uint32_t apart = !s->eligible ? r->rank_us : tie ? r->tie_us : 0;
	return (256 - own) * unit / 256 + apart;
}

int64_t vrrp_fsm_down_us(const struct vrrp_fsm_rules *r, const struct vrrp_fsm *s)
{
	return 3 * interval_us(r, s) + vrrp_fsm_skew_us(r, s);
}

/* How long a backup waits, counted from silent_since_us. */
static int64_t wait_us(const struct vrrp_fsm_rules *r, const struct vrrp_fsm *s)
{
	if (!s->eligible)
		return r->last_resort ? 3 * vrrp_fsm_down_us(r, s) : VRRP_FSM_NEVER;
	return s->master_left ? vrrp_fsm_skew_us(r, s) : vrrp_fsm_down_us(r, s);
}

static void arm_backup(const struct vrrp_fsm_rules *r, struct vrrp_fsm *s, int64_t now)
{
	int64_t wait = wait_us(r, s);
	s->due_us = wait == VRRP_FSM_NEVER ? VRRP_FSM_NEVER : MAX(now, s->silent_since_us + wait);
}

static void enter(struct vrrp_fsm *s, enum vrrp_fsm_state state, const char *why,
		  struct vrrp_fsm_out *out, int64_t now)
{
	s->state = state;
	s->since_us = now;
	s->leaving = false;
	s->master_left = false;
	s->listening = false;
	out->why = why;
}

static void to_backup(const struct vrrp_fsm_rules *r, struct vrrp_fsm *s, const char *why,
		      struct vrrp_fsm_out *out, int64_t now)
{
	enter(s, VRRP_FSM_BACKUP, why, out, now);
	s->master = 0;
	s->master_priority = 0;
	s->master_interval_us = 0;
	s->silent_since_us = now;
	arm_backup(r, s, now);
}

static void to_fault(struct vrrp_fsm *s, struct vrrp_fsm_out *out, int64_t now)
{
	const char *why = s->faults & VRRP_FSM_FAULT_LINK ? "the interface cannot be used"
							  : "the address does not stay";
	enter(s, VRRP_FSM_FAULT, why, out, now);
	s->master = 0;
	s->master_priority = 0;
}

static void to_init(struct vrrp_fsm *s, const char *why, struct vrrp_fsm_out *out, int64_t now)
{
	enter(s, VRRP_FSM_INIT, why, out, now);
	s->master = 0;
	s->master_priority = 0;
	out->acts |= VRRP_FSM_DONE;
}

static void send_advert(const struct vrrp_fsm_rules *r, const struct vrrp_fsm *s,
			struct vrrp_fsm_out *out)
{
	out->acts |= VRRP_FSM_SEND;
	out->priority = vrrp_fsm_priority(r, s);
}

/* Sends an advert now and counts the interval from now. */
static void send_advert_now(const struct vrrp_fsm_rules *r, struct vrrp_fsm *s,
			    struct vrrp_fsm_out *out, int64_t now)
{
	send_advert(r, s, out);
	s->due_us = now + r->interval_us;
}

static void become_master(const struct vrrp_fsm_rules *r, struct vrrp_fsm *s,
			  struct vrrp_fsm_out *out, int64_t now)
{
	const char *why = !s->eligible	   ? "last resort: no eligible router is there"
			  : s->master_left ? "the master sent priority 0"
					   : "no master is heard";
	enter(s, VRRP_FSM_MASTER, why, out, now);
	s->master = r->self;
	s->master_priority = vrrp_fsm_priority(r, s);
	s->master_interval_us = r->interval_us;
	out->acts |= VRRP_FSM_HOLD;
	send_advert_now(r, s, out, now);
}

/* Waits one interval more, as if the wait were about to end then. */
static void listen_once(const struct vrrp_fsm_rules *r, struct vrrp_fsm *s, int64_t now)
{
	s->listening = true;
	if (wait_us(r, s) == VRRP_FSM_NEVER)
		return;
	s->due_us = now + interval_us(r, s);
	s->silent_since_us = s->due_us - wait_us(r, s);
}

static void on_timer(const struct vrrp_fsm_rules *r, struct vrrp_fsm *s, struct vrrp_fsm_out *out,
		     int64_t now)
{
	if (now < vrrp_fsm_due(s))
		return;
	switch (s->state) {
	case VRRP_FSM_BACKUP:
		if (!s->listening && now - s->due_us > interval_us(r, s))
			listen_once(r, s, now);
		else
			become_master(r, s, out, now);
		break;
	case VRRP_FSM_MASTER:
		if (s->leaving) {
			out->acts |= VRRP_FSM_DROP;
			to_init(s,
				s->master == r->self ? "stopped; no successor was heard"
						     : "stopped; the successor has taken over",
				out, now);
			break;
		}
		send_advert(r, s, out);
		s->due_us = MAX(s->due_us + r->interval_us, now + r->interval_us / 2);
		break;
	case VRRP_FSM_INIT:
	case VRRP_FSM_FAULT:
		break;
	}
}

static void follow_master(const struct vrrp_fsm_rules *r, struct vrrp_fsm *s,
			  const struct vrrp_fsm_event *e, int64_t now)
{
	s->master_left = false;
	s->listening = false;
	s->master = e->source;
	s->master_priority = e->priority;
	s->master_interval_us = e->interval_us;
	s->silent_since_us = now;
	arm_backup(r, s, now);
}

static void backup_receives(const struct vrrp_fsm_rules *r, struct vrrp_fsm *s,
			    const struct vrrp_fsm_event *e, int64_t now)
{
	uint8_t own = vrrp_fsm_priority(r, s);
	bool last_resort = e->priority == VRRP_FSM_LAST_RESORT_PRIORITY && own > e->priority;
	if (e->priority == 0) {
		s->master_left = true;
		s->silent_since_us = now;
		arm_backup(r, s, now);
	} else if (last_resort && !s->master_left) {
		s->master_left = true;
		s->master = e->source;
		s->silent_since_us = now;
		arm_backup(r, s, now);
	} else if (!last_resort && (e->priority >= own || !r->preempt)) {
		follow_master(r, s, e, now);
	}
}

static void master_receives(const struct vrrp_fsm_rules *r, struct vrrp_fsm *s,
			    const struct vrrp_fsm_event *e, struct vrrp_fsm_out *out, int64_t now)
{
	uint8_t own = vrrp_fsm_priority(r, s);
	if (s->leaving) {
		if (e->priority == 0)
			return;
		s->master = e->source;
		s->due_us = MIN(s->due_us, now + OVERLAP_US);
		return;
	}
	if (e->priority > own || (e->priority == own && e->source > r->self)) {
		send_advert(r, s, out);
		out->acts |= VRRP_FSM_DROP;
		to_backup(r, s,
			  e->priority > own
				  ? "a master of higher priority is heard"
				  : "a master of equal priority and higher address is heard",
			  out, now);
		follow_master(r, s, e, now);
		return;
	}
	send_advert_now(r, s, out, now);
	out->acts |= VRRP_FSM_ANNOUNCE;
}

static void on_advert(const struct vrrp_fsm_rules *r, struct vrrp_fsm *s,
		      const struct vrrp_fsm_event *e, struct vrrp_fsm_out *out, int64_t now)
{
	switch (s->state) {
	case VRRP_FSM_BACKUP:
		backup_receives(r, s, e, now);
		break;
	case VRRP_FSM_MASTER:
		master_receives(r, s, e, out, now);
		break;
	case VRRP_FSM_INIT:
	case VRRP_FSM_FAULT:
		break;
	}
}

static void on_start(const struct vrrp_fsm_rules *r, struct vrrp_fsm *s, struct vrrp_fsm_out *out,
		     int64_t now)
{
	if (s->state != VRRP_FSM_INIT)
		return;
	if (s->faults)
		to_fault(s, out, now);
	else
		to_backup(r, s, "started", out, now);
}

static void on_stop(const struct vrrp_fsm_rules *r, struct vrrp_fsm *s, struct vrrp_fsm_out *out,
		    int64_t now)
{
	if (s->state != VRRP_FSM_MASTER) {
		to_init(s, "stopped", out, now);
		return;
	}
	if (s->leaving)
		return;
	out->acts |= VRRP_FSM_SEND_ZERO;
	s->leaving = true;
	s->due_us = now + r->handover_us;
}

/* Out of MASTER without a handover. */
static void release(struct vrrp_fsm *s, struct vrrp_fsm_out *out)
{
	if (!s->leaving)
		out->acts |= VRRP_FSM_SEND_ZERO;
	out->acts |= VRRP_FSM_DROP;
}

static void on_eligible(const struct vrrp_fsm_rules *r, struct vrrp_fsm *s,
			const struct vrrp_fsm_event *e, struct vrrp_fsm_out *out, int64_t now)
{
	bool was_eligible = s->eligible;
	uint8_t was = vrrp_fsm_priority(r, s);
	s->eligible = e->eligible;
	s->bonus = e->bonus;
	switch (s->state) {
	case VRRP_FSM_BACKUP:
		if (was_eligible != s->eligible || was != vrrp_fsm_priority(r, s))
			arm_backup(r, s, now);
		break;
	case VRRP_FSM_MASTER:
		if (was_eligible && !s->eligible) {
			bool leaving = s->leaving;
			release(s, out);
			if (leaving)
				to_init(s, "stopped; what it served is gone", out, now);
			else
				to_backup(r, s, "released: what it leads to is dead", out, now);
		} else if (!s->leaving && was != vrrp_fsm_priority(r, s)) {
			s->master_priority = vrrp_fsm_priority(r, s);
			send_advert_now(r, s, out, now);
		}
		break;
	case VRRP_FSM_INIT:
	case VRRP_FSM_FAULT:
		break;
	}
}

static void on_faults(const struct vrrp_fsm_rules *r, struct vrrp_fsm *s,
		      const struct vrrp_fsm_event *e, struct vrrp_fsm_out *out, int64_t now)
{
	s->faults = e->faults;
	switch (s->state) {
	case VRRP_FSM_MASTER:
		if (s->faults) {
			bool leaving = s->leaving;
			release(s, out);
			if (leaving)
				to_init(s, "stopped; the interface is gone", out, now);
			else
				to_fault(s, out, now);
		}
		break;
	case VRRP_FSM_BACKUP:
		if (s->faults)
			to_fault(s, out, now);
		break;
	case VRRP_FSM_FAULT:
		if (!s->faults)
			to_backup(r, s, "the fault is over", out, now);
		break;
	case VRRP_FSM_INIT:
		break;
	}
}

static void on_rules(const struct vrrp_fsm_rules *r, struct vrrp_fsm *s, struct vrrp_fsm_out *out,
		     int64_t now)
{
	if (s->state == VRRP_FSM_BACKUP) {
		arm_backup(r, s, now);
	} else if (s->state == VRRP_FSM_MASTER && !s->eligible && !r->last_resort) {
		release(s, out);
		to_backup(r, s, "released: no last resort any more", out, now);
	} else if (s->state == VRRP_FSM_MASTER && !s->leaving) {
		s->master = r->self;
		s->master_priority = vrrp_fsm_priority(r, s);
		s->master_interval_us = r->interval_us;
		send_advert_now(r, s, out, now);
	}
}

/* A master so late that its peers must have replaced it. */
static bool was_suspended(const struct vrrp_fsm_rules *r, const struct vrrp_fsm *s, int64_t now)
{
	return s->state == VRRP_FSM_MASTER && !s->leaving &&
	       now - s->due_us > vrrp_fsm_down_us(r, s) - r->interval_us;
}

void vrrp_fsm_check(const struct vrrp_fsm_rules *r, const struct vrrp_fsm *s)
{
	bool runs = s->state == VRRP_FSM_BACKUP || s->state == VRRP_FSM_MASTER;
	MUST(r->version == 2 || r->version == 3);
	MUST(r->priority >= 1 && r->priority <= 254);
	MUST(r->interval_us > 0);
	MUST(s->state <= VRRP_FSM_FAULT);
	MUST(!s->leaving || s->state == VRRP_FSM_MASTER);
	MUST(!s->master_left || s->state == VRRP_FSM_BACKUP);
	MUST(!s->listening || s->state == VRRP_FSM_BACKUP);
	MUST(!runs || s->faults == 0);
	MUST(s->state != VRRP_FSM_FAULT || s->faults != 0);
	MUST(s->state != VRRP_FSM_MASTER || s->eligible || r->last_resort);
	MUST(s->state != VRRP_FSM_MASTER || s->due_us != VRRP_FSM_NEVER);
	MUST(s->state != VRRP_FSM_BACKUP ||
	     (s->due_us == VRRP_FSM_NEVER) == (!s->eligible && !r->last_resort));
	MUST(runs || s->master == 0);
}

/* What is to be done fits the change of state. */
static void check_acts(const struct vrrp_fsm *s, enum vrrp_fsm_state was,
		       const struct vrrp_fsm_out *out)
{
	bool is_master = s->state == VRRP_FSM_MASTER, was_master = was == VRRP_FSM_MASTER;
	MUST(!(out->acts & VRRP_FSM_HOLD) == !(is_master && !was_master));
	MUST(!(out->acts & VRRP_FSM_DROP) == !(was_master && !is_master));
	MUST(!(out->acts & VRRP_FSM_ANNOUNCE) || is_master);
	MUST(!(out->acts & VRRP_FSM_DONE) || s->state == VRRP_FSM_INIT);
	MUST(!(out->acts & VRRP_FSM_SEND) || out->priority > 0);
	MUST(s->state == was || out->why);
}

struct vrrp_fsm_out vrrp_fsm_step(const struct vrrp_fsm_rules *r, struct vrrp_fsm *s,
				  const struct vrrp_fsm_event *e, int64_t now)
{
	enum vrrp_fsm_state was = s->state;
	struct vrrp_fsm_out out = {0};
	if (was_suspended(r, s, now)) {
		out.acts |= VRRP_FSM_DROP;
		to_backup(r, s, "woke up late: listening before it is master again", &out, now);
		listen_once(r, s, now);
	}
	switch (e->type) {
	case VRRP_FSM_START:
		on_start(r, s, &out, now);
		break;
	case VRRP_FSM_STOP:
		on_stop(r, s, &out, now);
		break;
	case VRRP_FSM_TIMER:
		on_timer(r, s, &out, now);
		break;
	case VRRP_FSM_ADVERT:
		on_advert(r, s, e, &out, now);
		break;
	case VRRP_FSM_ELIGIBLE:
		on_eligible(r, s, e, &out, now);
		break;
	case VRRP_FSM_FAULTS:
		on_faults(r, s, e, &out, now);
		break;
	case VRRP_FSM_RULES:
		on_rules(r, s, &out, now);
		break;
	}
	vrrp_fsm_check(r, s);
	check_acts(s, was, &out);
	return out;
}
