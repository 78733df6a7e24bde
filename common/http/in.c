// SPDX-License-Identifier: MIT
/*
 * Invariants: head <= start <= end <= tail <= size; everything is 0 when closed. While the body goes on, raw bytes
 * stand behind the payload only until http_in_take() has seen them, so an empty window can move back to the head's
 * end and the whole rest of the buffer is free for the next read.
 */
#include "http/in.h"

#include <errno.h>
#include <string.h>

#include "loop/worker.h"

_Static_assert(HTTP_IN_SIZE == WORKER_BUFFER_SIZE, "a window is one of the worker's buffers");

void http_in_init(struct http_in *in, struct slab *buffers)
{
	*in = (struct http_in){.buffers = buffers};
}

bool http_in_open(struct http_in *in)
{
	if (!in->mem)
		in->mem = slab_get(in->buffers);
	return in->mem;
}

void http_in_close(struct http_in *in)
{
	slab_put(in->buffers, in->mem);
	in->mem = NULL;
	in->head = in->start = in->end = in->tail = 0;
	in->scanned = 0;
}

enum http_in_result http_in_fill(struct http_in *in, struct io *io, size_t *got)
{
	MUST(in->mem && http_in_room(in));
	ssize_t n = io_read(io, in->mem + in->tail, http_in_room(in));
	*got = n > 0 ? (size_t)n : 0;
	in->tail += (uint32_t)*got;
	if (n > 0)
		return HTTP_IN_SOME;
	if (n == 0)
		return HTTP_IN_EOF;
	return errno == EAGAIN ? HTTP_IN_NOTHING : HTTP_IN_ERROR;
}

struct str http_in_raw(const struct http_in *in)
{
	return str_of(in->mem + in->end, in->tail - in->end);
}

struct str http_in_all(const struct http_in *in)
{
	return str_of(in->mem, in->tail);
}

void http_in_skip(struct http_in *in, size_t n)
{
	MUST(in->end == 0 && n <= in->tail);
	memmove(in->mem, in->mem + n, in->tail - n);
	in->tail -= (uint32_t)n;
	in->scanned = 0;
}

void http_in_pin(struct http_in *in, size_t size, enum http_body_kind kind, uint64_t length)
{
	MUST(in->end == 0 && size <= in->tail);
	in->head = in->start = in->end = (uint32_t)size;
	http_body_init(&in->body, kind, length);
	http_in_take(in);
}

void http_in_tunnel(struct http_in *in)
{
	MUST(http_in_payload(in) == 0);
	http_body_init(&in->body, HTTP_BODY_CLOSE, 0);
	http_in_take(in);
}

size_t http_in_take(struct http_in *in)
{
	size_t payload, used, n = http_in_behind(in);
	char *raw = in->mem + in->end;
	if (in->body.state != HTTP_BODY_MORE || n == 0)
		return 0;
	http_body_take(&in->body, raw, n, &payload, &used);
	if (used > payload && n > used)
		memmove(raw + payload, raw + used, n - used);
	in->end += (uint32_t)payload;
	in->tail = in->end + (uint32_t)(n - used);
	return payload;
}

struct str http_in_data(const struct http_in *in)
{
	return str_of(in->mem + in->start, http_in_payload(in));
}

void http_in_consume(struct http_in *in, size_t n)
{
	MUST(n <= http_in_payload(in));
	in->start += (uint32_t)n;
	if (in->start == in->end && in->body.state == HTTP_BODY_MORE)
		in->start = in->end = in->tail = in->head;
}

void http_in_bypass(struct http_in *in, uint64_t n)
{
	MUST(http_in_payload(in) == 0 && http_in_behind(in) == 0);
	http_body_bypass(&in->body, n);
}

bool http_in_next(struct http_in *in)
{
	uint32_t more = in->tail - in->end;
	if (more)
		memmove(in->mem, in->mem + in->end, more);
	in->head = in->start = in->end = 0;
	in->tail = more;
	in->scanned = 0;
	return more > 0;
}

void http_in_check(const struct http_in *in)
{
	MUST(in->head <= in->start && in->start <= in->end);
	MUST(in->end <= in->tail && in->tail <= HTTP_IN_SIZE);
	MUST(in->mem || in->tail == 0);
	if (in->mem)
		slab_found(in->buffers);
	MUST(in->body.state != HTTP_BODY_MORE || in->head == 0 || in->tail == in->end ||
	     in->body.kind == HTTP_BODY_CHUNKED);
}
