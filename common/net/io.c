// SPDX-License-Identifier: MIT
/*
 * Plain sockets as an io. A peer that has gone is EPIPE here, never a signal. Its state is the address that a preface
 * named as the one connected to, on the heap, or NULL.
 */
#include "net/io.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "net/sock.h"

#define IOV_AT_ONCE 1024 /* the kernel's UIO_MAXIOV: more is an error, less is a short write */

/* Says what a call that would block waits for. */
static ssize_t told(struct io *io, ssize_t n, enum io_want want)
{
	if (n < 0)
		io->want = (uint8_t)want;
	return n;
}

static ssize_t tcp_read(struct io *io, void *to, size_t n)
{
	return told(io, recv(io->fd, to, n, 0), IO_WANT_READ);
}

static ssize_t tcp_writev(struct io *io, const struct iovec *iov, int n, bool more)
{
	int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);
	if (n == 1)
		return told(io, send(io->fd, iov[0].iov_base, iov[0].iov_len, flags),
			    IO_WANT_WRITE);
	struct msghdr msg = {
		.msg_iov = (struct iovec *)(uintptr_t)iov, /* sendmsg() does not write there */
		.msg_iovlen = (size_t)MIN(n, IOV_AT_ONCE),
	};
	return told(io, sendmsg(io->fd, &msg, flags), IO_WANT_WRITE);
}

static ssize_t tcp_splice_in(struct io *io, int pipe, size_t n)
{
	return splice(io->fd, NULL, pipe, NULL, n, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
}

static ssize_t tcp_splice_out(struct io *io, int pipe, size_t n, bool more)
{
	unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (more ? SPLICE_F_MORE : 0u);
	return splice(pipe, NULL, io->fd, NULL, n, flags);
}

static int tcp_local(const struct io *io, struct addr *to)
{
	const struct addr *named = io->state;
	if (!named)
		return sock_local(io->fd, to);
	*to = *named;
	return 0;
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
	free(io->state);
	io->state = NULL;
}

const struct io_ops io_tcp = {
	.name = "tcp",
	.read = tcp_read,
	.writev = tcp_writev,
	.splice_in = tcp_splice_in,
	.splice_out = tcp_splice_out,
	.local = tcp_local,
	.shutdown = tcp_shutdown,
	.close = tcp_close,
};

bool io_tcp_set_local(struct io *io, const struct addr *a)
{
	MUST(io->ops == &io_tcp && !io->state);
	struct addr *copy = malloc(sizeof(*copy));
	if (!copy)
		return false;
	*copy = *a;
	io->state = copy;
	return true;
}
