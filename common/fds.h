// SPDX-License-Identifier: MIT
/*
 * What a descriptor limit allows: how many clients a daemon may serve so that there is always a descriptor for the
 * connection that a client's request needs, for the control socket, and for what else a daemon opens. Some are for idle
 * connections to servers, at least a quarter of those in use. The rest is shared by more of these and pipes.
 */
#ifndef FDS_H
#define FDS_H

#include <stdint.h>

struct fds_plan {
	uint32_t maxconn; /* clients wanted */
	/* Descriptors: 1, or 2 if a client's request may need a connection to a server. */
	uint32_t per_client;
	uint32_t origin;    /* with per_client 1: connections to the one server of all clients */
	uint32_t listening; /* sockets */
	uint32_t loops;	    /* event loops */
};

struct fds_fit {
	uint32_t clients;  /* 1..maxconn */
	uint32_t origin;   /* 1..origin, or 0 */
	uint32_t idle;	   /* idle connections to servers */
	uint32_t pipes;	   /* each is two descriptors */
	uint32_t control;  /* control connections at once, out of the reserved */
	uint32_t reserved; /* descriptors for all but the above */
	uint64_t enough;   /* the limit that would allow all that was wanted */
};

/* limit: RLIMIT_NOFILE. Where not all fits, clients and connections to servers share what there is. */
struct fds_fit fds_fit(uint64_t limit, const struct fds_plan *p);

/* The limit of this process. */
uint64_t fds_limit(void);

#endif
