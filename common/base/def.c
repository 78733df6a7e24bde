// SPDX-License-Identifier: MIT
/*
 * The last words of a process whose invariant broke. dprintf() rather than stdio: no lock of a
 * half-dead thread is in the way and nothing stays in a buffer when abort() comes. If
 * standard error is not read, they are dropped: the service manager waits for the end.
 */
#include "base/def.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define PATIENCE_MS 1000

static bool is_read(void)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
	return poll(&p, 1, PATIENCE_MS) == 1;
}

void def_fail(const char *file, int line, const char *func, const char *what)
{
	if (is_read())
		dprintf(STDERR_FILENO, "<2>%s:%d: %s: invariant broken: %s\n", file, line, func,
			what);
	abort();
}

void def_fail0(const char *file, int line, const char *func, const char *what, int error)
{
	if (is_read())
		dprintf(STDERR_FILENO, "<2>%s:%d: %s: %s failed: error %d (%s)\n", file, line, func,
			what, error, strerrordesc_np(error));
	abort();
}

void *def_xmalloc(size_t n)
{
	void *p = malloc(n > 0 ? n : 1);
	MUST(p);
	return p;
}

void *def_xcalloc(size_t n, size_t size)
{
	void *p = calloc(n > 0 ? n : 1, size > 0 ? size : 1);
	MUST(p);
	return p;
}

void *def_xcalloc_lines(size_t size)
{
	size = (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
	void *p = aligned_alloc(CACHE_LINE, size);
	MUST(p);
	memset(p, 0, size);
	return p;
}
