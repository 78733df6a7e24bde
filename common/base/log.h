// SPDX-License-Identifier: MIT
/*
 * One event, one line, to standard error, with the <3>..<7> prefixes that journald reads
 * (sd-daemon(3)).
 *
 * Thread-safe: a line is one write(). errno is preserved. A call site that repeats more than 10
 * times in 5 s is muted until the window ends; its next line is then preceded by one that says how
 * many were left out. Debug lines are never muted. Control bytes in a line become '?'. Access logs
 * do not come here.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/def.h"

enum log_level {
	LOG_LEVEL_ERR = 3,
	LOG_LEVEL_WARN = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7
};

/* State of one call site for the repeat limit; zero-initialised, private to log.c. */
struct log_site {
	_Atomic uint64_t window; /* packed: start of the window in seconds, count */
};

/*
 * prefixes: false for a person's terminal (the time instead of <N>). Set once before threads start;
 * the level may change at any time.
 */
void log_init(bool prefixes, enum log_level level);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
void log_write(struct log_site *site, enum log_level level, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define LOG_AT(level, ...)                                                                         \
	do {                                                                                       \
		static struct log_site log_site_;                                                  \
		if ((level) <= log_get_level())                                                    \
			log_write(&log_site_, (level), __VA_ARGS__);                               \
	} while (0)

#define log_err(...)	LOG_AT(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warn(...)	LOG_AT(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_notice(...) LOG_AT(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)	LOG_AT(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)	LOG_AT(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
