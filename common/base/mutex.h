// SPDX-License-Identifier: MIT
/*
 * A mutex that knows the thread that holds it, so that a function whose contract says "with the lock held" can check
 * it: MUST(mutex_held(m)). To lock it twice, or to unlock it on another thread, aborts instead of waiting for ever.
 */
#ifndef BASE_MUTEX_H
#define BASE_MUTEX_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/def.h"

struct mutex {
	pthread_mutex_t lock;	 /* private */
	_Atomic pthread_t owner; /* private: 0 while nobody holds it; written by the holder alone */
};

/* For static ones; neither mutex_init() nor mutex_fini() is called then. */
#define MUTEX_INIT                                                                                 \
	{                                                                                          \
		.lock = PTHREAD_MUTEX_INITIALIZER                                                  \
	}

static inline void mutex_init(struct mutex *m)
{
	MUST0(pthread_mutex_init(&m->lock, NULL));
	atomic_init(&m->owner, 0);
}

/* Held by the calling thread? Any thread may ask. */
static inline bool mutex_held(const struct mutex *m)
{
	return atomic_load_explicit(&m->owner, memory_order_relaxed) == pthread_self();
}

static inline void mutex_fini(struct mutex *m)
{
	MUST(!atomic_load_explicit(&m->owner, memory_order_relaxed));
	MUST0(pthread_mutex_destroy(&m->lock));
}

static inline void mutex_lock(struct mutex *m)
{
	MUST(!mutex_held(m));
	MUST0(pthread_mutex_lock(&m->lock));
	atomic_store_explicit(&m->owner, pthread_self(), memory_order_relaxed);
}

static inline void mutex_unlock(struct mutex *m)
{
	MUST(mutex_held(m));
	atomic_store_explicit(&m->owner, 0, memory_order_relaxed);
	MUST0(pthread_mutex_unlock(&m->lock));
}

/* With m held: gives it up until the condition is signalled, as pthread_cond_wait(). */
static inline void mutex_wait(struct mutex *m, pthread_cond_t *c)
{
	MUST(mutex_held(m));
	atomic_store_explicit(&m->owner, 0, memory_order_relaxed);
	MUST0(pthread_cond_wait(c, &m->lock));
	atomic_store_explicit(&m->owner, pthread_self(), memory_order_relaxed);
}

/* The same, until then at most, on the condition's clock. False: that time has come. */
static inline bool mutex_wait_until(struct mutex *m, pthread_cond_t *c,
				    const struct timespec *until)
{
	MUST(mutex_held(m));
	atomic_store_explicit(&m->owner, 0, memory_order_relaxed);
	int error = pthread_cond_timedwait(c, &m->lock, until);
	atomic_store_explicit(&m->owner, pthread_self(), memory_order_relaxed);
	MUST(error == 0 || error == ETIMEDOUT);
	return error == 0;
}

#endif
