// SPDX-License-Identifier: MIT
/* Counters: cells a worker and object, read by name from outside, slots that run out, and tables that lie. */
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/log.h"
#include "ipc/stats.h"
#include "ipc/stats_report.h"

#define PROCESS(X)                                                                                 \
	X(requests, COUNTER, "received", "req_tot")                                                \
	X(open_now, GAUGE, "open")                                                                 \
	X(slowest, MAX, "longest")
/* Nine: the last one is the first of a second cache line. */
#define SERVER(X)                                                                                  \
	X(a, COUNTER, "one")                                                                       \
	X(b, COUNTER, "two")                                                                       \
	X(c, GAUGE, "three")                                                                       \
	X(d, COUNTER, "four")                                                                      \
	X(e, COUNTER, "five")                                                                      \
	X(f, COUNTER, "six")                                                                       \
	X(g, COUNTER, "seven")                                                                     \
	X(h, COUNTER, "eight")                                                                     \
	X(i, COUNTER, "nine")
enum { STATS_ENUM(PROCESS) PROCESS_N };
enum { STATS_ENUM(SERVER) SERVER_N };
enum { PROC, SRV, KINDS };
#define CAPACITY 3

static const struct stats_counter process[] = {STATS_ROWS(PROCESS)};
static const struct stats_counter server[] = {STATS_ROWS(SERVER)};
static const struct stats_kind kinds[] = {
	STATS_KIND("process", "The whole.", 1, process),
	STATS_KIND("server", "Each server.", CAPACITY, server),
};

static char dir[] = "/tmp/stats_testXXXXXX";
static char path[64];

static void make(struct stats *s, unsigned workers)
{
	struct err e;
	assert_int_equal(stats_create(s, path, kinds, KINDS, workers, &e), 0);
	assert_true(s->published);
}

static void open_view(struct stats_view *v)
{
	struct err e;
	assert_int_equal(stats_view_open(v, path, &e), 0);
}

/* ---- counting */

struct job {
	struct stats *s;
	unsigned worker;
};

static void *count(void *arg)
{
	const struct job *j = arg;
	stats_cell *p = stats_cells(j->s, PROC, 0, j->worker);
	stats_cell *o = stats_cells(j->s, SRV, 1, j->worker);
	for (unsigned i = 0; i < 5000; i++) {
		stats_add(&p[STAT_requests], 1);
		stats_add(&p[STAT_open_now], i % 2 ? -1 : 1);
		stats_max(&p[STAT_slowest], i * (j->worker + 1));
		stats_add(&o[STAT_i], 1);
	}
	return NULL;
}

/* Readers look on, and objects come, while three workers count. */
static void workers_count_while_readers_read_and_objects_come(void **state UNUSED)
{
	struct stats s;
	struct stats_view v;
	pthread_t t[3];
	struct job jobs[3];
	uint64_t got = 0, before = 0;
	make(&s, 3);
	assert_int_equal(stats_slot(&s, SRV, STR("p/a")), 1);
	open_view(&v);
	for (unsigned i = 0; i < 3; i++) {
		jobs[i] = (struct job){&s, i};
		MUST0(pthread_create(&t[i], NULL, count, &jobs[i]));
	}
	for (unsigned i = 0; i < 100; i++) {
		char name[STATS_NAME_SIZE];
		assert_true(stats_view_get(&v, "requests", &got));
		assert_true(got >= before);
		before = got;
		if (i == 50)
			assert_int_equal(stats_slot(&s, SRV, STR("p/b")), 2);
		unsigned n = stats_view_slots(&v, SRV);
		assert_int_equal(n, i < 50 ? 2 : 3);
		assert_true(stats_view_object(&v, SRV, n - 1, name));
		assert_string_equal(name, i < 50 ? "p/a" : "p/b");
	}
	for (unsigned i = 0; i < 3; i++)
		MUST0(pthread_join(t[i], NULL));
	assert_int_equal(stats_value(&s, PROC, 0, STAT_requests), 15000);
	assert_int_equal(stats_view_value(&v, PROC, 0, STAT_requests), 15000);
	assert_int_equal(stats_view_value(&v, PROC, 0, STAT_slowest), 4999 * 3);
	assert_int_equal(stats_view_value(&v, SRV, 1, STAT_i), 15000);
	assert_int_equal(stats_view_value(&v, SRV, 2, STAT_i), 0);
	assert_true(stats_view_get(&v, "open_now", &got));
	assert_int_equal(got, 0);
	assert_false(stats_view_get(&v, "request", &got));
	assert_false(stats_view_get(&v, "a", &got)); /* of another kind */
	stats_view_close(&v);
	stats_fini(&s);
}

static void a_gauge_may_be_below_zero_in_one_worker(void **state UNUSED)
{
	struct stats s;
	make(&s, 2);
	stats_add(&stats_cells(&s, PROC, 0, 0)[STAT_open_now], 5);
	stats_add(&stats_cells(&s, PROC, 0, 1)[STAT_open_now], -3);
	assert_int_equal(stats_value(&s, PROC, 0, STAT_open_now), 2);
	stats_add(&stats_cells(&s, PROC, 0, 1)[STAT_open_now], -4);
	assert_int_equal((int64_t)stats_value(&s, PROC, 0, STAT_open_now), -2);
	stats_fini(&s);
}

/* ---- layout */

static void workers_share_no_cache_line(void **state UNUSED)
{
	struct stats s;
	make(&s, 2);
	for (unsigned k = 0; k < KINDS; k++) {
		uintptr_t a = (uintptr_t)stats_cells(&s, k, 0, 0);
		uintptr_t b = (uintptr_t)stats_cells(&s, k, 0, 1);
		assert_int_equal(a % CACHE_LINE, 0);
		assert_true(b - a >= kinds[k].n * sizeof(stats_cell));
		assert_int_equal((b - a) % CACHE_LINE, 0);
	}
	assert_ptr_equal(stats_cells(&s, SRV, 1, 0), stats_cells(&s, SRV, 0, 1) + 16);
	stats_fini(&s);
}

static void names_types_and_prose_travel(void **state UNUSED)
{
	struct stats s;
	struct stats_view v;
	make(&s, 1);
	stats_set(&stats_cells(&s, PROC, 0, 0)[STAT_requests], UINT64_C(1) << 40);
	open_view(&v);
	assert_int_equal(v.n_kinds, 2);
	assert_string_equal(v.kind[SRV].name, "server");
	assert_int_equal(stats_view_find(&v, STR("server")), SRV);
	assert_int_equal(stats_view_find(&v, STR("serve")), -1);
	assert_int_equal(v.kind[PROC].counters, 3);
	assert_true(v.kind[PROC].single && !v.kind[SRV].single);
	struct stats_counter_row r = stats_view_counter(&v, PROC, 0);
	assert_string_equal(r.name, "requests");
	assert_string_equal(r.column, "req_tot");
	assert_string_equal(r.prose, "received");
	assert_int_equal(r.type, STATS_COUNTER);
	assert_int_equal(stats_view_counter(&v, PROC, 1).type, STATS_GAUGE);
	assert_string_equal(stats_view_counter(&v, PROC, 1).column, "");
	assert_int_equal(stats_view_counter(&v, PROC, 2).type, STATS_MAX);
	assert_string_equal(stats_view_counter(&v, SRV, 0).name, "a");
	assert_true(stats_view_value(&v, PROC, 0, STAT_requests) == UINT64_C(1) << 40);
	assert_int_equal(stats_view_pid(&v), getpid());
	stats_view_close(&v);
	stats_view_close(&v);
	assert_false(stats_view_is_open(&v));
	stats_fini(&s);
}

static void a_large_capacity_costs_nothing_until_it_is_used(void **state UNUSED)
{
	static const struct stats_kind many[] = {
		STATS_KIND("process", "The whole.", 1, process),
		STATS_KIND("server", "Each server.", 4096, server),
	};
	struct stats s;
	struct stat st;
	struct err e;
	assert_int_equal(stats_create(&s, path, many, KINDS, 4, &e), 0);
	stats_slot(&s, SRV, STR("p/a"));
	MUST0(stat(path, &st));
	assert_true(st.st_size > 2 << 20);
	assert_true(st.st_blocks * 512 <= 6 * 4096);
	stats_fini(&s);
}

static void the_heartbeat_and_a_new_table_are_seen(void **state UNUSED)
{
	struct stats s, again;
	struct stats_view v;
	make(&s, 1);
	open_view(&v);
	stats_heartbeat(&s, 1000);
	assert_int_equal(stats_view_age_us(&v, 5000), 4000);
	assert_false(stats_view_stale(&v, path));
	make(&again, 1);
	assert_true(stats_view_stale(&v, path));
	stats_view_close(&v);
	stats_fini(&s);
	stats_fini(&again);
}

/* ---- slots */

static void an_object_keeps_its_slot_and_no_other_gets_it(void **state UNUSED)
{
	struct stats s;
	make(&s, 1);
	assert_int_equal(stats_slot(&s, PROC, STR("whatever")), 0);
	assert_int_equal(stats_slot(&s, SRV, STR("p/a")), 1);
	assert_int_equal(stats_slot(&s, SRV, STR("p/b")), 2);
	assert_int_equal(stats_slot(&s, SRV, STR("p/a")), 1);
	assert_int_equal(stats_slot(&s, SRV, STR("p/")), 3);
	assert_int_equal(stats_slot(&s, SRV, STR("p/b")), 2);
	stats_fini(&s);
}

static void without_a_slot_of_its_own_an_object_shares_one(void **state UNUSED)
{
	char name[STATS_NAME_SIZE];
	struct stats s;
	struct stats_view v;
	make(&s, 1);
	open_view(&v);
	for (unsigned i = 0; i < CAPACITY; i++) {
		snprintf(name, sizeof(name), "p/%u", i);
		assert_int_equal(stats_slot(&s, SRV, str_c(name)), i + 1);
	}
	assert_false(stats_view_object(&v, SRV, 0, name));
	assert_int_equal(stats_slot(&s, SRV, STR("p/late")), 0);
	assert_int_equal(stats_slot(&s, SRV, STR("p/later")), 0);
	stats_add(&stats_cells(&s, SRV, 0, 0)[STAT_a], 4);
	assert_true(stats_view_object(&v, SRV, 0, name));
	assert_string_equal(name, "(others)");
	assert_int_equal(stats_view_value(&v, SRV, 0, STAT_a), 4);
	assert_int_equal(stats_slot(&s, SRV, STR("p/1")), 2); /* the old ones keep theirs */
	stats_view_close(&v);
	stats_fini(&s);
}

static void a_long_name_is_cut_and_found_again(void **state UNUSED)
{
	char name[STATS_NAME_SIZE], longer[2 * STATS_NAME_SIZE];
	struct stats s;
	make(&s, 1);
	memset(longer, 'n', sizeof(longer));
	assert_int_equal(stats_slot(&s, SRV, str_of(longer, sizeof(longer))), 1);
	assert_int_equal(stats_slot(&s, SRV, str_of(longer, sizeof(longer) - 1)), 1);
	assert_true(stats_view_object(&s.view, SRV, 1, name));
	assert_int_equal(strlen(name), STATS_NAME_SIZE - 1);
	stats_fini(&s);
}

static void without_a_table_it_counts_all_the_same(void **state UNUSED)
{
	struct stats s;
	struct err e;
	assert_int_equal(stats_create(&s, "/nonexistent/x.shm", kinds, KINDS, 2, &e), -1);
	assert_true(*e.text && !s.published);
	assert_int_equal(stats_slot(&s, SRV, STR("p/a")), 1);
	stats_add(&stats_cells(&s, SRV, 1, 1)[STAT_b], 4);
	assert_int_equal(stats_value(&s, SRV, 1, STAT_b), 4);
	assert_string_equal(stats_view_counter(&s.view, SRV, 1).name, "b");
	stats_heartbeat(&s, 1);
	stats_fini(&s);
}

/* ---- tables that lie. The directory stands at 64, kinds at 128, counters at 384. */

static void must_be_refused(size_t at, uint32_t lie)
{
	struct stats s;
	struct stats_view v;
	struct err e;
	make(&s, 2);
	memcpy((char *)s.view.shmem.mem + at, &lie, sizeof(lie));
	assert_int_equal(stats_view_open(&v, path, &e), -1);
	assert_false(stats_view_is_open(&v));
	stats_fini(&s);
}

static void a_directory_that_lies_is_refused(void **state UNUSED)
{
	static const struct {
		size_t at;
		uint32_t lie;
	} lies[] = {
		{64, 0},
		{64, 9},
		{64, UINT32_MAX}, /* kinds */
		{68, 513},
		{68, UINT32_MAX},
		{68, 2}, /* counters */
		{72, 0},
		{72, 257},
		{72, UINT32_MAX}, /* workers */
		{72, 200},	  /* more than fit */
		{76, 0},
		{76, 129},
		{76, UINT32_MAX - 63},
		{80, UINT32_MAX - 63},
		{80, 0},
		{80, 130},
	};
	for (size_t i = 0; i < ARRAY_LEN(lies); i++)
		must_be_refused(lies[i].at, lies[i].lie);
}

static void a_kind_that_lies_is_refused(void **state UNUSED)
{
	const size_t row = 128 + sizeof(struct stats_kind_row);
	const size_t counters = row + offsetof(struct stats_kind_row, counters);
	static const uint32_t lies[][2] = {
		{0, 17},
		{0, 10},
		{0, UINT32_MAX}, /* counters: beyond stride, beyond all */
		{4, 4},
		{4, UINT32_MAX}, /* first */
		{8, 0},
		{8, UINT32_MAX},
		{8, 100},
		{8, 65537}, /* slots */
		{12, 8},
		{12, 17},
		{12, 4096},
		{12, 0}, /* stride */
		{16, 0},
		{16, 65},
		{16, UINT32_MAX - 63}, /* names */
		{20, 0},
		{20, 72},
		{20, UINT32_MAX - 63}, /* cells */
	};
	for (size_t i = 0; i < ARRAY_LEN(lies); i++)
		must_be_refused(counters + lies[i][0], lies[i][1]);
}

static void a_directory_changed_later_leads_nowhere(void **state UNUSED)
{
	char name[STATS_NAME_SIZE];
	struct stats s;
	struct stats_view v;
	make(&s, 2);
	stats_slot(&s, SRV, STR("p/a"));
	stats_add(&stats_cells(&s, SRV, 1, 1)[STAT_i], 9);
	open_view(&v);
	memset((char *)s.view.shmem.mem + 64, 'x', 128 + KINDS * sizeof(struct stats_kind_row));
	assert_int_equal(stats_view_value(&v, SRV, 1, STAT_i), 9);
	assert_int_equal(stats_view_slots(&v, SRV), CAPACITY + 1); /* "used" lies too */
	memset((char *)s.view.shmem.mem + 384, 'x', v.shmem.size - 384);
	assert_int_equal(strlen(stats_view_counter(&v, SRV, 8).name), 39);
	assert_int_equal(strlen(stats_view_counter(&v, SRV, 8).prose), 191);
	assert_true(stats_view_object(&v, SRV, CAPACITY, name));
	assert_int_equal(strlen(name), STATS_NAME_SIZE - 1);
	stats_view_value(&v, SRV, CAPACITY, 8);
	stats_view_close(&v);
	stats_fini(&s);
}

static void a_file_cut_short_is_refused(void **state UNUSED)
{
	struct stats_view v;
	struct stats s;
	struct err e;
	static const off_t sizes[] = {0, 64, 127, 384};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		make(&s, 1);
		MUST0(truncate(path, sizes[i]));
		assert_int_equal(stats_view_open(&v, path, &e), -1);
		stats_fini(&s);
	}
}

/* ---- reports */

static struct text out;

static int report(struct stats *s, const char *which, bool prose, enum report_format f)
{
	struct err e;
	text_fini(&out);
	text_init(&out, 1 << 16);
	int rc = stats_report(&s->view, str_c(which), prose, f, &out, &e);
	if (rc < 0)
		text_add(&out, str_c(e.text));
	return rc;
}

static void counters_are_reported_by_kind_and_object(void **state UNUSED)
{
	struct stats s;
	make(&s, 2);
	stats_slot(&s, SRV, STR("p/a"));
	stats_slot(&s, SRV, STR("p/b"));
	stats_add(&stats_cells(&s, PROC, 0, 1)[STAT_requests], 3);
	stats_add(&stats_cells(&s, PROC, 0, 1)[STAT_open_now], -1);
	assert_int_equal(report(&s, "process", false, REPORT_TEXT), 0);
	assert_str_equal(str_of(out.p, out.n),
			 "process requests 3\nprocess open_now -1\nprocess slowest 0\n");
	assert_int_equal(report(&s, "process", false, REPORT_JSON), 0);
	assert_str_equal(str_of(out.p, out.n),
			 "{\"process\":{\"requests\":3,\"open_now\":-1,\"slowest\":0}}");
	assert_int_equal(report(&s, "server/p/b", true, REPORT_TEXT), 0);
	assert_true(str_starts(str_of(out.p, out.n),
			       STR("server p/b a 0  one\nserver p/b b 0  two\n")));
	assert_int_equal(report(&s, "server", false, REPORT_JSON), 0);
	assert_true(str_starts(str_of(out.p, out.n), STR("{\"server\":{\"p/a\":{\"a\":0,")));
	assert_true(str_find_str(str_of(out.p, out.n), STR("},\"p/b\":{\"a\":0,")) > 0);
	assert_int_equal(report(&s, "", false, REPORT_CSV), 0);
	assert_true(str_starts(str_of(out.p, out.n),
			       STR("object,name,value,note\nprocess,requests,3,\n")));
	assert_true(str_find_str(str_of(out.p, out.n), STR("\nserver p/a,i,0,\n")) > 0);
	assert_int_equal(report(&s, "server/p/c", false, REPORT_TEXT), -1);
	assert_str_equal(str_of(out.p, out.n), "no server \"p/c\" was counted");
	assert_int_equal(report(&s, "srv", false, REPORT_TEXT), -1);
	assert_str_equal(str_of(out.p, out.n), "no kind of counters \"srv\"");
	text_fini(&out);
	stats_fini(&s);
}

static void the_manual_is_made_of_the_rows(void **state UNUSED)
{
	char *made = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&made, &n);
	stats_report_man(f, kinds, KINDS);
	MUST0(fclose(f));
	struct str page = str_of(made, n);
	assert_true(str_starts(page, STR(".SH COUNTERS\n")));
	assert_true(str_find_str(page, STR("\n.SS process\nThe whole.\n.TP\n\\fBrequests\\fR\n"
					   "received.\nIn HAProxy's CSV \\fBreq_tot\\fR.\n"
					   ".TP\n\\fBopen_now\\fR (gauge)\nopen.\n"
					   ".TP\n\\fBslowest\\fR (largest)\nlongest.\n"
					   ".SS server\nEach server.\n")) > 0);
	free(made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(workers_count_while_readers_read_and_objects_come),
		cmocka_unit_test(a_gauge_may_be_below_zero_in_one_worker),
		cmocka_unit_test(workers_share_no_cache_line),
		cmocka_unit_test(names_types_and_prose_travel),
		cmocka_unit_test(a_large_capacity_costs_nothing_until_it_is_used),
		cmocka_unit_test(the_heartbeat_and_a_new_table_are_seen),
		cmocka_unit_test(an_object_keeps_its_slot_and_no_other_gets_it),
		cmocka_unit_test(without_a_slot_of_its_own_an_object_shares_one),
		cmocka_unit_test(a_long_name_is_cut_and_found_again),
		cmocka_unit_test(without_a_table_it_counts_all_the_same),
		cmocka_unit_test(a_directory_that_lies_is_refused),
		cmocka_unit_test(a_kind_that_lies_is_refused),
		cmocka_unit_test(a_directory_changed_later_leads_nowhere),
		cmocka_unit_test(a_file_cut_short_is_refused),
		cmocka_unit_test(counters_are_reported_by_kind_and_object),
		cmocka_unit_test(the_manual_is_made_of_the_rows),
	};
	MUST(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/x.shm", dir);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(dir);
	return rc;
}
