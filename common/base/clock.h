// SPDX-License-Identifier: MIT
/*
 * Two clocks. Durations and deadlines use microseconds since boot (CLOCK_BOOTTIME: a Pi has no
 * battery clock, and its wall clock jumps when NTP finds the time). Dates in messages use the wall
 * clock, whole seconds. Pure code never calls these: it takes `now` as an argument.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_SECOND INT64_C(1000000)
#define CLOCK_MSEC   INT64_C(1000)

int64_t clock_now_us(void); /* CLOCK_BOOTTIME */
int64_t clock_wall_s(void); /* seconds since 1970, UTC */
int64_t clock_wall_us(void);

#endif
