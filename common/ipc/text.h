// SPDX-License-Identifier: MIT
/*
 * Text that grows: the reply of a control command, as lines or as JSON. On the heap, with a cap; once the cap is
 * reached the rest is dropped and `cut` is set. Not for request paths.
 */
#ifndef IPC_TEXT_H
#define IPC_TEXT_H

#include "base/str.h"

struct text {
	char *p;	  /* ro: NUL-terminated once anything was added */
	size_t n;	  /* ro */
	size_t room, cap; /* private */
	bool cut;	  /* ro: the cap was reached */
	bool comma;	  /* private: JSON wants one before the next value */
};

void text_init(struct text *t, size_t cap);
void text_fini(struct text *t);
void text_add(struct text *t, struct str s);
void text_printf(struct text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
void text_drop(struct text *t, size_t n); /* the first n bytes */

/*
 * JSON (RFC 8259), written in order; commas are put by themselves. key NULL inside arrays and at the top. A byte of
 * a string that is not UTF-8 becomes U+FFFD.
 */
void text_json_open(struct text *t, const char *key, char bracket); /* '{' or '[' */
void text_json_close(struct text *t, char bracket);		    /* '}' or ']' */
void text_json_str(struct text *t, const char *key, struct str value);
/* A value that is JSON already: a number, true, null, an answer of another daemon's. */
void text_json_raw(struct text *t, const char *key, struct str json);

#endif
