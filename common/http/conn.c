// SPDX-License-Identifier: MIT
/*
 * One client connection, its reading side.
 *
 *     IDLE ──first byte──▶ HEAD ──complete──▶ EXCHANGE ──answered──▶ IDLE, HEAD (pipelined), LINGER or closed
 *
 * The read watcher stays on all the time, idle or busy: it is stopped only when it fires and there is no room, or
 * after EOF. So a kept-alive request changes no epoll registration: it costs one read and one writev.
 *
 * http_conn_advance() is the one loop that turns buffered bytes into exchanges. A handler that answers at once
 * comes back into it through http_conn_finish(), which then only updates the state; so pipelined requests cost
 * no stack. A connection closed meanwhile is marked dead and freed when the loop unwinds.
 */
#include "http/conn.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "net/sock.h"

#define LINGER_BYTES (256u * 1024)

static const struct http_handler *handler_of(const struct http_conn *c)
{
	return c->server->handler;
}

static struct ev_loop *loop_of(const struct http_conn *c)
{
	return c->server->worker->loop;
}

static int64_t now_of(const struct http_conn *c)
{
	return worker_now_us(c->server->worker);
}

/* ---- memory and end */

static bool take_buffer(struct http_conn *c)
{
	if (!c->mem)
		c->mem = slab_get(&c->server->worker->buffers);
	return c->mem != NULL;
}

static void drop_buffer(struct http_conn *c)
{
	slab_put(&c->server->worker->buffers, c->mem);
	c->mem = NULL;
	c->head = c->p0 = c->p1 = c->tail = 0;
}

static bool take_active(struct http_conn *c)
{
	if (!c->active)
		c->active = slab_get(&c->server->active_slab);
	if (c->active)
		c->active->x.arena = (struct arena){0};
	return c->active != NULL;
}

static void drop_active(struct http_conn *c)
{
	if (!c->active)
		return;
	arena_fini(&c->active->x.arena);
	slab_put(&c->server->active_slab, c->active);
	c->active = NULL;
}

static void release(struct http_conn *c)
{
	struct http_server *s = c->server;
	slab_put(&s->conn_slab, c);
	if (s->conf.budget)
		budget_give(s->conf.budget);
	http_server_closed(s);
}

void http_conn_close(struct http_conn *c)
{
	if (c->dead)
		return;
	c->dead = true;
	ev_io_stop(loop_of(c), &c->readable);
	ev_io_stop(loop_of(c), &c->writable);
	deadline_cancel(&c->deadline);
	c->io.ops->close(&c->io);
	drop_active(c);
	drop_buffer(c);
	c->prev->next = c->next;
	c->next->prev = c->prev;
	if (!c->advancing)
		release(c);
}

void http_conn_abort(struct http_conn *c, enum http_abort why)
{
	if (!c->active->ended)
		handler_of(c)->aborted(&c->active->x, why);
	http_conn_close(c);
}

/* Answered, but the client may still be sending: closing now could destroy the answer on its way (RFC 9112 §9.6). */
static void linger(struct http_conn *c)
{
	drop_active(c);
	drop_buffer(c);
	ev_io_stop(loop_of(c), &c->writable);
	if (c->eof || c->io.ops->shutdown(&c->io) < 0) {
		http_conn_close(c);
		return;
	}
	c->state = HTTP_CONN_LINGER;
	c->lingered = 0;
	ev_io_start(loop_of(c), &c->readable);
	deadline_arm(&c->deadline, &c->server->on_linger, now_of(c));
}

/* ---- refusing before there is an exchange */

static void refuse(struct http_conn *c, struct http_bad bad)
{
	char text[512];
	struct http_server *s = c->server;
	struct str line = str_of(c->mem, MIN(c->tail, 256u));
	ssize_t eol = str_find(line, '\n');
	if (eol >= 0)
		line.n = (size_t)eol;
	s->stats.refused++;
	if (handler_of(c)->refused)
		handler_of(c)->refused(s, &c->peer, c->tag, bad, line);
	struct str date = http_server_date(s);
	int n = snprintf(
		text, sizeof(text),
		"HTTP/1.1 %u %s\r\nDate: %.*s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
		"Connection: close\r\n\r\n%s\n",
		bad.status, http_reason(bad.status), STR_ARG(date), strlen(bad.reason) + 1,
		bad.reason);
	http_reply_raw(c, str_of(text, (size_t)n));
	linger(c);
}

/* ---- from bytes to exchanges */

static void begin_exchange(struct http_conn *c, struct http_active *a)
{
	struct http_server *s = c->server;
	a->x = (struct http_exchange){.worker = s->worker,
				      .server = s,
				      .conn = c,
				      .head = &a->head,
				      .started_us = c->started_us,
				      .request_us = now_of(c),
				      .client_closed = c->eof};
	http_out_init(&a->out, HTTP_OUT_NONE, 0);
	a->short_write = a->ended = a->fail = a->want_body = false;
	a->continued = !a->head.expect_continue;
	arena_init(&a->x.arena, a->memory, sizeof(a->memory), s->conf.max_arena);
	http_body_init(&a->body, a->head.body, a->head.length);
	c->state = HTTP_CONN_EXCHANGE;
	c->first = false;
	c->head = c->p0 = c->p1 = a->head.size;
	s->stats.requests++;
	deadline_cancel(&c->deadline);
}

/* Takes the bytes [p1, tail) out of the body's framing, as far as they belong to it. */
static void take_body(struct http_conn *c)
{
	struct http_active *a = c->active;
	size_t payload, used;
	if (a->body.state != HTTP_BODY_MORE || c->p1 == c->tail)
		return;
	char *raw = c->mem + c->p1;
	size_t n = c->tail - c->p1;
	http_body_take(&a->body, raw, n, &payload, &used);
	if (used > payload && n > used)
		memmove(raw + payload, raw + used, n - used);
	c->p1 += (uint32_t)payload;
	c->tail = c->p1 + (uint32_t)(n - used);
}

/* Parses what is in the buffer. False: wait for more, or the connection is over. */
static bool next_exchange(struct http_conn *c)
{
	struct http_server *s = c->server;
	struct http_bad bad;
	if (!take_active(c)) {
		s->stats.shed++;
		http_conn_close(c);
		return false;
	}
	switch (http_parse_request(&c->active->head, str_of(c->mem, c->tail), &c->scanned,
				   &s->conf.limits, &bad)) {
	case HTTP_PARSE_MORE:
		/* The block stays only while a head is being read; an idle connection holds nothing. */
		drop_active(c);
		if (c->eof) {
			http_conn_close(c);
			return false;
		}
		if (!deadline_armed(&c->deadline) || c->deadline.class != &s->on_head)
			deadline_arm(&c->deadline, &s->on_head, c->started_us);
		return false;
	case HTTP_PARSE_BAD:
		refuse(c, bad);
		return false;
	case HTTP_PARSE_DONE:
		break;
	}
	begin_exchange(c, c->active);
	take_body(c);
	if (c->active->body.state == HTTP_BODY_BROKEN) {
		refuse(c, (struct http_bad){.status = 400, .reason = c->active->body.broken});
		return false;
	}
	return true;
}

void http_conn_advance(struct http_conn *c)
{
	if (c->advancing)
		return;
	c->advancing = true;
	while (!c->dead && c->state == HTTP_CONN_HEAD && next_exchange(c))
		handler_of(c)->request(&c->active->x);
	c->advancing = false;
	if (c->dead)
		release(c);
}

bool http_conn_last(const struct http_conn *c)
{
	return c->leaving || c->server->draining;
}

static void become_idle(struct http_conn *c)
{
	drop_buffer(c);
	c->state = HTTP_CONN_IDLE;
	if (c->eof || http_conn_last(c))
		http_conn_close(c);
	else
		deadline_arm(&c->deadline, &c->server->on_idle, now_of(c));
}

/* Bytes behind the request are the start of the next one: they move to the front of the buffer. */
static void keep_alive(struct http_conn *c)
{
	uint32_t more = c->tail - c->p1;
	if (more)
		memmove(c->mem, c->mem + c->p1, more);
	c->head = c->p0 = c->p1 = 0;
	c->tail = more;
	c->scanned = 0;
	c->started_us = now_of(c);
	if (!c->eof)
		ev_io_start(loop_of(c), &c->readable);
	if (more)
		c->state = HTTP_CONN_HEAD;
	else
		become_idle(c);
}

void http_conn_finish(struct http_conn *c)
{
	struct http_active *a = c->active;
	bool inside = c->advancing;
	/* A client that announced its last request, all of which is here, has no more to say: no lingering. */
	bool silent = a->head.close && a->body.state == HTTP_BODY_END && c->p1 == c->tail;
	bool close = a->fail || silent;
	bool keep = a->body.state == HTTP_BODY_END && !a->head.close && !http_conn_last(c);
	c->advancing = true; /* a close below only marks c dead */
	drop_active(c);
	deadline_cancel(&c->deadline);
	if (close)
		http_conn_close(c);
	else if (keep)
		keep_alive(c);
	else
		linger(c);
	c->advancing = inside;
	http_conn_advance(c);
}

/* ---- reading */

/* Reads into the free end of the buffer. 0: nothing now; -1: the connection is over or at EOF. */
static ssize_t fill(struct http_conn *c)
{
	ssize_t n = io_read(&c->io, c->mem + c->tail, WORKER_BUFFER_SIZE - c->tail);
	if (n > 0) {
		c->tail += (uint32_t)n;
		c->server->stats.bytes_in += (uint64_t)n;
		return n;
	}
	if (n < 0 && errno == EAGAIN)
		return 0;
	c->eof = n == 0;
	return -1;
}

static void read_idle(struct http_conn *c)
{
	if (!take_buffer(c)) {
		c->server->stats.shed++;
		http_conn_close(c);
		return;
	}
	ssize_t n = fill(c);
	if (n < 0) {
		http_conn_close(c);
	} else if (n == 0) {
		drop_buffer(c);
	} else {
		c->state = HTTP_CONN_HEAD;
		c->scanned = 0;
		c->started_us = now_of(c);
		http_conn_advance(c);
	}
}

/* A client that has only just come still gets to ask, for a moment; one that was idle between requests only if it
 * has asked already. */
void http_conn_drain(struct http_conn *c)
{
	if (c->first) {
		deadline_arm(&c->deadline, &c->server->on_linger, now_of(c));
		return;
	}
	if (take_buffer(c) && fill(c) > 0) {
		c->state = HTTP_CONN_HEAD;
		c->scanned = 0;
		c->started_us = now_of(c);
		http_conn_advance(c);
	} else {
		http_conn_close(c);
	}
}

static void read_head(struct http_conn *c)
{
	ssize_t n = fill(c);
	if (n < 0)
		http_conn_close(c);
	else if (n > 0)
		http_conn_advance(c);
}

static void body_broken(struct http_conn *c)
{
	struct http_active *a = c->active;
	const char *why = a->body.broken;
	if (a->x.status == 0 && !c->eof) {
		char text[256];
		int n = snprintf(
			text, sizeof(text),
			"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
			"Connection: close\r\n\r\n%s\n",
			strlen(why) + 1, why);
		http_reply_raw(c, str_of(text, (size_t)n));
		c->server->stats.refused++;
		if (handler_of(c)->refused)
			handler_of(c)->refused(c->server, &c->peer, c->tag,
					       (struct http_bad){.status = 400, .reason = why},
					       a->head.target);
		a->x.status = 400;
		handler_of(c)->aborted(&a->x, HTTP_ABORT_BODY_BROKEN);
		linger(c);
	} else {
		http_conn_abort(c, c->eof ? HTTP_ABORT_CLIENT : HTTP_ABORT_BODY_BROKEN);
	}
}

static void body_changed(struct http_conn *c, uint32_t had)
{
	struct http_active *a = c->active;
	if (a->ended)
		return;
	if (a->body.state == HTTP_BODY_BROKEN) {
		body_broken(c);
	} else if (a->want_body && (c->p1 > had || a->body.state == HTTP_BODY_END)) {
		a->want_body = false;
		deadline_cancel(&c->deadline);
		handler_of(c)->readable(&a->x);
	}
}

static void read_body(struct http_conn *c)
{
	struct http_active *a = c->active;
	if (c->tail == WORKER_BUFFER_SIZE) {
		ev_io_stop(loop_of(c),
			   &c->readable); /* http_server_consume() makes room and starts it again */
		return;
	}
	uint32_t had = c->p1;
	ssize_t n = fill(c);
	if (n > 0) {
		take_body(c);
		body_changed(c, had);
	} else if (n < 0 && !c->eof) {
		http_conn_abort(c, HTTP_ABORT_CLIENT);
	} else if (n < 0) {
		a->x.client_closed = true;
		ev_io_stop(loop_of(c), &c->readable);
		if (http_body_eof(&a->body) == HTTP_BODY_BROKEN)
			body_changed(c, had);
	}
}

static void read_linger(struct http_conn *c)
{
	char sink[8192];
	ssize_t n = io_read(&c->io, sink, sizeof(sink));
	if (n > 0)
		c->lingered += (uint32_t)n;
	if (n == 0 || (n < 0 && errno != EAGAIN) || c->lingered > LINGER_BYTES)
		http_conn_close(c);
}

static void on_readable(struct ev_loop *loop, struct ev_io *w, int events)
{
	struct http_conn *c = container_of(w, struct http_conn, readable);
	(void)loop;
	(void)events;
	switch ((enum http_conn_state)c->state) {
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

static void on_writable(struct ev_loop *loop, struct ev_io *w, int events)
{
	(void)loop;
	(void)events;
	http_reply_writable(container_of(w, struct http_conn, writable));
}

/* ---- the request body, for the handler */

static void await_body(struct http_conn *c)
{
	struct http_active *a = c->active;
	a->want_body = true;
	if (!a->continued && a->x.status == 0)
		http_server_continue(&a->x);
	if (!deadline_armed(&c->deadline))
		deadline_arm(&c->deadline, &c->server->on_body, now_of(c));
}

struct str http_server_data(struct http_exchange *x)
{
	struct http_conn *c = x->conn;
	struct http_active *a = http_active_of(x);
	if (c->p0 == c->p1 && a->body.state == HTTP_BODY_MORE)
		await_body(c);
	return str_of(c->mem + c->p0, c->p1 - c->p0);
}

enum http_body_state http_server_body_state(const struct http_exchange *x)
{
	return x->conn->active->body.state;
}

void http_server_consume(struct http_exchange *x, size_t n)
{
	struct http_conn *c = x->conn;
	MUST(n <= c->p1 - c->p0);
	c->p0 += (uint32_t)n;
	x->body_in += n;
	/* While the body goes on, nothing stands behind the payload: an empty window moves back to the start. */
	if (c->p0 == c->p1 && http_active_of(x)->body.state == HTTP_BODY_MORE)
		c->p0 = c->p1 = c->tail = c->head;
	if (!c->eof && c->tail < WORKER_BUFFER_SIZE)
		ev_io_start(loop_of(c), &c->readable);
}

/* ---- deadlines */

static void head_expired(struct http_conn *c)
{
	if (c->tail) {
		c->server->stats.timeouts++;
		refuse(c, (struct http_bad){.status = 408,
					    .reason = "request head not complete in time"});
	} else {
		http_conn_close(c);
	}
}

static void body_expired(struct http_conn *c)
{
	static const char text[] =
		"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
	c->server->stats.timeouts++;
	if (c->active->x.status == 0) {
		c->active->x.status = 408;
		http_reply_raw(c, str_c(text));
	}
	http_conn_abort(c, HTTP_ABORT_BODY_TIMEOUT);
}

void http_conn_expired(struct deadline *d)
{
	struct http_conn *c = container_of(d, struct http_conn, deadline);
	switch ((enum http_conn_state)c->state) {
	case HTTP_CONN_IDLE:
	case HTTP_CONN_HEAD:
		head_expired(c);
		break;
	case HTTP_CONN_EXCHANGE:
		if (ev_is_active(&c->writable)) {
			c->server->stats.timeouts++;
			http_conn_abort(c, HTTP_ABORT_SEND_TIMEOUT);
		} else {
			body_expired(c);
		}
		break;
	case HTTP_CONN_LINGER:
		http_conn_close(c);
		break;
	}
}

/* ---- beginning */

void http_conn_open(struct http_server *s, int fd, const struct addr *peer, void *tag)
{
	struct http_conn *c = slab_get(&s->conn_slab);
	if (!c) {
		s->stats.shed++;
		close(fd);
		if (s->conf.budget)
			budget_give(s->conf.budget);
		return;
	}
	*c = (struct http_conn){
		.server = s, .tag = tag, .peer = *peer, .state = HTTP_CONN_IDLE, .first = true};
	c->io = (struct io){.ops = &io_tcp, .fd = fd};
	ev_io_init(&c->readable, on_readable, fd, EV_READ);
	ev_io_init(&c->writable, on_writable, fd, EV_WRITE);
	c->next = &s->conns;
	c->prev = s->conns.prev;
	c->prev->next = c;
	s->conns.prev = c;
	s->stats.accepted++;
	c->started_us = now_of(c);
	ev_io_start(s->worker->loop, &c->readable);
	deadline_arm(&c->deadline, &s->on_head, c->started_us);
	/* The request is often there already. libev registers a watcher at the end of the turn: a connection that is
	 * served and closed right here never costs an epoll_ctl. */
	read_idle(c);
}
