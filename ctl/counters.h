// SPDX-License-Identifier: MIT
/*
 * The counters of a daemon's process (the first kind of its table) at one moment, and what became of them between two
 * moments.
 */
#ifndef CTL_COUNTERS_H
#define CTL_COUNTERS_H

#include "base/err.h"
#include "ipc/stats.h"
#include "ipc/text.h"

#define COUNTERS_MAX 256

struct counters {
	unsigned n; /* 0: the daemon has no table */
	int64_t at_us;
	uint32_t pid; /* of the writer */
	struct stats_counter_row row[COUNTERS_MAX];
	uint64_t value[COUNTERS_MAX];
};

/* -1 with e set when there is no good table at path; c is then empty. */
int counters_take(struct counters *c, const char *path, int64_t now_us, struct err *e);

bool counters_get(const struct counters *c, const char *name, uint64_t *value);

/* A counter's growth a second. False when it is in neither or the daemon started anew in between. */
bool counters_rate(const struct counters *before, const struct counters *after, const char *name,
		   double *per_second);

/*
 * The share of part in whole, of what was counted between the two moments; of all that was ever
 * counted when before is NULL. False when there was nothing.
 */
bool counters_share(const struct counters *before, const struct counters *after, const char *part,
		    const char *whole, double *share);

/*
 * greenpictl counters: a daemon's table, printed as "json", "csv" or text (NULL). which: "" or "KIND[/NAME]"; prose: with
 * what each means. The exit status.
 */
int counters_command(const char *run_dir, const char *daemon, const char *which, bool prose,
		     const char *format);

#endif
