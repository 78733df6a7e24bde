// SPDX-License-Identifier: MIT
/*
 * The client-facing half: accepts connections on a worker and turns what comes into exchanges for a handler
 * (exchange.h).
 *
 * A server belongs to one worker. Each of its listeners has a conf of its own: timeouts, limits, and how a
 * connection's io begins. An idle connection holds neither buffer nor arena, only the small struct http_conn. A request
 * whose head is malformed is refused before the handler sees it: the client gets the status, refused() is called, and
 * the connection is closed after lingering.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "http/exchange.h"
#include "loop/budget.h"

struct http_server;
struct http_conn; /* private: one client connection */

struct http_listener_conf {
	int64_t handshake_us; /* what comes before the first request (PROXY, TLS), absolute: cut */
	int64_t head_us;      /* first byte (or accept) to the end of the head, absolute: 408 */
	int64_t idle_us;      /* between requests: closed silently */
	int64_t body_us;      /* longest pause in a request body: 408, or cut */
	int64_t send_us;      /* longest time without progress towards the client: cut */
	uint32_t max_arena;   /* bytes an exchange may allocate */
	struct http_limits limits;
	/*
	 * Makes the io of an accepted socket; NULL: plain TCP. The handshake may change *peer to the client that a trusted
	 * preface names; it lives as long as the connection. arg outlives the conf.
	 */
	void (*open_io)(struct io *io, int fd, struct addr *peer, const void *arg);
	const void *io_arg;
};

#define HTTP_LISTENER_CONF_DEFAULT                                                                 \
	((struct http_listener_conf){.handshake_us = 5000000,                                      \
				     .head_us = 10000000,                                          \
				     .idle_us = 15000000,                                          \
				     .body_us = 50000000,                                          \
				     .send_us = 50000000,                                          \
				     .max_arena = 65536,                                           \
				     .limits = HTTP_LIMITS_DEFAULT})

/* A request that never became an exchange. */
enum http_refusal_cause {
	HTTP_REFUSAL_MALFORMED,
	HTTP_REFUSAL_TIMEOUT, /* the head was not complete in time */
	HTTP_REFUSAL_CLOSED,  /* the client closed inside the head; nothing was sent */
	/* No or a bad preface; nothing was sent. A connection closed without a byte is not reported. */
	HTTP_REFUSAL_HANDSHAKE,
};

struct http_refusal {
	enum http_refusal_cause cause;
	const struct addr *peer;
	void *tag;
	struct http_bad bad;   /* status and reason */
	struct str first_line; /* what was received of it, at most 256 bytes */
	int64_t started_us;    /* first byte */
};

struct http_server_ops {
	const struct http_handler *handler;
	/* For counters and logs. May be NULL. */
	void (*refused)(struct http_server *s, const struct http_refusal *r);
};

/* At these limits connections wait in the kernel's queue. */
struct http_server_conf {
	uint32_t max_conns;    /* of this server */
	struct budget *budget; /* shared with other workers' servers, or NULL; outlives them */
};

/* user is for the callbacks (http_server_user()). */
struct http_server *http_server_new(struct worker *w, const struct http_server_ops *ops,
				    const struct http_server_conf *conf, void *user);
void *http_server_user(const struct http_server *s);

/* The connections of a listening socket. */
struct http_listen_stats {
	uint64_t accepted, bytes_in, bytes_out;
	unsigned open; /* connections now */
};

/*
 * Accepts on fd from now on. conf is copied. tag: see http_exchange.tag. stats: its connections are added to it, beside
 * http_server_stats(); it lasts as long as the tag. NULL: they are not.
 */
void http_server_listen(struct http_server *s, int fd, const struct http_listener_conf *conf,
			void *tag, struct http_listen_stats *stats);
/* New settings for a listener, and for the connections that came by it. */
void http_server_configure(struct http_server *s, int fd, const struct http_listener_conf *conf);
/*
 * Stops accepting on fd; the caller closes it. Of its connections the idle ones are closed, the others told to close
 * after the request under way: their exchanges go on to name the tag, which therefore has to last.
 */
void http_server_unlisten(struct http_server *s, int fd);

/* Stops accepting, closes idle connections, says Connection: close from now on. */
void http_server_drain(struct http_server *s);
unsigned http_server_conns(const struct http_server *s); /* open now; 0 means drained */
/* Ends what is left (HTTP_END_STOP) and frees. */
void http_server_free(struct http_server *s);

struct http_server_stats {
	uint64_t accepted, requests, refused, timeouts, bytes_in, bytes_out;
	uint64_t shed; /* connections closed because there was no buffer or exchange */
};
const struct http_server_stats *http_server_stats(const struct http_server *s);

/* Aborts unless the invariants hold, of all connections too; returns the number of structures checked. */
unsigned http_server_check(const struct http_server *s);

#endif
