// SPDX-License-Identifier: MIT
/*
 * One line a request, in HAProxy's httplog format, so that its tools read it. A worker only puts its lines into a ring
 * (base/writer.h), which costs no system call; if standard output is not read, lines are dropped and counted, and
 * requests go on.
 */
#ifndef LB_ACCESS_LOG_H
#define LB_ACCESS_LOG_H

#include "base/writer.h"
#include "http/msg.h"
#include "net/addr.h"

struct access_log {
	/* private */
	struct writer_lines *lines;
	int64_t stamped_s;
	char stamp[24]; /* "23/Nov/2026:09:41:07" of stamped_s */
};

/* Times in milliseconds; -1: that phase was not reached. */
struct access_entry {
	const struct addr *peer;
	struct str frontend, pool, server; /* server "<NOSRV>" when none */
	int64_t request_ms, queue_ms, connect_ms, response_ms, total_ms;
	int status; /* -1: none was sent */
	uint64_t bytes;
	char termination_state[5]; /* "--NI": cause, phase, request's cookie, response's cookie */
	unsigned active, frontend_active, pool_active, server_active, retries;
	bool redispatched;
	struct str method, target; /* method n 0: target stands for the line, "<BADREQ>" */
	unsigned minor;
};

/* On the worker's thread; lines added before access_log_fini() are still written after it. */
void access_log_init(struct access_log *l);
void access_log_fini(struct access_log *l);
/* wall_us: when the request's first byte came. */
void access_log_add(struct access_log *l, const struct access_entry *e, int64_t wall_us);

/* The line alone, for tests: into to, newline included; returns its length. */
size_t access_log_format(struct access_log *l, const struct access_entry *e, int64_t wall_us,
			 char *to, size_t size);

#endif
