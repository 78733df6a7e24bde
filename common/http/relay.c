// SPDX-License-Identifier: MIT
/*
 * Bytes go by copy, from the sender's window, until that is empty and much is still to come; from then on by splice, a
 * pipe's fill at a time. While bytes wait in the pipe the sender is held: they are the only ones that the relay itself
 * keeps. What is chunked on either side, and what a tunnel's client sends, is copied.
 */
#include "http/relay.h"

#include "http/out.h"

#define RELAY_MAGIC 0x48524c59u

#define SPLICE_MIN   (32u << 10) /* bytes still to come that make a pipe worth its calls */
#define SPLICE_MOST  (1u << 20)	 /* asked for at once; the pipe takes what it can */
#define MOVES_A_TURN 8		 /* before other connections get theirs */

void http_relay_init(struct http_relay *r, struct http_exchange *x, struct http_call *call)
{
	*r = (struct http_relay){
		.x = x,
		.call = call,
		.request.pipe = {.in = -1, .out = -1},
		.response.pipe = {.in = -1, .out = -1},
	};
	MAGIC_SET(r, RELAY_MAGIC);
}

static void give_pipe(struct http_relay *r, struct http_relay_way *w)
{
	if (w->pipe.in >= 0)
		pipes_put(&r->x->worker->pipes, &w->pipe, w->in_pipe == 0);
}

void http_relay_fini(struct http_relay *r)
{
	if (!r->magic)
		return;
	MAGIC_WIPE(r, RELAY_MAGIC);
	deadline_cancel(&r->silence);
	give_pipe(r, &r->request);
	give_pipe(r, &r->response);
}

struct http_relay *http_relay_of(struct deadline *silence)
{
	struct http_relay *r = container_of(silence, struct http_relay, silence);
	MAGIC_CHECK(r, RELAY_MAGIC);
	return r;
}

enum http_framing http_relay_framing(const struct http_head *h)
{
	if (h->status == 101)
		return HTTP_FRAMING_TUNNEL;
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

struct str http_relay_upgrade(struct http_exchange *x, const struct http_head *h)
{
	return h->status == 101 ? arena_str(&x->arena, http_get(h, HTTP_F_UPGRADE)) : STR_NONE;
}

/* So many bytes have gone on. A side that takes none is silent, whatever the other one says. */
static void heard(struct http_relay *r, ssize_t n)
{
	if (r->tunnel && n)
		deadline_arm(&r->silence, r->silence_class, worker_now_us(r->x->worker));
}

static enum http_relay_state state_of(const struct http_relay *r)
{
	bool done = r->response.done && (!r->tunnel || r->request.done);
	return done ? HTTP_RELAY_DONE : HTTP_RELAY_GOES_ON;
}

enum move { MOVED, BLOCKED, ENDED };

/* ---- request: from the client to the server */

static void hold_client(struct http_relay *r, bool on)
{
	if (r->request.holding != on)
		http_exchange_hold(r->x, on);
	r->request.holding = on;
}

/* Was it the last of the body that lies in the pipe? */
static bool has_last(const struct http_relay *r)
{
	return http_exchange_body_state(r->x) == HTTP_BODY_END;
}

static enum move request_from_pipe(struct http_relay *r)
{
	struct http_relay_way *w = &r->request;
	bool last = has_last(r);
	ssize_t n = http_client_splice_out(r->call, w->pipe.out, w->in_pipe, last);
	if (n < 0)
		return BLOCKED; /* failed() follows */
	w->in_pipe -= (size_t)n;
	hold_client(r, w->in_pipe > 0);
	if (w->in_pipe)
		return BLOCKED;
	return last ? ENDED : MOVED;
}

static enum move request_into_pipe(struct http_relay *r)
{
	ssize_t n = http_exchange_splice_in(r->x, r->request.pipe.in, SPLICE_MOST);
	if (n > 0)
		r->request.in_pipe = (size_t)n;
	return n > 0 ? MOVED : BLOCKED;
}

static bool may_splice_request(struct http_relay *r)
{
	uint64_t left = http_exchange_may_splice_in(r->x);
	if (r->request.pipe.in >= 0)
		return left > 0;
	return left >= SPLICE_MIN && !r->tunnel && http_client_may_splice_out(r->call) &&
	       pipes_get(&r->x->worker->pipes, &r->request.pipe);
}

static enum move copy_request(struct http_relay *r)
{
	struct str data = http_exchange_data(r->x);
	bool last = http_exchange_body_state(r->x) == HTTP_BODY_END;
	struct iovec v = http_iov(data);
	if (data.n == 0 && !last)
		return BLOCKED;
	ssize_t n = http_client_write(r->call, &v, 1, last);
	if (n < 0)
		return BLOCKED; /* failed() follows */
	http_exchange_consume(r->x, (size_t)n);
	heard(r, n);
	if ((size_t)n < data.n)
		return BLOCKED;
	return last ? ENDED : MOVED;
}

static enum move move_request(struct http_relay *r)
{
	if (r->request.in_pipe)
		return request_from_pipe(r);
	if (may_splice_request(r))
		return request_into_pipe(r);
	return copy_request(r);
}

/* More is to come, and none of it is here already: only so is it sure that readable() is called again. */
static bool client_will_call(const struct http_relay *r)
{
	return r->request.pipe.in >= 0 && !r->request.in_pipe && !has_last(r);
}

enum http_relay_state http_relay_request(struct http_relay *r)
{
	MAGIC_CHECK(r, RELAY_MAGIC);
	enum move m = MOVED;
	for (unsigned i = 0; m == MOVED && !r->request.done; i++) {
		if (i >= 2 * MOVES_A_TURN && client_will_call(r))
			break;
		m = move_request(r);
	}
	r->request.done |= m == ENDED;
	return state_of(r);
}

/* ---- response: from the server to the client */

static void hold_server(struct http_relay *r, bool on)
{
	if (r->response.holding != on)
		http_client_hold(r->call, on);
	r->response.holding = on;
}

/*
 * Nothing waits for what may follow: how full the pipe was does not tell whether the server has more to say at once, and
 * the kernel holds a part of a packet back for 200 ms.
 */
static enum move response_from_pipe(struct http_relay *r)
{
	struct http_relay_way *w = &r->response;
	ssize_t n = http_exchange_splice_out(r->x, w->pipe.out, w->in_pipe, false);
	if (n < 0)
		return BLOCKED; /* closed() follows */
	w->in_pipe -= (size_t)n;
	heard(r, n);
	hold_server(r, w->in_pipe > 0);
	return w->in_pipe ? BLOCKED : MOVED;
}

static enum move response_into_pipe(struct http_relay *r)
{
	ssize_t n = http_client_splice_in(r->call, r->response.pipe.in, SPLICE_MOST);
	if (n > 0)
		r->response.in_pipe = (size_t)n;
	return n > 0 || http_client_body_state(r->call) == HTTP_BODY_END ? MOVED : BLOCKED;
}

static bool may_splice_response(struct http_relay *r)
{
	uint64_t left = http_client_may_splice_in(r->call);
	if (r->response.pipe.in >= 0)
		return left > 0;
	bool much = left == UINT64_MAX ? http_client_piece(r->call) == HTTP_PIECE_MORE
				       : left >= SPLICE_MIN;
	return much && !r->tunnel && http_exchange_may_splice_out(r->x) &&
	       pipes_get(&r->x->worker->pipes, &r->response.pipe);
}

/* In one call with the head. */
static enum move copy_response(struct http_relay *r)
{
	struct str data = http_client_data(r->call);
	enum http_piece piece = http_client_piece(r->call);
	struct iovec v = http_iov(data);
	ssize_t n = http_exchange_write(r->x, &v, 1, piece);
	if (n < 0)
		return BLOCKED; /* closed() follows */
	http_client_consume(r->call, (size_t)n);
	heard(r, n);
	if (piece == HTTP_PIECE_LAST && (size_t)n == data.n)
		return ENDED;
	return data.n && (size_t)n == data.n ? MOVED : BLOCKED;
}

static enum move move_response(struct http_relay *r)
{
	if (r->response.in_pipe)
		return response_from_pipe(r);
	if (may_splice_response(r))
		return response_into_pipe(r);
	return copy_response(r);
}

/* There is more to come, and none of it here already: only so is it sure that body() is called again. */
static bool server_will_call(const struct http_relay *r)
{
	return !r->response.in_pipe && http_client_body_state(r->call) == HTTP_BODY_MORE;
}

enum http_relay_state http_relay_response(struct http_relay *r)
{
	MAGIC_CHECK(r, RELAY_MAGIC);
	enum move m = MOVED;
	for (unsigned i = 0; m == MOVED && !r->response.done; i++) {
		if (i >= 2 * MOVES_A_TURN && server_will_call(r))
			break;
		m = move_response(r);
	}
	r->response.done |= m == ENDED;
	return state_of(r);
}

/* ---- tunnel */

enum http_relay_state http_relay_tunnel(struct http_relay *r, struct deadline_class *silence)
{
	r->tunnel = true;
	r->silence_class = silence;
	r->request.done = false;
	deadline_arm(&r->silence, silence, worker_now_us(r->x->worker));
	http_relay_request(r);
	return http_relay_response(r);
}

/* ---- interim responses */

void http_relay_interim(struct http_exchange *x, const struct http_head *h)
{
	struct http_fields f;
	char mem[4096];
	http_fields_init_mem(&f, mem, sizeof(mem));
	const struct http_field *link;
	for (unsigned i = 0; h->status == 103 && (link = http_next(h, HTTP_F_LINK, &i));)
		if (!link->hop)
			http_fields_add(&f, link->name, link->value);
	if (!f.overflow)
		http_exchange_interim(x, h->status, http_fields_block(&f));
}

static void check_way(const struct http_relay_way *w)
{
	MUST(w->in_pipe == 0 || w->pipe.in >= 0);
	MUST(!w->holding || w->in_pipe);
	MUST(!w->done || !w->in_pipe);
}

void http_relay_check(const struct http_relay *r)
{
	MAGIC_CHECK(r, RELAY_MAGIC);
	check_way(&r->request);
	check_way(&r->response);
	MUST(!r->tunnel || deadline_armed(&r->silence));
}
