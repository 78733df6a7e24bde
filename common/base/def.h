// SPDX-License-Identifier: MIT
/*
 * Words every file may use: asserts that stay in production, clean-up attributes, container_of.
 *
 * MUST() states an invariant of ours; what a peer or an operator sends is never an invariant.
 * A broken invariant prints where and what, then aborts; the service manager restarts the daemon.
 */
#ifndef BASE_DEF_H
#define BASE_DEF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Abort unless x holds. x is always evaluated. */
#define MUST(x)                                                                                    \
	do {                                                                                       \
		if (UNLIKELY(!(x)))                                                                \
			def_fail(__FILE__, __LINE__, __func__, #x);                                \
	} while (0)

/* Abort unless the call returns 0, as pthread functions do; prints the error number. */
#define MUST0(call)                                                                                \
	do {                                                                                       \
		int must0_rc_ = (call);                                                            \
		if (UNLIKELY(must0_rc_ != 0))                                                      \
			def_fail0(__FILE__, __LINE__, __func__, #call, must0_rc_);                 \
	} while (0)

/* The branch that cannot be reached. */
#define WRONG(why) def_fail(__FILE__, __LINE__, __func__, why)

__attribute__((noreturn, cold)) void def_fail(const char *file, int line, const char *func,
					      const char *what);
__attribute__((noreturn, cold)) void def_fail0(const char *file, int line, const char *func,
					       const char *what, int error);

/*
 * Magic numbers of long-lived objects. An object that travels through a void * or an embedded watcher carries
 * `uint32_t magic`, set when it is made, wiped when it is freed, and checked where the pointer comes back: at a
 * callback's entry, a message's receipt. A use after free trips here instead of reading another's data.
 */
#define MAGIC_SET(p, value)   ((void)((p)->magic = (value)))
#define MAGIC_CHECK(p, value) MUST((p)->magic == (value))
/* A volatile store: the compiler would drop a plain one just before free(). */
#define MAGIC_WIPE(p, value)                                                                       \
	do {                                                                                       \
		MAGIC_CHECK(p, value);                                                             \
		*(volatile uint32_t *)&(p)->magic = 0;                                             \
	} while (0)

#define container_of(ptr, type, member)                                                            \
	((type *)(void *)((char *)(void *)(ptr)-offsetof(type, member)))
#define container_of_const(ptr, type, member)                                                      \
	((const type *)(const void *)((const char *)(const void *)(ptr)-offsetof(type, member)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CACHE_LINE   64

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define UNUSED		       __attribute__((unused))

/* Locals that never leave their function. */
#define AUTO_CLOSE __attribute__((cleanup(def_auto_close)))
#define AUTO_FREE  __attribute__((cleanup(def_auto_free)))

static inline void def_auto_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void def_auto_free(void *p)
{
	free(*(void **)p);
}

/* malloc, calloc that abort when memory is out: for start-up and configuration only. */
void *def_xmalloc(size_t n);
void *def_xcalloc(size_t n, size_t size);
/* As def_xcalloc(1, size), on cache lines of its own: for what threads write beside what others write. */
void *def_xcalloc_lines(size_t size);

#endif
