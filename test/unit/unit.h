// SPDX-License-Identifier: MIT
/* What every unit test begins with: cmocka and the headers that it wants before its own. */
#ifndef UNIT_H
#define UNIT_H

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <stdatomic.h>

#include "base/clock.h"
#include "base/def.h"
#include "base/str.h"
#include "loop/mailbox.h"

/* The slice holds just these bytes. */
#define assert_str_equal(got, want) unit_str_equal((got), (want), __FILE__, __LINE__)
void unit_str_equal(struct str got, const char *want, const char *file, int line);

/* ---- waiting: for what another thread does, never for a time */

#define UNIT_WAIT_US (5 * CLOCK_SECOND)

/* The condition holds, now or within 5 s. */
#define assert_soon(condition)                                                                     \
	do {                                                                                       \
		int64_t unit_until_us_ = clock_now_us() + UNIT_WAIT_US;                            \
		bool unit_holds_;                                                                  \
		while (!(unit_holds_ = (condition)) && clock_now_us() < unit_until_us_)            \
			usleep(100);                                                               \
		_assert_true(unit_holds_, #condition, __FILE__, __LINE__);                         \
	} while (0)

/* A counter, which only grows, comes to n within 5 s and does not pass it. */
#define assert_reaches(counter, n)                                                                 \
	do {                                                                                       \
		int64_t unit_until_us_ = clock_now_us() + UNIT_WAIT_US;                            \
		while ((counter) < (n) && clock_now_us() < unit_until_us_)                         \
			usleep(100);                                                               \
		assert_int_equal(counter, n);                                                      \
	} while (0)

/* Does f abort? It runs in a process of its own, for 10 s at most. */
bool unit_aborts(void (*f)(void));

/* All bytes, over a blocking socket. False: the other side went. */
bool unit_send_all(int fd, const void *p, size_t n);

/* ---- workers (loop/worker.h) */

struct worker;
/* For sets whose workers only run what is posted to them; worker->ctx is worker_set_start()'s arg. */
extern const struct worker_ops unit_workers;

/* Runs on w's thread, and waits until it has. */
void unit_on_worker(struct worker *w, void (*run)(void *arg), void *arg);
/* All that was posted to w before has been run. */
void unit_settle(struct worker *w);

/* A worker that does nothing from when unit_hold() returns until unit_release() does. */
struct unit_hold {
	struct message message; /* private, as all of it */
	_Atomic bool held, released, over;
};
void unit_hold(struct unit_hold *h, struct worker *w);
void unit_release(struct unit_hold *h);

#endif
