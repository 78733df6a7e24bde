// SPDX-License-Identifier: MIT
#include "front.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "proxy.h"
#include "stats_page.h"

/* ---- what the http_server calls */

static void on_request(struct http_exchange *x)
{
	const struct lb_bind *b = front_bind(front_of(x), x);
	if (!b)
		http_server_error(x, 503, "This address is no longer served.", STR_NONE);
	else if (b->pool)
		proxy_begin(x, b);
	else
		stats_page(x);
}

static void on_readable(struct http_exchange *x)
{
	proxy_readable(x);
}

static void on_writable(struct http_exchange *x)
{
	proxy_writable(x);
}

static void on_aborted(struct http_exchange *x, enum http_abort why)
{
	proxy_aborted(x, why);
}

static void on_refused(struct http_server *s, const struct addr *peer, void *tag,
		       struct http_bad bad, struct str first_line)
{
	struct front *f = http_server_user(s);
	const struct listener *l = tag;
	char text[ADDR_TEXT_SIZE];
	const struct lb_config *c = conf_of(f->gen);
	struct str name = STR("-");
	for (unsigned i = 0; i < c->n_binds; i++)
		if (addr_eq(&c->binds[i].addr, &l->addr))
			name = c->binds[i].frontend;
	stats_add(&f->stats[STAT_requests], 1);
	stats_add(&f->stats[STAT_refused], 1);
	stats_add(&f->stats[STAT_responses_4xx], bad.status < 500);
	stats_add(&f->stats[STAT_responses_5xx], bad.status >= 500);
	log_info("conn %s: %u %s: \"%.*s\"", addr_format(peer, text), bad.status, bad.reason,
		 (int)MIN(first_line.n, 80u), first_line.p);
	if (!c->settings->access_log)
		return;
	struct access_entry e = {.peer = peer,
				 .frontend = name,
				 .pool = name,
				 .server = STR("<NOSRV>"),
				 .request_ms = -1,
				 .queue_ms = -1,
				 .connect_ms = -1,
				 .response_ms = -1,
				 .status = bad.status,
				 .target = STR("<BADREQ>")};
	memcpy(e.ends, bad.status == 408 ? "cR--" : "PR--", 5);
	access_log_add(&f->log, &e, clock_wall_us());
}

static const struct http_handler handler = {.request = on_request,
					    .readable = on_readable,
					    .writable = on_writable,
					    .aborted = on_aborted,
					    .refused = on_refused};

/* ---- configuration */

static struct http_server_conf server_conf(const struct front *f, const struct lb_settings *s)
{
	struct http_server_conf c = HTTP_SERVER_CONF_DEFAULT;
	unsigned workers = worker_set_count(f->worker->set);
	c.max_conns = MAX(1, (s->maxconn + workers - 1) / workers);
	c.head_us = s->request_ms * CLOCK_MSEC;
	c.idle_us = s->keepalive_ms * CLOCK_MSEC;
	c.body_us = c.send_us = s->client_ms * CLOCK_MSEC;
	return c;
}

static struct http_client_conf client_conf(const struct lb_settings *s, const struct conf_pool *p)
{
	struct http_client_conf c = HTTP_CLIENT_CONF_DEFAULT;
	c.max_calls = s->maxconn;
	c.connect_us = p->connect_ms * CLOCK_MSEC;
	c.response_us = c.body_us = p->server_ms * CLOCK_MSEC;
	c.idle_us = s->server_idle_ms * CLOCK_MSEC;
	return c;
}

struct http_client *front_client(struct front *f, const struct lb_pool *p)
{
	struct http_client **at = &f->clients[p->live->id];
	if (!*at) {
		struct http_client_conf c = client_conf(conf_of(f->gen)->settings, p->conf);
		*at = http_client_new(f->worker, &c);
	}
	return *at;
}

static void apply_conf(struct front *f, const struct lb_config *c)
{
	struct http_server_conf sc = server_conf(f, c->settings);
	http_server_set_conf(f->server, &sc);
	for (unsigned i = 0; i < c->n_pools; i++) {
		struct http_client *cl = f->clients[c->pools[i].live->id];
		struct http_client_conf cc = client_conf(c->settings, c->pools[i].conf);
		if (cl)
			http_client_set_conf(cl, &cc);
	}
}

static bool among(struct listener *const *all, unsigned n, const struct listener *l)
{
	for (unsigned i = 0; i < n; i++)
		if (all[i] == l)
			return true;
	return false;
}

static void listen_on(struct front *f, struct listener *const *all, unsigned n)
{
	for (unsigned i = 0; i < f->n_listening; i++) {
		const struct listener *old = f->listening[i];
		if (!among(all, n, old)) {
			http_server_unlisten(f->server, old->fds[f->worker->id]);
			close(old->fds[f->worker->id]);
		}
	}
	for (unsigned i = 0; i < n; i++) {
		bool kept = false;
		for (unsigned o = 0; o < f->n_listening; o++)
			kept |= f->listening[o] == all[i];
		if (!kept)
			http_server_listen(f->server, all[i]->fds[f->worker->id], all[i]);
	}
	f->n_listening = n;
	for (unsigned i = 0; i < n; i++)
		f->listening[i] = all[i];
}

void front_apply(struct front *f, struct daemon_generation *g, struct listener *const *listeners,
		 unsigned n)
{
	MUST(n <= ARRAY_LEN(f->listening));
	struct daemon_generation *old = f->gen;
	f->gen = daemon_ref(g);
	apply_conf(f, conf_of(g));
	listen_on(f, listeners, n);
	daemon_unref(old);
}

const struct lb_bind *front_bind(const struct front *f, const struct http_exchange *x)
{
	const struct listener *l = http_server_tag(x);
	const struct lb_config *c = conf_of(f->gen);
	for (unsigned i = 0; i < c->n_binds; i++)
		if (addr_eq(&c->binds[i].addr, &l->addr))
			return &c->binds[i];
	return NULL;
}

/* ---- counters kept elsewhere, brought over once a second */

static void tidy(struct front *f)
{
	struct http_server_stats now = *http_server_stats(f->server);
	stats_add(&f->stats[STAT_connections], (int64_t)(now.accepted - f->seen.accepted));
	stats_add(&f->stats[STAT_bytes_in], (int64_t)(now.bytes_in - f->seen.bytes_in));
	stats_add(&f->stats[STAT_bytes_out], (int64_t)(now.bytes_out - f->seen.bytes_out));
	f->seen = now;
	stats_set(&f->stats[STAT_clients], http_server_conns(f->server));
	stats_set(&f->stats[STAT_running], f->running);
}

static void on_tidy(struct ev_loop *loop, struct ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	tidy(container_of(w, struct front, tidy));
}

void front_init(struct front *f, struct worker *w, struct daemon_generation *g, stats_cell *stats)
{
	*f = (struct front){.worker = w, .gen = daemon_ref(g), .stats = stats};
	struct http_server_conf c = server_conf(f, conf_of(g)->settings);
	f->server = http_server_new(w, &c, &handler, f);
	access_log_init(&f->log, w->loop, STDOUT_FILENO);
	ev_timer_init(&f->tidy, on_tidy, 1., 1.);
	ev_timer_start(w->loop, &f->tidy);
}

void front_fini(struct front *f)
{
	http_server_free(f->server);
	for (unsigned i = 0; i < LB_POOLS_MAX; i++)
		if (f->clients[i])
			http_client_free(f->clients[i]);
	ev_timer_stop(f->worker->loop, &f->tidy);
	access_log_fini(&f->log);
	daemon_unref(f->gen);
}

void front_drain(struct front *f)
{
	http_server_drain(f->server);
}

bool front_idle(const struct front *f)
{
	return http_server_conns(f->server) == 0;
}

void front_forget(struct front *f, const struct addr *server)
{
	for (unsigned i = 0; i < LB_POOLS_MAX; i++)
		if (f->clients[i])
			http_client_forget(f->clients[i], server);
}
