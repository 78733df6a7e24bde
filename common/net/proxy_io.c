// SPDX-License-Identifier: MIT
/*
 * The header is looked at where it is (MSG_PEEK) until it is whole, and then read off by its size. So no buffer is
 * held while it comes, and what follows stays in the socket. A level-triggered loop would spin over a part of it:
 * the kernel is told to wait for more bytes (SO_RCVLOWAT), until the header is there. Whether the peer has closed must
 * then be asked for separately: peeking returns the same bytes for ever.
 */
#include "net/proxy_io.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "net/proxy_header.h"

static enum io_handshake refuse(struct io *io, const char *why)
{
	io->error = why;
	return IO_REFUSE;
}

static void set_lowat(int fd, size_t n)
{
	int value = (int)n;
	setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof(value));
}

/* No more bytes will come. */
static bool has_ended(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};
	return poll(&p, 1, 0) == 1;
}

/* Takes it off the socket; the connection is plain TCP from now on. */
static enum io_handshake take(struct io *io, const struct proxy_header *h, char *buffer)
{
	struct addr *peer = io->state;
	if (recv(io->fd, buffer, h->size, 0) != (ssize_t)h->size)
		return refuse(io, "PROXY header is gone");
	io_init_tcp(io, io->fd);
	if (!h->source.len)
		return IO_READY;
	*peer = h->source;
	return io_tcp_set_local(io, &h->destination) ? IO_READY : refuse(io, "out of memory");
}

static const struct io_ops waiting;
static const char closed_inside[] = "closed inside its PROXY header";

static enum io_handshake wait_for(struct io *io, size_t size)
{
	io->ops = &waiting;
	io->want = IO_WANT_READ;
	set_lowat(io->fd, size);
	return IO_WAIT;
}

static enum io_handshake look(struct io *io)
{
	char buffer[PROXY_HEADER_MAX];
	struct proxy_header h;
	for (bool ended = false;; ended = true) {
		ssize_t n = recv(io->fd, buffer, sizeof(buffer), MSG_PEEK);
		if (n < 0 && errno == EAGAIN)
			return IO_WAIT;
		if (n <= 0)
			return refuse(io, io->ops == &waiting ? closed_inside : NULL);
		switch (proxy_header_parse(&h, str_of(buffer, (size_t)n))) {
		case PROXY_HEADER_DONE:
			return take(io, &h, buffer);
		case PROXY_HEADER_BAD:
			return refuse(io, h.error);
		case PROXY_HEADER_MORE:
			break;
		}
		if (ended)
			return refuse(io, closed_inside);
		/* Once the peer has closed, one more look sees all that there will be. */
		if (!has_ended(io->fd))
			return wait_for(io, h.size);
	}
}

/* The socket waits for more than one byte. */
static enum io_handshake look_again(struct io *io)
{
	enum io_handshake r = look(io);
	if (r == IO_READY)
		set_lowat(io->fd, 1);
	return r;
}

/* A connection that is refused or given up is still plain TCP. */
static int shut_write(struct io *io)
{
	return shutdown(io->fd, SHUT_WR);
}

static void close_fd(struct io *io)
{
	close(io->fd);
	io->fd = -1;
}

static const struct io_ops waiting = {.name = "PROXY header, begun",
				      .handshake = look_again,
				      .shutdown = shut_write,
				      .close = close_fd};

static const struct io_ops expecting = {
	.name = "PROXY header", .handshake = look, .shutdown = shut_write, .close = close_fd};

void proxy_io_open(struct io *io, int fd, struct addr *peer, const void *proxies)
{
	io_init_tcp(io, fd);
	if (!nets_contain(proxies, peer))
		return;
	io->ops = &expecting;
	io->state = peer;
}
