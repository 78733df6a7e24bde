// SPDX-License-Identifier: MIT
#include "lb_worker.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/proxy_io.h"
#include "proxy.h"
#include "stats_page.h"

static const struct lb_bind *bind_of(const struct lb_config *c, const struct addr *listen)
{
	for (unsigned i = 0; i < c->n_binds; i++)
		if (addr_eq(&c->binds[i].addr, listen))
			return &c->binds[i];
	return NULL;
}

/* The bind of the current generation that a request came in by; NULL when a reload has removed it. */
static const struct lb_bind *bind_of_request(const struct lb_worker *w,
					     const struct http_exchange *x)
{
	return bind_of(conf_of(w->base.gen), &listener_from(x->tag)->addr);
}

/* ---- called by the http_server */

static void on_request(struct http_exchange *x)
{
	struct lb_worker *w = lb_worker_of(x);
	MUST(worker_here(w->base.worker));
	const struct lb_bind *b = bind_of_request(w, x);
	x->user = NULL;
	if (b)
		lb_count_frontend(w, b, FRONTEND_requests, 1);
	if (!b)
		http_exchange_error(x, 503, "This address is no longer served.", STR_NONE);
	else if (b->pool)
		proxy_begin(x, b);
	else
		stats_page(x);
}

static void on_closed(struct http_exchange *x, enum http_end why)
{
	const struct lb_bind *b;
	if (x->user) /* the statistics page has no state */
		proxy_closed(x, why);
	else if ((b = bind_of_request(lb_worker_of(x), x)))
		lb_count_frontend(lb_worker_of(x), b,
				  stats_by_class(FRONTEND_responses_1xx, x->status), 1);
}

static const struct http_handler handler = {.request = on_request,
					    .readable = proxy_readable,
					    .writable = proxy_writable,
					    .closed = on_closed};

static const char *refusal_state(enum http_refusal_cause cause)
{
	switch (cause) {
	case HTTP_REFUSAL_TIMEOUT:
		return "cR--";
	case HTTP_REFUSAL_CLOSED:
		return "CR--";
	case HTTP_REFUSAL_MALFORMED:
		return "PR--";
	case HTTP_REFUSAL_HANDSHAKE:
		WRONG("no request had begun");
	}
	WRONG("a cause without a state");
}

static void on_refused(struct http_server *s, const struct http_refusal *r)
{
	struct lb_worker *w = lb_worker_from(http_server_user(s));
	const struct lb_config *c = conf_of(w->base.gen);
	const struct lb_bind *bind = bind_of(c, &listener_from(r->tag)->addr);
	struct str name = bind ? bind->frontend : STR("-");
	int64_t now_us = worker_now_us(w->base.worker);
	char text[ADDR_TEXT_SIZE];
	if (r->cause == HTTP_REFUSAL_HANDSHAKE) { /* no request has begun */
		lb_count(w, STAT_proxy_errors, 1);
		if (bind)
			lb_count_frontend(w, bind, FRONTEND_proxy_errors, 1);
		log_warn("conn %s: %s", addr_format(r->peer, text), r->bad.reason);
		return;
	}
	MUST(r->bad.status >= 400 && r->bad.status < 600 && r->bad.reason);
	lb_count(w, STAT_requests, 1);
	lb_count(w, STAT_refused, 1);
	lb_count(w, r->bad.status < 500 ? STAT_responses_4xx : STAT_responses_5xx, 1);
	if (bind) {
		lb_count_frontend(w, bind, FRONTEND_requests, 1);
		lb_count_frontend(w, bind, FRONTEND_refused, 1);
		lb_count_frontend(w, bind, stats_by_class(FRONTEND_responses_1xx, r->bad.status),
				  1);
	}
	log_info("conn %s: %u %s: \"%.*s\"", addr_format(r->peer, text), r->bad.status,
		 r->bad.reason, (int)MIN(r->first_line.n, 80u), r->first_line.p);
	if (!c->settings->access_log)
		return;
	struct access_entry e = {.peer = r->peer,
				 .frontend = name,
				 .pool = name,
				 .server = STR("<NOSRV>"),
				 .request_ms = -1,
				 .queue_ms = -1,
				 .connect_ms = -1,
				 .response_ms = -1,
				 .total_ms = (now_us - r->started_us) / CLOCK_MSEC,
				 .status = r->bad.status,
				 .target = STR("<BADREQ>")};
	memcpy(e.termination_state, refusal_state(r->cause), sizeof(e.termination_state));
	access_log_add(&w->log, &e, clock_wall_us() - (now_us - r->started_us));
}

const struct http_server_ops lb_worker_server_ops = {.handler = &handler, .refused = on_refused};

/* ---- configuration */

struct http_listener_conf lb_worker_listener_conf(const struct daemon_generation *g,
						  const struct addr *listen)
{
	const struct lb_settings *s = conf_of(g)->settings;
	const struct lb_bind *bind = bind_of(conf_of(g), listen);
	struct http_listener_conf c = HTTP_LISTENER_CONF_DEFAULT;
	MUST(bind); /* the shell asks only for addresses that g listens on */
	c.handshake_us = c.head_us = s->request_ms * CLOCK_MSEC;
	c.idle_us = s->keepalive_ms * CLOCK_MSEC;
	c.body_us = c.send_us = s->client_ms * CLOCK_MSEC;
	if (bind->proxies->n) {
		c.open_io = proxy_io_open;
		c.io_arg = bind->proxies;
	}
	return c;
}

static struct http_client_conf client_conf(struct lb_worker *w, const struct conf_pool *p)
{
	const struct lb_settings *s = conf_of(w->base.gen)->settings;
	struct http_client_conf c = HTTP_CLIENT_CONF_DEFAULT;
	c.idle = &w->idle;
	c.max_calls = UINT32_MAX; /* one a request: maxconn bounds them too */
	c.connect_us = p->connect_ms * CLOCK_MSEC;
	c.response_us = c.body_us = p->server_ms * CLOCK_MSEC;
	c.idle_us = s->server_idle_ms * CLOCK_MSEC;
	return c;
}

struct http_client *lb_worker_client(struct lb_worker *w, const struct lb_pool *p)
{
	MUST(p->live->id < LB_POOLS_MAX);
	struct http_client **at = &w->clients[p->live->id];
	if (!*at) {
		struct http_client_conf c = client_conf(w, p->conf);
		*at = http_client_new(w->base.worker, &c);
	}
	return *at;
}

void lb_worker_apply(struct shell_worker *base)
{
	struct lb_worker *w = lb_worker_from(base);
	const struct lb_config *c = conf_of(base->gen);
	MUST(worker_here(base->worker));
	w->idle.max = base->idle;
	deadline_class_set(&w->on_silence, c->settings->tunnel_ms * CLOCK_MSEC);
	for (unsigned i = 0; i < c->n_pools; i++) {
		MAGIC_CHECK(c->pools[i].live, POOL_MAGIC);
		struct http_client *cl = w->clients[c->pools[i].live->id];
		struct http_client_conf cc = client_conf(w, c->pools[i].conf);
		if (cl)
			http_client_set_conf(cl, &cc);
	}
}

/* ---- the worker's life */

/*
 * A socket's connections and bytes count for the frontend that has its address now, or had it last. When another
 * frontend takes the address over, the open connections move with it.
 */
static void publish_socket(struct lb_worker *w, struct shell_socket *s)
{
	const struct lb_bind *b = bind_of(conf_of(w->base.gen), &s->listener->addr);
	unsigned slot = b ? b->slot : s->slot;
	MAGIC_CHECK(s->listener, LISTENER_MAGIC);
	MUST(s->stats.accepted >= s->seen.accepted && s->stats.open <= s->stats.accepted);
	MUST(s->stats.bytes_in >= s->seen.bytes_in && s->stats.bytes_out >= s->seen.bytes_out);
	stats_cell *before = lb_cells(w, STATS_FRONTEND, s->slot);
	stats_cell *now = lb_cells(w, STATS_FRONTEND, slot);
	stats_add(&before[FRONTEND_clients], -(int64_t)s->seen.open);
	stats_add(&now[FRONTEND_clients], s->stats.open);
	stats_add(&now[FRONTEND_connections], (int64_t)(s->stats.accepted - s->seen.accepted));
	stats_add(&now[FRONTEND_bytes_in], (int64_t)(s->stats.bytes_in - s->seen.bytes_in));
	stats_add(&now[FRONTEND_bytes_out], (int64_t)(s->stats.bytes_out - s->seen.bytes_out));
	s->seen = s->stats;
	s->slot = slot;
}

void lb_worker_publish(struct shell_worker *base)
{
	struct lb_worker *w = lb_worker_from(base);
	MUST(worker_here(base->worker));
	stats_set(&base->stats[STAT_running], w->running);
	for (struct shell_socket *s = base->sockets; s; s = s->next)
		publish_socket(w, s);
}

void lb_worker_init(struct shell_worker *base)
{
	struct lb_worker *w = lb_worker_from(base);
	MUST(worker_here(base->worker) && !w->stats);
	w->idle.max = base->idle;
	list_init(&w->proxies);
	access_log_init(&w->log);
	w->stats = shell_stats(base->shell);
	deadline_class_init(&w->on_silence, base->worker->loop,
			    conf_of(base->gen)->settings->tunnel_ms * CLOCK_MSEC, proxy_silent);
}

void lb_worker_fini(struct shell_worker *base)
{
	struct lb_worker *w = lb_worker_from(base);
	MUST(worker_here(base->worker) && w->running == 0 && list_check(&w->proxies) == 0);
	for (unsigned i = 0; i < LB_POOLS_MAX; i++)
		if (w->clients[i])
			http_client_free(w->clients[i]);
	deadline_class_fini(&w->on_silence);
	access_log_fini(&w->log);
}

void lb_worker_forget(struct lb_worker *w, const struct addr *server)
{
	MUST(worker_here(w->base.worker));
	for (unsigned i = 0; i < LB_POOLS_MAX; i++)
		if (w->clients[i])
			http_client_forget(w->clients[i], server);
}

unsigned lb_worker_check(struct shell_worker *base)
{
	const struct lb_worker *w = lb_worker_from(base);
	unsigned n = proxy_check(w) + deadline_class_check(&w->on_silence), idle = 0;
	for (unsigned i = 0; i < LB_POOLS_MAX; i++)
		if (w->clients[i]) {
			n += http_client_check(w->clients[i]);
			idle += http_client_idle(w->clients[i]);
		}
	MUST(idle == w->idle.n);
	return n;
}
