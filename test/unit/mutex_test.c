// SPDX-License-Identifier: MIT
/* A mutex knows its holder; what would wait for ever, or is not the caller's to do, aborts. */
#include "unit.h"

#include <pthread.h>

#include "base/mutex.h"

static struct mutex fixed = MUTEX_INIT;

static void the_holder_is_known(void **state UNUSED)
{
	struct mutex m;
	mutex_init(&m);
	assert_false(mutex_held(&m));
	for (int i = 0; i < 2; i++) {
		mutex_lock(&m);
		assert_true(mutex_held(&m));
		assert_false(mutex_held(&fixed));
		mutex_unlock(&m);
		assert_false(mutex_held(&m));
	}
	mutex_fini(&m);
	mutex_lock(&fixed);
	assert_true(mutex_held(&fixed));
	mutex_unlock(&fixed);
}

static void *look(void *arg)
{
	return (void *)(uintptr_t)mutex_held(arg);
}

static void another_thread_does_not_hold_it(void **state UNUSED)
{
	pthread_t thread;
	void *held;
	mutex_lock(&fixed);
	MUST0(pthread_create(&thread, NULL, look, &fixed));
	MUST0(pthread_join(thread, &held));
	mutex_unlock(&fixed);
	assert_null(held);
}

/* ---- waiting */

static struct {
	struct mutex lock;
	pthread_cond_t changed;
	int turns;
} game = {.lock = MUTEX_INIT, .changed = PTHREAD_COND_INITIALIZER};

#define TURNS 1000

/* Each thread waits for its turn: even ones, odd ones. */
static void play(int mine)
{
	for (int i = 0; i < TURNS; i++) {
		mutex_lock(&game.lock);
		while (game.turns % 2 != mine) {
			mutex_wait(&game.lock, &game.changed);
			MUST(mutex_held(&game.lock));
		}
		game.turns++;
		MUST0(pthread_cond_signal(&game.changed));
		mutex_unlock(&game.lock);
	}
}

static void *other(void *arg UNUSED)
{
	play(1);
	return NULL;
}

static void the_holder_is_known_after_waiting(void **state UNUSED)
{
	pthread_t thread;
	MUST0(pthread_create(&thread, NULL, other, NULL));
	play(0);
	MUST0(pthread_join(thread, NULL));
	assert_int_equal(game.turns, 2 * TURNS);
	struct timespec past = {.tv_sec = 1};
	mutex_lock(&game.lock);
	assert_false(mutex_wait_until(&game.lock, &game.changed, &past));
	assert_true(mutex_held(&game.lock));
	mutex_unlock(&game.lock);
}

/* ---- what aborts */

static void locking_twice(void)
{
	mutex_lock(&fixed);
	mutex_lock(&fixed);
}

static void unlocking_what_is_not_held(void)
{
	mutex_unlock(&fixed);
}

static void *lock(void *arg)
{
	mutex_lock(arg);
	return NULL;
}

static void unlocking_what_another_thread_holds(void)
{
	pthread_t thread;
	MUST0(pthread_create(&thread, NULL, lock, &fixed));
	MUST0(pthread_join(thread, NULL));
	mutex_unlock(&fixed);
}

static void waiting_without_the_lock(void)
{
	mutex_wait(&game.lock, &game.changed);
}

static void ending_what_is_held(void)
{
	mutex_lock(&fixed);
	mutex_fini(&fixed);
}

static void misuse_aborts(void **state UNUSED)
{
	assert_true(unit_aborts(locking_twice));
	assert_true(unit_aborts(unlocking_what_is_not_held));
	assert_true(unit_aborts(unlocking_what_another_thread_holds));
	assert_true(unit_aborts(waiting_without_the_lock));
	assert_true(unit_aborts(ending_what_is_held));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_holder_is_known),
		cmocka_unit_test(another_thread_does_not_hold_it),
		cmocka_unit_test(the_holder_is_known_after_waiting),
		cmocka_unit_test(misuse_aborts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
