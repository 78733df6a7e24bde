// SPDX-License-Identifier: MIT
/*
 * Reserved are: the loops' own descriptors; listening sockets; control connections, fewer when the limit is low; and
 * OTHERS: standard streams, log, store and tables, a connection to another daemon's control socket, a configuration
 * file being read, and a spare one to accept and close a control connection too many.
 */
#include "fds.h"

#include <sys/resource.h>

#include "base/def.h"
#include "ipc/ctl.h"

#define OTHERS	      16
#define PER_LOOP      3 /* epoll, eventfd, timerfd */
#define CONTROL_LEAST 4

static uint64_t a_quarter(uint64_t n)
{
	return (n + 3) / 4;
}

/*
 * Not all of it fits. Each client of lbd needs a connection to a server, and with few descriptors each client of edged
 * has one to the origin: a client, its server's connection, and the quarter of an idle one.
 */
static void lower(struct fds_fit *f, const struct fds_plan *p, uint64_t room)
{
	uint64_t pairs = room * 4 / 9;
	uint64_t clients = pairs;
	if (p->per_client == 1) {
		f->origin = (uint32_t)MAX(MIN(p->origin, 1), MIN(p->origin, pairs));
		clients = room - MIN(room, f->origin + a_quarter(f->origin));
		if (f->origin < p->origin)
			clients = MIN(clients, pairs);
	}
	f->clients = (uint32_t)MAX(1, MIN(p->maxconn, clients));
}

struct fds_fit fds_fit(uint64_t limit, const struct fds_plan *p)
{
	MUST(p->maxconn > 0 && (p->per_client == 1 || (p->per_client == 2 && !p->origin)));
	uint64_t fixed = OTHERS + PER_LOOP * (uint64_t)p->loops + p->listening + 1;
	uint64_t clients = (uint64_t)p->per_client * p->maxconn;
	uint64_t wanted = clients + p->origin + a_quarter(clients - p->maxconn + p->origin);
	struct fds_fit f = {.clients = p->maxconn,
			    .origin = p->origin,
			    .control = (uint32_t)MIN(MAX(limit / 16, CONTROL_LEAST), CTL_MAX),
			    .enough = fixed + CTL_MAX + wanted};
	f.reserved = (uint32_t)(fixed + f.control);
	uint64_t room = limit > f.reserved ? limit - f.reserved : 0;
	if (wanted > room)
		lower(&f, p, room);
	uint64_t servers = (uint64_t)f.clients * (p->per_client - 1) + f.origin;
	uint64_t left = room - MIN(room, f.clients + servers);
	uint64_t idle = MIN(left, a_quarter(servers));
	f.pipes = (uint32_t)MIN((left - idle) / 4, UINT32_MAX);
	f.idle = (uint32_t)MIN(left - 2 * (uint64_t)f.pipes, UINT32_MAX);
	return f;
}

uint64_t fds_limit(void)
{
	struct rlimit r;
	return getrlimit(RLIMIT_NOFILE, &r) == 0 ? r.rlim_cur : 1024;
}
