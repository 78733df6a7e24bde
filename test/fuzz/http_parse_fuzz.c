// SPDX-License-Identifier: MIT
/*
 * Heads. The first byte chooses request or response and how the bytes drip in. What is checked:
 * dripping comes to the same end as all at once; slices lie inside the input and hold no line end;
 * the index of fields is right; no request leaves the parser with doubtful framing; what is written
 * from a parsed head parses to the same fields.
 */
#include "http/parse.h"
#include <stdio.h>

#include "http/fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	enum http_parse result;
	struct http_head head;
	struct http_bad bad;
};

static bool as_request;

static void parse(struct outcome *o, struct str in, size_t *scanned)
{
	const struct http_limits limits = HTTP_LIMITS_DEFAULT;
	o->result = as_request ? http_parse_request(&o->head, in, scanned, &limits, &o->bad)
			       : http_parse_response(&o->head, in, scanned, &limits, HTTP_GET,
						     &o->bad);
}

static bool is_inside(struct str piece, struct str text)
{
	return piece.n == 0 || (piece.p >= text.p && piece.p + piece.n <= text.p + text.n);
}

static void check_text(struct str piece, struct str in)
{
	MUST(is_inside(piece, in));
	for (size_t i = 0; i < piece.n; i++)
		MUST(piece.p[i] != '\r' && piece.p[i] != '\n' && piece.p[i] != '\0');
}

static void check_fields(const struct http_head *h, struct str in)
{
	uint16_t first[HTTP_F_COUNT] = {0};
	MUST(h->count <= HTTP_FIELDS_MAX);
	for (unsigned i = 0; i < h->count; i++) {
		const struct http_field *f = &h->fields[i];
		check_text(f->name, in);
		check_text(f->value, in);
		MUST(f->name.n > 0 && str_eq(f->value, str_trim(f->value)));
		MUST(f->id == http_field_of(f->name));
		if (first[f->id] == 0)
			first[f->id] = (uint16_t)(i + 1);
	}
	for (unsigned id = HTTP_F_UNKNOWN + 1; id < HTTP_F_COUNT; id++)
		MUST(h->first[id] == first[id]);
}

static void check_request(const struct http_head *h, struct str in)
{
	check_text(h->method_text, in);
	/* An absolute form without a path has one that is not in the input. */
	if (!str_eq(h->target, STR("/")) && !str_eq(h->target, STR("*")))
		check_text(h->target, in);
	check_text(h->authority, in);
	MUST(h->target.n > 0 && h->method_text.n > 0);
	MUST(h->body != HTTP_BODY_CLOSE);
	MUST(!(http_has(h, HTTP_F_CONTENT_LENGTH) && http_has(h, HTTP_F_TRANSFER_ENCODING)));
	MUST(h->minor == 0 || h->authority.n > 0 || http_has(h, HTTP_F_HOST));
	if (h->body == HTTP_BODY_CHUNKED)
		MUST(h->minor == 1 && http_has(h, HTTP_F_TRANSFER_ENCODING));
	if (h->length > 0)
		MUST(h->body == HTTP_BODY_LENGTH);
}

static void check_again(const struct http_head *h)
{
	static char mem[1 << 17];
	struct http_fields f;
	char first[64];
	struct outcome again;
	size_t scanned = 0;
	unsigned sent = 0;
	http_fields_init_mem(&f, mem, sizeof(mem));
	if (as_request) {
		http_fields_part(&f, h->method_text);
		http_fields_part(&f, STR(" "));
		http_fields_part(&f, h->target);
		http_fields_part(&f, STR(" HTTP/1.1\r\n"));
	} else {
		snprintf(first, sizeof(first), "HTTP/1.1 %u ", h->status);
		http_fields_part(&f, str_c(first));
		http_fields_part(&f, h->reason);
		http_fields_part(&f, STR("\r\n"));
	}
	if (as_request && !http_has(h, HTTP_F_HOST))
		http_fields_add(&f, STR("Host"), STR("x"));
	http_fields_add_head(&f, h, (struct http_skip){0});
	http_fields_part(&f, STR("\r\n"));
	MUST(!f.overflow);
	parse(&again, http_fields_block(&f), &scanned);
	/* Grown a little by its canonical form it may pass a limit; nothing else may be wrong. */
	if (again.result == HTTP_PARSE_BAD &&
	    (again.bad.status == 431 || again.bad.status == 414 || !as_request))
		return;
	MUST(again.result == HTTP_PARSE_DONE);
	for (unsigned i = 0; i < h->count; i++)
		sent += !h->fields[i].hop && h->fields[i].id != HTTP_F_CONTENT_LENGTH;
	MUST(again.head.count == sent + (as_request && !http_has(h, HTTP_F_HOST)));
	MUST(again.head.status == h->status);
}

/* Feeds the input in pieces of `step` bytes, as a slow peer would. */
static void drip(struct outcome *o, struct str in, size_t step)
{
	size_t scanned = 0, n = 0;
	do {
		n = MIN(n + step, in.n);
		parse(o, str_of(in.p, n), &scanned);
		MUST(scanned <= n);
	} while (o->result == HTTP_PARSE_MORE && n < in.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct outcome whole, dripped;
	size_t scanned = 0;
	struct str in;
	if (size < 1)
		return 0;
	as_request = data[0] & 1;
	in = str_of((const char *)data + 1, size - 1);
	parse(&whole, in, &scanned);
	drip(&dripped, in, 1 + data[0] / 2 % 32);
	MUST(whole.result == dripped.result);
	switch (whole.result) {
	case HTTP_PARSE_MORE:
		break;
	case HTTP_PARSE_BAD:
		MUST(whole.bad.reason && whole.bad.status >= 400);
		break;
	case HTTP_PARSE_DONE:
		MUST(whole.head.size <= in.n && whole.head.size == dripped.head.size);
		MUST(whole.head.count == dripped.head.count);
		check_fields(&whole.head, in);
		if (as_request)
			check_request(&whole.head, in);
		check_again(&whole.head);
		break;
	}
	return 0;
}
