// SPDX-License-Identifier: MIT
/*
 * One probe of a target: a connection, an HTTP request, or a login and a query. Kinds are a table
 * of operations; the scheduler (checks.c) knows none of them.
 *
 * A probe belongs to the main loop. After probe_start(), done() is called exactly once, from the
 * loop and never from within probe_start(), at the latest when the time is up; unless the probe is
 * freed before. Inside done() it may be started again or freed.
 */
#ifndef PROBE_H
#define PROBE_H

#include <ev.h>

#include "ipc/health.h"
#include "loop/mailbox.h"
#include "net/addr.h"

#define PROBE_REASON 104 /* as in struct health_record */

struct curl_loop;
struct probe_mysql_jobs;

/* What all probes of a daemon share. */
struct probe_env {
	struct ev_loop *loop;
	struct curl_loop *curl;
	struct probe_mysql_jobs *mysql;
};

/* X(kind): probe_KIND.c has its operations. */
#define PROBE_KINDS(X) X(tcp) X(http) X(mysql)

enum probe_kind {
#define X(name) PROBE_##name,
	PROBE_KINDS(X)
#undef X
};

/* What to probe, and how. Strings are NUL-terminated too, and outlive the probe. */
struct probe_spec {
	enum probe_kind kind;
	struct addr address;
	uint32_t timeout_ms;	 /* of the whole probe */
	unsigned send_proxy;	 /* tcp, http: version of a PROXY header to begin with, 0: none */
	struct str method, path; /* http */
	uint32_t status_lo, status_hi;		    /* http: the range that is good */
	struct str user, password, database, query; /* mysql */
};

struct probe_result {
	enum health_result result;
	uint32_t code; /* HTTP status or database error, 0: none */
	uint32_t latency_us;
	char reason[PROBE_REASON]; /* one printable line, whatever the peer sent */
};

#define PROBE_MAGIC UINT32_C(0x94b1d27e)

struct probe {
	uint32_t magic; /* private to probe.c and the kinds */
	/* ro */
	const struct probe_ops *ops;
	const struct probe_env *env;
	const struct probe_spec *spec;
	bool running;
	/* set by the owner, before the first start */
	void *arg;
	/* private to probe.c */
	void (*done)(struct probe *p, const struct probe_result *r);
	struct ev_timer limit;
	int64_t started_us;
	struct probe_result result;
};

struct probe_ops {
	size_t size; /* of the struct that begins with a struct probe */
	void (*init)(struct probe *p);
	void (*start)(struct probe *p);
	/* Releases what start() began; p may start again. Called when it has ended in time too. */
	void (*stop)(struct probe *p);
	void (*fini)(struct probe *p);
	/* The time is up: which stage has not ended? */
	enum health_result (*timeout_result)(struct probe *p);
};

#define X(name) extern const struct probe_ops probe_##name##_ops;
PROBE_KINDS(X)
#undef X

struct probe *probe_new(const struct probe_env *env, const struct probe_spec *spec,
			void (*done)(struct probe *p, const struct probe_result *r));
void probe_free(struct probe *p);  /* also one that runs; accepts NULL */
void probe_start(struct probe *p); /* it must not be running */
/* Started, and done() not called yet? */
bool probe_is_busy(const struct probe *p);

bool probe_good(enum health_result result);
const char *probe_kind_text(enum probe_kind kind);
/* Would both probe the same thing in the same way, but for the time they wait? */
bool probe_same(const struct probe_spec *a, const struct probe_spec *b);

/* ---- for the kinds */

/*
 * It has ended: what start() began is stopped, and done() runs in the loop's next turn. The reason
 * may quote the peer: it is sanitized here.
 */
void probe_end(struct probe *p, enum health_result result, uint32_t code, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

/*
 * Begins a connection as the spec's send_proxy says: with a header that names no client, since the probe is
 * healthd's own. more: a request follows at once. False: the connection did not take it.
 */
bool probe_send_proxy(const struct probe *p, int fd, bool more);

/* The text of an errno, as a reason: "connection refused". */
void probe_error_text(int error, char to[PROBE_REASON]);

#endif
