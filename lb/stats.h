// SPDX-License-Identifier: MIT
/*
 * The counters of lbd.shm, by kind of object. Each worker counts in cells of its own (lb_count_...() in lb_worker.h).
 *
 * A server's requests in progress are also an atomic in struct server, because the access log and `servers` need them
 * exact, over all workers, at one moment.
 */
#ifndef LB_STATS_H
#define LB_STATS_H

#include "conf.h"
#include "ipc/stats.h"

#define LB_STATS(X)                                                                                \
	X(requests, COUNTER, "requests received, refused ones included")                           \
	X(connections, COUNTER, "client connections accepted")                                     \
	X(clients, GAUGE, "client connections open now")                                           \
	X(shed, COUNTER, "client connections closed because memory was out")                       \
	X(running, GAUGE, "requests in progress now")                                              \
	X(refused, COUNTER, "malformed requests")                                                  \
	X(proxy_errors, COUNTER, "connections refused without a valid PROXY header")               \
	X(retries, COUNTER, "further attempts after a failed one")                                 \
	X(redispatches, COUNTER, "of these, on another server")                                    \
	X(stale, COUNTER, "idle connections that a server had closed")                             \
	X(no_server, COUNTER, "requests for which no server was usable")                           \
	X(connects, COUNTER, "connections made to servers")                                        \
	X(connect_errors, COUNTER, "attempts to connect that failed")                              \
	X(response_errors, COUNTER, "bad, late or broken responses")                               \
	X(client_aborts, COUNTER, "clients that left early")                                       \
	X(responses_2xx, COUNTER, "responses of status 200 to 299")                                \
	X(responses_3xx, COUNTER, "responses of status 300 to 399")                                \
	X(responses_4xx, COUNTER, "responses of status 400 to 499")                                \
	X(responses_5xx, COUNTER, "responses of status 500 to 599")                                \
	X(bytes_in, COUNTER, "bytes received from clients")                                        \
	X(bytes_out, COUNTER, "bytes sent to clients")                                             \
	X(log_dropped, COUNTER, "log lines dropped because they were not read in time")

#define LB_FRONTEND_STATS(X)                                                                       \
	X(requests, COUNTER, "requests received, refused ones included", "req_tot")                \
	X(connections, COUNTER, "client connections accepted", "conn_tot")                         \
	X(clients, GAUGE, "client connections open now", "scur")                                   \
	X(running, GAUGE, "requests in progress now")                                              \
	X(refused, COUNTER, "malformed requests", "ereq")                                          \
	X(proxy_errors, COUNTER, "connections refused without a valid PROXY header")               \
	X(client_aborts, COUNTER, "clients that left early")                                       \
	X(responses_1xx, COUNTER, "interim responses, and upgrades (101)", "hrsp_1xx")             \
	X(responses_2xx, COUNTER, "responses of status 200 to 299", "hrsp_2xx")                    \
	X(responses_3xx, COUNTER, "responses of status 300 to 399", "hrsp_3xx")                    \
	X(responses_4xx, COUNTER, "responses of status 400 to 499", "hrsp_4xx")                    \
	X(responses_5xx, COUNTER, "responses of status 500 to 599", "hrsp_5xx")                    \
	X(responses_other, COUNTER, "requests that ended without a response", "hrsp_other")        \
	X(bytes_in, COUNTER, "bytes received from its clients", "bin")                             \
	X(bytes_out, COUNTER, "bytes sent to its clients", "bout")

/* What pools and servers have in common. */
#define LB_BACKEND_STATS(X)                                                                        \
	X(running, GAUGE, "requests in progress now", "scur")                                      \
	X(picks, COUNTER, "times chosen by the algorithm, not by a cookie", "lbtot")               \
	X(retries, COUNTER, "further attempts after a failed one", "wretr")                        \
	X(redispatches, COUNTER, "of these, on another server", "wredis")                          \
	X(stale, COUNTER, "idle connections that a server had closed")                             \
	X(connects, COUNTER, "connections made", "connect")                                        \
	X(reuses, COUNTER, "requests sent over an idle connection", "reuse")                       \
	X(connect_errors, COUNTER, "attempts to connect that failed", "econ")                      \
	X(response_errors, COUNTER, "bad, late or broken responses", "eresp")                      \
	X(client_aborts, COUNTER, "clients that left early", "cli_abrt")                           \
	X(responses_1xx, COUNTER, "interim responses, and upgrades (101)", "hrsp_1xx")             \
	X(responses_2xx, COUNTER, "responses of status 200 to 299", "hrsp_2xx")                    \
	X(responses_3xx, COUNTER, "responses of status 300 to 399", "hrsp_3xx")                    \
	X(responses_4xx, COUNTER, "responses of status 400 to 499", "hrsp_4xx")                    \
	X(responses_5xx, COUNTER, "responses of status 500 to 599", "hrsp_5xx")                    \
	X(responses_other, COUNTER, "of another status, or no response", "hrsp_other")             \
	X(bytes_in, COUNTER, "bytes of requests, fields and payload", "bin")                       \
	X(bytes_out, COUNTER, "bytes of responses sent to clients", "bout")

#define LB_POOL_STATS(X)                                                                           \
	X(requests, COUNTER, "requests for this pool", "req_tot")                                  \
	X(no_server, COUNTER, "requests for which no server was usable")                           \
	LB_BACKEND_STATS(X)

#define LB_SERVER_STATS(X)                                                                         \
	X(requests, COUNTER, "requests sent to it, each attempt counted", "req_tot")               \
	LB_BACKEND_STATS(X)                                                                        \
	X(last_request_us, MAX, "time of the last request, on the board's monotonic clock")        \
	X(slowest_connect_ms, MAX, "longest time to connect, in ms", "ctime_max")                  \
	X(slowest_response_ms, MAX, "longest wait for a response head, in ms", "rtime_max")

enum { STATS_ENUM(LB_STATS) STAT_COUNT };

#define X(name, ...) FRONTEND_##name,
enum { LB_FRONTEND_STATS(X) FRONTEND_STAT_COUNT };
#undef X
#define X(name, ...) POOL_##name,
enum { LB_POOL_STATS(X) POOL_STAT_COUNT };
#undef X
#define X(name, ...) SERVER_##name,
enum { LB_SERVER_STATS(X) SERVER_STAT_COUNT };
#undef X

/* The counter of a status's class; first is that of 1xx, the one after 5xx is for all else. */
static inline unsigned stats_by_class(unsigned first, unsigned status)
{
	unsigned class = status / 100;
	return first + (class >= 1 && class <= 5 ? class - 1 : 5);
}
_Static_assert((unsigned)FRONTEND_responses_other == FRONTEND_responses_1xx + 5 &&
		       (unsigned)POOL_responses_other == POOL_responses_1xx + 5 &&
		       (unsigned)SERVER_responses_other == SERVER_responses_1xx + 5,
	       "classes in order");

/* Kinds, in the order of the table. */
enum { STATS_PROCESS, STATS_FRONTEND, STATS_POOL, STATS_SERVER };

extern const struct stats_kind stats_kinds[];
extern const size_t stats_kinds_n;

/*
 * Gives the frontends, pools and servers of a generation their slots, by name: "web", "edges", "edges/web1". To be
 * called after server_attach() and before a worker sees the generation. Main thread.
 */
void stats_attach(struct stats *s, struct lb_config *c);

#endif
