// SPDX-License-Identifier: MIT
/*
 * Private to the client-facing half: what server.c (accepting), conn.c (reading) and reply.c (sending) share.
 */
#ifndef HTTP_CONN_H
#define HTTP_CONN_H

#include "http/date.h"
#include "http/out.h"
#include "http/server.h"
#include "loop/budget.h"
#include "loop/deadline.h"

/* The block an active request occupies: the public part, the head, and the start of its arena. */
struct http_active {
	struct http_exchange x;
	struct http_body body;
	struct http_out out;
	bool short_write; /* the handler was told "not all", and waits for writable() */
	bool ended;	  /* the handler is done, we still flush */
	bool fail;	  /* close without a clean end */
	bool want_body;	  /* the handler found no data and waits for readable() */
	bool continued;	  /* 100 Continue was sent or is not needed */
	struct http_head head;
	char memory[3072];
};

enum http_conn_state {
	HTTP_CONN_IDLE,	    /* no byte of a request yet: no buffer, no exchange */
	HTTP_CONN_HEAD,	    /* part of a head is in the buffer */
	HTTP_CONN_EXCHANGE, /* the handler has it */
	HTTP_CONN_LINGER, /* answered and shut down: reading on so that the client sees the answer */
};

struct http_conn {
	struct ev_io readable, writable;
	struct deadline deadline;
	struct io io;
	struct http_server *server;
	struct http_conn *prev, *next;
	struct http_active *active; /* in EXCHANGE */
	void *tag;
	char *mem; /* a worker buffer, or NULL: [0, head) pinned head, [p0, p1) payload, [p1, tail) what follows it */
	uint32_t head, p0, p1, tail;
	uint32_t lingered;
	size_t scanned;
	int64_t started_us;
	uint8_t state;
	bool first;   /* no request was complete on this connection yet */
	bool eof;     /* the client shut down its sending side */
	bool leaving; /* its listener is gone: the exchange under way, or the next one, is the last */
	bool advancing; /* http_conn_advance() is on the stack */
	bool dead;	/* closed while advancing: freed when it unwinds */
	struct addr peer;
};

struct http_listener {
	struct ev_io readable;
	struct http_server *server;
	void *tag;
	struct http_listener *next;
};

struct http_server {
	struct worker *worker;
	struct http_server_conf conf;
	const struct http_handler *handler;
	void *user;
	struct http_listener *listeners;
	struct http_conn conns; /* sentinel of the list of all */
	struct slab conn_slab, active_slab;
	struct deadline_class on_head, on_idle, on_body, on_send, on_linger;
	struct ev_timer resume;	      /* accepting again after descriptors ran out */
	struct budget_waiter *waiter; /* NULL without a budget */
	bool accepting, draining;
	bool queued; /* the budget is spent: not accepting before it hands a unit over */
	struct http_server_stats stats;
	int64_t date_s;
	char date[HTTP_DATE_LEN + 1];
};

/* conn.c */
void http_conn_open(struct http_server *s, int fd, const struct addr *peer, void *tag);
void http_conn_advance(struct http_conn *c); /* goes on with what is in the buffer */
void http_conn_close(struct http_conn *c);   /* c is gone, or dies when advancing unwinds */
void http_conn_abort(struct http_conn *c, enum http_abort why);
void http_conn_finish(struct http_conn *c); /* the exchange is over and flushed: on to the next */
void http_conn_drain(struct http_conn *c);  /* IDLE, and to end */
bool http_conn_last(const struct http_conn *c); /* no request after this one */
void http_conn_expired(struct deadline *d);

/* reply.c */
void http_reply_writable(struct http_conn *c);
void http_reply_raw(struct http_conn *c, struct str bytes); /* a refusal, outside any exchange */

/* server.c */
void http_server_closed(
	struct http_server *s); /* a connection went: accept again if that had stopped */
struct str http_server_date(struct http_server *s); /* the Date of now, valid until the next call */

static inline struct http_active *http_active_of(struct http_exchange *x)
{
	return container_of(x, struct http_active, x);
}

#endif
