// SPDX-License-Identifier: MIT
/*
 * Private to the client-facing half: HTTP/1.1 as a transport. server.c accepts, h1_conn.c reads and moves a connection
 * from state to state, h1_exchange.c is the transport table: what a handler does to its exchange.
 */
#ifndef HTTP_H1_H
#define HTTP_H1_H

#include "http/in.h"
#include "http/out.h"
#include "http/server.h"
#include "loop/budget.h"
#include "loop/deadline.h"

#define HTTP_CONN_MAGIC	    0x48434f31u
#define HTTP_LISTENER_MAGIC 0x484c4931u
#define HTTP_SERVER_MAGIC   0x48535231u

/* The block that an exchange occupies: the public part, what is to be sent, the head, the start of its arena. */
struct http_h1 {
	struct http_exchange x;
	struct http_conn *conn;
	struct http_out out;
	struct deadline body_deadline, send_deadline;
	bool short_write; /* the handler was told "not all", and waits for writable() */
	bool ended;	  /* the handler is done; what is left is flushed */
	bool cut;	  /* no clean end: the client must see that something is missing */
	bool broken;	  /* sending failed */
	bool want_body;	  /* the handler found no data and waits for readable() */
	bool splicing;	  /* it moves the request body by itself */
	bool held;	  /* and takes none of it until it says so */
	bool close;	  /* the connection ends with this exchange */
	bool tunnel;	  /* after a 101 */
	bool shut;	  /* tunnel: no more bytes to the client */
	char first[96];	  /* the status line */
	char last[128];	  /* framing and connection fields, and the blank line */
	struct http_head head;
	char memory[3072];
};

enum http_conn_state {
	HTTP_CONN_HANDSHAKE, /* before the first byte of HTTP */
	HTTP_CONN_IDLE,	     /* no byte of a request yet: no buffer, no exchange */
	HTTP_CONN_HEAD,	     /* part of a head is in the window */
	HTTP_CONN_EXCHANGE,  /* the handler has it */
	HTTP_CONN_LINGER,    /* shut down: reads on so that the client gets the whole response */
};

struct http_conn {
	uint32_t magic;
	uint8_t state;
	bool first; /* no request was complete on this connection yet */
	bool eof;   /* the client shut down its sending side */
	bool leaving; /* its listener is retired: the exchange under way, or the next one, is the last */
	bool advancing; /* http_h1_advance() is on the stack */
	/* The io's wishes that go across: its read waits until the socket can be written, its write until it can be read */
	bool read_wants_write, write_wants_read;
	bool dead; /* closed while advancing: freed when it unwinds */
	struct ev_io readable, writable;
	struct deadline deadline; /* of the handshake, a head, idleness, lingering */
	struct io io;
	struct http_listener *listener;
	struct http_conn *prev, *next;
	struct http_h1 *h1; /* in EXCHANGE, and while a head is parsed */
	struct http_in in;
	int64_t started_us; /* first byte of the request; in LINGER: when that began */
	struct addr peer;
};

/* Lives until it is retired and its last connection is gone. */
struct http_listener {
	uint32_t magic;
	bool retired;
	unsigned conns;
	struct ev_io readable;
	struct http_server *server;
	struct http_listener_conf conf;
	void *tag;
	struct http_listen_stats *stats, own_stats; /* own: when the caller has none */
	struct deadline_class on_handshake, on_head, on_idle, on_body, on_send;
	struct http_listener *next;
};

struct http_server {
	uint32_t magic;
	bool accepting, draining;
	bool queued; /* the budget is spent: not accepting before it hands a unit over */
	struct http_server_conf conf;
	struct budget_waiter *waiter; /* NULL without a budget */
	struct worker *worker;
	const struct http_server_ops *ops;
	void *user;
	struct http_listener *listeners;
	struct http_conn conns; /* sentinel of the list of all */
	struct slab conn_slab, h1_slab;
	struct deadline_class on_linger;
	struct ev_timer resume; /* accepting again after descriptors ran out */
	struct http_server_stats stats;
};

/* h1_conn.c */
void http_h1_open(struct http_listener *l, int fd, const struct addr *peer);
void http_h1_close(struct http_conn *c); /* c is gone, or dies when advancing unwinds */
/* The exchange is over for that reason: closed() is called, the connection goes. */
void http_h1_abort(struct http_conn *c, enum http_end why);
void http_h1_finish(struct http_conn *c); /* the response has left, or was cut: on to the next */
void http_h1_drain(struct http_conn *c);  /* IDLE or HANDSHAKE, and to end */
bool http_h1_last(const struct http_conn *c); /* no request after this one */
void http_h1_watch_read(struct http_conn *c); /* there is room in the window (again) */
void http_h1_expired(struct deadline *d);
void http_h1_check(const struct http_conn *c);

/* h1_exchange.c */
extern const struct http_transport http_h1_transport;
void http_h1_begin(struct http_h1 *h, struct http_conn *c); /* head is parsed and pinned */
void http_h1_fini(struct http_h1 *h);
void http_h1_writable(struct http_conn *c);
/* A refusal at once, outside the order of things; what does not go is lost. Returns the bytes that went. */
size_t http_h1_send_error(struct http_conn *c, uint16_t status, const char *text);
void http_h1_body_expired(struct deadline *d);
void http_h1_send_expired(struct deadline *d);

/* server.c */
void http_server_closed(struct http_listener *l); /* a connection of it went */

static inline struct http_server *http_h1_server(const struct http_conn *c)
{
	return c->listener->server;
}

/* n bytes came from the client. */
static inline void http_h1_received(struct http_conn *c, size_t n)
{
	http_h1_server(c)->stats.bytes_in += n;
	c->listener->stats->bytes_in += n;
}

#endif
