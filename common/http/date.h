// SPDX-License-Identifier: MIT
/* HTTP dates (RFC 9110 §5.6.7). Pure. */
#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include "base/str.h"

#define HTTP_DATE_LEN 29

/* "Sun, 06 Nov 1994 08:49:37 GMT" into to, which gets a NUL too. */
void http_date_format(char to[HTTP_DATE_LEN + 1], int64_t unix_s);

/*
 * All three formats, names case-insensitive, zone exactly GMT. now_s settles two-digit years (more than 50
 * years ahead means the past century). False when the text is no valid date.
 */
bool http_date_parse(struct str text, int64_t now_s, int64_t *unix_s);

#endif
