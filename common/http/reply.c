// SPDX-License-Identifier: MIT
/*
 * The sending side of an exchange, over http_out. While the socket takes no more, the write watcher runs and the
 * send deadline with it; every byte of progress moves that deadline.
 */
#include "http/conn.h"

static struct ev_loop *loop_of(const struct http_conn *c)
{
	return c->server->worker->loop;
}

/* ---- the lines this half adds, by {chunked, how the connection goes on} */

enum goes_on { SAYS_NOTHING, SAYS_KEEP, SAYS_CLOSE };

static struct str tail_lines(bool chunked, enum goes_on how)
{
	static const char *const lines[2][3] = {
		{"\r\n", "Connection: keep-alive\r\n\r\n", "Connection: close\r\n\r\n"},
		{"Transfer-Encoding: chunked\r\n\r\n",
		 "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n",
		 "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"},
	};
	return str_c(lines[chunked][how]);
}

static enum http_out_framing framing_of(const struct http_active *a, enum http_framing f)
{
	switch (f) {
	case HTTP_FRAMING_NONE:
		return HTTP_OUT_NONE;
	case HTTP_FRAMING_LENGTH:
		return HTTP_OUT_LENGTH;
	case HTTP_FRAMING_OPEN:
		break;
	}
	return a->head.minor == 1 ? HTTP_OUT_CHUNKED : HTTP_OUT_RAW;
}

/* The connection cannot go on when the client said so, or when what it sends next could be mistaken. */
static bool must_close(const struct http_active *a, const struct http_reply *r,
		       enum http_out_framing framing)
{
	return a->head.close || r->close || framing == HTTP_OUT_RAW || http_conn_last(a->x.conn) ||
	       a->x.client_closed || a->body.state != HTTP_BODY_END;
}

void http_server_respond(struct http_exchange *x, const struct http_reply *r)
{
	struct http_active *a = http_active_of(x);
	enum http_out_framing framing = framing_of(a, r->framing);
	struct iovec early = a->out.early; /* rest of an interim response */
	MUST(x->status == 0 && r->pieces <= HTTP_REPLY_PIECES);
	x->status = r->status;
	http_out_init(&a->out, framing, r->length);
	a->out.early = early;
	a->head.close = must_close(a, r, framing);
	for (int i = 0; i < r->pieces; i++)
		http_out_piece(&a->out, str_of(r->head[i].iov_base, r->head[i].iov_len));
	enum goes_on how = a->head.close	? SAYS_CLOSE
			   : a->head.minor == 0 ? SAYS_KEEP
						: SAYS_NOTHING;
	http_out_piece(&a->out, tail_lines(framing == HTTP_OUT_CHUNKED, how));
}

/* ---- sending */

static void wait_writable(struct http_conn *c)
{
	if (!ev_is_active(&c->writable)) {
		ev_io_start(loop_of(c), &c->writable);
		deadline_arm(&c->deadline, &c->server->on_send, worker_now_us(c->server->worker));
	}
}

static void done_waiting(struct http_conn *c)
{
	if (ev_is_active(&c->writable)) {
		ev_io_stop(loop_of(c), &c->writable);
		deadline_cancel(&c->deadline);
	}
}

/* A broken connection is reported from the loop: waiting for it to become writable fires at once. */
static ssize_t send_out(struct http_conn *c, const struct iovec *iov, int n, enum http_piece piece)
{
	struct http_active *a = c->active;
	size_t put;
	ssize_t taken = http_out_send(&a->out, &c->io, iov, n, piece, &put);
	a->x.bytes_out += put;
	c->server->stats.bytes_out += put;
	if (taken < 0) {
		a->fail = true;
		wait_writable(c);
	} else if (put && ev_is_active(&c->writable)) {
		deadline_arm(&c->deadline, &c->server->on_send, worker_now_us(c->server->worker));
	}
	return taken;
}

ssize_t http_server_write(struct http_exchange *x, const struct iovec *iov, int n,
			  enum http_piece piece)
{
	struct http_active *a = http_active_of(x);
	MUST(x->status != 0 && !a->ended);
	if (a->fail)
		return -1;
	ssize_t taken = send_out(x->conn, iov, n, piece);
	if (taken < 0)
		return -1;
	a->short_write = (size_t)taken < http_iov_total(iov, n);
	if (a->short_write || http_out_owes(&a->out))
		wait_writable(x->conn);
	return taken;
}

/* Sends what is ours. True: nothing is left, or nothing more can be done. */
static bool flush(struct http_conn *c)
{
	struct http_active *a = c->active;
	if (!a->fail && (http_out_owes(&a->out) || (a->ended && !http_out_complete(&a->out))))
		(void)send_out(c, NULL, 0, a->ended ? HTTP_PIECE_LAST : HTTP_PIECE_SOME);
	return a->fail || !http_out_owes(&a->out);
}

void http_reply_writable(struct http_conn *c)
{
	struct http_active *a = c->active;
	if (!a) {
		done_waiting(c);
	} else if (a->fail && !a->ended) {
		http_conn_abort(c, HTTP_ABORT_CLIENT);
	} else if (a->short_write && !a->ended) {
		done_waiting(c);
		a->short_write = false;
		c->server->handler->writable(&a->x);
	} else if (flush(c)) {
		done_waiting(c);
		if (a->ended)
			http_conn_finish(c);
	}
}

void http_server_end(struct http_exchange *x, bool fail)
{
	struct http_active *a = http_active_of(x);
	struct http_conn *c = x->conn;
	MUST(!a->ended);
	a->ended = true;
	a->fail |= fail || x->status == 0 || !http_out_may_end(&a->out);
	if (!flush(c)) {
		wait_writable(c);
		return;
	}
	done_waiting(c);
	http_conn_finish(c);
}

void http_server_reply(struct http_exchange *x, const struct http_reply *r, struct str body)
{
	MUST(r->framing == HTTP_FRAMING_NONE);
	http_server_respond(x, r);
	http_out_piece(&http_active_of(x)->out, body);
	http_server_end(x, false);
}

void http_server_error(struct http_exchange *x, uint16_t status, const char *text,
		       struct str fields)
{
	if (x->status != 0) {
		http_server_end(x, true);
		return;
	}
	struct str body = arena_printf(
		&x->arena, "<!doctype html>\n<title>%u %s</title>\n<h1>%u %s</h1>\n<p>%s</p>\n",
		status, http_reason(status), status, http_reason(status), text);
	struct str date = http_server_date(x->server);
	struct str head = arena_printf(&x->arena,
				       "HTTP/1.1 %u %s\r\nDate: %.*s\r\nContent-Type: text/html\r\n"
				       "Content-Length: %zu\r\nCache-Control: no-store\r\n%.*s",
				       status, http_reason(status), STR_ARG(date), body.n,
				       STR_ARG(fields));
	if (!body.p || !head.p) {
		http_server_end(x, true);
		return;
	}
	struct http_reply r = {.status = status, .head = {http_iov(head)}, .pieces = 1};
	http_server_reply(x, &r, x->head->method == HTTP_HEAD ? STR_NONE : body);
}

/* ---- outside the order of things */

void http_reply_raw(struct http_conn *c, struct str bytes)
{
	struct iovec v = http_iov(bytes);
	ssize_t put = io_writev(&c->io, &v, 1);
	if (put > 0)
		c->server->stats.bytes_out += (uint64_t)put;
}

/* An interim response may be lost, but never cut: what does not go at once goes before everything else. */
static void send_interim(struct http_exchange *x, struct str bytes)
{
	struct http_conn *c = x->conn;
	struct http_active *a = http_active_of(x);
	if (x->status != 0 || a->out.early.iov_len || a->fail || !bytes.p)
		return;
	a->out.early = http_iov(bytes);
	if (!flush(c))
		wait_writable(c);
}

void http_server_continue(struct http_exchange *x)
{
	struct http_active *a = http_active_of(x);
	if (a->continued)
		return;
	a->continued = true;
	send_interim(x, STR("HTTP/1.1 100 Continue\r\n\r\n"));
}

void http_server_interim(struct http_exchange *x, uint16_t status, struct str lines)
{
	if (x->head->minor == 0)
		return;
	send_interim(x, arena_printf(&x->arena, "HTTP/1.1 %u %s\r\n%.*s\r\n", status,
				     http_reason(status), STR_ARG(lines)));
}
