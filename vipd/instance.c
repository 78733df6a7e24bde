// SPDX-License-Identifier: MIT
/*
 * Everything that happens becomes an event for the state machine (feed), and what the machine
 * answers is done (perform). Nothing else sends, adds or removes.
 *
 * Order on waking: adverts that wait in the socket are read before the timer is served, and the
 * timer is served before a lost address is restored or renewed; so a vipd that was suspended learns
 * that it was replaced before it touches anything.
 *
 * Sockets follow the interface: they are opened anew when its index, address or hardware address
 * changes, which also joins the multicast group again.
 */
#include "instance.h"

#include <errno.h>
#include <stdio.h>

#include "announce.h"
#include "base/clock.h"
#include "base/log.h"
#include "link.h"
#include "stats.h"
#include "track.h"
#include "vrrp_sock.h"

enum {
	READ_MAX = 64,	   /* packets at a time */
	FAULT_HOLD_S = 30, /* in FAULT when the address does not stay */
	REOPEN_S = 1,	   /* between attempts to open sockets */
	PACKET_MAX = 20 + 40 + 8 + 4 * 255 + VRRP_PKT_AUTH_SIZE + 1,
};

#define INSTANCE_MAGIC UINT32_C(0x7c1a93e5)

struct instance {
	uint32_t magic;
	const struct instance_env *env;
	struct vip_conf_instance conf;
	struct vrrp_pkt_rules packet;
	struct vrrp_fsm_rules rules;
	struct vrrp_fsm fsm;
	struct link link;
	const char *fault; /* why the link cannot be used, or NULL */
	bool address_fault;
	int fd; /* -1 while closed */
	struct ev_io readable;
	struct ev_timer timer, renew, reopen, fault_hold;
	struct announce announce;
	struct vip_addr addrs;
	struct track track;
	struct netlink_watch watch;
	uint32_t dropped;  /* reasons already logged in this state, a bit each */
	int64_t changed_s; /* wall clock of the last change of state */
	bool done;
};

_Static_assert(VRRP_PKT_DROP_COUNT <= 32, "a bit for each reason");
_Static_assert(VRRP_PKT_ADDRS_MAX == VIP_ADDR_MAX && VIP_ADDR_MAX == ANNOUNCE_ADDRS_MAX,
	       "one limit");

static struct instance *checked(struct instance *i)
{
	MAGIC_CHECK(i, INSTANCE_MAGIC);
	return i;
}

/* The instance that a watcher is a member of. */
#define instance_of(w, member) checked(container_of(w, struct instance, member))

static void feed(struct instance *i, struct vrrp_fsm_event e);

static void count(struct instance *i, unsigned stat)
{
	stats_add(&i->env->counters[stat], 1);
}

static char *ip_text(uint32_t ip, char to[16])
{
	snprintf(to, 16, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
	return to;
}

/* ---- what the machine wants done */

static void send_advert(struct instance *i, uint8_t priority)
{
	uint8_t raw[VRRP_PKT_SIZE_MAX];
	size_t n = vrrp_pkt_build(&i->packet, priority, raw);
	MUST(i->packet.source != 0 || i->fd < 0);
	if (i->fd < 0)
		return;
	if (vrrp_sock_send(i->fd, str_of((const char *)raw, n)) == 0) {
		count(i, priority ? STAT_adverts_sent : STAT_priority_zero_sent);
		return;
	}
	count(i, STAT_adverts_failed);
	log_warn("instance %s: an advert was not sent: %m", i->conf.name);
}

/* The one place where a change of state is told: to the log and to watchers. */
static void note_state(struct instance *i, enum vrrp_fsm_state was, const char *why)
{
	static const unsigned stat[] = {[VRRP_FSM_BACKUP] = STAT_became_backup,
					[VRRP_FSM_MASTER] = STAT_became_master,
					[VRRP_FSM_FAULT] = STAT_became_fault};
	static const char *const events[] = {[VRRP_FSM_INIT] = "init",
					     [VRRP_FSM_BACKUP] = "backup",
					     [VRRP_FSM_MASTER] = "master",
					     [VRRP_FSM_FAULT] = "fault"};
	const char *state = vrrp_fsm_state_name(i->fsm.state);
	const char *detail = i->fsm.state == VRRP_FSM_FAULT && i->fault ? i->fault : why;
	char text[192];
	if (i->fsm.state == was)
		return;
	if (i->fsm.state != VRRP_FSM_INIT)
		count(i, stat[i->fsm.state]);
	if (was == VRRP_FSM_MASTER)
		stats_add(&i->env->counters[STAT_masters], -1);
	if (i->fsm.state == VRRP_FSM_MASTER)
		count(i, STAT_masters);
	i->dropped = 0;
	i->changed_s = clock_wall_s();
	log_event(LOG_LEVEL_NOTICE,
		  &(struct log_fields){.event = events[i->fsm.state],
				       .instance = i->conf.name,
				       .status = state,
				       .reason = detail},
		  "instance %s: %s: %s", i->conf.name, state, detail);
	snprintf(text, sizeof(text), "instance %s state %s: %s", i->conf.name, state, detail);
	i->env->event(i->env->arg, text);
}

/* An address could not be set: FAULT for a while. */
static void address_failed(struct instance *i, const char *why)
{
	log_err("instance %s: %s; in FAULT for %d s", i->conf.name, why, FAULT_HOLD_S);
	i->address_fault = true;
	ev_timer_stop(i->env->loop, &i->fault_hold);
	ev_timer_set(&i->fault_hold, FAULT_HOLD_S, 0);
	ev_timer_start(i->env->loop, &i->fault_hold);
}

static void keep_renewing(struct instance *i)
{
	double quarter_s = i->conf.addrs.lifetime_s / 4.0;
	MUST(quarter_s > 0);
	ev_timer_stop(i->env->loop, &i->renew);
	ev_timer_set(&i->renew, quarter_s, quarter_s);
	ev_timer_start(i->env->loop, &i->renew);
}

static void hold(struct instance *i)
{
	struct err e = {0};
	keep_renewing(i);
	if (vip_addr_hold(&i->addrs, &e) < 0)
		address_failed(i, e.text);
	announce_start(&i->announce);
}

static void perform(struct instance *i, const struct vrrp_fsm_out *out)
{
	if (out->acts & VRRP_FSM_SEND)
		send_advert(i, out->priority);
	if (out->acts & VRRP_FSM_SEND_ZERO)
		send_advert(i, 0);
	if (out->acts & VRRP_FSM_HOLD)
		hold(i);
	if (out->acts & VRRP_FSM_DROP) {
		announce_stop(&i->announce);
		vip_addr_drop(&i->addrs);
		ev_timer_stop(i->env->loop, &i->renew);
	}
	if (out->acts & VRRP_FSM_ANNOUNCE)
		announce_start(&i->announce);
}

static void arm(struct instance *i)
{
	int64_t due = vrrp_fsm_due(&i->fsm);
	ev_timer_stop(i->env->loop, &i->timer);
	if (due == VRRP_FSM_NEVER)
		return;
	ev_now_update(i->env->loop);
	ev_timer_set(&i->timer, (double)MAX(due - clock_now_us(), 0) / 1e6, 0);
	ev_timer_start(i->env->loop, &i->timer);
}

static unsigned faults(const struct instance *i)
{
	return (i->fault || i->fd < 0 ? VRRP_FSM_FAULT_LINK : 0u) |
	       (i->address_fault ? VRRP_FSM_FAULT_ADDRESS : 0u);
}

static void feed(struct instance *i, struct vrrp_fsm_event e)
{
	enum vrrp_fsm_state was = i->fsm.state;
	int64_t now = clock_now_us();
	struct vrrp_fsm_out out;
	if (i->done)
		return;
	out = vrrp_fsm_step(&i->rules, &i->fsm, &e, now);
	perform(i, &out);
	MUST(i->addrs.held == (i->fsm.state == VRRP_FSM_MASTER));
	if (out.why)
		note_state(i, was, out.why);
	arm(i);
	if (out.acts & VRRP_FSM_DONE) {
		i->done = true;
		i->env->done(i->env->arg, i);
		return;
	}
	if (i->fsm.faults != faults(i))
		feed(i, (struct vrrp_fsm_event){.type = VRRP_FSM_FAULTS, .faults = faults(i)});
}

/* ---- adverts */

/*
 * Once for each reason until the state changes; what belongs to other routers is none of our
 * business.
 */
static void log_drop(struct instance *i, enum vrrp_pkt_drop d, const struct vrrp_pkt *p)
{
	char source[16];
	if (d == VRRP_PKT_DROP_vrid || d == VRRP_PKT_DROP_own || i->dropped & UINT32_C(1) << d)
		return;
	i->dropped |= UINT32_C(1) << d;
	if (p && d == VRRP_PKT_DROP_interval)
		log_err("instance %s: %s sends every %u s, we every %u s: with version 2 both become master",
			i->conf.name, ip_text(p->source, source), p->interval_us / 1000000,
			i->packet.interval_us / 1000000);
	else
		log_warn("instance %s: advert%s%s ignored: %s", i->conf.name, p ? " from " : "",
			 p ? ip_text(p->source, source) : "", vrrp_pkt_drop_text(d));
}

static void drop(struct instance *i, enum vrrp_pkt_drop d, const struct vrrp_pkt *p)
{
	count(i, stats_drop(d));
	log_drop(i, d, p);
}

static void take_advert(struct instance *i, struct str packet)
{
	struct vrrp_pkt p;
	enum vrrp_pkt_drop d = vrrp_pkt_parse(packet, &p);
	if (d != VRRP_PKT_OK) {
		drop(i, d, NULL);
		return;
	}
	d = vrrp_pkt_match(&p, &i->packet);
	if (d != VRRP_PKT_OK) {
		drop(i, d, &p);
		return;
	}
	count(i, STAT_adverts_received);
	if (p.priority == 0)
		count(i, STAT_priority_zero_received);
	if (i->fsm.state == VRRP_FSM_MASTER && !i->fsm.leaving)
		count(i, STAT_conflicts);
	feed(i, (struct vrrp_fsm_event){.type = VRRP_FSM_ADVERT,
					.priority = p.priority,
					.source = p.source,
					.interval_us = p.interval_us});
}

static void read_adverts(struct instance *i)
{
	char raw[PACKET_MAX];
	ssize_t n = 1;
	for (unsigned k = 0; k < READ_MAX && !i->done && i->fd >= 0 && n > 0; k++) {
		n = vrrp_sock_receive(i->fd, raw, sizeof(raw));
		if (n > 0)
			take_advert(i, str_of(raw, (size_t)n));
	}
	if (n < 0)
		log_warn("instance %s: %m", i->conf.name);
}

static void on_readable(struct ev_loop *loop UNUSED, struct ev_io *w, int revents UNUSED)
{
	read_adverts(instance_of(w, readable));
}

static void on_timer(struct ev_loop *loop UNUSED, struct ev_timer *w, int revents UNUSED)
{
	struct instance *i = instance_of(w, timer);
	read_adverts(i);
	feed(i, (struct vrrp_fsm_event){.type = VRRP_FSM_TIMER});
}

/* The state machine is asked first: a master that was suspended must not renew. */
static void on_renew(struct ev_loop *loop, struct ev_timer *w, int revents)
{
	struct instance *i = instance_of(w, renew);
	struct err e = {0};
	on_timer(loop, &i->timer, revents);
	if (vip_addr_renew(&i->addrs, &e) == 0)
		return;
	address_failed(i, e.text);
	feed(i, (struct vrrp_fsm_event){.type = VRRP_FSM_FAULTS, .faults = faults(i)});
}

/* ---- the interface */

static void close_sockets(struct instance *i)
{
	announce_close(&i->announce);
	if (i->fd < 0)
		return;
	ev_io_stop(i->env->loop, &i->readable);
	close(i->fd);
	i->fd = -1;
}

static void open_sockets(struct instance *i)
{
	struct err e = {0};
	close_sockets(i);
	ev_timer_stop(i->env->loop, &i->reopen);
	i->fd = vrrp_sock_open(i->link.name, i->link.ifindex, &e);
	if (i->fd >= 0 && announce_open(&i->announce, i->link.ifindex, i->link.mac, &e) == 0) {
		ev_io_set(&i->readable, i->fd, EV_READ);
		ev_io_start(i->env->loop, &i->readable);
		if (i->addrs.held)
			announce_start(&i->announce);
		return;
	}
	log_err("instance %s: %s", i->conf.name, e.text);
	if (i->fd >= 0)
		close(i->fd);
	i->fd = -1;
	ev_timer_set(&i->reopen, REOPEN_S, 0);
	ev_timer_start(i->env->loop, &i->reopen);
}

static enum link_role role_of(void *arg, uint32_t ip)
{
	const struct instance *i = checked(arg);
	if (vip_addr_is(&i->addrs, ip))
		return LINK_VIRTUAL;
	return i->conf.n_boards == 0 || vip_conf_is_board(&i->conf, ip) ? LINK_OWN : LINK_UNLISTED;
}

/* What follows from configuration and address. */
static void make_rules(struct instance *i)
{
	const struct vip_conf_instance *c = &i->conf;
	i->packet = c->packet;
	i->packet.source = i->link.source;
	i->rules = (struct vrrp_fsm_rules){
		.version = c->packet.version,
		.priority = vip_conf_priority(c, i->link.source),
		.preempt = c->preempt,
		.last_resort = c->last_resort,
		.self = i->link.source,
		.interval_us = c->packet.interval_us,
		.tie_us = vip_conf_rank_us(c, i->link.source, true),
		.tie_known = vip_conf_is_board(c, i->link.source),
		.rank_us = vip_conf_rank_us(c, i->link.source, false),
		.handover_us = c->handover_ms * 1000,
	};
}

/* The one place where a change of the interface is told. */
static void note_link(const struct instance *i)
{
	char text[128], ip[16];
	if (i->fault)
		snprintf(text, sizeof(text), ": %s; waiting", i->fault);
	else
		snprintf(text, sizeof(text), " is ready: router %u as %s, priority %u",
			 i->packet.vrid, ip_text(i->link.source, ip), i->rules.priority);
	log_event(LOG_LEVEL_NOTICE,
		  &(struct log_fields){.event = i->fault ? "link_down" : "link_up",
				       .instance = i->conf.name,
				       .reason = i->fault},
		  "instance %s: %s%s", i->conf.name, i->link.name, text);
}

/* Reads the interface anew and draws the consequences. */
static void refresh_link(struct instance *i)
{
	const struct link was = i->link;
	const char *fault = i->fault;
	struct err e = {0};
	if (link_read(&i->link, i->env->netlink, role_of, i, &e) < 0)
		log_err("instance %s: %s", i->conf.name, e.text);
	i->fault = link_fault(&i->link);
	if (was.ifindex != i->link.ifindex) {
		/* Another interface under the name: the addresses went with the old one. */
		if (i->addrs.held)
			feed(i, (struct vrrp_fsm_event){.type = VRRP_FSM_FAULTS,
							.faults = VRRP_FSM_FAULT_LINK});
		vip_addr_bind(&i->addrs, i->link.ifindex);
	}
	if (was.source != i->link.source && i->link.source) {
		make_rules(i);
		feed(i, (struct vrrp_fsm_event){.type = VRRP_FSM_RULES});
	}
	if (fault != i->fault)
		note_link(i);
	if (!i->fault && (fault || i->fd < 0 || !link_same(&was, &i->link)))
		open_sockets(i);
	if (i->fsm.faults != faults(i))
		feed(i, (struct vrrp_fsm_event){.type = VRRP_FSM_FAULTS, .faults = faults(i)});
	if (i->fault)
		close_sockets(i);
}

static void on_reopen(struct ev_loop *loop UNUSED, struct ev_timer *w, int revents UNUSED)
{
	refresh_link(instance_of(w, reopen));
}

static void on_fault_hold(struct ev_loop *loop UNUSED, struct ev_timer *w, int revents UNUSED)
{
	struct instance *i = instance_of(w, fault_hold);
	i->address_fault = false;
	feed(i, (struct vrrp_fsm_event){.type = VRRP_FSM_FAULTS, .faults = faults(i)});
}

static void on_link(struct netlink_watch *w, const struct netlink_link *l, bool gone UNUSED)
{
	struct instance *i = instance_of(w, watch);
	if (l->ifindex == i->link.ifindex || strcmp(l->name, i->link.name) == 0)
		refresh_link(i);
}

static void on_our_addr(struct instance *i, const struct netlink_addr *a, bool gone)
{
	char which[16];
	feed(i, (struct vrrp_fsm_event){.type = VRRP_FSM_TIMER}); /* still entitled to it? */
	switch (vip_addr_notify(&i->addrs, a, gone, clock_now_us())) {
	case VIP_ADDR_NOTHING:
		break;
	case VIP_ADDR_RESTORED:
		count(i, STAT_addresses_restored);
		log_warn("instance %s: %s was removed by another program; it is set again",
			 i->conf.name, ip_text(a->ip, which));
		announce_start(&i->announce);
		break;
	case VIP_ADDR_UNEXPECTED:
		count(i, STAT_addresses_refused);
		log_warn(
			"instance %s: %s was set by another program though this board is not master; it is removed",
			i->conf.name, ip_text(a->ip, which));
		break;
	case VIP_ADDR_LOST:
		address_failed(i, "another program keeps removing the address");
		feed(i, (struct vrrp_fsm_event){.type = VRRP_FSM_FAULTS, .faults = faults(i)});
		break;
	}
}

static void on_addr(struct netlink_watch *w, const struct netlink_addr *a, bool gone)
{
	struct instance *i = instance_of(w, watch);
	if (i->done || a->ifindex != i->link.ifindex)
		return;
	if (vip_addr_is(&i->addrs, a->ip))
		on_our_addr(i, a, gone);
	else
		refresh_link(i);
}

static void on_lost(struct netlink_watch *w)
{
	struct instance *i = instance_of(w, watch);
	refresh_link(i);
	for (unsigned k = 0; k < i->addrs.want.count && !i->done; k++)
		on_our_addr(i,
			    &(struct netlink_addr){.ifindex = i->link.ifindex,
						   .ip = i->addrs.want.ip[k],
						   .prefix = 32},
			    i->addrs.held);
}

static void on_track(struct track *t)
{
	struct instance *i = instance_of(t, track);
	feed(i, (struct vrrp_fsm_event){.type = VRRP_FSM_ELIGIBLE,
					.eligible = track_eligible(t),
					.bonus = track_bonus(t)});
}

/* ---- life */

static void follow_track(struct instance *i)
{
	track_stop(&i->track);
	track_start(&i->track, i->env->loop, &i->conf.track, i->env->run_dir, on_track);
	on_track(&i->track);
}

static void set_announced(struct instance *i)
{
	i->announce.refresh_ms = i->conf.garp_refresh_ms;
	i->announce.count = i->conf.addrs.count;
	memcpy(i->announce.addrs, i->conf.packet.addrs, sizeof(i->announce.addrs));
}

struct instance *instance_new(const struct instance_env *env, const struct vip_conf_instance *conf)
{
	struct instance *i = def_xcalloc(1, sizeof(*i));
	MAGIC_SET(i, INSTANCE_MAGIC);
	i->env = env;
	i->conf = *conf;
	i->fd = -1;
	i->fault = "";
	i->changed_s = clock_wall_s();
	memcpy(i->link.name, conf->interface, sizeof(i->link.name));
	ev_init(&i->readable, on_readable);
	ev_init(&i->timer, on_timer);
	ev_init(&i->renew, on_renew);
	ev_init(&i->reopen, on_reopen);
	ev_init(&i->fault_hold, on_fault_hold);
	announce_init(&i->announce, env->loop);
	set_announced(i);
	vip_addr_init(&i->addrs, env->netlink, &conf->addrs);
	i->watch = (struct netlink_watch){.link = on_link, .addr = on_addr, .lost = on_lost};
	netlink_watch(env->netlink, &i->watch);
	make_rules(i);
	refresh_link(i);
	follow_track(i);
	feed(i, (struct vrrp_fsm_event){.type = VRRP_FSM_START});
	return i;
}

void instance_free(struct instance *i)
{
	if (!i)
		return;
	MAGIC_CHECK(i, INSTANCE_MAGIC);
	if (i->fsm.state == VRRP_FSM_MASTER) {
		send_advert(i, 0);
		stats_add(&i->env->counters[STAT_masters], -1);
	}
	if (i->addrs.held)
		vip_addr_drop(&i->addrs);
	netlink_unwatch(i->env->netlink, &i->watch);
	track_stop(&i->track);
	close_sockets(i);
	ev_timer_stop(i->env->loop, &i->timer);
	ev_timer_stop(i->env->loop, &i->renew);
	ev_timer_stop(i->env->loop, &i->reopen);
	ev_timer_stop(i->env->loop, &i->fault_hold);
	announce_fini(&i->announce);
	MAGIC_WIPE(i, INSTANCE_MAGIC);
	free(i);
}

void instance_stop(struct instance *i)
{
	MAGIC_CHECK(i, INSTANCE_MAGIC);
	feed(i, (struct vrrp_fsm_event){.type = VRRP_FSM_STOP});
}

void instance_change(struct instance *i, const struct vip_conf_instance *conf)
{
	bool other_track = memcmp(&i->conf.track, &conf->track, sizeof(conf->track)) != 0;
	struct err e = {0};
	MAGIC_CHECK(i, INSTANCE_MAGIC);
	MUST(vip_conf_same_router(&i->conf, conf));
	i->conf = *conf;
	make_rules(i);
	set_announced(i);
	if (i->addrs.held)
		keep_renewing(i); /* the lifetime may be another */
	if (vip_addr_change(&i->addrs, &conf->addrs, &e) < 0)
		address_failed(i, e.text);
	if (i->addrs.held)
		announce_start(&i->announce);
	feed(i, (struct vrrp_fsm_event){.type = VRRP_FSM_RULES});
	if (!i->done)
		refresh_link(i);
	if (other_track && !i->done)
		follow_track(i);
}

const struct vip_conf_instance *instance_conf(const struct instance *i)
{
	MAGIC_CHECK(i, INSTANCE_MAGIC);
	return &i->conf;
}

enum vrrp_fsm_state instance_state(const struct instance *i)
{
	return i->fsm.state;
}

/* A timer that has expired and is not served yet is not active any more. */
static bool is_set(const struct ev_timer *w)
{
	return ev_is_active(w) || ev_is_pending(w);
}

void instance_check(const struct instance *i)
{
	MAGIC_CHECK(i, INSTANCE_MAGIC);
	vrrp_fsm_check(&i->rules, &i->fsm);
	MUST(i->addrs.held == (i->fsm.state == VRRP_FSM_MASTER));
	MUST(i->done || i->fsm.faults == faults(i));
	MUST(i->addrs.want.count == i->conf.addrs.count);
	MUST(i->announce.count == i->conf.addrs.count);
	MUST(i->packet.count == i->conf.addrs.count);
	MUST((i->fd >= 0) == ev_is_active(&i->readable));
	MUST(i->fd < 0 || i->link.source != 0);
	MUST(!i->address_fault || is_set(&i->fault_hold));
	MUST(!i->addrs.held || ev_is_active(&i->renew));
	MUST(i->done || is_set(&i->timer) == (vrrp_fsm_due(&i->fsm) != VRRP_FSM_NEVER));
}

/* ---- reports */

static const char *track_text(const struct instance *i)
{
	if (i->conf.track.mode == VIP_CONF_TRACK_NONE)
		return "none";
	return i->track.alive ? "alive" : "dead";
}

void instance_report(const struct instance *i, struct report *r)
{
	const char *fault = i->fault	       ? i->fault
			    : i->address_fault ? "the address does not stay"
					       : "";
	char ip[16], track[64] = "";
	char addresses[VIP_ADDR_MAX][16];
	const char *list[VIP_ADDR_MAX];
	if (i->conf.track.mode != VIP_CONF_TRACK_NONE)
		snprintf(track, sizeof(track), "%s %s", i->conf.track.daemon, track_text(i));
	for (unsigned k = 0; k < i->conf.addrs.count; k++)
		list[k] = ip_text(i->conf.addrs.ip[k], addresses[k]);
	report_row(r, NULL);
	report_str(r, "name", "%", i->conf.name);
	report_str(r, "state", "%", vrrp_fsm_state_name(i->fsm.state));
	report_bool(r, "leaving", "(leaving)", i->fsm.leaving);
	report_time(r, "since", "since %", i->changed_s);
	report_str(r, "interface", ", %", i->conf.interface);
	report_uint(r, "virtual_router_id", ", router %", i->packet.vrid);
	report_uint(r, "version", "", i->packet.version);
	report_uint(r, "priority", ", priority %", vrrp_fsm_priority(&i->rules, &i->fsm));
	report_bool(r, "held", "", i->addrs.held);
	report_bool(r, "eligible", "", i->fsm.eligible);
	report_str(r, "track", "", track_text(i));
	report_str(r, NULL, ", %", track);
	report_str(r, "source", "", i->link.source ? ip_text(i->link.source, ip) : "");
	report_str(r, "master", ", master %", i->fsm.master ? ip_text(i->fsm.master, ip) : "");
	report_str(r, "fault", ", %", fault);
	report_strs(r, "addresses", ", addresses %", list, i->conf.addrs.count);
	report_close(r);
}
