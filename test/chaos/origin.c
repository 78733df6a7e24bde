// SPDX-License-Identifier: MIT
#include "origin.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "loop.h"
#include "message.h"
#include "page.h"

#define FLAKY_MOST 4

enum state { HEAD, BODY, ANSWER, HANG, TUNNEL };
enum end { KEEP, CLOSE, RESET };

struct exchange {
	enum state state;
	enum end end;	 /* when the answer has gone */
	bool early;	 /* the answer goes before the body is read */
	int64_t hang_ms; /* until then */
	struct message_body body;
	struct page page;
	size_t head_n;
	char head[MESSAGE_HEAD_MOST]; /* of the request */
	char nonce[64];		      /* of the request */
	char unit[PAGE_UNIT_SIZE];    /* of the request's body */
	size_t unit_n;
	bool asked;	 /* a request has begun on this connection */
	char source[32]; /* that a PROXY header named, or empty */
};

static bool calm;
static unsigned long requests, faults;
static struct listener *flaky[FLAKY_MOST];
static int64_t flaky_ms[FLAKY_MOST];
static unsigned flaky_n;

static bool fault(double p)
{
	bool yes = !calm && chance(p);
	faults += yes;
	return yes;
}

static bool field(const struct exchange *x, const char *name, char *to, size_t size)
{
	return message_field(x->head, x->head_n, name, to, size);
}

static bool is_method(const struct exchange *x, const char *method)
{
	size_t n = strlen(method);
	return strncmp(x->head, method, n) == 0 && x->head[n] == ' ';
}

/* ---- answers */

static void interims(struct conn *c)
{
	static const char early[] = "HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n";
	static const char processing[] = "HTTP/1.1 102 Processing\r\n\r\n";
	unsigned n = fault(0.05) ? 1 + chance_below(6) : fault(0.005) ? 100 : 0;
	for (unsigned i = 0; i < n; i++)
		if (chance(0.7))
			conn_send(c, early, sizeof(early) - 1);
		else
			conn_send(c, processing, sizeof(processing) - 1);
}

struct answer {
	char head[48000];
	size_t head_n;
	char *body;
	size_t body_n;
};

static void add(struct answer *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct answer *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	a->head_n += (size_t)vsnprintf(a->head + a->head_n, sizeof(a->head) - a->head_n, fmt, ap);
	va_end(ap);
}

static size_t chunked(char *to, const char *p, size_t n)
{
	size_t out = 0;
	for (size_t i = 0; i < n;) {
		static const size_t sizes[] = {1, 7, 100, 4000, 20000, 100000};
		size_t part = sizes[chance_below(6)];
		if (n - i > 20000 && part < 100)
			part = 4000;
		part = part < n - i ? part : n - i;
		out += (size_t)sprintf(to + out, chance(0.05) ? "%zx;x=y\r\n" : "%zx\r\n", part);
		memcpy(to + out, p + i, part);
		out += part;
		memcpy(to + out, "\r\n", 2);
		out += 2;
		i += part;
	}
	const char *last = chance(0.1) ? "0\r\nX-Trailer: t\r\n\r\n" : "0\r\n\r\n";
	strcpy(to + out, last);
	return out + strlen(last);
}

/* The first and the behind-last byte that a Range asks for; false: none, or not to be had. */
static bool range_of(const struct exchange *x, size_t size, size_t *from, size_t *to)
{
	char text[64], *end;
	if (!field(x, "Range", text, sizeof(text)) || strncmp(text, "bytes=", 6))
		return false;
	*from = strtoul(text + 6, &end, 10);
	*to = *end == '-' && end[1] ? strtoul(end + 1, NULL, 10) + 1 : size;
	return *from < *to && *to <= size;
}

static void frame(struct conn *c, struct answer *a, const char *body, size_t n)
{
	struct exchange *x = c->user;
	a->body = malloc(n * 8 + 64);
	if (!a->body)
		abort();
	if (x->page.framing == PAGE_CHUNKED) {
		add(a, "Transfer-Encoding: chunked\r\n");
		a->body_n = chunked(a->body, body, n);
		return;
	}
	if (x->page.framing == PAGE_LENGTH)
		add(a, "Content-Length: %zu\r\n", n);
	else
		x->end = x->end == KEEP ? CLOSE : x->end;
	memcpy(a->body, body, n);
	a->body_n = n;
}

/* What the body's unit names beside the page: the request, the variant, the version. */
static void choose_key(const struct exchange *x, char key[64])
{
	strcpy(key, "-");
	if (page_personal(&x->page))
		strcpy(key, x->nonce);
	else if (x->page.kind == PAGE_VARIANT)
		field(x, "X-Variant", key, 64);
	else if (x->page.kind == PAGE_VERSION)
		snprintf(key, 64, "%u", page_version[x->page.host][x->page.id]);
}

static void add_fields(struct conn *c, struct answer *a, const char *key)
{
	struct exchange *x = c->user;
	const struct page *p = &x->page;
	char path[PAGE_PATH_SIZE];
	add(a, "X-Url: h%u.test%s\r\n", p->host, page_path(p, path));
	add(a, "Cache-Control: %s\r\n", page_cache_control[p->cache - '0']);
	if (p->kind == PAGE_PUBLIC)
		add(a, "ETag: \"e\"\r\n");
	if (p->kind == PAGE_VERSION)
		add(a, "ETag: \"%s\"\r\n", key);
	if (p->kind == PAGE_VARIANT)
		add(a, "Vary: X-Variant\r\n");
	if (page_personal(p))
		add(a, "X-For: %s\r\n", x->nonce);
	if ((p->kind == PAGE_PRIVATE || p->kind == PAGE_TUNNEL) && (p->cache > '1' || chance(0.5)))
		add(a, "Set-Cookie: nonce=%s; path=/\r\n", x->nonce);
	if (fault(0.02))
		add(a, "X-Long: %0*d\r\n", chance(0.7) ? 5000 : 14000, 0);
	if (fault(0.01))
		add(a, "X-Long: %0*d\r\n", 19000, 0);
	if (x->end != KEEP && chance(0.5))
		add(a, "Connection: close\r\n");
}

static bool unchanged(const struct exchange *x, const char *key)
{
	char have[64], want[80];
	if (!field(x, "If-None-Match", have, sizeof(have)))
		return false;
	snprintf(want, sizeof(want), "\"%s\"", x->page.kind == PAGE_PUBLIC ? "e" : key);
	return (x->page.kind == PAGE_PUBLIC || x->page.kind == PAGE_VERSION) &&
	       strcmp(have, want) == 0;
}

static void make(struct conn *c, struct answer *a)
{
	struct exchange *x = c->user;
	char key[64], unit[PAGE_UNIT_SIZE];
	size_t from = 0, to = x->page.size;
	choose_key(x, key);
	if (unchanged(x, key)) {
		add(a, "HTTP/1.1 304 Not Modified\r\n");
		add_fields(c, a, key);
		add(a, "\r\n");
		return;
	}
	bool part = page_status(&x->page) == 200 && range_of(x, x->page.size, &from, &to);
	if (part)
		add(a, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %zu-%zu/%zu\r\n", from,
		    to - 1, x->page.size);
	else
		add(a, "HTTP/1.1 %u Chaos\r\n", page_status(&x->page));
	size_t unit_n = page_unit(&x->page, key, unit), n = part ? to - from : x->page.size;
	char *body = malloc(n + 1);
	if (!body)
		abort();
	page_fill(body, n, unit, unit_n, part ? from : 0);
	add_fields(c, a, key);
	frame(c, a, body, n);
	free(body);
	add(a, "\r\n");
	if (is_method(x, "HEAD"))
		a->body_n = 0;
}

static void unavailable(struct conn *c)
{
	static const char text[] = "HTTP/1.1 503 Not Now\r\nContent-Length: 5\r\n\r\nnever";
	struct exchange *x = c->user;
	conn_send(c, text, sizeof(text) - 1 - (is_method(x, "HEAD") ? 5 : 0));
}

static void send_answer(struct conn *c)
{
	struct exchange *x = c->user;
	static struct answer a;
	a = (struct answer){.body = NULL};
	interims(c);
	if (fault(0.02)) {
		unavailable(c);
		return;
	}
	make(c, &a);
	size_t whole = a.head_n + a.body_n;
	conn_send(c, a.head, a.head_n);
	conn_send(c, a.body, a.body_n);
	free(a.body);
	if (fault(0.03)) { /* cut it; a body until close has no other end than a reset to be cut by */
		size_t cut = chance_below((unsigned)(whole + 1));
		c->out_n -= cut;
		x->end = chance(0.5) || x->page.framing == PAGE_UNTIL_CLOSE ? RESET : CLOSE;
	}
	c->send_at_ms = chance(0.1) ? loop_now_ms + chance_below(calm ? 5 : 60) : 0;
}

static void choose_pace(struct conn *c)
{
	c->pace = calm || chance(0.6) ? PACE_WHOLE : chance(0.8) ? PACE_PIECES : PACE_DRIP;
}

/* Head of the answer and its body in packets of their own. */
static void begin_answer(struct conn *c)
{
	struct exchange *x = c->user;
	x->state = ANSWER;
	x->end = fault(0.1) ? CLOSE : KEEP;
	choose_pace(c);
	if (fault(0.01)) {
		conn_reset(c);
		return;
	}
	if (fault(0.01)) {
		conn_close(c);
		return;
	}
	if (fault(0.02)) {
		x->state = HANG;
		x->hang_ms = loop_now_ms + 100 + chance_below(3000);
		return;
	}
	send_answer(c);
}

/* ---- tunnels: an echo */

static bool begin_tunnel(struct conn *c)
{
	static const char head[] =
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: chaos\r\nConnection: upgrade\r\n";
	struct exchange *x = c->user;
	char protocol[32];
	if (x->page.kind != PAGE_TUNNEL || !field(x, "Upgrade", protocol, sizeof(protocol)) ||
	    fault(0.1))
		return false;
	conn_send(c, head, sizeof(head) - 1);
	conn_printf(c, "X-For: %s\r\n\r\n", x->nonce);
	x->state = TUNNEL;
	choose_pace(c);
	return true;
}

static void echo(struct conn *c)
{
	conn_send(c, c->in, c->in_n);
	conn_consume(c, c->in_n);
	if (c->out_n > 200000)
		c->read_at_ms = loop_now_ms + 5;
	if (fault(0.001))
		conn_reset(c);
}

/* ---- requests */

static void report(const struct exchange *x, const char *what)
{
	wrong("at the origin: %s: %.*s", what, (int)x->head_n, x->head);
}

/* Is the request one that a client wrote, all of it? */
static void check_request(struct exchange *x)
{
	char path[256], url[128], host[64], want[320];
	if (sscanf(x->head, "%*s %255s", path) != 1 || !page_parse(&x->page, path)) {
		report(x, "no such path");
		return;
	}
	field(x, "Host", host, sizeof(host));
	x->page.host = strcmp(host, "h1.test") == 0;
	field(x, "X-Asked", url, sizeof(url));
	snprintf(want, sizeof(want), "%s%s", host, path);
	if (strcmp(url, want) != 0 || message_count(x->head, x->head_n, "X-Asked") != 1)
		report(x, "the fields are another request's");
	if (message_count(x->head, x->head_n, "X-Nonce") != 1 || !field(x, "X-Nonce", x->nonce, 64))
		report(x, "no X-Nonce");
}

/* ---- PROXY headers, at the start of a connection; see the protocol's text */

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";
#define SIGNATURE (sizeof(signature) - 1)

/* The header's length; 0: more has to come. */
static size_t proxy_1(struct exchange *x, const char *p, size_t n)
{
	char line[128], from[32];
	unsigned port;
	const char *end = memmem(p, n, "\r\n", 2);
	if (!end)
		return 0;
	snprintf(line, sizeof(line), "%.*s", (int)(end - p), p);
	if (sscanf(line, "PROXY TCP4 %31s %*s %u", from, &port) == 2)
		snprintf(x->source, sizeof(x->source), "%.20s:%u", from, port);
	else if (strcmp(line, "PROXY UNKNOWN") != 0)
		wrong("at the origin: %s", line);
	return (size_t)(end - p) + 2;
}

static size_t proxy_2(struct exchange *x, const char *p, size_t n)
{
	const unsigned char *u = (const void *)p;
	if (n < 16)
		return 0;
	size_t size = 16 + (size_t)(u[14] << 8 | u[15]);
	if (n < size)
		return 0;
	if (u[12] == 0x21 && u[13] == 0x11 && size >= 28)
		snprintf(x->source, sizeof(x->source), "%u.%u.%u.%u:%u", u[16], u[17], u[18], u[19],
			 (unsigned)(u[24] << 8 | u[25]));
	else if (u[12] != 0x20)
		wrong("at the origin: a PROXY header of version 2, bytes %02x %02x", u[12], u[13]);
	return size;
}

/* False: it is not known yet what begins here. */
static bool take_proxy(struct conn *c)
{
	struct exchange *x = c->user;
	size_t n = 0;
	bool one = memcmp(c->in, "PROXY ", c->in_n < 6 ? c->in_n : 6) == 0;
	bool two = memcmp(c->in, signature, c->in_n < SIGNATURE ? c->in_n : SIGNATURE) == 0;
	if (!one && !two)
		return true;
	if (one && c->in_n > 6)
		n = proxy_1(x, c->in, c->in_n);
	else if (two)
		n = proxy_2(x, c->in, c->in_n);
	conn_consume(c, n);
	return n > 0;
}

/* Whose connection was it said to be, if the client had said so itself? */
static void check_source(const struct exchange *x)
{
	char source[32];
	if (strncmp(x->source, "10.", 3) != 0)
		return;
	if (!field(x, "X-Source", source, sizeof(source)) || strcmp(source, x->source) != 0) {
		report(x, "over the connection of another");
		wrong("that was of %s", x->source);
	}
}

static bool take_head(struct conn *c)
{
	struct exchange *x = c->user;
	if (!x->asked && c->in_n && !take_proxy(c))
		return false;
	size_t n = message_head(c->in, c->in_n);
	if (n == 0)
		return false;
	if (n > sizeof(x->head)) {
		wrong("at the origin: a head of %zu bytes", n);
		conn_close(c);
		return false;
	}
	memcpy(x->head, c->in, n);
	x->head_n = n;
	conn_consume(c, n);
	requests++;
	x->asked = true;
	check_request(x);
	check_source(x);
	if (!message_begin(&x->body, x->head, n, false))
		report(x, "bad framing");
	x->unit_n = (size_t)snprintf(x->unit, sizeof(x->unit), "%s|", x->nonce);
	x->state = BODY;
	x->early = !x->body.done && fault(0.1);
	char expect[32];
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	if (field(x, "Expect", expect, sizeof(expect)) && !x->early && chance(0.8))
		conn_send(c, go_on, sizeof(go_on) - 1);
	return true;
}

static void take_body(struct conn *c)
{
	struct exchange *x = c->user;
	size_t done = 0, used;
	do {
		const char *payload;
		size_t n;
		uint64_t at = x->body.total;
		used = message_next(&x->body, c->in + done, c->in_n - done, &payload, &n);
		if (n && page_compare(payload, n, x->unit, x->unit_n, at) != n)
			report(x, "the body is another request's");
		done += used;
	} while (used);
	if (x->body.bad)
		report(x, "bad chunks");
	conn_consume(c, done);
}

static void received(struct conn *c)
{
	struct exchange *x = c->user;
	if (x->state == TUNNEL) {
		echo(c);
		return;
	}
	if (x->state == HEAD && !take_head(c))
		return;
	if (c->gone)
		return;
	take_body(c);
	if (x->state != BODY || (!x->body.done && !x->early))
		return;
	if (is_method(x, "PURGE")) { /* it is no cache */
		static const char not_allowed[] =
			"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n";
		x->state = ANSWER;
		conn_send(c, not_allowed, sizeof(not_allowed) - 1);
		return;
	}
	if (is_method(x, "POST") && x->page.kind == PAGE_VERSION)
		page_version[x->page.host][x->page.id]++;
	if (is_method(x, "POST"))
		x->page.kind = PAGE_PRIVATE;
	if (!begin_tunnel(c))
		begin_answer(c);
	else if (c->in_n)
		echo(c);
}

static void sent(struct conn *c)
{
	struct exchange *x = c->user;
	if (x->state == TUNNEL && c->eof)
		conn_close(c);
	if (x->state != ANSWER)
		return;
	if (x->end == RESET) {
		conn_reset(c);
	} else if (x->end == CLOSE) {
		conn_close(c);
	} else if (x->body.done) {
		x->state = HEAD;
		received(c);
	}
}

static void ended(struct conn *c)
{
	const struct exchange *x = c->user;
	if (c->reset || x->state == HEAD || x->state == BODY || !conn_pending(c))
		conn_close(c);
}

static void tick(struct conn *c)
{
	struct exchange *x = c->user;
	if (x->state == ANSWER && !conn_pending(c) && !c->gone)
		sent(c);
	if (x->state == HANG && loop_now_ms >= x->hang_ms) {
		x->state = ANSWER;
		if (chance(0.5))
			send_answer(c);
		else
			conn_close(c);
	}
	if (loop_now_ms - c->moved_ms > 30000)
		conn_close(c);
}

static void freed(struct conn *c)
{
	free(c->user);
}

static const struct conn_ops ops = {
	.received = received, .ended = ended, .sent = sent, .tick = tick, .freed = freed};

static void accepted(int fd)
{
	struct exchange *x = calloc(1, sizeof(*x));
	if (!x)
		abort();
	struct conn *c = conn_new(fd, &ops, x);
	if (fault(0.01))
		conn_reset(c);
}

void origin_listen(uint16_t port, char mark)
{
	struct listener *l = loop_listen(port, accepted);
	if (mark == 'f' && flaky_n < FLAKY_MOST)
		flaky[flaky_n++] = l;
}

void origin_turn(bool calm_)
{
	calm = calm_;
	for (unsigned i = 0; i < flaky_n; i++) {
		if (loop_now_ms < flaky_ms[i])
			continue;
		if (loop_refuses(flaky[i]))
			loop_listen_again(flaky[i]);
		else if (!calm)
			loop_refuse(flaky[i]);
		flaky_ms[i] = loop_now_ms + 300 + chance_below(1500);
	}
}

void origin_print(void)
{
	printf("\"origin_requests\": %lu, \"faults\": %lu", requests, faults);
}
