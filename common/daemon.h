// SPDX-License-Identifier: MIT
/*
 * What every main.c does: options, configuration by generations, signals, control socket, readiness, watchdog, and
 * an orderly end. A daemon fills in a struct daemon_ops and returns daemon_main().
 *
 *     NAME [-c FILE] [-r DIR] [-d] | -t | -T | -V | -h | --doc man|example|counters
 *
 * All ops run on the main thread.
 */
#ifndef DAEMON_H
#define DAEMON_H

#include <ev.h>
#include <stdatomic.h>

#include "conf/reader.h"
#include "ipc/ctl.h"
#include "ipc/stats.h"

#ifndef GREENPI_VERSION
#define GREENPI_VERSION "0.1"
#endif

#define DAEMON_CONF    "/etc/greenpi/greenpi.conf"
#define DAEMON_RUN_DIR "/run/greenpi"

/*
 * One reading of the configuration file and what a daemon made of it, in one arena, immutable once published.
 * Code that uses it holds a reference (from any thread); the last unref frees all of it.
 */
#define DAEMON_GENERATION_MAGIC 0x67656e72u

struct daemon_generation {
	uint32_t magic; /* private */
	struct arena arena;
	struct conf *conf;
	void *config;	 /* the daemon's own, set by build() */
	unsigned number; /* 1, 2, 3 … */
	_Atomic unsigned refs;
};

struct daemon_generation *daemon_ref(struct daemon_generation *g); /* returns g */
void daemon_unref(struct daemon_generation *g);			   /* accepts NULL */

struct daemon;

struct daemon_ops {
	const char *name;    /* "lbd" */
	const char *summary; /* for -h */
	const struct conf_section *const *schema;
	size_t n_schema;
	const struct ctl_command *commands; /* run with the struct daemon as arg */
	const struct stats_kind *counters;  /* the process first; NULL: no table of counters */
	size_t n_counters;
	int drain_ms; /* longest time between stop() and the end */

	/* Checks across sections and builds g->config in g->arena; problems go to errors. Called also for -t. */
	void (*build)(struct daemon_generation *g, struct conf_errors *errors);
	/* Brings the daemon up with its first generation (daemon_current()). -1 with e set: exit 1. */
	int (*start)(struct daemon *d, struct err *e);
	/* A new generation is daemon_current() now; old is released after the call. -1 with e set: the new one is
	 * dropped and old stays current, so nothing may have been changed. */
	int (*reload)(struct daemon *d, struct daemon_generation *old, struct err *e);
	/* Begin to drain: take no more work. Call daemon_done() when all work is finished. */
	void (*stop)(struct daemon *d);
	/* Do all threads respond? NULL: a running main loop is enough. */
	bool (*alive)(struct daemon *d);
	/* The loop has ended: join, free. */
	void (*finish)(struct daemon *d);
};

int daemon_main(int argc, char **argv, const struct daemon_ops *ops);

/* Is the caller on the main thread? For asserts in functions that must be called there. */
bool daemon_here(const struct daemon *d);
struct ev_loop *daemon_loop(struct daemon *d);
struct ctl *daemon_ctl(struct daemon *d); /* NULL when the control socket could not be opened */
struct daemon_generation *daemon_current(struct daemon *d);
bool daemon_stopping(const struct daemon *d);
void daemon_done(struct daemon *d); /* after stop(): leave the loop */

/*
 * Makes NAME.shm, the table of ops.counters, for that many workers; once, from start(). If it cannot be published, the
 * counters work but are not seen by others. Its heartbeat is the daemon's: it goes on while ops.alive() returns true. The table lasts until
 * finish() has returned; then its file goes too. The command `stats` reads it.
 */
struct stats *daemon_open_stats(struct daemon *d, unsigned workers);
struct stats *daemon_stats(struct daemon *d); /* NULL before daemon_open_stats() */

/* The daemon's own state. */
void daemon_set_user(struct daemon *d, void *user);
void *daemon_user(struct daemon *d);

/* "DIR/name" in the run directory, into to; returns to. */
char *daemon_path(const struct daemon *d, const char *name, char *to, size_t size);
#define DAEMON_PATH_SIZE 256

#endif
