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
	struct front *f = front_from(http_server_user(s));
	const struct listener *l = tag;
	char text[ADDR_TEXT_SIZE];
	const struct lb_config *c = conf_of(f->base.gen);
	struct str name = STR("-");
	for (unsigned i = 0; i < c->n_binds; i++)
		if (addr_eq(&c->binds[i].addr, &l->addr))
			name = c->binds[i].frontend;
	stats_add(&f->base.stats[STAT_requests], 1);
	stats_add(&f->base.stats[STAT_refused], 1);
	stats_add(&f->base.stats[STAT_responses_4xx], bad.status < 500);
	stats_add(&f->base.stats[STAT_responses_5xx], bad.status >= 500);
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

const struct http_handler front_handler = {.request = on_request,
					   .readable = on_readable,
					   .writable = on_writable,
					   .aborted = on_aborted,
					   .refused = on_refused};

/* ---- configuration */

struct http_server_conf front_server_conf(const struct daemon_generation *g)
{
	const struct lb_settings *s = conf_of(g)->settings;
	struct http_server_conf c = HTTP_SERVER_CONF_DEFAULT;
	c.head_us = s->request_ms * CLOCK_MSEC;
	c.idle_us = s->keepalive_ms * CLOCK_MSEC;
	c.body_us = c.send_us = s->client_ms * CLOCK_MSEC;
	return c;
}

static struct http_client_conf client_conf(const struct lb_settings *s, const struct conf_pool *p)
{
	struct http_client_conf c = HTTP_CLIENT_CONF_DEFAULT;
	c.max_calls = UINT32_MAX; /* one a request: what bounds the clients bounds them */
	c.connect_us = p->connect_ms * CLOCK_MSEC;
	c.response_us = c.body_us = p->server_ms * CLOCK_MSEC;
	c.idle_us = s->server_idle_ms * CLOCK_MSEC;
	return c;
}

struct http_client *front_client(struct front *f, const struct lb_pool *p)
{
	struct http_client **at = &f->clients[p->live->id];
	if (!*at) {
		struct http_client_conf c = client_conf(conf_of(f->base.gen)->settings, p->conf);
		*at = http_client_new(f->base.worker, &c);
	}
	return *at;
}

void front_apply(struct shell_worker *w)
{
	struct front *f = front_from(w);
	const struct lb_config *c = conf_of(w->gen);
	for (unsigned i = 0; i < c->n_pools; i++) {
		struct http_client *cl = f->clients[c->pools[i].live->id];
		struct http_client_conf cc = client_conf(c->settings, c->pools[i].conf);
		if (cl)
			http_client_set_conf(cl, &cc);
	}
}

const struct lb_bind *front_bind(const struct front *f, const struct http_exchange *x)
{
	const struct listener *l = http_server_tag(x);
	const struct lb_config *c = conf_of(f->base.gen);
	for (unsigned i = 0; i < c->n_binds; i++)
		if (addr_eq(&c->binds[i].addr, &l->addr))
			return &c->binds[i];
	return NULL;
}

/* ---- the worker's life */

void front_publish(struct shell_worker *w)
{
	stats_set(&w->stats[STAT_running], front_from(w)->running);
}

void front_init(struct shell_worker *w)
{
	access_log_init(&front_from(w)->log, w->worker->loop, STDOUT_FILENO);
}

void front_fini(struct shell_worker *w)
{
	struct front *f = front_from(w);
	for (unsigned i = 0; i < LB_POOLS_MAX; i++)
		if (f->clients[i])
			http_client_free(f->clients[i]);
	access_log_fini(&f->log);
}

void front_forget(struct front *f, const struct addr *server)
{
	for (unsigned i = 0; i < LB_POOLS_MAX; i++)
		if (f->clients[i])
			http_client_forget(f->clients[i], server);
}
