// SPDX-License-Identifier: MIT
/*
 * Making sockets. Everything is non-blocking and close-on-exec from birth. TCP_NODELAY is set on
 * listeners: Linux hands it to what they accept, which saves a system call a connection.
 *
 * A Unix socket is bound under a name of its own, given its mode, set listening and only then
 * renamed to its place: no client finds it with the wrong mode or not yet listening.
 */
#include "net/sock.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/stat.h>

#define FLAGS (SOCK_NONBLOCK | SOCK_CLOEXEC)

static int set_to(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

static int set_on(int fd, int level, int name)
{
	return set_to(fd, level, name, 1);
}

/* Closes fd and reports what failed; errno is that of the failure. */
static int give_up(int fd, struct err *e, const char *what, const char *where)
{
	int error = errno;
	err_set(e, "%s %s: %m", what, where);
	if (fd >= 0)
		close(fd);
	errno = error;
	return -1;
}

static int set_listen_options(int fd, int family, unsigned flags)
{
	bool v6 = family == AF_INET6;
	if (set_on(fd, SOL_SOCKET, SO_REUSEADDR) != 0 || set_on(fd, IPPROTO_TCP, TCP_NODELAY) != 0)
		return -1;
	if (v6 && set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY) != 0)
		return -1;
	if ((flags & SOCK_REUSEPORT) != 0 && set_on(fd, SOL_SOCKET, SO_REUSEPORT) != 0)
		return -1;
	if ((flags & SOCK_FREEBIND) == 0)
		return 0;
	return v6 ? set_on(fd, IPPROTO_IPV6, IPV6_FREEBIND) : set_on(fd, IPPROTO_IP, IP_FREEBIND);
}

int sock_listen(const struct addr *a, unsigned flags, int backlog, struct err *e)
{
	char where[ADDR_TEXT_SIZE];
	int fd = socket(a->sa.sa_family, SOCK_STREAM | FLAGS, 0);
	addr_format(a, where);
	if (fd < 0)
		return give_up(fd, e, "socket for", where);
	if (set_listen_options(fd, a->sa.sa_family, flags) != 0)
		return give_up(fd, e, "options of", where);
	if (bind(fd, &a->sa, a->len) != 0)
		return give_up(fd, e, "bind to", where);
	if (listen(fd, backlog) != 0)
		return give_up(fd, e, "listen on", where);
	return fd;
}

/*
 * Finds a host that lost its power while nothing is under way to it. One that does not read for a while answers
 * these probes all the same. No TCP_USER_TIMEOUT here: it would cut connect() short, and count the time that data
 * waits in front of a closed window.
 */
static int set_keepalive(int fd)
{
	if (set_on(fd, SOL_SOCKET, SO_KEEPALIVE) != 0 ||
	    set_to(fd, IPPROTO_TCP, TCP_KEEPIDLE, SOCK_PROBE_S) != 0 ||
	    set_to(fd, IPPROTO_TCP, TCP_KEEPINTVL, SOCK_PROBE_S) != 0)
		return -1;
	return set_to(fd, IPPROTO_TCP, TCP_KEEPCNT, SOCK_PROBES);
}

int sock_connect(const struct addr *a, struct err *e)
{
	int fd = socket(a->sa.sa_family, SOCK_STREAM | FLAGS, 0);
	char where[ADDR_TEXT_SIZE];
	if (LIKELY(fd >= 0 && set_on(fd, IPPROTO_TCP, TCP_NODELAY) == 0 && set_keepalive(fd) == 0 &&
		   (connect(fd, &a->sa, a->len) == 0 || errno == EINPROGRESS)))
		return fd;
	return give_up(fd, e, fd < 0 ? "socket for" : "connect to", addr_format(a, where));
}

void sock_limit_silence(int fd, bool limit, bool *limited)
{
	if (limit == *limited)
		return;
	/* It fails only on a connection that has ended, which the next read or write tells. */
	set_to(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, limit ? SOCK_SILENCE_MS : 0);
	*limited = limit;
}

int sock_accept(int listen_fd, struct addr *peer)
{
	int fd;
	peer->len = sizeof(*peer) - offsetof(struct addr, sa);
	do
		fd = accept4(listen_fd, &peer->sa, &peer->len, FLAGS);
	while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (fd < 0)
		peer->len = 0;
	return fd;
}

void sock_reset_on_close(int fd)
{
	struct linger now = {.l_onoff = 1};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now,
		   sizeof(now)); /* fails on what is closed already */
}

int sock_error(int fd)
{
	socklen_t size = sizeof(int);
	int error = 0;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
		return errno;
	return error;
}

int sock_local(int fd, struct addr *a)
{
	a->len = sizeof(*a) - offsetof(struct addr, sa);
	if (getsockname(fd, &a->sa, &a->len) == 0)
		return 0;
	a->len = 0;
	return -1;
}

static int unix_name(struct sockaddr_un *un, const char *path, struct err *e)
{
	*un = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (str_copy(un->sun_path, sizeof(un->sun_path), str_c(path)))
		return 0;
	errno = ENAMETOOLONG;
	return err_set(e, "%s: longer than a socket's name may be", path);
}

static int unix_connect(const struct sockaddr_un *un)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | FLAGS, 0), error;
	if (fd < 0 || connect(fd, (const struct sockaddr *)un, sizeof(*un)) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

int sock_unix_connect(const char *path, struct err *e)
{
	struct sockaddr_un un;
	int fd;
	if (unix_name(&un, path, e) != 0)
		return -1;
	fd = unix_connect(&un);
	return fd >= 0 ? fd : give_up(fd, e, "connect to", path);
}

/* The name is free when nothing is there, or a socket without a listener. */
static int check_name_is_free(const struct sockaddr_un *un, struct err *e)
{
	struct stat st;
	int fd;
	if (lstat(un->sun_path, &st) != 0)
		return errno == ENOENT ? 0 : give_up(-1, e, "look at", un->sun_path);
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return err_set(e, "%s is there and is not a socket", un->sun_path);
	}
	fd = unix_connect(un);
	if (fd < 0 && errno == ECONNREFUSED)
		return 0;
	if (fd >= 0)
		close(fd);
	errno = EADDRINUSE;
	return err_set(e, "%s: another process listens there already", un->sun_path);
}

int sock_unix_listen(const char *path, mode_t mode, int backlog, struct err *e)
{
	struct sockaddr_un place, own;
	char name[sizeof(own.sun_path) + 16];
	int fd;
	snprintf(name, sizeof(name), "%s.%d", path, (int)getpid());
	if (unix_name(&own, name, e) != 0 || unix_name(&place, path, e) != 0 ||
	    check_name_is_free(&place, e) != 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | FLAGS, 0);
	if (fd < 0)
		return give_up(fd, e, "socket for", path);
	unlink(own.sun_path);
	if (bind(fd, (const struct sockaddr *)&own, sizeof(own)) != 0)
		return give_up(fd, e, "bind to", path);
	if (chmod(own.sun_path, mode) == 0 && listen(fd, backlog) == 0 &&
	    rename(own.sun_path, path) == 0)
		return fd;
	give_up(fd, e, "listen on", path);
	unlink(own.sun_path);
	return -1;
}
