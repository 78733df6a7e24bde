// SPDX-License-Identifier: MIT
#include "front.h"

#include "base/clock.h"
#include "base/log.h"
#include "edged.h"
#include "fetch.h"
#include "net/proxy_io.h"
#include "serve.h"

static void on_refused(struct http_server *s, const struct http_refusal *r)
{
	struct front *f = front_from(http_server_user(s));
	char text[ADDR_TEXT_SIZE];
	if (r->cause == HTTP_REFUSAL_HANDSHAKE) { /* no request has begun */
		front_count(f, STAT_proxy_errors);
		log_warn("conn %s: %s", addr_format(r->peer, text), r->bad.reason);
		return;
	}
	front_count(f, STAT_requests);
	front_count(f, STAT_refused);
	log_info("conn %s: %u %s: \"%.*s\"", addr_format(r->peer, text), r->bad.status,
		 r->bad.reason, (int)MIN(r->first_line.n, 80u), r->first_line.p);
}

/* A client that half-closes while it waits still gets its answer: there is nothing to be told. */
static const struct http_handler handler = {.request = serve_begin,
					    .readable = serve_readable,
					    .writable = serve_writable,
					    .closed = serve_closed};

const struct http_server_ops front_server_ops = {.handler = &handler, .refused = on_refused};

struct http_listener_conf front_listener_conf(const struct daemon_generation *g,
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

static struct http_client_conf client_conf(struct front *f)
{
	const struct edge_settings *s = conf_of(f->base.gen)->settings;
	struct http_client_conf c = HTTP_CLIENT_CONF_DEFAULT;
	c.max_calls = UINT32_MAX; /* of one worker */
	c.budget = f->base.calls;
	c.idle = &f->idle;
	c.connect_us = s->connect_ms * CLOCK_MSEC;
	c.response_us = c.body_us = s->response_ms * CLOCK_MSEC;
	c.idle_us = s->origin_idle_ms * CLOCK_MSEC;
	return c;
}

void front_init(struct shell_worker *w)
{
	struct front *f = front_from(w);
	const struct edged *own = shell_user(w->shell);
	struct http_client_conf c = client_conf(f);
	f->index = own->index;
	f->idle.max = w->idle;
	deadline_class_init(&f->on_silence, w->worker->loop,
			    conf_of(w->gen)->settings->tunnel_ms * CLOCK_MSEC, serve_silent);
	f->origin = http_client_new(w->worker, &c);
	slab_init(&f->fetches, fetch_size(), w->origin, 16);
}

void front_apply(struct shell_worker *w)
{
	struct front *f = front_from(w);
	struct http_client_conf c = client_conf(f);
	f->idle.max = w->idle;
	http_client_set_conf(f->origin, &c);
	deadline_class_set(&f->on_silence, conf_of(w->gen)->settings->tunnel_ms * CLOCK_MSEC);
	slab_set_cap(&f->fetches, w->origin);
}

void front_fini(struct shell_worker *w)
{
	struct front *f = front_from(w);
	http_client_free(f->origin);
	deadline_class_fini(&f->on_silence);
	slab_fini(&f->fetches);
}
