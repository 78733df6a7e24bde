// SPDX-License-Identifier: MIT
/*
 * A check is a target (the verdict), a probe and a timer (when the next probe is due);
 * exactly one of timer and probe is on its way. A reload makes a new set beside the old one, lets
 * states pass over by name, and frees the old: a probe in flight is dropped and begun anew.
 *
 * A probe that failed for lack of descriptors or memory on this board says nothing of the target:
 * it is published, but does not count.
 */
#include "checks.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rnd.h"
#include "curl_loop.h"
#include "ipc/report.h"
#include "ipc/sd.h"
#include "probe_mysql.h"
#include "publish.h"
#include "stats.h"

#define FIRST_SPREAD_US (200 * CLOCK_MSEC) /* first probes start within this time */

#define CHECK_MAGIC  UINT32_C(0xb5079e2d)
#define CHECKS_MAGIC UINT32_C(0x1ac46f98)

struct check {
	uint32_t magic;
	struct checks *set;
	const struct health_conf_target *conf;
	unsigned index;
	struct target target;
	struct health_record record;
	struct probe *probe;
	struct ev_timer due;
	stats_cell *counters;
};

struct checks {
	uint32_t magic;
	struct checks_env env;
	const struct health_conf *conf;
	struct probe_env probe_env;
	struct publish publish;
	struct check *list;
	unsigned n;
};

/* ---- scheduling */

static void schedule(struct check *c, int64_t wait_us)
{
	struct ev_loop *loop = c->set->env.loop;
	ev_timer_stop(loop, &c->due);
	ev_timer_set(&c->due, (double)wait_us / 1e6, 0.);
	ev_timer_start(loop, &c->due);
}

static void on_due(struct ev_loop *loop UNUSED, struct ev_timer *w, int events UNUSED)
{
	struct check *c = container_of(w, struct check, due);
	MAGIC_CHECK(c, CHECK_MAGIC);
	probe_start(c->probe);
}

/* ---- verdicts */

static stats_cell *counters_of(const struct checks *s)
{
	return stats_cells(s->env.stats, STATS_KIND_PROCESS, 0, 0);
}

static void count_result(struct check *c, const struct probe_result *r)
{
	stats_cell *all = counters_of(c->set), *own = c->counters;
	bool made = r->result != HEALTH_SOCKERR, good = probe_good(r->result);
	stats_add(&all[STAT_probes], made);
	stats_add(&own[TARGET_STAT_probes], made);
	stats_add(&all[STAT_failures], made && !good);
	stats_add(&own[TARGET_STAT_failures], made && !good);
	stats_add(&all[STAT_not_made], !made);
	stats_add(&own[TARGET_STAT_not_made], !made);
	if (good)
		stats_max(&own[TARGET_STAT_slowest_us], r->latency_us);
}

static void count_change(struct check *c, uint32_t changes_before)
{
	stats_add(&counters_of(c->set)[STAT_changes], c->target.changes - changes_before);
	stats_add(&c->counters[TARGET_STAT_downs], c->target.state == HEALTH_DOWN);
}

static void update_status(const struct checks *s)
{
	unsigned up = 0;
	for (unsigned i = 0; i < s->n; i++)
		up += s->list[i].target.state == HEALTH_UP;
	stats_set(&counters_of(s)[STAT_targets], s->n);
	stats_set(&counters_of(s)[STAT_targets_up], up);
	sd_status("%u of %u up", up, s->n);
}

/* check/origin is a check called origin; edges/web1 is a server. */
static void describe(const struct check *c, char *to, size_t size)
{
	if (c->conf->is_server)
		snprintf(to, size, "server %s", c->conf->name);
	else
		snprintf(to, size, "check %s", c->conf->name + strlen("check/"));
}

/*
 * The one place where a change of state is reported: to the log, to watchers, to the service
 * manager.
 */
static void announce(const struct check *c)
{
	bool up = c->target.state == HEALTH_UP;
	const char *state = up ? "UP" : "DOWN";
	const char *result = health_result_text(c->record.result);
	char name[80], text[256];
	describe(c, name, sizeof(name));
	struct str rest = str_c(c->conf->name), part;
	char pool[80] = "", server[80] = "";
	if (c->conf->is_server && str_split(&rest, '/', &part)) {
		snprintf(pool, sizeof(pool), "%.*s", STR_ARG(part));
		snprintf(server, sizeof(server), "%.*s", STR_ARG(rest));
	}
	log_event(up ? LOG_LEVEL_NOTICE : LOG_LEVEL_WARN,
		  &(struct log_fields){.event = up ? "server_up" : "server_down",
				       .server = c->conf->is_server ? server : name,
				       .pool = pool,
				       .status = state,
				       .reason = up ? result : c->record.reason},
		  "%s is %s: %s %s", name, state, result, c->record.reason);
	snprintf(text, sizeof(text), "%s %s %s %s", name, state, result, c->record.reason);
	c->set->env.event(c->set->env.arg, text);
	update_status(c->set);
}

static void log_result(const struct check *c, const struct probe_result *r)
{
	char name[80];
	if (!c->set->conf->log_checks ||
	    (r->result == c->record.result && r->code == c->record.code))
		return;
	describe(c, name, sizeof(name));
	log_info("%s: probe: %s %s", name, health_result_text(r->result), r->reason);
}

static void fill_record(struct check *c)
{
	c->record.state = c->target.state;
	c->record.health = c->target.health;
	c->record.rise = c->conf->rules.rise;
	c->record.fall = c->conf->rules.fall;
	c->record.changes = c->target.changes;
	c->record.since_s = c->target.since_s;
}

static void on_probed(struct probe *p, const struct probe_result *r);

static void take_result(struct check *c, const struct probe_result *r)
{
	c->record.checked_s = clock_wall_s();
	c->record.result = r->result;
	c->record.code = r->code;
	c->record.latency_us = r->latency_us;
	memcpy(c->record.reason, r->reason, sizeof(c->record.reason));
}

/* ---- a set of checks */

static void begin_check(struct checks *s, struct check *c, unsigned index)
{
	const struct health_conf_target *t = &s->conf->targets[index];
	MAGIC_SET(c, CHECK_MAGIC);
	c->set = s;
	c->conf = t;
	c->index = index;
	str_copy(c->record.name, sizeof(c->record.name), str_c(t->name));
	target_init(&c->target, &t->rules);
	fill_record(c);
	c->counters = stats_cells(s->env.stats, STATS_KIND_TARGET,
				  stats_slot(s->env.stats, STATS_KIND_TARGET, str_c(t->name)), 0);
	c->probe = probe_new(&s->probe_env, &t->spec, on_probed);
	c->probe->arg = c;
	ev_timer_init(&c->due, on_due, 0., 0.);
}

static void end_checks(struct checks *s, struct check *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		ev_timer_stop(s->env.loop, &list[i].due);
		probe_free(list[i].probe);
		MAGIC_WIPE(&list[i], CHECK_MAGIC);
	}
	free(list);
}

static struct check *find(struct check *list, unsigned n, struct str name)
{
	for (unsigned i = 0; i < n; i++)
		if (str_eq(str_c(list[i].conf->name), name))
			return &list[i];
	return NULL;
}

static void on_probed(struct probe *p, const struct probe_result *r)
{
	struct check *c = p->arg;
	struct checks *s = c->set;
	uint32_t changes = c->target.changes;
	bool changed = false;
	MAGIC_CHECK(c, CHECK_MAGIC);
	MUST(c->probe == p);
	log_result(c, r);
	take_result(c, r);
	count_result(c, r);
	if (r->result != HEALTH_SOCKERR)
		changed = target_result(&c->target, &c->conf->rules, probe_good(r->result),
					c->record.checked_s);
	fill_record(c);
	publish_record(&s->publish, c->index, &c->record);
	if (changed) {
		count_change(c, changes);
		announce(c);
	}
	schedule(c, target_delay_us(&c->target, &c->conf->rules, s->conf->spread, rnd_u64()));
}

/* ---- what was known before */

static void adopt_record(struct check *c, const struct health_record *r, const struct target *old,
			 const struct target_rules *old_rules, bool sure)
{
	c->record = *r;
	target_adopt(&c->target, &c->conf->rules, old, old_rules, sure);
	fill_record(c);
}

/* From the table of another process, so every field is validated. */
static void adopt_from_table(struct check *c, const struct health_view *v)
{
	struct health_record r;
	struct target old;
	if (!health_find(v, c->conf->name, &r) || (r.state != HEALTH_UP && r.state != HEALTH_DOWN))
		return;
	str_sanitize(r.reason);
	old = (struct target){.state = r.state, .changes = r.changes, .since_s = r.since_s};
	adopt_record(c, &r, &old, &c->conf->rules, false);
}

static void adopt_all_from_table(struct checks *s)
{
	struct health_view v;
	if (publish_open_last(&s->publish, &v) < 0)
		return;
	for (unsigned i = 0; i < s->n; i++)
		adopt_from_table(&s->list[i], &v);
	health_close(&v);
}

static void adopt_check(struct check *c, const struct check *old)
{
	bool sure = probe_same(&c->conf->spec, &old->conf->spec);
	adopt_record(c, &old->record, &old->target, &old->conf->rules, sure);
}

/* ---- beginning */

static int publish_all(struct checks *s, const struct check *list, unsigned n, struct err *e)
{
	AUTO_FREE struct health_record *records = def_xcalloc(MAX(n, 1u), sizeof(*records));
	for (unsigned i = 0; i < n; i++)
		records[i] = list[i].record;
	return publish_table(&s->publish, records, n, e);
}

/* What has no verdict of its own yet is probed at once, one after another within a moment. */
static void schedule_all(struct checks *s)
{
	for (unsigned i = 0; i < s->n; i++)
		schedule(&s->list[i], FIRST_SPREAD_US * i / s->n);
	update_status(s);
}

static int begin_all(struct checks *s, const struct health_conf *conf, struct err *e)
{
	s->conf = conf;
	s->n = conf->n;
	s->list = def_xcalloc(MAX(s->n, 1u), sizeof(*s->list));
	for (unsigned i = 0; i < s->n; i++)
		begin_check(s, &s->list[i], i);
	adopt_all_from_table(s);
	if (publish_all(s, s->list, s->n, e) < 0)
		return -1;
	schedule_all(s);
	return 0;
}

struct checks *checks_new(const struct checks_env *env, const struct health_conf *conf,
			  struct err *e)
{
	struct checks *s = def_xcalloc(1, sizeof(*s));
	MAGIC_SET(s, CHECKS_MAGIC);
	s->env = *env;
	publish_init(&s->publish, env->loop, env->table_path);
	s->env.table_path = s->publish.path;
	s->probe_env = (struct probe_env){.loop = env->loop,
					  .curl = curl_loop_new(env->loop, e),
					  .mysql = probe_mysql_jobs_new(env->loop)};
	if (s->probe_env.curl && begin_all(s, conf, e) == 0)
		return s;
	checks_free(s);
	return NULL;
}

void checks_free(struct checks *s)
{
	if (!s)
		return;
	MAGIC_CHECK(s, CHECKS_MAGIC);
	end_checks(s, s->list, s->n);
	probe_mysql_jobs_free(s->probe_env.mysql);
	curl_loop_free(s->probe_env.curl);
	publish_fini(&s->publish);
	MAGIC_WIPE(s, CHECKS_MAGIC);
	free(s);
}

/* A check whose probe goes on as before keeps its time; a new or different one is probed now. */
static void carry_over_schedule(struct checks *s, struct check *c, struct check *old)
{
	ev_tstamp left = 0.;
	if (old && probe_same(&c->conf->spec, &old->conf->spec) && ev_is_active(&old->due))
		left = ev_timer_remaining(s->env.loop, &old->due);
	schedule(c, MIN((int64_t)(left * 1e6), (int64_t)c->conf->rules.inter_ms * CLOCK_MSEC));
}

int checks_reload(struct checks *s, const struct health_conf *conf, struct err *e)
{
	const struct health_conf *before = s->conf;
	MAGIC_CHECK(s, CHECKS_MAGIC);
	struct check *old = s->list, *was;
	struct check *list = def_xcalloc(MAX(conf->n, 1u), sizeof(*list));
	unsigned old_n = s->n;
	s->conf = conf;
	for (unsigned i = 0; i < conf->n; i++) {
		begin_check(s, &list[i], i);
		was = find(old, old_n, str_c(list[i].conf->name));
		if (was)
			adopt_check(&list[i], was);
	}
	if (publish_all(s, list, conf->n, e) < 0) {
		end_checks(s, list, conf->n);
		s->conf = before;
		return -1;
	}
	for (unsigned i = 0; i < conf->n; i++)
		carry_over_schedule(s, &list[i], find(old, old_n, str_c(list[i].conf->name)));
	end_checks(s, old, old_n);
	s->list = list;
	s->n = conf->n;
	update_status(s);
	checks_check(s);
	return 0;
}

/*
 * A target is waited for or probed, never both: a timer that has expired and is not served yet
 * waits still.
 */
static bool is_scheduled(const struct check *c)
{
	return ev_is_active(&c->due) || ev_is_pending(&c->due);
}

void checks_check(const struct checks *s)
{
	MAGIC_CHECK(s, CHECKS_MAGIC);
	MUST(s->n == s->conf->n && s->publish.table.count == s->n);
	for (unsigned i = 0; i < s->n; i++) {
		struct check *c = &s->list[i];
		MAGIC_CHECK(c, CHECK_MAGIC);
		MUST(c->set == s && c->index == i && c->conf == &s->conf->targets[i]);
		MUST(str_eq(str_c(c->record.name), str_c(c->conf->name)));
		MUST(find(s->list, s->n, str_c(c->conf->name)) == c);
		MUST(c->probe->arg == c && c->probe->spec == &c->conf->spec);
		MUST(is_scheduled(c) != probe_is_busy(c->probe));
		MUST(c->record.state == c->target.state && c->record.health == c->target.health);
		target_check(&c->target, &c->conf->rules);
	}
	probe_mysql_jobs_check(s->probe_env.mysql);
}

/* ---- questions */

bool checks_now(struct checks *s, struct str name)
{
	MAGIC_CHECK(s, CHECKS_MAGIC);
	struct check *c = find(s->list, s->n, name);
	if (!c)
		return false;
	if (ev_is_active(&c->due))
		schedule(c, 0);
	return true;
}

/* edges/web1 UP 5/5 L7OK status 200 in 1.2 ms since 2026-11-23 10:00:00 */
static void report_check(struct report *to, const struct check *c)
{
	static const char *const states[] = {"UNKNOWN", "UP", "DOWN"};
	const struct health_record *r = &c->record;
	char where[ADDR_TEXT_SIZE], progress[32];
	unsigned at, of;
	target_progress(&c->target, &c->conf->rules, &at, &of);
	snprintf(progress, sizeof(progress), "%u/%u", at, of);
	report_row(to, NULL);
	report_str(to, "name", "%", r->name);
	report_str(to, "address", "", addr_format(&c->conf->spec.address, where));
	report_str(to, "probe", "", probe_kind_text(c->conf->spec.kind));
	report_str(to, "state", "", health_state_text(r->state));
	report_str(to, NULL, "%", states[r->state]);
	report_str(to, NULL, "%", progress);
	report_str(to, "result", "%", health_result_text(r->result));
	report_uint(to, "code", "", r->code);
	report_str(to, "reason", "", r->reason);
	report_str(to, NULL, "%", r->checked_s ? r->reason : "not probed yet");
	report_us(to, "latency_us", "in %", r->latency_us);
	report_time(to, "since", "since %", r->since_s);
	report_int(to, "checked", "", r->checked_s);
	report_uint(to, "health", "", r->health);
	report_uint(to, "rise", "", r->rise);
	report_uint(to, "fall", "", r->fall);
	report_uint(to, "changes", "", r->changes);
	report_close(to);
}

void checks_report(const struct checks *s, struct text *to, bool json)
{
	struct report r;
	MAGIC_CHECK(s, CHECKS_MAGIC);
	report_begin(&r, to, json ? REPORT_JSON : REPORT_TEXT);
	report_object(&r, NULL);
	report_list(&r, "targets");
	for (unsigned i = 0; i < s->n; i++)
		report_check(&r, &s->list[i]);
	report_close(&r);
	report_close(&r);
	report_end(&r);
}
