// SPDX-License-Identifier: MIT
/*
 * The steps of a request. All its state is one struct in the exchange's arena; nothing is allocated elsewhere.
 *
 *     begin ─ attempt ─ head ─ relay ─ end
 *               ▲  └ failed: again (another server, or the same when only a kept connection was stale)
 *
 * What may be tried again: anything of which nothing was sent; otherwise idempotent requests (RFC 9110 §9.2.2)
 * whose body, if any, has not been touched. Requests that are not idempotent go over new connections only, so the
 * keep-alive race, in which a server closes a kept connection while a request is on its way, cannot hit them.
 */
#include "proxy.h"

#include "base/clock.h"
#include "base/log.h"
#include "forward.h"
#include "front.h"

struct proxy {
	struct http_exchange *x;
	struct front *front;
	struct daemon_generation *gen; /* the one this request began with */
	const struct lb_bind *bind;
	const struct lb_pool *pool;
	struct http_call *call; /* NULL between attempts */
	struct server *server;	/* of this attempt; counted in its current */
	int index;
	struct sticky_match sticky;
	uint64_t tried; /* servers that failed this request */
	unsigned retries;
	bool redispatched, relaying;
	char cause, phase, set_cookie;
	uint16_t status; /* of the answer, ours or the server's; 0: none yet */
	int64_t connect_ms, response_ms;
	struct str head; /* the request's, for every attempt */
};

static const struct http_call_ops ops;

static int64_t now_of(const struct proxy *p)
{
	return worker_now_us(p->x->worker);
}

static void count(struct proxy *p, unsigned stat)
{
	stats_add(&p->front->base.stats[stat], 1);
}

/* ---- the end */

static int64_t ms(int64_t us)
{
	return us / CLOCK_MSEC;
}

static void log_access(struct proxy *p)
{
	struct http_exchange *x = p->x;
	int64_t now = now_of(p);
	struct access_entry e = {
		.peer = http_server_peer(x),
		.frontend = p->bind->frontend,
		.pool = p->pool->conf->name,
		.server = p->server ? str_c(p->server->name) : STR("<NOSRV>"),
		.request_ms = ms(x->request_us - x->started_us),
		.queue_ms = p->server ? 0 : -1,
		.connect_ms = p->connect_ms,
		.response_ms = p->response_ms,
		.total_ms = ms(now - x->started_us),
		.status = p->status ? p->status : -1,
		.bytes = x->bytes_out,
		.ends = {p->cause, p->phase, p->sticky.flag, p->set_cookie},
		.active = shell_clients(p->front->base.shell),
		.frontend_active = shell_clients(p->front->base.shell),
		.pool_active = p->front->running,
		.server_active = p->server ? (unsigned)atomic_load_explicit(&p->server->current,
									    memory_order_relaxed)
					   : 0,
		.retries = p->retries,
		.redispatched = p->redispatched,
		.method = x->head->method_text,
		.target = x->head->target,
		.minor = x->head->minor,
	};
	access_log_add(&p->front->log, &e, clock_wall_us() - (now - x->started_us));
}

static void leave_server(struct proxy *p)
{
	if (p->server)
		SERVER_COUNT(p->server, current, -1);
	p->server = NULL;
}

static void count_response(struct proxy *p)
{
	static const unsigned by_class[] = {STAT_responses_2xx, STAT_responses_3xx,
					    STAT_responses_4xx, STAT_responses_5xx};
	unsigned class = p->status / 100u;
	if (class >= 2 && class <= 5)
		count(p, by_class[class - 2]);
	if (p->server) {
		SERVER_COUNT(p->server, bytes_in, p->x->body_in);
		SERVER_COUNT(p->server, bytes_out, p->x->bytes_out);
	}
}

/* Books the request; the exchange may go away afterwards, and p with it. */
static void close_books(struct proxy *p)
{
	count_response(p);
	if (conf_of(p->gen)->settings->access_log)
		log_access(p);
	leave_server(p);
	p->front->running--;
	daemon_unref(p->gen);
}

static void answer_error(struct proxy *p, uint16_t status, const char *text, char cause, char phase)
{
	struct http_exchange *x = p->x;
	p->cause = cause;
	p->phase = phase;
	p->status = status;
	close_books(p);
	http_server_error(x, status, text, STR_NONE);
}

static void finish(struct proxy *p, bool fail)
{
	struct http_exchange *x = p->x;
	close_books(p);
	http_server_end(x, fail);
}

/* ---- relaying */

/* Response bytes, from the server's buffer to the client in one writev with the head. */
static void pump_down(struct proxy *p)
{
	struct http_call *c = p->call;
	struct str data = http_client_data(c);
	enum http_piece piece = http_client_piece(c);
	struct iovec v = {.iov_base = (char *)(uintptr_t)data.p, .iov_len = data.n};
	ssize_t n = http_server_write(p->x, &v, 1, piece);
	if (n < 0)
		return; /* aborted() follows */
	http_client_consume(c, (size_t)n);
	if (piece == HTTP_PIECE_LAST && (size_t)n == data.n) {
		http_client_end(c);
		p->call = NULL;
		finish(p, false);
	}
}

/* Request bytes, the other way. */
static void pump_up(struct proxy *p)
{
	while (p->call) {
		struct str data = http_server_data(p->x);
		bool last = http_server_body_state(p->x) == HTTP_BODY_END;
		struct iovec v = {.iov_base = (char *)(uintptr_t)data.p, .iov_len = data.n};
		if (data.n == 0 && !last)
			return;
		ssize_t n = http_client_write(p->call, &v, 1, last);
		if (n < 0)
			return; /* failed() follows */
		http_server_consume(p->x, (size_t)n);
		if ((size_t)n < data.n || last)
			return;
	}
}

static enum http_framing framing_of(const struct http_head *h)
{
	switch (h->body) {
	case HTTP_BODY_NONE:
		return HTTP_FRAMING_NONE;
	case HTTP_BODY_LENGTH:
		return HTTP_FRAMING_LENGTH;
	case HTTP_BODY_CHUNKED:
	case HTTP_BODY_CLOSE:
		break;
	}
	return HTTP_FRAMING_OPEN;
}

static void count_server_response(struct server *s, unsigned status)
{
	switch (status / 100) {
	case 2:
		SERVER_COUNT(s, responses_2xx, 1);
		break;
	case 3:
		SERVER_COUNT(s, responses_3xx, 1);
		break;
	case 4:
		SERVER_COUNT(s, responses_4xx, 1);
		break;
	case 5:
		SERVER_COUNT(s, responses_5xx, 1);
		break;
	default:
		SERVER_COUNT(s, responses_other, 1);
	}
}

static void on_head(struct http_call *c)
{
	struct proxy *p = c->user;
	const struct http_head *h = c->head;
	server_connected(p->server);
	count_server_response(p->server, h->status);
	p->connect_ms = ms(c->connected_us - c->started_us);
	p->response_ms = ms(c->response_us - c->connected_us);
	struct str head = forward_response(&p->x->arena, p->pool, h,
					   p->pool->conf_servers[p->index]->cookie, p->sticky,
					   &p->set_cookie);
	if (!head.p) {
		http_client_abort(c);
		p->call = NULL;
		SERVER_COUNT(p->server, response_errors, 1);
		answer_error(p, 502, "The server's response head is too large.", 'P', 'H');
		return;
	}
	struct http_reply r = {.status = h->status,
			       .head = {{.iov_base = (char *)(uintptr_t)head.p, .iov_len = head.n}},
			       .pieces = 1,
			       .framing = framing_of(h),
			       .length = h->length};
	p->relaying = true;
	p->status = h->status;
	http_server_respond(p->x, &r);
	pump_down(p);
}

static void on_interim(struct http_call *c)
{
	struct proxy *p = c->user;
	struct http_writer w;
	http_writer_init(&w, &p->x->arena, http_write_size(c->head) + 1);
	http_write_fields(&w, c->head, (struct http_skip){0});
	if (!w.overflow)
		http_server_interim(p->x, c->head->status, http_writer_str(&w));
}

/* ---- attempts */

static void enter_server(struct proxy *p, int index)
{
	struct server *s = p->pool->servers[index];
	p->index = index;
	p->server = s;
	uint32_t now = (uint32_t)atomic_fetch_add_explicit(&s->current, 1, memory_order_relaxed) +
		       1;
	if (now > atomic_load_explicit(&s->peak, memory_order_relaxed))
		atomic_store_explicit(&s->peak, now, memory_order_relaxed);
	SERVER_COUNT(s, total, 1);
}

static void attempt(struct proxy *p, bool fresh);

static const char *const no_server_text = "No server is available to handle this request.";

static void pick_and_attempt(struct proxy *p)
{
	int index = p->sticky.flag == 'V' ? p->sticky.server
					  : server_pick(p->pool, p->tried, now_of(p));
	if (index < 0) {
		count(p, STAT_no_server);
		answer_error(p, 503, no_server_text, 'S', 'C');
		return;
	}
	enter_server(p, index);
	attempt(p, false);
}

static void note_unreachable(struct proxy *p, const char *why)
{
	struct server *s = p->server;
	SERVER_COUNT(s, connect_errors, 1);
	count(p, STAT_connect_errors);
	if (server_failed(s, now_of(p)))
		log_warn("server %s/%s: %s twice in a row: left out for a while", s->pool_name,
			 s->name, why);
}

/* Goes on with another server, if there are tries left. */
static bool try_elsewhere(struct proxy *p)
{
	if (p->retries >= p->pool->conf->retries)
		return false;
	p->tried |= UINT64_C(1) << p->index;
	p->retries++;
	count(p, STAT_retries);
	SERVER_COUNT(p->server, retries, 1);
	struct server *before = p->server;
	leave_server(p);
	/* The client's own server is out of reach: it is balanced anew, and its cookie with it. */
	if (p->sticky.flag == 'V')
		p->sticky = (struct sticky_match){.server = -1, .flag = 'D'};
	int index = server_pick(p->pool, p->tried, now_of(p));
	if (index < 0) {
		count(p, STAT_no_server);
		answer_error(p, 503, no_server_text, 'S', 'C');
		return true;
	}
	enter_server(p, index);
	if (p->server != before) {
		p->redispatched = true;
		count(p, STAT_redispatches);
		SERVER_COUNT(before, redispatches, 1);
	}
	attempt(p, false);
	return true;
}

static bool repeatable(const struct proxy *p)
{
	return http_method_idempotent(p->x->head->method) && p->x->body_in == 0;
}

struct verdict {
	uint16_t status;
	char cause, phase;
};

static struct verdict verdict_of(enum http_fail why)
{
	switch (why) {
	case HTTP_FAIL_BUSY:
		return (struct verdict){503, 'R', 'C'};
	case HTTP_FAIL_CONNECT:
		return (struct verdict){503, 'S', 'C'};
	case HTTP_FAIL_CONNECT_TIMEOUT:
		return (struct verdict){503, 's', 'C'};
	case HTTP_FAIL_RESPONSE_TIMEOUT:
		return (struct verdict){504, 's', 'H'};
	case HTTP_FAIL_BAD_RESPONSE:
		return (struct verdict){502, 'P', 'H'};
	case HTTP_FAIL_BODY:
		return (struct verdict){502, 'S', 'D'};
	case HTTP_FAIL_STALE:
	case HTTP_FAIL_CLOSED:
	case HTTP_FAIL_NONE:
		break;
	}
	return (struct verdict){502, 'S', 'H'};
}

static void give_up(struct proxy *p, enum http_fail why)
{
	struct verdict v = verdict_of(why);
	if (p->server)
		SERVER_COUNT(p->server, response_errors, v.status != 503);
	stats_add(&p->front->base.stats[STAT_response_errors], v.status != 503);
	if (p->relaying) {
		p->cause = v.cause;
		p->phase = v.phase;
		finish(p, true);
	} else {
		answer_error(p, v.status, http_fail_text(why), v.cause, v.phase);
	}
}

static void handle_failure(struct proxy *p, enum http_fail why)
{
	switch (why) {
	case HTTP_FAIL_CONNECT:
	case HTTP_FAIL_CONNECT_TIMEOUT:
		note_unreachable(p, http_fail_text(why));
		if (try_elsewhere(p))
			return;
		break;
	case HTTP_FAIL_STALE:
		count(p, STAT_stale);
		if (repeatable(p)) {
			attempt(p, true);
			return;
		}
		break;
	case HTTP_FAIL_CLOSED:
		if (repeatable(p) && try_elsewhere(p))
			return;
		break;
	case HTTP_FAIL_BUSY:
	case HTTP_FAIL_NONE:
	case HTTP_FAIL_RESPONSE_TIMEOUT:
	case HTTP_FAIL_BAD_RESPONSE:
	case HTTP_FAIL_BODY:
		break;
	}
	give_up(p, why);
}

static void on_failed(struct http_call *c, enum http_fail why)
{
	struct proxy *p = c->user;
	p->call = NULL;
	handle_failure(p, why);
}

static void attempt(struct proxy *p, bool fresh)
{
	struct http_exchange *x = p->x;
	const struct http_head *h = x->head;
	struct http_request r = {
		.method = h->method,
		.head = {{.iov_base = (char *)(uintptr_t)p->head.p, .iov_len = p->head.n}},
		.pieces = 1,
		.body = h->body,
		.length = h->length};
	enum http_fail why;
	fresh |= !http_method_idempotent(h->method);
	p->call = http_client_start(front_client(p->front, p->pool),
				    &p->pool->conf_servers[p->index]->address, &r, fresh, &ops, p,
				    &why);
	if (!p->call) {
		handle_failure(p, why);
		return;
	}
	if (p->call->reused) {
		SERVER_COUNT(p->server, reuses, 1);
	} else {
		SERVER_COUNT(p->server, connects, 1);
		count(p, STAT_connects);
	}
}

static void on_writable(struct http_call *c)
{
	pump_up(c->user);
}

static void on_body(struct http_call *c)
{
	pump_down(c->user);
}

static const struct http_call_ops ops = {
	.writable = on_writable,
	.interim = on_interim,
	.head = on_head,
	.body = on_body,
	.failed = on_failed,
};

/* ---- what front.c calls */

void proxy_begin(struct http_exchange *x, const struct lb_bind *bind)
{
	struct front *f = front_of(x);
	const struct lb_settings *settings = conf_of(f->base.gen)->settings;
	struct proxy *p = ARENA_NEW(&x->arena, struct proxy);
	MUST(p != NULL); /* the arena begins with a block far larger than this */
	*p = (struct proxy){.x = x,
			    .front = f,
			    .gen = daemon_ref(f->base.gen),
			    .bind = bind,
			    .pool = bind->pool,
			    .cause = '-',
			    .phase = '-',
			    .set_cookie = '-',
			    .connect_ms = -1,
			    .response_ms = -1};
	x->user = p;
	f->running++;
	count(p, STAT_requests);
	if (x->head->method == HTTP_PURGE && !settings->forwarded_for) {
		/* The cache behind would take it for this board's own wish. */
		answer_error(p, 403, "Without forwarded-for nobody may purge through here.", 'P',
			     'R');
		return;
	}
	p->sticky = server_sticky(p->pool, x->head, now_of(p));
	p->set_cookie = p->sticky.flag == '-' ? '-' : 'N';
	p->head = forward_request(&x->arena, p->pool, x->head, http_server_peer(x),
				  settings->forwarded_for, &p->pool->conf_servers[0]->address);
	if (!p->head.p)
		answer_error(p, 431, "The request head is too large to be forwarded.", 'P', 'R');
	else
		pick_and_attempt(p);
}

void proxy_readable(struct http_exchange *x)
{
	pump_up(x->user);
}

void proxy_writable(struct http_exchange *x)
{
	pump_down(x->user);
}

void proxy_aborted(struct http_exchange *x, enum http_abort why)
{
	struct proxy *p = x->user;
	if (!p)
		return; /* the statistics page has no state */
	if (p->call)
		http_client_abort(p->call);
	p->call = NULL;
	count(p, STAT_client_aborts);
	p->cause = why == HTTP_ABORT_BODY_TIMEOUT || why == HTTP_ABORT_SEND_TIMEOUT ? 'c'
		   : why == HTTP_ABORT_STOP					    ? 'K'
		   : why == HTTP_ABORT_BODY_BROKEN				    ? 'P'
										    : 'C';
	p->phase = p->relaying ? 'D' : 'H';
	p->status = x->status;
	close_books(p);
}
