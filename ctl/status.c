// SPDX-License-Identifier: MIT
/*
 * Everything is gathered first and printed then, as text or as JSON. Each source may be missing: a
 * daemon that does not run is a line that says so, never a failure of the whole.
 */
#include "status.h"

#include <poll.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "counters.h"
#include "ipc/health.h"
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

static const struct seen_daemon *daemon_named(const struct seen *s, const char *name)
{
	for (size_t i = 0; i < DAEMONS_COUNT; i++)
		if (str_eq(str_c(s->daemon[i].name), str_c(name)))
			return &s->daemon[i];
	WRONG("no such daemon");
}

/* ---- as text */

/* Each line of s, indented. */
static void indented(struct text *out, const struct text *t)
{
	struct str rest = str_of(t->p, t->n), line;

	while (t->n > 0 && str_split(&rest, '\n', &line))
		if (line.n)
			text_printf(out, "  %.*s\n", STR_ARG(line));
}

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

static void traffic(struct text *out, const struct seen_daemon *d)
{
	double rate, share;
	uint64_t total;

	if (counters_rate(&d->before, &d->after, "requests", &rate))
		text_printf(out, "  %.1f requests/s", rate);
	else
		return;
	if (counters_get(&d->after, "requests", &total))
		text_printf(out, ", %llu since start", (unsigned long long)total);
	if (hit_ratio(NULL, &d->after, &share))
		text_printf(out, ", hit ratio %.1f %%", share * 100);
	if (hit_ratio(&d->before, &d->after, &share))
		text_printf(out, " (now %.1f %%)", share * 100);
	text_add(out, STR("\n"));
}

static void daemon_text(struct text *out, const struct seen_daemon *d)
{
	if (d->runs)
		text_printf(out, "%.*s", (int)d->version.n, d->version.p);
	else
		text_printf(out, "%s is not running: %s\n", d->name,
			    *d->why_not.text ? d->why_not.text : "it gave no answer");
	if (d->runs)
		traffic(out, d);
}

/* The record is a copy out of another process's table. */
static void target_text(struct text *out, struct health_record *r)
{
	char since[32] = "never";
	time_t t = (time_t)r->since_s;
	struct tm tm;

	str_sanitize(r->name);
	str_sanitize(r->reason);
	if (t && localtime_r(&t, &tm))
		strftime(since, sizeof(since), "%Y-%m-%d %H:%M:%S", &tm);
	text_printf(out, "  %-24s %-8s since %-19s %s", r->name, health_state_text(r->state), since,
		    health_result_text(r->result));
	if (r->code)
		text_printf(out, " %u", r->code);
	if (r->latency_us)
		text_printf(out, ", %u.%03u ms", r->latency_us / 1000, r->latency_us % 1000);
	text_printf(out, "%s%s\n", *r->reason ? ", " : "", r->reason);
}

static void health_text(struct text *out, const struct seen *s)
{
	struct health_record r;

	if (!s->health.shmem.mem) {
		text_printf(out, "verdicts: none\n");
		return;
	}
	text_printf(out, "verdicts: %s", s->health_stale ? "stale" : "fresh");
	if (s->health_stale)
		text_printf(out, ", healthd has been silent for %.1f s",
			    (double)s->health_age_us / 1e6);
	text_add(out, STR("\n"));
	for (unsigned i = 0; i < s->health.count; i++)
		if (health_get(&s->health, i, &r) && *r.name)
			target_text(out, &r);
}

static void as_text(struct text *out, const struct seen *s)
{
	for (size_t i = 0; i < DAEMONS_COUNT; i++) {
		daemon_text(out, &s->daemon[i]);
		if (&s->daemon[i] == daemon_named(s, "vipd"))
			indented(out, &s->vrrp);
		else if (&s->daemon[i] == daemon_named(s, "lbd"))
			indented(out, &s->servers);
	}
	health_text(out, s);
}

/* ---- as JSON */

static void daemon_json(struct text *out, const struct seen_daemon *d)
{
	double rate, share;

	text_json_open(out, d->name, '{');
	text_json_bool(out, "running", d->runs);
	if (d->runs)
		text_json_raw(out, "version", str_trim(str_of(d->version.p, d->version.n - 1)));
	else
		text_json_str(out, "error", str_c(d->why_not.text));
	if (counters_rate(&d->before, &d->after, "requests", &rate))
		text_json_real(out, "requests_per_second", rate);
	if (hit_ratio(NULL, &d->after, &share))
		text_json_real(out, "hit_ratio", share);
	if (hit_ratio(&d->before, &d->after, &share))
		text_json_real(out, "hit_ratio_now", share);
	text_json_close(out, '}');
}

static void target_json(struct text *out, const struct health_record *r)
{
	text_json_open(out, NULL, '{');
	text_json_str(out, "name", str_c(r->name));
	text_json_str(out, "state", str_c(health_state_text(r->state)));
	text_json_int(out, "since", r->since_s);
	text_json_int(out, "checked", r->checked_s);
	text_json_str(out, "result", str_c(health_result_text(r->result)));
	text_json_int(out, "code", r->code);
	text_json_int(out, "latency_us", r->latency_us);
	text_json_int(out, "changes", r->changes);
	text_json_str(out, "reason", str_c(r->reason));
	text_json_close(out, '}');
}

static void health_json(struct text *out, const struct seen *s)
{
	struct health_record r;

	text_json_str(out, "verdicts",
		      str_c(!s->health.shmem.mem ? "none"
			    : s->health_stale	 ? "stale"
						 : "fresh"));
	text_json_open(out, "targets", '[');
	for (unsigned i = 0; i < s->health.count; i++)
		if (health_get(&s->health, i, &r) && *r.name)
			target_json(out, &r);
	text_json_close(out, ']');
}

static void as_json(struct text *out, const struct seen *s)
{
	text_json_open(out, NULL, '{');
	text_json_open(out, "daemons", '{');
	for (size_t i = 0; i < DAEMONS_COUNT; i++)
		daemon_json(out, &s->daemon[i]);
	text_json_close(out, '}');
	if (s->vrrp.n > 1)
		text_json_raw(out, "vrrp", str_of(s->vrrp.p, s->vrrp.n - 1));
	else
		text_json_null(out, "vrrp");
	if (s->servers.n > 1)
		text_json_raw(out, "servers", str_trim(str_of(s->servers.p, s->servers.n - 1)));
	else
		text_json_null(out, "servers");
	health_json(out, s);
	text_json_close(out, '}');
	text_add(out, STR("\n"));
}

int status_command(const char *run_dir, bool json)
{
	static struct seen s; /* large */
	struct text out;
	int rc = 0;

	gather(&s, run_dir, json);
	text_init(&out, 4u << 20);
	if (json)
		as_json(&out, &s);
	else
		as_text(&out, &s);
	fwrite(out.p, 1, out.n, stdout);
	text_fini(&out);
	for (size_t i = 0; i < DAEMONS_COUNT; i++)
		rc |= !s.daemon[i].runs;
	release(&s);
	return rc;
}
