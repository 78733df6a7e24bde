// SPDX-License-Identifier: MIT
/*
 * Calls. A call borrows a link: a kept one, over which the request is written at once, or a new one, over which
 * writing is tried at once too, since a connection on a LAN is often there by then.
 *
 * The read watcher runs for the whole life of a link; it is stopped only when it fires and there is no room, or
 * nothing more is to be read. The write watcher runs while connecting and while the kernel takes no more. Errors
 * that a writing call meets are told from the loop, by the read side: what the server said last comes first.
 */
#include "http/client.h"

#include <errno.h>

#include "http/link.h"
#include "net/sock.h"

#define READS_A_TURN 4 /* of a body that comes faster than the loop turns */

struct http_active_call {
	struct http_call call;
	const struct http_call_ops *ops;
	struct http_link *link;
	struct http_active_call *prev, *next;
	struct http_out out;
	struct http_body body;
	struct http_bad bad;
	enum http_method method;
	bool has_body;	   /* the request has one */
	bool can_write;	   /* the caller waits for writable() */
	bool body_offered; /* the last piece of the request body was offered and taken */
	struct http_head head;
};

static struct http_active_call *active_of(struct http_call *c)
{
	return container_of(c, struct http_active_call, call);
}

static int64_t now_of(const struct http_client *cl)
{
	return worker_now_us(cl->worker);
}

const char *http_fail_text(enum http_fail f)
{
	switch (f) {
	case HTTP_FAIL_NONE:
		return "no failure";
	case HTTP_FAIL_BUSY:
		return "too many calls";
	case HTTP_FAIL_CONNECT:
		return "connection failed";
	case HTTP_FAIL_CONNECT_TIMEOUT:
		return "connection timed out";
	case HTTP_FAIL_STALE:
		return "kept connection was closed";
	case HTTP_FAIL_CLOSED:
		return "closed without a response";
	case HTTP_FAIL_RESPONSE_TIMEOUT:
		return "no response in time";
	case HTTP_FAIL_BAD_RESPONSE:
		return "bad response";
	case HTTP_FAIL_BODY:
		return "response body broke off";
	}
	WRONG("unknown failure");
}

/* ---- ends of a call */

static void forget_call(struct http_active_call *a)
{
	struct http_client *cl = a->call.client;
	if (a->prev)
		a->prev->next = a->next;
	else
		cl->calls = a->next;
	if (a->next)
		a->next->prev = a->prev;
	slab_put(&cl->call_slab, a);
}

static void fail(struct http_active_call *a, enum http_fail why)
{
	struct http_client *cl = a->call.client;
	if (a->link)
		http_link_close(a->link);
	a->link = NULL;
	cl->stats.connect_failures += why == HTTP_FAIL_CONNECT || why == HTTP_FAIL_CONNECT_TIMEOUT;
	cl->stats.stale += why == HTTP_FAIL_STALE;
	a->ops->failed(&a->call, why);
	forget_call(a);
}

static bool keepable(const struct http_active_call *a)
{
	const struct http_link *l = a->link;
	return l->state == HTTP_LINK_BODY && a->body.state == HTTP_BODY_END && l->p0 == l->p1 &&
	       l->p1 == l->tail && !l->junk && !a->head.close && http_out_complete(&a->out);
}

void http_client_end(struct http_call *c)
{
	struct http_active_call *a = active_of(c);
	struct http_link *l = a->link;
	deadline_cancel(&l->deadline);
	if (!keepable(a) || !http_link_keep(l))
		http_link_close(l);
	forget_call(a);
}

void http_client_abort(struct http_call *c)
{
	struct http_active_call *a = active_of(c);
	http_link_close(a->link);
	forget_call(a);
}

/* ---- sending */

static void await_response(struct http_active_call *a)
{
	struct http_client *cl = a->call.client;
	deadline_arm(&a->link->deadline, &cl->on_response, now_of(cl));
}

/* The read side finds out what happened; nothing calls back from inside a call. */
static void report_from_loop(struct http_link *l)
{
	ev_io_stop(l->client->worker->loop, &l->writable);
	l->junk = true;
	ev_feed_event(l->client->worker->loop, &l->readable, EV_READ);
}

static ssize_t send_out(struct http_active_call *a, const struct iovec *iov, int n, bool last)
{
	struct http_link *l = a->link;
	size_t put;
	ssize_t taken = http_out_send(&a->out, &l->io, iov, n,
				      last ? HTTP_PIECE_LAST : HTTP_PIECE_SOME, &put);
	a->call.bytes_out += put;
	a->call.client->stats.bytes_out += put;
	if (taken < 0) {
		report_from_loop(l);
		return -1;
	}
	if (put && l->state == HTTP_LINK_HEAD)
		await_response(a);
	bool wait = http_out_owes(&a->out) || (size_t)taken < http_iov_total(iov, n);
	if (wait)
		ev_io_start(l->client->worker->loop, &l->writable);
	return taken;
}

ssize_t http_client_write(struct http_call *c, const struct iovec *iov, int n, bool last)
{
	struct http_active_call *a = active_of(c);
	if (a->link->junk)
		return -1;
	ssize_t taken = send_out(a, iov, n, last);
	if (taken < 0)
		return -1;
	bool all = (size_t)taken == http_iov_total(iov, n);
	a->can_write = !all;
	a->body_offered = all && last;
	return taken;
}

static void connected(struct http_active_call *a)
{
	a->link->state = HTTP_LINK_HEAD;
	sock_limit_silence(a->link->io.fd, !a->has_body, &a->link->limited);
	a->call.connected_us = now_of(a->call.client);
	ev_io_start(a->call.client->worker->loop, &a->link->readable);
	await_response(a);
}

/* True when the connection is there; otherwise the call has failed. */
static bool finish_connecting(struct http_active_call *a)
{
	int error = sock_error(a->link->io.fd);
	if (error) {
		a->call.error = error;
		fail(a, HTTP_FAIL_CONNECT);
		return false;
	}
	connected(a);
	return true;
}

void http_client_writable(struct http_link *l)
{
	struct http_active_call *a = l->active;
	bool first = l->state == HTTP_LINK_CONNECTING;
	if (first && !finish_connecting(a))
		return;
	ev_io_stop(l->client->worker->loop, &l->writable);
	if (http_out_owes(&a->out) || a->body_offered)
		if (send_out(a, NULL, 0, a->body_offered) < 0)
			return;
	if (!http_out_owes(&a->out) && a->can_write) {
		a->can_write = false;
		a->ops->writable(&a->call);
	}
}

/* ---- starting */

static enum http_out_framing framing_of(const struct http_request *r)
{
	return r->body == HTTP_BODY_CHUNKED  ? HTTP_OUT_CHUNKED
	       : r->body == HTTP_BODY_LENGTH ? HTTP_OUT_LENGTH
					     : HTTP_OUT_NONE;
}

static void init_call(struct http_active_call *a, struct http_client *cl, const struct addr *to,
		      const struct http_request *r, const struct http_call_ops *ops, void *user)
{
	memset(a, 0, offsetof(struct http_active_call, head));
	a->call = (struct http_call){
		.client = cl, .head = &a->head, .to = *to, .user = user, .started_us = now_of(cl)};
	a->ops = ops;
	a->method = r->method;
	http_out_init(&a->out, framing_of(r), r->length);
	a->has_body = a->can_write = a->out.framing != HTTP_OUT_NONE;
	for (int i = 0; i < r->pieces; i++)
		http_out_piece(&a->out, str_of(r->head[i].iov_base, r->head[i].iov_len));
	a->next = cl->calls;
	if (a->next)
		a->next->prev = a;
	cl->calls = a;
}

static void take_link(struct http_active_call *a, struct http_link *l)
{
	a->link = l;
	l->active = a;
}

/* Over a kept connection. False: there is none that still takes bytes. */
static bool start_kept(struct http_active_call *a, struct http_site *site)
{
	struct http_client *cl = a->call.client;
	struct http_link *l;
	while ((l = http_link_kept(site))) {
		size_t put;
		take_link(a, l);
		l->state = HTTP_LINK_HEAD;
		sock_limit_silence(l->io.fd, !a->has_body, &l->limited);
		if (http_out_send(&a->out, &l->io, NULL, 0, HTTP_PIECE_SOME, &put) < 0) {
			http_link_close(l);
			continue;
		}
		a->call.reused = true;
		a->call.connected_us = a->call.started_us;
		a->call.bytes_out = put;
		cl->stats.bytes_out += put;
		cl->stats.reuses++;
		await_response(a);
		/* A body is asked for from the loop, as after connecting. */
		if (http_out_owes(&a->out) || a->has_body)
			ev_io_start(cl->worker->loop, &l->writable);
		return true;
	}
	return false;
}

/* Out of something here, as opposed to a server that cannot be reached. */
static enum http_fail connect_failure(struct http_active_call *a, int error)
{
	bool ours = error == 0 || error == EMFILE || error == ENFILE || error == ENOBUFS ||
		    error == ENOMEM || error == EADDRNOTAVAIL;
	a->call.client->stats.connect_failures += !ours;
	return ours ? HTTP_FAIL_BUSY : HTTP_FAIL_CONNECT;
}

static void wait_for_connection(struct http_active_call *a)
{
	struct http_client *cl = a->call.client;
	ev_io_start(cl->worker->loop, &a->link->writable);
	deadline_arm(&a->link->deadline, &cl->on_connect, now_of(cl));
}

static enum http_fail start_new(struct http_active_call *a, struct http_site *site)
{
	struct http_client *cl = a->call.client;
	int error;
	struct http_link *l = http_link_open(cl, site, &error);
	if (!l)
		return connect_failure(a, error);
	take_link(a, l);
	size_t put = 0;
	if (!a->has_body && http_out_send(&a->out, &l->io, NULL, 0, HTTP_PIECE_SOME, &put) < 0) {
		error = errno;
		http_link_close(l);
		return connect_failure(a, error);
	}
	if (!put) {
		wait_for_connection(a);
		return HTTP_FAIL_NONE;
	}
	a->call.bytes_out = put;
	cl->stats.bytes_out += put;
	connected(a);
	if (http_out_owes(&a->out))
		ev_io_start(cl->worker->loop, &l->writable);
	return HTTP_FAIL_NONE;
}

struct http_call *http_client_start(struct http_client *cl, const struct addr *to,
				    const struct http_request *r, bool fresh,
				    const struct http_call_ops *ops, void *user,
				    enum http_fail *why)
{
	struct http_site *site = http_link_site(cl, to);
	struct http_active_call *a = site ? slab_get(&cl->call_slab) : NULL;
	*why = HTTP_FAIL_BUSY;
	if (!a)
		return NULL;
	init_call(a, cl, to, r, ops, user);
	cl->stats.calls++;
	*why = HTTP_FAIL_NONE;
	if (!fresh && start_kept(a, site))
		return &a->call;
	*why = start_new(a, site);
	if (*why == HTTP_FAIL_NONE)
		return &a->call;
	forget_call(a);
	return NULL;
}

/* ---- receiving */

static void take_body(struct http_active_call *a)
{
	struct http_link *l = a->link;
	size_t payload, used, n = l->tail - l->p1;
	char *raw = l->mem + l->p1;
	if (n == 0 || a->body.state != HTTP_BODY_MORE)
		return;
	http_body_take(&a->body, raw, n, &payload, &used);
	if (used > payload && n > used)
		memmove(raw + payload, raw + used, n - used);
	l->p1 += (uint32_t)payload;
	l->tail = l->p1 + (uint32_t)(n - used);
	a->call.body_in += payload;
}

static void body_deadline(struct http_active_call *a)
{
	struct http_client *cl = a->call.client;
	if (a->body.state == HTTP_BODY_MORE)
		deadline_arm(&a->link->deadline, &cl->on_body, now_of(cl));
	else
		deadline_cancel(&a->link->deadline);
}

/* 1xx: told, then cut out of the buffer. */
static void interim(struct http_active_call *a)
{
	struct http_link *l = a->link;
	if (a->ops->interim && a->head.status != 100)
		a->ops->interim(&a->call);
	uint32_t size = a->head.size;
	memmove(l->mem, l->mem + size, l->tail - size);
	l->tail -= size;
	l->scanned = 0;
}

static void final_head(struct http_active_call *a)
{
	struct http_link *l = a->link;
	l->state = HTTP_LINK_BODY;
	l->head = l->p0 = l->p1 = a->head.size;
	a->call.response_us = now_of(a->call.client);
	http_body_init(&a->body, a->head.body, a->head.length);
	take_body(a);
	body_deadline(a);
	if (a->body.state == HTTP_BODY_BROKEN) {
		a->bad = (struct http_bad){.status = 502, .reason = a->body.broken};
		fail(a, HTTP_FAIL_BAD_RESPONSE);
		return;
	}
	a->ops->head(&a->call);
}

static void take_head(struct http_active_call *a)
{
	struct http_link *l = a->link;
	struct http_limits limits = {
		.line = 16000, .head = WORKER_BUFFER_SIZE - 1, .fields = HTTP_FIELDS_MAX};
	for (;;) {
		switch (http_parse_response(&a->head, str_of(l->mem, l->tail), &l->scanned, &limits,
					    a->method, &a->bad)) {
		case HTTP_PARSE_MORE:
			return;
		case HTTP_PARSE_DONE:
			if (a->head.status == 101) {
				a->bad = (struct http_bad){.status = 502, .reason = "unasked 101"};
				fail(a, HTTP_FAIL_BAD_RESPONSE);
				return;
			}
			if (a->head.status >= 200) {
				final_head(a);
				return;
			}
			interim(a);
			break;
		case HTTP_PARSE_BAD:
			fail(a, HTTP_FAIL_BAD_RESPONSE);
			return;
		}
	}
}

/* The server closed, or the connection broke (error is errno then). */
static void ended(struct http_active_call *a, int error)
{
	struct http_link *l = a->link;
	l->junk = true;
	a->call.error = error;
	if (l->state == HTTP_LINK_HEAD && l->tail == 0) {
		fail(a, a->call.reused ? HTTP_FAIL_STALE : HTTP_FAIL_CLOSED);
	} else if (l->state == HTTP_LINK_HEAD) {
		a->bad = (struct http_bad){.status = 502, .reason = "closed inside the head"};
		fail(a, HTTP_FAIL_BAD_RESPONSE);
	} else {
		ev_io_stop(l->client->worker->loop, &l->readable);
		if (a->body.state != HTTP_BODY_MORE)
			return;
		if (error || http_body_eof(&a->body) == HTTP_BODY_BROKEN)
			fail(a, HTTP_FAIL_BODY);
		else {
			body_deadline(a);
			a->ops->body(&a->call);
		}
	}
}

static void take_more_body(struct http_active_call *a)
{
	struct http_link *l = a->link;
	uint32_t had = l->p1;
	take_body(a);
	body_deadline(a);
	if (a->body.state == HTTP_BODY_BROKEN)
		fail(a, HTTP_FAIL_BODY);
	else if (l->p1 > had || a->body.state == HTTP_BODY_END)
		a->ops->body(&a->call);
}

/* One read and what it brings. True: it filled the buffer and all of that was taken, so there may be more. */
static bool read_once(struct http_link *l, struct http_active_call *a)
{
	size_t room = WORKER_BUFFER_SIZE - l->tail;
	ssize_t n = io_read(&l->io, l->mem + l->tail, room);
	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			ended(a, n == 0 ? 0 : errno);
		return false;
	}
	l->tail += (uint32_t)n;
	l->full = (size_t)n == room;
	l->client->stats.bytes_in += (uint64_t)n;
	if (l->state == HTTP_LINK_HEAD)
		take_head(a);
	else
		take_more_body(a);
	return l->full && l->active == a && l->state == HTTP_LINK_BODY &&
	       a->body.state == HTTP_BODY_MORE && l->tail == l->head;
}

void http_client_readable(struct http_link *l)
{
	struct http_active_call *a = l->active;
	bool over = l->state == HTTP_LINK_BODY && a->body.state != HTTP_BODY_MORE;
	if (over)
		l->junk = true; /* more than the response, or its end: not to be kept */
	if (over || l->tail == WORKER_BUFFER_SIZE) {
		ev_io_stop(l->client->worker->loop, &l->readable);
		return;
	}
	if (!http_link_buffer(l)) {
		fail(a, l->state == HTTP_LINK_BODY ? HTTP_FAIL_BODY : HTTP_FAIL_BUSY);
		return;
	}
	/* The caller may end its call in any of them, and with it the link. */
	l->reading = true;
	for (unsigned rounds = 0; rounds < READS_A_TURN && read_once(l, a); rounds++)
		;
	l->reading = false;
	if (l->state == HTTP_LINK_CLOSED)
		slab_put(&l->client->link_slab, l);
}

struct str http_client_data(struct http_call *c)
{
	struct http_link *l = active_of(c)->link;
	return str_of(l->mem + l->p0, l->p1 - l->p0);
}

enum http_body_state http_client_body_state(const struct http_call *c)
{
	const struct http_active_call *a = (const void *)((const char *)c -
							  offsetof(struct http_active_call, call));
	return a->body.state;
}

void http_client_consume(struct http_call *c, size_t n)
{
	struct http_active_call *a = active_of(c);
	struct http_link *l = a->link;
	MUST(n <= l->p1 - l->p0);
	l->p0 += (uint32_t)n;
	if (l->p0 == l->p1 && a->body.state == HTTP_BODY_MORE)
		l->p0 = l->p1 = l->tail = l->head;
	if (!l->junk && a->body.state == HTTP_BODY_MORE && l->tail < WORKER_BUFFER_SIZE)
		ev_io_start(l->client->worker->loop, &l->readable);
}

enum http_piece http_client_piece(const struct http_call *c)
{
	const struct http_active_call *a = (const void *)((const char *)c -
							  offsetof(struct http_active_call, call));
	if (a->body.state == HTTP_BODY_END)
		return HTTP_PIECE_LAST;
	return a->link->full ? HTTP_PIECE_MORE : HTTP_PIECE_SOME;
}

struct http_bad http_client_bad(const struct http_call *c)
{
	const struct http_active_call *a = (const void *)((const char *)c -
							  offsetof(struct http_active_call, call));
	return a->bad;
}

/* ---- deadlines */

void http_client_expired(struct http_link *l)
{
	struct http_active_call *a = l->active;
	switch ((enum http_link_state)l->state) {
	case HTTP_LINK_IDLE:
		http_link_close(l);
		break;
	case HTTP_LINK_CONNECTING:
		a->call.error = ETIMEDOUT;
		fail(a, HTTP_FAIL_CONNECT_TIMEOUT);
		break;
	case HTTP_LINK_HEAD:
		fail(a, HTTP_FAIL_RESPONSE_TIMEOUT);
		break;
	case HTTP_LINK_BODY:
		if (l->p0 < l->p1) /* it is the caller who does not take what is there */
			body_deadline(a);
		else
			fail(a, HTTP_FAIL_BODY);
		break;
	case HTTP_LINK_CLOSED:
		WRONG("a closed connection has no deadline");
	}
}

static void on_deadline(struct deadline *d)
{
	struct http_link *l = container_of(d, struct http_link, deadline);
	http_client_expired(l);
}

/* ---- the client object */

static void set_waits(struct http_client *cl)
{
	deadline_class_set(&cl->on_connect, cl->conf.connect_us);
	deadline_class_set(&cl->on_response, cl->conf.response_us);
	deadline_class_set(&cl->on_body, cl->conf.body_us);
	deadline_class_set(&cl->on_idle, cl->conf.idle_us);
}

struct http_client *http_client_new(struct worker *w, const struct http_client_conf *conf)
{
	struct http_client *cl = def_xcalloc(1, sizeof(*cl));
	cl->worker = w;
	cl->conf = *conf;
	slab_init(&cl->link_slab, sizeof(struct http_link), UINT32_MAX, 256);
	slab_init(&cl->call_slab, sizeof(struct http_active_call), conf->max_calls, 64);
	deadline_class_init(&cl->on_connect, w->loop, conf->connect_us, on_deadline);
	deadline_class_init(&cl->on_response, w->loop, conf->response_us, on_deadline);
	deadline_class_init(&cl->on_body, w->loop, conf->body_us, on_deadline);
	deadline_class_init(&cl->on_idle, w->loop, conf->idle_us, on_deadline);
	return cl;
}

void http_client_set_conf(struct http_client *cl, const struct http_client_conf *conf)
{
	cl->conf = *conf;
	cl->call_slab.cap = conf->max_calls;
	set_waits(cl);
}

static void close_kept(struct http_site *s)
{
	struct http_link *l;
	while ((l = s->idle.next) != &s->idle)
		http_link_close(l);
}

void http_client_free(struct http_client *cl)
{
	while (cl->calls)
		fail(cl->calls, HTTP_FAIL_CLOSED);
	while (cl->sites) {
		struct http_site *s = cl->sites;
		cl->sites = s->next;
		close_kept(s);
		free(s);
	}
	struct deadline_class *classes[] = {&cl->on_connect, &cl->on_response, &cl->on_body,
					    &cl->on_idle};
	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		deadline_class_fini(classes[i]);
	slab_fini(&cl->call_slab);
	slab_fini(&cl->link_slab);
	free(cl);
}

unsigned http_client_calls(const struct http_client *cl)
{
	return cl->call_slab.used;
}

unsigned http_client_idle(const struct http_client *cl)
{
	unsigned n = 0;
	for (const struct http_site *s = cl->sites; s; s = s->next)
		n += s->count;
	return n;
}

void http_client_forget(struct http_client *cl, const struct addr *to)
{
	for (struct http_site *s = cl->sites; s; s = s->next)
		if (addr_eq(&s->addr, to))
			close_kept(s);
}

const struct http_client_stats *http_client_stats(const struct http_client *cl)
{
	return &cl->stats;
}
