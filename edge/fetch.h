// SPDX-License-Identifier: MIT
/*
 * A request to the origin: to fill an object, to validate one, or to pass one client's request.
 *
 * A fetch outlives the client that caused it: if that client leaves, the object is still filled. While that client is
 * there it is the fetch's leader, and a response that may not be stored is streamed to it.
 */
#ifndef EDGE_FETCH_H
#define EDGE_FETCH_H

#include "edge_worker.h"
#include "key.h"

struct fetch;

size_t fetch_size(void); /* of the block that one fetch takes */

#define LEADER_MAGIC 0x4c454144u

/*
 * The client that a fetch may stream to. Embedded in the request's state; calls come on the worker's thread. It leads
 * one fetch at a time, and calls fetch_leave() before it is freed.
 */
struct leader {
	uint32_t magic; /* LEADER_MAGIC, set and wiped by the embedder */
	struct http_exchange *x;
	struct fetch *fetch; /* ro: NULL when there is none */
	/* A call to the origin is for this client: the leader relays its bodies, both ways. Called again when the request
	 * is repeated because an idle connection broke. */
	void (*begun)(struct leader *l, struct http_call *c);
	void (*interim)(struct leader *l, const struct http_head *h);
	/* The response is streamed to this client past the cache: head() when it begins, then more(). */
	void (*head)(struct leader *l, const struct http_head *h);
	void (*more)(struct leader *l);
	/* There is no response; the fetch is freed. */
	void (*failed)(struct leader *l, uint16_t status, const char *why);
	void (*writable)(struct leader *l); /* the request body can go on */
};

/* Passes the request, with the client's own method and body. False: failed at once, nothing was called. */
bool fetch_pass(struct edge_worker *f, struct leader *l, const struct key *k);

/*
 * Fills target (BUSY, a reference is taken). With stale it validates that; target is then for a new response.
 * leader may be NULL (a refresh in the background). The leader waits on target: its state is the outcome of the fetch,
 * UNCHANGED if stale was validated. False: could not begin; those that wait for target or stale have been woken.
 */
bool fetch_fill(struct edge_worker *f, struct leader *l, const struct http_head *request,
		const struct addr *peer, const struct key *k, struct object *target,
		struct object *stale);

/* The leader leaves: a pass is aborted, a fill continues without it. */
void fetch_leave(struct leader *l);

/* Aborts unless the invariants of the worker's fetches hold; returns how many there are. */
unsigned fetch_check(const struct edge_worker *w);
/* The objects that each fetch refers to; either may be NULL. */
void fetch_each(const struct edge_worker *w,
		void (*one)(const struct object *target, const struct object *stale, void *arg),
		void *arg);

/* ---- for a leader that is streamed to */
void fetch_finish(struct leader *l); /* all is relayed: keeps the connection, frees the fetch */
/* The object overflowed and the leader has delivered all of it: the rest is streamed. */
void fetch_overflowed(struct leader *l);

#endif
