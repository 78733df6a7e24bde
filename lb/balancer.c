// SPDX-License-Identifier: MIT
/*
 * Sockets are bound here, one a worker with SO_REUSEPORT, before anything is torn down: a reload whose new address
 * cannot be had leaves everything as it was. They are kept in the service manager's store, so a restart finds them
 * with their queues of waiting clients.
 *
 * A generation reaches each worker as a letter that holds a reference. Of a listener that it does not want any more
 * each worker closes its own socket; the listener stays in the list, to be opened again perhaps, and because
 * connections that came through it may have a last request under way.
 */
#include "balancer.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "stats_page.h"

#define BEAT_S	 0.25
#define ALIVE_US (10 * CLOCK_SECOND)

static const struct stats_name stat_names[] = {STATS_NAMES(LB_STATS)};

/* ---- listeners */

/* One of that address that is open, or one that is shut; NULL: there is none. Those on their way out do not count. */
static struct listener *find_listener(const struct balancer *b, const struct addr *a, bool open)
{
	for (struct listener *l = b->listeners; l; l = l->next)
		if (!l->retiring && (l->count > 0) == open && addr_eq(&l->addr, a))
			return l;
	return NULL;
}

static struct listener *make_listener(struct balancer *b, const struct addr *a)
{
	struct listener *l = listener_new(a);
	l->next = b->listeners;
	b->listeners = l;
	return l;
}

/* Opens what c wants and b does not have open. On failure all that was opened is shut again. */
static int open_missing(struct balancer *b, const struct lb_config *c, struct err *e)
{
	struct listener *opened[LB_BINDS_MAX];
	unsigned n = 0;
	for (unsigned i = 0; i < c->n_binds; i++) {
		const struct addr *a = &c->binds[i].addr;
		if (find_listener(b, a, true))
			continue;
		struct listener *l = find_listener(b, a, false);
		opened[n] = l ? l : make_listener(b, a);
		if (listener_open(opened[n], b->workers, e) < 0) {
			while (n)
				listener_close(opened[--n]);
			return -1;
		}
		n++;
	}
	return 0;
}

static unsigned wanted(const struct balancer *b, const struct lb_config *c, struct listener **to,
		       unsigned max)
{
	unsigned n = 0;
	for (unsigned i = 0; i < c->n_binds && n < max; i++)
		to[n++] = find_listener(b, &c->binds[i].addr, true);
	return n;
}

/* ---- letters to the workers */

struct apply_letter {
	struct letter letter;
	struct front *front;
	struct daemon_generation *gen;
	struct apply_round *round;
};

/* One reload on its way through the workers; the last to apply it reports back. */
struct apply_round {
	struct letter done; /* to the main thread */
	struct balancer *balancer;
	_Atomic unsigned left;
	unsigned number; /* of the generation */
	unsigned n;
	struct listener *listeners[LB_BINDS_MAX];
	struct apply_letter letters[];
};

static void on_apply(struct letter *l)
{
	struct apply_letter *a = container_of(l, struct apply_letter, letter);
	struct apply_round *r = a->round;
	front_apply(a->front, a->gen, r->listeners, r->n);
	daemon_unref(a->gen);
	if (atomic_fetch_sub(&r->left, 1) == 1)
		mailbox_post(&r->balancer->mailbox, &r->done);
}

/* Every worker has let go of what this generation does not listen on. */
static void on_applied(struct letter *l)
{
	struct apply_round *r = container_of(l, struct apply_round, done);
	for (struct listener *one = r->balancer->listeners; one; one = one->next)
		if (one->retiring && one->retiring <= r->number)
			listener_retired(one);
	free(r);
}

static bool is_wanted(const struct apply_round *r, const struct listener *l)
{
	for (unsigned i = 0; i < r->n; i++)
		if (r->listeners[i] == l)
			return true;
	return false;
}

static void dismiss_unwanted(struct apply_round *r)
{
	for (struct listener *l = r->balancer->listeners; l; l = l->next)
		if (l->count && !l->retiring && !is_wanted(r, l))
			listener_retire(l, r->number);
}

static void publish(struct balancer *b, struct daemon_generation *g)
{
	struct apply_round *r = def_xcalloc(1, sizeof(*r) + b->workers * sizeof(r->letters[0]));
	r->done.run = on_applied;
	r->balancer = b;
	atomic_init(&r->left, b->workers);
	r->number = g->number;
	r->n = wanted(b, conf_of(g), r->listeners, ARRAY_LEN(r->listeners));
	dismiss_unwanted(r);
	for (unsigned i = 0; i < b->workers; i++) {
		r->letters[i] = (struct apply_letter){.letter.run = on_apply,
						      .front = &b->fronts[i],
						      .gen = daemon_ref(g),
						      .round = r};
		mailbox_post(&worker_set_at(b->set, i)->mailbox, &r->letters[i].letter);
	}
}

struct forget_letter {
	struct letter letter;
	struct front *front;
	struct addr addr;
};

static void on_forget(struct letter *l)
{
	struct forget_letter *f = container_of(l, struct forget_letter, letter);
	front_forget(f->front, &f->addr);
	free(f);
}

static void server_went_down(const struct addr *addr, void *arg)
{
	struct balancer *b = arg;
	for (unsigned i = 0; b->set && i < b->workers; i++) {
		struct forget_letter *f = def_xmalloc(sizeof(*f));
		*f = (struct forget_letter){
			.letter.run = on_forget, .front = &b->fronts[i], .addr = *addr};
		mailbox_post(&worker_set_at(b->set, i)->mailbox, &f->letter);
	}
}

/* ---- draining */

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

void balancer_stop(struct daemon *d)
{
	struct balancer *b = daemon_user(d);
	b->drain = drain_start(b->set, &b->mailbox, &drain_ops, d);
}

/* ---- workers */

static int on_worker_start(struct worker *w, void *arg)
{
	struct balancer *b = arg;
	struct front *f = &b->fronts[w->id];
	struct daemon_generation *g = daemon_current(b->daemon);
	struct listener *listeners[LB_BINDS_MAX];
	w->ctx = f;
	front_init(f, w, g, stats_block(&b->stats, w->id));
	front_apply(f, g, listeners, wanted(b, conf_of(g), listeners, ARRAY_LEN(listeners)));
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
	struct balancer *b = container_of(t, struct balancer, beat);
	(void)loop;
	(void)events;
	/* The heartbeat says that lbd serves, not only that its main loop turns. */
	if (worker_set_alive(b->set, ALIVE_US))
		shmem_beat(&b->stats.shmem, clock_now_us());
}

static void open_stats(struct balancer *b)
{
	char path[DAEMON_PATH_SIZE];
	struct err e;
	daemon_path(b->daemon, "lbd.shm", path, sizeof(path));
	if (stats_create(&b->stats, path, stat_names, STAT_COUNT, b->workers, &e) < 0)
		log_err("counters are not published: %s", e.text);
	shmem_beat(&b->stats.shmem, clock_now_us());
}

int balancer_start(struct daemon *d, struct err *e)
{
	struct balancer *b = def_xcalloc(1, sizeof(*b));
	struct lb_config *c = daemon_current(d)->config;
	daemon_set_user(d, b);
	b->daemon = d;
	b->workers = listener_workers(c->settings->workers);
	b->pools = server_pools_new();
	b->fronts = def_xcalloc(b->workers, sizeof(*b->fronts));
	mailbox_init(&b->mailbox, daemon_loop(d));
	if (!server_join(b->pools, c, e) || open_missing(b, c, e) < 0)
		return -1;
	server_weigh(c);
	open_stats(b);
	stats_page_init(&b->stats);
	health_view_start(&b->health, d, server_went_down, b);
	uint32_t buffers = 2 * (c->settings->maxconn / b->workers + 64);
	b->set = worker_set_start(b->workers, buffers, &worker_ops, b);
	if (!b->set)
		return err_set(e, "the worker threads could not start");
	ev_timer_init(&b->beat, on_beat, 0., BEAT_S);
	ev_timer_start(daemon_loop(d), &b->beat);
	return 0;
}

int balancer_reload(struct daemon *d, struct daemon_generation *old, struct err *e)
{
	struct balancer *b = daemon_user(d);
	struct daemon_generation *g = daemon_current(d);
	(void)old;
	if (!server_join(b->pools, g->config, e) || open_missing(b, conf_of(g), e) < 0)
		return -1;
	server_weigh(g->config);
	health_view_read(&b->health);
	publish(b, g);
	return 0;
}

bool balancer_alive(struct daemon *d)
{
	struct balancer *b = daemon_user(d);
	return worker_set_alive(b->set, ALIVE_US);
}

void balancer_finish(struct daemon *d)
{
	struct balancer *b = daemon_user(d);
	char path[DAEMON_PATH_SIZE];
	ev_timer_stop(daemon_loop(d), &b->beat);
	health_view_stop(&b->health);
	worker_set_join(b->set);
	mailbox_fini(&b->mailbox);
	drain_free(b->drain);
	stats_fini(&b->stats);
	unlink(daemon_path(d, "lbd.shm", path, sizeof(path)));
	while (b->listeners) {
		struct listener *l = b->listeners;
		b->listeners = l->next;
		listener_free(l);
	}
	server_pools_free(b->pools);
	free(b->fronts);
	free(b);
}
