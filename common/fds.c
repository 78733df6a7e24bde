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

struct fds_fit fds_fit(uint64_t limit, const struct fds_plan *p)
{
	MUST(p->maxconn > 0 && p->per_client > 0);
	uint64_t fixed = OTHERS + PER_LOOP * (uint64_t)p->loops + p->listening + 1;
	uint64_t clients = (uint64_t)p->per_client * p->maxconn;
	struct fds_fit f = {.clients = p->maxconn,
			    .origin = p->origin,
			    .control = (uint32_t)MIN(MAX(limit / 16, CONTROL_LEAST), CTL_MAX),
			    .enough = fixed + CTL_MAX + clients + p->origin};
	f.reserved = (uint32_t)(fixed + f.control);
	uint64_t room = limit > f.reserved ? limit - f.reserved : 0;
	if (clients + p->origin <= room)
		return f;
	if (p->origin)
		f.origin = (uint32_t)MAX(1, MIN(p->origin, room / 2));
	room -= MIN(room, f.origin);
	f.clients = (uint32_t)MAX(1, MIN(p->maxconn, room / p->per_client));
	return f;
}

uint64_t fds_limit(void)
{
	struct rlimit r;
	return getrlimit(RLIMIT_NOFILE, &r) == 0 ? r.rlim_cur : 1024;
}
