// SPDX-License-Identifier: MIT
#include "ipc/watch.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "net/sock.h"

#define WAIT_FIRST 0.05
#define WAIT_MOST  1.0

#define WATCH_MAGIC 0x57415443u

static void try_later(struct watch *w)
{
	ev_timer_stop(w->loop, &w->retry);
	ev_timer_set(&w->retry, w->wait, 0.);
	ev_timer_start(w->loop, &w->retry);
	w->wait = MIN(w->wait * 2, WAIT_MOST);
}

static void lost(struct watch *w)
{
	ev_io_stop(w->loop, &w->readable);
	close(w->readable.fd);
	w->connected = false;
	w->wait = WAIT_FIRST;
	try_later(w);
	w->down(w);
}

/* False: a callback stopped the watch. */
static bool take_lines(struct watch *w)
{
	struct str rest = str_of(w->in, w->n);
	ssize_t eol;
	while ((eol = str_find(rest, '\n')) >= 0) {
		struct str line = str_of(rest.p, (size_t)eol);
		rest = str_skip(rest, line.n + 1);
		if (line.n && w->line)
			w->line(w, line);
		if (!w->connected)
			return false;
	}
	/* A line longer than the buffer is no event of a daemon: drop what there is of it. */
	w->n = rest.n == sizeof(w->in) ? 0 : rest.n;
	memmove(w->in, rest.p, w->n);
	return true;
}

static void on_readable(struct ev_loop *loop UNUSED, struct ev_io *io, int events UNUSED)
{
	struct watch *w = container_of(io, struct watch, readable);
	MAGIC_CHECK(w, WATCH_MAGIC);
	ssize_t n = recv(io->fd, w->in + w->n, sizeof(w->in) - w->n, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		lost(w);
		return;
	}
	w->n += (size_t)n;
	take_lines(w);
}

static void attempt(struct watch *w)
{
	int fd = sock_unix_connect(w->path, NULL);
	if (fd >= 0 && send(fd, "watch\n", 6, MSG_NOSIGNAL) == 6) {
		w->connected = true;
		w->n = 0;
		ev_io_set(&w->readable, fd, EV_READ);
		ev_io_start(w->loop, &w->readable);
		if (w->up)
			w->up(w);
		return;
	}
	if (fd >= 0)
		close(fd);
	try_later(w);
}

static void on_retry(struct ev_loop *loop UNUSED, struct ev_timer *t, int events UNUSED)
{
	struct watch *w = container_of(t, struct watch, retry);
	MAGIC_CHECK(w, WATCH_MAGIC);
	attempt(w);
}

void watch_start(struct watch *w, struct ev_loop *loop, const char *path)
{
	MAGIC_SET(w, WATCH_MAGIC);
	w->loop = loop;
	w->wait = WAIT_FIRST;
	w->connected = false;
	MUST(str_copy(w->path, sizeof(w->path), str_c(path)));
	ev_init(&w->readable, on_readable);
	ev_timer_init(&w->retry, on_retry, 0., 0.);
	attempt(w);
}

void watch_stop(struct watch *w)
{
	ev_timer_stop(w->loop, &w->retry);
	if (!w->connected)
		return;
	ev_io_stop(w->loop, &w->readable);
	close(w->readable.fd);
	w->connected = false;
}

/* ---- one question */

static int wait_for(int fd, short what, int64_t until_us, struct err *e, const char *path)
{
	int64_t left_ms = (until_us - clock_now_us()) / CLOCK_MSEC;
	struct pollfd p = {.fd = fd, .events = what};
	int n = poll(&p, 1, (int)MAX(left_ms, 0));
	if (n < 0 && errno != EINTR)
		return err_set(e, "%s: %m", path);
	if (n == 0)
		return err_set(e, "%s: no answer in time", path);
	return 0;
}

static int send_all(int fd, struct str s, int64_t until_us, struct err *e, const char *path)
{
	while (s.n) {
		ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
		if (n > 0)
			s = str_skip(s, (size_t)n);
		else if (errno != EAGAIN && errno != EINTR)
			return err_set(e, "%s: %m", path);
		else if (wait_for(fd, POLLOUT, until_us, e, path) < 0)
			return -1;
	}
	return 0;
}

/* The reply ends with an empty line: "\n\n", or "\n" alone when it is empty. */
static bool complete(const struct text *t)
{
	return (t->n == 1 && t->p[0] == '\n') ||
	       (t->n >= 2 && memcmp(t->p + t->n - 2, "\n\n", 2) == 0);
}

static int read_reply(int fd, struct text *reply, int64_t until_us, struct err *e, const char *path)
{
	char part[4096];
	while (!complete(reply)) {
		if (reply->cut)
			return err_set(e, "%s: the answer is longer than %zu bytes", path,
				       reply->cap);
		ssize_t n = recv(fd, part, sizeof(part), 0);
		if (n > 0)
			text_add(reply, str_of(part, (size_t)n));
		else if (n == 0)
			return err_set(e, "%s: closed in mid-answer", path);
		else if (errno != EAGAIN && errno != EINTR)
			return err_set(e, "%s: %m", path);
		else if (wait_for(fd, POLLIN, until_us, e, path) < 0)
			return -1;
	}
	reply->n--;
	reply->p[reply->n] = '\0';
	return 0;
}

int watch_ask(const char *path, const char *command, struct text *reply, int timeout_ms,
	      struct err *e)
{
	int64_t until_us = clock_now_us() + timeout_ms * CLOCK_MSEC;
	AUTO_CLOSE int fd = sock_unix_connect(path, e);
	if (fd < 0)
		return -1;
	if (send_all(fd, str_c(command), until_us, e, path) < 0 ||
	    send_all(fd, STR("\n"), until_us, e, path) < 0)
		return -1;
	return read_reply(fd, reply, until_us, e, path);
}
