// SPDX-License-Identifier: MIT
/*
 * alive = the watch is connected (or in the grace of a planned restart), and the heartbeat, if
 * there is a table at all, is fresh. The table is attached anew whenever its file is another one;
 * without a table the socket alone decides.
 */
#include "track.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"

#define TRACK_MAGIC UINT32_C(0x61e57d0a)

static struct track *checked(struct track *t)
{
	MAGIC_CHECK(t, TRACK_MAGIC);
	return t;
}

/* The track that a watcher is a member of. */
#define track_of(w, member) checked(container_of(w, struct track, member))

static void update_state(struct track *t)
{
	bool alive = (t->watch.connected || ev_is_active(&t->grace)) && !t->hangs;
	if (alive == t->alive)
		return;
	t->alive = alive;
	const char *what = alive	 ? "is there"
			   : t->hangs	 ? "hangs: its heartbeat stands still"
			   : t->stopping ? "has stopped"
					 : "has died";
	log_event(LOG_LEVEL_NOTICE,
		  &(struct log_fields){.event = alive ? "track_up" : "track_down", .reason = what},
		  "%s %s", t->rule.daemon, what);
	t->changed(t);
}

/* Is the table's heartbeat too old? */
static bool heartbeat_stale(struct track *t)
{
	struct err e;
	if (stats_view_is_open(&t->table) && stats_view_stale(&t->table, t->table_path))
		stats_view_close(&t->table);
	if (!stats_view_is_open(&t->table) && stats_view_open(&t->table, t->table_path, &e) < 0)
		return false;
	return stats_view_age_us(&t->table, clock_now_us()) > TRACK_HANG_US;
}

static void on_poll(struct ev_loop *loop UNUSED, struct ev_timer *w, int revents UNUSED)
{
	struct track *t = track_of(w, poll);
	t->hangs = t->watch.connected && heartbeat_stale(t);
	update_state(t);
}

static void on_grace(struct ev_loop *loop UNUSED, struct ev_timer *w, int revents UNUSED)
{
	update_state(track_of(w, grace));
}

static void on_up(struct watch *w)
{
	struct track *t = track_of(w, watch);
	ev_timer_stop(t->loop, &t->grace);
	t->stopping = false;
	t->hangs = false;
	update_state(t);
}

static void on_line(struct watch *w, struct str line)
{
	struct track *t = track_of(w, watch);
	if (str_eq(line, STR("stopping")))
		t->stopping = true;
}

static void on_down(struct watch *w)
{
	struct track *t = track_of(w, watch);
	t->hangs = false;
	if (t->stopping && t->alive) {
		ev_timer_set(&t->grace, TRACK_RESTART_S, 0);
		ev_timer_start(t->loop, &t->grace);
	}
	update_state(t);
}

void track_start(struct track *t, struct ev_loop *loop, const struct vip_conf_track *rule,
		 const char *run_dir, void (*changed)(struct track *t))
{
	char path[sizeof(t->watch.path)];
	*t = (struct track){.rule = *rule, .changed = changed, .loop = loop};
	if (rule->mode == VIP_CONF_TRACK_NONE)
		return;
	MAGIC_SET(t, TRACK_MAGIC);
	t->running = true;
	t->watch.up = on_up;
	t->watch.line = on_line;
	t->watch.down = on_down;
	ev_timer_init(&t->grace, on_grace, 0, 0);
	ev_timer_init(&t->poll, on_poll, TRACK_POLL_S, TRACK_POLL_S);
	ev_timer_start(loop, &t->poll);
	snprintf(t->table_path, sizeof(t->table_path), "%s/%s.shm", run_dir, rule->daemon);
	snprintf(path, sizeof(path), "%s/%s.sock", run_dir, rule->daemon);
	watch_start(&t->watch, loop, path);
}

void track_stop(struct track *t)
{
	if (!t->running)
		return;
	MAGIC_WIPE(t, TRACK_MAGIC);
	watch_stop(&t->watch);
	ev_timer_stop(t->loop, &t->grace);
	ev_timer_stop(t->loop, &t->poll);
	stats_view_close(&t->table);
	t->running = false;
}

bool track_eligible(const struct track *t)
{
	return t->rule.mode != VIP_CONF_TRACK_RELEASE || t->alive;
}

int track_bonus(const struct track *t)
{
	if (t->rule.mode != VIP_CONF_TRACK_WEIGHT)
		return 0;
	return t->rule.weight > 0 ? (t->alive ? t->rule.weight : 0)
				  : (t->alive ? 0 : t->rule.weight);
}
