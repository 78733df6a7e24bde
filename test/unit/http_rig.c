// SPDX-License-Identifier: MIT
#include "http_rig.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

struct rig rig;

/* ---- the origin: answers by path */

struct echo {
	char body[200000];
	size_t n;
};

static void reply(struct http_exchange *x, struct str extra, struct str body)
{
	struct http_response r = {.status = 200, .blocks = 1, .fields = {extra}};
	http_exchange_reply(x, &r, body);
}

struct streaming {
	size_t sent;
};

static void stream(struct http_exchange *x)
{
	struct streaming *s = x->user;
	char piece[10000];
	while (s->sent < RIG_BIG_SIZE) {
		size_t n = MIN(RIG_BIG_SIZE - s->sent, sizeof(piece));
		rig_fill(piece, n, s->sent);
		struct iovec v = {piece, n};
		ssize_t took = http_exchange_write(
			x, &v, 1, s->sent + n == RIG_BIG_SIZE ? HTTP_PIECE_LAST : HTTP_PIECE_SOME);
		if (took < 0)
			return;
		s->sent += (size_t)took;
		if ((size_t)took < n)
			return;
	}
	http_exchange_end(x);
}

static void start_stream(struct http_exchange *x, bool chunked)
{
	x->user = ARENA_NEW(&x->arena, struct streaming);
	struct http_response r = {.status = 200,
				  .framing = chunked ? HTTP_FRAMING_OPEN : HTTP_FRAMING_LENGTH,
				  .length = RIG_BIG_SIZE};
	http_exchange_respond(x, &r);
	stream(x);
}

static void echo_more(struct http_exchange *x)
{
	struct echo *e = x->user;
	for (;;) {
		struct str d = http_exchange_data(x);
		MUST(e->n + d.n <= sizeof(e->body));
		memcpy(e->body + e->n, d.p, d.n);
		e->n += d.n;
		enum http_body_state st = http_exchange_body_state(x);
		http_exchange_consume(x, d.n);
		if (st == HTTP_BODY_END) {
			unsigned sum = 0;
			for (size_t i = 0; i < e->n; i++)
				sum = sum * 31 + (unsigned char)e->body[i];
			struct str copy = arena_printf(&x->arena, "%zu:%u", e->n, sum);
			free(e);
			x->user = NULL;
			reply(x, STR_NONE, copy);
			return;
		}
		if (d.n == 0)
			return;
	}
}

static void origin_request(struct http_exchange *x)
{
	x->user = NULL;
	struct str t = x->head->target;
	if (x->head->expect_continue)
		http_exchange_interim(x, 100, STR_NONE);
	if (str_eq(t, STR("/big"))) {
		start_stream(x, false);
	} else if (str_eq(t, STR("/chunked"))) {
		start_stream(x, true);
	} else if (str_eq(t, STR("/echo"))) {
		x->user = def_xcalloc(1, sizeof(struct echo));
		echo_more(x);
	} else if (str_eq(t, STR("/host"))) {
		struct http_fields f;
		http_fields_init(&f, &x->arena, 64);
		http_fields_add(&f, STR("X-Origin"), STR("yes"));
		reply(x, http_fields_block(&f), x->head->authority);
	} else if (str_eq(t, STR("/early"))) {
		http_exchange_error(x, 413, "too much", STR_NONE);
	} else {
		reply(x, STR_NONE, t);
	}
}

static void origin_readable(struct http_exchange *x)
{
	echo_more(x);
}

static void origin_writable(struct http_exchange *x)
{
	stream(x);
}

static void origin_closed(struct http_exchange *x, enum http_end why UNUSED)
{
	if (str_eq(x->head->target, STR("/echo")))
		free(x->user);
}

static const struct http_handler origin_handler = {.request = origin_request,
						   .readable = origin_readable,
						   .writable = origin_writable,
						   .closed = origin_closed};
static const struct http_server_ops origin_ops = {.handler = &origin_handler};

/* ---- the proxy */

static const struct http_call_ops call_ops;

#define PROXIED_MAGIC 0x50525859u

struct proxied {
	uint32_t magic;
	struct http_exchange *x;
	struct http_call *call;
	struct http_relay relay;
	struct str block;
};

static struct proxied *proxied_of(struct http_exchange *x)
{
	struct proxied *p = x->user;
	MAGIC_CHECK(p, PROXIED_MAGIC);
	return p;
}

static struct proxied *proxied_from(struct http_call *c)
{
	struct proxied *p = c->user;
	MAGIC_CHECK(p, PROXIED_MAGIC);
	return p;
}

static void proxy_goes_on(struct proxied *p, enum http_relay_state state)
{
	http_relay_check(&p->relay);
	if (state != HTTP_RELAY_DONE)
		return;
	struct http_exchange *x = p->x;
	http_relay_fini(&p->relay);
	http_client_end(p->call);
	p->call = NULL;
	http_exchange_end(x);
}

static void proxy_start(struct proxied *p, bool new_connection)
{
	const struct http_head *h = p->x->head;
	struct http_request r = {.method = h->method,
				 .method_text = h->method_text,
				 .target = h->target,
				 .host = h->authority,
				 .upgrade = http_upgrade_of(h),
				 .body = h->body,
				 .length = http_announced_length(h),
				 .blocks = 1,
				 .fields = {p->block}};
	struct http_route route = {.to = &rig.origin_addr, .new_connection = new_connection};
	enum http_fail why;
	p->call = http_client_start(rig.client, &route, &r, &call_ops, p, &why);
	if (!p->call)
		http_exchange_error(p->x, 502, http_client_fail_text(why), STR_NONE);
	else
		http_relay_init(&p->relay, p->x, p->call);
}

static void proxy_request(struct http_exchange *x)
{
	struct http_fields f;
	struct proxied *p = ARENA_NEW(&x->arena, struct proxied);
	rig.requests++;
	MAGIC_SET(p, PROXIED_MAGIC);
	x->user = p;
	p->x = x;
	http_fields_init(&f, &x->arena, http_fields_size(x->head));
	http_fields_add_head(&f, x->head, (struct http_skip){HTTP_SKIP(HTTP_F_HOST)});
	p->block = http_fields_block(&f);
	proxy_start(p, false);
}

static void proxy_readable(struct http_exchange *x)
{
	struct proxied *p = proxied_of(x);
	if (p->call)
		proxy_goes_on(p, http_relay_request(&p->relay));
}

static void proxy_writable(struct http_exchange *x)
{
	struct proxied *p = proxied_of(x);
	proxy_goes_on(p, http_relay_response(&p->relay));
}

static void proxy_half_closed(struct http_exchange *x)
{
	(void)proxied_of(x);
	MUST(x->client_closed && x->status == 0);
	rig.half_closed++;
}

static void proxy_closed(struct http_exchange *x, enum http_end why)
{
	struct proxied *p = proxied_of(x);
	rig.aborted += why != HTTP_END_DONE;
	rig.last_end = (int)why;
	http_relay_fini(&p->relay);
	if (p->call)
		http_client_abort(p->call);
	MAGIC_WIPE(p, PROXIED_MAGIC);
	rig.closed++;
}

static void call_writable(struct http_call *c)
{
	struct proxied *p = proxied_from(c);
	proxy_goes_on(p, http_relay_request(&p->relay));
}

static void call_interim(struct http_call *c)
{
	http_relay_interim(proxied_from(c)->x, c->head);
}

static void call_body(struct http_call *c)
{
	struct proxied *p = proxied_from(c);
	proxy_goes_on(p, http_relay_response(&p->relay));
}

static void call_head(struct http_call *c)
{
	struct proxied *p = proxied_from(c);
	struct http_fields f;
	http_fields_init(&f, &p->x->arena, http_fields_size(c->head));
	http_fields_add_head(&f, c->head, (struct http_skip){0});
	struct http_response r = {.status = c->head->status,
				  .reason = c->head->reason,
				  .framing = http_relay_framing(c->head),
				  .length = http_announced_length(c->head),
				  .upgrade = http_relay_upgrade(p->x, c->head),
				  .blocks = 1,
				  .fields = {http_fields_block(&f)}};
	http_exchange_respond(p->x, &r);
	proxy_goes_on(p, r.status == 101 ? http_relay_tunnel(&p->relay, &rig.silence)
					 : http_relay_response(&p->relay));
}

static void call_failed(struct http_call *c, enum http_fail why)
{
	struct proxied *p = proxied_from(c);
	rig.failed++;
	http_relay_fini(&p->relay);
	p->call = NULL;
	if (why == HTTP_FAIL_STALE && p->x->body_in == 0) {
		rig.stale++;
		proxy_start(p, true);
	} else {
		http_exchange_error(p->x, why == HTTP_FAIL_RESPONSE_TIMEOUT ? 504 : 502,
				    http_client_fail_text(why), STR_NONE);
	}
}

static const struct http_call_ops call_ops = {.writable = call_writable,
					      .interim = call_interim,
					      .head = call_head,
					      .body = call_body,
					      .failed = call_failed};

static const struct http_handler proxy_handler = {.request = proxy_request,
						  .readable = proxy_readable,
						  .writable = proxy_writable,
						  .half_closed = proxy_half_closed,
						  .closed = proxy_closed};
static const struct http_server_ops proxy_ops = {.handler = &proxy_handler};

static void on_silence(struct deadline *d)
{
	struct http_relay *r = http_relay_of(d);
	rig.silent++;
	http_exchange_abort(r->x);
}

/* ---- the rig */

static struct http_server_ops own_ops;

static int worker_start(struct worker *w, void *arg UNUSED)
{
	struct http_server_conf sc = {.max_conns = 4096};
	rig.worker = w;
	rig.origin = http_server_new(w, &origin_ops, &sc, NULL);
	rig.proxy = http_server_new(w, &proxy_ops, &sc, NULL);
	rig.client = http_client_new(w, &rig.conf.client);
	deadline_class_init(&rig.silence, w->loop, rig.conf.silence_us, on_silence);
	http_server_listen(rig.origin, rig.origin_fd, &rig.conf.listener, NULL, NULL);
	http_server_listen(rig.proxy, rig.proxy_fd, &rig.conf.listener, NULL, &rig.by_listener);
	if (rig.conf.handler) {
		own_ops.handler = rig.conf.handler;
		rig.own = http_server_new(w, &own_ops, &sc, NULL);
		http_server_listen(rig.own, rig.own_fd, &rig.conf.listener, NULL, NULL);
	}
	return 0;
}

static void check_all(void *arg UNUSED)
{
	http_server_check(rig.proxy);
	http_server_check(rig.origin);
	http_client_check(rig.client);
	if (rig.own)
		http_server_check(rig.own);
}

static void worker_end(struct worker *w UNUSED)
{
	check_all(NULL);
	http_server_free(rig.proxy);
	if (rig.own)
		http_server_free(rig.own);
	http_client_check(rig.client);
	http_client_free(rig.client);
	http_server_free(rig.origin);
	deadline_class_fini(&rig.silence);
}

static const struct worker_ops worker_ops = {.start = worker_start, .stop = worker_end};

static int listen_somewhere(struct addr *a)
{
	struct err e;
	MUST(addr_parse(a, STR("127.0.0.1:1"), 0, &e) == 0);
	addr_set_port(a, 0);
	int fd = sock_listen(a, 0, 128, &e);
	MUST(fd >= 0 && sock_local(fd, a) == 0);
	return fd;
}

void rig_defaults(void)
{
	memset(&rig, 0, sizeof(rig));
	rig.conf.listener = HTTP_LISTENER_CONF_DEFAULT;
	rig.conf.listener.head_us = 300 * CLOCK_MSEC;
	rig.conf.listener.idle_us = 500 * CLOCK_MSEC;
	rig.conf.listener.body_us = 300 * CLOCK_MSEC;
	rig.conf.client = HTTP_CLIENT_CONF_DEFAULT;
	rig.conf.silence_us = 300 * CLOCK_MSEC;
	rig.raw_fd = rig.own_fd = -1;
}

int rig_begin(void)
{
	struct addr raw;
	rig.origin_fd = listen_somewhere(&rig.origin_addr);
	rig.proxy_fd = listen_somewhere(&rig.proxy_addr);
	if (rig.conf.handler)
		rig.own_fd = listen_somewhere(&rig.own_addr);
	if (rig.conf.raw_origin) {
		rig.raw_fd = listen_somewhere(&raw);
		rig.origin_addr = raw;
	}
	rig.set = worker_set_start(1, 1000, &worker_ops, NULL);
	return rig.set ? 0 : -1;
}

int rig_setup(void **state UNUSED)
{
	rig_defaults();
	return rig_begin();
}

int rig_teardown(void **state UNUSED)
{
	worker_set_join(rig.set);
	assert_int_equal(rig.by_listener.open, 0);
	close(rig.origin_fd);
	close(rig.proxy_fd);
	if (rig.own_fd >= 0)
		close(rig.own_fd);
	if (rig.raw_fd >= 0)
		close(rig.raw_fd);
	if (rig.requests != rig.closed)
		print_error("%d exchanges began, %d were closed\n", rig.requests, rig.closed);
	return rig.requests == rig.closed ? 0 : -1;
}

void rig_on_worker(void (*run)(void *arg), void *arg)
{
	unit_on_worker(rig.worker, run, arg);
}

void rig_check(void)
{
	rig_on_worker(check_all, NULL);
}

static void count_pipes(void *arg)
{
	*(unsigned *)arg = rig.worker->pipes.n_out;
}

unsigned rig_pipes_out(void)
{
	unsigned n;
	rig_on_worker(count_pipes, &n);
	return n;
}

/* ---- both ends of a conversation */

int rig_dial(void)
{
	return rig_dial_to(&rig.proxy_addr, 0);
}

int rig_accept(void)
{
	struct pollfd p = {.fd = rig.raw_fd, .events = POLLIN};
	int on = 1;
	assert_int_equal(poll(&p, 1, RIG_WAIT_MS), 1);
	int fd = accept4(rig.raw_fd, NULL, NULL,
			 SOCK_CLOEXEC); /* blocking, though the listener is not */
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
	return fd;
}

int rig_pass(int client, const char *request)
{
	rig_put(client, request);
	int server = rig_accept();
	rig_head(server);
	return server;
}

void rig_answer(int server, int client)
{
	rig_put(server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	assert_non_null(strstr(rig_one(client), "\r\n\r\nok"));
}
