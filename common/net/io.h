// SPDX-License-Identifier: MIT
/*
 * A byte stream over a socket, behind a table: plain TCP, a PROXY preface before it, TLS. All calls are non-blocking
 * and follow read(2)/writev(2): -1 with EAGAIN when it would block, and `want` then says what to wait for, since a
 * read may have to write first (TLS).
 *
 * An io with a handshake step begins with it: nothing is read or written before io_handshake() said IO_READY. A step
 * may replace the table, so that a preface costs nothing once it is over.
 *
 * An io belongs to its connection, and so does what `state` points to unless the table's close() frees it.
 */
#ifndef NET_IO_H
#define NET_IO_H

#include <sys/uio.h>

#include "net/addr.h"

struct io;

enum io_handshake {
	IO_READY, /* bytes can flow */
	IO_WAIT,  /* not yet: when the socket is what `want` says, call again */
	/* The peer did not begin as it must; io->error says why. NULL: it closed before it sent anything. */
	IO_REFUSE,
};

enum io_want { IO_WANT_READ = 1, IO_WANT_WRITE = 2 };

struct io_ops {
	const char *name;
	enum io_handshake (*handshake)(struct io *io); /* NULL: there is none */
	ssize_t (*read)(struct io *io, void *to, size_t n);
	/* more: further bytes follow at once, so a partial packet may wait for them (MSG_MORE). */
	ssize_t (*writev)(struct io *io, const struct iovec *iov, int n, bool more);
	/* From the socket into a pipe, and from a pipe to the socket, without a copy (splice(2)). NULL: not possible. */
	ssize_t (*splice_in)(struct io *io, int pipe, size_t n);
	ssize_t (*splice_out)(struct io *io, int pipe, size_t n, bool more);
	/* Bytes already read off the socket that the next read returns: no event announces them. NULL: none ever. */
	size_t (*pending)(const struct io *io);
	/* The address that the peer connected to, or that a trusted preface named as that. NULL: there is none. */
	int (*local)(const struct io *io, struct addr *to);
	int (*shutdown)(struct io *io); /* no more writes: FIN or close_notify */
	void (*close)(struct io *io);	/* also closes fd and sets it to -1 */
};

struct io {
	const struct io_ops *ops;
	int fd;		   /* ro: what the event loop watches */
	uint8_t want;	   /* ro: enum io_want, after IO_WAIT or EAGAIN */
	const char *error; /* ro: static text, after IO_REFUSE */
	void *state;	   /* private to the table */
};

extern const struct io_ops io_tcp;

static inline void io_init_tcp(struct io *io, int fd)
{
	*io = (struct io){.ops = &io_tcp, .fd = fd, .want = IO_WANT_READ};
}

/* What local() says from now on, instead of what the socket knows; copied. False: no memory. For tables that give their
 * connection up to io_tcp. */
bool io_tcp_set_local(struct io *io, const struct addr *a);

static inline enum io_handshake io_handshake(struct io *io)
{
	return io->ops->handshake ? io->ops->handshake(io) : IO_READY;
}

static inline ssize_t io_read(struct io *io, void *to, size_t n)
{
	return io->ops->read(io, to, n);
}

static inline ssize_t io_writev(struct io *io, const struct iovec *iov, int n)
{
	return io->ops->writev(io, iov, n, false);
}

/* The caller will write again before it returns to its loop. */
static inline ssize_t io_writev_more(struct io *io, const struct iovec *iov, int n)
{
	return io->ops->writev(io, iov, n, true);
}

/* A system call, unless a preface named the address. False, and a->len 0: not known. */
static inline bool io_local(const struct io *io, struct addr *a)
{
	a->len = 0;
	return io->ops->local && io->ops->local(io, a) == 0;
}

static inline bool io_may_splice(const struct io *io)
{
	return io->ops->splice_in && io->ops->splice_out;
}

static inline size_t io_pending(const struct io *io)
{
	return io->ops->pending ? io->ops->pending(io) : 0;
}

#endif
