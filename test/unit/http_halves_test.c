// SPDX-License-Identifier: MIT
/*
 * Both halves of a proxy together, over real sockets on loopback and one worker: an origin made of http_server,
 * a small proxy made of both, and a blocking client in the test's thread that speaks raw bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <poll.h>
#include <errno.h>

#include <cmocka.h>

#include "base/clock.h"
#include "http/client.h"
#include "http/server.h"
#include "http/relay.h"
#include "net/sock.h"

#define BIG_SIZE (3u << 20)

struct rig {
	struct worker_set *set;
	struct http_server *origin, *proxy;
	struct http_client *client;
	struct addr origin_addr, proxy_addr;
	int origin_fd, proxy_fd;
	struct deadline_class silence;
	_Atomic int origin_requests, aborted, stale, failed, closed, half_closed, silent;
	_Atomic bool
		origin_drops; /* close instead of answering the next request on a used connection */
	struct http_listener_conf conf;
	char *big;
};

static struct rig rig;

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
	bool chunked;
};

static void stream(struct http_exchange *x)
{
	struct streaming *s = x->user;
	while (s->sent < BIG_SIZE) {
		size_t n = MIN(BIG_SIZE - s->sent, 10000u);
		struct iovec v = {rig.big + s->sent, n};
		ssize_t took = http_exchange_write(
			x, &v, 1, s->sent + n == BIG_SIZE ? HTTP_PIECE_LAST : HTTP_PIECE_SOME);
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
	struct streaming *s = ARENA_NEW(&x->arena, struct streaming);
	s->chunked = chunked;
	x->user = s;
	struct http_response r = {.status = 200,
				  .framing = chunked ? HTTP_FRAMING_OPEN : HTTP_FRAMING_LENGTH,
				  .length = BIG_SIZE};
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
	int n = ++rig.origin_requests;
	(void)n;
	x->user = NULL;
	struct str t = x->head->target;
	if (x->head->expect_continue)
		http_exchange_interim(x, 100, STR_NONE);
	if (str_eq(t, STR("/big")))
		start_stream(x, false);
	else if (str_eq(t, STR("/chunked")))
		start_stream(x, true);
	else if (str_eq(t, STR("/echo"))) {
		x->user = def_xcalloc(1, sizeof(struct echo));
		echo_more(x);
	} else if (str_eq(t, STR("/host"))) {
		struct http_fields f;
		http_fields_init(&f, &x->arena, 64);
		http_fields_add(&f, STR("X-Origin"), STR("yes"));
		reply(x, http_fields_block(&f), x->head->authority);
	} else if (str_eq(t, STR("/early")))
		http_exchange_error(x, 413, "too much", STR_NONE);
	else
		reply(x, STR_NONE, t);
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

struct proxied {
	struct http_exchange *x;
	struct http_call *call;
	struct http_relay relay;
	struct str block;
};

static void proxy_goes_on(struct proxied *p, enum http_relay_state state)
{
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
				 .upgrade = http_get(h, HTTP_F_UPGRADE),
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
	x->user = p;
	p->x = x;
	http_fields_init(&f, &x->arena, http_fields_size(x->head));
	http_fields_add_head(&f, x->head, (struct http_skip){HTTP_SKIP(HTTP_F_HOST)});
	p->block = http_fields_block(&f);
	proxy_start(p, false);
}

static void proxy_readable(struct http_exchange *x)
{
	struct proxied *p = x->user;
	proxy_goes_on(p, http_relay_request(&p->relay));
}

static void proxy_writable(struct http_exchange *x)
{
	struct proxied *p = x->user;
	proxy_goes_on(p, http_relay_response(&p->relay));
}

static void proxy_half_closed(struct http_exchange *x UNUSED)
{
	rig.half_closed++;
}

static void proxy_closed(struct http_exchange *x, enum http_end why)
{
	struct proxied *p = x->user;
	rig.aborted += why != HTTP_END_DONE;
	http_relay_fini(&p->relay);
	if (p->call)
		http_client_abort(p->call);
	atomic_fetch_add(&rig.closed, 1);
}

static void call_writable(struct http_call *c)
{
	struct proxied *p = c->user;
	proxy_goes_on(p, http_relay_request(&p->relay));
}

static void call_interim(struct http_call *c)
{
	struct proxied *p = c->user;
	http_relay_interim(p->x, c->head);
}

static void call_body(struct http_call *c)
{
	struct proxied *p = c->user;
	proxy_goes_on(p, http_relay_response(&p->relay));
}

static void call_head(struct http_call *c)
{
	struct proxied *p = c->user;
	struct http_fields f;
	http_fields_init(&f, &p->x->arena, http_fields_size(c->head));
	http_fields_add_head(&f, c->head, (struct http_skip){0});
	struct http_response r = {.status = c->head->status,
				  .reason = c->head->reason,
				  .framing = http_relay_framing(c->head),
				  .length = c->head->body == HTTP_BODY_LENGTH
						    ? c->head->length
						    : http_announced_length(c->head),
				  .blocks = 1,
				  .fields = {http_fields_block(&f)}};
	if (r.status == 101) {
		r.framing = HTTP_FRAMING_TUNNEL;
		r.upgrade = http_get(c->head, HTTP_F_UPGRADE);
	}
	http_exchange_respond(p->x, &r);
	proxy_goes_on(p, r.status == 101 ? http_relay_tunnel(&p->relay, &rig.silence)
					 : http_relay_response(&p->relay));
}

static void call_failed(struct http_call *c, enum http_fail why)
{
	struct proxied *p = c->user;
	rig.failed++;
	http_relay_fini(&p->relay);
	p->call = NULL;
	if (why == HTTP_FAIL_STALE) {
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

static int worker_start(struct worker *w, void *arg)
{
	(void)arg;
	struct http_client_conf cc = HTTP_CLIENT_CONF_DEFAULT;
	struct http_server_conf sc = {.max_conns = 4096};
	rig.origin = http_server_new(w, &origin_ops, &sc, NULL);
	rig.proxy = http_server_new(w, &proxy_ops, &sc, NULL);
	rig.client = http_client_new(w, &cc);
	deadline_class_init(&rig.silence, w->loop, 300 * CLOCK_MSEC, on_silence);
	http_server_listen(rig.origin, rig.origin_fd, &rig.conf, NULL);
	http_server_listen(rig.proxy, rig.proxy_fd, &rig.conf, NULL);
	return 0;
}

static void worker_end(struct worker *w)
{
	(void)w;
	http_server_check(rig.proxy);
	http_client_check(rig.client);
	http_server_free(rig.proxy);
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

static int setup(void **state)
{
	(void)state;
	memset(&rig, 0, sizeof(rig));
	rig.big = def_xmalloc(BIG_SIZE);
	for (size_t i = 0; i < BIG_SIZE; i++)
		rig.big[i] = (char)(i * 2654435761u >> 13);
	rig.conf = HTTP_LISTENER_CONF_DEFAULT;
	rig.conf.head_us = 300 * CLOCK_MSEC;
	rig.conf.idle_us = 500 * CLOCK_MSEC;
	rig.conf.body_us = 300 * CLOCK_MSEC;
	rig.origin_fd = listen_somewhere(&rig.origin_addr);
	rig.proxy_fd = listen_somewhere(&rig.proxy_addr);
	rig.set = worker_set_start(1, 1000, &worker_ops, NULL);
	return rig.set ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	worker_set_join(rig.set);
	close(rig.origin_fd);
	close(rig.proxy_fd);
	free(rig.big);
	return 0;
}

/* ---- a blocking client */

static int dial(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, &rig.proxy_addr.sa, rig.proxy_addr.len), 0);
	return fd;
}

static void put(int fd, const char *text)
{
	size_t n = strlen(text);
	assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), n);
}

/* Reads until the end of the stream or until want bytes are there; at most 5 s. */
static size_t get(int fd, char *to, size_t want)
{
	size_t n = 0;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	while (n < want && poll(&p, 1, 5000) == 1) {
		ssize_t r = recv(fd, to + n, want - n, 0);
		if (r <= 0)
			break;
		n += (size_t)r;
	}
	return n;
}

/* Reads one response with Content-Length; returns its whole text, NUL-terminated. */
static const char *one(int fd, char *to, size_t size)
{
	size_t n = 0;
	for (;;) {
		n += get(fd, to + n, 1);
		to[n] = '\0';
		if (n >= 4 && strcmp(to + n - 4, "\r\n\r\n") == 0)
			break;
		assert_true(n < size - 1 && n > 0);
		if (n == 0)
			return to;
	}
	const char *cl = strstr(to, "Content-Length: ");
	size_t length = cl ? strtoul(cl + 16, NULL, 10) : 0;
	assert_true(n + length < size);
	n += get(fd, to + n, length);
	to[n] = '\0';
	return to;
}

static char text[300000];

static void keeps_both_connections(void **state)
{
	(void)state;
	int fd = dial();
	for (int i = 0; i < 20; i++) {
		put(fd,
		    "GET /host HTTP/1.1\r\nHost: pi.example\r\nConnection: x-private\r\nX-Private: 1\r\n\r\n");
		assert_non_null(strstr(one(fd, text, sizeof(text)), "\r\n\r\npi.example"));
		assert_non_null(strstr(text, "X-Origin: yes\r\n"));
		assert_null(strstr(text, "Connection"));
	}
	close(fd);
	assert_int_equal(http_client_stats(rig.client)->connects, 1);
	assert_int_equal(http_client_stats(rig.client)->reuses, 19);
}

static void answers_pipelined_requests_in_order(void **state)
{
	(void)state;
	int fd = dial();
	put(fd,
	    "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n"
	    "Connection: close\r\n\r\n");
	text[get(fd, text, sizeof(text) - 1)] = '\0';
	const char *a = strstr(text, "\r\n\r\n/1"), *b = strstr(text, "\r\n\r\n/2"),
		   *c = strstr(text, "\r\n\r\n/3");
	assert_true(a && b && c && a < b && b < c);
	close(fd);
}

static void check_big(const char *body, size_t n)
{
	assert_int_equal(n, BIG_SIZE);
	assert_memory_equal(body, rig.big, BIG_SIZE);
}

static void relays_a_large_body(void **state)
{
	(void)state;
	char *all = def_xmalloc(BIG_SIZE + 1000);
	int fd = dial();
	put(fd, "GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	size_t n = get(fd, all, BIG_SIZE + 1000);
	char *body = memmem(all, n, "\r\n\r\n", 4);
	assert_non_null(body);
	check_big(body + 4, n - (size_t)(body + 4 - all));
	close(fd);
	free(all);
}

static void relays_a_chunked_body(void **state)
{
	(void)state;
	char *all = def_xmalloc(BIG_SIZE * 2);
	int fd = dial();
	put(fd, "GET /chunked HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	size_t n = get(fd, all, BIG_SIZE * 2), payload, used;
	char *body = memmem(all, n, "\r\n\r\n", 4);
	assert_non_null(body);
	struct http_body b;
	http_body_init(&b, HTTP_BODY_CHUNKED, 0);
	n -= (size_t)(body + 4 - all);
	assert_int_equal(http_body_take(&b, body + 4, n, &payload, &used), HTTP_BODY_END);
	assert_int_equal(used, n);
	check_big(body + 4, payload);
	close(fd);
	free(all);
}

static void chunked_becomes_close_for_http_1_0(void **state)
{
	(void)state;
	char *all = def_xmalloc(BIG_SIZE * 2);
	int fd = dial();
	put(fd, "GET /chunked HTTP/1.0\r\nHost: a\r\n\r\n");
	size_t n = get(fd, all, BIG_SIZE * 2);
	char *body = memmem(all, n, "\r\n\r\n", 4);
	assert_non_null(body);
	check_big(body + 4, n - (size_t)(body + 4 - all));
	close(fd);
	free(all);
}

static void passes_request_bodies(void **state)
{
	(void)state;
	static char body[100001];
	unsigned sum = 0;
	for (size_t i = 0; i < 100000; i++) {
		body[i] = (char)('a' + i % 23);
		sum = sum * 31 + (unsigned char)body[i];
	}
	snprintf(text, sizeof(text), "\r\n\r\n100000:%u", sum);
	char *expect = strdup(text);
	int fd = dial();
	put(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
	put(fd, body);
	assert_non_null(strstr(one(fd, text, sizeof(text)), expect));
	/* the same in chunks of odd sizes, dripped */
	put(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (size_t at = 0; at < 100000;) {
		size_t n = MIN(100000 - at, 1 + at % 7919);
		char line[32];
		snprintf(line, sizeof(line), "%zx;x=y\r\n", n);
		put(fd, line);
		assert_int_equal(send(fd, body + at, n, MSG_NOSIGNAL), n);
		put(fd, "\r\n");
		at += n;
	}
	put(fd, "0\r\nTrailer: x\r\n\r\n");
	assert_non_null(strstr(one(fd, text, sizeof(text)), expect));
	close(fd);
	free(expect);
}

static void says_100_continue(void **state)
{
	(void)state;
	int fd = dial();
	put(fd,
	    "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	assert_string_equal(one(fd, text, sizeof(text)), "HTTP/1.1 100 Continue\r\n\r\n");
	put(fd, "abc");
	assert_non_null(strstr(one(fd, text, sizeof(text)), "HTTP/1.1 200"));
	close(fd);
}

static void refuses_by_name(void **state)
{
	(void)state;
	static const struct {
		const char *request, *answer;
	} cases[] = {
		{"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		 "Content-Length with Transfer-Encoding"},
		{"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", "bare LF"},
		{"GET / HTTP/1.1\r\n\r\n", "no Host"},
		{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "two Host fields"},
		{"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", "folded field line"},
		{"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n",
		 "bad chunk size"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int fd = dial();
		put(fd, cases[i].request);
		text[get(fd, text, sizeof(text) - 1)] = '\0';
		assert_non_null(strstr(text, "HTTP/1.1 400 Bad Request"));
		assert_non_null(strstr(text, cases[i].answer));
		close(fd);
	}
}

static void gives_up_on_slow_heads_only_when_begun(void **state)
{
	(void)state;
	int fd = dial();
	put(fd, "GET / HT");
	text[get(fd, text, sizeof(text) - 1)] = '\0';
	assert_non_null(strstr(text, "HTTP/1.1 408"));
	close(fd);
	fd = dial();
	assert_int_equal(get(fd, text, sizeof(text)), 0);
	close(fd);
}

static void slow_request_body_times_out(void **state)
{
	(void)state;
	int fd = dial();
	put(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\nabc");
	text[get(fd, text, sizeof(text) - 1)] = '\0';
	assert_non_null(strstr(text, "HTTP/1.1 408"));
	close(fd);
}

static void half_closed_client_gets_its_answer(void **state)
{
	(void)state;
	int fd = dial();
	put(fd, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
	shutdown(fd, SHUT_WR);
	text[get(fd, text, sizeof(text) - 1)] = '\0';
	assert_non_null(strstr(text, "\r\n\r\n/x"));
	close(fd);
}

static void early_answer_reaches_a_client_still_sending(void **state)
{
	(void)state;
	int fd = dial();
	put(fd, "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nsome");
	text[get(fd, text, sizeof(text) - 1)] = '\0';
	assert_non_null(strstr(text, "HTTP/1.1 413"));
	close(fd);
}

static void head_has_no_body(void **state)
{
	(void)state;
	int fd = dial();
	put(fd,
	    "HEAD /x HTTP/1.1\r\nHost: a\r\n\r\nGET /y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	text[get(fd, text, sizeof(text) - 1)] = '\0';
	assert_non_null(strstr(text, "Content-Length: 2\r\n\r\nHTTP/1.1 200"));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(keeps_both_connections, setup, teardown),
		cmocka_unit_test_setup_teardown(answers_pipelined_requests_in_order, setup,
						teardown),
		cmocka_unit_test_setup_teardown(relays_a_large_body, setup, teardown),
		cmocka_unit_test_setup_teardown(relays_a_chunked_body, setup, teardown),
		cmocka_unit_test_setup_teardown(chunked_becomes_close_for_http_1_0, setup,
						teardown),
		cmocka_unit_test_setup_teardown(passes_request_bodies, setup, teardown),
		cmocka_unit_test_setup_teardown(says_100_continue, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_by_name, setup, teardown),
		cmocka_unit_test_setup_teardown(gives_up_on_slow_heads_only_when_begun, setup,
						teardown),
		cmocka_unit_test_setup_teardown(slow_request_body_times_out, setup, teardown),
		cmocka_unit_test_setup_teardown(half_closed_client_gets_its_answer, setup,
						teardown),
		cmocka_unit_test_setup_teardown(early_answer_reaches_a_client_still_sending, setup,
						teardown),
		cmocka_unit_test_setup_teardown(head_has_no_body, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
