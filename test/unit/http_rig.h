// SPDX-License-Identifier: MIT
/*
 * Both halves of a proxy together, over real sockets on loopback and one worker: an origin made of http_server, a
 * small proxy made of both, and a third server with a handler of the test's own. Clients are the test's
 * (rig_socket.h), and so is the origin when the test wants to play that too.
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
#include "rig_socket.h"

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

/* ---- both ends of a conversation */
int rig_dial(void);   /* to the proxy */
int rig_accept(void); /* at raw_fd, within 5 s */
/* A request, to where the proxy sends it over a new connection, which is returned; its head there, as of rig_head(). */
int rig_pass(int client, const char *request);
/* The server answers 200 and "ok", and that is what the client gets. */
void rig_answer(int server, int client);

#endif
