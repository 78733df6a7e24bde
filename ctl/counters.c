// SPDX-License-Identifier: MIT
#include "counters.h"

#include <stdio.h>
#include <string.h>

#include "ipc/stats_report.h"
#include "daemons.h"

#define OUTPUT_MAX (8u << 20)

int counters_take(struct counters *c, const char *path, int64_t now_us, struct err *e)
{
	struct stats_view v;
	*c = (struct counters){.at_us = now_us};
	if (stats_view_open(&v, path, e) < 0)
		return -1;
	c->pid = stats_view_pid(&v);
	c->n = MIN(v.kind[0].counters, COUNTERS_MAX);
	for (unsigned i = 0; i < c->n; i++) {
		c->row[i] = stats_view_counter(&v, 0, i);
		c->value[i] = stats_view_value(&v, 0, 0, i);
	}
	stats_view_close(&v);
	return 0;
}

bool counters_get(const struct counters *c, const char *name, uint64_t *value)
{
	for (unsigned i = 0; i < c->n; i++) {
		if (strcmp(c->row[i].name, name) == 0) {
			*value = c->value[i];
			return true;
		}
	}
	return false;
}

static bool growth(const struct counters *before, const struct counters *after, const char *name,
		   uint64_t *by)
{
	uint64_t a = 0, b;
	if (!counters_get(after, name, &b))
		return false;
	if (before && (before->pid != after->pid || !counters_get(before, name, &a) || b < a))
		return false;
	*by = b - a;
	return true;
}

bool counters_rate(const struct counters *before, const struct counters *after, const char *name,
		   double *per_second)
{
	uint64_t by;
	if (after->at_us <= before->at_us || !growth(before, after, name, &by))
		return false;
	*per_second = (double)by * 1e6 / (double)(after->at_us - before->at_us);
	return true;
}

bool counters_share(const struct counters *before, const struct counters *after, const char *part,
		    const char *whole, double *share)
{
	uint64_t p, w;
	if (!growth(before, after, part, &p) || !growth(before, after, whole, &w) || w == 0)
		return false;
	*share = (double)p / (double)w;
	return true;
}

int counters_command(const char *run_dir, const char *daemon, const char *which, bool prose,
		     const char *format)
{
	char path[DAEMONS_PATH_SIZE];
	struct stats_view v;
	struct text out;
	struct err e;
	enum report_format f = !format			     ? REPORT_TEXT
			       : strcmp(format, "json") == 0 ? REPORT_JSON
							     : REPORT_CSV;
	text_init(&out, OUTPUT_MAX);
	int rc = stats_view_open(&v, daemons_path(run_dir, daemon, ".shm", path), &e);
	if (rc == 0)
		rc = stats_report(&v, str_c(which), prose, f, &out, &e);
	if (rc < 0)
		fprintf(stderr, "greenpictl: %s\n", e.text);
	if (f == REPORT_JSON && rc == 0)
		text_add(&out, STR("\n"));
	fwrite(out.p, 1, out.n, stdout);
	text_fini(&out);
	stats_view_close(&v);
	return rc < 0;
}
