// SPDX-License-Identifier: MIT
/*
 * Reads greenpi.conf: an INI file, by the schemas of the sections a daemon wants.
 *
 * A line is a `[kind]` or `[kind name]` header, `key = value`, `include PATH` (relative to the
 * file it stands in; the key that follows needs a header of its own) or a comment that begins
 * with ; or #. A value ends before " ;". Leading space means nothing, lines do not continue,
 * and one longer than CONF_LINE_MAX bytes is refused.
 *
 * All errors of a file are collected, never only the first. Not thread-safe while reading.
 */
#ifndef CONF_READER_H
#define CONF_READER_H

#include "conf/result.h"

#define CONF_LINE_MAX	  197	    /* what Debian's libinih takes without cutting */
#define CONF_TEXT_MAX	  (1 << 20) /* bytes of one file */
#define CONF_NAME_MAX	  48	    /* of a section's name: letters, digits and . _ : - */
#define CONF_SECTIONS_MAX 4096	    /* in one configuration */
#define CONF_FILES_MAX	  64	    /* included by one configuration */
#define CONF_DEPTH_MAX	  4	    /* of files that include files */

/*
 * Reads the file at path by n schemas. Sections of other daemons are skipped, but their headers
 * and the form of their lines are checked. Returns NULL only when the file cannot be read at
 * all. Otherwise the result is complete if errors->n did not grow; if it did, a value that was
 * wrong or missing is its default, or zero, so that the caller's own checks can add to the list
 * before it refuses the file.
 *
 * arena must be without limit (ARENA_UNLIMITED). It holds the result, which points to schema
 * too.
 */
struct conf *conf_read(const char *path, const struct conf_section *const *schema, size_t n,
		       struct arena *arena, struct conf_errors *errors);

/* The same of text in memory; name stands for the file in errors. `include` is refused. */
struct conf *conf_read_text(const char *name, struct str text,
			    const struct conf_section *const *schema, size_t n, struct arena *arena,
			    struct conf_errors *errors);

#endif
