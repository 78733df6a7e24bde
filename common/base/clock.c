// SPDX-License-Identifier: MIT
/* Both clocks are read through the vDSO: no system call. */
#include "base/clock.h"

#include <time.h>

#include "base/def.h"

static int64_t read_us(clockid_t id)
{
	struct timespec t;
	MUST(clock_gettime(id, &t) == 0);
	return (int64_t)t.tv_sec * CLOCK_SECOND + t.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
	return read_us(CLOCK_BOOTTIME);
}

int64_t clock_wall_s(void)
{
	return clock_wall_us() / CLOCK_SECOND;
}

int64_t clock_wall_us(void)
{
	return read_us(CLOCK_REALTIME);
}
