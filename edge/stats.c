// SPDX-License-Identifier: MIT
#include "stats.h"

static const struct stats_counter process[] = {STATS_ROWS(EDGE_STATS)};

const struct stats_kind stats_kinds[] = {
	STATS_KIND("process", "The cache as a whole.", 1, process),
};
const size_t stats_kinds_n = ARRAY_LEN(stats_kinds);
