// SPDX-License-Identifier: MIT
/*
 * The sending side of an exchange. Whatever is to leave goes out in one writev: rest of earlier framing, the
 * head, the chunk-size line, the handler's body bytes, the framing behind them. What the kernel did not take is
 * remembered only for our own bytes; the handler's it offers again.
 */
#include "http/conn.h"

#include <errno.h>

#include "http/write.h"

#define IOV_MAX_ 40

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
		{"Transfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n",
		 "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"},
	};
	return str_c(lines[chunked][how]);
}

static struct iovec iov_of(struct str s)
{
	return (struct iovec){.iov_base = (char *)(uintptr_t)s.p, .iov_len = s.n};
}

void http_server_respond(struct http_exchange *x, const struct http_reply *r)
{
	struct http_active *a = http_active_of(x);
	struct http_out *out = &a->out;
	MUST(x->status == 0 && r->pieces <= HTTP_REPLY_PIECES);
	x->status = r->status;
	out->framing = r->framing;
	out->left = r->framing == HTTP_FRAMING_LENGTH ? r->length : 0;
	out->chunked = r->framing == HTTP_FRAMING_OPEN && a->head.minor == 1;
	bool until_close = r->framing == HTTP_FRAMING_OPEN && !out->chunked;
	if (r->close || until_close || x->server->draining || x->client_closed || a->body.state != HTTP_BODY_END)
		a->head.close = true;
	enum goes_on how = a->head.close ? SAYS_CLOSE : a->head.minor == 0 ? SAYS_KEEP : SAYS_NOTHING;
	memcpy(out->head, r->head, sizeof(r->head[0]) * (size_t)r->pieces);
	out->head[r->pieces] = iov_of(tail_lines(out->chunked, how));
	out->head_next = out->head;
	out->head_left = r->pieces + 1;
}

/* ---- one writev */

struct batch {
	struct iovec iov[IOV_MAX_];
	int n;
};

static void add(struct batch *b, struct iovec v)
{
	if (v.iov_len)
		b->iov[b->n++] = v;
}

/* Adds at most limit bytes of the vector; returns how many. */
static size_t add_body(struct batch *b, const struct iovec *iov, int n, uint64_t limit)
{
	size_t sum = 0;
	for (int i = 0; i < n && limit > 0 && b->n < IOV_MAX_ - 1; i++) {
		struct iovec v = iov[i];
		v.iov_len = (size_t)MIN((uint64_t)v.iov_len, limit);
		limit -= v.iov_len;
		sum += v.iov_len;
		add(b, v);
	}
	return sum;
}

static size_t total(const struct iovec *iov, int n)
{
	size_t sum = 0;
	for (int i = 0; i < n; i++)
		sum += iov[i].iov_len;
	return sum;
}

/* Accounts *put bytes to v, from its start. */
static void settle(struct iovec *v, size_t *put)
{
	size_t n = MIN(v->iov_len, *put);
	v->iov_base = (char *)v->iov_base + n;
	v->iov_len -= n;
	*put -= n;
}

static void settle_head(struct http_out *out, size_t *put)
{
	while (out->head_left && *put >= out->head_next->iov_len) {
		*put -= out->head_next->iov_len;
		out->head_next++;
		out->head_left--;
	}
	if (out->head_left && *put)
		settle(out->head_next, put);
}

static struct iovec line_of(const struct http_out *out)
{
	return iov_of(str_of(out->line + out->line_at, (size_t)(out->line_n - out->line_at)));
}

/* What must follow the body bytes of this batch. */
static struct str framing_after(struct http_out *out, size_t offered, size_t body, bool last)
{
	if (!out->chunked || out->terminated)
		return STR_NONE;
	bool chunk_ends = body > 0 && body == out->left;
	bool ends = last && body == offered && (body == 0 || chunk_ends);
	if (ends)
		out->terminated = true;
	if (ends)
		return chunk_ends ? STR("\r\n0\r\n\r\n") : STR("0\r\n\r\n");
	return chunk_ends ? STR("\r\n") : STR_NONE;
}

static void begin_chunk(struct http_out *out, size_t offered)
{
	if (!out->chunked || out->left || !offered)
		return;
	out->left = offered;
	out->line_n = (uint8_t)http_body_chunk_line(out->line, offered);
	out->line_at = 0;
}

static bool owes(const struct http_out *out)
{
	return out->early.iov_len || out->head_left || out->line_at < out->line_n;
}

static void wait_writable(struct http_conn *c)
{
	if (!ev_is_active(&c->writable)) {
		ev_io_start(loop_of(c), &c->writable);
		deadline_arm(&c->deadline, &c->server->on_send, worker_now_us(c->server->worker));
	}
}

static void progress(struct http_conn *c, size_t put)
{
	c->active->x.bytes_out += put;
	c->server->stats.bytes_out += put;
	if (put && ev_is_active(&c->writable))
		deadline_arm(&c->deadline, &c->server->on_send, worker_now_us(c->server->worker));
}

/* A broken connection is reported from the loop: the watcher fires at once on an error, see writable below. */
static ssize_t send_batch(struct http_conn *c, const struct iovec *iov, int n, bool last)
{
	struct http_out *out = &c->active->out;
	struct batch b = {.n = 0};
	size_t offered = total(iov, n);
	begin_chunk(out, offered);
	add(&b, out->early);
	for (int i = 0; i < out->head_left; i++)
		add(&b, out->head_next[i]);
	add(&b, line_of(out));
	uint64_t limit = out->framing == HTTP_FRAMING_OPEN && !out->chunked ? UINT64_MAX : out->left;
	size_t body = add_body(&b, iov, n, limit);
	struct str after = framing_after(out, offered, body, last);
	struct iovec behind = iov_of(after);
	add(&b, behind);
	if (b.n == 0)
		return 0;

	ssize_t put = io_writev(&c->io, b.iov, b.n);
	if (put < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
		out->fail = true;
		wait_writable(c);
		return -1;
	}
	size_t left = put > 0 ? (size_t)put : 0;
	progress(c, left);
	settle(&out->early, &left);
	settle_head(out, &left);
	size_t line = MIN((size_t)(out->line_n - out->line_at), left);
	out->line_at = (uint8_t)(out->line_at + line);
	left -= line;
	size_t taken = MIN(body, left);
	left -= taken;
	if (out->framing == HTTP_FRAMING_LENGTH || out->chunked)
		out->left -= taken;
	if (taken == body && !owes(out)) {
		settle(&behind, &left);
		out->early = behind;
	} else if (after.n) {
		out->terminated = false; /* its turn comes when what stands before it has gone */
	}
	return (ssize_t)taken;
}

ssize_t http_server_write(struct http_exchange *x, const struct iovec *iov, int n, bool last)
{
	struct http_active *a = http_active_of(x);
	struct http_conn *c = x->conn;
	MUST(x->status != 0 && !a->out.ended);
	if (a->out.fail)
		return -1;
	size_t offered = total(iov, n);
	ssize_t taken = send_batch(c, iov, n, last);
	if (taken < 0)
		return -1;
	a->out.short_write = (size_t)taken < offered;
	if (a->out.short_write || owes(&a->out))
		wait_writable(c);
	return taken;
}

bool http_reply_flush(struct http_conn *c)
{
	struct http_out *out = &c->active->out;
	if (!out->fail && owes(out) && send_batch(c, NULL, 0, out->ended) < 0)
		return true;
	return out->fail || !owes(out);
}

static void done_waiting(struct http_conn *c)
{
	ev_io_stop(loop_of(c), &c->writable);
	deadline_cancel(&c->deadline);
}

void http_reply_writable(struct http_conn *c)
{
	struct http_active *a = c->active;
	if (!a) {
		done_waiting(c);
		return;
	}
	if (a->out.fail && !a->out.ended) {
		http_conn_abort(c, HTTP_ABORT_CLIENT);
		return;
	}
	if (a->out.ended) {
		if (!http_reply_flush(c))
			return;
		done_waiting(c);
		http_conn_finish(c);
		return;
	}
	if (a->out.short_write) {
		done_waiting(c);
		a->out.short_write = false;
		c->server->handler->writable(&a->x);
	} else if (http_reply_flush(c)) {
		done_waiting(c);
	}
}

void http_server_end(struct http_exchange *x, bool fail)
{
	struct http_active *a = http_active_of(x);
	struct http_conn *c = x->conn;
	struct http_out *out = &a->out;
	MUST(!out->ended);
	out->ended = true;
	out->fail |= fail || x->status == 0 || (out->framing == HTTP_FRAMING_LENGTH && out->left) ||
		     (out->chunked && out->left);
	bool unterminated = out->chunked && !out->terminated;
	if (!out->fail && (owes(out) || unterminated))
		(void)send_batch(c, NULL, 0, true);
	if (!out->fail && owes(out)) {
		wait_writable(c);
		return;
	}
	if (ev_is_active(&c->writable))
		done_waiting(c);
	http_conn_finish(c);
}

void http_server_error(struct http_exchange *x, uint16_t status, const char *text, struct str fields)
{
	struct http_active *a = http_active_of(x);
	if (x->status != 0) {
		http_server_end(x, true);
		return;
	}
	struct str body = arena_printf(&x->arena, "<!doctype html>\n<title>%u %s</title>\n<h1>%u %s</h1>\n<p>%s</p>\n",
				       status, http_reason(status), status, http_reason(status), text);
	struct str date = http_server_date(x->server);
	struct str head = arena_printf(&x->arena,
				       "HTTP/1.1 %u %s\r\nDate: %.*s\r\nContent-Type: text/html\r\n"
				       "Content-Length: %zu\r\nCache-Control: no-store\r\n%.*s",
				       status, http_reason(status), STR_ARG(date), body.n, STR_ARG(fields));
	if (!body.p || !head.p) {
		http_server_end(x, true);
		return;
	}
	struct http_reply r = {.status = status, .head = {iov_of(head)}, .pieces = 1};
	http_server_reply(x, &r, a->head.method == HTTP_HEAD ? STR_NONE : body);
}

void http_server_reply(struct http_exchange *x, const struct http_reply *r, struct str body)
{
	struct http_out *out = &http_active_of(x)->out;
	MUST(r->framing == HTTP_FRAMING_NONE);
	http_server_respond(x, r);
	out->head[out->head_left++] = iov_of(body);
	http_server_end(x, false);
}

/* ---- outside the order of things */

void http_reply_raw(struct http_conn *c, struct str bytes)
{
	struct iovec v = iov_of(bytes);
	ssize_t put = io_writev(&c->io, &v, 1);
	if (put > 0)
		c->server->stats.bytes_out += (uint64_t)put;
}

/* An interim response may be lost, but never cut: what does not go at once goes before everything else. */
static void send_interim(struct http_exchange *x, struct str bytes)
{
	struct http_conn *c = x->conn;
	struct http_out *out = &http_active_of(x)->out;
	if (x->status != 0 || out->early.iov_len || out->fail || !bytes.p)
		return;
	out->early = iov_of(bytes);
	(void)http_reply_flush(c);
	if (out->early.iov_len)
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
	send_interim(x, arena_printf(&x->arena, "HTTP/1.1 %u %s\r\n%.*s\r\n", status, http_reason(status),
				     STR_ARG(lines)));
}
