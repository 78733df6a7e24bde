// SPDX-License-Identifier: MIT
/* The table of verdicts, written and read. */
#include "unit.h"

#include <stdio.h>

#include "ipc/health.h"

static char dir[] = "/tmp/health_testXXXXXX";
static char path[64];

static struct health_record verdict(const char *name, enum health_state state, const char *reason)
{
	struct health_record r = {.since_s = 1700000000, .state = state, .result = HEALTH_L4CON};
	str_copy(r.name, sizeof(r.name), str_c(name));
	str_copy(r.reason, sizeof(r.reason), str_c(reason));
	return r;
}

static void put(struct health_table *t, const char *name, enum health_state state)
{
	struct health_record r = verdict(name, state, "because");
	struct err e;
	assert_int_equal(health_create(t, path, 2, &e), 0);
	health_put(t, 1, &r);
}

static void verdicts_are_found_by_name(void **state UNUSED)
{
	struct health_table t;
	struct health_view v;
	struct health_record r;
	struct err e;
	put(&t, "edges/web1", HEALTH_DOWN);
	assert_int_equal(health_open(&v, path, &e), 0);
	assert_int_equal(v.count, 2);
	assert_true(health_find(&v, "edges/web1", &r));
	assert_int_equal(r.state, HEALTH_DOWN);
	assert_int_equal(r.since_s, 1700000000);
	assert_string_equal(r.reason, "because");
	assert_false(health_find(&v, "edges/web", &r));
	assert_false(health_get(&v, 2, &r));
	health_close(&v);
	health_fini(&t);
}

static void the_old_table_is_kept_until_there_is_a_new_one(void **state UNUSED)
{
	struct health_table t;
	struct health_view v = {.count = 0};
	struct health_record r;
	unlink(path);
	health_refresh(&v, path);
	assert_true(health_stale(&v, 0));
	assert_false(health_find(&v, "a", &r));
	put(&t, "a", HEALTH_UP);
	health_fini(&t);
	health_refresh(&v, path);
	assert_true(health_find(&v, "a", &r));
	unlink(path);
	health_refresh(&v, path);
	assert_true(health_find(&v, "a", &r));
	put(&t, "a", HEALTH_DOWN);
	health_refresh(&v, path);
	assert_true(health_find(&v, "a", &r));
	assert_int_equal(r.state, HEALTH_DOWN);
	health_close(&v);
	health_fini(&t);
}

static void silence_is_noticed(void **state UNUSED)
{
	struct health_table t;
	struct health_view v;
	struct err e;
	put(&t, "a", HEALTH_UP);
	assert_int_equal(health_open(&v, path, &e), 0);
	shmem_heartbeat(&t.shmem, 10000000);
	assert_false(health_stale(&v, 10000000 + HEALTH_STALE_US));
	assert_true(health_stale(&v, 10000001 + HEALTH_STALE_US));
	health_close(&v);
	health_fini(&t);
}

static void texts_without_an_end_are_given_one(void **state UNUSED)
{
	struct health_table t;
	struct health_view v;
	struct health_record r = {0}, got;
	struct err e;
	memset(r.name, 'n', sizeof(r.name));
	memset(r.reason, 'r', sizeof(r.reason));
	put(&t, "a", HEALTH_UP);
	health_put(&t, 0, &r);
	assert_int_equal(health_open(&v, path, &e), 0);
	assert_true(health_get(&v, 0, &got));
	assert_int_equal(strlen(got.name), sizeof(got.name) - 1);
	assert_int_equal(strlen(got.reason), sizeof(got.reason) - 1);
	health_close(&v);
	health_fini(&t);
}

/* Behind the header: the number of records, and the size of one. */
static void a_table_that_lies_is_refused(void **state UNUSED)
{
	static const uint32_t lies[][2] = {{3, sizeof(struct health_record)},
					   {UINT32_MAX, sizeof(struct health_record)},
					   {2, sizeof(struct health_record) - 8}};
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		struct health_table t;
		struct health_view v;
		struct err e;
		put(&t, "a", HEALTH_UP);
		memcpy((char *)t.shmem.mem + 64, lies[i], sizeof(lies[i]));
		assert_int_equal(health_open(&v, path, &e), -1);
		health_fini(&t);
	}
}

static void every_value_has_a_word(void **state UNUSED)
{
	assert_string_equal(health_state_text(HEALTH_DOWN), "down");
	assert_string_equal(health_state_text(77), "?");
	assert_string_equal(health_result_text(HEALTH_INI), "INI");
	assert_string_equal(health_result_text(HEALTH_SOCKERR), "SOCKERR");
	assert_string_equal(health_result_text(HEALTH_SOCKERR + 1), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts_are_found_by_name),
		cmocka_unit_test(the_old_table_is_kept_until_there_is_a_new_one),
		cmocka_unit_test(silence_is_noticed),
		cmocka_unit_test(texts_without_an_end_are_given_one),
		cmocka_unit_test(a_table_that_lies_is_refused),
		cmocka_unit_test(every_value_has_a_word),
	};
	MUST(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/health.shm", dir);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(dir);
	return rc;
}
