// SPDX-License-Identifier: MIT
/*
 * Calls, in HTTP/1.1. A call borrows a link: an idle one, over which the request is written at once, or a new one, over
 * which writing is tried at once too, since a connection on a LAN is often there by then.
 *
 * The read watcher runs for the whole life of a link; it is stopped only when it fires and there is no room, or
 * nothing more is to be read. The write watcher runs while connecting and while the kernel takes no more. Errors
 * that a writing call meets are told from the loop, by the read side: what the server said last comes first.
 *
 * The response deadline runs while bytes of ours wait to be sent and, from when the request is whole, until the response
 * head is; while the caller has no body to send, it is not the server that is late. A tunnel has no deadline here.
 */
#include "http/client.h"

#include <errno.h>

#include "http/link.h"
#include "http/out.h"
#include "loop/budget.h"
#include "net/sock.h"

#define CALL_MAGIC   0x4843414cu
#define CLIENT_MAGIC 0x48434c49u

#define READS_A_TURN 4 /* of a body that comes faster than the loop turns */

enum call_state { CONNECT, HEAD, BODY };

struct http_active_call {
	struct http_call call;
	uint32_t magic;
	uint8_t state;	   /* enum call_state */
	bool has_body;	   /* the request has one */
	bool can_write;	   /* the caller waits for writable() */
	bool body_offered; /* the last piece of the request body was offered and taken */
	bool write_failed;
	bool full;     /* the last read filled the window: more is probably there */
	bool splicing; /* the caller moves the body by itself */
	bool held;     /* and takes none of it until it says so */
	bool tunnel;
	bool shut; /* tunnel: no more bytes to the server */
	uint8_t interims;
	const struct http_call_ops *ops;
	struct http_link *link;
	struct http_active_call *prev, *next;
	struct http_out out;
	struct http_bad bad;
	enum http_method method;
	struct str upgrade;
	char last[192]; /* framing and connection fields, and the blank line */
	struct http_head head;
};

static struct http_active_call *active_of(struct http_call *c)
{
	struct http_active_call *a = container_of(c, struct http_active_call, call);
	MAGIC_CHECK(a, CALL_MAGIC);
	return a;
}

static const struct http_active_call *active_of_const(const struct http_call *c)
{
	return active_of((struct http_call *)(uintptr_t)c);
}

static int64_t now_of(const struct http_client *cl)
{
	return worker_now_us(cl->worker);
}

const char *http_client_fail_text(enum http_fail f)
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
		return "idle connection was closed";
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

static void give_unit(struct http_client *cl)
{
	if (cl->conf.budget)
		budget_give(cl->conf.budget);
}

static struct http_active_call *take_call(struct http_client *cl)
{
	struct budget *b = cl->conf.budget;
	if (b && !budget_take(b, NULL))
		return NULL;
	struct http_active_call *a = slab_get(&cl->call_slab);
	if (!a)
		give_unit(cl);
	return a;
}

/* Its unit has been given back. */
static void free_call(struct http_active_call *a)
{
	struct http_client *cl = a->call.client;
	if (a->prev)
		a->prev->next = a->next;
	else
		cl->calls = a->next;
	if (a->next)
		a->next->prev = a->prev;
	MAGIC_WIPE(a, CALL_MAGIC);
	slab_put(&cl->call_slab, a);
}

static void forget_call(struct http_active_call *a)
{
	give_unit(a->call.client);
	free_call(a);
}

/* Tells the caller and ends the call. The caller may start another one in failed(): with the unit that this one had. */
static void fail(struct http_active_call *a, enum http_fail why)
{
	struct http_client *cl = a->call.client;
	if (a->link)
		http_link_close(a->link);
	a->link = NULL;
	cl->stats.connect_failures += why == HTTP_FAIL_CONNECT || why == HTTP_FAIL_CONNECT_TIMEOUT;
	cl->stats.stale += why == HTTP_FAIL_STALE;
	give_unit(cl);
	a->ops->failed(&a->call, why);
	free_call(a);
}

static void fail_bad(struct http_active_call *a, const char *reason)
{
	a->bad = (struct http_bad){.status = 502, .reason = reason};
	fail(a, HTTP_FAIL_BAD_RESPONSE);
}

static bool may_keep(const struct http_active_call *a)
{
	const struct http_in *in = &a->link->in;
	return a->state == BODY && !a->tunnel && in->body.state == HTTP_BODY_END &&
	       http_in_payload(in) == 0 && http_in_behind(in) == 0 && !a->head.close &&
	       !a->write_failed && http_out_complete(&a->out);
}

void http_client_end(struct http_call *c)
{
	struct http_active_call *a = active_of(c);
	deadline_cancel(&a->link->deadline);
	if (!may_keep(a) || !http_link_keep(a->link))
		http_link_close(a->link);
	forget_call(a);
}

void http_client_abort(struct http_call *c)
{
	struct http_active_call *a = active_of(c);
	http_link_close(a->link);
	forget_call(a);
}

/* ---- sending */

/* See the deadlines above. */
static void await_response(struct http_active_call *a)
{
	bool servers_turn = http_out_complete(&a->out) || ev_is_active(&a->link->writable);
	if (servers_turn && !a->tunnel)
		http_link_arm(a->link, &a->call.client->on_response);
	else
		deadline_cancel(&a->link->deadline);
}

/*
 * The kernel tells of a reset once: the read that comes after the call that was told meets a plain end. EPIPE is no
 * such news, the server had ended before.
 */
static void keep_error(struct http_active_call *a)
{
	if (errno != EPIPE)
		a->call.error = errno;
}

/* The read side finds out what happened; nothing calls back from inside a call. */
static ssize_t report_from_loop(struct http_active_call *a)
{
	keep_error(a);
	a->write_failed = true;
	http_link_watch_write(a->link, false);
	http_link_feed(a->link);
	return -1;
}

static void sent(struct http_active_call *a, size_t n)
{
	a->call.bytes_out += n;
	a->call.client->stats.bytes_out += n;
}

static ssize_t send_out(struct http_active_call *a, const struct iovec *iov, int n, bool last)
{
	struct http_link *l = a->link;
	size_t put;
	ssize_t taken = http_out_send(&a->out, &l->io, iov, n,
				      last ? HTTP_PIECE_LAST : HTTP_PIECE_SOME, &put);
	sent(a, put);
	if (taken < 0)
		return report_from_loop(a);
	if (http_out_pending(&a->out) || (size_t)taken < http_out_total(iov, n))
		http_link_watch_write(l, true);
	return taken;
}

/* One direction of a tunnel is over. */
static void shut_when_sent(struct http_active_call *a)
{
	if (a->shut && !http_out_pending(&a->out))
		a->link->io.ops->shutdown(&a->link->io);
}

/* All of what the caller offered was taken, or the rest is asked for by writable(). */
static void offered(struct http_active_call *a, bool all, bool last)
{
	a->body_offered = all && last;
	a->can_write = !all;
	if (a->state == HEAD)
		await_response(a);
}

ssize_t http_client_write(struct http_call *c, const struct iovec *iov, int n, bool last)
{
	struct http_active_call *a = active_of(c);
	if (a->write_failed)
		return -1;
	if (a->state == CONNECT) {
		/* Nothing is taken before there is a connection; but no bytes that are the last are taken. */
		a->body_offered = last && http_out_total(iov, n) == 0;
		a->can_write = !a->body_offered;
		return 0;
	}
	ssize_t taken = send_out(a, iov, n, last);
	if (taken < 0)
		return -1;
	offered(a, (size_t)taken == http_out_total(iov, n), last);
	if (a->tunnel && a->body_offered) {
		a->shut = true;
		shut_when_sent(a);
	}
	return taken;
}

bool http_client_may_splice_out(const struct http_call *c)
{
	const struct http_active_call *a = active_of_const(c);
	return a->state != CONNECT && !a->write_failed && io_may_splice(&a->link->io) &&
	       http_out_may_bypass(&a->out);
}

ssize_t http_client_splice_out(struct http_call *c, int pipe, size_t n, bool last)
{
	struct http_active_call *a = active_of(c);
	struct io *io = &a->link->io;
	if (a->write_failed)
		return -1;
	MUST(http_client_may_splice_out(c));
	ssize_t put = io->ops->splice_out(io, pipe, n, false);
	if (put < 0 && errno != EAGAIN)
		return report_from_loop(a);
	put = MAX(put, 0);
	http_out_bypass(&a->out, (uint64_t)put);
	sent(a, (size_t)put);
	if ((size_t)put < n)
		http_link_watch_write(a->link, true);
	offered(a, (size_t)put == n, last);
	return put;
}

static void connected(struct http_active_call *a)
{
	a->state = HEAD;
	a->call.connected_us = now_of(a->call.client);
	http_link_connected(a->link, !a->has_body);
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

void http_client_writable(struct http_active_call *a)
{
	MAGIC_CHECK(a, CALL_MAGIC);
	if (a->state == CONNECT && !finish_connecting(a))
		return;
	http_link_watch_write(a->link, false);
	if (http_out_pending(&a->out) || (a->body_offered && !http_out_complete(&a->out)))
		if (send_out(a, NULL, 0, a->body_offered) < 0)
			return;
	shut_when_sent(a);
	if (a->state == HEAD)
		await_response(a);
	if (!http_out_pending(&a->out) && a->can_write) {
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

/* Framing and connection fields, and the blank line. */
static struct str last_lines(struct http_active_call *a, const struct http_request *r)
{
	char *p = a->last;
	if (r->body == HTTP_BODY_CHUNKED)
		http_out_put(&p, STR("Transfer-Encoding: chunked\r\n"));
	else if (r->length != HTTP_NO_LENGTH)
		http_out_put_length(&p, r->length);
	if (r->upgrade.n) {
		http_out_put(&p, STR("Connection: Upgrade\r\nUpgrade: "));
		http_out_put(&p, r->upgrade);
		http_out_put(&p, STR("\r\n"));
	}
	http_out_put(&p, STR("\r\n"));
	return str_of(a->last, (size_t)(p - a->last));
}

static void write_head(struct http_active_call *a, const struct http_request *r)
{
	struct http_out *o = &a->out;
	MUST(r->blocks <= HTTP_REQUEST_BLOCKS && r->upgrade.n <= HTTP_UPGRADE_MAX && r->host.n);
	http_out_init(o, framing_of(r), r->length);
	http_out_piece(o, r->method_text);
	http_out_piece(o, STR(" "));
	http_out_piece(o, r->target);
	http_out_piece(o, STR(" HTTP/1.1\r\nHost: "));
	http_out_piece(o, r->host);
	http_out_piece(o, STR("\r\n"));
	for (unsigned i = 0; i < r->blocks; i++)
		http_out_piece(o, r->fields[i]);
	http_out_piece(o, last_lines(a, r));
}

static void init_call(struct http_active_call *a, struct http_client *cl, const struct addr *to,
		      const struct http_request *r, const struct http_call_ops *ops, void *user)
{
	memset(a, 0, offsetof(struct http_active_call, last));
	MAGIC_SET(a, CALL_MAGIC);
	a->call = (struct http_call){
		.client = cl, .head = &a->head, .to = *to, .user = user, .started_us = now_of(cl)};
	a->ops = ops;
	a->method = r->method;
	a->upgrade = r->upgrade;
	write_head(a, r);
	a->has_body = a->can_write = a->out.framing != HTTP_OUT_NONE;
	a->next = cl->calls;
	if (a->next)
		a->next->prev = a;
	cl->calls = a;
}

/* Over an idle connection. False: there is none that still takes bytes. */
static bool start_reused(struct http_active_call *a, struct http_endpoint *e, struct str preface)
{
	struct http_client *cl = a->call.client;
	struct http_link *l;
	while ((l = http_link_reuse(e, preface, !a->has_body, a))) {
		size_t put;
		if (http_out_send(&a->out, &l->io, NULL, 0, HTTP_PIECE_SOME, &put) < 0) {
			http_link_close(l);
			continue;
		}
		a->link = l;
		a->state = HEAD;
		a->call.reused = true;
		a->call.connected_us = a->call.started_us;
		cl->stats.reuses++;
		sent(a, put);
		/* A body is asked for from the loop, as after connecting. */
		if (http_out_pending(&a->out) || a->has_body)
			http_link_watch_write(l, true);
		await_response(a);
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

static enum http_fail start_new(struct http_active_call *a, struct http_endpoint *e,
				struct str preface)
{
	struct http_client *cl = a->call.client;
	size_t put = 0;
	int error;
	a->link = http_link_open(cl, e, preface, a, &error);
	if (!a->link)
		return connect_failure(a, error);
	if (preface.n)
		http_out_first(&a->out, a->link->preface);
	if (!a->has_body &&
	    http_out_send(&a->out, &a->link->io, NULL, 0, HTTP_PIECE_SOME, &put) < 0) {
		error = errno;
		http_link_close(a->link);
		return connect_failure(a, error);
	}
	sent(a, put);
	if (http_out_pending(&a->out) || a->has_body)
		http_link_watch_write(a->link, true);
	if (put)
		connected(a);
	else
		http_link_arm(a->link, &cl->on_connect);
	return HTTP_FAIL_NONE;
}

struct http_call *http_client_start(struct http_client *cl, const struct http_route *route,
				    const struct http_request *r, const struct http_call_ops *ops,
				    void *user, enum http_fail *why)
{
	struct http_endpoint *e = http_link_endpoint(cl, route->to);
	struct http_active_call *a = e ? take_call(cl) : NULL;
	*why = HTTP_FAIL_BUSY;
	if (!a)
		return NULL;
	init_call(a, cl, route->to, r, ops, user);
	cl->stats.calls++;
	*why = HTTP_FAIL_NONE;
	if (!route->new_connection && start_reused(a, e, route->preface))
		return &a->call;
	*why = start_new(a, e, route->preface);
	if (*why == HTTP_FAIL_NONE)
		return &a->call;
	forget_call(a);
	return NULL;
}

/* ---- receiving */

static void body_deadline(struct http_active_call *a)
{
	if (a->tunnel || a->held || a->link->in.body.state != HTTP_BODY_MORE)
		deadline_cancel(&a->link->deadline);
	else
		http_link_arm(a->link, &a->call.client->on_body);
}

/* The window's body bytes, taken out of their framing; returns how many were gained. */
static size_t take_body(struct http_active_call *a)
{
	size_t gained = http_in_take(&a->link->in);
	a->call.body_in += gained;
	return gained;
}

static void begin_body(struct http_active_call *a)
{
	struct http_in *in = &a->link->in;
	a->state = BODY;
	a->call.response_us = now_of(a->call.client);
	http_in_pin(in, a->head.size, a->head.body, a->head.length);
	if (a->head.status == 101) {
		a->tunnel = true;
		http_in_tunnel(in);
		http_out_restart(&a->out, HTTP_OUT_RAW, 0);
		http_link_tunnel(a->link);
	}
	a->call.body_in = http_in_payload(in);
	body_deadline(a);
	if (in->body.state == HTTP_BODY_BROKEN)
		fail_bad(a, in->body.broken);
	else
		a->ops->head(&a->call);
}

/* False: the call has failed. */
static bool interim(struct http_active_call *a)
{
	if (++a->interims > HTTP_INTERIM_MAX) {
		fail_bad(a, "too many interim responses");
		return false;
	}
	if (a->ops->interim)
		a->ops->interim(&a->call);
	http_in_skip(&a->link->in, a->head.size);
	return true;
}

static void take_head(struct http_active_call *a)
{
	struct http_in *in = &a->link->in;
	struct http_limits limits = {
		.line = 16000, .head = HTTP_IN_SIZE - 1, .fields = HTTP_FIELDS_MAX};
	for (;;) {
		switch (http_parse_response(&a->head, http_in_raw(in), &in->scanned, &limits,
					    a->method, &a->bad)) {
		case HTTP_PARSE_MORE:
			return;
		case HTTP_PARSE_BAD:
			fail(a, HTTP_FAIL_BAD_RESPONSE);
			return;
		case HTTP_PARSE_DONE:
			break;
		}
		if (a->head.status == 101 && !a->upgrade.n) {
			fail_bad(a, "unasked 101");
			return;
		}
		if (a->head.status >= 200 || a->head.status == 101) {
			begin_body(a);
			return;
		}
		if (!interim(a))
			return;
	}
}

/* A direction of a tunnel is broken, so the other is of no use any more; the error was told to the write. */
static bool is_broken_tunnel(const struct http_active_call *a)
{
	return a->tunnel && a->write_failed;
}

static void ended_in_body(struct http_active_call *a)
{
	struct http_body *b = &a->link->in.body;
	if (b->state != HTTP_BODY_MORE)
		return;
	if (a->call.error || is_broken_tunnel(a) || http_body_eof(b) == HTTP_BODY_BROKEN) {
		fail(a, HTTP_FAIL_BODY);
	} else {
		body_deadline(a);
		a->ops->body(&a->call);
	}
}

/* The server closed, or the connection broke (error is errno then). */
static void ended(struct http_active_call *a, int error)
{
	if (error)
		a->call.error = error;
	if (a->state == BODY)
		ended_in_body(a);
	else if (http_in_all(&a->link->in).n)
		fail_bad(a, "closed inside the head");
	else
		fail(a, a->call.reused ? HTTP_FAIL_STALE : HTTP_FAIL_CLOSED);
}

static void take_more_body(struct http_active_call *a)
{
	size_t gained = take_body(a);
	enum http_body_state state = a->link->in.body.state;
	body_deadline(a);
	if (state == HTTP_BODY_BROKEN)
		fail(a, HTTP_FAIL_BODY);
	else if (gained || state == HTTP_BODY_END)
		a->ops->body(&a->call);
}

/* One read and what it brings. True: it filled the window and all of that was taken, so there may be more. */
static bool read_once(struct http_link *l, struct http_active_call *a)
{
	size_t got;
	switch (http_link_read(l, &got)) {
	case HTTP_IN_SOME:
		break;
	case HTTP_IN_NOTHING:
		return false;
	case HTTP_IN_EOF:
		ended(a, 0);
		return false;
	case HTTP_IN_ERROR:
		ended(a, errno);
		return false;
	}
	a->full = http_in_room(&l->in) == 0;
	bool full = a->full;
	if (a->state == HEAD)
		take_head(a);
	else
		take_more_body(a);
	/* The call may be over, and its block another's. */
	return full && l->state == HTTP_LINK_BUSY && l->call == a && a->state == BODY &&
	       !a->splicing && l->in.body.state == HTTP_BODY_MORE && http_in_payload(&l->in) == 0;
}

void http_client_readable(struct http_active_call *a)
{
	struct http_link *l = a->link;
	MAGIC_CHECK(a, CALL_MAGIC);
	bool over = a->state == BODY && l->in.body.state != HTTP_BODY_MORE;
	if (over && is_broken_tunnel(a)) {
		fail(a, HTTP_FAIL_BODY);
		return;
	}
	if (over)
		http_link_spoil(l); /* more than the response, or its end */
	if (over || (l->in.mem && http_in_room(&l->in) == 0)) {
		http_link_watch_read(l, false);
		return;
	}
	if (a->splicing && !a->write_failed) {
		a->ops->body(&a->call);
		return;
	}
	if (!http_in_open(&l->in)) {
		fail(a, a->state == BODY ? HTTP_FAIL_BODY : HTTP_FAIL_BUSY);
		return;
	}
	for (unsigned rounds = 0; rounds < READS_A_TURN && read_once(l, a); rounds++)
		;
}

struct str http_client_data(const struct http_call *c)
{
	return http_in_data(&active_of_const(c)->link->in);
}

enum http_body_state http_client_body_state(const struct http_call *c)
{
	return active_of_const(c)->link->in.body.state;
}

void http_client_consume(struct http_call *c, size_t n)
{
	struct http_link *l = active_of(c)->link;
	http_in_consume(&l->in, n);
	if (l->in.body.state == HTTP_BODY_MORE)
		http_link_watch_read(l, true);
}

enum http_piece http_client_piece(const struct http_call *c)
{
	const struct http_active_call *a = active_of_const(c);
	if (a->link->in.body.state == HTTP_BODY_END)
		return HTTP_PIECE_LAST;
	return a->full ? HTTP_PIECE_MORE : HTTP_PIECE_SOME;
}

struct http_bad http_client_bad(const struct http_call *c)
{
	return active_of_const(c)->bad;
}

/* ---- splicing */

uint64_t http_client_may_splice_in(const struct http_call *c)
{
	const struct http_active_call *a = active_of_const(c);
	const struct http_link *l = a->link;
	if (a->state != BODY || l->eof || a->write_failed || !io_may_splice(&l->io) ||
	    http_in_payload(&l->in) || http_in_behind(&l->in))
		return 0;
	return http_body_may_bypass(&l->in.body);
}

ssize_t http_client_splice_in(struct http_call *c, int pipe, size_t max)
{
	struct http_active_call *a = active_of(c);
	struct http_link *l = a->link;
	uint64_t most = MIN(http_client_may_splice_in(c), (uint64_t)max);
	MUST(most > 0);
	a->splicing = true;
	ssize_t n = l->io.ops->splice_in(&l->io, pipe, (size_t)most);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n == 0 && l->in.body.kind == HTTP_BODY_CLOSE) {
		http_body_eof(&l->in.body);
		body_deadline(a);
		return 0;
	}
	if (n <= 0) {
		if (n < 0)
			keep_error(a);
		a->splicing = false; /* the next read, from the loop, meets the end */
		http_link_feed(l);
		return -1;
	}
	http_in_bypass(&l->in, (uint64_t)n);
	a->call.body_in += (uint64_t)n;
	a->call.client->stats.bytes_in += (uint64_t)n;
	body_deadline(a);
	return n;
}

void http_client_hold(struct http_call *c, bool hold)
{
	struct http_active_call *a = active_of(c);
	if (a->held == hold)
		return;
	a->held = hold;
	http_link_watch_read(a->link, !hold);
	body_deadline(a);
}

/* ---- deadlines */

void http_client_expired(struct http_active_call *a)
{
	MAGIC_CHECK(a, CALL_MAGIC);
	switch ((enum call_state)a->state) {
	case CONNECT:
		a->call.error = ETIMEDOUT;
		fail(a, HTTP_FAIL_CONNECT_TIMEOUT);
		break;
	case HEAD:
		fail(a, HTTP_FAIL_RESPONSE_TIMEOUT);
		break;
	case BODY:
		if (http_in_payload(&a->link->in)) /* the caller does not take what is there */
			body_deadline(a);
		else
			fail(a, HTTP_FAIL_BODY);
		break;
	}
}

static void on_deadline(struct deadline *d)
{
	struct http_link *l = container_of(d, struct http_link, deadline);
	MAGIC_CHECK(l, HTTP_LINK_MAGIC);
	if (l->state == HTTP_LINK_IDLE)
		http_link_close(l);
	else
		http_client_expired(l->call);
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
	MAGIC_SET(cl, CLIENT_MAGIC);
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
	MUST(conf->budget == cl->conf.budget && conf->idle == cl->conf.idle);
	cl->conf = *conf;
	cl->call_slab.cap = conf->max_calls;
	set_waits(cl);
}

void http_client_free(struct http_client *cl)
{
	struct deadline_class *classes[] = {&cl->on_connect, &cl->on_response, &cl->on_body,
					    &cl->on_idle};
	while (cl->calls)
		fail(cl->calls, HTTP_FAIL_CLOSED);
	while (cl->endpoints) {
		struct http_endpoint *e = cl->endpoints;
		cl->endpoints = e->next;
		http_link_close_idle(e);
		free(e);
	}
	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		deadline_class_fini(classes[i]);
	slab_fini(&cl->call_slab);
	slab_fini(&cl->link_slab);
	MAGIC_WIPE(cl, CLIENT_MAGIC);
	free(cl);
}

void http_client_forget(struct http_client *cl, const struct addr *to)
{
	for (struct http_endpoint *e = cl->endpoints; e; e = e->next)
		if (addr_eq(&e->addr, to))
			http_link_close_idle(e);
}

const struct http_client_stats *http_client_stats(const struct http_client *cl)
{
	return &cl->stats;
}

unsigned http_client_calls(const struct http_client *cl)
{
	return cl->call_slab.used;
}

unsigned http_client_idle(const struct http_client *cl)
{
	unsigned n = 0;
	for (const struct http_endpoint *e = cl->endpoints; e; e = e->next)
		n += e->count;
	return n;
}

unsigned http_client_check(const struct http_client *cl)
{
	uint32_t calls = 0, links = 0;
	MAGIC_CHECK(cl, CLIENT_MAGIC);
	for (const struct http_active_call *a = cl->calls; a; a = a->next, calls++, links++) {
		MAGIC_CHECK(a, CALL_MAGIC);
		MUST(a->call.client == cl && a->link->call == a);
		MUST(!a->next || a->next->prev == a);
		http_link_check(a->link);
		http_out_check(&a->out);
	}
	MUST(calls == cl->call_slab.used);
	for (const struct http_endpoint *e = cl->endpoints; e; e = e->next) {
		unsigned idle = http_link_check_idle(e);
		MUST(idle == e->count);
		links += idle;
	}
	MUST(links == cl->link_slab.used);
	return 1 + calls + links + slab_check(&cl->link_slab) + slab_check(&cl->call_slab) +
	       deadline_class_check(&cl->on_connect) + deadline_class_check(&cl->on_response) +
	       deadline_class_check(&cl->on_body) + deadline_class_check(&cl->on_idle);
}
