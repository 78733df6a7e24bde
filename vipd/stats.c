// SPDX-License-Identifier: MIT
/* The rows, from the same lists as the numbers. */
#include "stats.h"

#define DROP_ROW(name_, text)                                                                      \
	{.name = "dropped_" #name_,                                                                \
	 .prose = "adverts dropped: " text,                                                        \
	 .column = "",                                                                             \
	 .type = STATS_COUNTER},

static const struct stats_counter process[] = {STATS_ROWS(VIPD_STATS) VRRP_PKT_DROPS(DROP_ROW)};

const struct stats_kind stats_kinds[] = {
	STATS_KIND("process", "All virtual routers together.", 1, process),
};
const size_t stats_kinds_n = ARRAY_LEN(stats_kinds);

_Static_assert(ARRAY_LEN(process) == STAT_COUNT, "a row for each number");
_Static_assert((unsigned)STAT_dropped_addresses - STAT_dropped_short ==
		       (unsigned)VRRP_PKT_DROP_addresses - VRRP_PKT_DROP_short,
	       "drops in the order of their reasons");
