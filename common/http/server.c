// SPDX-License-Identifier: MIT
/*
 * The server object: listeners, limits, and the connections' memory.
 *
 * One accept() an event: the listening socket is level-triggered, so a queue is accepted one connection a turn,
 * interleaved with the requests in progress, and no call is spent on finding the queue empty. At
 * max_conns, or with the budget spent, accepting stops and the kernel's queue holds the rest. The budget queues up only
 * a server that has a client to accept; a unit handed over is used for that client at once or given back.
 *
 * A retired listener lives until the last of its connections is gone: they use its deadlines.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/h1.h"
#include "net/sock.h"

#define LINGER_US (2 * CLOCK_SECOND)
#define RESUME_S  0.1

static void watch_listeners(struct http_server *s, bool on)
{
	s->accepting = on;
	for (struct http_listener *l = s->listeners; l; l = l->next) {
		if (on && !l->retired)
			ev_io_start(s->worker->loop, &l->readable);
		else
			ev_io_stop(s->worker->loop, &l->readable);
	}
}

static bool is_full(const struct http_server *s)
{
	return s->conn_slab.used >= s->conf.max_conns;
}

static void on_resume(struct ev_loop *loop UNUSED, struct ev_timer *w, int events UNUSED)
{
	struct http_server *s = container_of(w, struct http_server, resume);
	MAGIC_CHECK(s, HTTP_SERVER_MAGIC);
	if (!s->draining && !is_full(s))
		watch_listeners(s, true);
}

static void out_of_descriptors(struct http_server *s)
{
	log_warn("accept: %m; no new connections for a moment");
	watch_listeners(s, false);
	ev_timer_stop(s->worker->loop, &s->resume);
	ev_timer_set(&s->resume, RESUME_S, 0.);
	ev_timer_start(s->worker->loop, &s->resume);
}

/* Accepts one, by the unit that was taken for it. */
static bool accept_one(struct http_listener *l)
{
	struct http_server *s = l->server;
	struct addr peer;
	MAGIC_CHECK(l, HTTP_LISTENER_MAGIC);
	int fd = sock_accept(l->readable.fd, &peer);
	if (fd >= 0)
		http_h1_open(l, fd, &peer);
	else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
		out_of_descriptors(s);
	return fd >= 0;
}

static void on_accept(struct ev_loop *loop UNUSED, struct ev_io *w, int events UNUSED)
{
	struct http_listener *l = container_of(w, struct http_listener, readable);
	MAGIC_CHECK(l, HTTP_LISTENER_MAGIC);
	struct http_server *s = l->server;
	struct budget *b = s->conf.budget;
	if (b && !budget_take(b, s->waiter)) {
		s->queued = true;
		watch_listeners(s, false);
		return;
	}
	if (!accept_one(l) && b)
		budget_give(b);
	if (s->accepting && is_full(s))
		watch_listeners(s, false);
}

static void resume_accepting(struct http_server *s)
{
	if (!s->accepting && !s->draining && !s->queued && !ev_is_active(&s->resume) && !is_full(s))
		watch_listeners(s, true);
}

static void move_to_end(struct http_server *s, struct http_listener *l)
{
	struct http_listener **at = &s->listeners;
	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	while (*at)
		at = &(*at)->next;
	*at = l;
	l->next = NULL;
}

/* The listener that gets the unit is the last to be looked at next time, however long its queue is. */
static void on_granted(void *arg)
{
	struct http_server *s = arg;
	MAGIC_CHECK(s, HTTP_SERVER_MAGIC);
	struct http_listener *l = s->draining ? NULL : s->listeners;
	MUST(s->queued);
	s->queued = false;
	while (l && (l->retired || !accept_one(l)))
		l = l->next;
	if (l)
		move_to_end(s, l);
	else
		budget_give(s->conf.budget);
	resume_accepting(s);
}

static void free_listener(struct http_listener *l)
{
	struct deadline_class *classes[] = {&l->on_handshake, &l->on_head, &l->on_idle, &l->on_body,
					    &l->on_send};
	struct http_listener **at = &l->server->listeners;
	MUST(l->conns == 0);
	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	ev_io_stop(l->server->worker->loop, &l->readable);
	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		deadline_class_fini(classes[i]);
	MAGIC_WIPE(l, HTTP_LISTENER_MAGIC);
	free(l);
}

void http_server_closed(struct http_listener *l)
{
	struct http_server *s = l->server;
	MUST(l->conns > 0 && l->stats->open > 0);
	l->stats->open--;
	if (--l->conns == 0 && l->retired)
		free_listener(l);
	if (s->conf.budget)
		budget_give(s->conf.budget);
	resume_accepting(s);
}

/* ---- the server object */

struct http_server *http_server_new(struct worker *w, const struct http_server_ops *ops,
				    const struct http_server_conf *conf, void *user)
{
	struct http_server *s = def_xcalloc(1, sizeof(*s));
	MAGIC_SET(s, HTTP_SERVER_MAGIC);
	s->worker = w;
	s->ops = ops;
	s->user = user;
	s->conf = *conf;
	s->accepting = true;
	s->conns.prev = s->conns.next = &s->conns;
	slab_init(&s->conn_slab, sizeof(struct http_conn), conf->max_conns, 256);
	slab_init(&s->h1_slab, sizeof(struct http_h1), conf->max_conns, 64);
	deadline_class_init(&s->on_linger, w->loop, LINGER_US, http_h1_expired);
	ev_timer_init(&s->resume, on_resume, 0., 0.);
	if (conf->budget)
		s->waiter = budget_waiter_new(conf->budget, &w->mailbox, on_granted, s);
	return s;
}

void *http_server_user(const struct http_server *s)
{
	return s->user;
}

/* ---- listeners */

void http_server_listen(struct http_server *s, int fd, const struct http_listener_conf *conf,
			void *tag, struct http_listen_stats *stats)
{
	struct http_listener *l = def_xcalloc(1, sizeof(*l));
	struct ev_loop *loop = s->worker->loop;
	MAGIC_SET(l, HTTP_LISTENER_MAGIC);
	l->server = s;
	l->conf = *conf;
	l->tag = tag;
	l->stats = stats ? stats : &l->own_stats;
	deadline_class_init(&l->on_handshake, loop, conf->handshake_us, http_h1_expired);
	deadline_class_init(&l->on_head, loop, conf->head_us, http_h1_expired);
	deadline_class_init(&l->on_idle, loop, conf->idle_us, http_h1_expired);
	deadline_class_init(&l->on_body, loop, conf->body_us, http_h1_body_expired);
	deadline_class_init(&l->on_send, loop, conf->send_us, http_h1_send_expired);
	l->next = s->listeners;
	s->listeners = l;
	ev_io_init(&l->readable, on_accept, fd, EV_READ);
	if (s->accepting)
		ev_io_start(loop, &l->readable);
}

static struct http_listener *find_listener(struct http_server *s, int fd)
{
	struct http_listener *l = s->listeners;
	while (l && (l->retired || l->readable.fd != fd))
		l = l->next;
	MUST(l);
	return l;
}

void http_server_configure(struct http_server *s, int fd, const struct http_listener_conf *conf)
{
	struct http_listener *l = find_listener(s, fd);
	l->conf = *conf;
	deadline_class_set(&l->on_handshake, conf->handshake_us);
	deadline_class_set(&l->on_head, conf->head_us);
	deadline_class_set(&l->on_idle, conf->idle_us);
	deadline_class_set(&l->on_body, conf->body_us);
	deadline_class_set(&l->on_send, conf->send_us);
}

void http_server_unlisten(struct http_server *s, int fd)
{
	struct http_listener *l = find_listener(s, fd);
	ev_io_stop(s->worker->loop, &l->readable);
	l->conns++; /* it stays while its connections are told */
	l->retired = true;
	for (struct http_conn *c = s->conns.next, *next; c != &s->conns; c = next) {
		next = c->next;
		if (c->listener != l)
			continue;
		c->leaving = true;
		if (c->state == HTTP_CONN_IDLE || c->state == HTTP_CONN_HANDSHAKE)
			http_h1_drain(c);
	}
	if (--l->conns == 0)
		free_listener(l);
}

void http_server_drain(struct http_server *s)
{
	s->draining = true;
	watch_listeners(s, false);
	for (struct http_conn *c = s->conns.next, *next; c != &s->conns; c = next) {
		next = c->next;
		if (c->state == HTTP_CONN_IDLE || c->state == HTTP_CONN_HANDSHAKE)
			http_h1_drain(c);
	}
}

unsigned http_server_conns(const struct http_server *s)
{
	return s->conn_slab.used;
}

void http_server_free(struct http_server *s)
{
	s->draining = true;
	while (s->conns.next != &s->conns) {
		if (s->conns.next->state == HTTP_CONN_EXCHANGE)
			http_h1_abort(s->conns.next, HTTP_END_STOP);
		else
			http_h1_close(s->conns.next);
	}
	while (s->listeners)
		free_listener(s->listeners);
	budget_waiter_free(s->waiter);
	ev_timer_stop(s->worker->loop, &s->resume);
	deadline_class_fini(&s->on_linger);
	slab_fini(&s->h1_slab);
	slab_fini(&s->conn_slab);
	MAGIC_WIPE(s, HTTP_SERVER_MAGIC);
	free(s);
}

const struct http_server_stats *http_server_stats(const struct http_server *s)
{
	return &s->stats;
}

static unsigned check_listener(const struct http_listener *l)
{
	MAGIC_CHECK(l, HTTP_LISTENER_MAGIC);
	MUST(!l->retired || l->conns);
	MUST(l->stats->open >= l->conns);
	return 1 + deadline_class_check(&l->on_handshake) + deadline_class_check(&l->on_head) +
	       deadline_class_check(&l->on_idle) + deadline_class_check(&l->on_body) +
	       deadline_class_check(&l->on_send);
}

unsigned http_server_check(const struct http_server *s)
{
	unsigned n = 0, exchanges = 0, of_listeners = 0, checked = 1;
	MAGIC_CHECK(s, HTTP_SERVER_MAGIC);
	for (const struct http_conn *c = s->conns.next; c != &s->conns; c = c->next, n++) {
		http_h1_check(c);
		exchanges += !!c->h1;
	}
	MUST(n == s->conn_slab.used && exchanges == s->h1_slab.used);
	for (const struct http_listener *l = s->listeners; l; l = l->next) {
		MUST(l->server == s);
		checked += check_listener(l);
		of_listeners += l->conns;
	}
	MUST(n == of_listeners);
	checked += slab_check(&s->conn_slab) + slab_check(&s->h1_slab);
	return checked + n + deadline_class_check(&s->on_linger);
}
