// SPDX-License-Identifier: MIT
/*
 * Sockets are bound here, one a worker with SO_REUSEPORT, before anything is torn down. They are kept in the service
 * manager's store, so a restart finds them with their queues of waiting clients.
 *
 * Of a retired listener each worker closes its own socket, since its event loop may still touch it. The listener stays
 * in the list, since it may be opened again, and since connections that came through it may have a last request under
 * way.
 */
#include "shell.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "fds.h"
#include "ipc/report.h"
#include "loop/budget.h"
#include "loop/drain.h"
#include "loop/standstill.h"

#define SHELL_MAGIC 0x7368656cu
#define CHECK_MAGIC 0x73686368u
#define ROUND_MAGIC 0x7368726eu
#define PUBLISH_S   1.
#define ALIVE_US    (10 * CLOCK_SECOND)

struct shell {
	uint32_t magic;
	struct daemon *daemon;
	const struct shell_ops *ops;
	void *user;
	unsigned n_workers;
	struct worker_set *set; /* NULL before shell_run() */
	void **contexts;	/* one a worker */
	struct listener *listeners;
	struct shell_plan plan; /* of the generation published last */
	struct fds_fit fit;	/* what the descriptors allow of it */
	unsigned published;	/* its number */
	struct stats *stats;	/* the daemon's */
	struct budget *clients;
	struct budget *calls;	/* to the origin */
	struct mailbox mailbox; /* from the workers */
	struct drain *drain;	/* while stopping */
};

/* ---- listeners */

/* One of that address that is open, or one that is closed; NULL: there is none. Retiring ones do not count. */
static struct listener *find_listener(const struct shell *s, const struct addr *a, bool open)
{
	for (struct listener *l = s->listeners; l; l = l->next)
		if (!l->retiring && (l->count > 0) == open && addr_eq(&l->addr, a))
			return l;
	return NULL;
}

static struct listener *add_listener(struct shell *s, const struct addr *a)
{
	struct listener *l = listener_new(a);
	l->next = s->listeners;
	s->listeners = l;
	return l;
}

/* Opens the listeners of p that s has not open. On failure all that were opened are closed again. */
static int open_missing(struct shell *s, const struct shell_plan *p, struct err *e)
{
	struct listener *opened[SHELL_LISTEN_MAX];
	unsigned n = 0;
	for (unsigned i = 0; i < p->n_listen; i++) {
		const struct addr *a = &p->listen[i];
		if (find_listener(s, a, true))
			continue;
		struct listener *l = find_listener(s, a, false);
		opened[n] = l ? l : add_listener(s, a);
		if (listener_open(opened[n], s->n_workers, e) < 0) {
			while (n)
				listener_close(opened[--n]);
			return -1;
		}
		n++;
	}
	return 0;
}

static unsigned wanted(const struct shell *s, struct listener *to[SHELL_LISTEN_MAX])
{
	for (unsigned i = 0; i < s->plan.n_listen; i++) {
		to[i] = find_listener(s, &s->plan.listen[i], true);
		MUST(to[i]);
	}
	return s->plan.n_listen;
}

static bool among(const struct listener *const *all, unsigned n, const struct listener *l)
{
	for (unsigned i = 0; i < n; i++)
		if (all[i] == l)
			return true;
	return false;
}

/* ---- descriptors */

static unsigned count_sockets(const struct shell *s)
{
	unsigned n = 0;
	for (const struct listener *l = s->listeners; l; l = l->next)
		n += l->count;
	return n;
}

static void warn_lowered(uint64_t limit, const struct shell_plan *p, const struct fds_fit *f)
{
	char origin[64] = "";
	if (f->origin < p->origin)
		snprintf(origin, sizeof(origin), " and %u connections to the origin instead of %u",
			 f->origin, p->origin);
	if (f->clients < p->maxconn || *origin)
		log_warn("%" PRIu64
			 " descriptors allow %u clients at once instead of maxconn = %u%s; "
			 "%" PRIu64 " would be enough (LimitNOFILE= of the service, ulimit -n)",
			 limit, f->clients, p->maxconn, origin, f->enough);
}

/* The plan of the current generation, and what of it the descriptors allow. Its listeners are open. */
static void make_plan(struct shell *s)
{
	uint64_t limit = fds_limit();
	s->plan = (struct shell_plan){0};
	s->ops->plan(daemon_current(s->daemon), &s->plan);
	struct fds_plan p = {.maxconn = s->plan.maxconn,
			     .per_client = s->plan.per_client,
			     .origin = s->plan.origin,
			     .listening = count_sockets(s),
			     .loops = s->n_workers + 1};
	s->fit = fds_fit(limit, &p);
	warn_lowered(limit, &s->plan, &s->fit);
	if (daemon_ctl(s->daemon))
		ctl_set_max(daemon_ctl(s->daemon), s->fit.control);
}

/* ---- on a worker's thread */

static struct shell_worker *context_of(const struct worker *worker)
{
	struct shell_worker *w = worker->ctx;
	MAGIC_CHECK(w, SHELL_WORKER_MAGIC);
	MUST(w->worker == worker && worker_here(worker));
	return w;
}

static struct shell_socket *socket_of(struct shell_worker *w, const struct listener *l)
{
	struct shell_socket *i = w->sockets;
	while (i && i->listener != l)
		i = i->next;
	if (!i) {
		i = def_xcalloc(1, sizeof(*i));
		i->listener = l;
		i->next = w->sockets;
		w->sockets = i;
	}
	return i;
}

static void free_sockets(struct shell_worker *w)
{
	while (w->sockets) {
		struct shell_socket *i = w->sockets;
		w->sockets = i->next;
		free(i);
	}
}

static void listen_on(struct shell_worker *w, struct listener *const *all, unsigned n)
{
	unsigned id = w->worker->id;
	MUST(n <= SHELL_LISTEN_MAX && worker_here(w->worker));
	for (unsigned i = 0; i < w->n_listening; i++) {
		const struct listener *old = w->listening[i];
		if (!among((const void *)all, n, old)) {
			http_server_unlisten(w->server, old->fds[id]);
			close(old->fds[id]);
		}
	}
	for (unsigned i = 0; i < n; i++) {
		struct http_listener_conf c = w->shell->ops->listener_conf(w->gen, &all[i]->addr);
		if (among(w->listening, w->n_listening, all[i]))
			http_server_configure(w->server, all[i]->fds[id], &c);
		else
			http_server_listen(w->server, all[i]->fds[id], &c, all[i],
					   &socket_of(w, all[i])->stats);
	}
	for (unsigned i = 0; i < n; i++)
		w->listening[i] = all[i];
	w->n_listening = n;
}

static void publish_counters(struct shell_worker *w)
{
	const struct shell_ops *ops = w->shell->ops;
	struct http_server_stats now = *http_server_stats(w->server);
	MUST(worker_here(w->worker));
	MUST(now.accepted >= w->seen.accepted && now.shed >= w->seen.shed);
	MUST(now.bytes_in >= w->seen.bytes_in && now.bytes_out >= w->seen.bytes_out);
	stats_add(&w->stats[ops->keeps.connections], (int64_t)(now.accepted - w->seen.accepted));
	stats_add(&w->stats[ops->keeps.shed], (int64_t)(now.shed - w->seen.shed));
	stats_add(&w->stats[ops->keeps.bytes_in], (int64_t)(now.bytes_in - w->seen.bytes_in));
	stats_add(&w->stats[ops->keeps.bytes_out], (int64_t)(now.bytes_out - w->seen.bytes_out));
	stats_set(&w->stats[ops->keeps.clients], http_server_conns(w->server));
	/* The log is the process's: one worker shows it for all. */
	if (w->worker->id == 0)
		stats_set(&w->stats[ops->keeps.log_dropped], log_dropped());
	w->seen = now;
	if (ops->publish)
		ops->publish(w);
}

static void on_publish(struct ev_loop *loop UNUSED, struct ev_timer *t, int events UNUSED)
{
	struct shell_worker *w = container_of(t, struct shell_worker, publish);
	MAGIC_CHECK(w, SHELL_WORKER_MAGIC);
	publish_counters(w);
}

static int on_worker_start(struct worker *worker, void *arg)
{
	struct shell *s = arg;
	MAGIC_CHECK(s, SHELL_MAGIC);
	MUST(worker->id < s->n_workers);
	struct shell_worker *w = s->contexts[worker->id];
	struct listener *listeners[SHELL_LISTEN_MAX];
	struct daemon_generation *g = daemon_current(s->daemon);
	worker->ctx = w;
	*w = (struct shell_worker){.shell = s,
				   .worker = worker,
				   .gen = daemon_ref(g),
				   .calls = s->calls,
				   .origin = s->fit.origin,
				   .idle = s->fit.idle / s->n_workers,
				   .stats = stats_cells(s->stats, 0, 0, worker->id)};
	MAGIC_SET(w, SHELL_WORKER_MAGIC);
	pipes_set_max(&worker->pipes, s->fit.pipes / s->n_workers);
	struct http_server_conf c = {.max_conns = UINT32_MAX, .budget = s->clients};
	w->server = http_server_new(worker, s->ops->server, &c, w);
	ev_timer_init(&w->publish, on_publish, PUBLISH_S, PUBLISH_S);
	ev_timer_start(worker->loop, &w->publish);
	s->ops->init(w);
	listen_on(w, listeners, wanted(s, listeners));
	return 0;
}

static void on_worker_stop(struct worker *worker)
{
	struct shell_worker *w = context_of(worker);
	http_server_free(w->server);
	w->shell->ops->fini(w);
	ev_timer_stop(worker->loop, &w->publish);
	free_sockets(w);
	daemon_unref(w->gen);
	MAGIC_WIPE(w, SHELL_WORKER_MAGIC);
}

static const struct worker_ops worker_ops = {.start = on_worker_start, .stop = on_worker_stop};

/* ---- a generation on its way through the workers */

struct apply_message {
	struct message message;
	struct shell_worker *worker;
	struct daemon_generation *gen; /* held */
	struct apply_round *round;
};

/* Freed once the last worker to apply it has reported back. */
struct apply_round {
	uint32_t magic;
	struct message done; /* to the main thread */
	struct shell *shell;
	_Atomic unsigned left; /* workers that have not applied it */
	unsigned number;       /* of the generation */
	struct fds_fit fit;
	uint32_t buffers;
	unsigned n;
	struct listener *listeners[SHELL_LISTEN_MAX];
	struct apply_message messages[];
};

static void apply(struct shell_worker *w, struct daemon_generation *g, const struct apply_round *r)
{
	struct daemon_generation *old = w->gen;
	/* Connections above a lowered maxconn are still served: they keep their buffers. */
	slab_set_cap(&w->worker->buffers, MAX(w->worker->buffers.cap, r->buffers));
	publish_counters(w);
	w->gen = daemon_ref(g);
	w->origin = r->fit.origin;
	w->idle = r->fit.idle / w->shell->n_workers;
	pipes_set_max(&w->worker->pipes, r->fit.pipes / w->shell->n_workers);
	w->shell->ops->apply(w);
	listen_on(w, r->listeners, r->n);
	daemon_unref(old);
}

static void on_apply(struct message *msg)
{
	struct apply_message *m = container_of(msg, struct apply_message, message);
	struct apply_round *r = m->round;
	MAGIC_CHECK(r, ROUND_MAGIC);
	MAGIC_CHECK(m->worker, SHELL_WORKER_MAGIC);
	MUST(worker_here(m->worker->worker) && r->left > 0);
	apply(m->worker, m->gen, r);
	daemon_unref(m->gen);
	if (atomic_fetch_sub(&r->left, 1) == 1)
		mailbox_post(&r->shell->mailbox, &r->done);
}

/*
 * Every worker has closed its socket of what this generation does not listen on, and has the buffers for its clients.
 * A later generation has its own round.
 */
static void on_applied(struct message *msg)
{
	struct apply_round *r = container_of(msg, struct apply_round, done);
	MAGIC_CHECK(r, ROUND_MAGIC);
	MAGIC_CHECK(r->shell, SHELL_MAGIC);
	MUST(r->left == 0 && r->number <= r->shell->published && daemon_here(r->shell->daemon));
	if (r->number == r->shell->published) {
		budget_set_limit(r->shell->clients, r->fit.clients);
		budget_set_limit(r->shell->calls, r->fit.origin);
	}
	for (struct listener *one = r->shell->listeners; one; one = one->next)
		if (one->retiring && one->retiring <= r->number)
			listener_retired(one);
	MAGIC_WIPE(r, ROUND_MAGIC);
	free(r);
}

static void retire_removed(struct apply_round *r)
{
	for (struct listener *l = r->shell->listeners; l; l = l->next)
		if (l->count && !l->retiring && !among((const void *)r->listeners, r->n, l))
			listener_retire(l, r->number);
}

int shell_prepare(struct shell *s, struct err *e)
{
	struct shell_plan p = {0};
	MAGIC_CHECK(s, SHELL_MAGIC);
	MUST(daemon_here(s->daemon));
	s->ops->plan(daemon_current(s->daemon), &p);
	return open_missing(s, &p, e);
}

void shell_publish(struct shell *s)
{
	struct daemon_generation *g = daemon_current(s->daemon);
	size_t size = sizeof(struct apply_round) + s->n_workers * sizeof(struct apply_message);
	struct apply_round *r = def_xcalloc(1, size);
	MAGIC_CHECK(s, SHELL_MAGIC);
	MUST(daemon_here(s->daemon) && s->set && g->number > s->published);
	make_plan(s);
	MAGIC_SET(r, ROUND_MAGIC);
	r->done.run = on_applied;
	r->shell = s;
	atomic_init(&r->left, s->n_workers);
	r->number = s->published = g->number;
	r->fit = s->fit;
	r->buffers = s->plan.buffers;
	r->n = wanted(s, r->listeners);
	retire_removed(r);
	budget_set_limit(s->clients, MIN(r->fit.clients, budget_limit(s->clients)));
	budget_set_limit(s->calls, MIN(r->fit.origin, budget_limit(s->calls)));
	for (unsigned i = 0; i < s->n_workers; i++) {
		r->messages[i] = (struct apply_message){.message.run = on_apply,
							.worker = shell_worker(s, i),
							.gen = daemon_ref(g),
							.round = r};
		mailbox_post(&worker_set_at(s->set, i)->mailbox, &r->messages[i].message);
	}
}

/* ---- draining */

static void begin_drain(struct worker *worker)
{
	http_server_drain(context_of(worker)->server);
}

static bool is_idle(struct worker *worker)
{
	return http_server_conns(context_of(worker)->server) == 0;
}

static void drained(void *arg)
{
	daemon_done(arg);
}

static const struct drain_ops drain_ops = {.begin = begin_drain, .idle = is_idle, .done = drained};

void shell_stop(struct daemon *d)
{
	struct shell *s = shell_of(d);
	MUST(!s->drain && daemon_here(d));
	s->drain = drain_start(s->set, &s->mailbox, &drain_ops, d);
}

bool shell_alive(struct daemon *d)
{
	return worker_set_alive(shell_of(d)->set, ALIVE_US);
}

/* ---- beginning and end */

struct shell *shell_open(struct daemon *d, const struct shell_ops *ops, void *user, struct err *e)
{
	struct shell *s = def_xcalloc(1, sizeof(*s));
	MAGIC_SET(s, SHELL_MAGIC);
	s->daemon = d;
	s->ops = ops;
	s->user = user;
	daemon_set_user(d, s);
	struct shell_plan p = {0};
	ops->plan(daemon_current(d), &p);
	s->n_workers = listener_workers(p.workers);
	mailbox_init(&s->mailbox, daemon_loop(d));
	if (open_missing(s, &p, e) < 0)
		return NULL;
	make_plan(s);
	s->clients = budget_new(s->fit.clients);
	s->calls = budget_new(s->fit.origin);
	s->stats = daemon_open_stats(d, s->n_workers);
	return s;
}

static void make_contexts(struct shell *s)
{
	MUST(s->ops->worker_size >= sizeof(struct shell_worker));
	s->contexts = def_xcalloc(s->n_workers, sizeof(*s->contexts));
	for (unsigned i = 0; i < s->n_workers; i++)
		s->contexts[i] = def_xcalloc_lines(s->ops->worker_size);
}

int shell_run(struct shell *s, struct err *e)
{
	make_contexts(s);
	s->set = worker_set_start(s->n_workers, s->plan.buffers, &worker_ops, s);
	if (!s->set)
		return err_set(e, "the worker threads could not start");
	return 0;
}

static void free_listeners(struct shell *s)
{
	while (s->listeners) {
		struct listener *l = s->listeners;
		s->listeners = l->next;
		listener_free(l);
	}
}

void shell_finish(struct shell *s)
{
	worker_set_join(s->set);
	mailbox_fini(&s->mailbox);
	drain_free(s->drain);
	budget_free(s->clients);
	budget_free(s->calls);
	free_listeners(s);
	for (unsigned i = 0; i < s->n_workers; i++)
		free(s->contexts[i]);
	free(s->contexts);
	MAGIC_WIPE(s, SHELL_MAGIC);
	free(s);
}

/* ---- for the daemon */

struct shell *shell_of(struct daemon *d)
{
	struct shell *s = daemon_user(d);
	MAGIC_CHECK(s, SHELL_MAGIC);
	return s;
}

void *shell_user(const struct shell *s)
{
	MAGIC_CHECK(s, SHELL_MAGIC);
	return s->user;
}

const struct stats *shell_stats(const struct shell *s)
{
	return s->stats;
}

unsigned shell_clients(const struct shell *s)
{
	return budget_taken(s->clients);
}

unsigned shell_maxconn(const struct shell *s)
{
	return budget_limit(s->clients);
}

unsigned shell_workers(const struct shell *s)
{
	return s->n_workers;
}

struct shell_worker *shell_worker(const struct shell *s, unsigned i)
{
	MAGIC_CHECK(s, SHELL_MAGIC);
	MUST(i < s->n_workers);
	return s->set ? s->contexts[i] : NULL;
}

/* ---- the command check */

struct check {
	uint32_t magic;
	struct shell *shell;
	struct ctl_deferred *reply;
	bool json;
	_Atomic unsigned checked; /* structures */
};

/* The connections of all listeners are those of the server. */
static void check_sockets(const struct shell_worker *w)
{
	unsigned open = 0;
	for (const struct shell_socket *s = w->sockets; s; s = s->next) {
		MAGIC_CHECK(s->listener, LISTENER_MAGIC);
		open += s->stats.open;
	}
	MUST(open == http_server_conns(w->server));
}

/* What they hold of the worker's is found while the server's connections, and the daemon's calls, are checked. */
static unsigned check_worker(struct shell_worker *w)
{
	MUST(w->n_listening <= SHELL_LISTEN_MAX);
	struct worker *own = w->worker;
	slab_find(&own->buffers);
	pipes_find(&own->pipes);
	unsigned n = http_server_check(w->server) + w->shell->ops->check(w);
	slab_check_found(&own->buffers);
	pipes_check_found(&own->pipes);
	check_sockets(w);
	return n + slab_check(&own->buffers) + pipes_check(&own->pipes) +
	       mailbox_check(&own->mailbox);
}

static void on_check_worker(struct worker *worker, void *arg)
{
	struct check *c = arg;
	MAGIC_CHECK(c, CHECK_MAGIC);
	atomic_fetch_add(&c->checked, check_worker(context_of(worker)));
}

static unsigned check_listeners(const struct shell *s)
{
	unsigned n = 0;
	for (const struct listener *l = s->listeners; l; l = l->next, n++)
		MUST(l->count == 0 || l->count == s->n_workers);
	for (unsigned i = 0; i < s->plan.n_listen; i++)
		MUST(find_listener(s, &s->plan.listen[i], true));
	return n;
}

/* A client's unit may be on its way to a worker that has to look whether there still is a client; one at most each. */
static void check_clients(const struct shell *s)
{
	uint32_t open = 0, taken = budget_taken(s->clients);
	for (unsigned i = 0; i < s->n_workers; i++) {
		const struct shell_worker *w = s->contexts[i];
		open += http_server_conns(w->server);
	}
	MUST(open <= taken && taken <= open + s->n_workers);
}

static unsigned check_shared(struct shell *s, bool still)
{
	budget_check(s->clients);
	budget_check(s->calls);
	if (still)
		check_clients(s);
	return 2 + mailbox_check(&s->mailbox) + check_listeners(s) + s->ops->check_shared(s, still);
}

static void on_check_shared(bool still, void *arg)
{
	struct check *c = arg;
	MAGIC_CHECK(c, CHECK_MAGIC);
	struct text t;
	struct report r;
	text_init(&t, 1024);
	report_begin(&r, &t, c->json ? REPORT_JSON : REPORT_TEXT);
	report_object(&r, NULL);
	unsigned shared = check_shared(c->shell, still);
	report_uint(&r, "checked", NULL, shared + atomic_load(&c->checked));
	report_uint(&r, "standstill", NULL, still);
	report_close(&r);
	report_end(&r);
	ctl_reply(c->reply, str_of(t.p, t.n));
	text_fini(&t);
	MAGIC_WIPE(c, CHECK_MAGIC);
	free(c);
}

static const struct standstill_ops check_ops = {.each = on_check_worker, .all = on_check_shared};

void shell_cmd_check(struct text *out UNUSED, struct str args UNUSED, bool json, void *daemon)
{
	struct shell *s = shell_of(daemon);
	struct check *c = def_xcalloc(1, sizeof(*c));
	MAGIC_SET(c, CHECK_MAGIC);
	c->shell = s;
	c->reply = ctl_defer(daemon_ctl(daemon));
	c->json = json;
	standstill_begin(s->set, &s->mailbox, &check_ops, c);
}
