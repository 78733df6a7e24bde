// SPDX-License-Identifier: MIT
/*
 * The server-facing half: sends a request over an idle or a new connection to a server and brings back the response.
 * Idle connections are kept per address and shared by all callers on the worker.
 *
 *     connect ──▶ send ──▶ head ──▶ body ──▶ idle | closed
 *                            └─ 101 ──▶ tunnel ──▶ closed
 *
 * One http_client belongs to one worker. Per call, exactly one of two things ends it: the caller calls
 * http_client_end() or http_client_abort(), or the client calls failed(). After either the call must not be
 * touched. No function below calls back, except from the loop.
 *
 * A connection is kept only when the response was complete, nothing followed it, the request was wholly sent
 * and neither side said close.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "http/body.h"
#include "http/fields.h"
#include "http/parse.h"
#include "loop/worker.h"
#include "net/addr.h"
#include "net/io.h"

struct budget;
struct http_client;

/* Idle connections of all clients of one worker; its owner may set max at any time. */
struct http_client_idle {
	uint32_t n;   /* ro */
	uint32_t max; /* rw */
};

struct http_client_conf {
	uint32_t max_calls; /* running at once on this worker */
	uint32_t max_idle;  /* idle connections per address on this worker */
	/* Each call takes a unit; spent, it is HTTP_FAIL_BUSY. May be NULL, does not change, outlives the client. */
	struct budget *budget;
	/* One that several clients of a worker share. May be NULL, does not change, outlives the client. */
	struct http_client_idle *idle;
	int64_t connect_us; /* one connection attempt */
	int64_t response_us; /* request sent to the end of the response head; also the longest pause while sending */
	int64_t body_us; /* longest pause in the response body (not counted while the caller does not consume) */
	int64_t idle_us; /* how long a connection is kept: below the server's own keep-alive time */
};

#define HTTP_CLIENT_CONF_DEFAULT                                                                   \
	((struct http_client_conf){.max_calls = 4096,                                              \
				   .max_idle = 1024,                                               \
				   .connect_us = 1000000,                                          \
				   .response_us = 50000000,                                        \
				   .body_us = 50000000,                                            \
				   .idle_us = 4000000})

enum http_fail {
	HTTP_FAIL_NONE,
	/* max_calls, the budget or descriptors ran out, and nothing was sent; or buffers did, when the response came */
	HTTP_FAIL_BUSY,
	HTTP_FAIL_CONNECT,	   /* refused, unreachable: nothing was sent */
	HTTP_FAIL_CONNECT_TIMEOUT, /* nothing was sent */
	HTTP_FAIL_STALE, /* an idle connection broke before any byte of the response: the usual keep-alive race */
	HTTP_FAIL_CLOSED,	    /* a new connection broke before any byte of the response */
	HTTP_FAIL_RESPONSE_TIMEOUT, /* no complete response head in time */
	HTTP_FAIL_BAD_RESPONSE, /* malformed, or cut inside the head; http_client_bad() says why */
	HTTP_FAIL_BODY, /* after the head: the body broke, was cut or stalled; in a tunnel: it broke */
};

/* "connection refused" and so on, for logs and error pages. */
const char *http_client_fail_text(enum http_fail f);

/* One request to one server. */
struct http_call {
	struct http_client *client; /* ro */
	struct http_head *head;	    /* ro: the response, valid from head() to the end of the call */
	struct addr to;		    /* ro */
	void *user;		    /* the caller's own */
	int64_t started_us;	    /* ro */
	int64_t connected_us;	    /* ro: 0 before; equals started_us on a reused connection */
	int64_t response_us;	    /* ro: head complete */
	bool reused;		    /* ro: over an idle connection */
	int error;		    /* ro: errno of a failed connection, or 0 */
	uint64_t body_in;	    /* ro: payload bytes received */
	uint64_t bytes_out;	    /* ro: bytes of the request sent, head included */
};

struct http_call_ops {
	/* The request body can go (first call: after connecting, only if the request has one), or more of it after
	 * http_client_write() took less than offered. NULL when requests have no body. */
	void (*writable)(struct http_call *c);
	/* An interim response (1xx other than 101) came; c->head holds it during this call only. May be NULL. */
	void (*interim)(struct http_call *c);
	/* The final response head is there, or the 101 that was asked for. Body bytes may already be in
	 * http_client_data(). */
	void (*head)(struct http_call *c);
	/* More of the body, or its end, came. Only after head() returned with the body not at END. */
	void (*body)(struct http_call *c);
	void (*failed)(struct http_call *c, enum http_fail why);
};

#define HTTP_REQUEST_BLOCKS 3
#define HTTP_INTERIM_MAX    64 /* interim responses to one request: more is a bad response */

/* A request head as a value. All slices stay in place until it is sent, or the call ends. */
struct http_request {
	enum http_method method;  /* decides the response's framing */
	enum http_body_kind body; /* NONE, LENGTH or CHUNKED (of unknown length) */
	uint8_t blocks;		  /* of fields */
	/* LENGTH: of the body. NONE: what Content-Length announces all the same, or HTTP_NO_LENGTH. */
	uint64_t length;
	struct str method_text, target;
	struct str host; /* the authority; never empty */
	/* The protocol to switch to, at most HTTP_UPGRADE_MAX bytes, or STR_NONE. */
	struct str upgrade;
	/* Field blocks without Host, Connection, Content-Length and Transfer-Encoding. */
	struct str fields[HTTP_REQUEST_BLOCKS];
};

/* The way to a server. */
struct http_route {
	const struct addr *to; /* copied */
	/* Bytes that a new connection begins with (a PROXY header), copied; connections are reused only for the same. */
	struct str preface;
	bool new_connection; /* take no idle one */
};

struct http_client *http_client_new(struct worker *w, const struct http_client_conf *conf);
void http_client_set_conf(struct http_client *cl, const struct http_client_conf *conf);
/* Fails running calls with HTTP_FAIL_CLOSED, closes idle connections, frees. */
void http_client_free(struct http_client *cl);

/*
 * Starts a call. Returns NULL with *fail set when it could not even begin (HTTP_FAIL_BUSY, HTTP_FAIL_CONNECT); no
 * callback comes then. A request without body that goes over an idle connection is written
 * before this returns.
 */
struct http_call *http_client_start(struct http_client *cl, const struct http_route *route,
				    const struct http_request *r, const struct http_call_ops *ops,
				    void *user, enum http_fail *fail);

/* Request body bytes; returns how many were taken (the rest again at writable()), or -1: failed() will follow. last:
 * they finish the body; in a tunnel they close this direction. */
ssize_t http_client_write(struct http_call *c, const struct iovec *iov, int n, bool last);

/* Can bytes of the request body go from a pipe now? Not while parts of the head wait, nor in chunks. */
bool http_client_may_splice_out(const struct http_call *c);
/* As write(), from a pipe that holds n bytes. */
ssize_t http_client_splice_out(struct http_call *c, int pipe, size_t n, bool last);

/* ---- the response body, from head() on */
struct str http_client_data(const struct http_call *c); /* payload received and not yet consumed */
/* END: all of it is in data(). */
enum http_body_state http_client_body_state(const struct http_call *c);
/* What data() is of the body, for http_exchange_write(). */
enum http_piece http_client_piece(const struct http_call *c);
void http_client_consume(struct http_call *c, size_t n);
struct http_bad http_client_bad(const struct http_call *c); /* after HTTP_FAIL_BAD_RESPONSE */

/* Bytes of the body that may now be moved into a pipe instead of being received: nothing waits in data(). */
uint64_t http_client_may_splice_in(const struct http_call *c);
/*
 * Moves at most max bytes of the body into a pipe. Returns how many; 0: none now (or the end: see body_state); -1:
 * failed() follows, from the loop. From then on body() means that more can be moved, nothing is received by itself.
 */
ssize_t http_client_splice_in(struct http_call *c, int pipe, size_t max);
/* The caller takes no more for the time being: body() is not called, and no deadline runs, until it does again. */
void http_client_hold(struct http_call *c, bool hold);

/* Ends the call; the connection is kept if it may be (the body is at END and consumed), else closed. */
void http_client_end(struct http_call *c);
/* Ends the call and closes its connection. */
void http_client_abort(struct http_call *c);

/* Closes the idle connections to an address: the server went down or out of the configuration. */
void http_client_forget(struct http_client *cl, const struct addr *to);

struct http_client_stats {
	uint64_t calls, connects, connect_failures, reuses, stale, bytes_in, bytes_out;
};
const struct http_client_stats *http_client_stats(const struct http_client *cl);

/* Aborts unless the invariants hold, of all calls and connections too; returns the number of structures checked. */
unsigned http_client_check(const struct http_client *cl);
/* Calls that run now; idle connections. */
unsigned http_client_calls(const struct http_client *cl);
unsigned http_client_idle(const struct http_client *cl);

#endif
