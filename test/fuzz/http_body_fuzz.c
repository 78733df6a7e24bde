// SPDX-License-Identifier: MIT
/*
 * Bodies. The first byte chooses the framing and how the bytes drip in; whatever the pieces, the
 * payload and the end must be the same. A chunked body made from the payload must give it back.
 */
#include "http/body.h"

#define PAYLOAD_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct taken {
	char payload[PAYLOAD_MAX];
	size_t n, used;
	enum http_body_state state;
};

static void take(struct taken *t, enum http_body_kind kind, uint64_t length, struct str in,
		 size_t step)
{
	struct http_body b;
	t->n = t->used = 0;
	http_body_init(&b, kind, length);
	while (b.state == HTTP_BODY_MORE && t->used < in.n) {
		size_t piece = MIN(step, in.n - t->used), payload = 0, used = 0;
		char *at = t->payload + t->n;
		memcpy(at, in.p + t->used, piece);
		http_body_take(&b, at, piece, &payload, &used);
		MUST(used <= piece && payload <= used);
		MUST(used == piece || b.state != HTTP_BODY_MORE);
		t->n += payload;
		t->used += used;
	}
	if (t->used == in.n)
		http_body_eof(&b);
	MUST((b.state == HTTP_BODY_BROKEN) == !!b.broken);
	t->state = b.state;
}

static void check_chunked_again(const struct taken *t)
{
	static char framed[PAYLOAD_MAX + 64];
	static struct taken again;
	size_t n = 0;
	if (t->n > 0) {
		n += http_body_chunk_line(framed, t->n);
		memcpy(framed + n, t->payload, t->n);
		n += t->n;
		memcpy(framed + n, "\r\n", 2);
		n += 2;
	}
	memcpy(framed + n, "0\r\n\r\nnext", 9);
	n += 9;
	if (n > PAYLOAD_MAX)
		return;
	take(&again, HTTP_BODY_CHUNKED, 0, str_of(framed, n), 7);
	MUST(again.state == HTTP_BODY_END && again.used == n - 4);
	MUST(again.n == t->n && memcmp(again.payload, t->payload, t->n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum http_body_kind kinds[] = {HTTP_BODY_NONE, HTTP_BODY_LENGTH,
						    HTTP_BODY_CHUNKED, HTTP_BODY_CLOSE};
	static struct taken whole, dripped;
	enum http_body_kind kind;
	struct str in;
	if (size < 2 || size > PAYLOAD_MAX)
		return 0;
	kind = kinds[data[0] & 3];
	in = str_of((const char *)data + 2, size - 2);
	take(&whole, kind, data[1], in, PAYLOAD_MAX);
	take(&dripped, kind, data[1], in, 1 + data[0] / 4);
	MUST(whole.state == dripped.state);
	/* What came before broken framing may have been passed on, or not yet. */
	if (whole.state == HTTP_BODY_BROKEN)
		return 0;
	MUST(whole.n == dripped.n && whole.used == dripped.used);
	MUST(memcmp(whole.payload, dripped.payload, whole.n) == 0);
	check_chunked_again(&whole);
	return 0;
}
