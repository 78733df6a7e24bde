// SPDX-License-Identifier: MIT
/*
 * One client connection that speaks HTTP/1.1, its reading side.
 *
 *     HANDSHAKE ──▶ IDLE ──first byte──▶ HEAD ──complete──▶ EXCHANGE ──response──▶ IDLE, HEAD (pipelined), LINGER
 *                                                                                  or closed
 *
 * The read watcher stays on all the time, idle or busy: it is stopped only when it fires and there is no room, or
 * after EOF. So a request on a kept connection changes no epoll registration: it costs one read and one writev.
 *
 * http_h1_advance() is the one loop that turns buffered bytes into exchanges. A handler that answers at once comes
 * back into it through http_h1_finish(), which then only updates the state; so pipelined requests cost no stack. A
 * connection closed meanwhile is marked dead and freed when the loop unwinds.
 */
#include "http/h1.h"

#include <errno.h>

#include "base/clock.h"
#include "net/sock.h"

#define LINGER_MAX_US (30 * CLOCK_SECOND) /* of lingering, however busy the client is */

static const struct http_handler *handler_of(const struct http_conn *c)
{
	return http_h1_server(c)->ops->handler;
}

static struct ev_loop *loop_of(const struct http_conn *c)
{
	return http_h1_server(c)->worker->loop;
}

static int64_t now_of(const struct http_conn *c)
{
	return worker_now_us(http_h1_server(c)->worker);
}

static void arm(struct http_conn *c, struct deadline_class *class)
{
	deadline_arm(&c->deadline, class, now_of(c));
}

/* ---- memory and end */

static bool take_exchange(struct http_conn *c)
{
	if (!c->h1)
		c->h1 = slab_get(&http_h1_server(c)->h1_slab);
	return c->h1;
}

/* The block goes back; an exchange in it has been closed before. */
static void drop_exchange(struct http_conn *c)
{
	slab_put(&http_h1_server(c)->h1_slab, c->h1);
	c->h1 = NULL;
}

/* Tells the handler, once, and ends the exchange. */
static void close_exchange(struct http_conn *c, enum http_end why)
{
	struct http_h1 *h = c->h1;
	/* The end of the connection is the end of such a body: only a reset tells that some of it is missing. */
	if (why != HTTP_END_DONE && h->x.status && http_out_until_close(&h->out) && !h->tunnel)
		sock_reset_on_close(c->io.fd);
	handler_of(c)->closed(&h->x, why);
	http_h1_fini(h);
	drop_exchange(c);
}

static void release(struct http_conn *c)
{
	struct http_listener *l = c->listener;
	MAGIC_WIPE(c, HTTP_CONN_MAGIC);
	slab_put(&l->server->conn_slab, c);
	http_server_closed(l);
}

void http_h1_close(struct http_conn *c)
{
	if (c->dead)
		return;
	c->dead = true;
	ev_io_stop(loop_of(c), &c->readable);
	ev_io_stop(loop_of(c), &c->writable);
	deadline_cancel(&c->deadline);
	c->io.ops->close(&c->io);
	drop_exchange(c);
	http_in_close(&c->in);
	c->prev->next = c->next;
	c->next->prev = c->prev;
	if (!c->advancing)
		release(c);
}

void http_h1_abort(struct http_conn *c, enum http_end why)
{
	bool inside = c->advancing;
	c->advancing = true; /* whatever the handler does, c stays until here */
	close_exchange(c, why);
	c->advancing = inside;
	http_h1_close(c);
}

/* The response is sent, but the client may still be sending: closing now could destroy it on its way (RFC 9112 §9.6). */
static void linger(struct http_conn *c)
{
	drop_exchange(c);
	http_in_close(&c->in);
	ev_io_stop(loop_of(c), &c->writable);
	if (c->eof || c->io.ops->shutdown(&c->io) < 0) {
		http_h1_close(c);
		return;
	}
	c->state = HTTP_CONN_LINGER;
	c->started_us = now_of(c);
	ev_io_start(loop_of(c), &c->readable);
	arm(c, &http_h1_server(c)->on_linger);
}

/* ---- refusing before there is an exchange */

static void tell_refusal(struct http_conn *c, enum http_refusal_cause cause, struct http_bad bad)
{
	struct http_server *s = http_h1_server(c);
	struct str line = http_in_all(&c->in);
	line.n = MIN(line.n, 256u);
	ssize_t eol = str_find(line, '\n');
	if (eol >= 0)
		line.n = (size_t)eol;
	s->stats.refused++;
	s->stats.timeouts += cause == HTTP_REFUSAL_TIMEOUT;
	if (s->ops->refused)
		s->ops->refused(s, &(struct http_refusal){.cause = cause,
							  .peer = &c->peer,
							  .tag = c->listener->tag,
							  .bad = bad,
							  .first_line = line,
							  .started_us = c->started_us});
}

static void refuse(struct http_conn *c, enum http_refusal_cause cause, struct http_bad bad)
{
	tell_refusal(c, cause, bad);
	http_h1_send_error(c, bad.status, bad.reason);
	linger(c);
}

/* ---- from bytes to exchanges */

/* The client closed inside a head; a connection that sent nothing is not reported. */
static void closed_in_head(struct http_conn *c)
{
	if (http_in_all(&c->in).n)
		tell_refusal(c, HTTP_REFUSAL_CLOSED,
			     (struct http_bad){.status = 400,
					       .reason = "closed inside the request head"});
	http_h1_close(c);
}

/* Parses what is in the window. False: wait for more, or the connection is over. */
static bool next_exchange(struct http_conn *c)
{
	struct http_server *s = http_h1_server(c);
	struct http_bad bad;
	if (!take_exchange(c)) {
		s->stats.shed++;
		http_h1_close(c);
		return false;
	}
	struct http_head *head = &c->h1->head;
	switch (http_parse_request(head, http_in_raw(&c->in), &c->in.scanned,
				   &c->listener->conf.limits, &bad)) {
	case HTTP_PARSE_MORE:
		/* The block stays only while a head is parsed; a connection that waits holds none. */
		drop_exchange(c);
		if (c->eof)
			closed_in_head(c);
		else if (!deadline_armed(&c->deadline) ||
			 c->deadline.class != &c->listener->on_head)
			deadline_arm(&c->deadline, &c->listener->on_head, c->started_us);
		return false;
	case HTTP_PARSE_BAD:
		refuse(c, HTTP_REFUSAL_MALFORMED, bad);
		return false;
	case HTTP_PARSE_DONE:
		break;
	}
	http_in_pin(&c->in, head->size, head->body, head->length);
	if (c->in.body.state == HTTP_BODY_BROKEN) {
		refuse(c, HTTP_REFUSAL_MALFORMED,
		       (struct http_bad){.status = 400, .reason = c->in.body.broken});
		return false;
	}
	http_h1_begin(c->h1, c);
	c->state = HTTP_CONN_EXCHANGE;
	c->first = false;
	s->stats.requests++;
	deadline_cancel(&c->deadline);
	return true;
}

static void advance(struct http_conn *c)
{
	if (c->advancing)
		return;
	c->advancing = true;
	while (!c->dead && c->state == HTTP_CONN_HEAD && next_exchange(c))
		handler_of(c)->request(&c->h1->x);
	c->advancing = false;
	if (c->dead)
		release(c);
}

bool http_h1_last(const struct http_conn *c)
{
	return c->leaving || http_h1_server(c)->draining;
}

void http_h1_watch_read(struct http_conn *c)
{
	if (c->eof || http_in_room(&c->in) == 0)
		return;
	ev_io_start(loop_of(c), &c->readable);
	if (io_pending(&c->io))
		ev_feed_event(loop_of(c), &c->readable, EV_READ);
}

static void become_idle(struct http_conn *c)
{
	http_in_close(&c->in);
	c->state = HTTP_CONN_IDLE;
	if (c->eof || http_h1_last(c))
		http_h1_close(c);
	else
		arm(c, &c->listener->on_idle);
}

/* Bytes behind the request are the start of the next one. */
static void keep_alive(struct http_conn *c)
{
	bool more = http_in_next(&c->in);
	c->started_us = now_of(c);
	http_h1_watch_read(c);
	if (more)
		c->state = HTTP_CONN_HEAD;
	else
		become_idle(c);
}

void http_h1_finish(struct http_conn *c)
{
	struct http_h1 *h = c->h1;
	bool inside = c->advancing;
	bool whole = c->in.body.state == HTTP_BODY_END; /* the request */
	/* A client that announced its last request, all of which is here, has no more to say: no lingering. */
	bool silent = h->head.close && whole && http_in_behind(&c->in) == 0;
	bool close = h->cut || h->tunnel || silent;
	bool keep = whole && !h->close && !http_h1_last(c);
	c->advancing = true; /* a close below only marks c dead */
	close_exchange(c, h->broken ? HTTP_END_CLIENT : h->cut ? HTTP_END_CUT : HTTP_END_DONE);
	if (close)
		http_h1_close(c);
	else if (keep)
		keep_alive(c);
	else
		linger(c);
	c->advancing = inside;
	if (inside)
		return;
	if (c->dead)
		release(c);
	else
		advance(c);
}

/* ---- reading */

/* Reads into the window. False: the connection is broken. EOF is remembered. */
static bool fill(struct http_conn *c, size_t *got)
{
	switch (http_in_fill(&c->in, &c->io, got)) {
	case HTTP_IN_SOME:
		http_h1_received(c, *got);
		if (io_pending(&c->io))
			ev_feed_event(loop_of(c), &c->readable, EV_READ);
		return true;
	case HTTP_IN_NOTHING:
		if (UNLIKELY(c->io.want & IO_WANT_WRITE)) {
			c->read_wants_write = true;
			ev_io_start(loop_of(c), &c->writable);
		}
		return true;
	case HTTP_IN_EOF:
		c->eof = true;
		return true;
	case HTTP_IN_ERROR:
		break;
	}
	return false;
}

static void begin_head(struct http_conn *c)
{
	c->state = HTTP_CONN_HEAD;
	c->started_us = now_of(c);
	advance(c);
}

static void read_idle(struct http_conn *c)
{
	size_t got;
	if (!http_in_open(&c->in)) {
		http_h1_server(c)->stats.shed++;
		http_h1_close(c);
	} else if (!fill(c, &got) || c->eof) {
		http_h1_close(c);
	} else if (got) {
		begin_head(c);
	} else {
		http_in_close(&c->in);
	}
}

/* A new client may still send a request, for a moment; one that was idle between requests only if its request is here
 * already. */
void http_h1_drain(struct http_conn *c)
{
	size_t got = 0;
	if (c->first) {
		arm(c, &http_h1_server(c)->on_linger);
		return;
	}
	if (http_in_open(&c->in) && fill(c, &got) && got)
		begin_head(c);
	else
		http_h1_close(c);
}

static void read_head(struct http_conn *c)
{
	size_t got;
	if (!fill(c, &got))
		http_h1_close(c);
	else if (c->eof)
		closed_in_head(c);
	else if (got)
		advance(c);
}

/* The request body failed: the client gets a status if no response has begun. */
static void body_failed(struct http_conn *c, uint16_t status, const char *text, enum http_end why)
{
	struct http_h1 *h = c->h1;
	if (h->x.status || c->eof || h->out.early.iov_len) {
		http_h1_abort(c, why);
		return;
	}
	h->x.status = status;
	h->x.bytes_out += http_h1_send_error(c, status, text);
	bool inside = c->advancing;
	c->advancing = true;
	close_exchange(c, why);
	linger(c);
	c->advancing = inside;
	if (c->dead && !inside)
		release(c);
}

static void tell_readable(struct http_conn *c)
{
	struct http_h1 *h = c->h1;
	h->want_body = false;
	deadline_cancel(&h->body_deadline);
	handler_of(c)->readable(&h->x);
}

static void body_changed(struct http_conn *c, size_t gained)
{
	struct http_h1 *h = c->h1;
	if (h->ended)
		return;
	if (c->in.body.state == HTTP_BODY_BROKEN) {
		body_failed(c, 400, c->in.body.broken,
			    c->eof ? HTTP_END_CLIENT : HTTP_END_BODY_BROKEN);
	} else if (h->want_body && (gained || c->in.body.state == HTTP_BODY_END)) {
		tell_readable(c);
	}
}

static void half_closed(struct http_conn *c)
{
	struct http_h1 *h = c->h1;
	bool waits = c->in.body.state == HTTP_BODY_END && !h->ended && h->x.status == 0;
	h->x.client_closed = true;
	ev_io_stop(loop_of(c), &c->readable);
	if (c->in.body.state == HTTP_BODY_MORE) {
		http_body_eof(&c->in.body);
		body_changed(c, 0);
	} else if (waits && handler_of(c)->half_closed) {
		handler_of(c)->half_closed(&h->x);
	}
}

static void read_body(struct http_conn *c)
{
	const struct http_h1 *h = c->h1;
	size_t got;
	if (http_in_room(&c->in) == 0 || (h->held && !h->ended)) {
		ev_io_stop(loop_of(c), &c->readable); /* consuming makes room and starts it again */
		return;
	}
	if (h->splicing && !h->ended && c->in.body.state == HTTP_BODY_MORE) {
		tell_readable(c);
		return;
	}
	if (!fill(c, &got))
		http_h1_abort(c, HTTP_END_CLIENT);
	else if (c->eof)
		half_closed(c);
	else if (got)
		body_changed(c, http_in_take(&c->in));
}

static void read_linger(struct http_conn *c)
{
	char sink[8192];
	ssize_t n = io_read(&c->io, sink, sizeof(sink));
	if (n < 0 && errno == EAGAIN)
		return;
	if (io_pending(&c->io))
		ev_feed_event(loop_of(c), &c->readable, EV_READ);
	if (n <= 0 || now_of(c) - c->started_us > LINGER_MAX_US)
		http_h1_close(c);
	else
		arm(c, &http_h1_server(c)->on_linger);
}

/* ---- the handshake */

static void begin_http(struct http_conn *c)
{
	c->state = HTTP_CONN_IDLE;
	ev_io_stop(loop_of(c), &c->writable);
	ev_io_start(loop_of(c), &c->readable);
	arm(c, http_h1_last(c) ? &http_h1_server(c)->on_linger : &c->listener->on_head);
	/* The request is often there already. libev registers a watcher at the end of the turn: a connection that is
	 * served and closed right here never costs an epoll_ctl. */
	read_idle(c);
}

static void handshake(struct http_conn *c)
{
	switch (io_handshake(&c->io)) {
	case IO_READY:
		begin_http(c);
		break;
	case IO_WAIT:
		(c->io.want & IO_WANT_READ ? ev_io_start : ev_io_stop)(loop_of(c), &c->readable);
		(c->io.want & IO_WANT_WRITE ? ev_io_start : ev_io_stop)(loop_of(c), &c->writable);
		break;
	case IO_REFUSE:
		if (c->io.error)
			tell_refusal(c, HTTP_REFUSAL_HANDSHAKE,
				     (struct http_bad){.status = 400, .reason = c->io.error});
		http_h1_close(c);
		break;
	}
}

/* ---- events */

static void on_readable(struct ev_loop *loop UNUSED, struct ev_io *w, int events UNUSED)
{
	struct http_conn *c = container_of(w, struct http_conn, readable);
	MAGIC_CHECK(c, HTTP_CONN_MAGIC);
	if (UNLIKELY(c->write_wants_read)) {
		c->write_wants_read = false;
		ev_feed_event(loop_of(c), &c->writable, EV_WRITE);
	}
	switch ((enum http_conn_state)c->state) {
	case HTTP_CONN_HANDSHAKE:
		handshake(c);
		break;
	case HTTP_CONN_IDLE:
		read_idle(c);
		break;
	case HTTP_CONN_HEAD:
		read_head(c);
		break;
	case HTTP_CONN_EXCHANGE:
		read_body(c);
		break;
	case HTTP_CONN_LINGER:
		read_linger(c);
		break;
	}
}

static void on_writable(struct ev_loop *loop UNUSED, struct ev_io *w, int events UNUSED)
{
	struct http_conn *c = container_of(w, struct http_conn, writable);
	MAGIC_CHECK(c, HTTP_CONN_MAGIC);
	if (UNLIKELY(c->read_wants_write)) {
		c->read_wants_write = false;
		ev_feed_event(loop_of(c), &c->readable, EV_READ);
	}
	if (c->state == HTTP_CONN_HANDSHAKE)
		handshake(c);
	else if (c->state == HTTP_CONN_EXCHANGE)
		http_h1_writable(c);
	else
		ev_io_stop(loop_of(c), &c->writable); /* it was for a read */
}

static void head_expired(struct http_conn *c)
{
	if (http_in_all(&c->in).n)
		refuse(c, HTTP_REFUSAL_TIMEOUT,
		       (struct http_bad){.status = 408,
					 .reason = "request head not complete in time"});
	else
		http_h1_close(c);
}

void http_h1_expired(struct deadline *d)
{
	struct http_conn *c = container_of(d, struct http_conn, deadline);
	MAGIC_CHECK(c, HTTP_CONN_MAGIC);
	switch ((enum http_conn_state)c->state) {
	case HTTP_CONN_HANDSHAKE:
		tell_refusal(c, HTTP_REFUSAL_HANDSHAKE,
			     (struct http_bad){.status = 408,
					       .reason = "handshake not complete in time"});
		http_h1_close(c);
		break;
	case HTTP_CONN_IDLE:
	case HTTP_CONN_HEAD:
		head_expired(c);
		break;
	case HTTP_CONN_EXCHANGE:
		WRONG("an exchange has deadlines of its own");
	case HTTP_CONN_LINGER:
		http_h1_close(c);
		break;
	}
}

void http_h1_body_expired(struct deadline *d)
{
	struct http_h1 *h = container_of(d, struct http_h1, body_deadline);
	MAGIC_CHECK(&h->x, HTTP_EXCHANGE_MAGIC);
	http_h1_server(h->conn)->stats.timeouts++;
	body_failed(h->conn, 408, "request body not complete in time", HTTP_END_BODY_TIMEOUT);
}

void http_h1_send_expired(struct deadline *d)
{
	struct http_h1 *h = container_of(d, struct http_h1, send_deadline);
	MAGIC_CHECK(&h->x, HTTP_EXCHANGE_MAGIC);
	http_h1_server(h->conn)->stats.timeouts++;
	http_h1_abort(h->conn, HTTP_END_SEND_TIMEOUT);
}

/* ---- beginning */

void http_h1_open(struct http_listener *l, int fd, const struct addr *peer)
{
	struct http_server *s = l->server;
	struct http_conn *c = slab_get(&s->conn_slab);
	if (!c) {
		s->stats.shed++;
		close(fd);
		l->conns++;
		l->stats->open++;
		http_server_closed(l);
		return;
	}
	*c = (struct http_conn){.listener = l, .peer = *peer, .first = true};
	MAGIC_SET(c, HTTP_CONN_MAGIC);
	http_in_init(&c->in, &s->worker->buffers);
	ev_io_init(&c->readable, on_readable, fd, EV_READ);
	ev_io_init(&c->writable, on_writable, fd, EV_WRITE);
	c->next = &s->conns;
	c->prev = s->conns.prev;
	c->prev->next = c;
	s->conns.prev = c;
	l->conns++;
	l->stats->open++;
	l->stats->accepted++;
	s->stats.accepted++;
	c->started_us = now_of(c);
	if (!l->conf.open_io) {
		io_init_tcp(&c->io, fd);
		begin_http(c);
		return;
	}
	l->conf.open_io(&c->io, fd, &c->peer, l->conf.io_arg);
	c->state = HTTP_CONN_HANDSHAKE;
	arm(c, &l->on_handshake);
	handshake(c);
}

void http_h1_check(const struct http_conn *c)
{
	MAGIC_CHECK(c, HTTP_CONN_MAGIC);
	MUST(!c->dead && !c->advancing);
	MUST(c->prev->next == c && c->next->prev == c);
	MUST(!!c->h1 == (c->state == HTTP_CONN_EXCHANGE));
	MUST(c->in.mem ? c->state == HTTP_CONN_HEAD || c->state == HTTP_CONN_EXCHANGE : true);
	http_in_check(&c->in);
	/* Whatever the client does or does not: something ends it. Only a handler may take its time. */
	MUST(deadline_armed(&c->deadline) == (c->state != HTTP_CONN_EXCHANGE));
	const struct http_h1 *h = c->h1;
	if (!h)
		return;
	MAGIC_CHECK(&h->x, HTTP_EXCHANGE_MAGIC);
	MUST(h->conn == c);
	MUST(!h->held || (h->splicing && !ev_is_active(&c->readable)) || h->ended);
	MUST(h->tunnel || h->broken || !(h->short_write || h->ended) ||
	     deadline_armed(&h->send_deadline));
	http_out_check(&h->out);
	arena_check(&h->x.arena);
}
