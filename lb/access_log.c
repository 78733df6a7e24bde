// SPDX-License-Identifier: MIT
#include "access_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"

/* Room for the longest request line that is accepted; with many escaped bytes it is cut. */
#define LINE_ROOM 9000
/* Kept for what comes behind it, " HTTP/1.1" and the rest. */
#define TAIL_ROOM 16
/* Holds the lines of a second in which the reader is stuck, at a thousand requests a second and worker. */
#define RING_SIZE (256 * 1024)

void access_log_init(struct access_log *l)
{
	MUST(!l->lines);
	l->lines = writer_open(RING_SIZE);
	l->stamped_s = -1;
}

void access_log_fini(struct access_log *l)
{
	MUST(l->lines);
	writer_close(l->lines);
	l->lines = NULL;
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

/* Bytes outside printable ASCII, and those that would end the field, are written as #XX. */
static size_t escape(char *to, size_t size, struct str s)
{
	size_t n = 0;
	MUST(size <= LINE_ROOM);
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
	MUST(e->peer && strlen(e->termination_state) == 4);
	int n = snprintf(to, size,
			 "%s [%s.%03d] %.*s %.*s/%.*s %" PRId64 "/%" PRId64 "/%" PRId64 "/%" PRId64
			 "/%" PRId64 " %d %" PRIu64 " - - %.4s %u/%u/%u/%u/%s%u 0/0 \"",
			 addr_format(e->peer, peer), stamp(l, wall_us / CLOCK_SECOND),
			 (int)(wall_us % CLOCK_SECOND / CLOCK_MSEC), STR_ARG(e->frontend),
			 STR_ARG(e->pool), STR_ARG(e->server), e->request_ms, e->queue_ms,
			 e->connect_ms, e->response_ms, e->total_ms, e->status, e->bytes,
			 e->termination_state, e->active, e->frontend_active, e->pool_active,
			 e->server_active, e->redispatched ? "+" : "", e->retries);
	/* What comes before the request line is short, and ours. */
	MUST(n > 0 && (size_t)n + TAIL_ROOM < size);
	size_t at = (size_t)n;
	if (e->method.n) {
		at += escape(to + at, size - at - TAIL_ROOM, e->method);
		to[at++] = ' ';
		at += escape(to + at, size - at - TAIL_ROOM, e->target);
		at += (size_t)snprintf(to + at, size - at, " HTTP/1.%u\"\n", e->minor);
	} else {
		at += escape(to + at, size - at - TAIL_ROOM, e->target);
		at += (size_t)snprintf(to + at, size - at, "\"\n");
	}
	MUST(at < size && to[at - 1] == '\n');
	return at;
}

void access_log_add(struct access_log *l, const struct access_entry *e, int64_t wall_us)
{
	char line[LINE_ROOM];
	writer_put(l->lines, line, (uint32_t)access_log_format(l, e, wall_us, line, sizeof(line)));
}
