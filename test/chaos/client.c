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

#define TARGETS_MOST 8
#define ASKS_MOST    16
#define HUNG_MS	     30000 /* without a byte, though it is not the client that waits */
#define WAIT_100_MS  300

struct ask {
	const char *method;
	struct page page;
	char who[32];		   /* the nonce */
	char etag[32];		   /* If-None-Match, or empty */
	size_t from, to;	   /* Range; to 0: none */
	size_t body_n;		   /* of the request */
	bool bad;		   /* no request at all: to be refused */
	bool upgrade, expect, old; /* old: HTTP/1.0 */
	unsigned version;	   /* of a page of kind VERSION when it was asked for */
};

enum manner { STAY, LEAVE, RESET, HALF_CLOSE };

struct client {
	struct conn *conn;
	const struct target *target;
	struct ask asks[ASKS_MOST];
	unsigned n, sent, answered, pipeline;
	enum manner manner;
	unsigned manner_at; /* after so many answers */
	int64_t leave_ms;   /* of LEAVE and RESET: wherever it is then; 0: at manner_at */
	bool lazy;	    /* stops reading now and then */
	bool half_closed;
	bool closing;	 /* Connection: close was said */
	int64_t body_ms; /* the body is held back for 100 Continue until then */
	/* the response under way */
	bool in_body;
	bool partial; /* 206 */
	bool own;     /* the proxy's: its body is not judged */
	unsigned status;
	struct message_body body;
	char unit[PAGE_UNIT_SIZE];
	size_t unit_n;
	uint64_t want; /* bytes of the body */
	/* tunnel */
	bool tunnel;
	uint64_t tunnel_sent, tunnel_most;
	bool mute;	 /* its PROXY header is bad: nothing is to be answered */
	char source[32]; /* that its PROXY header names, or empty */
};

struct target {
	uint16_t port;
	bool cached, proxied;
};

static struct target targets[TARGETS_MOST];
static unsigned targets_n, count;
static uint64_t serial;
static bool finishing;
/* What a client knew of a page when it had it last. */
static unsigned known_version[PAGE_HOSTS][PAGE_IDS];

#define TALLIES(X)                                                                                 \
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
#define TALLY_MEMBER(name) unsigned long name;
static struct {
	TALLIES(TALLY_MEMBER)
} tally;

void client_print(void)
{
#define TALLY_PRINT(name) printf("\"" #name "\": %lu, ", tally.name);
	TALLIES(TALLY_PRINT)
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

/* ---- what is asked */

static struct ask *current(struct client *c)
{
	return &c->asks[c->answered];
}

static void complain(struct client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void complain(struct client *c, const char *fmt, ...)
{
	char text[300], path[PAGE_PATH_SIZE];
	const struct ask *a = current(c);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	static const char *const framings[] = {"no body", "length", "chunked", "until close"};
	wrong("client of :%u, request %u of %u (%s h%u.test%s%s, X-Who %s%s%s%s): %s; status %u, %s; %llu "
	      "bytes of a body; next in the window: %.*s",
	      c->target->port, c->answered + 1, c->sent, a->method, a->page.host,
	      page_path(&a->page, path), a->old ? " HTTP/1.0" : "", a->who,
	      *a->etag ? ", If-None-Match " : "", a->etag, a->to ? ", Range" : "", text, c->status,
	      framings[c->body.framing], (unsigned long long)c->body.total,
	      (int)(c->conn->in_n < 200 ? c->conn->in_n : 200), c->conn->in);
	c->manner = RESET;
	c->leave_ms = loop_now_ms;
}

static void choose_condition(struct ask *a)
{
	if (a->page.kind == PAGE_PUBLIC)
		strcpy(a->etag, "\"e\"");
	else if (a->page.kind == PAGE_VERSION)
		snprintf(a->etag, sizeof(a->etag), "\"%u\"",
			 known_version[a->page.host][a->page.id]);
}

static struct ask random_ask(const struct target *t)
{
	static const size_t bodies[] = {0, 1, 100, 5000, 20000, 200000};
	struct ask a = {.method = "GET", .page = page_random(t->cached || chance(0.3))};
	snprintf(a.who, sizeof(a.who), "n%llu", (unsigned long long)++serial);
	if (chance(0.01)) {
		a.bad = true;
		return a;
	}
	if (a.page.kind == PAGE_LOGIN && strchr("56", a.page.cache))
		a.page.cache = '7'; /* RFC 9111 §3.5: those may be stored */
	double k = (double)chance_below(1000) / 1000;
	if (k < 0.08)
		a.method = "HEAD";
	else if (k < 0.18)
		a.method = "POST";
	else if (k < 0.20)
		a.method = "PURGE";
	else if (k < 0.30)
		choose_condition(&a);
	else if (k < 0.35 && a.page.size > 1) {
		a.from = chance_below((unsigned)a.page.size);
		a.to = a.from + 1 + chance_below((unsigned)(a.page.size - a.from));
	}
	if (strcmp(a.method, "POST") == 0) {
		a.body_n = bodies[chance_below(6)];
		a.expect = chance(0.2);
	}
	a.upgrade = a.page.kind == PAGE_TUNNEL && strcmp(a.method, "GET") == 0;
	a.old = !a.upgrade && !a.expect && chance(0.03);
	a.version = page_version[a.page.host][a.page.id];
	return a;
}

/* ---- asking */

static void say(struct client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct client *c, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	conn_send(c->conn, text, (size_t)n);
}

static void send_body(struct client *c, const struct ask *a, bool chunks)
{
	static char body[200001];
	char unit[64];
	size_t unit_n = (size_t)snprintf(unit, sizeof(unit), "%s|", a->who);
	page_fill(body, a->body_n, unit, unit_n, 0);
	if (!chunks) {
		conn_send(c->conn, body, a->body_n);
		return;
	}
	for (size_t i = 0; i < a->body_n;) {
		size_t part = 1 + chance_below(30000);
		part = part < a->body_n - i ? part : a->body_n - i;
		say(c, "%zx\r\n", part);
		conn_send(c->conn, body + i, part);
		say(c, "\r\n");
		i += part;
	}
	say(c, chance(0.1) ? "0\r\nX-Trailer: x\r\n\r\n" : "0\r\n\r\n");
}

static void send_bad(struct client *c)
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
	conn_send(c->conn, text, strlen(text));
}

static void send_ask(struct client *c, struct ask *a)
{
	char path[PAGE_PATH_SIZE];
	const struct page *p = &a->page;
	tally.requests++;
	if (a->bad) {
		send_bad(c);
		return;
	}
	page_path(p, path);
	say(c, "%s %s HTTP/1.%d\r\nHost: h%u.test\r\nX-Asked: h%u.test%s\r\nX-Who: %s\r\n",
	    a->method, path, !a->old, p->host, p->host, path, a->who);
	if (*c->source)
		say(c, "X-Source: %s\r\n", c->source);
	if (a->old && chance(0.5))
		say(c, "Connection: keep-alive\r\n");
	if (p->kind == PAGE_VARIANT)
		say(c, "X-Variant: %u\r\n", (unsigned)p->id % PAGE_VARIANTS + a->who[1] % 2u);
	if (p->kind == PAGE_LOGIN)
		say(c, "Authorization: Basic %s\r\n", a->who);
	if (p->kind == PAGE_COOKIE)
		say(c, "Cookie: wordpress_logged_in_x=%s\r\n", a->who);
	else if (chance(0.3))
		say(c, "Cookie: SERVERID=c%u; x=y\r\n", 1 + chance_below(3));
	if (*a->etag)
		say(c, "If-None-Match: %s\r\n", a->etag);
	if (a->to)
		say(c, "Range: bytes=%zu-%zu\r\n", a->from, a->to - 1);
	if (a->upgrade)
		say(c, "Connection: upgrade\r\nUpgrade: chaos\r\n");
	if (strcmp(a->method, "PURGE") == 0 && chance(0.6))
		say(c, "X-Purge-Method: %s\r\n", chance(0.7) ? "soft" : "regex");
	if (chance(0.01))
		say(c, "X-Long: %0*d\r\n", 400, 0);
	bool chunks = strcmp(a->method, "POST") == 0 && !a->old && chance(0.4);
	if (a->expect)
		say(c, "Expect: 100-continue\r\n");
	if (chunks)
		say(c, "Transfer-Encoding: chunked\r\n\r\n");
	else if (strcmp(a->method, "POST") == 0)
		say(c, "Content-Length: %zu\r\n\r\n", a->body_n);
	else
		say(c, "\r\n");
	if (a->expect && !chunks && a->body_n)
		c->body_ms = loop_now_ms + WAIT_100_MS;
	else if (strcmp(a->method, "POST") == 0)
		send_body(c, a, chunks);
}

/* As many as the pipeline holds; nothing goes behind what may change the connection. */
static void ask_more(struct client *c)
{
	while (c->sent < c->n && c->sent - c->answered < c->pipeline && !c->half_closed) {
		struct ask *last = c->sent ? &c->asks[c->sent - 1] : NULL;
		if (last && c->answered < c->sent &&
		    (last->upgrade || last->bad || last->old || last->expect))
			return;
		send_ask(c, &c->asks[c->sent++]);
	}
	if (c->manner == HALF_CLOSE && c->sent == c->n && !c->body_ms &&
	    !c->asks[c->n - 1].upgrade) {
		c->half_closed = c->conn->shut_when_sent = true;
	}
}

/* ---- what is answered */

static void over(struct client *c, unsigned long *why)
{
	++*why;
	if (chance(0.2))
		conn_reset(c->conn);
	else
		conn_close(c->conn);
}

static bool is_head(const struct ask *a)
{
	return strcmp(a->method, "HEAD") == 0;
}

static bool is_purge(const struct ask *a)
{
	return strcmp(a->method, "PURGE") == 0;
}

/* The proxy's own errors: they do not name the page. */
static bool may_be_own(const struct client *c)
{
	const struct ask *a = &c->asks[c->answered];
	switch (c->status) {
	case 400:
	case 431:
	case 505:
		return a->bad;
	case 408:
	case 502:
	case 503:
	case 504:
		return true;
	case 200:
	case 403:
	case 405:
		return is_purge(a);
	default:
		return false;
	}
}

static void begin_own(struct client *c, const char *head, size_t n)
{
	if (!may_be_own(c))
		complain(c, "an answer without X-Url: %.*s", (int)n, head);
	if (message_count(head, n, "X-For"))
		complain(c, "an error with X-For: %.*s", (int)n, head);
	c->own = true;
	if (c->asks[c->answered].bad)
		tally.refused++;
	else
		*(c->status == 502   ? &tally.own_502
		  : c->status == 503 ? &tally.own_503
		  : c->status == 504 ? &tally.own_504
				     : &tally.own_other) += 1;
}

/* Set-Cookie names no other client, nor does any other field. */
static void judge_names(struct client *c, const char *head, size_t n)
{
	const struct ask *a = current(c);
	char who[64], want[64], cookie[128];
	bool named = message_field(head, n, "X-For", who, sizeof(who));
	bool personal = page_personal(&a->page) || strcmp(a->method, "POST") == 0;
	if (named && (!personal || strcmp(who, a->who) != 0))
		complain(c, "an answer for %s: %.*s", who, (int)n, head);
	snprintf(want, sizeof(want), "who=%s; path=/", a->who);
	const char *at = head;
	while ((at = memmem(at, (size_t)(head + n - at), "\r\n", 2)) && at + 2 < head + n) {
		if (message_field(at, (size_t)(head + n - at), "Set-Cookie", cookie,
				  sizeof(cookie)) &&
		    strncmp(cookie, "SERVERID=", 9) != 0 && strcmp(cookie, want) != 0)
			complain(c, "a cookie of another: %.*s", (int)n, head);
		at += 2;
	}
}

static void begin_unchanged(struct client *c, const char *head, size_t n)
{
	const struct ask *a = current(c);
	char etag[64];
	if (!*a->etag)
		complain(c, "304 without a condition");
	else if (message_field(head, n, "ETag", etag, sizeof(etag)) && strcmp(etag, a->etag) != 0)
		complain(c, "304 of another ETag: %s", etag);
	tally.unchanged++;
}

static void choose_unit(struct client *c, const char *head, size_t n)
{
	const struct ask *a = current(c);
	char who[64] = "-", etag[64];
	struct page p = a->page;
	if (page_personal(&p) || strcmp(a->method, "POST") == 0) {
		p.kind = strcmp(a->method, "POST") == 0 ? PAGE_PRIVATE : p.kind;
		strcpy(who, a->who);
	} else if (p.kind == PAGE_VARIANT) {
		snprintf(who, sizeof(who), "%u", (unsigned)p.id % PAGE_VARIANTS + a->who[1] % 2u);
	} else if (p.kind == PAGE_VERSION) {
		unsigned version = UINT32_MAX;
		if (message_field(head, n, "ETag", etag, sizeof(etag)))
			sscanf(etag, "\"%u\"", &version);
		if (version > page_version[p.host][p.id])
			complain(c, "a version that was never there: %.*s", (int)n, head);
		if (p.cache == PAGE_NO_STORE && version < a->version)
			complain(c, "version %u of what is not to be stored; it was %u when asked",
				 version, a->version);
		known_version[p.host][p.id] = version;
		snprintf(who, sizeof(who), "%u", version);
	}
	c->unit_n = page_unit(&p, who, c->unit);
}

static void begin_page(struct client *c, const char *head, size_t n)
{
	const struct ask *a = current(c);
	struct page p = a->page;
	char path[PAGE_PATH_SIZE], url[128], want[128];
	if (strcmp(a->method, "POST") == 0)
		p.kind = PAGE_PRIVATE;
	message_field(head, n, "X-Url", url, sizeof(url));
	snprintf(want, sizeof(want), "h%u.test%s", p.host, page_path(&p, path));
	if (strcmp(url, want) != 0 || message_count(head, n, "X-Url") != 1)
		complain(c, "the answer to another request: %.*s", (int)n, head);
	c->partial = c->status == 206;
	if (c->partial ? !a->to : c->status != page_status(&p))
		complain(c, "status %u: %.*s", c->status, (int)n, head);
	choose_unit(c, head, n);
	c->want = c->partial ? a->to - a->from : p.size;
}

static void answered(struct client *c)
{
	struct conn *k = c->conn;
	struct ask *a = current(c);
	if (!c->own && c->status != 304 && !is_head(a) && c->body.total != c->want)
		complain(c, "%llu bytes of %llu, and said to be all",
			 (unsigned long long)c->body.total, (unsigned long long)c->want);
	tally.partial += c->partial;
	tally.good += !c->own;
	c->in_body = false;
	c->answered++;
	c->body_ms = 0;
	if (c->closing || a->bad || c->answered == c->n) {
		if (c->closing && k->in_n)
			wrong("client of :%u: more behind the last answer: %.*s", c->target->port,
			      (int)(k->in_n < 200 ? k->in_n : 200), k->in);
		over(c, &tally.left);
		return;
	}
	if (!c->leave_ms && c->manner != STAY && c->manner != HALF_CLOSE &&
	    c->answered >= c->manner_at) {
		tally.left++;
		if (c->manner == RESET)
			conn_reset(k);
		else
			conn_close(k);
		return;
	}
	ask_more(c);
}

static void begin_tunnel(struct client *c, const char *head, size_t n)
{
	const struct ask *a = current(c);
	char who[64];
	if (!a->upgrade)
		complain(c, "101 without being asked: %.*s", (int)n, head);
	if (!message_field(head, n, "X-For", who, sizeof(who)) || strcmp(who, a->who) != 0)
		complain(c, "a tunnel of another: %.*s", (int)n, head);
	tally.tunnels++;
	c->tunnel = true;
	c->tunnel_most = chance_below(200000);
	c->unit_n = (size_t)snprintf(c->unit, sizeof(c->unit), "tunnel %s|", a->who);
	c->body.total = 0;
}

/* A response head is there. False: no more is to be read. */
static bool begin(struct client *c, const char *head, size_t n)
{
	if (c->mute)
		complain(c, "an answer behind a bad PROXY header: %.*s", (int)n, head);
	const struct ask *a = current(c);
	char connection[64], url[8];
	if (sscanf(head, "HTTP/1.1 %3u ", &c->status) != 1 || c->answered == c->sent) {
		complain(c, "no answer to anything: %.*s", (int)n, head);
		return false;
	}
	c->body = (struct message_body){.done = true};
	judge_names(c, head, n);
	if (c->status == 101) {
		begin_tunnel(c, head, n);
		return true;
	}
	if (c->status < 200) {
		tally.interims++;
		if (c->status == 100)
			c->body_ms = c->body_ms ? loop_now_ms : 0;
		return true;
	}
	c->own = c->partial = false;
	c->in_body = true;
	if (!message_begin(&c->body, head, n, true))
		complain(c, "bad framing: %.*s", (int)n, head);
	if (message_field(head, n, "Connection", connection, sizeof(connection)))
		c->closing = strstr(connection, "close");
	if (c->status == 304)
		begin_unchanged(c, head, n);
	else if (!message_field(head, n, "X-Url", url, sizeof(url)) || is_purge(a))
		begin_own(c, head, n);
	else
		begin_page(c, head, n);
	if (is_head(a) || c->status == 304 || c->status == 204)
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
		if (n && !c->own && page_compare(payload, n, c->unit, c->unit_n, at) != n) {
			size_t i = page_compare(payload, n, c->unit, c->unit_n, at);
			complain(c, "byte %llu of the body is another's: \"%.*s\" of \"%.80s\"",
				 (unsigned long long)(at + i), (int)(n - i < 120 ? n - i : 120),
				 payload + i, c->unit);
			return false;
		}
		done += used;
	} while (used);
	if (c->body.bad)
		complain(c, "bad chunks");
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
		if (c->manner == RESET)
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
		complain(c, "byte %llu or later of the tunnel is another's",
			 (unsigned long long)c->body.total);
	c->body.total += k->in_n;
	tally.tunnel_bytes += k->in_n;
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
				complain(c, "a head without end");
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
	if (c->lazy && chance(0.1))
		k->read_at_ms = loop_now_ms + chance_below(chance(0.1) ? 1500 : 100);
}

static void ended(struct conn *k)
{
	struct client *c = k->user;
	if (c->in_body && !k->reset && c->body.framing == MESSAGE_UNTIL_CLOSE && !c->body.done) {
		/* A crash looks like an end of such a body. */
		if (getenv("CHAOS_RESTARTS") && !c->own && c->body.total < c->want) {
			over(c, &tally.cut);
			return;
		}
		c->body.done = true;
		answered(c);
		return;
	}
	if (c->in_body || (c->answered < c->sent && k->in_n))
		over(c, &tally.cut);
	else
		over(c, &tally.broken);
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
		c->lazy = false;
		c->tunnel_most = 0;
	}
	if (c->leave_ms && loop_now_ms >= c->leave_ms) {
		tally.left++;
		if (c->manner == RESET)
			conn_reset(k);
		else
			conn_close(k);
		return;
	}
	if (c->body_ms && loop_now_ms >= c->body_ms) {
		c->body_ms = 0;
		send_body(c, &c->asks[c->sent - 1], false);
	}
	if (c->tunnel && !k->gone)
		tunnel_send(c);
	if (!k->gone && loop_now_ms - k->moved_ms > HUNG_MS) {
		complain(c, "hung: nothing came for %d s", HUNG_MS / 1000);
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

/* ---- coming */

static void say_proxy(struct client *c)
{
	unsigned char ip[4] = {10, (unsigned char)(serial >> 16), (unsigned char)(serial >> 8),
			       (unsigned char)serial};
	unsigned port = 1 + chance_below(3); /* few, so that connections could be mixed up */
	if (chance(0.5))
		ip[1] = ip[2] = ip[3] = 7;
	double k = (double)chance_below(1000) / 1000;
	if (k < 0.05) {
		c->mute = true;
		say(c, chance(0.5) ? "PROXY TCP4 10.0.0.300 10.0.0.1 1 2\r\n"
				   : "GET / HTTP/1.1\r\n\r\n");
	} else if (k < 0.1) {
		say(c, "PROXY UNKNOWN\r\n");
	} else {
		snprintf(c->source, sizeof(c->source), "%u.%u.%u.%u:%u", ip[0], ip[1], ip[2], ip[3],
			 port);
		if (k < 0.5) {
			say(c, "PROXY TCP4 %u.%u.%u.%u 10.0.0.1 %u 80\r\n", ip[0], ip[1], ip[2],
			    ip[3], port);
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

static void come(void)
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
	tally.connections++;
	c->n = 1 + chance_below(chance(0.3) ? ASKS_MOST : 4);
	c->pipeline = chance(0.7) ? 1 : 1 + chance_below(ASKS_MOST);
	for (unsigned i = 0; i < c->n; i++)
		c->asks[i] = random_ask(c->target);
	c->conn->pace = chance(0.8) ? PACE_WHOLE : chance(0.7) ? PACE_PIECES : PACE_DRIP;
	c->lazy = chance(0.1);
	double k = (double)chance_below(1000) / 1000;
	c->manner = k < 0.7 ? STAY : k < 0.8 ? LEAVE : k < 0.9 ? RESET : HALF_CLOSE;
	c->manner_at = chance_below(c->n + 1);
	if ((c->manner == LEAVE || c->manner == RESET) && chance(0.6))
		c->leave_ms = loop_now_ms + chance_below(chance(0.5) ? 10 : 400);
	if (c->target->proxied)
		say_proxy(c);
	ask_more(c);
}

void client_turn(unsigned want)
{
	finishing = want == 0;
	for (unsigned n = 0; count < want && n < 8; n++)
		come();
}
