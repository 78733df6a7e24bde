// SPDX-License-Identifier: MIT
/*
 * The client-facing half: accepts connections, reads and checks requests, hands each to a handler as an
 * exchange, and sends what the handler answers.
 *
 *     idle ──first byte──▶ head ──complete──▶ handler: request() … respond(), write(), end() ──▶ idle | linger
 *
 * One http_server belongs to one worker and is used on its thread only. While a connection is idle it holds
 * neither buffer nor arena, only the small struct conn. A request is refused before the handler sees it when its
 * head is malformed; the refusal is counted by reason, answered, and the connection closed after lingering.
 *
 * The handler's contract, per exchange:
 *  - request() is called once, with the head complete and checked. The body, if any, comes through
 *    http_server_data().
 *  - Exactly one of two things ends it: the handler calls http_server_end() (or http_server_error()), or the
 *    server calls aborted(). After either the exchange must not be touched.
 *  - None of the functions below calls back into the handler for the same exchange, except that
 *    http_server_end() may start the connection's next exchange after releasing this one.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "base/arena.h"
#include "http/body.h"
#include "http/parse.h"
#include "loop/worker.h"
#include "net/addr.h"
#include "net/io.h"

struct budget;
struct http_server;
struct http_conn; /* private: one client connection */

struct http_server_conf {
	uint32_t
		max_conns; /* of this worker; at the limit connections wait in the kernel's queue */
	int64_t head_us;   /* first byte (or accept) to the end of the head, absolute: 408 */
	int64_t idle_us;   /* between requests: closed silently */
	int64_t body_us;   /* longest pause in a request body: 408, or cut */
	int64_t send_us;   /* longest time without progress towards the client: cut */
	uint32_t max_arena; /* bytes an exchange may allocate */
	/* Each connection takes a unit while it is open; spent, connections wait in the kernel's queue until another
	 * worker, too, gives one back. May be NULL. Outlives the server and its worker's mailbox; it does not change. */
	struct budget *budget;
	struct http_limits limits;
};

#define HTTP_SERVER_CONF_DEFAULT                                                                   \
	((struct http_server_conf){.max_conns = 4096,                                              \
				   .head_us = 10000000,                                            \
				   .idle_us = 15000000,                                            \
				   .body_us = 50000000,                                            \
				   .send_us = 50000000,                                            \
				   .max_arena = 65536,                                             \
				   .limits = HTTP_LIMITS_DEFAULT})

/* One request and its response. */
struct http_exchange {
	struct worker *worker;	    /* ro */
	struct http_server *server; /* ro */
	struct http_conn *conn;	    /* private to server.c */
	struct http_head *head;	    /* ro: the request; valid until the exchange ends */
	struct arena arena;	    /* for the handler, until the exchange ends */
	void *user;		    /* the handler's own */
	int64_t started_us;	    /* ro: first byte of the request */
	int64_t request_us;	    /* ro: head complete */
	uint64_t body_in;	    /* ro: payload bytes of the request handed over so far */
	uint64_t bytes_out;	    /* ro: response bytes sent, head included */
	uint16_t status;	    /* ro: of the response, 0 before respond() */
	bool client_closed;	    /* ro: the client half-closed; it may still read the answer */
};

enum http_abort {
	HTTP_ABORT_CLIENT,	 /* the connection broke */
	HTTP_ABORT_BODY_TIMEOUT, /* the request body stalled (a 408 was sent if nothing else had been) */
	HTTP_ABORT_SEND_TIMEOUT, /* the client stopped reading */
	HTTP_ABORT_BODY_BROKEN,	 /* bad chunk framing (a 400 was sent if nothing else had been) */
	HTTP_ABORT_STOP,	 /* the server is being finished */
};

struct http_handler {
	void (*request)(struct http_exchange *x);
	/* More of the request body, its end, or its failure is there. Only after http_server_data() came up empty with
	 * the state still HTTP_BODY_MORE. */
	void (*readable)(struct http_exchange *x);
	/* After http_server_write() took less than it was offered: more can go now. */
	void (*writable)(struct http_exchange *x);
	void (*aborted)(struct http_exchange *x, enum http_abort why);
	/* A request that never became an exchange (may be NULL): for counters and the access log. first_line is what
	 * was received, cut at 256 bytes. bad.status 408 with an empty first_line is a silent connection. */
	void (*refused)(struct http_server *s, const struct addr *peer, void *tag,
			struct http_bad bad, struct str first_line);
};

/* How the response's body is told apart from what follows it. */
enum http_framing {
	HTTP_FRAMING_NONE,   /* no body follows (HEAD, 204, 304, or an empty one) */
	HTTP_FRAMING_LENGTH, /* exactly .length bytes; the head given says so in Content-Length */
	HTTP_FRAMING_OPEN, /* length not known: chunked for HTTP/1.1 clients, until close for HTTP/1.0 */
};

#define HTTP_REPLY_PIECES 4

struct http_reply {
	uint16_t status;
	/* Status line and fields as complete CRLF-ended lines, in pieces that stay in place until the exchange ends.
	 * Without Connection, Keep-Alive, Transfer-Encoding and the blank line, which the server adds. */
	struct iovec head[HTTP_REPLY_PIECES];
	int pieces;
	enum http_framing framing;
	uint64_t length; /* with HTTP_FRAMING_LENGTH */
	bool close;	 /* close the connection after this response */
};

/*
 * Makes a server on worker w. conf is copied. user is for the handler (http_server_user()). Counters are in
 * http_server_stats().
 */
struct http_server *http_server_new(struct worker *w, const struct http_server_conf *conf,
				    const struct http_handler *handler, void *user);
void http_server_set_conf(struct http_server *s, const struct http_server_conf *conf);
void *http_server_user(const struct http_server *s);

/* Accepts on fd from now on. tag is told by http_server_tag() for each exchange that came this way. */
void http_server_listen(struct http_server *s, int fd, void *tag);
/*
 * Stops accepting on fd; the caller closes it. Of the connections with its tag the idle ones are closed, the others
 * told to close after the request under way: their exchanges go on to name the tag, which therefore has to last.
 */
void http_server_unlisten(struct http_server *s, int fd);
/* Serves one already connected, non-blocking socket. Takes the fd over. For servers without a budget. */
void http_server_adopt(struct http_server *s, int fd, const struct addr *peer, void *tag);

/* Stops accepting, closes idle connections, says Connection: close from now on. */
void http_server_drain(struct http_server *s);
unsigned http_server_conns(const struct http_server *s); /* open now; 0 means drained */
/* Aborts what is left and frees. */
void http_server_free(struct http_server *s);

const struct addr *http_server_peer(const struct http_exchange *x);
void *http_server_tag(const struct http_exchange *x);

/* ---- the request body */
struct str http_server_data(struct http_exchange *x); /* payload received and not yet consumed */
enum http_body_state http_server_body_state(
	const struct http_exchange *x); /* END: all of it is in data() */
void http_server_consume(struct http_exchange *x, size_t n);
/* Sends "100 Continue" if the client waits for it; call before waiting for the body. */
void http_server_continue(struct http_exchange *x);

/* ---- the response */

/* Sends an interim response (103) at once; lines as in http_reply. HTTP/1.0 clients get none. */
void http_server_interim(struct http_exchange *x, uint16_t status, struct str lines);

/* Declares the response. Nothing is sent yet: the head goes out together with the first body bytes, or at end(). */
void http_server_respond(struct http_exchange *x, const struct http_reply *r);

/*
 * Sends body bytes, together with what is left of the head and with chunk framing, in one writev. Returns how many
 * of the body bytes were taken (0..all; the rest must be offered again, unchanged, when writable() is called), or
 * -1 when the connection broke: aborted() will follow, from the loop.
 */
ssize_t http_server_write(struct http_exchange *x, const struct iovec *iov, int n,
			  enum http_piece piece);

/*
 * The response is complete (every body byte was taken). Sends what the server itself still holds, releases the
 * exchange, and goes on with the connection. When the announced length was not reached, or fail is set, the
 * connection is closed so that the client sees a truncated message.
 */
void http_server_end(struct http_exchange *x, bool fail);

/* Answers with a whole body that stays in place until the exchange ends (or STR_NONE), and ends the exchange.
 * r->framing is HTTP_FRAMING_NONE; its head says Content-Length. */
void http_server_reply(struct http_exchange *x, const struct http_reply *r, struct str body);

/* Answers with a short text page and ends the exchange. fields: extra complete lines, or STR_NONE. Any time before
 * respond(); after it, it is http_server_end(x, true). */
void http_server_error(struct http_exchange *x, uint16_t status, const char *text,
		       struct str fields);

struct http_server_stats {
	uint64_t accepted, requests, refused, timeouts, bytes_in, bytes_out;
	uint64_t shed; /* connections closed for want of a buffer or an exchange */
};
const struct http_server_stats *http_server_stats(const struct http_server *s);

#endif
