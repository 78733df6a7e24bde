// SPDX-License-Identifier: MIT
/* Failures as text. A text that is too long is cut; the start of it says most. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

void err_format(struct err *e, const char *fmt, ...)
{
	int saved = errno;
	va_list args;
	if (!e)
		return;
	va_start(args, fmt);
	if (vsnprintf(e->text, sizeof(e->text), fmt, args) < 0)
		e->text[0] = '\0';
	va_end(args);
	errno = saved;
}
