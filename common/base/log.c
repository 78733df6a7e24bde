// SPDX-License-Identifier: MIT
/*
 * A line is put together on the caller's stack as a record: head, text, and for a state change the values of its
 * fields, each ended by a zero byte. While the writer's thread runs, records go into one ring for the whole process;
 * the lock makes its many producers one and is held for a memcpy() only, never over a system call. The writer's thread
 * makes a line of each, or hands it to the sink. Without that thread the caller does so by itself in one write(), so
 * lines of several threads never mix.
 *
 * Control bytes become '?': a peer's text that ends in a log line cannot forge another one.
 *
 * The repeat limit is a word per call site: the second its window began and the lines seen in it. A line moves the word
 * by compare-and-swap. What ends a window also says how many lines it left out: the site's next line, or the writer's thread,
 * which walks a list of all sites that were ever muted. Sites are static, so the list only grows, up to their number.
 */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/ring.h"
#include "base/writer.h"

#define TEXT_MAX     1024 /* its zero byte included */
#define VALUE_MAX    160  /* so is this */
#define WINDOW_S     5
#define WINDOW_MAX   10
#define WINDOW_UNSET UINT64_C(0)

#define RING_SIZE   (128 * 1024)
#define EVENTS_ROOM (64 * 1024) /* of it, not for messages */

#define STOP_US	  (1 * CLOCK_SECOND)
#define REPORT_US (5 * CLOCK_SECOND) /* between two reports of dropped lines */
#define REPORT_STALL_US                                                                            \
	(60 * CLOCK_SECOND) /* while standard output is not read and standard error is */

struct head {
	uint32_t n; /* bytes of the record, this head included */
	uint8_t level;
	bool event;
	int64_t wall_us;
};

struct record {
	struct head head;
	char bytes[TEXT_MAX + LOG_FIELD_COUNT * VALUE_MAX];
};
_Static_assert(WRITER_MESSAGE_MAX >= TEXT_MAX + 32, "a prefix and a text make a line");

static _Atomic bool with_prefixes = true;
static _Atomic int max_level = LOG_LEVEL_INFO;
static log_sink *sink;

/* Guards the ring's producing end, and samples of sites. */
static struct mutex lock = MUTEX_INIT;
static struct ring ring;

static _Atomic uint64_t dropped_messages, dropped_events;
static _Atomic(struct log_site *) muted; /* sites that were muted once */

/* The writer's thread's own: what was said of dropped lines. */
static uint64_t reported;
static uint64_t reported_events;
static int64_t report_at_us;

void log_init(bool prefixes, enum log_level level)
{
	atomic_store_explicit(&with_prefixes, prefixes, memory_order_relaxed);
	log_set_level(level);
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&max_level, (int)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
	return (enum log_level)atomic_load_explicit(&max_level, memory_order_relaxed);
}

void log_set_sink(log_sink *s)
{
	sink = s;
}

uint64_t log_dropped(void)
{
	return atomic_load_explicit(&dropped_messages, memory_order_relaxed) +
	       atomic_load_explicit(&dropped_events, memory_order_relaxed) + writer_dropped();
}

/* ---- a record */

static void clean(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

static void start_record(struct record *r, enum log_level level, bool event)
{
	r->head = (struct head){.n = offsetof(struct record, bytes),
				.level = (uint8_t)level,
				.event = event,
				.wall_us = clock_wall_us()};
}

PRINTF_LIKE(2, 0) static void add_text(struct record *r, const char *fmt, va_list args)
{
	int n = vsnprintf(r->bytes, TEXT_MAX, fmt, args);
	if (n < 0)
		r->bytes[n = 0] = '\0';
	clean(r->bytes);
	r->head.n += MIN((uint32_t)n, TEXT_MAX - 1u) + 1;
}

static void add_value(struct record *r, const char *value)
{
	char *to = (char *)r + r->head.n;
	size_t n = value ? strnlen(value, VALUE_MAX - 1) : 0;
	if (n)
		memcpy(to, value, n);
	to[n] = '\0';
	clean(to);
	r->head.n += (uint32_t)n + 1;
}

static struct log_message message_of(const struct record *r)
{
	struct log_message m = {.level = (enum log_level)r->head.level, .text = r->bytes};
	const char *at = r->bytes + strlen(r->bytes) + 1;
#define X(member, name)                                                                            \
	m.fields.member = at;                                                                      \
	at += strlen(at) + 1;
	LOG_FIELDS(X)
#undef X
	return m;
}

/* ---- a record as a line */

static const char *level_name(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERR:
		return "error: ";
	case LOG_LEVEL_WARN:
		return "warning: ";
	case LOG_LEVEL_DEBUG:
		return "debug: ";
	case LOG_LEVEL_NOTICE:
	case LOG_LEVEL_INFO:
		break;
	}
	return "";
}

/* "<4>" for the journal, which stamps lines itself; "14:05:59.123 warning: " for a person. */
static size_t put_prefix(char to[WRITER_MESSAGE_MAX], const struct head *h)
{
	time_t wall_s = (time_t)(h->wall_us / CLOCK_SECOND);
	struct tm tm;
	if (atomic_load_explicit(&with_prefixes, memory_order_relaxed))
		return (size_t)snprintf(to, WRITER_MESSAGE_MAX, "<%d>", h->level);
	size_t n = strftime(to, WRITER_MESSAGE_MAX, "%H:%M:%S", localtime_r(&wall_s, &tm));
	return n + (size_t)snprintf(to + n, WRITER_MESSAGE_MAX - n, ".%03d %s",
				    (int)(h->wall_us % CLOCK_SECOND / CLOCK_MSEC),
				    level_name((enum log_level)h->level));
}

static size_t put_line(char to[WRITER_MESSAGE_MAX], const struct record *r)
{
	size_t n = put_prefix(to, &r->head), text = strlen(r->bytes);
	memcpy(to + n, r->bytes, text);
	to[n + text] = '\n';
	return n + text + 1;
}

/* ---- on its way */

static bool hand_over(const struct record *r)
{
	mutex_lock(&lock);
	bool fits = ring_put(&ring, r, r->head.n, r->head.event ? 0 : EVENTS_ROOM);
	mutex_unlock(&lock);
	if (fits)
		writer_wake();
	return fits;
}

/* Whether it is written, or will be. */
static bool submit(const struct record *r)
{
	char line[WRITER_MESSAGE_MAX];
	switch (writer_state()) {
	case WRITER_ON:
		return hand_over(r);
	case WRITER_OFF:
		/* A log that cannot be written cannot say so. */
		(void)!write(STDERR_FILENO, line, put_line(line, r));
		return true;
	case WRITER_STUCK:
		return false;
	}
	WRONG("a state");
}

static void submit_or_count(const struct record *r)
{
	if (!submit(r))
		atomic_fetch_add_explicit(r->head.event ? &dropped_events : &dropped_messages, 1,
					  memory_order_relaxed);
}

/* What the log says of itself. Returns as submit(). */
PRINTF_LIKE(2, 3) static bool say(enum log_level level, const char *fmt, ...)
{
	struct record r;
	va_list args;
	start_record(&r, level, false);
	va_start(args, fmt);
	add_text(&r, fmt, args);
	va_end(args);
	return submit(&r);
}

/* ---- the repeat limit */

/*
 * Counts a line of this site at now_s. Returns which line of its window it is, from 1 on; *left_out is how many
 * lines of the window before were not written.
 */
static uint32_t admit(struct log_site *site, uint32_t now_s, uint32_t *left_out)
{
	uint64_t old = atomic_load_explicit(&site->window, memory_order_relaxed), new;
	do {
		uint32_t start_s = (uint32_t)(old >> 32), count = (uint32_t)old;
		*left_out = 0;
		if (old == WINDOW_UNSET || now_s - start_s >= WINDOW_S) {
			*left_out = count > WINDOW_MAX ? count - WINDOW_MAX : 0;
			new = (uint64_t)now_s << 32 | 1;
		} else {
			new = count < UINT32_MAX ? old + 1 : old;
		}
	} while (!atomic_compare_exchange_weak_explicit(
		&site->window, &old, new, memory_order_relaxed, memory_order_relaxed));
	return (uint32_t) new;
}

/* The last line before a site is muted stands for those that follow. */
static void keep_sample(struct log_site *site, const char *text)
{
	mutex_lock(&lock);
	snprintf(site->sample, sizeof(site->sample), "%.*s", LOG_SAMPLE_SIZE - 1, text);
	mutex_unlock(&lock);
}

/* The first muted line of a window: from now on the writer's thread looks after it. */
static void list(struct log_site *site)
{
	if (!atomic_exchange(&site->listed, true)) {
		site->next = atomic_load(&muted);
		while (!atomic_compare_exchange_weak(&muted, &site->next, site))
			;
	}
	writer_wake();
}

/* Ends the site's window if its time is over, or at once. Returns whether it waits for that. */
static bool end_window(struct log_site *site, uint32_t now_s, bool at_once)
{
	uint64_t old = atomic_load(&site->window);
	uint32_t start_s = (uint32_t)(old >> 32), count = (uint32_t)old;
	char sample[LOG_SAMPLE_SIZE];
	if (count <= WINDOW_MAX)
		return false;
	if (!at_once && now_s - start_s < WINDOW_S)
		return true;
	if (!atomic_compare_exchange_strong(&site->window, &old, WINDOW_UNSET))
		return true;
	mutex_lock(&lock);
	memcpy(sample, site->sample, sizeof(sample));
	mutex_unlock(&lock);
	if (!say(LOG_LEVEL_WARN, "%u more lines like \"%s\" were left out", count - WINDOW_MAX,
		 sample))
		atomic_fetch_add_explicit(&dropped_messages, count - WINDOW_MAX,
					  memory_order_relaxed);
	return false;
}

static bool end_windows(int64_t now_us, bool at_once)
{
	uint32_t now_s = (uint32_t)(now_us / CLOCK_SECOND);
	bool waiting = false;
	for (struct log_site *s = atomic_load(&muted); s; s = s->next)
		waiting |= end_window(s, now_s, at_once);
	return waiting;
}

/* ---- the writer's thread */

/* Returns whether there is something to say later. */
static bool report_dropped(int64_t now_us, enum writer_flow flow)
{
	uint64_t all = log_dropped();
	uint64_t events = atomic_load_explicit(&dropped_events, memory_order_relaxed);
	if (all == reported)
		return false;
	if (flow == WRITER_ERR_STALLS || now_us < report_at_us)
		return true;
	bool said;
	if (events == reported_events)
		said = say(LOG_LEVEL_WARN,
			   "%" PRIu64 " lines were left out: the log was not read in time",
			   all - reported);
	else
		said = say(LOG_LEVEL_WARN,
			   "%" PRIu64 " lines were left out, %" PRIu64
			   " state changes among them: the log was not read in time",
			   all - reported, events - reported_events);
	if (!said)
		return true;
	reported = all;
	reported_events = events;
	report_at_us = now_us + (flow == WRITER_FLOWS ? REPORT_US : REPORT_STALL_US);
	return false;
}

static bool tick(int64_t now_us, enum writer_flow flow, bool stopping)
{
	if (stopping)
		report_at_us = 0;
	bool later = end_windows(now_us, stopping);
	return report_dropped(now_us, flow) || later;
}

static bool pending(void)
{
	return ring_used(&ring) > 0;
}

static bool take(struct record *r)
{
	if (ring_copy(&ring, &r->head, sizeof(r->head)) == 0)
		return false;
	MUST(r->head.n <= sizeof(*r) && ring_copy(&ring, r, r->head.n) == r->head.n);
	ring_take(&ring, r->head.n);
	return true;
}

static size_t next(char *to)
{
	struct record r;
	while (take(&r)) {
		if (r.head.event && sink) {
			struct log_message m = message_of(&r);
			if (sink(&m))
				continue;
		}
		return put_line(to, &r);
	}
	return 0;
}

static const struct writer_ops writer_ops = {.next = next, .pending = pending, .tick = tick};

void log_start(void)
{
	ring_init(&ring, RING_SIZE);
	if (writer_start(&writer_ops) == 0)
		return;
	ring_fini(&ring);
	log_warn("no thread for the log, which is written by all: %m");
}

void log_stop(void)
{
	if (writer_state() != WRITER_ON)
		return;
	writer_stop(STOP_US);
	if (writer_state() == WRITER_OFF)
		ring_fini(&ring);
}

/* ---- what callers see */

void log_write(struct log_site *site, enum log_level level, const char *fmt, ...)
{
	uint32_t left_out = 0, number = 1;
	int saved = errno;
	struct record r;
	va_list args;
	if (site && level != LOG_LEVEL_DEBUG)
		number = admit(site, (uint32_t)(clock_now_us() / CLOCK_SECOND), &left_out);
	if (number == WINDOW_MAX + 1)
		list(site);
	if (number > WINDOW_MAX)
		return;
	if (left_out > 0)
		say(level, "%u lines like the next one were left out", left_out);
	start_record(&r, level, false);
	errno = saved;
	va_start(args, fmt);
	add_text(&r, fmt, args);
	va_end(args);
	if (site && number == WINDOW_MAX)
		keep_sample(site, r.bytes);
	submit_or_count(&r);
	errno = saved;
}

void log_event(enum log_level level, const struct log_fields *fields, const char *fmt, ...)
{
	int saved = errno;
	struct record r;
	va_list args;
	start_record(&r, level, true);
	errno = saved;
	va_start(args, fmt);
	add_text(&r, fmt, args);
	va_end(args);
#define X(member, name) add_value(&r, fields->member);
	LOG_FIELDS(X)
#undef X
	submit_or_count(&r);
	errno = saved;
}
