// SPDX-License-Identifier: MIT
/*
 * A request to the origin: to fill an object, to validate one, or past the cache for one client.
 *
 * A fetch lives by itself: the client that caused it may leave, the object is filled all the same. As long as that
 * client is there it is the fetch's leader, and gets what turns out not to be storable streamed through.
 */
#ifndef EDGE_FETCH_H
#define EDGE_FETCH_H

#include "edge_worker.h"
#include "key.h"

struct fetch;

size_t fetch_size(void); /* of the block that one fetch takes */

#define LEADER_MAGIC 0x4c454144u

/*
 * The client that a fetch may stream to. Embedded in its state; calls come on the worker's thread. It leads one fetch
 * at a time, and says fetch_leave() before it goes.
 */
struct leader {
	uint32_t magic; /* LEADER_MAGIC, by the embedder, until it is gone */
	struct http_exchange *x;
	struct fetch *fetch; /* ro: NULL when there is none; written by fetch.c alone */
	/* A call to the origin is this client's: its body, both ways, is the client's to relay. Perhaps more than once,
	 * when an idle connection broke before anything was answered. */
	void (*begun)(struct leader *l, struct http_call *c);
	void (*interim)(struct leader *l, const struct http_head *h);
	/* The answer goes to this client past the cache from here on: head() when it begins, then more(). */
	void (*head)(struct leader *l, const struct http_head *h);
	void (*more)(struct leader *l);
	/* Nothing can be had; the fetch is gone. */
	void (*failed)(struct leader *l, uint16_t status, const char *why);
	void (*writable)(struct leader *l); /* the request body can go on */
};

/* Past the cache, with the client's own method and body. False: failed at once, nothing was called. */
bool fetch_pass(struct edge_worker *f, struct leader *l, const struct key *k);

/*
 * Fills target (BUSY, a reference is taken), or, when stale is given, validates that first; target then stands by
 * for a new response. leader may be NULL (a refresh in the background): then request is copied as far as needed.
 * The leader waits on target: its state says what came of the fetch, UNCHANGED that stale is good.
 * False: could not begin; target and stale have been told.
 */
bool fetch_fill(struct edge_worker *f, struct leader *l, const struct http_head *request,
		const struct addr *peer, const struct key *k, struct object *target,
		struct object *stale);

/* The leader goes: a pass is cut off, a fill goes on without it. */
void fetch_leave(struct leader *l);

/* Aborts unless the invariants of the worker's fetches hold; returns how many there are. */
unsigned fetch_check(const struct edge_worker *w);
/* The objects that each fetch refers to; either may be NULL. */
void fetch_each(const struct edge_worker *w,
		void (*one)(const struct object *target, const struct object *stale, void *arg),
		void *arg);

/* ---- for a leader that is streamed to */
void fetch_finish(struct leader *l); /* all was relayed: keep the connection, free the fetch */
/* The object outgrew the cache and the leader has had all of it: the rest is streamed. */
void fetch_spilled(struct leader *l);

#endif
