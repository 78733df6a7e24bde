// SPDX-License-Identifier: MIT
/*
 * The one thread of a process that writes to standard output and standard error, so that no other thread waits for
 * their readers. Two kinds of lines come here:
 *
 *   messages  of log.c, which hands over a table of functions: to standard error;
 *   lines     of a producer with a ring of its own (writer_open(), the access log): to standard output.
 *
 * A reader that stops makes the thread wait in poll(); the rings fill, and what finds no room is dropped and counted.
 * A line is written whole before another one begins, also where both streams are the same file.
 *
 * While the thread runs dry it sleeps; the first line then wakes it, which costs that producer one system call. After
 * that it looks by itself five times a second, and is woken only by a ring that is half full, until nothing has come
 * for a second. A message wakes it at once.
 */
#ifndef BASE_WRITER_H
#define BASE_WRITER_H

#include "base/def.h"

#define WRITER_MESSAGE_MAX 1088	 /* bytes of the longest message as a line */
#define WRITER_LINE_MAX	   16384 /* bytes of the longest line of a producer */
#define WRITER_LINES_MAX   64	 /* producers at a time */

enum writer_state {
	WRITER_OFF, /* not started, or stopped with everything written: callers write by themselves */
	WRITER_ON,   /* hand it over */
	WRITER_STUCK /* stopped while a reader did not read: nothing can be written any more */
};

enum writer_flow {
	WRITER_FLOWS,
	WRITER_OUT_STALLS, /* standard output is not read, standard error is */
	WRITER_ERR_STALLS
};

/* Where messages come from. All are called on the writer's thread. */
struct writer_ops {
	/* The next message, as a line of at most WRITER_MESSAGE_MAX bytes into to; 0: none is there. */
	size_t (*next)(char *to);
	bool (*pending)(void);
	/* After each round, at least once a second while it returns true. stopping: the last chance to say something. */
	bool (*tick)(int64_t now_us, enum writer_flow flow, bool stopping);
};

/* Main thread. -1 with errno: there is no thread, the state stays WRITER_OFF. ops must live until the process ends. */
int writer_start(const struct writer_ops *ops);
/*
 * Main thread, when no other thread produces any more: writes what is there, for limit_us at most (the time for which
 * a reader has stood still already counts), and ends the thread. The state after it is WRITER_OFF, or WRITER_STUCK if
 * something could not be written; a thread inside a call that does not return is then left, with its memory, to the
 * end of the process.
 */
void writer_stop(int64_t limit_us);
enum writer_state writer_state(void);
/* Any thread: something was put that cannot wait for the next look. */
void writer_wake(void);

/* ---- lines to standard output; each handle is used by one thread at a time */

struct writer_lines;

/* size: bytes of its ring, a power of two of at least 2 * WRITER_LINE_MAX. Aborts beyond WRITER_LINES_MAX. */
struct writer_lines *writer_open(uint32_t size);
/* Also on another thread than the producer's, once that one has ended. What was put is still written. */
void writer_close(struct writer_lines *l);
/* A whole line, its newline included. False: dropped and counted. Without the thread it is written at once. */
bool writer_put(struct writer_lines *l, const char *line, uint32_t n);

/* Lines dropped so far: of all rings, and those that standard output or error refused. Any thread. */
uint64_t writer_dropped(void);

#endif
