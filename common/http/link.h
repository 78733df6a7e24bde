// SPDX-License-Identifier: MIT
/*
 * Private to the server-facing half: one connection to a server, and the pool of those kept.
 */
#ifndef HTTP_LINK_H
#define HTTP_LINK_H

#include "http/client.h"
#include "http/out.h"
#include "loop/deadline.h"

enum http_link_state {
	HTTP_LINK_IDLE,	      /* kept, no call */
	HTTP_LINK_CONNECTING, /* for a call */
	HTTP_LINK_HEAD,	      /* request under way, response head not complete */
	HTTP_LINK_BODY,	      /* the caller has the head */
	HTTP_LINK_CLOSED,     /* by the caller while it was read: the reader frees it */
};

struct http_active_call; /* client.c */

struct http_link {
	struct ev_io readable, writable;
	struct deadline deadline;
	struct io io;
	struct http_client *client;
	struct http_site *site;
	struct http_active_call *active; /* NULL when idle */
	struct http_link *prev, *next;	 /* in the site's list, while idle */
	char *mem; /* a worker buffer, or NULL: [0, p0) head, [p0, p1) payload, [p1, tail) the rest */
	uint32_t head, p0, p1, tail;
	size_t scanned;
	uint8_t state;
	bool full;    /* the last read filled the buffer: more is there already */
	bool junk;    /* must not be kept */
	bool reading; /* a reader is at work that looks at the link again */
	bool limited; /* sock_limit_silence()'s */
};

/* Connections to one address. */
struct http_site {
	struct addr addr;
	struct http_link idle; /* sentinel; the most recently used first */
	unsigned count;	       /* idle ones */
	struct http_site *next;
};

struct http_client {
	struct worker *worker;
	struct http_client_conf conf;
	struct http_site *sites;
	struct slab link_slab, call_slab;
	struct deadline_class on_connect, on_response, on_body, on_idle;
	struct http_active_call *calls; /* running, for free() */
	struct http_client_stats stats;
};

/* link.c */
struct http_link *http_link_open(struct http_client *cl, struct http_site *site, int *error);
struct http_link *http_link_kept(
	struct http_site *site);	  /* the freshest kept one, now off the list, or NULL */
bool http_link_keep(struct http_link *l); /* false: there are enough, close it */
void http_link_close(struct http_link *l);
bool http_link_buffer(struct http_link *l); /* makes sure there is one */
struct http_site *http_link_site(struct http_client *cl, const struct addr *a);

/* client.c: what the connection tells its call */
void http_client_readable(struct http_link *l);
void http_client_writable(struct http_link *l);
void http_client_expired(struct http_link *l);

#endif
