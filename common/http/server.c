// SPDX-License-Identifier: MIT
/*
 * The server object: listeners, limits, and the connections' memory.
 *
 * One accept() an event: the listening socket is level-triggered, so a queue is worked off one connection a turn,
 * interleaved with the work already taken on, and no call is spent on learning that the queue is empty. At
 * max_conns, or with the budget spent, accepting stops and the kernel's queue holds the rest. The budget queues up only
 * a server that has a client to accept; a unit handed over is used for that client at once or given back.
 */
#include "http/conn.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/sock.h"

#define LINGER_US (2 * CLOCK_SECOND)
#define RESUME_S  0.1

static void watch_listeners(struct http_server *s, bool on)
{
	s->accepting = on;
	for (struct http_listener *l = s->listeners; l; l = l->next) {
		if (on)
			ev_io_start(s->worker->loop, &l->readable);
		else
			ev_io_stop(s->worker->loop, &l->readable);
	}
}

static void on_resume(struct ev_loop *loop, struct ev_timer *w, int events)
{
	struct http_server *s = container_of(w, struct http_server, resume);
	(void)loop;
	(void)events;
	if (!s->draining && s->conn_slab.used < s->conf.max_conns)
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
	int fd = sock_accept(l->readable.fd, &peer);
	if (fd >= 0)
		http_conn_open(s, fd, &peer, l->tag);
	else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
		out_of_descriptors(s);
	return fd >= 0;
}

static void on_accept(struct ev_loop *loop UNUSED, struct ev_io *w, int events UNUSED)
{
	struct http_listener *l = container_of(w, struct http_listener, readable);
	struct http_server *s = l->server;
	struct budget *b = s->conf.budget;
	if (b && !budget_take(b, s->waiter)) {
		s->queued = true;
		watch_listeners(s, false);
		return;
	}
	if (!accept_one(l) && b)
		budget_give(b);
	if (s->accepting && s->conn_slab.used >= s->conf.max_conns)
		watch_listeners(s, false);
}

static void on_granted(void *arg)
{
	struct http_server *s = arg;
	struct http_listener *l = s->draining ? NULL : s->listeners;
	s->queued = false;
	while (l && !accept_one(l))
		l = l->next;
	if (!l)
		budget_give(s->conf.budget);
	http_server_closed(s);
}

void http_server_closed(struct http_server *s)
{
	if (!s->accepting && !s->draining && !s->queued && !ev_is_active(&s->resume) &&
	    s->conn_slab.used < s->conf.max_conns)
		watch_listeners(s, true);
}

static void set_waits(struct http_server *s)
{
	deadline_class_set(&s->on_head, s->conf.head_us);
	deadline_class_set(&s->on_idle, s->conf.idle_us);
	deadline_class_set(&s->on_body, s->conf.body_us);
	deadline_class_set(&s->on_send, s->conf.send_us);
}

struct http_server *http_server_new(struct worker *w, const struct http_server_conf *conf,
				    const struct http_handler *handler, void *user)
{
	struct http_server *s = def_xcalloc(1, sizeof(*s));
	s->worker = w;
	s->conf = *conf;
	s->handler = handler;
	s->user = user;
	s->accepting = true;
	s->conns.prev = s->conns.next = &s->conns;
	slab_init(&s->conn_slab, sizeof(struct http_conn), conf->max_conns, 256);
	slab_init(&s->active_slab, sizeof(struct http_active), conf->max_conns, 64);
	struct deadline_class *classes[] = {&s->on_head, &s->on_idle, &s->on_body, &s->on_send,
					    &s->on_linger};
	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		deadline_class_init(classes[i], w->loop, LINGER_US, http_conn_expired);
	set_waits(s);
	ev_timer_init(&s->resume, on_resume, 0., 0.);
	if (conf->budget)
		s->waiter = budget_waiter_new(conf->budget, &w->mailbox, on_granted, s);
	return s;
}

void http_server_set_conf(struct http_server *s, const struct http_server_conf *conf)
{
	MUST(conf->budget == s->conf.budget);
	s->conf = *conf;
	s->conn_slab.cap = s->active_slab.cap = conf->max_conns;
	set_waits(s);
	http_server_closed(s);
}

void *http_server_user(const struct http_server *s)
{
	return s->user;
}

void http_server_listen(struct http_server *s, int fd, void *tag)
{
	struct http_listener *l = def_xcalloc(1, sizeof(*l));
	l->server = s;
	l->tag = tag;
	l->next = s->listeners;
	s->listeners = l;
	ev_io_init(&l->readable, on_accept, fd, EV_READ);
	if (s->accepting)
		ev_io_start(s->worker->loop, &l->readable);
}

static void free_listener(struct http_server *s, struct http_listener **at)
{
	struct http_listener *l = *at;
	*at = l->next;
	ev_io_stop(s->worker->loop, &l->readable);
	free(l);
}

static void drain_of(struct http_server *s, const void *tag)
{
	for (struct http_conn *c = s->conns.next, *next; c != &s->conns; c = next) {
		next = c->next;
		if (c->tag != tag)
			continue;
		c->leaving = true;
		if (c->state == HTTP_CONN_IDLE)
			http_conn_drain(c);
	}
}

void http_server_unlisten(struct http_server *s, int fd)
{
	for (struct http_listener **at = &s->listeners; *at; at = &(*at)->next) {
		if ((*at)->readable.fd == fd) {
			const void *tag = (*at)->tag;
			free_listener(s, at);
			drain_of(s, tag);
			return;
		}
	}
}

void http_server_adopt(struct http_server *s, int fd, const struct addr *peer, void *tag)
{
	MUST(!s->conf.budget);
	http_conn_open(s, fd, peer, tag);
}

void http_server_drain(struct http_server *s)
{
	s->draining = true;
	watch_listeners(s, false);
	for (struct http_conn *c = s->conns.next, *next; c != &s->conns; c = next) {
		next = c->next;
		if (c->state == HTTP_CONN_IDLE)
			http_conn_drain(c);
	}
}

unsigned http_server_conns(const struct http_server *s)
{
	return s->conn_slab.used;
}

void http_server_free(struct http_server *s)
{
	s->draining = true;
	budget_waiter_free(s->waiter);
	while (s->listeners)
		free_listener(s, &s->listeners);
	while (s->conns.next != &s->conns) {
		if (s->conns.next->state == HTTP_CONN_EXCHANGE)
			http_conn_abort(s->conns.next, HTTP_ABORT_STOP);
		else
			http_conn_close(s->conns.next);
	}
	ev_timer_stop(s->worker->loop, &s->resume);
	struct deadline_class *classes[] = {&s->on_head, &s->on_idle, &s->on_body, &s->on_send,
					    &s->on_linger};
	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		deadline_class_fini(classes[i]);
	slab_fini(&s->active_slab);
	slab_fini(&s->conn_slab);
	free(s);
}

const struct addr *http_server_peer(const struct http_exchange *x)
{
	return &x->conn->peer;
}

void *http_server_tag(const struct http_exchange *x)
{
	return x->conn->tag;
}

const struct http_server_stats *http_server_stats(const struct http_server *s)
{
	return &s->stats;
}

struct str http_server_date(struct http_server *s)
{
	int64_t now_s = clock_wall_s();
	if (now_s != s->date_s) {
		http_date_format(s->date, now_s);
		s->date_s = now_s;
	}
	return str_of(s->date, HTTP_DATE_LEN);
}
