// SPDX-License-Identifier: MIT
#include "counters.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "daemons.h"

int counters_take(struct counters *c, const char *path, int64_t now_us, struct err *e)
{
	struct stats_view v;

	*c = (struct counters){.at_us = now_us};
	if (stats_view_open(&v, path, e) < 0)
		return -1;
	c->pid = shmem_header(&v.shmem)->pid;
	c->age_us = shmem_age_us(&v.shmem, now_us);
	c->n = MIN(v.count, COUNTERS_MAX);
	for (unsigned i = 0; i < c->n; i++) {
		c->name[i] = stats_view_name(&v, i);
		c->value[i] = stats_view_sum(&v, i);
	}
	stats_view_close(&v);
	return 0;
}

bool counters_get(const struct counters *c, const char *name, uint64_t *value)
{
	for (unsigned i = 0; i < c->n; i++) {
		if (strcmp(c->name[i].name, name) == 0) {
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

void counters_print(const struct counters *c, bool json, struct text *to)
{
	if (json)
		text_json_open(to, NULL, '{');
	for (unsigned i = 0; i < c->n; i++) {
		if (json)
			text_json_int(to, c->name[i].name, (int64_t)c->value[i]);
		else
			text_printf(to, "%s %" PRId64 "\n", c->name[i].name, (int64_t)c->value[i]);
	}
	if (json) {
		text_json_close(to, '}');
		text_add(to, STR("\n"));
	}
}

int counters_command(const char *run_dir, const char *daemon, bool json)
{
	static struct counters c;
	char path[DAEMONS_PATH_SIZE];
	struct text out;
	struct err e;

	if (counters_take(&c, daemons_path(run_dir, daemon, ".shm", path), clock_now_us(), &e) <
	    0) {
		fprintf(stderr, "greenpictl: %s\n", e.text);
		return 1;
	}
	text_init(&out, 1 << 20);
	counters_print(&c, json, &out);
	fwrite(out.p, 1, out.n, stdout);
	text_fini(&out);
	return 0;
}
