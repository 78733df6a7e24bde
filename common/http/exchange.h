// SPDX-License-Identifier: MIT
/*
 * An exchange: one request and its response, as a handler sees it, whatever brought the request here.
 *
 * A transport makes the exchange, owns it, and gives it to a handler. Heads are values: {method, target, fields} and
 * {status, fields}; only transports know lines, versions, chunks and connections. HTTP/1.1 (h1.h) is the first one.
 *
 * The handler's contract, on the exchange's worker thread:
 *  - request() is called once, with the head complete and checked. The body, if any, comes through
 *    http_exchange_data().
 *  - The handler responds: respond(), any number of writes, end(); or reply() or error(), which end it too. It may cut
 *    the response short with abort(). It may also wait: it need not respond before request() returns.
 *  - closed() is called exactly once, last: when the response has been sent, was cut, or the client is gone. Everything that
 *    was handed to respond() must stay in place until then; in closed() the handler frees what it holds. After it the
 *    exchange does not exist.
 *  - end(), abort(), reply() and error() may call closed() before they return: the caller must not touch the exchange,
 *    nor anything that its closed() frees, after them. No other function below calls back into the handler for the
 *    same exchange.
 */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include "base/arena.h"
#include "http/body.h"
#include "http/fields.h"
#include "http/parse.h"
#include "loop/worker.h"
#include "net/addr.h"
#include "net/io.h"

struct http_exchange;
struct http_transport;

#define HTTP_EXCHANGE_MAGIC 0x48454331u

struct http_exchange {
	uint32_t magic;	    /* private */
	uint16_t status;    /* ro: of the response, 0 before it */
	bool client_closed; /* ro: the client half-closed; it may still read the response */
	const struct http_transport *transport; /* private */
	struct worker *worker;			/* ro */
	struct http_head
		*head; /* rw: the request; a handler may filter its fields; until closed() */
	const struct addr *peer; /* ro: the client, or the one that a trusted preface named */
	void *tag;		 /* ro: of the listener it came by */
	struct arena arena;	 /* rw, the handler's: until closed() */
	void *user;		 /* rw, the handler's */
	int64_t started_us;	 /* ro: first byte of the request */
	int64_t request_us;	 /* ro: head complete */
	uint64_t body_in;	 /* ro: payload bytes of the request consumed so far */
	uint64_t bytes_out;	 /* ro: response bytes sent, head included */
};

/* Why an exchange is over. */
enum http_end {
	HTTP_END_DONE,	       /* the whole response was sent */
	HTTP_END_CUT,	       /* the handler cut its response short */
	HTTP_END_CLIENT,       /* the connection broke, or the client left */
	HTTP_END_BODY_TIMEOUT, /* the request body stalled (a 408 was sent if nothing else had been) */
	HTTP_END_SEND_TIMEOUT, /* the client stopped reading */
	HTTP_END_BODY_BROKEN, /* bad framing of the request body (a 400 was sent if nothing else had been) */
	HTTP_END_STOP, /* the server is being finished */
};

struct http_handler {
	void (*request)(struct http_exchange *x);
	/* More of the request body, its end, or its failure is there. Only after http_exchange_data() came up empty with
	 * the state still HTTP_BODY_MORE. */
	void (*readable)(struct http_exchange *x);
	/* After http_exchange_write() took less than it was offered: more can go now. */
	void (*writable)(struct http_exchange *x);
	/* The client half-closed while its request, complete, waits for a response; once. Not when that was known at
	 * request() already (client_closed). May be NULL. */
	void (*half_closed)(struct http_exchange *x);
	void (*closed)(struct http_exchange *x, enum http_end why);
};

/* How the response's body is told apart from what follows it. */
enum http_framing {
	HTTP_FRAMING_NONE,   /* no body follows (HEAD, 204, 304, or an empty one) */
	HTTP_FRAMING_LENGTH, /* exactly .length bytes */
	HTTP_FRAMING_OPEN,   /* length not known */
	/* 101: bytes both ways, no messages any more. The transport keeps no deadline from here on; the handler does. */
	HTTP_FRAMING_TUNNEL,
};

#define HTTP_RESPONSE_BLOCKS 4

/* A response head. All slices stay in place until closed(); the reason only until respond() returns. */
struct http_response {
	uint16_t status;
	uint8_t blocks; /* of fields */
	bool close;	/* the client's connection should not be used again */
	enum http_framing framing;
	/* LENGTH: of the body. NONE: what Content-Length announces all the same (HEAD, 304, and 0 of an empty body), or
	 * HTTP_NO_LENGTH. */
	uint64_t length;
	struct str reason;  /* of versions that have one; STR_NONE: the table's */
	struct str upgrade; /* TUNNEL: the protocol switched to */
	/* Field blocks without Connection, Content-Length and Transfer-Encoding. */
	struct str fields[HTTP_RESPONSE_BLOCKS];
};

/* What the transport of an exchange does; reached through the functions below. */
struct http_transport {
	const char *name;
	struct str (*data)(struct http_exchange *x);
	enum http_body_state (*body_state)(const struct http_exchange *x);
	void (*consume)(struct http_exchange *x, size_t n);
	void (*interim)(struct http_exchange *x, uint16_t status, struct str fields);
	void (*respond)(struct http_exchange *x, const struct http_response *r);
	/* respond(), a whole body (or none) behind it, and end() */
	void (*reply)(struct http_exchange *x, const struct http_response *r, struct str body);
	ssize_t (*write)(struct http_exchange *x, const struct iovec *iov, int n,
			 enum http_piece piece);
	/* The address the client connected to, or that a trusted preface named as that; false: not known. */
	bool (*local)(const struct http_exchange *x, struct addr *to);
	/* All NULL: not possible. */
	uint64_t (*may_splice_in)(const struct http_exchange *x);
	ssize_t (*splice_in)(struct http_exchange *x, int pipe, size_t max);
	bool (*may_splice_out)(const struct http_exchange *x);
	ssize_t (*splice_out)(struct http_exchange *x, int pipe, size_t n, bool more);
	void (*hold)(struct http_exchange *x, bool hold);
	void (*end)(struct http_exchange *x);
	void (*abort)(struct http_exchange *x);
};

/* ---- the request body */

/* Payload received and not yet consumed. Empty with the state HTTP_BODY_MORE: readable() will be called. */
static inline struct str http_exchange_data(struct http_exchange *x)
{
	return x->transport->data(x);
}

/* HTTP_BODY_END: all of it is in data(). */
static inline enum http_body_state http_exchange_body_state(const struct http_exchange *x)
{
	return x->transport->body_state(x);
}

static inline void http_exchange_consume(struct http_exchange *x, size_t n)
{
	x->transport->consume(x, n);
}

/* Bytes of the request body that may now be moved into a pipe instead of being received: nothing waits in data(). */
static inline uint64_t http_exchange_may_splice_in(const struct http_exchange *x)
{
	return x->transport->may_splice_in ? x->transport->may_splice_in(x) : 0;
}

/*
 * Moves at most max bytes of the request body into a pipe: they count as consumed. Returns how many; 0: none now; -1:
 * the body broke, which is told from the loop. While more is to come, readable() is called when there may be some, until
 * http_exchange_data() is asked again.
 */
static inline ssize_t http_exchange_splice_in(struct http_exchange *x, int pipe, size_t max)
{
	return x->transport->splice_in(x, pipe, max);
}

/* The handler takes no more of the body for the time being: readable() is not called, and no deadline of the body runs,
 * until it does again. Only where splicing is possible. */
static inline void http_exchange_hold(struct http_exchange *x, bool hold)
{
	x->transport->hold(x, hold);
}

/* ---- the connection it came by */

/* The address the client connected to: a system call, unless a trusted preface has named it. False, and a->len 0: it is not
 * known. */
static inline bool http_exchange_local(const struct http_exchange *x, struct addr *a)
{
	a->len = 0;
	return x->transport->local && x->transport->local(x, a);
}

/* ---- the response */

/*
 * Sends an interim response (100, 102, 103) at once; fields is a block or STR_NONE. Dropped when the client cannot
 * read them, when one before it is still on its way, or after respond(): they are hints.
 */
static inline void http_exchange_interim(struct http_exchange *x, uint16_t status,
					 struct str fields)
{
	x->transport->interim(x, status, fields);
}

/* Declares the response. Nothing is sent yet: the head goes out together with the first body bytes, or at end(). */
void http_exchange_respond(struct http_exchange *x, const struct http_response *r);

/*
 * Sends body bytes, together with what is left of the head, in one call to the kernel. Returns how many of them were
 * taken (0..all; the rest must be offered again, unchanged, when writable() is called), or -1 when the connection
 * broke: closed() will follow, from the loop. In a tunnel HTTP_PIECE_LAST closes this direction only. No bytes at all
 * may be offered too, whatever the framing: the head goes then.
 */
static inline ssize_t http_exchange_write(struct http_exchange *x, const struct iovec *iov, int n,
					  enum http_piece piece)
{
	return x->transport->write(x, iov, n, piece);
}

/* Can body bytes go from a pipe now? Not while parts of the head wait, nor in chunks. */
static inline bool http_exchange_may_splice_out(const struct http_exchange *x)
{
	return x->transport->may_splice_out && x->transport->may_splice_out(x);
}

/* As write(), from a pipe that holds n bytes: 0 and writable() later when the client takes none. */
static inline ssize_t http_exchange_splice_out(struct http_exchange *x, int pipe, size_t n,
					       bool more)
{
	return x->transport->splice_out(x, pipe, n, more);
}

/* The response is complete: every body byte was taken. When the announced length was not reached, it is cut. */
static inline void http_exchange_end(struct http_exchange *x)
{
	x->transport->end(x);
}

/* Cuts the response so that the client sees a truncated message, or a close without a response. */
static inline void http_exchange_abort(struct http_exchange *x)
{
	x->transport->abort(x);
}

/* Responds with a whole body that stays in place until closed() (or STR_NONE), and ends the exchange. framing and
 * length are set here. A HEAD gets only the length. */
void http_exchange_reply(struct http_exchange *x, struct http_response *r, struct str body);

/*
 * Responds with a short page and ends the exchange. fields: an extra block, or STR_NONE. Any time before respond();
 * after it, it is http_exchange_abort().
 */
void http_exchange_error(struct http_exchange *x, uint16_t status, const char *text,
			 struct str fields);

/* ---- the one builder of error responses, for transports too */

#define HTTP_ERROR_SIZE 1024

struct http_error {
	struct http_response response;
	struct str body; /* in mem, as the fields are */
	char mem[HTTP_ERROR_SIZE];
};

/* text is cut when it is too long for mem. wall_s: for Date. */
void http_exchange_make_error(struct http_error *e, uint16_t status, const char *text,
			      int64_t wall_s);

#endif
