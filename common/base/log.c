// SPDX-License-Identifier: MIT
/*
 * A line is put together on the stack and leaves in one write(), so lines of several threads never mix.
 *
 * The repeat limit is one 64-bit word a call site: the second in which its window began and how many lines it
 * has seen since. Whoever meets the end of a window reports what was left out.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"

#define WINDOW_S   5
#define WINDOW_MAX 10
#define LINE_MAX_  1024

static _Atomic int level_now = LOG_LEVEL_INFO;
static bool with_prefixes = true;

void log_init(bool prefixes, enum log_level level)
{
	with_prefixes = prefixes;
	log_set_level(level);
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&level_now, (int)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
	return (enum log_level)atomic_load_explicit(&level_now, memory_order_relaxed);
}

static const char *const level_names[] = {"", "", "", "error: ", "warning: ", "", "", "debug: "};

static size_t put_prefix(char *line, size_t size, enum log_level level)
{
	if (with_prefixes)
		return (size_t)snprintf(line, size, "<%d>", (int)level);
	struct tm tm;
	int64_t now = clock_wall_us();
	time_t s = (time_t)(now / CLOCK_SECOND);
	localtime_r(&s, &tm);
	size_t n = strftime(line, size, "%H:%M:%S", &tm);
	return n + (size_t)snprintf(line + n, size - n, ".%03d %s", (int)(now % CLOCK_SECOND / CLOCK_MSEC),
				    level_names[level]);
}

static void emit(enum log_level level, const char *fmt, va_list ap)
{
	char line[LINE_MAX_];
	int for_percent_m = errno;
	size_t n = put_prefix(line, sizeof(line), level);
	errno = for_percent_m;
	int more = vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	if (more > 0)
		n += MIN((size_t)more, sizeof(line) - n - 2);
	line[n++] = '\n';
	ssize_t put = write(STDERR_FILENO, line, n);
	(void)put; /* nowhere left to say so */
}

PRINTF_LIKE(2, 3) static void emit_now(enum log_level level, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	emit(level, fmt, ap);
	va_end(ap);
}

/* Counts this line in its site's window. False: leave it out. *left_out: what an ended window had muted. */
static bool admit(struct log_site *site, uint64_t now_s, uint32_t *left_out)
{
	uint64_t old = atomic_load_explicit(&site->window, memory_order_relaxed), new;
	do {
		bool fresh = now_s >= (old >> 32) + WINDOW_S || (old >> 32) > now_s;
		uint32_t seen = (uint32_t)old;
		*left_out = fresh && seen > WINDOW_MAX ? seen - WINDOW_MAX : 0;
		new = fresh ? now_s << 32 | 1 : old + (seen < UINT32_MAX);
	} while (!atomic_compare_exchange_weak_explicit(&site->window, &old, new, memory_order_relaxed,
							memory_order_relaxed));
	return (uint32_t)new <= WINDOW_MAX;
}

void log_write(struct log_site *site, enum log_level level, const char *fmt, ...)
{
	int saved = errno;
	uint32_t left_out = 0;
	if (level == LOG_LEVEL_DEBUG || admit(site, (uint64_t)(clock_now_us() / CLOCK_SECOND), &left_out)) {
		if (left_out)
			emit_now(level, "%u more lines like the next one were left out", left_out);
		va_list ap;
		va_start(ap, fmt);
		errno = saved;
		emit(level, fmt, ap);
		va_end(ap);
	}
	errno = saved;
}
