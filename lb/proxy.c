// SPDX-License-Identifier: MIT
/*
 * The steps of a request. All its state is one struct in the exchange's arena; nothing is allocated elsewhere.
 *
 *     begin ─ attempt ─ head ─ relay ─ closed
 *               ▲  └ failed: retry (redispatched to another server, or to the same when only an idle connection was stale)
 *
 * What may be retried: anything of which nothing was sent; otherwise idempotent requests (RFC 9110 §9.2.2)
 * whose body, if any, has not been touched. Requests that are not idempotent go over new connections only, so the
 * keep-alive race, in which a server closes an idle connection while a request is on its way, cannot hit them.
 *
 * However it ends, the exchange's closed() accounts for the request, once.
 */
#include "proxy.h"

#include "base/clock.h"
#include "base/log.h"
#include "forward.h"
#include "lb_worker.h"
#include "http/forwarded.h"
#include "net/proxy_header.h"

#define PROXY_MAGIC 0x4c425058u

struct proxy {
	uint32_t magic;
	struct list in_worker;
	struct http_exchange *x;
	struct lb_worker *worker;
	struct daemon_generation *gen; /* the one this request began with */
	const struct lb_bind *bind;
	const struct lb_pool *pool;
	struct http_call *call; /* NULL between attempts */
	struct http_relay relay;
	struct server *server; /* of this attempt; counted in its current */
	int index;
	struct sticky_match sticky;
	uint64_t tried; /* servers that failed this request */
	unsigned retries;
	bool redispatched, relaying;
	char cause, phase, set_cookie; /* of HAProxy's termination state */
	int64_t connect_ms, response_ms;
	struct str fields;  /* the request's, for every attempt */
	struct str preface; /* of connections for it: a PROXY header, if the pool wants one */
	struct str host;
	char host_text[ADDR_TEXT_SIZE];
};

static const struct http_call_ops ops;

static struct proxy *proxy_of(struct http_exchange *x)
{
	struct proxy *p = x->user;
	MAGIC_CHECK(p, PROXY_MAGIC);
	MUST(p->x == x);
	return p;
}

static struct proxy *proxy_from(struct http_call *c)
{
	struct proxy *p = c->user;
	MAGIC_CHECK(p, PROXY_MAGIC);
	MUST(p->call == c && p->server);
	return p;
}

static int64_t now_of(const struct proxy *p)
{
	return worker_now_us(p->x->worker);
}

static void count(struct proxy *p, unsigned stat)
{
	lb_count(p->worker, stat, 1);
}

static void count_pool(struct proxy *p, unsigned counter)
{
	lb_count_pool(p->worker, p->pool, counter, 1);
}

static void count_server(struct proxy *p, const struct server *s, unsigned counter)
{
	lb_count_server(p->worker, s, counter, 1);
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
	MUST(!p->call && now >= x->started_us);
	unsigned clients = shell_clients(p->worker->base.shell);
	struct access_entry e = {
		.peer = x->peer,
		.frontend = p->bind->frontend,
		.pool = p->pool->conf->name,
		.server = p->server ? str_c(p->server->name) : STR("<NOSRV>"),
		.request_ms = ms(x->request_us - x->started_us),
		.queue_ms = p->server ? 0 : -1,
		.connect_ms = p->connect_ms,
		.response_ms = p->response_ms,
		.total_ms = ms(now - x->started_us),
		.status = x->status ? x->status : -1,
		.bytes = x->bytes_out,
		.termination_state = {p->cause, p->phase, p->sticky.flag, p->set_cookie},
		.active = clients,
		.frontend_active = clients,
		.pool_active = p->worker->running,
		.server_active = p->server ? (unsigned)atomic_load_explicit(&p->server->current,
									    memory_order_relaxed)
					   : 0,
		.retries = p->retries,
		.redispatched = p->redispatched,
		.method = x->head->method_text,
		.target = x->head->target,
		.minor = x->head->minor,
	};
	access_log_add(&p->worker->log, &e, clock_wall_us() - (now - x->started_us));
}

static void release_server(struct proxy *p)
{
	if (!p->server)
		return;
	MUST(atomic_fetch_sub_explicit(&p->server->current, 1, memory_order_relaxed) > 0);
	lb_count_server(p->worker, p->server, SERVER_running, -1);
	p->server = NULL;
}

static void count_response(struct proxy *p)
{
	unsigned status = p->x->status, class = status / 100;
	int64_t in = (int64_t)(p->fields.n + p->x->body_in), out = (int64_t)p->x->bytes_out;
	if (class >= 2 && class <= 5)
		count(p, STAT_responses_2xx + class - 2);
	lb_count_frontend(p->worker, p->bind, stats_by_class(FRONTEND_responses_1xx, status), 1);
	count_pool(p, stats_by_class(POOL_responses_1xx, status));
	lb_count_pool(p->worker, p->pool, POOL_bytes_in, in);
	lb_count_pool(p->worker, p->pool, POOL_bytes_out, out);
	if (p->server) {
		lb_count_server(p->worker, p->server, SERVER_bytes_in, in);
		lb_count_server(p->worker, p->server, SERVER_bytes_out, out);
	}
}

/* The termination state of an exchange that the client's side ended. */
static void end_by_client(struct proxy *p, enum http_end why)
{
	switch (why) {
	case HTTP_END_DONE:
	case HTTP_END_CUT:
		return;
	case HTTP_END_CLIENT:
		p->cause = 'C';
		break;
	case HTTP_END_BODY_TIMEOUT:
	case HTTP_END_SEND_TIMEOUT:
		p->cause = 'c';
		break;
	case HTTP_END_BODY_BROKEN:
		p->cause = 'P';
		break;
	case HTTP_END_STOP:
		p->cause = 'K';
		break;
	}
	MUST(p->cause != '-'); /* each other way has a letter */
	p->phase = p->relaying ? 'D' : 'H';
	count(p, STAT_client_aborts);
	lb_count_frontend(p->worker, p->bind, FRONTEND_client_aborts, 1);
	count_pool(p, POOL_client_aborts);
	if (p->server)
		count_server(p, p->server, SERVER_client_aborts);
}

/* No more callbacks of the server's side. */
static void leave_call(struct proxy *p)
{
	http_relay_fini(&p->relay);
	if (p->call)
		http_client_abort(p->call);
	p->call = NULL;
}

void proxy_closed(struct http_exchange *x, enum http_end why)
{
	struct proxy *p = proxy_of(x);
	MUST(worker_here(x->worker) && p->worker->running > 0);
	if (p->cause == '-')
		end_by_client(p, why);
	leave_call(p);
	count_response(p);
	if (conf_of(p->gen)->settings->access_log)
		log_access(p);
	release_server(p);
	p->worker->running--;
	lb_count_frontend(p->worker, p->bind, FRONTEND_running, -1);
	lb_count_pool(p->worker, p->pool, POOL_running, -1);
	daemon_unref(p->gen);
	list_remove(&p->in_worker);
	MAGIC_WIPE(p, PROXY_MAGIC);
}

/*
 * May free p, as every function below that may end the exchange. It need not be over at once: an answer may wait for
 * the client to read.
 */
static void answer_error(struct proxy *p, uint16_t status, const char *text, char cause, char phase)
{
	MUST(!p->relaying);
	leave_call(p);
	p->cause = cause;
	p->phase = phase;
	http_exchange_error(p->x, status, text, STR_NONE);
}

static void cut(struct proxy *p, char cause, char phase)
{
	MUST(p->relaying);
	leave_call(p);
	p->cause = cause;
	p->phase = phase;
	http_exchange_abort(p->x);
}

/* ---- relaying */

/* A connection with a PROXY header is this client's alone: after its last request it is closed. */
static void end_call(struct proxy *p)
{
	MUST(p->call && p->server);
	bool last = p->preface.n && p->x->head->close;
	(last ? http_client_abort : http_client_end)(p->call);
	p->call = NULL;
}

static void relayed(struct proxy *p, enum http_relay_state state)
{
	if (state == HTTP_RELAY_GOES_ON)
		return;
	http_relay_fini(&p->relay);
	end_call(p);
	http_exchange_end(p->x);
}

void proxy_silent(struct deadline *silence)
{
	cut(proxy_of(http_relay_of(silence)->x), 'c', 'D');
}

static void on_head(struct http_call *c)
{
	struct proxy *p = proxy_from(c);
	const struct http_head *h = c->head;
	MUST(!p->relaying && p->x->status == 0);
	MUST(c->response_us >= c->connected_us && c->connected_us >= c->started_us);
	server_connected(p->server);
	count_server(p, p->server, stats_by_class(SERVER_responses_1xx, h->status));
	p->connect_ms = ms(c->connected_us - c->started_us);
	p->response_ms = ms(c->response_us - c->connected_us);
	lb_max_server(p->worker, p->server, SERVER_slowest_connect_ms, (uint64_t)p->connect_ms);
	lb_max_server(p->worker, p->server, SERVER_slowest_response_ms, (uint64_t)p->response_ms);
	struct str fields = forward_response(&p->x->arena, p->pool, h,
					     p->pool->conf_servers[p->index]->cookie, p->sticky,
					     &p->set_cookie);
	if (!fields.p) {
		count(p, STAT_response_errors);
		count_pool(p, POOL_response_errors);
		count_server(p, p->server, SERVER_response_errors);
		answer_error(p, 502, "The server's response head is too large.", 'P', 'H');
		return;
	}
	struct http_response r = {.status = h->status,
				  .reason = h->reason,
				  .framing = http_relay_framing(h),
				  .length = http_announced_length(h),
				  .upgrade = http_relay_upgrade(p->x, h),
				  .blocks = 1,
				  .fields = {fields}};
	p->relaying = true;
	http_exchange_respond(p->x, &r);
	relayed(p, h->status == 101 ? http_relay_tunnel(&p->relay, &p->worker->on_silence)
				    : http_relay_response(&p->relay));
}

static void on_interim(struct http_call *c)
{
	struct proxy *p = proxy_from(c);
	MUST(!p->relaying);
	lb_count_frontend(p->worker, p->bind, FRONTEND_responses_1xx, 1);
	count_pool(p, POOL_responses_1xx);
	count_server(p, p->server, SERVER_responses_1xx);
	http_relay_interim(p->x, c->head);
}

/* ---- attempts */

static void assign_server(struct proxy *p, int index)
{
	MUST(index >= 0 && (unsigned)index < p->pool->n && !p->server);
	struct server *s = p->pool->servers[index];
	MAGIC_CHECK(s, SERVER_MAGIC);
	p->index = index;
	p->server = s;
	uint32_t now = atomic_fetch_add_explicit(&s->current, 1, memory_order_relaxed) + 1;
	if (now > atomic_load_explicit(&s->peak, memory_order_relaxed))
		atomic_store_explicit(&s->peak, now, memory_order_relaxed);
	count_server(p, s, SERVER_requests);
	count_server(p, s, SERVER_running);
	lb_max_server(p->worker, s, SERVER_last_request_us, (uint64_t)now_of(p));
}

static void attempt(struct proxy *p, bool new_connection);

static const char *const no_server_text = "No server is available to handle this request.";

/* The server that the algorithm chooses, or -1. */
static int pick(struct proxy *p)
{
	int index = server_pick(p->pool, p->tried, now_of(p));
	if (index < 0) {
		count(p, STAT_no_server);
		count_pool(p, POOL_no_server);
	} else {
		count_pool(p, POOL_picks);
		count_server(p, p->pool->servers[index], SERVER_picks);
	}
	return index;
}

static void pick_and_attempt(struct proxy *p)
{
	MUST((p->sticky.flag == 'V') == (p->sticky.server >= 0));
	int index = p->sticky.flag == 'V' ? p->sticky.server : pick(p);
	if (index < 0) {
		answer_error(p, 503, no_server_text, 'S', 'C');
		return;
	}
	assign_server(p, index);
	attempt(p, false);
}

static void count_connect_error(struct proxy *p, const char *why)
{
	struct server *s = p->server;
	MUST(s && !p->call);
	count(p, STAT_connect_errors);
	count_pool(p, POOL_connect_errors);
	count_server(p, s, SERVER_connect_errors);
	if (server_failed(s, now_of(p)))
		log_event(LOG_LEVEL_WARN,
			  &(struct log_fields){.event = "server_ejected",
					       .server = s->name,
					       .pool = s->pool_name,
					       .status = "EJECTED",
					       .reason = why},
			  "server %s/%s: %s twice in a row: left out for a while", s->pool_name,
			  s->name, why);
}

/* Tries another server, if there are retries left. */
static bool redispatch(struct proxy *p)
{
	MUST(p->server == p->pool->servers[p->index] && !p->call && !p->relaying);
	if (p->retries >= p->pool->conf->retries)
		return false;
	p->tried |= UINT64_C(1) << p->index;
	p->retries++;
	count(p, STAT_retries);
	count_pool(p, POOL_retries);
	count_server(p, p->server, SERVER_retries);
	struct server *before = p->server;
	release_server(p);
	/* The server of the client's cookie cannot be reached: choose another one, and set the cookie anew. */
	if (p->sticky.flag == 'V')
		p->sticky = (struct sticky_match){.server = -1, .flag = 'D'};
	int index = pick(p);
	if (index < 0) {
		answer_error(p, 503, no_server_text, 'S', 'C');
		return true;
	}
	assign_server(p, index);
	if (p->server != before) {
		p->redispatched = true;
		count(p, STAT_redispatches);
		count_pool(p, POOL_redispatches);
		count_server(p, before, SERVER_redispatches);
	}
	attempt(p, false);
	return true;
}

static bool repeatable(const struct proxy *p)
{
	return http_method_idempotent(p->x->head->method) && p->x->body_in == 0;
}

struct outcome {
	uint16_t status;
	char cause, phase;
};

static struct outcome error_outcome(enum http_fail why)
{
	switch (why) {
	case HTTP_FAIL_BUSY:
		return (struct outcome){503, 'R', 'C'};
	case HTTP_FAIL_CONNECT:
		return (struct outcome){503, 'S', 'C'};
	case HTTP_FAIL_CONNECT_TIMEOUT:
		return (struct outcome){503, 's', 'C'};
	case HTTP_FAIL_RESPONSE_TIMEOUT:
		return (struct outcome){504, 's', 'H'};
	case HTTP_FAIL_BAD_RESPONSE:
		return (struct outcome){502, 'P', 'H'};
	case HTTP_FAIL_BODY:
		return (struct outcome){502, 'S', 'D'};
	case HTTP_FAIL_STALE:
	case HTTP_FAIL_CLOSED:
		return (struct outcome){502, 'S', 'H'};
	case HTTP_FAIL_NONE:
		break;
	}
	WRONG("a failure that is none");
}

static void give_up(struct proxy *p, enum http_fail why)
{
	struct outcome v = error_outcome(why);
	if (v.status != 503) {
		count(p, STAT_response_errors);
		count_pool(p, POOL_response_errors);
		if (p->server)
			count_server(p, p->server, SERVER_response_errors);
	}
	if (p->relaying)
		cut(p, v.cause, v.phase);
	else
		answer_error(p, v.status, http_client_fail_text(why), v.cause, v.phase);
}

static void handle_failure(struct proxy *p, enum http_fail why)
{
	switch (why) {
	case HTTP_FAIL_CONNECT:
	case HTTP_FAIL_CONNECT_TIMEOUT:
		count_connect_error(p, http_client_fail_text(why));
		if (redispatch(p))
			return;
		break;
	case HTTP_FAIL_STALE:
		count(p, STAT_stale);
		count_pool(p, POOL_stale);
		count_server(p, p->server, SERVER_stale);
		if (repeatable(p)) {
			attempt(p, true);
			return;
		}
		break;
	case HTTP_FAIL_CLOSED:
		if (repeatable(p) && redispatch(p))
			return;
		break;
	case HTTP_FAIL_BUSY:
	case HTTP_FAIL_RESPONSE_TIMEOUT:
	case HTTP_FAIL_BAD_RESPONSE:
		break;
	case HTTP_FAIL_BODY:
		MUST(p->relaying); /* the head was told first */
		break;
	case HTTP_FAIL_NONE:
		WRONG("a failure that is none");
	}
	give_up(p, why);
}

static void on_failed(struct http_call *c, enum http_fail why)
{
	struct proxy *p = proxy_from(c);
	if (why == HTTP_FAIL_BAD_RESPONSE)
		log_info("server %s/%s: bad response: %s", p->server->pool_name, p->server->name,
			 http_client_bad(c).reason);
	http_relay_fini(&p->relay);
	p->call = NULL;
	handle_failure(p, why);
}

/* With or without a connection of its own to the server. */
static void attempt(struct proxy *p, bool new_connection)
{
	const struct http_head *h = p->x->head;
	MUST(p->server && !p->call && !p->relaying);
	MUST(p->fields.p && p->host.n);
	struct http_request r = {.method = h->method,
				 .method_text = h->method_text,
				 .target = h->target,
				 .host = p->host,
				 .upgrade = http_upgrade_of(h),
				 .body = h->body,
				 .length = http_announced_length(h),
				 .blocks = 1,
				 .fields = {p->fields}};
	struct http_route route = {.to = &p->pool->conf_servers[p->index]->address,
				   .preface = p->preface,
				   .new_connection = new_connection ||
						     !http_method_idempotent(h->method)};
	enum http_fail why;
	p->call = http_client_start(lb_worker_client(p->worker, p->pool), &route, &r, &ops, p,
				    &why);
	if (!p->call) {
		handle_failure(p, why);
		return;
	}
	MUST(p->call->user == p);
	http_relay_init(&p->relay, p->x, p->call);
	if (p->call->reused) {
		count_pool(p, POOL_reuses);
		count_server(p, p->server, SERVER_reuses);
	} else {
		count(p, STAT_connects);
		count_pool(p, POOL_connects);
		count_server(p, p->server, SERVER_connects);
	}
}

static void on_writable(struct http_call *c)
{
	struct proxy *p = proxy_from(c);
	relayed(p, http_relay_request(&p->relay));
}

static void on_body(struct http_call *c)
{
	struct proxy *p = proxy_from(c);
	relayed(p, http_relay_response(&p->relay));
}

static const struct http_call_ops ops = {
	.writable = on_writable,
	.interim = on_interim,
	.head = on_head,
	.body = on_body,
	.failed = on_failed,
};

/* ---- called by the worker */

static void set_host(struct proxy *p)
{
	p->host = p->x->head->authority;
	if (!p->host.n)
		p->host = str_c(addr_format(&p->pool->conf_servers[0]->address, p->host_text));
}

/* False: there is no room for it. */
static bool set_preface(struct proxy *p)
{
	unsigned version = p->pool->conf->send_proxy;
	struct addr local;
	if (!version)
		return true;
	char *to = arena_alloc(&p->x->arena, PROXY_HEADER_ROOM);
	if (!to)
		return false;
	http_exchange_local(p->x, &local);
	p->preface = str_of(to, proxy_header_write(to, version, p->x->peer, &local));
	return true;
}

void proxy_begin(struct http_exchange *x, const struct lb_bind *bind)
{
	struct lb_worker *w = lb_worker_of(x);
	MUST(!x->user && x->status == 0);
	MAGIC_CHECK(bind->pool->live, POOL_MAGIC);
	const struct lb_settings *settings = conf_of(w->base.gen)->settings;
	struct proxy *p = ARENA_NEW(&x->arena, struct proxy);
	MUST(p); /* the arena begins with a block far larger than this */
	*p = (struct proxy){.x = x,
			    .worker = w,
			    .gen = daemon_ref(w->base.gen),
			    .bind = bind,
			    .pool = bind->pool,
			    .sticky = {.server = -1, .flag = '-'},
			    .cause = '-',
			    .phase = '-',
			    .set_cookie = '-',
			    .connect_ms = -1,
			    .response_ms = -1};
	MAGIC_SET(p, PROXY_MAGIC);
	list_add(&w->proxies, &p->in_worker);
	x->user = p;
	w->running++;
	count(p, STAT_requests);
	count_pool(p, POOL_requests);
	count_pool(p, POOL_running);
	lb_count_frontend(w, bind, FRONTEND_running, 1);
	if (x->head->method == HTTP_PURGE && !settings->forwarded_for) {
		/* edged behind would take it for a request of this board itself. */
		answer_error(p, 403, "PURGE is not forwarded while forwarded-for is off.", 'P',
			     'R');
		return;
	}
	http_forwarded_filter(x->head,
			      nets_contain(&settings->trust, x->peer) ? HTTP_FORWARDED_TRUSTED : 0);
	p->sticky = server_sticky(p->pool, x->head, now_of(p));
	p->set_cookie = p->sticky.flag == '-' ? '-' : 'N';
	set_host(p);
	p->fields = forward_request(&x->arena, p->pool, x->head, x->peer, settings->forwarded_for);
	if (!p->fields.p || !set_preface(p))
		answer_error(p, 431, "The request head is too large to be forwarded.", 'P', 'R');
	else
		pick_and_attempt(p);
}

void proxy_readable(struct http_exchange *x)
{
	struct proxy *p = proxy_of(x);
	if (p->call)
		relayed(p, http_relay_request(&p->relay));
}

void proxy_writable(struct http_exchange *x)
{
	struct proxy *p = proxy_of(x);
	MUST(p->relaying);
	relayed(p, http_relay_response(&p->relay));
}

/* ---- invariants */

static const struct proxy *listed(const struct list *l)
{
	const struct proxy *p = container_of_const(l, struct proxy, in_worker);
	MAGIC_CHECK(p, PROXY_MAGIC);
	return p;
}

static void check_one(const struct proxy *p, const struct lb_worker *w)
{
	const struct lb_config *c = conf_of(p->gen);
	MUST(p->worker == w && p->x->user == p && p->x->worker == w->base.worker);
	MUST(p->bind >= c->binds && p->bind < c->binds + c->n_binds && p->bind->pool == p->pool);
	MUST(p->retries <= p->pool->conf->retries && (p->retries || !p->redispatched));
	MUST(p->pool->n == LB_SERVERS_MAX || p->tried >> p->pool->n == 0);
	MUST((p->sticky.flag == 'V') == (p->sticky.server >= 0));
	MUST(p->call || p->relay.magic == 0);
	MUST(!p->call || (p->call->user == p && p->server));
	MUST(!p->call || !!p->x->status == p->relaying);
	MUST(!p->relaying || p->x->status);
	if (p->server) {
		MAGIC_CHECK(p->server, SERVER_MAGIC);
		MUST(p->server == p->pool->servers[p->index]);
		MUST(atomic_load(&p->server->current) > 0);
	}
	if (p->call) {
		http_relay_check(&p->relay);
		pipes_found(&w->base.worker->pipes, &p->relay.request.pipe);
		pipes_found(&w->base.worker->pipes, &p->relay.response.pipe);
	}
}

unsigned proxy_check(const struct lb_worker *w)
{
	const struct list *l;
	unsigned n = list_check(&w->proxies);
	MUST(n == w->running);
	LIST_EACH(l, &w->proxies) {
		const struct proxy *p = listed(l);
		check_one(p, w);
	}
	return n;
}

void proxy_each(const struct lb_worker *w,
		void (*one)(const struct lb_bind *b, const struct lb_pool *p,
			    const struct server *s, void *arg),
		void *arg)
{
	const struct list *l;
	LIST_EACH(l, &w->proxies)
		one(listed(l)->bind, listed(l)->pool, listed(l)->server, arg);
}

unsigned proxy_attempts(const struct lb_worker *w, const struct server *s)
{
	const struct list *l;
	unsigned n = 0;
	LIST_EACH(l, &w->proxies)
		n += listed(l)->server == s;
	return n;
}
