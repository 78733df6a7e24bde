// SPDX-License-Identifier: MIT
/*
 * getrandom(2) blocks only until the kernel's pool was seeded once after boot, which is what keys
 * need.
 */
#include "base/rnd.h"

#include <errno.h>
#include <sys/random.h>

void rnd_bytes(void *to, size_t n)
{
	char *at = to;
	while (n > 0) {
		ssize_t got = getrandom(at, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		MUST(got > 0);
		at += got;
		n -= (size_t)got;
	}
}

uint64_t rnd_u64(void)
{
	uint64_t value;
	rnd_bytes(&value, sizeof(value));
	return value;
}
