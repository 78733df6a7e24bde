// SPDX-License-Identifier: MIT
/*
 * Everything is gathered first and reported then. Each source may be missing: a
 * daemon that does not run is a line that says so, never a failure of the whole.
 */
#include "status.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "counters.h"
#include "ipc/health.h"
#include "ipc/report.h"
#include "ipc/watch.h"
#include "daemons.h"

#define ASK_MS	   1000
#define MEASURE_MS 1000
#define REPLY_MAX  (256u << 10)

struct seen_daemon {
	const char *name;
	bool runs;
	struct text version;
	struct err why_not;
	struct counters before, after;
};

struct seen {
	struct seen_daemon daemon[DAEMONS_COUNT];
	struct text vrrp;    /* vipd's answer to "state" */
	struct text servers; /* lbd's to "servers": MAINT and DRAIN are known to it alone */
	struct health_view health;
	int64_t health_age_us;
	bool health_stale;
};

/* ---- gathering */

static bool ask(const char *run_dir, const char *daemon, const char *question, bool json,
		struct text *reply, struct err *e)
{
	char path[DAEMONS_PATH_SIZE], line[64];
	snprintf(line, sizeof(line), "%s%s", question, json ? " json" : "");
	text_init(reply, REPLY_MAX);
	if (watch_ask(daemons_path(run_dir, daemon, ".sock", path), line, reply, ASK_MS, e) == 0 &&
	    reply->n > 1 && !str_starts(str_of(reply->p, reply->n), STR("error:")))
		return true;
	text_fini(reply);
	return false;
}

static void count(struct seen *s, const char *run_dir, bool again)
{
	char path[DAEMONS_PATH_SIZE];
	for (size_t i = 0; i < DAEMONS_COUNT; i++) {
		struct seen_daemon *d = &s->daemon[i];
		(void)counters_take(again ? &d->after : &d->before,
				    daemons_path(run_dir, d->name, ".shm", path), clock_now_us(),
				    NULL);
	}
}

static void look_at_health(struct seen *s, const char *run_dir)
{
	char path[DAEMONS_PATH_SIZE];
	int64_t now_us = clock_now_us();
	(void)health_open(&s->health, daemons_path(run_dir, HEALTH_FILE, "", path), NULL);
	s->health_stale = health_stale(&s->health, now_us);
	if (s->health.shmem.mem)
		s->health_age_us = shmem_age_us(&s->health.shmem, now_us);
}

static void gather(struct seen *s, const char *run_dir, bool json)
{
	for (size_t i = 0; i < DAEMONS_COUNT; i++) {
		struct seen_daemon *d = &s->daemon[i];
		d->name = daemons_names[i];
		d->runs = ask(run_dir, d->name, "version", json, &d->version, &d->why_not);
	}
	ask(run_dir, "vipd", "state", json, &s->vrrp, NULL);
	ask(run_dir, "lbd", "servers", json, &s->servers, NULL);
	count(s, run_dir, false);
	poll(NULL, 0, MEASURE_MS);
	count(s, run_dir, true);
	look_at_health(s, run_dir);
}

static void release(struct seen *s)
{
	for (size_t i = 0; i < DAEMONS_COUNT; i++)
		text_fini(&s->daemon[i].version);
	text_fini(&s->vrrp);
	text_fini(&s->servers);
	health_close(&s->health);
}

/* ---- the report */

/* Of the requests that the cache may answer: passes and healthd's probes are none. */
static bool hit_ratio(const struct counters *before, const struct counters *after, double *share)
{
	double r;
	if (counters_share(before, after, "hits", "misses", &r))
		*share = r / (1 + r);
	else if (counters_share(before, after, "misses", "hits", &r))
		*share = 1; /* there was no miss */
	else
		return false;
	return true;
}

static void report_traffic(struct report *r, const struct seen_daemon *d)
{
	double rate, share;
	uint64_t total;
	if (!counters_rate(&d->before, &d->after, "requests", &rate))
		return;
	report_real(r, "requests_per_second", ", % requests/s", rate);
	if (counters_get(&d->after, "requests", &total))
		report_uint(r, "requests", ", % since start", total);
	if (hit_ratio(NULL, &d->after, &share)) {
		report_real(r, "hit_ratio", "", share);
		report_real(r, NULL, ", hit ratio % %", share * 100);
	}
	if (hit_ratio(&d->before, &d->after, &share)) {
		report_real(r, "hit_ratio_now", "", share);
		report_real(r, NULL, "(now % %)", share * 100);
	}
}

static void report_daemon(struct report *r, const struct seen_daemon *d)
{
	struct str version = str_trim(str_of(d->version.p, d->version.n));
	if (version.n && version.p[version.n - 1] == '\n')
		version.n--;
	report_row(r, d->name);
	report_bool(r, "running", "", d->runs);
	if (d->runs) {
		report_slice(r, NULL, "%", version);
		report_raw(r, "version", version);
		report_traffic(r, d);
	} else {
		report_str(r, NULL, "%", d->name);
		report_str(r, "error", "is not running: %",
			   *d->why_not.text ? d->why_not.text : "it gave no answer");
	}
	report_close(r);
}

/* The record is a copy out of another process's table. */
static void report_target(struct report *r, const struct health_record *t)
{
	report_row(r, NULL);
	report_str(r, "name", "  %24", t->name);
	report_str(r, "state", "%8", health_state_text(t->state));
	report_time(r, "since", "since %19", t->since_s);
	report_int(r, "checked", "", t->checked_s);
	report_str(r, "result", "%", health_result_text(t->result));
	report_uint(r, "code", t->code ? "%" : "", t->code);
	report_us(r, "latency_us", t->latency_us ? ", %" : "", t->latency_us);
	report_uint(r, "changes", "", t->changes);
	report_str(r, "reason", ", %", t->reason);
	report_close(r);
}

static void report_health(struct report *r, const struct seen *s)
{
	struct health_record t;
	const char *verdicts = !s->health.shmem.mem ? "none" : s->health_stale ? "stale" : "fresh";
	report_str(r, "verdicts", "verdicts: %", verdicts);
	if (s->health.shmem.mem && s->health_stale)
		report_real(r, NULL, "  healthd has been silent for % s",
			    (double)s->health_age_us / 1e6);
	report_list(r, "targets");
	for (unsigned i = 0; i < s->health.count; i++)
		if (health_get(&s->health, i, &t) && *t.name)
			report_target(r, &t);
	report_close(r);
}

/* A daemon's own answer, as lines or as a value of ours. */
static struct str answer_of(const struct text *t)
{
	return t->n > 1 ? str_of(t->p, t->n - 1) : STR_NONE;
}

static void report(struct text *out, const struct seen *s, bool json)
{
	struct report r;
	report_begin(&r, out, json ? REPORT_JSON : REPORT_TEXT);
	report_object(&r, NULL);
	report_object(&r, "daemons");
	for (size_t i = 0; i < DAEMONS_COUNT; i++) {
		report_daemon(&r, &s->daemon[i]);
		if (strcmp(s->daemon[i].name, "vipd") == 0)
			report_lines(&r, "  ", answer_of(&s->vrrp));
		else if (strcmp(s->daemon[i].name, "lbd") == 0)
			report_lines(&r, "  ", answer_of(&s->servers));
	}
	report_close(&r);
	report_raw(&r, "vrrp", answer_of(&s->vrrp));
	report_raw(&r, "servers", answer_of(&s->servers));
	report_health(&r, s);
	report_close(&r);
	report_end(&r);
	if (json)
		text_add(out, STR("\n"));
}

int status_command(const char *run_dir, bool json)
{
	static struct seen s; /* large */
	struct text out;
	int rc = 0;
	gather(&s, run_dir, json);
	text_init(&out, 4u << 20);
	report(&out, &s, json);
	fwrite(out.p, 1, out.n, stdout);
	text_fini(&out);
	for (size_t i = 0; i < DAEMONS_COUNT; i++)
		rc |= !s.daemon[i].runs;
	release(&s);
	return rc;
}
