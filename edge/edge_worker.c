// SPDX-License-Identifier: MIT
#include "edge_worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "edged.h"
#include "fetch.h"
#include "net/proxy_io.h"
#include "serve.h"

static void on_refused(struct http_server *s, const struct http_refusal *r)
{
	struct edge_worker *w = edge_worker_from(http_server_user(s));
	char text[ADDR_TEXT_SIZE];
	if (r->cause == HTTP_REFUSAL_HANDSHAKE) { /* no request has begun */
		edge_worker_count(w, STAT_proxy_errors);
		log_warn("conn %s: %s", addr_format(r->peer, text), r->bad.reason);
		return;
	}
	edge_worker_count(w, STAT_requests);
	edge_worker_count(w, STAT_refused);
	log_info("conn %s: %u %s: \"%.*s\"", addr_format(r->peer, text), r->bad.status,
		 r->bad.reason, (int)MIN(r->first_line.n, 80u), r->first_line.p);
}

/* A client that half-closes while it waits still gets its response: no handler is needed. */
static const struct http_handler handler = {.request = serve_begin,
					    .readable = serve_readable,
					    .writable = serve_writable,
					    .closed = serve_closed};

const struct http_server_ops edge_worker_server_ops = {.handler = &handler, .refused = on_refused};

struct http_listener_conf edge_worker_listener_conf(const struct daemon_generation *g,
						    const struct addr *listen UNUSED)
{
	const struct edge_settings *s = conf_of(g)->settings;
	struct http_listener_conf c = HTTP_LISTENER_CONF_DEFAULT;
	c.handshake_us = c.head_us = s->request_ms * CLOCK_MSEC;
	c.idle_us = s->keepalive_ms * CLOCK_MSEC;
	c.body_us = c.send_us = s->client_ms * CLOCK_MSEC;
	if (s->proxies.n) {
		c.open_io = proxy_io_open;
		c.io_arg = &s->proxies;
	}
	return c;
}

static struct http_client_conf client_conf(struct edge_worker *w)
{
	const struct edge_settings *s = conf_of(w->base.gen)->settings;
	struct http_client_conf c = HTTP_CLIENT_CONF_DEFAULT;
	c.max_calls = UINT32_MAX; /* of one worker */
	c.budget = w->base.calls;
	c.idle = &w->idle;
	c.connect_us = s->connect_ms * CLOCK_MSEC;
	c.response_us = c.body_us = s->response_ms * CLOCK_MSEC;
	c.idle_us = s->origin_idle_ms * CLOCK_MSEC;
	return c;
}

void edge_worker_init(struct shell_worker *base)
{
	struct edge_worker *w = edge_worker_from(base);
	const struct edged *own = shell_user(base->shell);
	struct http_client_conf c = client_conf(w);
	MAGIC_CHECK(own, EDGED_MAGIC);
	MUST(worker_here(base->worker) && !w->index);
	list_init(&w->fetching);
	list_init(&w->serves);
	w->index = own->index;
	w->idle.max = base->idle;
	deadline_class_init(&w->on_silence, base->worker->loop,
			    conf_of(base->gen)->settings->tunnel_ms * CLOCK_MSEC, serve_silent);
	w->origin = http_client_new(base->worker, &c);
	slab_init(&w->fetches, fetch_size(), base->origin, 16);
}

void edge_worker_apply(struct shell_worker *base)
{
	struct edge_worker *w = edge_worker_from(base);
	struct http_client_conf c = client_conf(w);
	MUST(worker_here(base->worker));
	w->idle.max = base->idle;
	http_client_set_conf(w->origin, &c);
	deadline_class_set(&w->on_silence, conf_of(base->gen)->settings->tunnel_ms * CLOCK_MSEC);
	slab_set_cap(&w->fetches, base->origin);
}

void edge_worker_fini(struct shell_worker *base)
{
	struct edge_worker *w = edge_worker_from(base);
	MUST(worker_here(base->worker));
	http_client_free(w->origin);
	deadline_class_fini(&w->on_silence);
	slab_fini(&w->fetches);
}

unsigned edge_worker_check(struct shell_worker *base)
{
	const struct edge_worker *w = edge_worker_from(base);
	unsigned fetches = fetch_check(w);
	MUST(fetches == w->fetches.used && http_client_calls(w->origin) <= fetches);
	MUST(http_client_idle(w->origin) == w->idle.n);
	return fetches + serve_check(w) + http_client_check(w->origin) + slab_check(&w->fetches) +
	       deadline_class_check(&w->on_silence);
}
