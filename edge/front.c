// SPDX-License-Identifier: MIT
#include "front.h"

#include "base/clock.h"
#include "base/log.h"
#include "fetch.h"
#include "serve.h"

static void on_refused(struct http_server *s, const struct addr *peer, void *tag,
		       struct http_bad bad, struct str first_line)
{
	struct front *f = http_server_user(s);
	char text[ADDR_TEXT_SIZE];
	(void)tag;
	front_count(f, STAT_requests);
	front_count(f, STAT_refused);
	log_info("conn %s: %u %s: \"%.*s\"", addr_format(peer, text), bad.status, bad.reason,
		 (int)MIN(first_line.n, 80u), first_line.p);
}

static const struct http_handler handler = {.request = serve_begin,
					    .readable = serve_readable,
					    .writable = serve_writable,
					    .aborted = serve_aborted,
					    .refused = on_refused};

static uint32_t share(const struct front *f, uint32_t all)
{
	unsigned workers = worker_set_count(f->worker->set);
	return MAX(1, (all + workers - 1) / workers);
}

static struct http_server_conf server_conf(const struct front *f, const struct edge_settings *s)
{
	struct http_server_conf c = HTTP_SERVER_CONF_DEFAULT;
	c.max_conns = share(f, s->maxconn);
	c.head_us = s->request_ms * CLOCK_MSEC;
	c.idle_us = s->keepalive_ms * CLOCK_MSEC;
	c.body_us = c.send_us = s->client_ms * CLOCK_MSEC;
	return c;
}

static struct http_client_conf client_conf(const struct front *f, const struct edge_settings *s)
{
	struct http_client_conf c = HTTP_CLIENT_CONF_DEFAULT;
	c.max_calls = share(f, s->origin_maxconn);
	c.connect_us = s->connect_ms * CLOCK_MSEC;
	c.response_us = c.body_us = s->response_ms * CLOCK_MSEC;
	c.idle_us = s->origin_idle_ms * CLOCK_MSEC;
	return c;
}

void front_apply(struct front *f, struct daemon_generation *g)
{
	struct daemon_generation *old = f->gen;
	struct http_server_conf sc = server_conf(f, conf_of(g)->settings);
	struct http_client_conf cc = client_conf(f, conf_of(g)->settings);
	f->gen = daemon_ref(g);
	http_server_set_conf(f->server, &sc);
	http_client_set_conf(f->origin, &cc);
	daemon_unref(old);
}

void front_listen(struct front *f, const struct listener *l)
{
	http_server_listen(f->server, l->fds[f->worker->id], NULL);
}

static void on_tidy(struct ev_loop *loop, struct ev_timer *t, int events)
{
	struct front *f = container_of(t, struct front, tidy);
	struct http_server_stats now = *http_server_stats(f->server);
	(void)loop;
	(void)events;
	stats_add(&f->stats[STAT_connections], (int64_t)(now.accepted - f->seen.accepted));
	stats_add(&f->stats[STAT_bytes_in], (int64_t)(now.bytes_in - f->seen.bytes_in));
	stats_add(&f->stats[STAT_bytes_out], (int64_t)(now.bytes_out - f->seen.bytes_out));
	stats_set(&f->stats[STAT_clients], http_server_conns(f->server));
	f->seen = now;
}

void front_init(struct front *f, struct worker *w, struct index *ix, struct daemon_generation *g,
		stats_cell *stats)
{
	*f = (struct front){.worker = w, .index = ix, .gen = daemon_ref(g), .stats = stats};
	struct http_server_conf sc = server_conf(f, conf_of(g)->settings);
	struct http_client_conf cc = client_conf(f, conf_of(g)->settings);
	f->server = http_server_new(w, &sc, &handler, f);
	f->origin = http_client_new(w, &cc);
	slab_init(&f->fetches, fetch_size(), conf_of(g)->settings->origin_maxconn, 16);
	ev_timer_init(&f->tidy, on_tidy, 1., 1.);
	ev_timer_start(w->loop, &f->tidy);
}

void front_drain(struct front *f)
{
	http_server_drain(f->server);
}

bool front_idle(const struct front *f)
{
	return http_server_conns(f->server) == 0;
}

void front_fini(struct front *f)
{
	http_server_free(f->server);
	http_client_free(f->origin);
	ev_timer_stop(f->worker->loop, &f->tidy);
	slab_fini(&f->fetches);
	daemon_unref(f->gen);
}
