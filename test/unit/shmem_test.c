// SPDX-License-Identifier: MIT
/* Tables between processes, and records between threads. */
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>

#include "ipc/shmem.h"

#define MAGIC  0x54455354u
#define WORDS  28
#define ROUNDS 20000

static char dir[] = "/tmp/shmem_testXXXXXX";
static char path[64];

static void make(struct shmem *s, size_t size)
{
	struct err e;
	assert_int_equal(shmem_create(s, path, MAGIC, 3, size, &e), 0);
	assert_int_equal(shmem_publish(s, path, &e), 0);
}

static void a_table_is_not_seen_before_it_is_published(void **state UNUSED)
{
	struct shmem s, r;
	struct err e;
	unlink(path);
	assert_int_equal(shmem_create(&s, path, MAGIC, 3, 4096, &e), 0);
	assert_int_equal(shmem_attach(&r, path, MAGIC, 3, 64, &e), -1);
	assert_int_equal(shmem_publish(&s, path, &e), 0);
	assert_int_equal(shmem_attach(&r, path, MAGIC, 3, 64, &e), 0);
	assert_int_equal(shmem_header(&r)->pid, getpid());
	shmem_detach(&r);
	shmem_detach(&s);
}

static void a_new_table_is_alive_and_private_to_the_group(void **state UNUSED)
{
	struct shmem s;
	struct stat st;
	make(&s, 4096);
	assert_true(shmem_header(&s)->heartbeat_us != 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	shmem_heartbeat(&s, 5000000);
	assert_int_equal(shmem_age_us(&s, 5750000), 750000);
	shmem_detach(&s);
}

static void another_process_reads_it(void **state UNUSED)
{
	struct shmem s;
	int status;
	make(&s, 4096);
	((uint64_t *)s.mem)[100] = UINT64_C(0x1122334455667788);
	pid_t pid = fork();
	if (pid == 0) {
		struct shmem r;
		bool good = shmem_attach(&r, path, MAGIC, 3, 4096, NULL) == 0 &&
			    ((const uint64_t *)r.mem)[100] == UINT64_C(0x1122334455667788);
		shmem_detach(&r);
		_exit(good ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	shmem_detach(&s);
}

static void a_reader_keeps_the_old_one_and_learns_of_the_new(void **state UNUSED)
{
	struct shmem first, second, r;
	struct err e;
	make(&first, 4096);
	((uint64_t *)first.mem)[10] = 1;
	assert_int_equal(shmem_attach(&r, path, MAGIC, 3, 64, &e), 0);
	assert_false(shmem_stale(&r, path));
	make(&second, 8192);
	((uint64_t *)second.mem)[10] = 2;
	assert_true(shmem_stale(&r, path));
	assert_int_equal(((const uint64_t *)r.mem)[10], 1);
	shmem_detach(&r);
	assert_int_equal(shmem_attach(&r, path, MAGIC, 3, 64, &e), 0);
	assert_int_equal(((const uint64_t *)r.mem)[10], 2);
	unlink(path);
	assert_true(shmem_stale(&r, path));
	shmem_detach(&r);
	shmem_detach(&r);
	shmem_detach(&first);
	shmem_detach(&second);
}

static void what_is_no_such_table_is_refused(void **state UNUSED)
{
	struct shmem s, r;
	struct err e;
	make(&s, 4096);
	assert_int_equal(shmem_attach(&r, path, MAGIC + 1, 3, 64, &e), -1);
	assert_int_equal(shmem_attach(&r, path, MAGIC, 4, 64, &e), -1);
	assert_int_equal(shmem_attach(&r, path, MAGIC, 3, 8192, &e), -1);
	shmem_header(&s)->size = 1 << 20; /* more than there is */
	assert_int_equal(shmem_attach(&r, path, MAGIC, 3, 64, &e), -1);
	assert_null(r.mem);
	assert_int_equal(truncate(path, 10), 0);
	assert_int_equal(shmem_attach(&r, path, MAGIC, 3, 0, &e), -1);
	shmem_detach(&s);
	assert_int_equal(shmem_create(&s, "/nonexistent/x", MAGIC, 3, 64, &e), -1);
	assert_non_null(strstr(e.text, "/nonexistent/x"));
}

static _Atomic uint64_t record[WORDS];

static void *write_records(void *arg UNUSED)
{
	uint64_t value[WORDS];
	for (uint64_t i = 1; i <= ROUNDS; i++) {
		for (size_t w = 0; w < WORDS; w++)
			value[w] = i;
		shmem_record_write(record, value, WORDS);
	}
	return NULL;
}

static void readers_never_see_half_a_record(void **state UNUSED)
{
	uint64_t value[WORDS], last = 0;
	pthread_t writer;
	MUST0(pthread_create(&writer, NULL, write_records, NULL));
	while (last < ROUNDS) {
		if (!shmem_record_read(record, value, WORDS))
			continue;
		for (size_t w = 2; w < WORDS; w++)
			assert_int_equal(value[w], value[1]);
		assert_true(value[1] >= last);
		last = value[1];
	}
	MUST0(pthread_join(writer, NULL));
}

static void a_writer_dead_inside_a_record_does_not_hold_readers(void **state UNUSED)
{
	uint64_t value[WORDS] = {0};
	atomic_store(&record[0], 7);
	assert_false(shmem_record_read(record, value, WORDS));
	shmem_record_write(record, value, WORDS);
	assert_true(shmem_record_read(record, value, WORDS));
	assert_int_equal(value[0], 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_is_not_seen_before_it_is_published),
		cmocka_unit_test(a_new_table_is_alive_and_private_to_the_group),
		cmocka_unit_test(another_process_reads_it),
		cmocka_unit_test(a_reader_keeps_the_old_one_and_learns_of_the_new),
		cmocka_unit_test(what_is_no_such_table_is_refused),
		cmocka_unit_test(readers_never_see_half_a_record),
		cmocka_unit_test(a_writer_dead_inside_a_record_does_not_hold_readers),
	};
	MUST(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/table", dir);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(dir); /* fails, and shows, when a file was left aside */
	return rc || access(dir, F_OK) == 0;
}
