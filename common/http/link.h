// SPDX-License-Identifier: MIT
/*
 * Private to the server-facing half: one connection to a server, and the idle ones of an address. link.c alone writes
 * a link's fields; calls (client.c) work through the functions below and are told by http_client_readable(), _writable()
 * and _expired().
 */
#ifndef HTTP_LINK_H
#define HTTP_LINK_H

#include "http/client.h"
#include "http/in.h"
#include "loop/deadline.h"

#define HTTP_LINK_MAGIC 0x484c4b31u

enum http_link_state {
	HTTP_LINK_IDLE,	      /* no call */
	HTTP_LINK_CONNECTING, /* for a call */
	HTTP_LINK_BUSY,	      /* carries a call */
	HTTP_LINK_CLOSED,     /* by its call while it was read: the reader frees it */
};

struct http_active_call; /* client.c */
struct http_endpoint;

struct http_link {
	uint32_t magic;
	uint8_t state;
	bool not_reusable;
	bool eof;     /* the server has sent all it will, or the connection is broken */
	bool reading; /* on_readable() is on the stack, and uses the link again */
	bool limited; /* sock_limit_silence()'s */
	struct ev_io readable, writable;
	struct deadline deadline; /* the call's, or of idleness */
	struct io io;
	struct http_client *client;
	struct http_endpoint *endpoint;
	struct http_active_call *call; /* NULL when idle */
	struct http_link *prev, *next; /* in the endpoint's list, while idle */
	struct http_in in;
	struct str preface; /* on the heap, or STR_NONE */
	unsigned list;	    /* of the endpoint's: its preface decides */
};

#define HTTP_LINK_LISTS 64

/* An address and its idle connections. Each list has the most recently used first. */
struct http_endpoint {
	struct addr addr;
	struct http_link *idle[HTTP_LINK_LISTS];
	unsigned count; /* idle ones */
	struct http_endpoint *next;
};

struct http_client {
	uint32_t magic;
	struct worker *worker;
	struct http_client_conf conf;
	struct http_endpoint *endpoints;
	struct slab link_slab, call_slab;
	struct deadline_class on_connect, on_response, on_body, on_idle;
	struct http_active_call *calls; /* running, for free() */
	struct http_client_stats stats;
};

/* NULL: no memory. */
struct http_endpoint *http_link_endpoint(struct http_client *cl, const struct addr *a);
/* The most recently used idle one with that preface, now the call's; NULL: there is none. */
struct http_link *http_link_reuse(struct http_endpoint *e, struct str preface, bool small,
				  struct http_active_call *a);
/* A new one, connecting for the call; NULL with *error, 0 when out of our own limits. */
struct http_link *http_link_open(struct http_client *cl, struct http_endpoint *e,
				 struct str preface, struct http_active_call *a, int *error);
/* small: the request has no body, so a server that acknowledges nothing of it for long is gone. */
void http_link_connected(struct http_link *l, bool small);
/* False: it may not be kept, or there are enough; the caller has to close it. */
bool http_link_keep(struct http_link *l);
void http_link_close(struct http_link *l);
void http_link_spoil(struct http_link *l);  /* must not be kept */
void http_link_tunnel(struct http_link *l); /* the same, and bytes of any protocol follow */

/* One read into the window. The watcher stops at the end, or when there is no room. */
enum http_in_result http_link_read(struct http_link *l, size_t *got);
/* on: unless there is no room, or it has ended. */
void http_link_watch_read(struct http_link *l, bool on);
void http_link_watch_write(struct http_link *l, bool on);
/* The call is called again, from the loop, as if the link were readable. */
void http_link_feed(struct http_link *l);
void http_link_arm(struct http_link *l, struct deadline_class *class);

void http_link_check(const struct http_link *l);
unsigned http_link_check_idle(const struct http_endpoint *e); /* each of them; how many there are */
void http_link_close_idle(struct http_endpoint *e);

/* client.c: called by a link */
void http_client_readable(struct http_active_call *a);
void http_client_writable(struct http_active_call *a);
void http_client_expired(struct http_active_call *a);

#endif
