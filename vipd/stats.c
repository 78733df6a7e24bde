// SPDX-License-Identifier: MIT
/* The names, from the same lists as the numbers. */
#include "stats.h"

#define DROP_NAME(name, text) {"dropped_" #name, STATS_COUNTER},

const struct stats_name stats_names[] = {STATS_NAMES(VIPD_STATS) VRRP_PKT_DROPS(DROP_NAME)};

_Static_assert(ARRAY_LEN(stats_names) == STAT_COUNT, "a name for each number");
_Static_assert((unsigned)STAT_dropped_addresses - STAT_dropped_short ==
		       (unsigned)VRRP_PKT_DROP_addresses - VRRP_PKT_DROP_short,
	       "drops in the order of their reasons");
