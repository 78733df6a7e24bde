// SPDX-License-Identifier: MIT
/* Counters: summed over the blocks, read by name from outside, and tables that lie. */
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>

#include "ipc/stats.h"

#define LIST(X)                                                                                    \
	X(requests, COUNTER, "received") X(open_now, GAUGE, "open") X(bytes, COUNTER, "sent")
enum { STATS_ENUM(LIST) STAT_COUNT };
static const struct stats_name names[] = {STATS_NAMES(LIST)};

static char dir[] = "/tmp/stats_testXXXXXX";
static char path[64];

static void make(struct stats *s, unsigned blocks)
{
	struct err e;
	assert_int_equal(stats_create(s, path, names, STAT_COUNT, blocks, &e), 0);
}

static void *count(void *block)
{
	stats_cell *cells = block;
	for (unsigned i = 0; i < 5000; i++) {
		stats_add(&cells[STAT_requests], 1);
		stats_add(&cells[STAT_open_now], i % 2 ? -1 : 1);
	}
	return NULL;
}

static void workers_count_and_readers_sum(void **state)
{
	struct stats s;
	struct stats_view v;
	struct err e;
	pthread_t t[3];
	uint64_t got = 0, before = 0;
	(void)state;
	make(&s, 3);
	assert_int_equal(stats_view_open(&v, path, &e), 0);
	for (unsigned i = 0; i < 3; i++)
		MUST0(pthread_create(&t[i], NULL, count, stats_block(&s, i)));
	for (unsigned i = 0; i < 100; i++) {
		assert_true(stats_view_get(&v, "requests", &got));
		assert_true(got >= before);
		before = got;
	}
	for (unsigned i = 0; i < 3; i++)
		MUST0(pthread_join(t[i], NULL));
	assert_int_equal(stats_sum(&s, STAT_requests), 15000);
	assert_true(stats_view_get(&v, "requests", &got));
	assert_int_equal(got, 15000);
	assert_true(stats_view_get(&v, "open_now", &got));
	assert_int_equal(got, 0);
	assert_false(stats_view_get(&v, "request", &got));
	stats_view_close(&v);
	stats_fini(&s);
}

static void blocks_share_no_cache_line(void **state)
{
	struct stats s;
	(void)state;
	make(&s, 2);
	assert_int_equal((uintptr_t)stats_block(&s, 0) % CACHE_LINE, 0);
	assert_true((uintptr_t)stats_block(&s, 1) - (uintptr_t)stats_block(&s, 0) >= CACHE_LINE);
	stats_fini(&s);
}

static void names_and_kinds_travel(void **state)
{
	struct stats s;
	struct stats_view v;
	struct err e;
	(void)state;
	make(&s, 1);
	stats_set(&stats_block(&s, 0)[STAT_bytes], UINT64_C(1) << 40);
	assert_int_equal(stats_view_open(&v, path, &e), 0);
	assert_int_equal(v.count, 3);
	assert_string_equal(stats_view_name(&v, 1).name, "open_now");
	assert_int_equal(stats_view_name(&v, 1).kind, STATS_GAUGE);
	assert_int_equal(stats_view_name(&v, 2).kind, STATS_COUNTER);
	assert_true(stats_view_sum(&v, 2) == UINT64_C(1) << 40);
	stats_view_close(&v);
	stats_fini(&s);
}

static void without_a_table_it_counts_all_the_same(void **state)
{
	struct stats s;
	struct err e;
	(void)state;
	assert_int_equal(stats_create(&s, "/nonexistent/x.shm", names, STAT_COUNT, 2, &e), -1);
	assert_true(*e.text);
	stats_add(&stats_block(&s, 1)[STAT_requests], 4);
	assert_int_equal(stats_sum(&s, STAT_requests), 4);
	stats_fini(&s);
}

/* The directory stands behind the 64 bytes of the header: count, blocks, stride, cells_at. */
static void a_directory_that_lies_is_refused(void **state)
{
	static const uint32_t lies[][4] = {
		{UINT32_MAX, 1, 8, 256},
		{9, 1, 8, 512},
		{3, 4097, 8, 256},
		{3, 1, 4097, 256},
		{3, 1, 8, 260},
		{3, 1, 8, 128},
		{3, 1, 8, 0},
		{3, 1, 8, UINT32_MAX - 63},
		{3, 4096, 4096, 256},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		struct stats s;
		struct stats_view v;
		struct err e;
		make(&s, 1);
		memcpy((char *)s.shmem.mem + 64, lies[i], sizeof(lies[i]));
		assert_int_equal(stats_view_open(&v, path, &e), -1);
		assert_null(v.shmem.mem);
		stats_fini(&s);
	}
}

static void a_directory_changed_later_leads_nowhere(void **state)
{
	static const uint32_t lie[4] = {3, 4096, 4096, UINT32_MAX - 63};
	struct stats s;
	struct stats_view v;
	struct err e;
	(void)state;
	make(&s, 2);
	stats_add(&stats_block(&s, 1)[STAT_requests], 9);
	assert_int_equal(stats_view_open(&v, path, &e), 0);
	memcpy((char *)s.shmem.mem + 64, lie, sizeof(lie));
	assert_int_equal(stats_view_sum(&v, 0), 9);
	memset((char *)s.shmem.mem + 128, 'x', 40); /* a name without an end */
	assert_int_equal(strlen(stats_view_name(&v, 0).name), 38);
	stats_view_close(&v);
	stats_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(workers_count_and_readers_sum),
		cmocka_unit_test(blocks_share_no_cache_line),
		cmocka_unit_test(names_and_kinds_travel),
		cmocka_unit_test(without_a_table_it_counts_all_the_same),
		cmocka_unit_test(a_directory_that_lies_is_refused),
		cmocka_unit_test(a_directory_changed_later_leads_nowhere),
	};
	MUST(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/x.shm", dir);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(dir);
	return rc;
}
