// SPDX-License-Identifier: MIT
/*
 * One line a request, in HAProxy's httplog format, so that its tools read it. Lines are gathered per worker and
 * written to standard output when 16 KB are there or after a second, so logging costs a request no system call.
 */
#ifndef LB_ACCESS_LOG_H
#define LB_ACCESS_LOG_H

#include <ev.h>

#include "http/msg.h"
#include "net/addr.h"

struct access_log {
	/* private */
	struct ev_loop *loop;
	struct ev_timer flush;
	size_t n;
	int fd;
	int64_t stamped_s;
	char stamp[24]; /* "23/Nov/2026:09:41:07" of stamped_s */
	char text[16384];
};

/* Times in milliseconds; -1: that phase was not reached. */
struct access_entry {
	const struct addr *peer;
	struct str frontend, pool, server; /* server "<NOSRV>" when none */
	int64_t request_ms, queue_ms, connect_ms, response_ms, total_ms;
	int status; /* -1: none was sent */
	uint64_t bytes;
	char ends[5]; /* "--NI": cause, phase, cookie sent, cookie answered */
	unsigned active, frontend_active, pool_active, server_active, retries;
	bool redispatched;
	struct str method, target; /* method n 0: target is what came, "<BADREQ>" */
	unsigned minor;
};

void access_log_init(struct access_log *l, struct ev_loop *loop, int fd);
void access_log_fini(struct access_log *l); /* writes what is left */
/* wall_us: when the request's first byte came. */
void access_log_add(struct access_log *l, const struct access_entry *e, int64_t wall_us);

/* The line alone, for tests: into to, newline included; returns its length. */
size_t access_log_format(struct access_log *l, const struct access_entry *e, int64_t wall_us,
			 char *to, size_t size);

#endif
