// SPDX-License-Identifier: MIT
/*
 * Sockets as the daemons want them: non-blocking, close-on-exec, TCP_NODELAY. Functions that make
 * one return the descriptor, or -1 with e set (e may be NULL) and errno kept.
 */
#ifndef NET_SOCK_H
#define NET_SOCK_H

#include "net/addr.h"

enum sock_flag {
	SOCK_REUSEPORT = 1, /* several sockets share the port, the kernel spreads connections */
	SOCK_FREEBIND = 2,  /* bind although the address is not (yet) on this host: the VIP */
};

/*
 * An IPv6 socket takes IPv6 only, whatever the host's default: "[::]:80" and "*:80" go side by
 * side.
 */
int sock_listen(const struct addr *a, unsigned flags, int backlog, struct err *e);

/*
 * Starts a connection; the result is writable once it is decided, see sock_error(). EINPROGRESS is
 * success.
 *
 * The kernel probes the peer while nothing is under way (SO_KEEPALIVE): a host that is gone ends the
 * connection with ETIMEDOUT after SOCK_PROBE_S * (SOCK_PROBES + 1) seconds.
 */
#define SOCK_PROBE_S 1
#define SOCK_PROBES  3
int sock_connect(const struct addr *a, struct err *e);

/*
 * While data is under way the kernel does not probe but sends it again, for a quarter of an hour. With this
 * limit (TCP_USER_TIMEOUT, tcp(7)) the connection ends with ETIMEDOUT when nothing was acknowledged for
 * SOCK_SILENCE_MS; that is enough for two lost probes. It counts the time that data waits because the peer's
 * window is closed too, so it is for an established connection that carries a small message, a request without
 * body, and has to be lifted before a large one is sent to a peer that may be slow to read.
 *
 * *limited is the connection's state, false after sock_connect(); no system call when it is as wanted already.
 */
#define SOCK_SILENCE_MS 3000
void sock_limit_silence(int fd, bool limit, bool *limited);

/* Accepts one; -1 with errno EAGAIN when there is none. Options are inherited from the listener. */
int sock_accept(int listen_fd, struct addr *peer);

/* From now on close() is a reset (SO_LINGER): the peer cannot take the end for an orderly one. */
void sock_reset_on_close(int fd);

int sock_error(int fd); /* SO_ERROR: 0 or an errno value */

/* The address the peer talks to. */
int sock_local(int fd, struct addr *a);

/*
 * Unix stream sockets. listen replaces a stale file, but not a socket that a process listens on; mode as
 * chmod.
 */
int sock_unix_listen(const char *path, mode_t mode, int backlog, struct err *e);
int sock_unix_connect(const char *path, struct err *e);

#endif
