// SPDX-License-Identifier: MIT
#include "request.h"

#include <stdio.h>
#include <string.h>

static uint64_t serial;
/* Of pages of kind VERSION, when a client had them last. */
static unsigned known_version[PAGE_HOSTS][PAGE_IDS];

void request_learned(const struct page *p, unsigned version)
{
	known_version[p->host][p->id] = version;
}

bool request_is(const struct request *r, const char *method)
{
	return strcmp(r->method, method) == 0;
}

unsigned request_variant(const struct request *r)
{
	return r->page.id % PAGE_VARIANTS + r->nonce[1] % 2u;
}

/* ---- which */

static void choose_condition(struct request *r)
{
	const struct page *p = &r->page;
	if (p->kind == PAGE_PUBLIC)
		strcpy(r->etag, "\"e\"");
	else if (p->kind == PAGE_VERSION)
		snprintf(r->etag, sizeof(r->etag), "\"%u\"", known_version[p->host][p->id]);
}

struct request request_random(bool cached)
{
	static const size_t bodies[] = {0, 1, 100, 5000, 20000, 200000};
	struct request r = {.method = "GET", .page = page_random(cached || chance(0.3))};
	snprintf(r.nonce, sizeof(r.nonce), "n%llu", (unsigned long long)++serial);
	if (chance(0.01)) {
		r.bad = true;
		return r;
	}
	if (r.page.kind == PAGE_LOGIN && strchr("56", r.page.cache))
		r.page.cache = '7'; /* RFC 9111 §3.5: those may be stored */
	double k = (double)chance_below(1000) / 1000;
	if (k < 0.08)
		r.method = "HEAD";
	else if (k < 0.18)
		r.method = "POST";
	else if (k < 0.20)
		r.method = "PURGE";
	else if (k < 0.30)
		choose_condition(&r);
	else if (k < 0.35 && r.page.size > 1) {
		r.from = chance_below((unsigned)r.page.size);
		r.to = r.from + 1 + chance_below((unsigned)(r.page.size - r.from));
	}
	if (request_is(&r, "POST")) {
		r.body_n = bodies[chance_below(6)];
		r.expect = chance(0.2);
	}
	r.upgrade = r.page.kind == PAGE_TUNNEL && request_is(&r, "GET");
	r.old = !r.upgrade && !r.expect && chance(0.03);
	r.version = page_version[r.page.host][r.page.id];
	return r;
}

/* ---- sending */

void request_send_body(struct conn *to, const struct request *r, bool chunked)
{
	static char body[200001];
	char unit[64];
	size_t unit_n = (size_t)snprintf(unit, sizeof(unit), "%s|", r->nonce);
	page_fill(body, r->body_n, unit, unit_n, 0);
	if (!chunked) {
		conn_send(to, body, r->body_n);
		return;
	}
	for (size_t i = 0; i < r->body_n;) {
		size_t part = 1 + chance_below(30000);
		part = part < r->body_n - i ? part : r->body_n - i;
		conn_printf(to, "%zx\r\n", part);
		conn_send(to, body + i, part);
		conn_printf(to, "\r\n");
		i += part;
	}
	conn_printf(to, chance(0.1) ? "0\r\nX-Trailer: x\r\n\r\n" : "0\r\n\r\n");
}

static void send_bad(struct conn *to)
{
	static const char *const bad[] = {
		"GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"\x16\x03\x01\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
		"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
	};
	const char *text = bad[chance_below(sizeof(bad) / sizeof(*bad))];
	conn_send(to, text, strlen(text));
}

static void send_fields(struct conn *to, const struct request *r, const char *source)
{
	const struct page *p = &r->page;
	if (*source)
		conn_printf(to, "X-Source: %s\r\n", source);
	if (r->old && chance(0.5))
		conn_printf(to, "Connection: keep-alive\r\n");
	if (p->kind == PAGE_VARIANT)
		conn_printf(to, "X-Variant: %u\r\n", request_variant(r));
	if (p->kind == PAGE_LOGIN)
		conn_printf(to, "Authorization: Basic %s\r\n", r->nonce);
	if (p->kind == PAGE_COOKIE)
		conn_printf(to, "Cookie: wordpress_logged_in_x=%s\r\n", r->nonce);
	else if (chance(0.3))
		conn_printf(to, "Cookie: SERVERID=c%u; x=y\r\n", 1 + chance_below(3));
	if (*r->etag)
		conn_printf(to, "If-None-Match: %s\r\n", r->etag);
	if (r->to)
		conn_printf(to, "Range: bytes=%zu-%zu\r\n", r->from, r->to - 1);
	if (r->upgrade)
		conn_printf(to, "Connection: upgrade\r\nUpgrade: chaos\r\n");
	if (request_is(r, "PURGE") && chance(0.6))
		conn_printf(to, "X-Purge-Method: %s\r\n", chance(0.7) ? "soft" : "regex");
	if (chance(0.01))
		conn_printf(to, "X-Long: %0*d\r\n", 400, 0);
}

bool request_send(struct conn *to, const struct request *r, const char *source)
{
	char path[PAGE_PATH_SIZE];
	const struct page *p = &r->page;
	if (r->bad) {
		send_bad(to);
		return false;
	}
	page_path(p, path);
	conn_printf(to,
		    "%s %s HTTP/1.%d\r\nHost: h%u.test\r\nX-Asked: h%u.test%s\r\nX-Nonce: %s\r\n",
		    r->method, path, !r->old, p->host, p->host, path, r->nonce);
	send_fields(to, r, source);
	bool chunked = request_is(r, "POST") && !r->old && chance(0.4);
	if (r->expect)
		conn_printf(to, "Expect: 100-continue\r\n");
	if (chunked)
		conn_printf(to, "Transfer-Encoding: chunked\r\n\r\n");
	else if (request_is(r, "POST"))
		conn_printf(to, "Content-Length: %zu\r\n\r\n", r->body_n);
	else
		conn_printf(to, "\r\n");
	if (r->expect && !chunked && r->body_n)
		return true;
	if (request_is(r, "POST"))
		request_send_body(to, r, chunked);
	return false;
}
