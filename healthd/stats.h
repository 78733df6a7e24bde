// SPDX-License-Identifier: MIT
/* healthd's counters, in healthd.shm: one worker, since there is one loop. */
#ifndef HEALTHD_STATS_H
#define HEALTHD_STATS_H

#include "ipc/stats.h"

#define HEALTHD_STATS(X)                                                                           \
	X(targets, GAUGE, "targets that are probed")                                               \
	X(targets_up, GAUGE, "of these, those that are up")                                        \
	X(probes, COUNTER, "probes made")                                                          \
	X(failures, COUNTER, "of these, failed ones")                                              \
	X(not_made, COUNTER, "probes for which this board had no descriptor or memory")            \
	X(changes, COUNTER, "changes of a target's state, first verdicts not counted")

#define HEALTHD_TARGET_STATS(X)                                                                    \
	X(probes, COUNTER, "probes made")                                                          \
	X(failures, COUNTER, "of these, failed ones")                                              \
	X(not_made, COUNTER, "probes for which this board had no descriptor or memory")            \
	X(downs, COUNTER, "changes to down")                                                       \
	X(slowest_us, MAX, "longest good probe, in microseconds")

enum { STATS_ENUM(HEALTHD_STATS) STAT_COUNT };

enum {
#define X(name, ...) TARGET_STAT_##name,
	HEALTHD_TARGET_STATS(X)
#undef X
};

enum { STATS_KIND_PROCESS, STATS_KIND_TARGET };

extern const struct stats_kind stats_kinds[];
extern const size_t stats_kinds_n;

#endif
