// SPDX-License-Identifier: MIT
#include "access_log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"

#define LINE_ROOM                                                                                  \
	9000 /* the longest request line we accept, escaped bytes and all else cut to fit */
#define FLUSH_S 1.0

static void write_out(struct access_log *l)
{
	size_t at = 0;
	while (at < l->n) {
		ssize_t n = write(l->fd, l->text + at, l->n - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break; /* nobody reads: better lose lines than requests */
		at += (size_t)n;
	}
	l->n = 0;
	ev_timer_stop(l->loop, &l->flush);
}

static void on_flush(struct ev_loop *loop, struct ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	write_out(container_of(w, struct access_log, flush));
}

void access_log_init(struct access_log *l, struct ev_loop *loop, int fd)
{
	l->loop = loop;
	l->fd = fd;
	l->n = 0;
	l->stamped_s = -1;
	ev_timer_init(&l->flush, on_flush, FLUSH_S, 0.);
}

void access_log_fini(struct access_log *l)
{
	write_out(l);
}

static const char *stamp(struct access_log *l, int64_t wall_s)
{
	if (wall_s != l->stamped_s) {
		struct tm tm;
		time_t t = (time_t)wall_s;
		localtime_r(&t, &tm);
		strftime(l->stamp, sizeof(l->stamp), "%d/%b/%Y:%H:%M:%S", &tm);
		l->stamped_s = wall_s;
	}
	return l->stamp;
}

/* Bytes that are no printable ASCII, and those that would end the field, leave as #XX. */
static size_t escape(char *to, size_t size, struct str s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.n && n + 3 < size; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c >= 32 && c <= 126 && c != '"' && c != '#') {
			to[n++] = (char)c;
		} else {
			to[n++] = '#';
			to[n++] = "0123456789ABCDEF"[c >> 4];
			to[n++] = "0123456789ABCDEF"[c & 15];
		}
	}
	return n;
}

size_t access_log_format(struct access_log *l, const struct access_entry *e, int64_t wall_us,
			 char *to, size_t size)
{
	char peer[ADDR_TEXT_SIZE];
	int n = snprintf(to, size,
			 "%s [%s.%03d] %.*s %.*s/%.*s %" PRId64 "/%" PRId64 "/%" PRId64 "/%" PRId64
			 "/%" PRId64 " %d %" PRIu64 " - - %.4s %u/%u/%u/%u/%s%u 0/0 \"",
			 addr_format(e->peer, peer), stamp(l, wall_us / CLOCK_SECOND),
			 (int)(wall_us % CLOCK_SECOND / CLOCK_MSEC), STR_ARG(e->frontend),
			 STR_ARG(e->pool), STR_ARG(e->server), e->request_ms, e->queue_ms,
			 e->connect_ms, e->response_ms, e->total_ms, e->status, e->bytes, e->ends,
			 e->active, e->frontend_active, e->pool_active, e->server_active,
			 e->redispatched ? "+" : "", e->retries);
	size_t at = MIN((size_t)MAX(n, 0), size - 1);
	if (e->method.n) {
		at += escape(to + at, size - at - 16, e->method);
		to[at++] = ' ';
		at += escape(to + at, size - at - 16, e->target);
		at += (size_t)snprintf(to + at, size - at, " HTTP/1.%u\"\n", e->minor);
	} else {
		at += escape(to + at, size - at - 16, e->target);
		at += (size_t)snprintf(to + at, size - at, "\"\n");
	}
	return at;
}

void access_log_add(struct access_log *l, const struct access_entry *e, int64_t wall_us)
{
	if (sizeof(l->text) - l->n < LINE_ROOM && l->n)
		write_out(l);
	if (l->n == 0)
		ev_timer_set(&l->flush, FLUSH_S, 0.);
	l->n += access_log_format(l, e, wall_us, l->text + l->n, sizeof(l->text) - l->n);
	if (!ev_is_active(&l->flush))
		ev_timer_start(l->loop, &l->flush);
}
