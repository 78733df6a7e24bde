// SPDX-License-Identifier: MIT
#include "http/exchange.h"

#include <stdio.h>

#include "base/clock.h"
#include "http/date.h"

static void declare(struct http_exchange *x, const struct http_response *r)
{
	MAGIC_CHECK(x, HTTP_EXCHANGE_MAGIC);
	MUST(x->status == 0 && r->status >= 101 && r->blocks <= HTTP_RESPONSE_BLOCKS);
	MUST((r->framing == HTTP_FRAMING_TUNNEL) == (r->status == 101));
	x->status = r->status;
}

void http_exchange_respond(struct http_exchange *x, const struct http_response *r)
{
	declare(x, r);
	x->transport->respond(x, r);
}

void http_exchange_reply(struct http_exchange *x, struct http_response *r, struct str body)
{
	r->framing = HTTP_FRAMING_NONE;
	r->length = body.n;
	declare(x, r);
	x->transport->reply(x, r, x->head->method == HTTP_HEAD ? STR_NONE : body);
}

void http_exchange_make_error(struct http_error *e, uint16_t status, const char *text,
			      int64_t wall_s)
{
	struct http_fields f;
	char date[HTTP_DATE_LEN + 1];
	http_date_format(date, wall_s);
	http_fields_init_mem(&f, e->mem, sizeof(e->mem) / 2);
	http_fields_add(&f, STR("Date"), str_of(date, HTTP_DATE_LEN));
	http_fields_add(&f, STR("Content-Type"), STR("text/html"));
	http_fields_add(&f, STR("Cache-Control"), STR("no-store"));
	char *page = e->mem + f.n;
	size_t room = sizeof(e->mem) - f.n;
	int n = snprintf(page, room,
			 "<!doctype html>\n<title>%u %s</title>\n<h1>%u %s</h1>\n<p>%s</p>\n",
			 status, http_reason(status), status, http_reason(status), text);
	e->body = str_of(page, MIN((size_t)n, room - 1));
	e->response = (struct http_response){.status = status,
					     .blocks = 1,
					     .fields = {http_fields_block(&f)},
					     .length = e->body.n};
}

void http_exchange_error(struct http_exchange *x, uint16_t status, const char *text,
			 struct str fields)
{
	struct http_error *e = x->status ? NULL : arena_alloc(&x->arena, sizeof(*e));
	if (!e) {
		http_exchange_abort(x);
		return;
	}
	http_exchange_make_error(e, status, text, clock_wall_s());
	if (fields.n)
		e->response.fields[e->response.blocks++] = fields;
	http_exchange_reply(x, &e->response, e->body);
}
