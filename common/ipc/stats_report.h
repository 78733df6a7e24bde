// SPDX-License-Identifier: MIT
/* Counters as people and programs read them: a table's values, and the manual's chapter about them. */
#ifndef IPC_STATS_REPORT_H
#define IPC_STATS_REPORT_H

#include <stdio.h>

#include "ipc/report.h"
#include "ipc/stats.h"

/*
 * Values of a table, objects in the order of their first appearance: "server edges/web1 retries 0" a line, or nested
 * objects in JSON: kind, object (not where a kind has one only), counter. which: "" for all, "KIND", or "KIND/NAME".
 * prose: with what each counter means. -1 with e set when there is no such kind or object; nothing is added then.
 */
int stats_report(const struct stats_view *v, struct str which, bool prose,
		 enum report_format format, struct text *to, struct err *e);

/* The COUNTERS section of a manual page (roff for man(7)), from what the daemon declares. */
void stats_report_man(FILE *to, const struct stats_kind *kinds, size_t n);

#endif
