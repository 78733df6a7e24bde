// SPDX-License-Identifier: MIT
/*
 * Messages and state changes, one line each, to standard error, with the <3>..<7> prefixes that journald reads
 * (sd-daemon(3)). Control bytes in a line become '?'. errno is preserved. Access logs do not come here (base/writer.h).
 *
 * Between log_start() and log_stop() no caller ever waits for the reader of standard error: a line goes into a ring of
 * bounded size, and the writer's thread (base/writer.h) writes it. Before and after, and where that thread does not
 * exist, the caller writes it by itself. Any thread may log at any time.
 *
 * Messages (log_err() .. log_debug()) are limited: a call site that repeats more than 10 times in 5 s is muted until
 * the window ends; how many lines were left out is said when it ends, by the writer's thread or, where there is none,
 * by the site's next line. Debug lines are never muted.
 *
 * State changes (log_event()) know no limit and no level, and have room in the ring that messages do not get: 64 KB,
 * some 200 of them. If a reader stands still for so long that even this room is full, further ones are counted and
 * left out: the control socket tells the present state, and waiting would stop the daemon.
 *
 * As soon as the log is read again, one line says how many lines found no room.
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

#define LOG_SAMPLE_SIZE 80

/* State of one call site for the repeat limit; static, zero-initialised, private to log.c. */
struct log_site {
	_Atomic uint64_t window; /* packed: start of the window in seconds, count */
	_Atomic bool listed;
	struct log_site *next;
	char sample[LOG_SAMPLE_SIZE]; /* how its last line began before it was muted */
};

/*
 * prefixes: false for a person's terminal (the time instead of <N>). Set once before threads start;
 * the level may change at any time.
 */
void log_init(bool prefixes, enum log_level level);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* Main thread. From here on the writer's thread writes; when it cannot be had, callers go on doing it, and a warning
 * says so. */
void log_start(void);
/* Main thread, when no other thread logs any more: writes what is there, for a second at most. If it is not read
 * within that time, later lines are dropped, so that the process can end. */
void log_stop(void);

/* Lines dropped so far because they were not read in time, those of writer_put() included. Any thread. */
uint64_t log_dropped(void);

/* ---- messages */

/* site NULL: not limited; for lines of which there are few by nature. */
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

/* ---- state changes */

/* What programs look for in a state change, and the journal's name for it. */
#define LOG_FIELDS(X)                                                                              \
	X(event, "GREENPI_EVENT")	/* what happened: server_down, master, reload_done */      \
	X(server, "GREENPI_SERVER")	/* to which server */                                      \
	X(pool, "GREENPI_POOL")		/* of which pool */                                        \
	X(instance, "GREENPI_INSTANCE") /* to which VRRP instance */                               \
	X(status, "GREENPI_STATUS")	/* what it is now, in one word */                          \
	X(reason, "GREENPI_REASON")	/* why */

#define LOG_FIELD_MEMBER_(member, name) const char *member;
#define LOG_FIELD_ENUM_(member, name)	LOG_FIELD_##member,

/* NULL or "": not given. Values are cut to 160 bytes. */
struct log_fields {
	LOG_FIELDS(LOG_FIELD_MEMBER_)
};
enum { LOG_FIELDS(LOG_FIELD_ENUM_) LOG_FIELD_COUNT };

/*
 *	log_event(LOG_LEVEL_WARN, &(struct log_fields){.event = "server_down", .server = name}, "%s is DOWN", name);
 */
void log_event(enum log_level level, const struct log_fields *fields, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/* A state change on its way out; what it points to lives during the call. */
struct log_message {
	enum log_level level;
	const char *text;
	struct log_fields fields; /* not given: "" */
};
/* Takes a state change and returns true; on false it goes to standard error as a line. May block: it is called on the
 * writer's thread only. */
typedef bool log_sink(const struct log_message *m);
/* Before log_start(). NULL: none, all goes to standard error. */
void log_set_sink(log_sink *sink);

#endif
