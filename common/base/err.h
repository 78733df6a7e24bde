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
 * err_set(e, fmt, ...) formats into e (which may be NULL). Its value is always -1, so that
 * `return err_set(e, ...)` reads well; being a macro, it lets the compiler and the analyser know
 * that too. %m prints errno; errno itself is left as it was.
 */
#define err_set(e, ...) (err_format((e), __VA_ARGS__), err_minus_one())

void err_format(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

static inline int err_minus_one(void)
{
	return -1;
}

#endif
