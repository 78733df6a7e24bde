// SPDX-License-Identifier: MIT
/*
 * A login with password and a query, as an application would. A server that turns the login away is
 * told apart from one that cannot be reached; a query that selects must give a row, so that
 * `SELECT 1 FROM dual WHERE @@read_only = 0` says whether the server takes writes.
 *
 * The thread touches its job only; the link from job to probe is the main thread's. The deadline in
 * milliseconds is the frame's (probe.c); the library knows whole seconds only, which bound how long
 * a thread may outlive its probe. A probe has one thread at most: started again while the last one
 * hangs, it waits for that first.
 */
#include "probe_mysql.h"

#include <errmsg.h>
#include <mysql.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "probe.h"

#define STACK (512u << 10)

struct probe_mysql_jobs {
	struct mailbox mailbox;
	struct job *first;
};

#define JOB_MAGIC UINT32_C(0xd80f5b63)

struct job {
	uint32_t magic;
	struct message message; /* posted when the thread is about to end */
	struct probe_mysql_jobs *jobs;
	struct job *prev, *next;
	struct mysql_probe *probe; /* main thread only; NULL: its result is no longer wanted */
	pthread_t thread;
	struct arena arena;
	struct probe_spec spec; /* strings in the arena */
	enum health_result result;
	unsigned code;
	char reason[PROBE_REASON];
};

struct mysql_probe {
	struct probe probe;
	struct job *job; /* its thread, also of a run before this one */
	bool waiting;	 /* for job to end, to begin anew */
};

static struct mysql_probe *mysql_of(struct probe *p)
{
	MAGIC_CHECK(p, PROBE_MAGIC);
	return container_of(p, struct mysql_probe, probe);
}

/* ---- on the thread */

static void set_result(struct job *j, enum health_result result, unsigned code, const char *reason)
{
	j->result = result;
	j->code = code;
	str_copy(j->reason, sizeof(j->reason), str_c(reason));
}

/*
 * Plugins that prove to know the password and do not tell it. The server chooses, or what
 * listens there in its place: mysql_clear_password and dialog would send it as it is,
 * caching_sha2_password and sha256_password under a public key that the same server hands out.
 */
#define PLUGINS "mysql_native_password,client_ed25519"

/* The client library's own errors are about the way, the server's about what was asked. */
static enum health_result classify(unsigned code)
{
	switch (code) {
	case CR_CONNECTION_ERROR:
	case CR_CONN_HOST_ERROR:
	case CR_IPSOCK_ERROR:
	case CR_UNKNOWN_HOST:
		return HEALTH_L4CON;
	case CR_SOCKET_CREATE_ERROR:
	case CR_OUT_OF_MEMORY:
		return HEALTH_SOCKERR;
	default:
		return (code >= CR_MIN_ERROR && code <= CR_MAX_ERROR) ||
				       (code >= CER_MIN_ERROR && code <= CER_MAX_ERROR)
			       ? HEALTH_L7RSP
			       : HEALTH_L7STS;
	}
}

/*
 * Where the library's text is wrong, ours: with the system's error number a refusal reads "in
 * progress", and a plugin that is not allowed has bytes of the login for a name.
 */
static void set_error(struct job *j, MYSQL *db)
{
	unsigned code = mysql_errno(db);
	enum health_result result = classify(code);
	if (result == HEALTH_L4CON)
		set_result(j, result, code, "cannot connect");
	else if (code == CR_PLUGIN_NOT_ALLOWED)
		set_result(j, result, code, "it asks for a login by another plugin than " PLUGINS);
	else
		set_result(j, result, code, mysql_error(db));
}

static bool set_options(MYSQL *db, uint32_t timeout_ms)
{
	unsigned seconds = (timeout_ms + 999) / 1000, no = 0;
	mysql_options(db, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
	mysql_options(db, MYSQL_OPT_READ_TIMEOUT, &seconds);
	mysql_options(db, MYSQL_OPT_WRITE_TIMEOUT, &seconds);
	mysql_options(db, MYSQL_OPT_LOCAL_INFILE, &no); /* a server may not ask for our files */
	return mysql_options(db, MARIADB_OPT_RESTRICTED_AUTH, PLUGINS) == 0;
}

static bool login(struct job *j, MYSQL *db)
{
	const struct probe_spec *s = &j->spec;
	char host[ADDR_TEXT_SIZE];
	addr_format_ip(&s->address, host);
	if (!set_options(db, s->timeout_ms)) {
		set_result(j, HEALTH_SOCKERR, 0, "the client library cannot restrict logins");
		return false;
	}
	if (mysql_real_connect(db, host, s->user.p, s->password.p, s->database.p,
			       addr_port(&s->address), NULL, 0))
		return true;
	set_error(j, db);
	return false;
}

static void run_query(struct job *j, MYSQL *db)
{
	MYSQL_RES *rows;
	if (mysql_real_query(db, j->spec.query.p, j->spec.query.n) != 0) {
		set_error(j, db);
		return;
	}
	rows = mysql_use_result(db);
	if (mysql_field_count(db) > 0 && (!rows || !mysql_fetch_row(rows))) {
		if (mysql_errno(db))
			set_error(j, db);
		else
			set_result(j, HEALTH_L7STS, 0, "the query gave no row");
	} else {
		set_result(j, HEALTH_L7OK, 0, mysql_get_server_info(db));
	}
	mysql_free_result(rows);
}

static void *job_main(void *arg)
{
	struct job *j = arg;
	MYSQL db;
	MAGIC_CHECK(j, JOB_MAGIC);
	mysql_thread_init();
	if (!mysql_init(&db)) {
		set_result(j, HEALTH_SOCKERR, 0, "no memory for a database client");
	} else {
		if (login(j, &db))
			run_query(j, &db);
		mysql_close(&db);
	}
	mysql_thread_end();
	mailbox_post(&j->jobs->mailbox, &j->message);
	return NULL;
}

/* ---- jobs, on the main thread */

static void copy_spec(struct job *j, const struct probe_spec *spec)
{
	j->spec = *spec;
	j->spec.user = arena_str(&j->arena, spec->user);
	j->spec.password = arena_str(&j->arena, spec->password);
	j->spec.database = spec->database.n ? arena_str(&j->arena, spec->database) : STR_NONE;
	j->spec.query = arena_str(&j->arena, spec->query);
}

static void free_job(struct job *j)
{
	MUST((j->jobs->first == j) == !j->prev);
	if (j->next)
		j->next->prev = j->prev;
	if (j->prev)
		j->prev->next = j->next;
	else
		j->jobs->first = j->next;
	arena_fini(&j->arena);
	MAGIC_WIPE(j, JOB_MAGIC);
	free(j);
}

static int start_thread(struct job *j)
{
	pthread_attr_t attr;
	int rc;
	MUST0(pthread_attr_init(&attr));
	MUST0(pthread_attr_setstacksize(&attr, STACK));
	rc = pthread_create(&j->thread, &attr, job_main, j);
	pthread_attr_destroy(&attr);
	return rc;
}

static void on_job_end(struct message *message);

static void start_job(struct mysql_probe *m)
{
	struct probe_mysql_jobs *jobs = m->probe.env->mysql;
	struct job *j = def_xcalloc(1, sizeof(*j));
	int rc;
	MUST(!m->job && m->probe.running);
	MAGIC_SET(j, JOB_MAGIC);
	j->message.run = on_job_end;
	j->jobs = jobs;
	j->next = jobs->first;
	if (j->next)
		j->next->prev = j;
	jobs->first = j;
	arena_init(&j->arena, NULL, 0, ARENA_UNLIMITED);
	copy_spec(j, m->probe.spec);
	rc = start_thread(j);
	if (rc != 0) {
		free_job(j);
		probe_end(&m->probe, HEALTH_SOCKERR, 0, "no thread: %s", strerror(rc));
		return;
	}
	j->probe = m;
	m->job = j;
}

static void on_job_end(struct message *message)
{
	struct job *j = container_of(message, struct job, message);
	MAGIC_CHECK(j, JOB_MAGIC);
	struct mysql_probe *m = j->probe;
	MUST(!m || m->job == j);
	MUST0(pthread_join(j->thread, NULL));
	if (m)
		m->job = NULL;
	if (m && m->waiting) {
		m->waiting = false;
		start_job(m);
	} else if (m && m->probe.running) {
		probe_end(&m->probe, j->result, j->code, "%s", j->reason);
	}
	free_job(j);
}

struct probe_mysql_jobs *probe_mysql_jobs_new(struct ev_loop *loop)
{
	struct probe_mysql_jobs *jobs = def_xcalloc(1, sizeof(*jobs));
	MUST(mysql_library_init(0, NULL, NULL) == 0);
	mailbox_init(&jobs->mailbox, loop);
	return jobs;
}

void probe_mysql_jobs_check(const struct probe_mysql_jobs *jobs)
{
	const struct job *before = NULL;
	for (const struct job *j = jobs->first; j; before = j, j = j->next) {
		MAGIC_CHECK(j, JOB_MAGIC);
		MUST(j->prev == before && j->jobs == jobs);
		MUST(!j->probe || (j->probe->job == j && j->probe->probe.magic == PROBE_MAGIC));
	}
}

void probe_mysql_jobs_free(struct probe_mysql_jobs *jobs)
{
	if (!jobs)
		return;
	while (jobs->first) {
		mailbox_run(&jobs->mailbox);
		if (jobs->first)
			usleep(1000);
	}
	mailbox_fini(&jobs->mailbox);
	mysql_library_end();
	free(jobs);
}

/* ---- the probe */

static void mysql_probe_init(struct probe *p UNUSED)
{
}

static void mysql_probe_start(struct probe *p)
{
	struct mysql_probe *m = mysql_of(p);
	if (m->job)
		m->waiting = true;
	else
		start_job(m);
}

static void mysql_probe_stop(struct probe *p)
{
	mysql_of(p)->waiting = false;
}

static void mysql_probe_fini(struct probe *p)
{
	struct mysql_probe *m = mysql_of(p);
	if (m->job)
		m->job->probe = NULL;
}

/*
 * Where the library hangs it does not tell; a hung server still gets connections, from its kernel.
 */
static enum health_result mysql_probe_timeout_result(struct probe *p UNUSED)
{
	return HEALTH_L7TOUT;
}

const struct probe_ops probe_mysql_ops = {
	.size = sizeof(struct mysql_probe),
	.init = mysql_probe_init,
	.start = mysql_probe_start,
	.stop = mysql_probe_stop,
	.fini = mysql_probe_fini,
	.timeout_result = mysql_probe_timeout_result,
};
