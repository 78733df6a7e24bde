// SPDX-License-Identifier: MIT
/*
 * A report: named, typed values, written once and rendered as text for people, as JSON, or as CSV.
 *
 *	report_begin(&r, reply, json ? REPORT_JSON : REPORT_TEXT);
 *	report_list(&r, NULL);
 *	for (...) {
 *		report_row(&r, NULL);
 *		report_str(&r, "pool", "", s->pool_name);        JSON and CSV only
 *		report_str(&r, "name", "", s->name);
 *		report_str(&r, NULL, "%", path);                 text only
 *		report_uint(&r, "weight", NULL, s->weight);      "weight 3"
 *		report_time(&r, "since", ", since %", s->since);
 *		report_close(&r);
 *	}
 *	report_close(&r);
 *	report_end(&r);
 *
 * gives the text line "edges/web1 weight 3, since 2026-11-23 10:00:00". Every value has a name, for JSON and CSV (NULL:
 * the value is in the text only), and a form for text:
 *	NULL     "NAME VALUE", in an object behind the keys of the objects around it
 *	""       not in the text
 *	other    the first % stands for the value, %12 for the value padded to 12 columns
 * The pieces of a line are joined by a blank, but for those that begin with a comma. In a line of text an empty string
 * is left out together with its form, and so is a false bool. Text and CSV are sanitized (str_sanitize()), so that a value
 * taken from a peer never makes a line of its own.
 *
 * Belongs to one thread; nothing that is handed over has to last beyond the call. The only
 * failure is a full text, which the text records (text.cut).
 */
#ifndef IPC_REPORT_H
#define IPC_REPORT_H

#include "ipc/text.h"

enum report_format { REPORT_TEXT, REPORT_JSON, REPORT_CSV };

#define REPORT_DEPTH	 6
#define REPORT_PATH_SIZE 320

struct report_level {
	char kind;     /* '[' list, 'r' row, 'o' object */
	size_t path_n; /* bytes of the path up to and with its own key */
};

struct report {
	struct text *to;			 /* private */
	enum report_format format;		 /* ro */
	struct report_level level[REPORT_DEPTH]; /* private: what is open, the innermost last */
	unsigned depth;				 /* private */
	char path[REPORT_PATH_SIZE];		 /* private: keys of the objects that are open */
	const char *note;			 /* private: for the next value */
	struct text names, values;		 /* private: the CSV row that is open */
	bool headed;				 /* private: the CSV header is out */
	bool begun;				 /* private: the row has a value */
};

void report_begin(struct report *r, struct text *to, enum report_format format);
void report_end(struct report *r); /* everything is closed */

/* Rows: an array in JSON, a table with a header in CSV. key: in the object around it, else NULL. */
void report_list(struct report *r, const char *key);
/* Values on one line of text; an object in JSON. A row holds no other container. */
void report_row(struct report *r, const char *key);
/*
 * Values on a line of their own: "server edges/web1 retries 0". In CSV each is a row of object (its keys, joined by a
 * blank), name, value, note.
 */
void report_object(struct report *r, const char *key);
void report_close(struct report *r); /* the innermost of them */

void report_str(struct report *r, const char *name, const char *as, const char *value);
void report_slice(struct report *r, const char *name, const char *as, struct str value);
void report_uint(struct report *r, const char *name, const char *as, uint64_t value);
void report_int(struct report *r, const char *name, const char *as, int64_t value);
/* One decimal in text, three in JSON and CSV. */
void report_real(struct report *r, const char *name, const char *as, double value);
/* "yes" and "no" where text shows it at all: a form without % is shown when value is true. */
void report_bool(struct report *r, const char *name, const char *as, bool value);
/* Seconds since 1970; in text the local date, "never" for 0. */
void report_time(struct report *r, const char *name, const char *as, int64_t wall_s);
/* Microseconds; in text "1.2 ms". */
void report_us(struct report *r, const char *name, const char *as, uint64_t us);
/* An array in JSON, one string with blanks between elsewhere. */
void report_strs(struct report *r, const char *name, const char *as, const char *const *values,
		 size_t n);
/* Lines that are text already, each behind indent; empty ones are left out. Only in text, and not within a row. */
void report_lines(struct report *r, const char *indent, struct str lines);
/* A value that is JSON already; STR_NONE: null. Not in text, not in CSV. */
void report_raw(struct report *r, const char *name, struct str json);

/* Prose about the next value of an object: behind it in text, {"value", "note"} in JSON, the last column in CSV. */
void report_note(struct report *r, const char *note);

#endif
