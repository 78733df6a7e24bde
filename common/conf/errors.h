// SPDX-License-Identifier: MIT
/*
 * The errors of a configuration, all of them, each with its place.
 *
 * Kept in the given arena, sorted by file and line whatever the order in which they were found.
 */
#ifndef CONF_ERRORS_H
#define CONF_ERRORS_H

#include <stdio.h>

#include "base/arena.h"

#define CONF_ERRORS_MAX 200 /* errors kept; the rest is counted */

/* A place in a file. line 0: the file as a whole. */
struct conf_loc {
	const char *file;
	unsigned order; /* of the file among those read */
	int line;
};

struct conf_error {
	struct conf_error *next; /* ro: by file and line */
	struct conf_error *prev; /* private */
	struct conf_loc at;
	const char *text; /* "greenpi.conf:3: retries: 99 is outside 0..10" */
};

struct conf_errors {
	struct arena *arena;
	struct conf_error *first, *last; /* ro: by file and line */
	size_t n;			 /* ro: errors found, kept or not */
};

/* The arena (ARENA_UNLIMITED) keeps the texts, and must live as long as they are looked at. */
void conf_errors_init(struct conf_errors *errors, struct arena *arena);

/* Adds `file:line: key: text`. key may be NULL. For the checks across sections that a daemon makes.
 */
void conf_error_at(struct conf_errors *errors, struct conf_loc at, const char *key, const char *fmt,
		   ...) PRINTF_LIKE(4, 5);

/* One error a line, by file and line; says how many were left out. */
void conf_errors_print(const struct conf_errors *errors, FILE *to);
void conf_errors_log(const struct conf_errors *errors); /* the same to the log, at level err */

#endif
