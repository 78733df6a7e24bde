// SPDX-License-Identifier: MIT
#include "memory_transport.h"

#include <strings.h>

#include "base/clock.h"

#define PROBE 64 /* bytes that are compared when they are offered again */

/* The exchange and what it is made of; m is its first member, for the test. */
struct memory {
	struct memory_exchange m;
	struct http_exchange x;
	struct http_head head;
	struct worker *worker;
	const struct http_handler *handler;
	char *request; /* the field block that head is of */
	char *method, *target, *host;
	struct addr peer;
	char arena[4096];
	/* the request body */
	char *in;
	size_t in_at, in_n;
	bool in_last;
	_Atomic bool wants_body;
	/* the response */
	struct http_response response;
	char *copies[HTTP_RESPONSE_BLOCKS]; /* of its blocks, as they were at respond() */
	char probe[PROBE];		    /* what was not taken begins so */
	size_t probe_n, room;
	bool short_write, ended, cut, late_close, unread;
	struct message closing;
};

static struct memory *of(struct http_exchange *x)
{
	MAGIC_CHECK(x, HTTP_EXCHANGE_MAGIC);
	return container_of(x, struct memory, x);
}

/* ---- the request body */

static struct str data(struct http_exchange *x)
{
	struct memory *y = of(x);
	y->wants_body = y->in_at == y->in_n && !y->in_last;
	return str_of(y->in + y->in_at, y->in_n - y->in_at);
}

static enum http_body_state body_state(const struct http_exchange *x)
{
	const struct memory *y = of((struct http_exchange *)(uintptr_t)x);
	return y->in_last ? HTTP_BODY_END : HTTP_BODY_MORE;
}

static void consume(struct http_exchange *x, size_t n)
{
	struct memory *y = of(x);
	MUST(n <= y->in_n - y->in_at);
	memset(y->in + y->in_at, 'X', n); /* it was given up */
	y->in_at += n;
	x->body_in += n;
}

/* ---- the end */

static char *text_of(struct str s)
{
	char *t = def_xmalloc(s.n + 1);
	if (s.n)
		memcpy(t, s.p, s.n);
	t[s.n] = '\0';
	return t;
}

/* All that was handed over is as it was, up to here. */
static void check_untouched(const struct memory *y)
{
	for (unsigned i = 0; i < y->response.blocks; i++) {
		struct str s = y->response.fields[i];
		MUST(strlen(y->copies[i]) == s.n);
		MUST(s.n == 0 || memcmp(y->copies[i], s.p, s.n) == 0);
	}
}

static void close_now(struct memory *y, enum http_end why)
{
	struct http_exchange *x = &y->x;
	check_untouched(y);
	y->ended = true;
	y->m.why = why;
	y->m.status = x->status;
	y->m.whole = !y->cut && why == HTTP_END_DONE;
	y->handler->closed(x, why);
	MAGIC_WIPE(x, HTTP_EXCHANGE_MAGIC);
	arena_fini(&x->arena);
	y->m.closed = true;
}

static enum http_end why_of(const struct memory *y)
{
	return y->cut ? HTTP_END_CUT : HTTP_END_DONE;
}

static void on_closing(struct message *msg)
{
	struct memory *y = container_of(msg, struct memory, closing);
	if (!y->m.closed)
		close_now(y, why_of(y));
}

static void finish(struct memory *y)
{
	MUST(!y->ended);
	y->ended = true;
	if (y->unread)
		return;
	if (y->late_close)
		mailbox_post(&y->worker->mailbox, &y->closing);
	else
		close_now(y, why_of(y));
}

static void end(struct http_exchange *x)
{
	struct memory *y = of(x);
	bool missing = y->response.framing == HTTP_FRAMING_LENGTH &&
		       y->m.body_n < y->response.length;
	y->cut |= x->status == 0 || missing;
	finish(y);
}

static void give_up(struct http_exchange *x)
{
	of(x)->cut = true;
	finish(of(x));
}

/* ---- the response */

/* A block has no fields of a transport's. */
static void check_block(struct str block)
{
	struct str name, value;
	while (http_fields_next(&block, &name, &value))
		switch (http_field_of(name)) {
		case HTTP_F_CONNECTION:
		case HTTP_F_CONTENT_LENGTH:
		case HTTP_F_TRANSFER_ENCODING:
		case HTTP_F_KEEP_ALIVE:
			WRONG("a field that is the transport's");
		default:
			break;
		}
}

static void interim(struct http_exchange *x, uint16_t status, struct str fields)
{
	struct memory *y = of(x);
	MUST(status >= 100 && status < 200 && status != 101);
	check_block(fields);
	if (x->status || y->m.interims == MEMORY_INTERIMS)
		return;
	y->m.interim[y->m.interims] = status;
	y->m.interim_fields[y->m.interims++] = text_of(fields);
}

static void respond(struct http_exchange *x, const struct http_response *r)
{
	struct memory *y = of(x);
	size_t at = 0;
	MUST(!y->ended && !y->m.fields);
	y->response = *r;
	y->m.framing = r->framing;
	y->m.length = r->length;
	size_t size = 1;
	for (unsigned i = 0; i < r->blocks; i++)
		size += r->fields[i].n;
	y->m.fields = def_xmalloc(size);
	for (unsigned i = 0; i < r->blocks; i++) {
		check_block(r->fields[i]);
		y->copies[i] = text_of(r->fields[i]);
		memcpy(y->m.fields + at, y->copies[i], r->fields[i].n);
		at += r->fields[i].n;
	}
	y->m.fields[at] = '\0';
	y->m.responded = 1;
}

static void append(struct memory *y, const char *p, size_t n)
{
	y->m.body = realloc(y->m.body, y->m.body_n + n + 1);
	MUST(y->m.body);
	memcpy(y->m.body + y->m.body_n, p, n);
	y->m.body_n += n;
	y->m.body[y->m.body_n] = '\0';
}

static void reply(struct http_exchange *x, const struct http_response *r, struct str body)
{
	struct memory *y = of(x);
	respond(x, r);
	if (body.n)
		append(y, body.p, body.n);
	end(x);
}

/* What is offered begins with what was not taken before. */
static void check_again(struct memory *y, const struct iovec *iov, int n)
{
	size_t at = 0;
	for (int i = 0; i < n && at < y->probe_n; i++) {
		size_t part = MIN(iov[i].iov_len, y->probe_n - at);
		MUST(memcmp(y->probe + at, iov[i].iov_base, part) == 0);
		at += part;
	}
	MUST(at == y->probe_n);
	y->probe_n = 0;
}

static void remember(struct memory *y, const struct iovec *v, size_t from)
{
	size_t n = MIN(v->iov_len - from, PROBE - y->probe_n);
	memcpy(y->probe + y->probe_n, (const char *)v->iov_base + from, n);
	y->probe_n += n;
}

static ssize_t write_body(struct http_exchange *x, const struct iovec *iov, int n,
			  enum http_piece piece UNUSED)
{
	struct memory *y = of(x);
	size_t taken = 0;
	MUST(x->status && !y->ended);
	check_again(y, iov, n);
	y->short_write = false;
	for (int i = 0; i < n; i++) {
		size_t part = MIN(iov[i].iov_len, y->room);
		if (part)
			append(y, iov[i].iov_base, part);
		y->room -= part;
		taken += part;
		if (part < iov[i].iov_len) {
			remember(y, &iov[i], part);
			y->short_write = true;
		}
	}
	MUST(y->response.framing != HTTP_FRAMING_NONE || y->m.body_n == 0);
	MUST(y->response.framing != HTTP_FRAMING_LENGTH || y->m.body_n <= y->response.length);
	y->m.short_writes += y->short_write;
	x->bytes_out += taken;
	return (ssize_t)taken;
}

static const struct http_transport transport = {.name = "memory",
						.data = data,
						.body_state = body_state,
						.consume = consume,
						.interim = interim,
						.respond = respond,
						.reply = reply,
						.write = write_body,
						.end = end,
						.abort = give_up};

/* ---- the test's side */

static void begin(void *arg)
{
	struct memory *y = arg;
	y->x.started_us = y->x.request_us = worker_now_us(y->worker);
	y->handler->request(&y->x);
}

struct memory_exchange *memory_ask(struct worker *w, const struct http_handler *handler,
				   const struct memory_request *r)
{
	struct memory *y = def_xcalloc(1, sizeof(*y));
	y->request = text_of(str_c(r->fields ? r->fields : ""));
	y->method = text_of(str_c(r->method));
	y->target = text_of(str_c(r->target));
	y->host = text_of(str_c(r->host));
	MUST(http_fields_to_head(&y->head, str_c(y->request)));
	y->head.method = http_method_of(str_c(y->method));
	y->head.method_text = str_c(y->method);
	y->head.target = str_c(y->target);
	y->head.authority = str_c(y->host);
	y->head.minor = 1;
	y->head.body = !r->has_body			  ? HTTP_BODY_NONE
		       : r->body_length == HTTP_NO_LENGTH ? HTTP_BODY_CHUNKED
							  : HTTP_BODY_LENGTH;
	y->head.length = r->body_length;
	y->in_last = !r->has_body;
	y->worker = w;
	y->handler = handler;
	y->peer = r->peer;
	y->room = r->room ? r->room : SIZE_MAX;
	y->late_close = r->late_close;
	y->unread = r->unread;
	y->closing.run = on_closing;
	y->x = (struct http_exchange){.transport = &transport,
				      .worker = w,
				      .head = &y->head,
				      .peer = &y->peer,
				      .tag = r->tag};
	MAGIC_SET(&y->x, HTTP_EXCHANGE_MAGIC);
	arena_init(&y->x.arena, y->arena, sizeof(y->arena), r->memory ? r->memory : 65536);
	unit_on_worker(w, begin, y);
	return &y->m;
}

struct piece {
	struct memory *y;
	const void *p;
	size_t n;
	bool last;
};

static void add_body(void *arg)
{
	struct piece *p = arg;
	struct memory *y = p->y;
	if (y->m.closed || y->ended)
		return;
	y->in = realloc(y->in, y->in_n + p->n + 1);
	MUST(y->in);
	if (p->n)
		memcpy(y->in + y->in_n, p->p, p->n);
	y->in_n += p->n;
	y->in_last = p->last;
	if (!y->wants_body)
		return;
	y->wants_body = false;
	y->handler->readable(&y->x);
}

void memory_body(struct memory_exchange *m, const void *p, size_t n, bool last)
{
	struct memory *y = container_of(m, struct memory, m);
	unit_on_worker(y->worker, add_body, &(struct piece){y, p, n, last});
}

void memory_taken(struct memory_exchange *m)
{
	const struct memory *y = container_of(m, struct memory, m);
	assert_soon(y->wants_body);
}

static void half_close(void *arg)
{
	struct memory *y = arg;
	if (y->m.closed)
		return;
	y->x.client_closed = true;
	if (y->in_last && !y->ended && y->x.status == 0 && y->handler->half_closed)
		y->handler->half_closed(&y->x);
}

void memory_half_close(struct memory_exchange *m)
{
	struct memory *y = container_of(m, struct memory, m);
	unit_on_worker(y->worker, half_close, y);
}

static void break_off(void *arg)
{
	struct memory *y = arg;
	if (!y->m.closed)
		close_now(y, y->m.why);
}

void memory_break(struct memory_exchange *m, enum http_end why)
{
	struct memory *y = container_of(m, struct memory, m);
	m->why = why;
	unit_on_worker(y->worker, break_off, y);
}

static void make_room(void *arg)
{
	struct piece *p = arg;
	struct memory *y = p->y;
	y->room += p->n;
	if (y->m.closed || y->ended || !y->short_write)
		return;
	y->short_write = false;
	y->handler->writable(&y->x);
}

void memory_room(struct memory_exchange *m, size_t n)
{
	struct memory *y = container_of(m, struct memory, m);
	unit_on_worker(y->worker, make_room, &(struct piece){.y = y, .n = n});
}

void memory_wait(struct memory_exchange *m)
{
	assert_soon(m->closed);
}

void memory_free(struct memory_exchange *m)
{
	struct memory *y = container_of(m, struct memory, m);
	MUST(m->closed);
	unit_settle(y->worker); /* what closed it has returned */
	for (unsigned i = 0; i < m->interims; i++)
		free(m->interim_fields[i]);
	for (unsigned i = 0; i < HTTP_RESPONSE_BLOCKS; i++)
		free(y->copies[i]);
	free(m->fields);
	free(m->body);
	free(y->in);
	free(y->request);
	free(y->method);
	free(y->target);
	free(y->host);
	free(y);
}

const char *memory_field(const struct memory_exchange *m, const char *name)
{
	static char text[1024];
	struct str rest = str_c(m->fields), field, value;
	while (http_fields_next(&rest, &field, &value)) {
		if (!str_eq_nocase(field, str_c(name)))
			continue;
		MUST(value.n < sizeof(text));
		memcpy(text, value.p, value.n);
		text[value.n] = '\0';
		return text;
	}
	return NULL;
}
