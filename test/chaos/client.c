// SPDX-License-Identifier: MIT
#include "client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "loop.h"
#include "message.h"
#include "page.h"
#include "request.h"

#define TARGETS_MOST  8
#define REQUESTS_MOST 16
#define HUNG_MS	      30000 /* without a byte, though it is not the client that waits */
#define WAIT_100_MS   300

/* How a client ends its connection, if the proxy does not. */
enum ending { STAY, CLOSE, RESET, HALF_CLOSE };

struct client {
	struct conn *conn;
	const struct target *target;
	struct request requests[REQUESTS_MOST];
	unsigned n, sent, answered, pipeline;
	enum ending ending;
	unsigned end_after; /* so many responses */
	int64_t end_ms;	    /* of CLOSE and RESET: wherever it is then; 0: by end_after */
	bool slow_reader;   /* stops reading now and then */
	bool half_closed;
	bool closing;	 /* Connection: close was said */
	int64_t body_ms; /* the body is held back for 100 Continue until then */
	/* the response under way */
	bool in_body;
	bool partial; /* 206 */
	bool own;     /* an error of the proxy's: its body is not compared */
	unsigned status;
	struct message_body body;
	char unit[PAGE_UNIT_SIZE];
	size_t unit_n;
	uint64_t want; /* bytes of the body */
	/* tunnel */
	bool tunnel;
	uint64_t tunnel_sent, tunnel_most;
	bool bad_source; /* its PROXY header is bad: nothing is to be answered */
	char source[32]; /* that its PROXY header names, or empty */
};

struct target {
	uint16_t port;
	bool cached, proxied;
};

static struct target targets[TARGETS_MOST];
static unsigned targets_n, count;
static bool finishing;

#define TOTALS(X)                                                                                  \
	X(connections)                                                                             \
	X(requests)                                                                                \
	X(good)                                                                                    \
	X(unchanged)                                                                               \
	X(partial)                                                                                 \
	X(refused)                                                                                 \
	X(broken)                                                                                  \
	X(cut)                                                                                     \
	X(left)                                                                                    \
	X(interims)                                                                                \
	X(tunnels)                                                                                 \
	X(tunnel_bytes)                                                                            \
	X(own_502)                                                                                 \
	X(own_503)                                                                                 \
	X(own_504)                                                                                 \
	X(own_other)
#define TOTAL_MEMBER(name) unsigned long name;
static struct {
	TOTALS(TOTAL_MEMBER)
} totals;

void client_print(void)
{
#define TOTAL_PRINT(name) printf("\"" #name "\": %lu, ", totals.name);
	TOTALS(TOTAL_PRINT)
}

void client_target(uint16_t port, char mark)
{
	if (targets_n < TARGETS_MOST)
		targets[targets_n++] = (struct target){
			.port = port, .cached = mark == 'c', .proxied = mark == 'p'};
}

unsigned client_count(void)
{
	return count;
}

static struct request *current(struct client *c)
{
	return &c->requests[c->answered];
}

static void report(struct client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void report(struct client *c, const char *fmt, ...)
{
	char text[300], path[PAGE_PATH_SIZE];
	const struct request *r = current(c);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	static const char *const framings[] = {"no body", "length", "chunked", "until close"};
	wrong("client of :%u, request %u of %u (%s h%u.test%s%s, X-Nonce %s%s%s%s): %s; status %u, %s; %llu "
	      "bytes of a body; next in the window: %.*s",
	      c->target->port, c->answered + 1, c->sent, r->method, r->page.host,
	      page_path(&r->page, path), r->old ? " HTTP/1.0" : "", r->nonce,
	      *r->etag ? ", If-None-Match " : "", r->etag, r->to ? ", Range" : "", text, c->status,
	      framings[c->body.framing], (unsigned long long)c->body.total,
	      (int)(c->conn->in_n < 200 ? c->conn->in_n : 200), c->conn->in);
	c->ending = RESET;
	c->end_ms = loop_now_ms;
}

/* ---- asking */

/* As many as the pipeline holds; nothing goes behind what may change the connection. */
static void send_more(struct client *c)
{
	while (c->sent < c->n && c->sent - c->answered < c->pipeline && !c->half_closed) {
		const struct request *last = c->sent ? &c->requests[c->sent - 1] : NULL;
		if (last && c->answered < c->sent &&
		    (last->upgrade || last->bad || last->old || last->expect))
			return;
		totals.requests++;
		if (request_send(c->conn, &c->requests[c->sent++], c->source))
			c->body_ms = loop_now_ms + WAIT_100_MS;
	}
	if (c->ending == HALF_CLOSE && c->sent == c->n && !c->body_ms &&
	    !c->requests[c->n - 1].upgrade)
		c->half_closed = c->conn->shut_when_sent = true;
}

/* ---- what is answered */

static void end(struct client *c, bool reset, unsigned long *why)
{
	++*why;
	if (reset)
		conn_reset(c->conn);
	else
		conn_close(c->conn);
}

static void over(struct client *c, unsigned long *why)
{
	end(c, chance(0.2), why);
}

/* The proxy's own errors: they do not name the page. */
static bool may_be_own(const struct client *c)
{
	const struct request *r = &c->requests[c->answered];
	switch (c->status) {
	case 400:
	case 431:
	case 505:
		return r->bad;
	case 408:
	case 502:
	case 503:
	case 504:
		return true;
	case 200:
	case 403:
	case 405:
		return request_is(r, "PURGE");
	default:
		return false;
	}
}

static void begin_error(struct client *c, const char *head, size_t n)
{
	if (!may_be_own(c))
		report(c, "an answer without X-Url: %.*s", (int)n, head);
	if (message_count(head, n, "X-For"))
		report(c, "an error with X-For: %.*s", (int)n, head);
	c->own = true;
	if (current(c)->bad)
		totals.refused++;
	else
		*(c->status == 502   ? &totals.own_502
		  : c->status == 503 ? &totals.own_503
		  : c->status == 504 ? &totals.own_504
				     : &totals.own_other) += 1;
}

/* Set-Cookie names no other client, nor does any other field. */
static void check_names(struct client *c, const char *head, size_t n)
{
	const struct request *r = current(c);
	char nonce[64], want[64], cookie[128];
	bool named = message_field(head, n, "X-For", nonce, sizeof(nonce));
	bool personal = page_personal(&r->page) || request_is(r, "POST");
	if (named && (!personal || strcmp(nonce, r->nonce) != 0))
		report(c, "an answer for %s: %.*s", nonce, (int)n, head);
	snprintf(want, sizeof(want), "nonce=%s; path=/", r->nonce);
	const char *at = head;
	while ((at = memmem(at, (size_t)(head + n - at), "\r\n", 2)) && at + 2 < head + n) {
		if (message_field(at, (size_t)(head + n - at), "Set-Cookie", cookie,
				  sizeof(cookie)) &&
		    strncmp(cookie, "SERVERID=", 9) != 0 && strcmp(cookie, want) != 0)
			report(c, "a cookie of another: %.*s", (int)n, head);
		at += 2;
	}
}

static void begin_unchanged(struct client *c, const char *head, size_t n)
{
	const struct request *r = current(c);
	char etag[64];
	if (!*r->etag)
		report(c, "304 without a condition");
	else if (message_field(head, n, "ETag", etag, sizeof(etag)) && strcmp(etag, r->etag) != 0)
		report(c, "304 of another ETag: %s", etag);
	totals.unchanged++;
}

/* The version of the page that came, by its ETag. */
static unsigned check_version(struct client *c, const char *head, size_t n)
{
	const struct request *r = current(c);
	const struct page *p = &r->page;
	char etag[64];
	unsigned version = UINT32_MAX;
	if (message_field(head, n, "ETag", etag, sizeof(etag)))
		sscanf(etag, "\"%u\"", &version);
	if (version > page_version[p->host][p->id])
		report(c, "a version that was never there: %.*s", (int)n, head);
	if (p->cache == PAGE_NO_STORE && version < r->version)
		report(c, "version %u of what is not to be stored; it was %u when asked", version,
		       r->version);
	request_learned(p, version);
	return version;
}

static void choose_unit(struct client *c, const char *head, size_t n)
{
	const struct request *r = current(c);
	char key[64] = "-";
	struct page p = r->page;
	if (page_personal(&p) || request_is(r, "POST")) {
		p.kind = request_is(r, "POST") ? PAGE_PRIVATE : p.kind;
		strcpy(key, r->nonce);
	} else if (p.kind == PAGE_VARIANT) {
		snprintf(key, sizeof(key), "%u", request_variant(r));
	} else if (p.kind == PAGE_VERSION) {
		snprintf(key, sizeof(key), "%u", check_version(c, head, n));
	}
	c->unit_n = page_unit(&p, key, c->unit);
}

static void begin_page(struct client *c, const char *head, size_t n)
{
	const struct request *r = current(c);
	struct page p = r->page;
	char path[PAGE_PATH_SIZE], url[128], want[128];
	if (request_is(r, "POST"))
		p.kind = PAGE_PRIVATE;
	message_field(head, n, "X-Url", url, sizeof(url));
	snprintf(want, sizeof(want), "h%u.test%s", p.host, page_path(&p, path));
	if (strcmp(url, want) != 0 || message_count(head, n, "X-Url") != 1)
		report(c, "the answer to another request: %.*s", (int)n, head);
	c->partial = c->status == 206;
	if (c->partial ? !r->to : c->status != page_status(&p))
		report(c, "status %u: %.*s", c->status, (int)n, head);
	choose_unit(c, head, n);
	c->want = c->partial ? r->to - r->from : p.size;
}

static void answered(struct client *c)
{
	struct conn *k = c->conn;
	struct request *r = current(c);
	if (!c->own && c->status != 304 && !request_is(r, "HEAD") && c->body.total != c->want)
		report(c, "%llu bytes of %llu, and said to be all",
		       (unsigned long long)c->body.total, (unsigned long long)c->want);
	totals.partial += c->partial;
	totals.good += !c->own;
	c->in_body = false;
	c->answered++;
	c->body_ms = 0;
	if (c->closing || r->bad || c->answered == c->n) {
		if (c->closing && k->in_n)
			wrong("client of :%u: more behind the last answer: %.*s", c->target->port,
			      (int)(k->in_n < 200 ? k->in_n : 200), k->in);
		over(c, &totals.left);
		return;
	}
	if (!c->end_ms && c->ending != STAY && c->ending != HALF_CLOSE &&
	    c->answered >= c->end_after) {
		end(c, c->ending == RESET, &totals.left);
		return;
	}
	send_more(c);
}

static void begin_tunnel(struct client *c, const char *head, size_t n)
{
	const struct request *r = current(c);
	char nonce[64];
	if (!r->upgrade)
		report(c, "101 without being asked: %.*s", (int)n, head);
	if (!message_field(head, n, "X-For", nonce, sizeof(nonce)) || strcmp(nonce, r->nonce) != 0)
		report(c, "a tunnel of another: %.*s", (int)n, head);
	totals.tunnels++;
	c->tunnel = true;
	c->tunnel_most = chance_below(200000);
	c->unit_n = (size_t)snprintf(c->unit, sizeof(c->unit), "tunnel %s|", r->nonce);
	c->body.total = 0;
}

/* A response head is there. False: no more is to be read. */
static bool begin(struct client *c, const char *head, size_t n)
{
	if (c->bad_source)
		report(c, "an answer behind a bad PROXY header: %.*s", (int)n, head);
	const struct request *r = current(c);
	char connection[64], url[8];
	if (sscanf(head, "HTTP/1.1 %3u ", &c->status) != 1 || c->answered == c->sent) {
		report(c, "no answer to anything: %.*s", (int)n, head);
		return false;
	}
	c->body = (struct message_body){.done = true};
	check_names(c, head, n);
	if (c->status == 101) {
		begin_tunnel(c, head, n);
		return true;
	}
	if (c->status < 200) {
		totals.interims++;
		if (c->status == 100)
			c->body_ms = c->body_ms ? loop_now_ms : 0;
		return true;
	}
	c->own = c->partial = false;
	c->in_body = true;
	if (!message_begin(&c->body, head, n, true))
		report(c, "bad framing: %.*s", (int)n, head);
	if (message_field(head, n, "Connection", connection, sizeof(connection)))
		c->closing = strstr(connection, "close");
	if (c->status == 304)
		begin_unchanged(c, head, n);
	else if (!message_field(head, n, "X-Url", url, sizeof(url)) || request_is(r, "PURGE"))
		begin_error(c, head, n);
	else
		begin_page(c, head, n);
	if (request_is(r, "HEAD") || c->status == 304 || c->status == 204)
		c->body.done = true;
	else if (c->body.framing == MESSAGE_UNTIL_CLOSE)
		c->closing = true;
	return true;
}

/* What is there of the body; false: all of the window is over with. */
static bool take_body(struct client *c)
{
	struct conn *k = c->conn;
	size_t done = 0, used;
	do {
		const char *payload;
		size_t n;
		uint64_t at = c->body.total + (c->partial ? current(c)->from : 0);
		used = message_next(&c->body, k->in + done, k->in_n - done, &payload, &n);
		size_t i = c->own ? n : page_compare(payload, n, c->unit, c->unit_n, at);
		if (i < n) {
			report(c, "byte %llu of the body is another's: \"%.*s\" of \"%.80s\"",
			       (unsigned long long)(at + i), (int)(n - i < 120 ? n - i : 120),
			       payload + i, c->unit);
			return false;
		}
		done += used;
	} while (used);
	if (c->body.bad)
		report(c, "bad chunks");
	conn_consume(k, done);
	return c->body.done;
}

static void tunnel_send(struct client *c)
{
	char data[4096];
	size_t n = 1 + chance_below(sizeof(data) - 1);
	if (c->half_closed || conn_pending(c->conn) || c->conn->gone)
		return;
	if (c->tunnel_sent >= c->tunnel_most) {
		c->half_closed = true;
		if (c->ending == RESET)
			conn_reset(c->conn);
		else
			shutdown(c->conn->fd, SHUT_WR);
		return;
	}
	page_fill(data, n, c->unit, c->unit_n, c->tunnel_sent);
	conn_send(c->conn, data, n);
	c->tunnel_sent += n;
}

static void tunnel_take(struct client *c)
{
	struct conn *k = c->conn;
	if (page_compare(k->in, k->in_n, c->unit, c->unit_n, c->body.total) != k->in_n ||
	    c->body.total + k->in_n > c->tunnel_sent)
		report(c, "byte %llu or later of the tunnel is another's",
		       (unsigned long long)c->body.total);
	c->body.total += k->in_n;
	totals.tunnel_bytes += k->in_n;
	conn_consume(k, k->in_n);
}

static void received(struct conn *k)
{
	struct client *c = k->user;
	while (!k->gone && !c->tunnel) {
		if (c->in_body) {
			if (!take_body(c))
				break;
			answered(c);
			continue;
		}
		size_t n = message_head(k->in, k->in_n);
		if (n == 0) {
			if (k->in_n > MESSAGE_HEAD_MOST)
				report(c, "a head without end");
			break;
		}
		if (!begin(c, k->in, n))
			return;
		conn_consume(k, n);
	}
	if (!k->gone && c->tunnel) {
		tunnel_take(c);
		tunnel_send(c);
	}
	if (c->slow_reader && chance(0.1))
		k->read_at_ms = loop_now_ms + chance_below(chance(0.1) ? 1500 : 100);
}

static void ended(struct conn *k)
{
	struct client *c = k->user;
	if (c->in_body && !k->reset && c->body.framing == MESSAGE_UNTIL_CLOSE && !c->body.done) {
		/* A crash looks like an end of such a body. */
		if (getenv("CHAOS_RESTARTS") && !c->own && c->body.total < c->want) {
			over(c, &totals.cut);
			return;
		}
		c->body.done = true;
		answered(c);
		return;
	}
	if (c->in_body || (c->answered < c->sent && k->in_n))
		over(c, &totals.cut);
	else
		over(c, &totals.broken);
}

static void sent(struct conn *k)
{
	struct client *c = k->user;
	if (c->tunnel)
		tunnel_send(c);
}

static void tick(struct conn *k)
{
	struct client *c = k->user;
	if (finishing) {
		k->pace = PACE_WHOLE;
		c->slow_reader = false;
		c->tunnel_most = 0;
	}
	if (c->end_ms && loop_now_ms >= c->end_ms) {
		end(c, c->ending == RESET, &totals.left);
		return;
	}
	if (c->body_ms && loop_now_ms >= c->body_ms) {
		c->body_ms = 0;
		request_send_body(c->conn, &c->requests[c->sent - 1], false);
	}
	if (c->tunnel && !k->gone)
		tunnel_send(c);
	if (!k->gone && loop_now_ms - k->moved_ms > HUNG_MS) {
		report(c, "hung: nothing came for %d s", HUNG_MS / 1000);
		conn_reset(k);
	}
}

static void freed(struct conn *k)
{
	count--;
	free(k->user);
}

static const struct conn_ops ops = {
	.received = received, .ended = ended, .sent = sent, .tick = tick, .freed = freed};

/* ---- a new client */

static void send_proxy_header(struct client *c)
{
	unsigned char ip[4] = {10, (unsigned char)(totals.connections >> 16),
			       (unsigned char)(totals.connections >> 8),
			       (unsigned char)totals.connections};
	unsigned port = 1 + chance_below(3); /* few, so that connections could be mixed up */
	if (chance(0.5))
		ip[1] = ip[2] = ip[3] = 7;
	double k = (double)chance_below(1000) / 1000;
	if (k < 0.05) {
		c->bad_source = true;
		conn_printf(c->conn, chance(0.5) ? "PROXY TCP4 10.0.0.300 10.0.0.1 1 2\r\n"
						 : "GET / HTTP/1.1\r\n\r\n");
	} else if (k < 0.1) {
		conn_printf(c->conn, "PROXY UNKNOWN\r\n");
	} else {
		snprintf(c->source, sizeof(c->source), "%u.%u.%u.%u:%u", ip[0], ip[1], ip[2], ip[3],
			 port);
		if (k < 0.5) {
			conn_printf(c->conn, "PROXY TCP4 %u.%u.%u.%u 10.0.0.1 %u 80\r\n", ip[0],
				    ip[1], ip[2], ip[3], port);
			return;
		}
		unsigned char two[28] = {'\r', '\n', '\r', '\n', 0,    '\r', '\n', 'Q',
					 'U',  'I',  'T',  '\n', 0x21, 0x11, 0,	   12};
		memcpy(two + 16, ip, 4);
		memcpy(two + 20, "\x0a\0\0\1", 4);
		two[25] = (unsigned char)port;
		two[27] = 80;
		conn_send(c->conn, two, sizeof(two));
	}
}

static void start_client(void)
{
	struct client *c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	c->target = &targets[chance_below(targets_n)];
	c->conn = conn_connect(c->target->port, chance(0.1) ? 2048 : 0, &ops, c);
	if (!c->conn) {
		free(c);
		return;
	}
	count++;
	totals.connections++;
	c->n = 1 + chance_below(chance(0.3) ? REQUESTS_MOST : 4);
	c->pipeline = chance(0.7) ? 1 : 1 + chance_below(REQUESTS_MOST);
	for (unsigned i = 0; i < c->n; i++)
		c->requests[i] = request_random(c->target->cached);
	c->conn->pace = chance(0.8) ? PACE_WHOLE : chance(0.7) ? PACE_PIECES : PACE_DRIP;
	c->slow_reader = chance(0.1);
	double k = (double)chance_below(1000) / 1000;
	c->ending = k < 0.7 ? STAY : k < 0.8 ? CLOSE : k < 0.9 ? RESET : HALF_CLOSE;
	c->end_after = chance_below(c->n + 1);
	if ((c->ending == CLOSE || c->ending == RESET) && chance(0.6))
		c->end_ms = loop_now_ms + chance_below(chance(0.5) ? 10 : 400);
	if (c->target->proxied)
		send_proxy_header(c);
	send_more(c);
}

void client_turn(unsigned want)
{
	finishing = want == 0;
	for (unsigned n = 0; count < want && n < 8; n++)
		start_client();
}
