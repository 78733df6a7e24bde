// SPDX-License-Identifier: MIT
/* The last words of a broken invariant. Plain stdio: nothing else may be trusted by then. */
#include "base/def.h"

#include <stdio.h>
#include <string.h>

void def_fail(const char *file, int line, const char *func, const char *what)
{
	fprintf(stderr, "<2>%s:%d: %s: broken invariant: %s\n", file, line, func, what);
	abort();
}

void def_fail0(const char *file, int line, const char *func, const char *what, int error)
{
	fprintf(stderr, "<2>%s:%d: %s: %s failed: %s\n", file, line, func, what, strerror(error));
	abort();
}

void *def_xmalloc(size_t n)
{
	void *p = malloc(n ? n : 1);
	MUST(p != NULL);
	return p;
}

void *def_xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);
	MUST(p != NULL);
	return p;
}
