// SPDX-License-Identifier: MIT
/* vipd's counters, in vipd.shm: one block, since there is one thread. */
#ifndef VIPD_STATS_H
#define VIPD_STATS_H

#include "ipc/stats.h"
#include "vrrp_pkt.h"

#define VIPD_STATS(X)                                                                              \
	X(masters, GAUGE, "instances that are master")                                             \
	X(adverts_sent, COUNTER, "adverts sent")                                                   \
	X(adverts_failed, COUNTER, "adverts that the kernel did not take")                         \
	X(adverts_received, COUNTER, "good adverts of our routers")                                \
	X(priority_zero_sent, COUNTER, "adverts of priority 0 sent")                               \
	X(priority_zero_received, COUNTER, "adverts of priority 0 received")                       \
	X(became_master, COUNTER, "changes to master")                                             \
	X(became_backup, COUNTER, "changes to backup")                                             \
	X(became_fault, COUNTER, "changes to fault")                                               \
	X(conflicts, COUNTER, "adverts of another master received as master")                      \
	X(addresses_restored, COUNTER,                                                             \
	  "addresses that another program removed and vipd set again")                             \
	X(addresses_refused, COUNTER, "addresses that another program set and vipd removed")

#define STATS_DROP_ROW_(name, text) STAT_dropped_##name,
enum { STATS_ENUM(VIPD_STATS) VRRP_PKT_DROPS(STATS_DROP_ROW_) STAT_COUNT };

/* One kind, with STAT_COUNT rows; drops are called dropped_<reason>. */
extern const struct stats_kind stats_kinds[];
extern const size_t stats_kinds_n;

/* The counter of a reason other than OK. */
static inline unsigned stats_drop(enum vrrp_pkt_drop d)
{
	MUST(d > VRRP_PKT_OK && d < VRRP_PKT_DROP_COUNT);
	return (unsigned)STAT_dropped_short + (unsigned)d - VRRP_PKT_DROP_short;
}

#endif
