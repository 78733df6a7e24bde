// SPDX-License-Identifier: MIT
/*
 * The statistics page on the [stats] address: HTML for people, CSV in HAProxy's format and column order for programs
 * (`;csv` appended to the URI).
 */
#ifndef LB_STATS_PAGE_H
#define LB_STATS_PAGE_H

#include "conf.h"
#include "http/server.h"
#include "ipc/stats.h"
#include "ipc/text.h"

void stats_page(struct http_exchange *x);

/* The CSV alone ("show stat" on the control socket too). stats: the daemon's counters, all workers. */
void stats_page_csv(struct text *to, const struct lb_config *c, const struct stats *stats,
		    int64_t now_us);

/* Where stats_page() finds the counters; set once before the workers start. */
void stats_page_init(const struct stats *stats);

#endif
