// SPDX-License-Identifier: MIT
#include "health_view.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"

#define VIEW_MAGIC 0x4c424856u

/* How soon a silent healthd is noticed; verdicts themselves come as events. */
#define STALE_CHECK_S 1.0

static void table_path(const struct health_view_state *v, char path[DAEMON_PATH_SIZE])
{
	daemon_path(v->daemon, HEALTH_FILE, path, DAEMON_PATH_SIZE);
}

static void announce(struct health_view_state *v, const struct server *s,
		     const struct health_record *r)
{
	bool down = r->state == HEALTH_DOWN;
	const char *what = down ? "DOWN" : "UP", *result = health_result_text(r->result);
	const struct log_fields fields = {.event = down ? "server_down" : "server_up",
					  .server = s->name,
					  .pool = s->pool_name,
					  .status = what,
					  .reason = down ? r->reason : result};
	if (down)
		log_event(LOG_LEVEL_WARN, &fields, "server %s/%s is DOWN: %s, %s", s->pool_name,
			  s->name, result, r->reason);
	else
		log_event(LOG_LEVEL_NOTICE, &fields, "server %s/%s is UP: %s", s->pool_name,
			  s->name, result);
	ctl_event(daemon_ctl(v->daemon), "server %s/%s %s %s", s->pool_name, s->name, what,
		  r->reason);
}

static void take_verdict(struct server *s, void *arg)
{
	struct health_view_state *v = arg;
	struct health_record r;
	MAGIC_CHECK(v, VIEW_MAGIC);
	MAGIC_CHECK(s, SERVER_MAGIC);
	char name[160];
	snprintf(name, sizeof(name), "%s/%s", s->pool_name, s->name);
	if (!health_find(&v->table, name, &r) || r.state == HEALTH_UNKNOWN)
		return;
	uint32_t before = atomic_load(&s->health);
	if (before == r.state)
		return;
	atomic_store(&s->health, r.state);
	atomic_store(&s->changed_s, r.since_s);
	if (r.state == HEALTH_UP)
		server_connected(s); /* forget the failures that lbd saw itself */
	if (before == HEALTH_UNKNOWN && r.state == HEALTH_UP)
		return;
	if (r.state == HEALTH_DOWN) {
		atomic_fetch_add(&s->downs, 1);
		v->went_down(&s->addr, v->arg);
	}
	announce(v, s, &r);
}

void health_view_read(struct health_view_state *v)
{
	char path[DAEMON_PATH_SIZE];
	MAGIC_CHECK(v, VIEW_MAGIC);
	MUST(daemon_here(v->daemon));
	table_path(v, path);
	health_refresh(&v->table, path);
	bool stale = health_stale(&v->table, clock_now_us());
	if (!stale)
		server_each(conf_of(daemon_current(v->daemon)), take_verdict, v);
	v->ever |= !stale;
	if (stale != v->stale) {
		v->stale = stale;
		if (stale && v->ever)
			log_event(LOG_LEVEL_WARN, &(struct log_fields){.event = "verdicts_stale"},
				  "healthd is silent: its last verdicts are kept");
		else if (!stale)
			log_event(LOG_LEVEL_NOTICE, &(struct log_fields){.event = "verdicts_fresh"},
				  "healthd's verdicts are fresh");
		ctl_event(daemon_ctl(v->daemon), "verdicts %s", stale ? "stale" : "fresh");
	}
}

static struct health_view_state *state_of(struct watch *w)
{
	struct health_view_state *v = container_of(w, struct health_view_state, watch);
	MAGIC_CHECK(v, VIEW_MAGIC);
	return v;
}

static void on_line(struct watch *w, struct str line UNUSED)
{
	health_view_read(state_of(w));
}

static void on_up(struct watch *w)
{
	health_view_read(state_of(w));
}

static void on_down(struct watch *w)
{
	health_view_read(state_of(w));
}

static void on_check(struct ev_loop *loop UNUSED, struct ev_timer *t, int events UNUSED)
{
	struct health_view_state *v = container_of(t, struct health_view_state, check);
	MAGIC_CHECK(v, VIEW_MAGIC);
	if (health_stale(&v->table, clock_now_us()) != v->stale || v->stale)
		health_view_read(v);
}

void health_view_start(struct health_view_state *v, struct daemon *d,
		       void (*went_down)(const struct addr *server, void *arg), void *arg)
{
	char path[DAEMON_PATH_SIZE];
	MUST(!v->magic && went_down);
	*v = (struct health_view_state){
		.daemon = d, .went_down = went_down, .arg = arg, .stale = true};
	MAGIC_SET(v, VIEW_MAGIC);
	v->watch.up = on_up;
	v->watch.line = on_line;
	v->watch.down = on_down;
	ev_timer_init(&v->check, on_check, STALE_CHECK_S, STALE_CHECK_S);
	ev_timer_start(daemon_loop(d), &v->check);
	watch_start(&v->watch, daemon_loop(d), daemon_path(d, "healthd.sock", path, sizeof(path)));
	health_view_read(v);
}

void health_view_stop(struct health_view_state *v)
{
	MAGIC_CHECK(v, VIEW_MAGIC);
	watch_stop(&v->watch);
	ev_timer_stop(daemon_loop(v->daemon), &v->check);
	health_close(&v->table);
	MAGIC_WIPE(v, VIEW_MAGIC);
}
