// SPDX-License-Identifier: MIT
/*
 * The log. A line is put together on the stack and leaves in one write(), so lines of several
 * threads never mix. Control bytes become '?': a peer's text that ends in a log line cannot forge
 * another one.
 *
 * The repeat limit is a word per call site: the second its window began and the lines seen in it. A
 * line moves the word by compare-and-swap; whoever begins a new window also says what the old one
 * left out.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"

#define LINE_SIZE    1024
#define WINDOW_S     5
#define WINDOW_MAX   10
#define WINDOW_UNSET UINT64_C(0)

static _Atomic bool with_prefixes = true;
static _Atomic int max_level = LOG_LEVEL_INFO;

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

/*
 * Counts a line of this site at now_s. Returns whether it may be written; *left_out is how many
 * lines of the window before were not.
 */
static bool admit(struct log_site *site, uint32_t now_s, uint32_t *left_out)
{
	uint64_t old = atomic_load_explicit(&site->window, memory_order_relaxed), new;
	uint32_t count;

	do {
		uint32_t start_s = (uint32_t)(old >> 32);

		count = (uint32_t)old;
		*left_out = 0;
		if (old == WINDOW_UNSET || now_s - start_s >= WINDOW_S) {
			*left_out = count > WINDOW_MAX ? count - WINDOW_MAX : 0;
			new = (uint64_t)now_s << 32 | 1;
			count = 0;
		} else {
			new = count < UINT32_MAX ? old + 1 : old;
		}
	} while (!atomic_compare_exchange_weak_explicit(
		&site->window, &old, new, memory_order_relaxed, memory_order_relaxed));
	return count < WINDOW_MAX;
}

static void put_line(char line[LINE_SIZE], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	}
	line[n] = '\n';
	/* Where the log cannot be written there is nobody to tell. */
	(void)!write(STDERR_FILENO, line, n + 1);
}

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
static size_t put_prefix(char line[LINE_SIZE], enum log_level level)
{
	int64_t now_us;
	time_t now_s;
	struct tm tm;
	size_t n;

	if (atomic_load_explicit(&with_prefixes, memory_order_relaxed))
		return (size_t)snprintf(line, LINE_SIZE, "<%d>", (int)level);
	now_us = clock_wall_us();
	now_s = (time_t)(now_us / CLOCK_SECOND);
	n = strftime(line, LINE_SIZE, "%H:%M:%S", localtime_r(&now_s, &tm));
	return n + (size_t)snprintf(line + n, LINE_SIZE - n, ".%03d %s",
				    (int)(now_us % CLOCK_SECOND / CLOCK_MSEC), level_name(level));
}

PRINTF_LIKE(3, 0)
static size_t put_text(char line[LINE_SIZE], size_t at, const char *fmt, va_list args)
{
	int n = vsnprintf(line + at, LINE_SIZE - at, fmt, args);

	return n < 0 ? at : MIN(at + (size_t)n, (size_t)LINE_SIZE - 1);
}

PRINTF_LIKE(2, 3) static void put(enum log_level level, const char *fmt, ...)
{
	char line[LINE_SIZE];
	va_list args;
	size_t n = put_prefix(line, level);

	va_start(args, fmt);
	n = put_text(line, n, fmt, args);
	va_end(args);
	put_line(line, n);
}

void log_write(struct log_site *site, enum log_level level, const char *fmt, ...)
{
	char line[LINE_SIZE];
	uint32_t now_s = (uint32_t)(clock_now_us() / CLOCK_SECOND), left_out = 0;
	int saved = errno;
	va_list args;
	size_t n;

	if (level != LOG_LEVEL_DEBUG && !admit(site, now_s, &left_out))
		return;
	if (left_out > 0)
		put(level, "%u lines like the next one were left out", left_out);
	n = put_prefix(line, level);
	errno = saved;
	va_start(args, fmt);
	n = put_text(line, n, fmt, args);
	va_end(args);
	put_line(line, n);
	errno = saved;
}
