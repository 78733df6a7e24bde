// SPDX-License-Identifier: MIT
/*
 * A relay moves bodies between an exchange and a call, both ways, each as fast as the slower side takes it. A large
 * body goes from socket to socket through a pipe (splice), without being copied into the process. After a 101 it is a
 * tunnel: bytes both ways, each direction ending on its own, with one deadline for silence in both.
 *
 * The owner is the handler's request: it keeps the relay inside its own state, calls http_relay_response() and
 * http_relay_request() from its callbacks, and http_relay_fini() before the call or the exchange ends.
 */
#ifndef HTTP_RELAY_H
#define HTTP_RELAY_H

#include "http/client.h"
#include "http/exchange.h"
#include "loop/deadline.h"

/* One direction. Private. */
struct http_relay_way {
	bool done;		/* all of the body was handed on */
	bool holding;		/* its sender waits until the pipe is empty */
	struct pipes_pair pipe; /* -1, -1 before the first splice */
	size_t in_pipe;		/* bytes that wait in it */
};

struct http_relay {
	uint32_t magic;		 /* private */
	bool tunnel;		 /* ro */
	struct http_exchange *x; /* ro */
	struct http_call *call;	 /* ro */
	struct http_relay_way request, response;
	struct deadline silence;	      /* private: a tunnel's */
	struct deadline_class *silence_class; /* private */
};

enum http_relay_state {
	HTTP_RELAY_GOES_ON, /* a callback of either side will come */
	/* The whole response was relayed (in a tunnel: both directions have ended): end both, the call first. */
	HTTP_RELAY_DONE,
};

/* Between a call whose head() has been called, or that has a request body to come, and its exchange. */
void http_relay_init(struct http_relay *r, struct http_exchange *x, struct http_call *call);
/* Gives the pipes back; what waits in them is lost. Does nothing for a relay that was never initialised (all zero). */
void http_relay_fini(struct http_relay *r);

/* Request body towards the server: from readable() of the exchange and writable() of the call. */
enum http_relay_state http_relay_request(struct http_relay *r);
/* Response body towards the client, after respond(): from head() and body() of the call and writable() of the exchange. */
enum http_relay_state http_relay_response(struct http_relay *r);

/*
 * After a 101 was handed on: both directions begin. silence: of the worker, its expired() gets &relay->silence (see
 * http_relay_of()) when no byte has moved for its wait; the owner then cuts both ends.
 */
enum http_relay_state http_relay_tunnel(struct http_relay *r, struct deadline_class *silence);
struct http_relay *http_relay_of(struct deadline *silence);

/* Relays an interim response, with the fields that such a one may have (RFC 8297: Link; none in 100 and 102). */
void http_relay_interim(struct http_exchange *x, const struct http_head *h);

/* The framing of a response head's body, for http_response.framing. */
enum http_framing http_relay_framing(const struct http_head *h);

/* The same for http_response.upgrade: what a 101 switches to, copied, since the call's head may go before it is sent. */
struct str http_relay_upgrade(struct http_exchange *x, const struct http_head *h);

void http_relay_check(const struct http_relay *r);

#endif
