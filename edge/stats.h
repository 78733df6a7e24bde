// SPDX-License-Identifier: MIT
/* The counters of edged.shm. */
#ifndef EDGE_STATS_H
#define EDGE_STATS_H

#include "ipc/stats.h"

#define EDGE_STATS(X)                                                                              \
	X(requests, COUNTER, "requests received, refused ones included")                           \
	X(hits, COUNTER, "answered from the cache without asking the origin first")                \
	X(stale_hits, COUNTER, "of these, stale ones in grace or because the origin failed")       \
	X(misses, COUNTER, "fetched for the cache")                                                \
	X(collapsed, COUNTER, "answered by a fetch that another request had begun")                \
	X(passes, COUNTER, "gone to the origin past the cache")                                    \
	X(revalidated, COUNTER, "validations that the origin answered with 304")                   \
	X(not_modified, COUNTER, "304 sent to clients that had it already")                        \
	X(uncacheable, COUNTER, "responses that might not be stored")                              \
	X(fetches, COUNTER, "requests sent to the origin")                                         \
	X(fetch_errors, COUNTER, "of these, failed ones")                                          \
	X(purges, COUNTER, "PURGE requests obeyed")                                                \
	X(refused, COUNTER, "malformed requests")                                                  \
	X(proxy_errors, COUNTER, "connections refused for want of a good PROXY header")            \
	X(responses_5xx, COUNTER, "5xx answered by the cache itself")                              \
	X(connections, COUNTER, "client connections accepted")                                     \
	X(clients, GAUGE, "client connections open now")                                           \
	X(shed, COUNTER, "client connections closed for want of memory")                           \
	X(bytes_in, COUNTER, "bytes received from clients")                                        \
	X(bytes_out, COUNTER, "bytes sent to clients")                                             \
	X(log_dropped, COUNTER, "lines of the log that were not read in time and left out")

enum { STATS_ENUM(EDGE_STATS) STAT_COUNT };

extern const struct stats_kind stats_kinds[];
extern const size_t stats_kinds_n;

#endif
