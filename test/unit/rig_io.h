// SPDX-License-Identifier: MIT
/*
 * An io that behaves as TLS may, for what is made over struct io: it reads ahead, takes little, wants the other
 * direction, and begins with a handshake.
 *
 *     rig.conf.listener.open_io = rig_io_open, io_arg = &a rig_io
 */
#ifndef RIG_IO_H
#define RIG_IO_H

#include "unit.h"

#include <stdatomic.h>

#include "net/io.h"

struct rig_io {
	/* The client sends "one", is sent "ONE", sends "two"; anything else is refused. */
	bool handshake;
	/* The step in the middle wants to write, and is asked twice. */
	bool waits_to_write;
	/* Bytes a read gives, or 0: all that it has. It reads the socket empty, ahead of itself. */
	size_t read_most;
	/* What it read off the socket it gives only after the socket was writable. */
	bool read_wants_write;
	size_t write_most;   /* bytes a write takes, or 0: all; every other one takes none */
	size_t breaks_after; /* bytes that are written before writing fails, or 0: it never does */
	size_t write_limit;  /* bytes taken in all, or 0: as many as come */
	_Atomic bool write_none; /* writes take none; the test may change it at any time */
	/* A write is taken only after a byte '!' has come, which belongs to the io alone (a key that is to be changed). */
	bool write_wants_read;
};

void rig_io_open(struct io *io, int fd, struct addr *peer, const void *arg);

/* Reads and writes that would have blocked, of all; the test's to reset. */
extern _Atomic int rig_io_refusals;

#endif
