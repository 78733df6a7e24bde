// SPDX-License-Identifier: MIT
/*
 * A byte stream behind a four-function table, so that TLS can stand in for TCP without the layers
 * above noticing. All calls are non-blocking and follow read(2)/writev(2): -1 with EAGAIN when it
 * would block.
 */
#ifndef NET_IO_H
#define NET_IO_H

#include <sys/uio.h>

#include "base/def.h"

struct io;

struct io_ops {
	ssize_t (*read)(struct io *io, void *to, size_t n);
	/* more: further bytes follow at once, so a part of a packet may wait for them (MSG_MORE). */
	ssize_t (*writev)(struct io *io, const struct iovec *iov, int n, bool more);
	int (*shutdown)(struct io *io); /* no more writes: FIN or close_notify */
	void (*close)(struct io *io);	/* also closes fd and sets it to -1 */
};

struct io {
	const struct io_ops *ops;
	int fd; /* what the event loop watches */
};

extern const struct io_ops io_tcp;

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

/*
 * Drops the first n bytes of the vector: returns the new count, iov is moved and trimmed in place.
 */
int io_iov_skip(struct iovec **iov, int count, size_t n);

#endif
