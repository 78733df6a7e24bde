// SPDX-License-Identifier: MIT
/*
 * A daemon's life: read the file, start, run the loop, reload on SIGHUP, end on SIGTERM.
 *
 * A reload parses and checks the new file in an arena of its own before anything is touched; on any error it is
 * thrown away, every error is logged, and the old generation is kept. The second SIGTERM, or the drain deadline,
 * ends the loop whatever is left.
 */
#include "daemon.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "conf/doc.h"
#include "ipc/journal.h"
#include "ipc/report.h"
#include "ipc/sd.h"
#include "ipc/stats_report.h"

#define DAEMON_MAGIC 0x64616d6eu
#define HEARTBEAT_S  0.25

struct daemon {
	uint32_t magic;
	pthread_t thread; /* the main one */
	const struct daemon_ops *ops;
	const char *conf_path, *run_dir;
	struct ev_loop *loop;
	struct ev_signal on_hup, on_term, on_int;
	struct ev_timer drained, watchdog, heartbeat;
	struct ctl *ctl;
	struct ctl_command *commands;
	struct daemon_generation *current;
	struct stats stats;
	unsigned last_number;
	bool stopping, has_stats;
	void *user;
};

/* ---- generations */

struct daemon_generation *daemon_ref(struct daemon_generation *g)
{
	MAGIC_CHECK(g, DAEMON_GENERATION_MAGIC);
	MUST(atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed) > 0);
	return g;
}

void daemon_unref(struct daemon_generation *g)
{
	if (!g)
		return;
	MAGIC_CHECK(g, DAEMON_GENERATION_MAGIC);
	unsigned refs = atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel);
	MUST(refs > 0);
	if (refs > 1)
		return;
	MAGIC_WIPE(g, DAEMON_GENERATION_MAGIC);
	struct arena arena = g->arena;
	arena_fini(&arena); /* g itself lives in it */
}

/* Reads and builds. NULL: there were errors, printed to `to` or, when that is NULL, logged. */
static struct daemon_generation *read_generation(struct daemon *d, FILE *to)
{
	struct arena arena;
	struct conf_errors errors;
	arena_init(&arena, NULL, 0, ARENA_UNLIMITED);
	conf_errors_init(&errors, &arena);
	struct daemon_generation *g = ARENA_NEW(&arena, struct daemon_generation);
	struct conf_errors *es = ARENA_NEW(&arena, struct conf_errors);
	*es = errors;
	MAGIC_SET(g, DAEMON_GENERATION_MAGIC);
	g->arena = arena;
	es->arena = &g->arena;
	g->number = d->last_number + 1;
	atomic_init(&g->refs, 1);
	g->conf = conf_read(d->conf_path, d->ops->schema, d->ops->n_schema, &g->arena, es);
	if (g->conf)
		d->ops->build(g, es);
	if (g->conf && es->n == 0)
		return g;
	if (to)
		conf_errors_print(es, to);
	else
		conf_errors_log(es);
	daemon_unref(g);
	return NULL;
}

struct daemon_generation *daemon_current(struct daemon *d)
{
	MAGIC_CHECK(d, DAEMON_MAGIC);
	return d->current;
}

/* ---- reload */

static void say_restart(void *arg, const char *kind, struct str name, const char *key)
{
	struct daemon *d = arg;
	MAGIC_CHECK(d, DAEMON_MAGIC);
	log_warn("[%s%s%.*s] %s changed: it takes effect when %s is restarted", kind,
		 name.n ? " " : "", STR_ARG(name), key, d->ops->name);
}

static bool reload(struct daemon *d)
{
	struct err e = {""};
	struct daemon_generation *old = d->current, *fresh;
	MUST(daemon_here(d) && old);
	if (d->stopping) {
		log_notice("stopping: the configuration is not read again");
		return false;
	}
	sd_reloading();
	fresh = read_generation(d, NULL);
	if (fresh) {
		d->current = fresh;
		if (d->ops->reload(d, old, &e) < 0) {
			log_err("%s", e.text);
			d->current = old;
			daemon_unref(fresh);
			fresh = NULL;
		}
	}
	sd_ready(fresh ? "running" : "running; the last reload was refused");
	if (!fresh) {
		log_event(LOG_LEVEL_ERR, &(struct log_fields){.event = "reload_refused"},
			  "%s is refused; the previous configuration is kept", d->conf_path);
		ctl_event(d->ctl, "reload refused");
		return false;
	}
	d->last_number = fresh->number;
	conf_restart_keys(old->conf, fresh->conf, say_restart, d);
	daemon_unref(old);
	log_event(LOG_LEVEL_NOTICE, &(struct log_fields){.event = "reload_done"},
		  "%s: configuration %u is active", d->conf_path, fresh->number);
	ctl_event(d->ctl, "reload done %u", fresh->number);
	return true;
}

static void on_hup(struct ev_loop *loop UNUSED, struct ev_signal *w, int events UNUSED)
{
	struct daemon *d = container_of(w, struct daemon, on_hup);
	MAGIC_CHECK(d, DAEMON_MAGIC);
	reload(d);
}

/* ---- stop */

void daemon_done(struct daemon *d)
{
	MUST(daemon_here(d));
	ev_break(d->loop, EVBREAK_ALL);
}

static void on_drained(struct ev_loop *loop UNUSED, struct ev_timer *w, int events UNUSED)
{
	struct daemon *d = container_of(w, struct daemon, drained);
	MAGIC_CHECK(d, DAEMON_MAGIC);
	MUST(d->stopping);
	log_warn("drain timeout after %d ms: exiting", d->ops->drain_ms);
	daemon_done(d);
}

static void stop(struct daemon *d, const char *why)
{
	if (d->stopping) {
		log_notice("%s again: exiting at once", why);
		daemon_done(d);
		return;
	}
	d->stopping = true;
	log_event(LOG_LEVEL_NOTICE, &(struct log_fields){.event = "stopping", .reason = why},
		  "%s: stopping", why);
	sd_stopping();
	ctl_event(d->ctl, "stopping");
	ev_timer_set(&d->drained, d->ops->drain_ms / 1e3, 0.);
	ev_timer_start(d->loop, &d->drained);
	d->ops->stop(d);
}

static void on_term(struct ev_loop *loop UNUSED, struct ev_signal *w, int events UNUSED)
{
	struct daemon *d = container_of(w, struct daemon, on_term);
	MAGIC_CHECK(d, DAEMON_MAGIC);
	stop(d, "SIGTERM");
}

static void on_int(struct ev_loop *loop UNUSED, struct ev_signal *w, int events UNUSED)
{
	struct daemon *d = container_of(w, struct daemon, on_int);
	MAGIC_CHECK(d, DAEMON_MAGIC);
	stop(d, "SIGINT");
}

/* ---- heartbeat */

static bool is_alive(struct daemon *d)
{
	return !d->ops->alive || d->ops->alive(d);
}

static void on_watchdog(struct ev_loop *loop UNUSED, struct ev_timer *w, int events UNUSED)
{
	struct daemon *d = container_of(w, struct daemon, watchdog);
	MAGIC_CHECK(d, DAEMON_MAGIC);
	if (is_alive(d))
		sd_watchdog();
	else
		log_err("a worker is stuck: no heartbeat to the service manager");
}

static void on_heartbeat(struct ev_loop *loop UNUSED, struct ev_timer *w, int events UNUSED)
{
	struct daemon *d = container_of(w, struct daemon, heartbeat);
	MAGIC_CHECK(d, DAEMON_MAGIC);
	MUST(d->has_stats);
	/* It says that all threads work, not only the main loop. */
	if (is_alive(d))
		stats_heartbeat(&d->stats, clock_now_us());
}

/* ---- counters */

static char *stats_path(const struct daemon *d, char to[DAEMON_PATH_SIZE])
{
	snprintf(to, DAEMON_PATH_SIZE, "%s/%s.shm", d->run_dir, d->ops->name);
	return to;
}

struct stats *daemon_open_stats(struct daemon *d, unsigned workers)
{
	char path[DAEMON_PATH_SIZE];
	struct err e;
	MAGIC_CHECK(d, DAEMON_MAGIC);
	MUST(daemon_here(d) && !d->has_stats && d->ops->n_counters);
	if (stats_create(&d->stats, stats_path(d, path), d->ops->counters,
			 (unsigned)d->ops->n_counters, workers, &e) < 0)
		log_err("counters are not published: %s", e.text);
	d->has_stats = true;
	ev_timer_init(&d->heartbeat, on_heartbeat, 0., HEARTBEAT_S);
	ev_timer_start(d->loop, &d->heartbeat);
	return &d->stats;
}

struct stats *daemon_stats(struct daemon *d)
{
	return d->has_stats ? &d->stats : NULL;
}

static void close_stats(struct daemon *d)
{
	char path[DAEMON_PATH_SIZE];
	if (!d->has_stats)
		return;
	ev_timer_stop(d->loop, &d->heartbeat);
	if (d->stats.published)
		unlink(stats_path(d, path));
	stats_fini(&d->stats);
	d->has_stats = false;
}

/* ---- commands that every daemon has */

static void cmd_version(struct text *out, struct str args UNUSED, bool json, void *arg)
{
	struct daemon *d = arg;
	struct report r;
	MAGIC_CHECK(d, DAEMON_MAGIC);
	report_begin(&r, out, json ? REPORT_JSON : REPORT_TEXT);
	report_row(&r, NULL);
	report_str(&r, "name", "%", d->ops->name);
	report_str(&r, "version", "%", GREENPI_VERSION);
	report_int(&r, "pid", NULL, getpid());
	report_uint(&r, "configuration", NULL, d->current->number);
	report_close(&r);
	report_end(&r);
}

static void cmd_reload(struct text *out, struct str args UNUSED, bool json UNUSED, void *arg)
{
	struct daemon *d = arg;
	MAGIC_CHECK(d, DAEMON_MAGIC);
	text_add(out, reload(d) ? STR("done\n") : STR("error: refused, see the log\n"));
}

/* The word csv, at the end of args, is taken off. */
static bool take_csv(struct str *args)
{
	if (!str_eq(*args, STR("csv")) && !str_ends(*args, STR(" csv")))
		return false;
	*args = str_trim(str_of(args->p, args->n - strlen("csv")));
	return true;
}

static void cmd_stats(struct text *out, struct str args, bool json, void *arg)
{
	struct daemon *d = arg;
	enum report_format format = json ? REPORT_JSON : REPORT_TEXT;
	struct err e;
	MAGIC_CHECK(d, DAEMON_MAGIC);
	if (!json && take_csv(&args))
		format = REPORT_CSV;
	if (!d->has_stats)
		text_add(out, STR("error: there are no counters\n"));
	else if (stats_report(&d->stats.view, args, false, format, out, &e) < 0)
		text_printf(out, "error: %s\n", e.text);
}

static void make_commands(struct daemon *d)
{
	static const struct ctl_command own[] = {
		{"version", "", "name, version, process and configuration number", false,
		 cmd_version},
		{"reload", "", "read the configuration file again", true, cmd_reload},
		{"stats", "[KIND[/NAME]] [json|csv]",
		 "the counters, which are also in the .shm table", false, cmd_stats},
	};
	size_t n = 0;
	while (d->ops->commands && d->ops->commands[n].name)
		n++;
	size_t n_own = ARRAY_LEN(own) - !d->ops->n_counters;
	d->commands = def_xcalloc(n_own + n + 1, sizeof(*d->commands));
	memcpy(d->commands, own, n_own * sizeof(*own));
	if (n)
		memcpy(d->commands + n_own, d->ops->commands, n * sizeof(*d->commands));
}

/* ---- for the daemons */

bool daemon_here(const struct daemon *d)
{
	MAGIC_CHECK(d, DAEMON_MAGIC);
	return pthread_equal(d->thread, pthread_self());
}

struct ev_loop *daemon_loop(struct daemon *d)
{
	MAGIC_CHECK(d, DAEMON_MAGIC);
	return d->loop;
}

struct ctl *daemon_ctl(struct daemon *d)
{
	return d->ctl;
}

bool daemon_stopping(const struct daemon *d)
{
	return d->stopping;
}

void daemon_set_user(struct daemon *d, void *user)
{
	d->user = user;
}

void *daemon_user(struct daemon *d)
{
	MAGIC_CHECK(d, DAEMON_MAGIC);
	return d->user;
}

char *daemon_path(const struct daemon *d, const char *name, char *to, size_t size)
{
	snprintf(to, size, "%s/%s", d->run_dir, name);
	return to;
}

/* ---- running */

static void raise_descriptor_limit(void)
{
	struct rlimit r;
	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static void watch_signals(struct daemon *d)
{
	signal(SIGPIPE, SIG_IGN);
	ev_signal_init(&d->on_hup, on_hup, SIGHUP);
	ev_signal_init(&d->on_term, on_term, SIGTERM);
	ev_signal_init(&d->on_int, on_int, SIGINT);
	ev_signal_start(d->loop, &d->on_hup);
	ev_signal_start(d->loop, &d->on_term);
	ev_signal_start(d->loop, &d->on_int);
	ev_timer_init(&d->drained, on_drained, 0., 0.);
	uint64_t us = sd_watchdog_us();
	ev_timer_init(&d->watchdog, on_watchdog, 0., (double)us / 3e6);
	if (us)
		ev_timer_again(d->loop, &d->watchdog);
}

static void open_ctl(struct daemon *d)
{
	char name[64], path[DAEMON_PATH_SIZE];
	struct err e;
	make_commands(d);
	snprintf(name, sizeof(name), "%s.sock", d->ops->name);
	d->ctl = ctl_new(d->loop, daemon_path(d, name, path, sizeof(path)), d->commands, d, &e);
	if (!d->ctl)
		log_err("no control socket: %s", e.text);
}

static int run(struct daemon *d)
{
	struct err e = {""};
	raise_descriptor_limit();
	umask(007);
	if (mkdir(d->run_dir, 0770) < 0 && errno != EEXIST)
		log_warn("%s: %m", d->run_dir);
	d->loop = ev_default_loop(EVFLAG_NOENV);
	MUST(d->loop);
	watch_signals(d);
	open_ctl(d);
	int rc = d->ops->start(d, &e);
	if (rc < 0) {
		log_err("%s", e.text);
	} else {
		sd_close_unclaimed();
		log_event(LOG_LEVEL_NOTICE, &(struct log_fields){.event = "started"},
			  "%s %s runs with %s", d->ops->name, GREENPI_VERSION, d->conf_path);
		sd_ready("running");
		ev_run(d->loop, 0);
		d->ops->finish(d);
		log_event(LOG_LEVEL_NOTICE, &(struct log_fields){.event = "stopped"}, "ended");
	}
	close_stats(d);
	ctl_free(d->ctl);
	free(d->commands);
	return rc < 0;
}

/* Reads the file, and says what is in it (-T) or only that it is good (-t). */
static int look(struct daemon *d, bool print)
{
	d->current = read_generation(d, stderr);
	if (!d->current)
		return 1;
	if (print)
		conf_print_effective(stdout, d->current->conf);
	else
		printf("%s: %s: good\n", d->ops->name, d->conf_path);
	daemon_unref(d->current);
	return 0;
}

/* From the first log line to the last, no thread waits for the log's reader. */
static int live(struct daemon *d)
{
	int rc = 1;
	log_set_sink(journal_is_stderr() ? journal_take : NULL);
	log_start();
	d->current = read_generation(d, NULL);
	if (d->current) {
		d->last_number = d->current->number;
		rc = run(d);
		daemon_unref(d->current);
	}
	log_stop();
	return rc;
}

/* ---- options */

static void usage(const struct daemon_ops *ops, FILE *to)
{
	fprintf(to,
		"%s: %s\n\n"
		"usage: %s [options]\n"
		"  -c FILE  configuration (%s)\n"
		"  -r DIR   run directory: control sockets and tables (%s)\n"
		"  -t       check the configuration and exit: 0 if it is good\n"
		"  -T       print the configuration in effect and exit\n"
		"  -d       debug messages\n"
		"  -V       version\n"
		"  -h       this help\n",
		ops->name, ops->summary, ops->name, DAEMON_CONF, DAEMON_RUN_DIR);
}

static int print_doc(const struct daemon_ops *ops, const char *kind)
{
	if (strcmp(kind, "man") == 0)
		conf_print_man(stdout, ops->schema, ops->n_schema);
	else if (strcmp(kind, "example") == 0)
		conf_print_example(stdout, ops->schema, ops->n_schema);
	else if (strcmp(kind, "counters") == 0)
		stats_report_man(stdout, ops->counters, ops->n_counters);
	else
		return 2;
	return 0;
}

/* To a journal or another service manager's pipe go level prefixes; to a person's terminal, times. */
static void init_log(bool debug)
{
	bool journal = getenv("JOURNAL_STREAM") || getenv("INVOCATION_ID");
	log_init(journal, debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
}

int daemon_main(int argc, char **argv, const struct daemon_ops *ops)
{
	struct daemon d = {.magic = DAEMON_MAGIC,
			   .thread = pthread_self(),
			   .ops = ops,
			   .conf_path = DAEMON_CONF,
			   .run_dir = DAEMON_RUN_DIR};
	bool check = false, print = false, debug = false;
	static const struct option longs[] = {{"doc", required_argument, NULL, 'D'},
					      {NULL, 0, NULL, 0}};
	int o;
	while ((o = getopt_long(argc, argv, "c:r:tTdVh", longs, NULL)) != -1) {
		switch (o) {
		case 'c':
			d.conf_path = optarg;
			break;
		case 'r':
			d.run_dir = optarg;
			break;
		case 't':
			check = true;
			break;
		case 'T':
			print = true;
			break;
		case 'd':
			debug = true;
			break;
		case 'V':
			printf("%s %s\n", ops->name, GREENPI_VERSION);
			return 0;
		case 'h':
			usage(ops, stdout);
			return 0;
		case 'D':
			return print_doc(ops, optarg);
		default:
			usage(ops, stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "%s: unexpected \"%s\"; a file is given with -c\n", ops->name,
			argv[optind]);
		usage(ops, stderr);
		return 2;
	}
	int missing = sd_begin() < 0 ? errno : 0;
	init_log(debug);
	if (missing) {
		errno = missing;
		log_err("LISTEN_FDS: not all descriptors that it speaks of are there: %m");
		return 1;
	}
	int rc = check || print ? look(&d, print) : live(&d);
	MAGIC_WIPE(&d, DAEMON_MAGIC);
	return rc;
}
