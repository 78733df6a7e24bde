// SPDX-License-Identifier: MIT
/*
 * Time jumps from event to event: a packet's arrival or a node's wake-up. Between events nothing
 * changes except that leases end, which is looked at whenever it matters.
 */
#include "vrrp_sim.h"

#include <string.h>

uint64_t sim_random(struct sim *s, uint64_t below)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return below ? s->random % below : 0;
}

static void broken(struct sim *s, const char *why)
{
	if (!s->broken)
		s->broken = why;
}

static int64_t local_time(const struct sim *s, const struct sim_node *n)
{
	return n->clock_offset + (int64_t)((double)s->now * n->clock_rate);
}

static int64_t real_time(const struct sim_node *n, int64_t local)
{
	return (int64_t)((double)(local - n->clock_offset) / n->clock_rate) + 1;
}

bool sim_works(const struct sim_node *n)
{
	return n->powered && n->running && !n->frozen && n->linked;
}

bool sim_holds(const struct sim *s, unsigned i)
{
	return s->node[i].powered && s->node[i].lease_until > s->now;
}

int sim_master(const struct sim *s, unsigned group)
{
	int found = -1;
	for (unsigned i = 0; i < s->n; i++) {
		const struct sim_node *n = &s->node[i];
		if (n->group == group && sim_works(n) && n->fsm.state == VRRP_FSM_MASTER &&
		    !n->fsm.leaving)
			found = found == -1 ? (int)i : -2;
	}
	return found;
}

/* ---- the wire */

static bool hears(const struct sim_node *from, const struct sim_node *to)
{
	return from != to && from->group == to->group && from->linked && to->linked &&
	       to->powered && to->running;
}

static void broadcast(struct sim *s, struct sim_node *from, uint8_t priority)
{
	for (unsigned i = 0; i < s->n; i++) {
		struct sim_packet *p = &s->packet[s->packets];
		if (!hears(from, &s->node[i]) || sim_random(s, 100) < s->loss_percent)
			continue;
		if (s->packets == SIM_PACKETS) {
			broken(s, "a storm of packets");
			return;
		}
		*p = (struct sim_packet){
			.at = s->now + s->delay_min +
			      (int64_t)sim_random(s, (uint64_t)(s->delay_max - s->delay_min + 1)),
			.to = i,
			.advert = {.type = VRRP_FSM_ADVERT,
				   .priority = priority,
				   .source = from->rules.self,
				   .interval_us = from->rules.interval_us},
		};
		s->packets++;
	}
}

/* ---- the shell around the machine */

static void plan_wake(struct sim *s, struct sim_node *n)
{
	int64_t due = vrrp_fsm_due(&n->fsm);
	n->wake_at = INT64_MAX;
	if (due != VRRP_FSM_NEVER)
		n->wake_at = MAX(s->now, real_time(n, due)) +
			     (int64_t)sim_random(s, (uint64_t)s->late_max + 1);
}

static void step(struct sim *s, struct sim_node *n, struct vrrp_fsm_event e)
{
	enum vrrp_fsm_state was = n->fsm.state;
	struct vrrp_fsm_out out = vrrp_fsm_step(&n->rules, &n->fsm, &e, local_time(s, n));
	if (out.acts & VRRP_FSM_SEND)
		broadcast(s, n, out.priority);
	if (out.acts & VRRP_FSM_SEND_ZERO)
		broadcast(s, n, 0);
	if (out.acts & (VRRP_FSM_HOLD | VRRP_FSM_SEND) && n->fsm.state == VRRP_FSM_MASTER)
		n->lease_until = s->now + SIM_LEASE;
	if (out.acts & VRRP_FSM_DROP)
		n->lease_until = 0;
	if (out.acts & VRRP_FSM_DONE)
		n->running = false;
	if (was != n->fsm.state)
		n->transitions++;
	if ((n->fsm.state == VRRP_FSM_BACKUP || n->fsm.state == VRRP_FSM_FAULT ||
	     n->fsm.state == VRRP_FSM_INIT) &&
	    n->lease_until > s->now)
		broken(s, "an address without mastership");
	if (out.acts & VRRP_FSM_SEND && out.priority == 0)
		broken(s, "an advert of priority 0 that was not to be sent");
	plan_wake(s, n);
}

/* ---- invariants that hold at every moment */

static void watch_conflict(struct sim *s)
{
	bool conflict = false;
	for (unsigned i = 0; i < s->n; i++)
		conflict = conflict || sim_master(s, s->node[i].group) == -2;
	if (!conflict)
		s->conflict_since = -1;
	else if (s->conflict_since < 0)
		s->conflict_since = s->now;
	else
		s->conflict_worst = MAX(s->conflict_worst, s->now - s->conflict_since);
}

static void watch_orphan(struct sim *s)
{
	bool held = false;
	for (unsigned i = 0; i < s->n; i++)
		held = held || (s->node[i].group == s->node[0].group && s->node[i].linked &&
				sim_holds(s, i));
	if (held)
		s->orphan_since = -1;
	else if (s->orphan_since < 0)
		s->orphan_since = s->now;
	else
		s->orphan_worst = MAX(s->orphan_worst, s->now - s->orphan_since);
}

static void watch_the_dead(struct sim *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		struct sim_node *n = &s->node[i];
		bool idle = !n->running || n->frozen;
		if (!idle)
			n->idle_since = -1;
		else if (n->idle_since < 0)
			n->idle_since = s->now;
		if (idle && sim_holds(s, i) && s->now - n->idle_since > SIM_LEASE)
			broken(s, "the address is held by a dead one beyond its lease");
		if (!n->powered && sim_holds(s, i))
			broken(s, "the address is held without power");
	}
}

static void watch(struct sim *s)
{
	watch_conflict(s);
	watch_orphan(s);
	watch_the_dead(s);
}

/* ---- time */

static struct sim_packet *next_packet(struct sim *s)
{
	struct sim_packet *first = NULL;
	for (unsigned i = 0; i < s->packets; i++) /* of a sleeper they wait in its socket */
		if (!s->node[s->packet[i].to].frozen && (!first || s->packet[i].at < first->at))
			first = &s->packet[i];
	return first;
}

static struct sim_node *next_wake(struct sim *s)
{
	struct sim_node *first = NULL;
	for (unsigned i = 0; i < s->n; i++) {
		struct sim_node *n = &s->node[i];
		if (n->powered && n->running && !n->frozen &&
		    (!first || n->wake_at < first->wake_at))
			first = n;
	}
	return first;
}

static void deliver(struct sim *s, struct sim_packet *p)
{
	struct sim_packet copy = *p;
	struct sim_node *to = &s->node[copy.to];
	*p = s->packet[--s->packets];
	if (to->powered && to->running)
		step(s, to, copy.advert);
}

void sim_run(struct sim *s, int64_t until)
{
	while (!s->broken) {
		struct sim_packet *p = next_packet(s);
		struct sim_node *n = next_wake(s);
		int64_t at_p = p ? p->at : INT64_MAX, at_n = n ? n->wake_at : INT64_MAX;
		if (MIN(at_p, at_n) > until)
			break;
		s->now = MAX(s->now, MIN(at_p, at_n));
		watch(s);
		if (p && at_p <= at_n)
			deliver(s, p);
		else if (n)
			step(s, n, (struct vrrp_fsm_event){.type = VRRP_FSM_TIMER});
		watch(s);
	}
	s->now = until;
	watch(s);
}

void sim_init(struct sim *s, uint64_t seed, unsigned n, bool distinct)
{
	memset(s, 0, sizeof(*s));
	s->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	s->n = n;
	s->delay_min = 50;
	s->delay_max = 400;
	s->late_max = 500;
	s->conflict_since = s->orphan_since = -1;
	for (unsigned i = 0; i < n; i++) {
		s->node[i] = (struct sim_node){
			.rules = {.version = 2,
				  .priority = (uint8_t)(distinct ? 101 + i * 20 : 101),
				  .preempt = true,
				  .last_resort = true,
				  .self = UINT32_C(0xc0a801ab) + i,
				  .interval_us = 1000000,
				  .tie_us = distinct ? 0 : (n - 1 - i) * 10000,
				  .tie_known = true,
				  .rank_us = (n - 1 - i) * 10000,
				  .handover_us = 1000000},
			.clock_offset = (int64_t)sim_random(s, 1000) * SIM_SECOND,
			.clock_rate = 1.0 + ((double)sim_random(s, 400) - 200) / 1e6, /* 200 ppm */
			.linked = true,
			.eligible = true,
			.wake_at = INT64_MAX,
			.idle_since = -1,
		};
	}
}

/* ---- what happens to boards */

void sim_start(struct sim *s, unsigned i)
{
	struct sim_node *n = &s->node[i];
	if (n->powered && n->running)
		return;
	n->powered = n->running = true;
	n->frozen = false;
	n->lease_until = 0; /* leftovers are removed first */
	n->fsm = (struct vrrp_fsm){0};
	step(s, n,
	     (struct vrrp_fsm_event){.type = VRRP_FSM_FAULTS,
				     .faults = n->linked ? 0 : VRRP_FSM_FAULT_LINK});
	step(s, n, (struct vrrp_fsm_event){.type = VRRP_FSM_ELIGIBLE, .eligible = n->eligible});
	step(s, n, (struct vrrp_fsm_event){.type = VRRP_FSM_START});
}

static bool awake(const struct sim_node *n)
{
	return n->powered && n->running && !n->frozen;
}

void sim_stop(struct sim *s, unsigned i)
{
	if (awake(&s->node[i]))
		step(s, &s->node[i], (struct vrrp_fsm_event){.type = VRRP_FSM_STOP});
}

static void forget_packets(struct sim *s, unsigned to)
{
	for (unsigned i = s->packets; i-- > 0;)
		if (s->packet[i].to == to)
			s->packet[i] = s->packet[--s->packets];
}

void sim_kill(struct sim *s, unsigned i)
{
	s->node[i].running = false;
	s->node[i].frozen = false;
	forget_packets(s, i);
	watch(s);
}

void sim_cut(struct sim *s, unsigned i)
{
	sim_kill(s, i);
	s->node[i].powered = false;
	s->node[i].lease_until = 0;
	watch(s);
}

void sim_freeze(struct sim *s, unsigned i, bool frozen)
{
	struct sim_node *n = &s->node[i];
	if (!n->powered || !n->running)
		return;
	if (n->frozen && !frozen) { /* what it missed waits in other sockets */
		n->frozen = false;
		step(s, n,
		     (struct vrrp_fsm_event){.type = VRRP_FSM_FAULTS,
					     .faults = n->linked ? 0 : VRRP_FSM_FAULT_LINK});
		step(s, n,
		     (struct vrrp_fsm_event){.type = VRRP_FSM_ELIGIBLE, .eligible = n->eligible});
	}
	n->frozen = frozen;
	if (!frozen) /* the timer or the waiting packets may come first */
		n->wake_at = MAX(n->wake_at, s->now + (int64_t)sim_random(s, 2) * 100);
	for (unsigned k = 0; k < s->packets && !frozen; k++)
		if (s->packet[k].to == i)
			s->packet[k].at = MAX(s->packet[k].at,
					      s->now + (int64_t)sim_random(s, 100));
}

void sim_link(struct sim *s, unsigned i, bool up)
{
	struct sim_node *n = &s->node[i];
	n->linked = up;
	if (awake(n))
		step(s, n,
		     (struct vrrp_fsm_event){.type = VRRP_FSM_FAULTS,
					     .faults = up ? 0 : VRRP_FSM_FAULT_LINK});
}

void sim_eligible(struct sim *s, unsigned i, bool eligible)
{
	struct sim_node *n = &s->node[i];
	n->eligible = eligible;
	if (awake(n))
		step(s, n,
		     (struct vrrp_fsm_event){.type = VRRP_FSM_ELIGIBLE, .eligible = eligible});
	watch(s);
}

void sim_group(struct sim *s, unsigned i, unsigned group)
{
	s->node[i].group = group;
}
