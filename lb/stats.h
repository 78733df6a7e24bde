// SPDX-License-Identifier: MIT
/* The counters of lbd.shm. */
#ifndef LB_STATS_H
#define LB_STATS_H

#include "ipc/stats.h"

#define LB_STATS(X)                                                                                \
	X(requests, COUNTER, "requests received, refused ones included")                           \
	X(connections, COUNTER, "client connections accepted")                                     \
	X(clients, GAUGE, "client connections open now")                                           \
	X(shed, COUNTER, "client connections closed for want of memory")                           \
	X(running, GAUGE, "requests in progress now")                                              \
	X(refused, COUNTER, "malformed requests")                                                  \
	X(proxy_errors, COUNTER, "connections refused for want of a good PROXY header")            \
	X(retries, COUNTER, "further attempts after a failed one")                                 \
	X(redispatches, COUNTER, "of these, on another server")                                    \
	X(stale, COUNTER, "kept connections that a server had closed")                             \
	X(no_server, COUNTER, "requests for which no server was usable")                           \
	X(connects, COUNTER, "connections made to servers")                                        \
	X(connect_errors, COUNTER, "attempts to connect that failed")                              \
	X(response_errors, COUNTER, "bad, late or broken responses")                               \
	X(client_aborts, COUNTER, "clients that left early")                                       \
	X(responses_2xx, COUNTER, "responses by class")                                            \
	X(responses_3xx, COUNTER, "responses by class")                                            \
	X(responses_4xx, COUNTER, "responses by class")                                            \
	X(responses_5xx, COUNTER, "responses by class")                                            \
	X(bytes_in, COUNTER, "bytes received from clients")                                        \
	X(bytes_out, COUNTER, "bytes sent to clients")                                             \
	X(log_dropped, COUNTER, "lines of the log that were not read in time and left out")

enum { STATS_ENUM(LB_STATS) STAT_COUNT };

extern const struct stats_kind stats_kinds[];
extern const size_t stats_kinds_n;

#endif
