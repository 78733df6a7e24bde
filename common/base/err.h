// SPDX-License-Identifier: MIT
/*
 * Text of a failure for a person: written once, nearest the cause, printed once, at the top.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/def.h"

struct err {
	char text[160]; /* NUL-terminated; "" when there was none */
};

/*
 * Formats into e (which may be NULL). Always returns -1, so that `return err_set(e, ...)` reads
 * well. %m prints errno; errno itself is left as it was.
 */
int err_set(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
