// SPDX-License-Identifier: MIT
#include "base/rnd.h"

#include <errno.h>
#include <sys/random.h>

void rnd_bytes(void *to, size_t n)
{
	char *p = to;
	while (n) {
		ssize_t got = getrandom(p, n, 0);
		MUST(got >= 0 || errno == EINTR);
		if (got > 0) {
			p += got;
			n -= (size_t)got;
		}
	}
}

uint64_t rnd_u64(void)
{
	uint64_t v;
	rnd_bytes(&v, sizeof(v));
	return v;
}
