// SPDX-License-Identifier: MIT
#include "rig_io.h"

#include <errno.h>
#include <sys/socket.h>

struct ahead {
	const struct rig_io *conf;
	char mem[32768];
	size_t at, n, written;
	unsigned step;
	bool locked; /* mem waits for the socket to be writable */
	bool full;   /* the last write was taken */
	bool keyed;  /* '!' has come */
	bool eof;
};

_Atomic int rig_io_refusals;

static ssize_t again(struct io *io, enum io_want want)
{
	rig_io_refusals++;
	io->want = (uint8_t)want;
	errno = EAGAIN;
	return -1;
}

/* Reads the socket empty, as far as there is room. -1: nothing there (or an error). */
static ssize_t read_ahead(struct io *io, struct ahead *a)
{
	ssize_t n = recv(io->fd, a->mem + a->n, sizeof(a->mem) - a->n, 0);
	if (n == 0)
		a->eof = true;
	if (n <= 0)
		return n;
	char *key = a->conf->write_wants_read ? memchr(a->mem + a->n, '!', (size_t)n) : NULL;
	a->n += (size_t)n;
	if (key) {
		a->keyed = true;
		memmove(key, key + 1, (size_t)(a->mem + a->n - key - 1));
		a->n--;
	}
	return n;
}

static ssize_t ahead_read(struct io *io, void *to, size_t n)
{
	struct ahead *a = io->state;
	if (a->at == a->n) {
		a->at = a->n = 0;
		ssize_t got = read_ahead(io, a);
		if (got < 0)
			return errno == EAGAIN ? again(io, IO_WANT_READ) : -1;
		if (a->n == 0)
			return a->eof ? 0 : again(io, IO_WANT_READ);
		a->locked = a->conf->read_wants_write;
		if (a->locked)
			return again(io, IO_WANT_WRITE);
	}
	a->locked =
		false; /* only the event of a socket that can be written leads here: it has nothing to read */
	size_t most = a->conf->read_most ? MIN(n, a->conf->read_most) : n;
	size_t give = MIN(most, a->n - a->at);
	memcpy(to, a->mem + a->at, give);
	a->at += give;
	return (ssize_t)give;
}

static size_t ahead_pending(const struct io *io)
{
	const struct ahead *a = io->state;
	return a->locked ? 0 : a->n - a->at;
}

static ssize_t ahead_writev(struct io *io, const struct iovec *iov, int n, bool more UNUSED)
{
	struct ahead *a = io->state;
	size_t left = a->conf->write_most ? a->conf->write_most : SIZE_MAX, done = 0;
	if (a->conf->breaks_after && a->written == a->conf->breaks_after) {
		errno = EPIPE;
		return -1;
	}
	if (a->conf->breaks_after)
		left = MIN(left, a->conf->breaks_after - a->written);
	if (a->conf->write_none)
		return again(io, IO_WANT_WRITE);
	if (a->conf->write_wants_read && !a->keyed)
		read_ahead(io, a);
	if (a->conf->write_wants_read && !a->keyed)
		return again(io, IO_WANT_READ);
	if (a->conf->write_limit && a->written >= a->conf->write_limit)
		return again(io, IO_WANT_READ); /* no event will come */
	a->full = !a->full && a->conf->write_most;
	if (!a->full && a->conf->write_most)
		return again(io, IO_WANT_WRITE);
	for (int i = 0; i < n && left; i++) {
		size_t want = MIN(left, iov[i].iov_len);
		ssize_t put = send(io->fd, iov[i].iov_base, want, MSG_NOSIGNAL);
		if (put < 0 && done)
			break;
		if (put < 0)
			return errno == EAGAIN ? again(io, IO_WANT_WRITE) : -1;
		done += (size_t)put;
		left -= (size_t)put;
		if ((size_t)put < want)
			break;
	}
	a->written += done;
	return (ssize_t)done;
}

static enum io_handshake ahead_handshake(struct io *io)
{
	struct ahead *a = io->state;
	if (!a->conf->handshake)
		return IO_READY;
	read_ahead(io, a);
	if (a->step == 0 && a->n - a->at >= 3) {
		if (memcmp(a->mem + a->at, "one", 3) != 0) {
			io->error = "not the word";
			return IO_REFUSE;
		}
		a->at += 3;
		a->step = a->conf->waits_to_write ? 1 : 2;
		io->want = IO_WANT_WRITE;
		if (a->step == 1)
			return IO_WAIT;
	}
	if (a->step == 1) { /* asked again because the socket is writable, though nothing came */
		a->step = 2;
		io->want = IO_WANT_WRITE;
		return IO_WAIT;
	}
	if (a->step == 2) {
		MUST(send(io->fd, "ONE", 3, MSG_NOSIGNAL) == 3);
		a->step = 3;
	}
	if (a->step == 3 && a->n - a->at >= 3) {
		a->at += 3;
		return IO_READY;
	}
	io->want = IO_WANT_READ;
	return IO_WAIT;
}

static int ahead_shutdown(struct io *io)
{
	return shutdown(io->fd, SHUT_WR);
}

static void ahead_close(struct io *io)
{
	free(io->state);
	close(io->fd);
	io->fd = -1;
}

static const struct io_ops ahead_ops = {.name = "ahead",
					.handshake = ahead_handshake,
					.read = ahead_read,
					.writev = ahead_writev,
					.pending = ahead_pending,
					.shutdown = ahead_shutdown,
					.close = ahead_close};

void rig_io_open(struct io *io, int fd, struct addr *peer UNUSED, const void *arg)
{
	struct ahead *a = def_xcalloc(1, sizeof(*a));
	a->conf = arg;
	*io = (struct io){.ops = &ahead_ops, .fd = fd, .want = IO_WANT_READ, .state = a};
}
