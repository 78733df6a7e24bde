// SPDX-License-Identifier: MIT
/*
 * The body of a daemon whose workers serve HTTP, lbd and edged: listeners, worker threads with an http_server each, the
 * rollout of a new configuration to the workers, the table of counters, draining.
 *
 *     start():   shell_open() ── listeners, table ──▶ the daemon's own ──▶ shell_run() ── workers
 *     reload():  shell_prepare() ── new listeners ──▶ the daemon's own ──▶ shell_publish()
 *     stop():    shell_stop(); alive(): shell_alive(); finish(): shell_finish()
 *
 * A generation of configuration reaches each worker as a message that holds a reference; the last worker to apply it
 * reports back. Listeners are compared by address: what a generation adds is opened before anything is changed, so that
 * a reload whose new address cannot be had leaves everything as it was; what it drops is closed by each worker.
 *
 * maxconn is one budget over all workers. A lower one takes effect at once, but ends no connection; a higher one as
 * soon as all workers have the memory for it. It is lowered to what the descriptor limit allows, with a warning.
 *
 * The shell is the daemon's user (daemon_user()). Main thread only, but for what says "worker's thread".
 */
#ifndef SHELL_H
#define SHELL_H

#include "daemon.h"
#include "http/server.h"
#include "ipc/listener.h"
#include "ipc/stats.h"

#define SHELL_LISTEN_MAX 64

struct shell;

/* What a generation asks of the shell. */
struct shell_plan {
	uint32_t workers;    /* 0: one a core. The first generation's counts */
	uint32_t maxconn;    /* clients at once, over all workers */
	uint32_t per_client; /* descriptors: 2 if each may need a connection to a server, else 1 */
	uint32_t origin;  /* with per_client 1: calls at once to the one server, over all workers */
	uint32_t buffers; /* most I/O buffers a worker may use; a reload does not lower it */
	unsigned n_listen;
	struct addr listen[SHELL_LISTEN_MAX];
};

/* A worker's socket of a listener, open or closed again; kept while the worker lives. */
struct shell_socket {
	const struct listener *listener; /* ro */
	struct http_listen_stats stats;	 /* ro */
	struct shell_socket *next;	 /* ro */
	/* rw, the daemon's: stats as last added to its counters, and the slot they were added to */
	struct http_listen_stats seen;
	unsigned slot;
};

#define SHELL_WORKER_MAGIC 0x7368776bu

/* A worker's part, the first member of the daemon's own context of a worker (worker->ctx). On the worker's thread. */
struct shell_worker {
	uint32_t magic;		       /* SHELL_WORKER_MAGIC */
	struct shell *shell;	       /* ro */
	struct worker *worker;	       /* ro */
	struct daemon_generation *gen; /* ro: the configuration of new requests; held */
	struct http_server *server;    /* ro: tags are struct listener */
	stats_cell *stats;	       /* ro: this worker's counters of the process */
	struct budget *calls;	       /* ro: plan.origin over all workers, for http_client_conf */
	uint32_t origin;	       /* ro: its limit */
	uint32_t idle; /* ro: idle connections to servers that this worker may keep */
	struct shell_socket *sockets; /* ro: of all listeners it ever had */
	/* private */
	struct http_server_stats seen; /* of server, as last added to stats */
	struct ev_timer publish;
	const struct listener *listening[SHELL_LISTEN_MAX];
	unsigned n_listening;
};

struct shell_ops {
	/* Indices, among the counters of the process, of those that the shell updates. */
	struct {
		unsigned connections, clients, shed, bytes_in, bytes_out, log_dropped;
	} keeps;
	size_t worker_size; /* of the daemon's context of a worker, zeroed before init() */
	const struct http_server_ops *server;

	/* What g wants. Main thread. */
	void (*plan)(const struct daemon_generation *g, struct shell_plan *plan);

	/* The rest on the worker's thread. How connections to that address are treated. */
	struct http_listener_conf (*listener_conf)(const struct daemon_generation *g,
						   const struct addr *listen);
	/* Before the worker listens, and after its server was freed. */
	void (*init)(struct shell_worker *w);
	void (*fini)(struct shell_worker *w);
	/* w->gen is a new one. */
	void (*apply)(struct shell_worker *w);
	/* Once a second, and before w->gen is a new one: counters that are kept elsewhere. May be NULL. */
	void (*publish)(struct shell_worker *w);
	/* Aborts unless the invariants of the worker's own hold; returns how many structures it looked at. */
	unsigned (*check)(struct shell_worker *w);

	/*
	 * Main thread: the same of what the workers share, and of what is spread over them. still: they wait meanwhile,
	 * and their own structures may be read; else only what has locks.
	 */
	unsigned (*check_shared)(struct shell *s, bool still);
};

/*
 * Makes the shell from daemon_current(): opens listeners and table. user is the daemon's own (shell_user()). NULL with e
 * set: the daemon cannot start.
 */
struct shell *shell_open(struct daemon *d, const struct shell_ops *ops, void *user, struct err *e);
/* Starts the workers. -1 with e set: they could not start. */
int shell_run(struct shell *s, struct err *e);

/* daemon_current() is a new generation: opens what it adds. -1 with e set: nothing has changed. */
int shell_prepare(struct shell *s, struct err *e);
/* Passes daemon_current() to the workers and retires what it does not listen on any more. */
void shell_publish(struct shell *s);

void shell_stop(struct daemon *d);  /* daemon_ops.stop */
bool shell_alive(struct daemon *d); /* daemon_ops.alive */
void shell_finish(struct shell *s); /* joins the workers, frees; user is still the caller's */

struct shell *shell_of(struct daemon *d);
void *shell_user(const struct shell *s);
const struct stats *shell_stats(const struct shell *s);
/* Any thread: client connections open now over all workers, and how many there may be. */
unsigned shell_clients(const struct shell *s);
unsigned shell_maxconn(const struct shell *s);
unsigned shell_workers(const struct shell *s);
/* Worker i's context, to post a message to its mailbox; NULL before shell_run(). */
struct shell_worker *shell_worker(const struct shell *s, unsigned i);

/*
 * A command that both have, as a row of a table of struct ctl_command: every worker checks its own structures, then the
 * main thread those that they share, while they stand still.
 */
#define SHELL_COMMANDS                                                                             \
	{                                                                                          \
		"check", "", "diagnostics: abort unless all invariants hold", true,                \
			shell_cmd_check                                                            \
	}
void shell_cmd_check(struct text *out, struct str args, bool json, void *daemon);

/* On the worker's thread: the context of the worker that x belongs to. */
static inline struct shell_worker *shell_worker_of(const struct http_exchange *x)
{
	return x->worker->ctx;
}

#endif
