// SPDX-License-Identifier: MIT
#include "net/io.h"

#include <errno.h>
#include <sys/socket.h>

static ssize_t tcp_read(struct io *io, void *to, size_t n)
{
	ssize_t got;
	do
		got = recv(io->fd, to, n, 0);
	while (got < 0 && errno == EINTR);
	return got;
}

static ssize_t tcp_writev(struct io *io, const struct iovec *iov, int n)
{
	ssize_t put;
	do
		put = writev(io->fd, iov, n);
	while (put < 0 && errno == EINTR);
	return put;
}

static int tcp_shutdown(struct io *io)
{
	return shutdown(io->fd, SHUT_WR);
}

static void tcp_close(struct io *io)
{
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
	while (count > 0 && n >= (*iov)->iov_len) {
		n -= (*iov)->iov_len;
		(*iov)++;
		count--;
	}
	if (count > 0) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + n;
		(*iov)->iov_len -= n;
	}
	return count;
}
