// SPDX-License-Identifier: MIT
/* Plain sockets as an io. A peer that has gone is EPIPE here, never a signal. */
#include "net/io.h"

#include <sys/socket.h>

#define IOV_AT_ONCE 1024 /* the kernel's UIO_MAXIOV: more is an error, less is a short write */

static ssize_t tcp_read(struct io *io, void *to, size_t n)
{
	return recv(io->fd, to, n, 0);
}

static ssize_t tcp_writev(struct io *io, const struct iovec *iov, int n, bool more)
{
	struct msghdr msg;
	int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);

	if (n == 1)
		return send(io->fd, iov[0].iov_base, iov[0].iov_len, flags);
	msg = (struct msghdr){
		.msg_iov = (struct iovec *)(uintptr_t)iov, /* sendmsg() does not write there */
		.msg_iovlen = (size_t)MIN(n, IOV_AT_ONCE),
	};
	return sendmsg(io->fd, &msg, flags);
}

static int tcp_shutdown(struct io *io)
{
	return shutdown(io->fd, SHUT_WR);
}

static void tcp_close(struct io *io)
{
	if (io->fd >= 0)
		close(io->fd);
	io->fd = -1;
}

const struct io_ops io_tcp = {
	.read = tcp_read,
	.writev = tcp_writev,
	.shutdown = tcp_shutdown,
	.close = tcp_close,
};

int io_iov_skip(struct iovec **iov, int count, size_t n)
{
	struct iovec *v = *iov;

	while (count > 0 && n >= v->iov_len) {
		n -= v->iov_len;
		v++;
		count--;
	}
	MUST(count > 0 || n == 0);
	if (count > 0) {
		v->iov_base = (char *)v->iov_base + n;
		v->iov_len -= n;
	}
	*iov = v;
	return count;
}
