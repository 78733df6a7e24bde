// SPDX-License-Identifier: MIT
/* Failures as text. A text that is too long is cut; the start of it says most. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int err_set(struct err *e, const char *fmt, ...)
{
	int saved = errno;
	va_list args;

	if (e == NULL)
		return -1;
	va_start(args, fmt);
	if (vsnprintf(e->text, sizeof(e->text), fmt, args) < 0)
		e->text[0] = '\0';
	va_end(args);
	errno = saved;
	return -1;
}
