// SPDX-License-Identifier: MIT
/*
 * Reads greenpi.conf: an INI file, by the schemas of the sections a daemon wants.
 *
 * A line is a `[kind]` or `[kind name]` header, `key = value`, `include PATH` (relative to the file
 * it stands in; the next key needs a header of its own) or a comment that begins with ; or #. A
 * value ends before " ;". Leading space means nothing, lines do not continue, and one longer than
 * CONF_LINE_MAX bytes is refused.
 *
 * A struct conf and all it points to live in the arena given, which must be without limit
 * (ARENA_UNLIMITED); it is immutable once the caller has checked it, so threads may share it. All
 * errors of a file are collected, never only the first. Not thread-safe while reading.
 */
#ifndef CONF_READER_H
#define CONF_READER_H

#include <stdio.h>

#include "conf/schema.h"

#define CONF_LINE_MAX   197       /* what Debian's libinih takes without cutting */
#define CONF_TEXT_MAX   (1 << 20) /* bytes of one file */
#define CONF_ERRORS_MAX 200       /* errors kept; the rest is counted */

struct conf; /* private to reader.c */

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
	size_t n;                        /* ro: errors met, kept or not */
};

/* The arena keeps the texts, and must live as long as they are looked at. */
void conf_errors_init(struct conf_errors *errors, struct arena *arena);

/* Adds `file:line: key: text`. key may be NULL. For the checks across sections that a daemon makes.
 */
void conf_error_at(struct conf_errors *errors, struct conf_loc at, const char *key, const char *fmt,
		   ...) PRINTF_LIKE(4, 5);

/* One error a line, by file and line; says how many were left out. */
void conf_errors_print(const struct conf_errors *errors, FILE *to);

/*
 * Reads the file at path by n schemas. Sections of other daemons are skipped, but their headers and
 * the form of their lines are checked. Returns NULL only when the file cannot be read at all.
 * Otherwise the result is complete if errors->n did not grow; if it did, a value that was wrong or
 * missing is its default, or zero, so that the caller's own checks can add to the list before it
 * refuses the file.
 */
struct conf *conf_read(const char *path, const struct conf_section *const *schema, size_t n,
		       struct arena *arena, struct conf_errors *errors);

/* The same of text in memory; name stands for the file in errors. `include` is refused. */
struct conf *conf_read_text(const char *name, struct str text,
			    const struct conf_section *const *schema, size_t n, struct arena *arena,
			    struct conf_errors *errors);

/*
 * The sections of a kind (which must be in the schema), in file order, with absent CONF_IMPLICIT
 * ones. conf_at() gives NULL for i >= count, so conf_at(c, "edge", 0) asks for a single section.
 */
size_t conf_count(const struct conf *c, const char *kind);
void *conf_at(const struct conf *c, const char *kind, size_t i);
void *conf_find(const struct conf *c, const char *kind,
		struct str name); /* NULL: no such section */

/* Of section i < count: its name (STR_NONE for a single one), its header's place, the place of a
 * key (its header's, when the key is not in the file), and whether the key is in the file. key must
 * be in the table. */
struct str conf_name(const struct conf *c, const char *kind, size_t i);
struct conf_loc conf_loc(const struct conf *c, const char *kind, size_t i);
struct conf_loc conf_key_loc(const struct conf *c, const char *kind, size_t i, const char *key);
bool conf_given(const struct conf *c, const char *kind, size_t i, const char *key);

/* The effective text of key number k of a section: what the file says (several lines joined by ",
 * "), else the default, else STR_NONE. */
struct str conf_text(const struct conf *c, const char *kind, size_t i, size_t k);

/* The schemas that c was read by. */
size_t conf_schema(const struct conf *c, const struct conf_section *const **schema);

/* The whole file as a place, for errors such as "no [board] is this host". */
struct conf_loc conf_file(const struct conf *c);

/*
 * Calls say() for each CONF_RESTART key whose text differs between two generations (both read by
 * the same schemas), sections paired by name; a section that came or went is not reported. Returns
 * their number.
 */
size_t conf_restart_keys(const struct conf *old, const struct conf *fresh,
			 void (*say)(void *arg, const char *kind, struct str name, const char *key),
			 void *arg);

#endif
