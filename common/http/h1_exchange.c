// SPDX-License-Identifier: MIT
/*
 * HTTP/1.1 as the transport of an exchange: status lines, connection and framing fields, chunks; and the sending side
 * over http_out. While the socket takes no more, the write watcher runs and the send deadline with it; every byte of
 * progress moves that deadline.
 *
 * The body deadline runs while the handler waits for the request body and has not responded yet: after that a client
 * that sends slowly holds up only itself.
 *
 * After a 101 the connection is a tunnel: both directions are bytes until closed, each may end on its own, and the
 * handler keeps the only deadline.
 */
#include "http/h1.h"

#include <errno.h>

#include "base/clock.h"

static struct http_h1 *h1_of(struct http_exchange *x)
{
	MAGIC_CHECK(x, HTTP_EXCHANGE_MAGIC);
	MUST(x->transport == &http_h1_transport);
	return container_of(x, struct http_h1, x);
}

static const struct http_h1 *h1_of_const(const struct http_exchange *x)
{
	return h1_of((struct http_exchange *)(uintptr_t)x);
}

static struct ev_loop *loop_of(const struct http_conn *c)
{
	return http_h1_server(c)->worker->loop;
}

static int64_t now_of(const struct http_conn *c)
{
	return worker_now_us(http_h1_server(c)->worker);
}

/* ---- beginning and end */

void http_h1_begin(struct http_h1 *h, struct http_conn *c)
{
	h->x = (struct http_exchange){.transport = &http_h1_transport,
				      .worker = http_h1_server(c)->worker,
				      .head = &h->head,
				      .peer = &c->peer,
				      .tag = c->listener->tag,
				      .started_us = c->started_us,
				      .request_us = now_of(c),
				      .client_closed = c->eof};
	MAGIC_SET(&h->x, HTTP_EXCHANGE_MAGIC);
	h->conn = c;
	http_out_init(&h->out, HTTP_OUT_NONE, 0);
	h->body_deadline = h->send_deadline = (struct deadline){0};
	h->short_write = h->ended = h->cut = h->broken = h->want_body = false;
	h->splicing = h->held = h->close = h->tunnel = h->shut = false;
	arena_init(&h->x.arena, h->memory, sizeof(h->memory), c->listener->conf.max_arena);
}

void http_h1_fini(struct http_h1 *h)
{
	deadline_cancel(&h->body_deadline);
	deadline_cancel(&h->send_deadline);
	arena_fini(&h->x.arena);
	MAGIC_WIPE(&h->x, HTTP_EXCHANGE_MAGIC);
}

/* ---- the request body */

/* readable() is to be called. */
static void want_body(struct http_h1 *h)
{
	struct http_conn *c = h->conn;
	h->want_body = true;
	if (!deadline_armed(&h->body_deadline) && h->x.status == 0)
		deadline_arm(&h->body_deadline, &c->listener->on_body, now_of(c));
}

static struct str h1_data(struct http_exchange *x)
{
	struct http_h1 *h = h1_of(x);
	struct http_conn *c = h->conn;
	h->splicing = false;
	if (http_in_payload(&c->in) == 0 && c->in.body.state == HTTP_BODY_MORE)
		want_body(h);
	return http_in_data(&c->in);
}

static enum http_body_state h1_body_state(const struct http_exchange *x)
{
	return h1_of_const(x)->conn->in.body.state;
}

static void h1_consume(struct http_exchange *x, size_t n)
{
	struct http_conn *c = h1_of(x)->conn;
	http_in_consume(&c->in, n);
	x->body_in += n;
	http_h1_watch_read(c);
}

static uint64_t h1_may_splice_in(const struct http_exchange *x)
{
	const struct http_h1 *h = h1_of_const(x);
	const struct http_conn *c = h->conn;
	if (c->eof || h->ended || h->tunnel || !io_may_splice(&c->io) || http_in_payload(&c->in) ||
	    http_in_behind(&c->in))
		return 0;
	return http_body_may_bypass(&c->in.body);
}

/* The kernel tells of a reset once, so the next read, from the loop, meets an end: of this body it is a break too. */
static ssize_t body_ended(struct http_h1 *h)
{
	h->splicing = false;
	ev_feed_event(loop_of(h->conn), &h->conn->readable, EV_READ);
	return -1;
}

static ssize_t h1_splice_in(struct http_exchange *x, int pipe, size_t max)
{
	struct http_h1 *h = h1_of(x);
	struct http_conn *c = h->conn;
	uint64_t most = MIN(h1_may_splice_in(x), (uint64_t)max);
	MUST(most > 0 && !h->held);
	h->splicing = true;
	ssize_t n = c->io.ops->splice_in(&c->io, pipe, (size_t)most);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		return body_ended(h);
	if (n > 0) {
		http_in_bypass(&c->in, (uint64_t)n);
		x->body_in += (uint64_t)n;
		http_h1_received(c, (size_t)n);
		deadline_cancel(&h->body_deadline);
	}
	if (c->in.body.state == HTTP_BODY_MORE)
		want_body(h);
	return MAX(n, 0);
}

static void h1_hold(struct http_exchange *x, bool hold)
{
	struct http_h1 *h = h1_of(x);
	struct http_conn *c = h->conn;
	h->held = hold;
	if (hold) {
		ev_io_stop(loop_of(c), &c->readable);
		deadline_cancel(&h->body_deadline);
	} else if (!h->ended && c->in.body.state == HTTP_BODY_MORE) {
		http_h1_watch_read(c);
		want_body(h);
	}
}

static bool h1_local(const struct http_exchange *x, struct addr *to)
{
	return io_local(&h1_of_const(x)->conn->io, to);
}

/* ---- the response head */

/* The reason is cut where it would not fit: it is a comment (RFC 9112 §4). */
static struct str status_line(char *to, size_t size, unsigned status, struct str reason)
{
	char digits[STR_U64_SIZE];
	if (!reason.n)
		reason = str_c(http_reason(status));
	char *p = to;
	http_out_put(&p, STR("HTTP/1.1 "));
	http_out_put(&p, str_u64(digits, status));
	http_out_put(&p, STR(" "));
	reason.n = MIN(reason.n, size - (size_t)(p - to) - 2);
	http_out_put(&p, reason);
	http_out_put(&p, STR("\r\n"));
	return str_of(to, (size_t)(p - to));
}

/* Framing and connection fields, and the blank line. */
static struct str last_lines(struct http_h1 *h, enum http_out_framing framing, uint64_t length)
{
	char *p = h->last;
	if (framing == HTTP_OUT_CHUNKED)
		http_out_put(&p, STR("Transfer-Encoding: chunked\r\n"));
	else if (length != HTTP_NO_LENGTH && framing != HTTP_OUT_RAW)
		http_out_put_length(&p, length);
	if (h->close)
		http_out_put(&p, STR("Connection: close\r\n\r\n"));
	else if (h->head.minor == 0)
		http_out_put(&p, STR("Connection: keep-alive\r\n\r\n"));
	else
		http_out_put(&p, STR("\r\n"));
	return str_of(h->last, (size_t)(p - h->last));
}

static enum http_out_framing framing_of(const struct http_h1 *h, enum http_framing f)
{
	switch (f) {
	case HTTP_FRAMING_NONE:
		return HTTP_OUT_NONE;
	case HTTP_FRAMING_LENGTH:
		return HTTP_OUT_LENGTH;
	case HTTP_FRAMING_TUNNEL:
		return HTTP_OUT_RAW;
	case HTTP_FRAMING_OPEN:
		break;
	}
	return h->head.minor == 1 ? HTTP_OUT_CHUNKED : HTTP_OUT_RAW;
}

/* The connection cannot go on when the client said so, or when what it sends next could be mistaken. */
static bool must_close(const struct http_h1 *h, const struct http_response *r,
		       enum http_out_framing framing)
{
	const struct http_conn *c = h->conn;
	bool no_more = h->x.client_closed && http_in_behind(&c->in) == 0;
	return h->head.close || r->close || framing == HTTP_OUT_RAW || http_h1_last(c) || no_more ||
	       c->in.body.state != HTTP_BODY_END;
}

static void begin_tunnel(struct http_h1 *h, const struct http_response *r)
{
	h->tunnel = true;
	http_in_tunnel(&h->conn->in);
	if (h->conn->eof)
		http_body_eof(&h->conn->in.body);
	http_out_piece(&h->out, STR("Connection: Upgrade\r\nUpgrade: "));
	http_out_piece(&h->out, r->upgrade);
	http_out_piece(&h->out, STR("\r\n\r\n"));
}

static void h1_respond(struct http_exchange *x, const struct http_response *r)
{
	struct http_h1 *h = h1_of(x);
	enum http_out_framing framing = framing_of(h, r->framing);
	deadline_cancel(&h->body_deadline);
	/* A 204 has none, even if its server sent one (RFC 9110 §8.6): a client may read it as that of a body. */
	uint64_t length = r->status == 204 ? HTTP_NO_LENGTH : r->length;
	http_out_restart(&h->out, framing, length);
	h->close = must_close(h, r, framing);
	http_out_piece(&h->out, status_line(h->first, sizeof(h->first), r->status, r->reason));
	for (unsigned i = 0; i < r->blocks; i++)
		http_out_piece(&h->out, r->fields[i]);
	if (r->framing == HTTP_FRAMING_TUNNEL)
		begin_tunnel(h, r);
	else
		http_out_piece(&h->out, last_lines(h, framing, length));
}

/* ---- sending */

static void wait_writable(struct http_h1 *h)
{
	struct http_conn *c = h->conn;
	if (c->write_wants_read)
		return;
	ev_io_start(loop_of(c), &c->writable);
	if (!h->tunnel && !deadline_armed(&h->send_deadline))
		deadline_arm(&h->send_deadline, &c->listener->on_send, now_of(c));
}

static void done_waiting(struct http_h1 *h)
{
	h->conn->write_wants_read = false;
	if (!h->conn->read_wants_write)
		ev_io_stop(loop_of(h->conn), &h->conn->writable);
	deadline_cancel(&h->send_deadline);
}

/* The io took nothing, and will not before it has read something (a change of keys): no writable event helps. */
static void wait_readable(struct http_h1 *h)
{
	struct http_conn *c = h->conn;
	c->write_wants_read = true;
	ev_io_stop(loop_of(c), &c->writable);
	if (!c->eof)
		ev_io_start(loop_of(c), &c->readable);
	if (!h->tunnel && !deadline_armed(&h->send_deadline))
		deadline_arm(&h->send_deadline, &c->listener->on_send, now_of(c));
}

/* A broken connection is reported from the loop: waiting for it to become writable fires at once. */
static ssize_t broken(struct http_h1 *h)
{
	h->broken = h->cut = true;
	h->conn->write_wants_read = false;
	wait_writable(h);
	return -1;
}

static void sent(struct http_h1 *h, size_t n)
{
	struct http_conn *c = h->conn;
	h->x.bytes_out += n;
	http_h1_server(c)->stats.bytes_out += n;
	c->listener->stats->bytes_out += n;
	if (n && deadline_armed(&h->send_deadline))
		deadline_arm(&h->send_deadline, &c->listener->on_send, now_of(c));
}

static ssize_t send_out(struct http_h1 *h, const struct iovec *iov, int n, enum http_piece piece)
{
	size_t put;
	errno = 0;
	ssize_t taken = http_out_send(&h->out, &h->conn->io, iov, n, piece, &put);
	bool blocked = taken >= 0 && put == 0 && errno == EAGAIN;
	sent(h, put);
	if (taken < 0)
		return broken(h);
	if (UNLIKELY(blocked && h->conn->io.want == IO_WANT_READ))
		wait_readable(h);
	return taken;
}

/* One direction of a tunnel is over. */
static void shut_when_sent(struct http_h1 *h)
{
	if (h->shut && !http_out_pending(&h->out))
		h->conn->io.ops->shutdown(&h->conn->io);
}

static ssize_t h1_write(struct http_exchange *x, const struct iovec *iov, int n,
			enum http_piece piece)
{
	struct http_h1 *h = h1_of(x);
	MUST(x->status && !h->ended);
	if (h->broken)
		return -1;
	ssize_t taken = send_out(h, iov, n, piece);
	if (taken < 0)
		return -1;
	h->short_write = (size_t)taken < http_out_total(iov, n);
	if (h->short_write || http_out_pending(&h->out))
		wait_writable(h);
	if (h->tunnel && piece == HTTP_PIECE_LAST && !h->short_write) {
		h->shut = true;
		shut_when_sent(h);
	}
	return taken;
}

static bool h1_may_splice_out(const struct http_exchange *x)
{
	const struct http_h1 *h = h1_of_const(x);
	return x->status && !h->broken && io_may_splice(&h->conn->io) &&
	       http_out_may_bypass(&h->out);
}

static ssize_t h1_splice_out(struct http_exchange *x, int pipe, size_t n, bool more)
{
	struct http_h1 *h = h1_of(x);
	struct io *io = &h->conn->io;
	if (h->broken)
		return -1;
	ssize_t put = io->ops->splice_out(io, pipe, n, more);
	if (put < 0 && errno != EAGAIN)
		return broken(h);
	put = MAX(put, 0);
	http_out_bypass(&h->out, (uint64_t)put);
	sent(h, (size_t)put);
	h->short_write = (size_t)put < n;
	if (h->short_write)
		wait_writable(h);
	return put;
}

/* Sends what is ours. True: nothing is left, or nothing more can be done. */
static bool flush(struct http_h1 *h)
{
	if (!h->cut && (http_out_pending(&h->out) || (h->ended && !http_out_complete(&h->out))))
		(void)send_out(h, NULL, 0, h->ended ? HTTP_PIECE_LAST : HTTP_PIECE_SOME);
	return h->cut || !http_out_pending(&h->out);
}

void http_h1_writable(struct http_conn *c)
{
	struct http_h1 *h = c->h1;
	MUST(h && c->state == HTTP_CONN_EXCHANGE);
	if (h->broken && !h->ended) {
		http_h1_abort(c, HTTP_END_CLIENT);
	} else if (h->short_write && !h->ended) {
		done_waiting(h);
		h->short_write = false;
		http_h1_server(c)->ops->handler->writable(&h->x);
	} else if (flush(h)) {
		done_waiting(h);
		shut_when_sent(h);
		if (h->ended)
			http_h1_finish(c);
		else if (h->broken)
			http_h1_abort(c, HTTP_END_CLIENT);
	}
}

/* The handler is done. */
static void finish(struct http_h1 *h)
{
	h->ended = true;
	if (!flush(h)) {
		wait_writable(h);
		return;
	}
	done_waiting(h);
	http_h1_finish(h->conn);
}

static void h1_end(struct http_exchange *x)
{
	struct http_h1 *h = h1_of(x);
	MUST(!h->ended);
	h->cut |= x->status == 0 || !http_out_may_end(&h->out);
	finish(h);
}

static void h1_abort(struct http_exchange *x)
{
	struct http_h1 *h = h1_of(x);
	MUST(!h->ended);
	h->cut = true;
	finish(h);
}

static void h1_reply(struct http_exchange *x, const struct http_response *r, struct str body)
{
	h1_respond(x, r);
	http_out_piece(&h1_of(x)->out, body);
	h1_end(x);
}

/* ---- outside the order of things */

static void h1_interim(struct http_exchange *x, uint16_t status, struct str fields)
{
	struct http_h1 *h = h1_of(x);
	char line[64];
	if (h->head.minor == 0 || x->status || h->out.early.iov_len || h->broken)
		return;
	struct str first = status_line(line, sizeof(line), status, STR_NONE);
	struct iovec iov[] = {http_iov(first), http_iov(fields), http_iov(STR("\r\n"))};
	size_t total = http_out_total(iov, 3);
	ssize_t put = io_writev(&h->conn->io, iov, 3);
	if (put < 0 && errno != EAGAIN)
		broken(h);
	if (put <= 0)
		return;
	sent(h, (size_t)put);
	if ((size_t)put == total)
		return;
	/* What was begun must be finished. */
	char *rest = arena_alloc(&x->arena, total);
	if (!rest) {
		broken(h);
		return;
	}
	for (size_t i = 0, at = 0; i < ARRAY_LEN(iov); at += iov[i++].iov_len)
		if (iov[i].iov_len)
			memcpy(rest + at, iov[i].iov_base, iov[i].iov_len);
	http_out_first(&h->out, str_of(rest + put, total - (size_t)put));
	wait_writable(h);
}

size_t http_h1_send_error(struct http_conn *c, uint16_t status, const char *text)
{
	struct http_error e;
	char line[96], digits[STR_U64_SIZE];
	http_exchange_make_error(&e, status, text, clock_wall_s());
	struct iovec iov[] = {http_iov(status_line(line, sizeof(line), status, STR_NONE)),
			      http_iov(e.response.fields[0]),
			      http_iov(STR("Content-Length: ")),
			      http_iov(str_u64(digits, e.body.n)),
			      http_iov(STR("\r\nConnection: close\r\n\r\n")),
			      http_iov(e.body)};
	ssize_t put = io_writev(&c->io, iov, ARRAY_LEN(iov));
	if (put <= 0)
		return 0;
	http_h1_server(c)->stats.bytes_out += (uint64_t)put;
	c->listener->stats->bytes_out += (uint64_t)put;
	return (size_t)put;
}

const struct http_transport http_h1_transport = {
	.name = "HTTP/1.1",
	.data = h1_data,
	.body_state = h1_body_state,
	.consume = h1_consume,
	.local = h1_local,
	.interim = h1_interim,
	.respond = h1_respond,
	.reply = h1_reply,
	.write = h1_write,
	.may_splice_in = h1_may_splice_in,
	.splice_in = h1_splice_in,
	.may_splice_out = h1_may_splice_out,
	.splice_out = h1_splice_out,
	.hold = h1_hold,
	.end = h1_end,
	.abort = h1_abort,
};
