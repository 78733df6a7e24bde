// SPDX-License-Identifier: MIT
/*
 * The store's memory is put into the service manager's descriptor store at start, so whatever ends this process,
 * the next one finds it. Listening sockets likewise.
 */
#include "cache.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "ipc/sd.h"

#define BEAT_S	   0.25
#define ALIVE_US   (10 * CLOCK_SECOND)
#define STORE_NAME "cache"

static const struct stats_name stat_names[] = {STATS_NAMES(EDGE_STATS)};

/* ---- letters to the workers */

struct apply_letter {
	struct letter letter;
	struct front *front;
	struct daemon_generation *gen;
};

static void on_apply(struct letter *l)
{
	struct apply_letter *a = container_of(l, struct apply_letter, letter);
	front_apply(a->front, a->gen);
	daemon_unref(a->gen);
	free(a);
}

int cache_reload(struct daemon *d, struct daemon_generation *old, struct err *e)
{
	struct cache *c = daemon_user(d);
	(void)old;
	(void)e;
	for (unsigned i = 0; i < c->workers; i++) {
		struct apply_letter *a = def_xmalloc(sizeof(*a));
		*a = (struct apply_letter){.letter.run = on_apply,
					   .front = &c->fronts[i],
					   .gen = daemon_ref(daemon_current(d))};
		mailbox_post(&worker_set_at(c->set, i)->mailbox, &a->letter);
	}
	return 0;
}

static void begin_drain(struct worker *w)
{
	front_drain(w->ctx);
}

static bool is_idle(struct worker *w)
{
	return front_idle(w->ctx);
}

static void drained(void *arg)
{
	daemon_done(arg);
}

static const struct drain_ops drain_ops = {.begin = begin_drain, .idle = is_idle, .done = drained};

void cache_stop(struct daemon *d)
{
	struct cache *c = daemon_user(d);
	c->drain = drain_start(c->set, &c->mailbox, &drain_ops, d);
}

/* ---- workers */

static int on_worker_start(struct worker *w, void *arg)
{
	struct cache *c = arg;
	struct front *f = &c->fronts[w->id];
	w->ctx = f;
	front_init(f, w, c->index, daemon_current(c->daemon), stats_block(&c->stats, w->id));
	for (struct listener *l = c->listeners; l; l = l->next)
		front_listen(f, l);
	return 0;
}

static void on_worker_stop(struct worker *w)
{
	front_fini(w->ctx);
}

static const struct worker_ops worker_ops = {.start = on_worker_start, .stop = on_worker_stop};

/* ---- the daemon's ops */

static void on_beat(struct ev_loop *loop, struct ev_timer *t, int events)
{
	struct cache *c = container_of(t, struct cache, beat);
	(void)loop;
	(void)events;
	if (worker_set_alive(c->set, ALIVE_US))
		shmem_beat(&c->stats.shmem, clock_now_us());
}

static void open_stats(struct cache *c)
{
	char path[DAEMON_PATH_SIZE];
	struct err e;
	daemon_path(c->daemon, "edged.shm", path, sizeof(path));
	if (stats_create(&c->stats, path, stat_names, STAT_COUNT, c->workers, &e) < 0)
		log_err("counters are not published: %s", e.text);
	shmem_beat(&c->stats.shmem, clock_now_us());
}

static int open_store(struct cache *c, const struct edge_settings *s, struct err *e)
{
	struct err found;
	struct index_stats st;
	if (store_open(&c->store, (size_t)s->memory, sd_take(STORE_NAME), &found) < 0)
		return err_set(e, "%s", found.text);
	if (!c->store.adopted) {
		sd_forget(STORE_NAME);
		sd_store(STORE_NAME, c->store.fd);
	}
	c->index = index_new(&c->store);
	index_get_stats(c->index, &st);
	log_notice("cache of %" PRIu64 " MB: %s, %" PRIu64 " objects", s->memory >> 20, found.text,
		   st.objects);
	return 0;
}

static int open_listeners(struct cache *c, const struct edge_config *conf, struct err *e)
{
	for (unsigned i = 0; i < conf->n_listen; i++) {
		struct listener *l = listener_new(&conf->listen[i]);
		l->next = c->listeners;
		c->listeners = l;
		if (listener_open(l, c->workers, e) < 0)
			return -1;
	}
	return 0;
}

int cache_start(struct daemon *d, struct err *e)
{
	struct cache *c = def_xcalloc(1, sizeof(*c));
	const struct edge_config *conf = conf_of(daemon_current(d));
	daemon_set_user(d, c);
	c->daemon = d;
	c->workers = listener_workers(conf->settings->workers);
	c->fronts = def_xcalloc(c->workers, sizeof(*c->fronts));
	mailbox_init(&c->mailbox, daemon_loop(d));
	if (open_listeners(c, conf, e) < 0 || open_store(c, conf->settings, e) < 0)
		return -1;
	open_stats(c);
	uint32_t buffers = (conf->settings->maxconn + conf->settings->origin_maxconn) / c->workers +
			   64;
	c->set = worker_set_start(c->workers, buffers, &worker_ops, c);
	if (!c->set)
		return err_set(e, "the worker threads could not start");
	ev_timer_init(&c->beat, on_beat, 0., BEAT_S);
	ev_timer_start(daemon_loop(d), &c->beat);
	return 0;
}

bool cache_alive(struct daemon *d)
{
	struct cache *c = daemon_user(d);
	return worker_set_alive(c->set, ALIVE_US);
}

void cache_finish(struct daemon *d)
{
	struct cache *c = daemon_user(d);
	char path[DAEMON_PATH_SIZE];
	ev_timer_stop(daemon_loop(d), &c->beat);
	worker_set_join(c->set);
	mailbox_fini(&c->mailbox);
	drain_free(c->drain);
	index_free(c->index);
	store_close(&c->store);
	stats_fini(&c->stats);
	unlink(daemon_path(d, "edged.shm", path, sizeof(path)));
	while (c->listeners) {
		struct listener *l = c->listeners;
		c->listeners = l->next;
		listener_free(l);
	}
	free(c->fronts);
	free(c);
}

/* ---- the control socket */

static void cmd_state(struct text *out, struct str args, bool json, void *arg)
{
	struct cache *c = daemon_user(arg);
	struct index_stats st;
	(void)args;
	index_get_stats(c->index, &st);
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{"objects", st.objects},	 {"bytes", (st.pages - st.pages_free) * STORE_PAGE},
		{"size", st.pages * STORE_PAGE}, {"evicted", st.evicted},
		{"expired", st.expired},	 {"purged", st.purged}};
	if (json)
		text_json_open(out, NULL, '{');
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (json)
			text_json_int(out, rows[i].name, (int64_t)rows[i].value);
		else
			text_printf(out, "%s %" PRIu64 "\n", rows[i].name, rows[i].value);
	}
	if (json)
		text_json_close(out, '}');
}

static void cmd_stats(struct text *out, struct str args, bool json, void *arg)
{
	struct cache *c = daemon_user(arg);
	(void)args;
	if (json)
		text_json_open(out, NULL, '{');
#define X(name, kind, prose)                                                                       \
	if (json)                                                                                  \
		text_json_int(out, #name, (int64_t)stats_sum(&c->stats, STAT_##name));             \
	else                                                                                       \
		text_printf(out, "%s %" PRIu64 "\n", #name, stats_sum(&c->stats, STAT_##name));
	EDGE_STATS(X)
#undef X
	if (json)
		text_json_close(out, '}');
}

static void cmd_purge(struct text *out, struct str args, bool json, void *arg)
{
	struct cache *c = daemon_user(arg);
	bool all = str_eq(args, STR("all"));
	(void)json;
	if (!all && (str_find(args, '/') <= 0 || str_find_str(args, STR("://")) >= 0))
		text_printf(out, "error: \"%.*s\"; wanted HOST/PATH, or all\n", STR_ARG(args));
	else
		text_printf(out, "purged %u\n",
			    index_purge_prefix(c->index, all ? STR("") : args, false));
}

const struct ctl_command cache_commands[] = {
	{"state", "[json]", "objects, bytes, evictions", false, cmd_state},
	{"stats", "[json]", "the counters", false, cmd_stats},
	{"purge", "HOST/PATH|all", "take out all that begins with it, or everything", true,
	 cmd_purge},
	{NULL, NULL, NULL, false, NULL},
};
