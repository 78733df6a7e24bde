// SPDX-License-Identifier: MIT
#include "stats.h"

#include "ipc/health.h"

static const struct stats_counter process[] = {STATS_ROWS(HEALTHD_STATS)};
static const struct stats_counter target[] = {STATS_ROWS(HEALTHD_TARGET_STATS)};

const struct stats_kind stats_kinds[] = {
	STATS_KIND("process", "All targets together.", 1, process),
	STATS_KIND("target", "Each target, by its name: POOL/SERVER or check/NAME.", 4 * HEALTH_MAX,
		   target),
};
const size_t stats_kinds_n = ARRAY_LEN(stats_kinds);
