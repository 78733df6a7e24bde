// SPDX-License-Identifier: MIT
/*
 * Both halves of a proxy together, over real sockets on loopback and one worker: an origin made of http_server, a
 * small proxy made of both, a third server with a handler of the test's own, and blocking sockets in the test's
 * thread that speak raw bytes: clients, and an origin when the test wants to play that too.
 *
 *     assert_int_equal(rig_setup(...), 0) by cmocka; rig.conf is changed before, by a setup of the test's own.
 */
#ifndef HTTP_RIG_H
#define HTTP_RIG_H

#include "unit.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"
#include "http/client.h"
#include "http/relay.h"
#include "http/server.h"
#include "net/sock.h"

#define RIG_BIG_SIZE (3u << 20) /* of the origin's /big and /chunked */

struct rig_conf {
	struct http_listener_conf listener; /* of all three servers */
	struct http_client_conf client;	    /* of the proxy */
	int64_t silence_us;		    /* of the proxy's tunnels */
	bool raw_origin;		    /* the proxy's origin is rig.raw_fd, the test's */
	const struct http_handler *handler; /* of the third server, or NULL: there is none */
};

struct rig {
	struct rig_conf conf;
	struct worker_set *set;
	struct worker *worker;
	struct http_server *origin, *proxy, *own;
	struct http_client *client;
	struct addr origin_addr, proxy_addr, own_addr;
	int origin_fd, proxy_fd, own_fd;
	int raw_fd; /* listens, with raw_origin */
	struct deadline_class silence;
	struct http_listen_stats by_listener; /* of the proxy's */
	/* Of the proxy. requests: that it began, closed: that ended, whatever way. */
	_Atomic int requests, closed, aborted, stale, failed, half_closed, silent;
	_Atomic int last_end; /* enum http_end of the one that was closed last */
};

extern struct rig rig;

/* For cmocka. */
int rig_setup(void **state);
int rig_teardown(void **state); /* checks all invariants, and that every exchange was closed once */
/* rig.conf as rig_setup() would take it, then rig_begin(). */
void rig_defaults(void);
int rig_begin(void);

/* Runs on the worker's thread, and waits until it has. */
void rig_on_worker(void (*run)(void *arg), void *arg);
/* All invariants of both halves, on the worker's thread. */
void rig_check(void);
/* Pipes that are out, on the worker. */
unsigned rig_pipes_out(void);

/* ---- blocking sockets */
int rig_dial(void);				    /* to the proxy */
int rig_dial_to(const struct addr *to, int rcvbuf); /* rcvbuf: of the socket, or 0 */
int rig_accept(void);				    /* at raw_fd, within 5 s */
void rig_reset(int fd);				    /* closes with a RST */
void rig_put(int fd, const char *text);
void rig_put_n(int fd, const void *p, size_t n);
/* Reads until the end of the stream or until want bytes are there; at most 5 s without any. */
size_t rig_get(int fd, char *to, size_t want);
/* True: the other side closed, or reset, within 5 s, and sent nothing more. */
bool rig_ended(int fd);
/* All until the end of the stream, in memory of the rig's that the next call overwrites; NUL behind it. */
const char *rig_rest(int fd, size_t *n);
/* Up to and with the first empty line; the same. */
const char *rig_head(int fd);
/* One response with Content-Length (or none: no body); the same. */
const char *rig_one(int fd);
/* A request, to where the proxy sends it over a new connection, which is returned; its head there, as of rig_head(). */
int rig_pass(int client, const char *request);
/* The server answers 200 and "ok", and that is what the client gets. */
void rig_answer(int server, int client);

/* ---- an io for listeners that behaves as TLS may: rig.conf.listener.open_io = rig_io_open, io_arg = &a rig_io */
struct rig_io {
	bool handshake; /* the client sends "one", is sent "ONE", sends "two"; anything else is refused */
	bool waits_to_write; /* the step in the middle wants to write, and is asked twice */
	size_t read_most; /* bytes a read gives, or 0: all that it has. It reads the socket empty, ahead of itself */
	bool read_wants_write; /* what it read off the socket it gives only after the socket was writable */
	size_t write_most;   /* bytes a write takes, or 0: all; every other one takes none */
	size_t breaks_after; /* bytes that are written before writing fails, or 0: it never does */
	size_t write_limit;  /* bytes taken in all, or 0: as many as come */
	_Atomic bool write_none; /* writes take none; the test may change it at any time */
	/* A write is taken only after a byte '!' has come, which belongs to the io alone (a key that is to be changed). */
	bool write_wants_read;
};
void rig_io_open(struct io *io, int fd, struct addr *peer, const void *arg);
extern _Atomic int
	rig_io_refusals; /* reads and writes that would have blocked, since rig_defaults() */

/* ---- a body that tells where each of its bytes belongs */
char rig_byte(uint64_t offset);
void rig_fill(char *to, size_t n, uint64_t offset);

struct rig_sender {
	pthread_t thread;
	int fd;
	uint64_t size;	       /* bytes of the pattern */
	size_t piece;	       /* at once */
	int pause_us;	       /* between two pieces */
	bool then_close;       /* after the last */
	bool chunked;	       /* each piece a chunk, and the last chunk behind */
	_Atomic uint64_t sent; /* bytes of the pattern that the kernel has taken */
};
/* Sends the pattern from a thread of its own; ends early when the other side goes. */
void rig_send_start(struct rig_sender *s);
void rig_send_join(struct rig_sender *s);
/* Reads n bytes and compares them with the pattern from offset on; slow_us: pause after each read. Returns how many
 * came and were as they must be. */
uint64_t rig_get_pattern(int fd, uint64_t n, uint64_t offset, int slow_us);

#endif
