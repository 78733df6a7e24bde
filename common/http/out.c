// SPDX-License-Identifier: MIT
/*
 * Bytes are sent in the order: early, head, chunk line, body, framing behind the body. Only our own bytes are
 * remembered across calls; body bytes that the kernel did not take are offered again by the caller, and a chunk
 * once announced is filled with them before the next begins.
 */
#include "http/out.h"

#include <errno.h>

#define BATCH_MAX 48
#define FLAT_MAX  2048

struct batch {
	struct iovec iov[BATCH_MAX];
	int n;
};

void http_out_restart(struct http_out *o, enum http_out_framing framing, uint64_t length)
{
	o->head_next = o->head_count = 0;
	o->framing = (uint8_t)framing;
	o->terminated = false;
	o->line_at = o->line_n = 0;
	o->left = framing == HTTP_OUT_LENGTH ? length : 0;
}

void http_out_init(struct http_out *o, enum http_out_framing framing, uint64_t length)
{
	o->early = (struct iovec){0};
	http_out_restart(o, framing, length);
}

void http_out_first(struct http_out *o, struct str bytes)
{
	MUST(o->early.iov_len == 0);
	o->early = http_iov(bytes);
}

void http_out_piece(struct http_out *o, struct str bytes)
{
	MUST(o->head_count < HTTP_OUT_PIECES);
	o->head[o->head_count++] = http_iov(bytes);
}

size_t http_out_total(const struct iovec *iov, int n)
{
	size_t sum = 0;
	for (int i = 0; i < n; i++)
		sum += iov[i].iov_len;
	return sum;
}

static void add(struct batch *b, struct iovec v)
{
	if (v.iov_len)
		b->iov[b->n++] = v;
}

/* Adds at most limit bytes of the vector, leaving a place for what follows; returns how many. */
static size_t add_body(struct batch *b, const struct iovec *iov, int n, uint64_t limit)
{
	size_t sum = 0;
	for (int i = 0; i < n && limit > 0 && b->n < BATCH_MAX - 1; i++) {
		struct iovec v = iov[i];
		v.iov_len = (size_t)MIN((uint64_t)v.iov_len, limit);
		limit -= v.iov_len;
		sum += v.iov_len;
		add(b, v);
	}
	return sum;
}

static void add_pending(struct batch *b, const struct http_out *o)
{
	add(b, o->early);
	for (unsigned i = o->head_next; i < o->head_count; i++)
		add(b, o->head[i]);
	add(b, http_iov(str_of(o->line + o->line_at, (size_t)(o->line_n - o->line_at))));
}

/* Takes up to *put bytes off the front of v. */
static void advance(struct iovec *v, size_t *put)
{
	size_t n = MIN(v->iov_len, *put);
	v->iov_base = (char *)v->iov_base + n;
	v->iov_len -= n;
	*put -= n;
}

static void advance_pending(struct http_out *o, size_t *put)
{
	advance(&o->early, put);
	while (o->head_next < o->head_count && *put >= o->head[o->head_next].iov_len)
		*put -= o->head[o->head_next++].iov_len;
	if (o->head_next < o->head_count && *put)
		advance(&o->head[o->head_next], put);
	size_t line = MIN((size_t)(o->line_n - o->line_at), *put);
	o->line_at = (uint8_t)(o->line_at + line);
	*put -= line;
}

static void begin_chunk(struct http_out *o, size_t offered)
{
	if (o->framing != HTTP_OUT_CHUNKED || o->left || !offered)
		return;
	o->left = offered;
	o->line_n = (uint8_t)http_body_chunk_line(o->line, offered);
	o->line_at = 0;
}

static uint64_t body_limit(const struct http_out *o)
{
	return o->framing == HTTP_OUT_RAW ? UINT64_MAX : o->left;
}

/* What must follow the body bytes of this batch. */
static struct str framing_behind(const struct http_out *o, size_t offered, size_t body, bool last,
				 bool *ends)
{
	*ends = false;
	if (o->framing != HTTP_OUT_CHUNKED || o->terminated)
		return STR_NONE;
	bool chunk_ends = body > 0 && body == o->left;
	*ends = last && body == offered && (chunk_ends || o->left == 0);
	if (*ends)
		return chunk_ends ? STR("\r\n0\r\n\r\n") : STR("0\r\n\r\n");
	return chunk_ends ? STR("\r\n") : STR_NONE;
}

/*
 * Small messages are put together and go by send(): copying 2 KB costs less than what the kernel does for each
 * piece of a vector.
 */
static ssize_t send_batch(struct io *io, const struct batch *b, bool more)
{
	char flat[FLAT_MAX];
	struct iovec one = {.iov_base = flat};
	if (b->n == 1 || http_out_total(b->iov, b->n) > FLAT_MAX)
		return more ? io_writev_more(io, b->iov, b->n) : io_writev(io, b->iov, b->n);
	for (int i = 0; i < b->n; i++) {
		memcpy(flat + one.iov_len, b->iov[i].iov_base, b->iov[i].iov_len);
		one.iov_len += b->iov[i].iov_len;
	}
	return more ? io_writev_more(io, &one, 1) : io_writev(io, &one, 1);
}

ssize_t http_out_send(struct http_out *o, struct io *io, const struct iovec *iov, int n,
		      enum http_piece piece, size_t *put)
{
	struct batch b = {.n = 0};
	size_t offered = http_out_total(iov, n);
	bool ends;
	*put = 0;
	begin_chunk(o, offered);
	add_pending(&b, o);
	size_t body = add_body(&b, iov, n, body_limit(o));
	struct iovec behind = http_iov(
		framing_behind(o, offered, body, piece == HTTP_PIECE_LAST, &ends));
	add(&b, behind);
	if (b.n == 0)
		return 0;

	ssize_t sent = send_batch(io, &b, piece == HTTP_PIECE_MORE);
	if (sent < 0 && errno != EAGAIN)
		return -1;
	size_t left = sent > 0 ? (size_t)sent : 0;
	*put = left;
	advance_pending(o, &left);
	size_t taken = MIN(body, left);
	left -= taken;
	if (o->framing != HTTP_OUT_RAW)
		o->left -= taken;
	/* The framing behind counts as begun only when all that stands before it has gone; else it is made anew. */
	if (behind.iov_len && taken == body && !http_out_pending(o)) {
		advance(&behind, &left);
		o->early = behind;
		o->terminated = ends;
	} else if (behind.iov_len && taken == body && !ends) {
		WRONG("a chunk cannot end before its own line has left");
	}
	return (ssize_t)taken;
}

bool http_out_may_end(const struct http_out *o)
{
	return o->left == 0;
}

bool http_out_complete(const struct http_out *o)
{
	return !http_out_pending(o) && o->left == 0 &&
	       (o->framing != HTTP_OUT_CHUNKED || o->terminated);
}

bool http_out_may_bypass(const struct http_out *o)
{
	return !http_out_pending(o) &&
	       (o->framing == HTTP_OUT_LENGTH || o->framing == HTTP_OUT_RAW);
}

void http_out_bypass(struct http_out *o, uint64_t n)
{
	MUST(http_out_may_bypass(o) && n <= http_out_left(o));
	if (o->framing == HTTP_OUT_LENGTH)
		o->left -= n;
}

uint64_t http_out_left(const struct http_out *o)
{
	return o->framing == HTTP_OUT_LENGTH ? o->left : UINT64_MAX;
}

void http_out_put(char **to, struct str s)
{
	if (s.n)
		memcpy(*to, s.p, s.n);
	*to += s.n;
}

void http_out_put_length(char **to, uint64_t length)
{
	char digits[STR_U64_SIZE];
	http_out_put(to, STR("Content-Length: "));
	http_out_put(to, str_u64(digits, length));
	http_out_put(to, STR("\r\n"));
}

void http_out_check(const struct http_out *o)
{
	MUST(o->head_next <= o->head_count && o->head_count <= HTTP_OUT_PIECES);
	MUST(o->line_at <= o->line_n && o->line_n <= sizeof(o->line));
	MUST(!o->terminated || (o->framing == HTTP_OUT_CHUNKED && o->left == 0));
}
