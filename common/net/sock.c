// SPDX-License-Identifier: MIT
#include "net/sock.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/stat.h>

static int set(int fd, int level, int option)
{
	int on = 1;
	return setsockopt(fd, level, option, &on, sizeof(on));
}

/* Closes fd, keeps errno, returns -1. */
static int drop(int fd)
{
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int sock_listen(const struct addr *a, unsigned flags, int backlog, struct err *e)
{
	char text[ADDR_TEXT_SIZE];
	int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (fd < 0)
		return err_set(e, "listen on %s: socket: %m", addr_format(a, text));
	/* Accepted sockets inherit TCP_NODELAY: one system call fewer for each connection. */
	if (set(fd, SOL_SOCKET, SO_REUSEADDR) < 0 || set(fd, IPPROTO_TCP, TCP_NODELAY) < 0 ||
	    ((flags & SOCK_REUSEPORT) && set(fd, SOL_SOCKET, SO_REUSEPORT) < 0) ||
	    ((flags & SOCK_FREEBIND) && set(fd, IPPROTO_IP, IP_FREEBIND) < 0) ||
	    (a->sa.sa_family == AF_INET6 && set(fd, IPPROTO_IPV6, IPV6_V6ONLY) < 0) ||
	    bind(fd, &a->sa, a->len) < 0 || listen(fd, backlog) < 0) {
		err_set(e, "listen on %s: %m", addr_format(a, text));
		return drop(fd);
	}
	return fd;
}

int sock_connect(const struct addr *a, struct err *e)
{
	char text[ADDR_TEXT_SIZE];
	int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(e, "connect to %s: socket: %m", addr_format(a, text));
	if (a->sa.sa_family != AF_UNIX)
		(void)set(fd, IPPROTO_TCP, TCP_NODELAY);
	if (connect(fd, &a->sa, a->len) < 0 && errno != EINPROGRESS) {
		err_set(e, "connect to %s: %m", addr_format(a, text));
		return drop(fd);
	}
	return fd;
}

int sock_accept(int listen_fd, struct addr *peer)
{
	peer->len = sizeof(*peer) - offsetof(struct addr, sa);
	return accept4(listen_fd, &peer->sa, &peer->len, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int sock_error(int fd)
{
	int error = 0;
	socklen_t n = sizeof(error);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
		return errno;
	return error;
}

int sock_local(int fd, struct addr *a)
{
	a->len = sizeof(*a) - offsetof(struct addr, sa);
	return getsockname(fd, &a->sa, &a->len);
}

static int unix_addr(struct sockaddr_un *un, const char *path, struct err *e)
{
	*un = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (!str_copy(un->sun_path, sizeof(un->sun_path), str_c(path))) {
		errno = ENAMETOOLONG;
		return err_set(e, "%s: %m", path);
	}
	return 0;
}

int sock_unix_connect(const char *path, struct err *e)
{
	struct sockaddr_un un;
	if (unix_addr(&un, path, e) < 0)
		return -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(e, "%s: socket: %m", path);
	if (connect(fd, (const struct sockaddr *)&un, sizeof(un)) < 0) {
		err_set(e, "%s: %m", path);
		return drop(fd);
	}
	return fd;
}

/* A socket file nobody answers on is what an earlier process left behind. */
static bool stale(const char *path)
{
	struct stat st;
	if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	int fd = sock_unix_connect(path, NULL);
	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == ECONNREFUSED;
}

int sock_unix_listen(const char *path, mode_t mode, int backlog, struct err *e)
{
	struct sockaddr_un un;
	if (unix_addr(&un, path, e) < 0)
		return -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(e, "%s: socket: %m", path);
	if (stale(path))
		unlink(path);
	/* The mode is settled before anybody can connect: nothing answers until listen(). */
	if (bind(fd, (const struct sockaddr *)&un, sizeof(un)) < 0 || chmod(path, mode) < 0 ||
	    listen(fd, backlog) < 0) {
		err_set(e, "%s: %m", path);
		return drop(fd);
	}
	return fd;
}
