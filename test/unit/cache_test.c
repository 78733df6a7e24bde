// SPDX-License-Identifier: MIT
// TEST-OF: edge
/* Store, index and filling together: what survives, is found, waits, is evicted. */
#include "fill.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "unit.h"

#define SIZE (1u << 20)
#define NOW  (INT64_C(5000) * CLOCK_SECOND)

static struct store store;
static struct index *ix;

static int setup(void **state UNUSED)
{
	struct err why;
	if (store_open(&store, SIZE, -1, &why) < 0)
		return -1;
	ix = index_new(&store);
	return 0;
}

static int teardown(void **state UNUSED)
{
	index_check(ix);
	index_free(ix);
	store_close(&store);
	return 0;
}

static bool any(struct str vary UNUSED, const void *arg UNUSED)
{
	return true;
}

static bool same(struct str vary, const void *arg)
{
	return str_eq(vary, str_c(arg));
}

static enum index_result look(const char *key, index_match *match, const void *arg,
			      struct object **o)
{
	struct freshness f;
	struct str k = str_c(key);
	enum index_result r = index_lookup(ix, index_hash(ix, k), k, match, arg, NOW, o, &f);
	index_check(ix);
	return r;
}

static struct fill_head head_for(const char *vary, uint64_t length)
{
	return (struct fill_head){.vary = str_c(vary),
				  .head = STR("HTTP/1.1 200 OK\r\nETag: \"e\"\r\n"),
				  .status = 200,
				  .length = length,
				  .fresh = {.received_us = NOW, .lifetime_s = 60, .keep_s = 600}};
}

static bool pour(struct object *o, const char *data, size_t n)
{
	while (n) {
		size_t room;
		char *to = fill_space(ix, o, &room);
		if (!to)
			return false;
		room = MIN(room, n);
		memcpy(to, data, room);
		fill_added(ix, o, room);
		data += room;
		n -= room;
	}
	return true;
}

static void make(const char *key, const char *vary, const char *body, size_t n)
{
	struct object *o;
	struct fill_head h = head_for(vary, n);
	enum index_result r = look(key, same, vary, &o);
	assert_int_equal(r, INDEX_NEW);
	assert_true(fill_begin(ix, o, &h));
	assert_true(pour(o, body, n));
	fill_seal(ix, o);
	object_unref(&store, o);
	index_check(ix);
}

static void expect(const char *key, const char *vary, const char *body, size_t n)
{
	struct object *o;
	assert_int_equal(look(key, same, vary, &o), INDEX_FOUND);
	assert_int_equal(object_state(o), OBJECT_SEALED);
	struct iovec iov[8];
	size_t total;
	uint64_t at = 0;
	while (at < n) {
		int pieces = object_body(&store, o, at, iov, 8, &total);
		assert_true(pieces > 0);
		for (int i = 0; i < pieces; i++) {
			assert_memory_equal(iov[i].iov_base, body + at, iov[i].iov_len);
			at += iov[i].iov_len;
		}
	}
	assert_int_equal(at, n);
	object_unref(&store, o);
}

static void misses_collapse_on_one_object(void **state UNUSED)
{
	struct object *first, *second;
	assert_int_equal(look("k", any, NULL, &first), INDEX_NEW);
	assert_int_equal(look("k", any, NULL, &second), INDEX_BUSY);
	assert_ptr_equal(first, second);
	struct fill_head h = head_for("", 5);
	assert_true(fill_begin(ix, first, &h));
	object_unref(&store, second);
	assert_int_equal(look("k", any, NULL, &second), INDEX_FOUND);
	assert_true(pour(first, "hello", 5));
	fill_seal(ix, first);
	object_unref(&store, first);
	object_unref(&store, second);
	expect("k", "", "hello", 5);
}

static void a_failed_one_is_gone(void **state UNUSED)
{
	struct object *o, *again;
	assert_int_equal(look("k", any, NULL, &o), INDEX_NEW);
	fill_fail(ix, o, 502);
	assert_int_equal(o->fail_status, 502);
	assert_int_equal(look("k", any, NULL, &again), INDEX_NEW);
	assert_ptr_not_equal(o, again);
	fill_fail(ix, again, 502);
	object_unref(&store, o);
	object_unref(&store, again);
}

static void hit_for_miss_objects_expire(void **state UNUSED)
{
	struct object *o;
	struct freshness f;
	assert_int_equal(look("k", any, NULL, &o), INDEX_NEW);
	fill_hit_for_miss(ix, o, NOW, 120);
	object_unref(&store, o);
	assert_int_equal(look("k", any, NULL, &o), INDEX_FOUND);
	assert_int_equal(object_state(o), OBJECT_HIT_FOR_MISS);
	object_unref(&store, o);
	struct str k = STR("k");
	assert_int_equal(
		index_lookup(ix, index_hash(ix, k), k, any, NULL, NOW + 121 * CLOCK_SECOND, &o, &f),
		INDEX_NEW);
	fill_fail(ix, o, 500);
	object_unref(&store, o);
}

static void variants_live_side_by_side(void **state UNUSED)
{
	make("k", "x=1", "one", 3);
	make("k", "x=2", "second", 6);
	expect("k", "x=1", "one", 3);
	expect("k", "x=2", "second", 6);
	struct object *fresh = index_new_object(ix, index_hash(ix, STR("k")), STR("k"));
	struct fill_head h = head_for("x=1", 3);
	assert_true(fill_begin(ix, fresh, &h));
	assert_true(pour(fresh, "new", 3));
	fill_seal(ix, fresh);
	object_unref(&store, fresh);
	expect("k", "x=1", "new", 3);
	expect("k", "x=2", "second", 6);
	assert_int_equal(index_purge(ix, index_hash(ix, STR("k")), STR("k"), false), 2);
}

static void purging(void **state UNUSED)
{
	struct object *o;
	struct freshness f;
	struct str k = STR("h/a/1");
	make("h/a/1", "", "x", 1);
	make("h/a/2", "", "x", 1);
	make("h/b", "", "x", 1);
	assert_int_equal(index_purge(ix, index_hash(ix, k), k, true), 1);
	assert_int_equal(index_lookup(ix, index_hash(ix, k), k, any, NULL, NOW, &o, &f),
			 INDEX_FOUND);
	assert_int_equal(f.lifetime_s, 0);
	object_unref(&store, o);
	assert_int_equal(index_purge_prefix(ix, STR("h/a"), false), 2);
	expect("h/b", "", "x", 1);
	assert_int_equal(look("h/a/1", any, NULL, &o), INDEX_NEW);
	/* A purge while it is fetched: waiting requests get it, but it is not kept. */
	index_purge(ix, index_hash(ix, k), k, false);
	struct fill_head h = head_for("", 1);
	assert_true(fill_begin(ix, o, &h));
	assert_true(pour(o, "y", 1));
	fill_seal(ix, o);
	assert_int_equal(object_state(o), OBJECT_SEALED);
	object_unref(&store, o);
	assert_int_equal(look("h/a/1", any, NULL, &o), INDEX_NEW);
	fill_fail(ix, o, 500);
	object_unref(&store, o);
}

static void a_full_cache_makes_room(void **state UNUSED)
{
	static char body[20000];
	struct index_stats st;
	memset(body, 'b', sizeof(body));
	for (int i = 0; i < 500; i++) {
		char key[32];
		snprintf(key, sizeof(key), "key-%d", i);
		make(key, "", body, sizeof(body));
		expect(key, "", body, sizeof(body));
	}
	index_get_stats(ix, &st);
	assert_true(st.evicted > 400 && st.objects > 10);
}

static void small_objects_run_out_of_records_gracefully(void **state UNUSED)
{
	struct index_stats st;
	for (int i = 0; i < 1000; i++) {
		char key[32];
		snprintf(key, sizeof(key), "key-%d", i);
		make(key, "", "x", 1);
	}
	index_get_stats(ix, &st);
	assert_true(st.objects <= store.record_count);
}

static void what_grows_without_end_is_told_so(void **state UNUSED)
{
	static char body[4 << 20];
	struct object *o;
	struct fill_head h = head_for("", OBJECT_LENGTH_UNKNOWN);
	assert_int_equal(look("k", any, NULL, &o), INDEX_NEW);
	assert_true(fill_begin(ix, o, &h));
	assert_false(pour(o, body, sizeof(body)));
	fill_overflow(ix, o);
	object_unref(&store, o);
	make("k", "", "small", 5);
	expect("k", "", "small", 5);
	assert_int_equal(look("too big", any, NULL, &o), INDEX_NEW);
	h = head_for("", SIZE);
	assert_false(fill_begin(ix, o, &h));
	fill_hit_for_miss(ix, o, NOW, 10);
	object_unref(&store, o);
}

static void unknown_lengths_give_back_what_they_do_not_need(void **state UNUSED)
{
	static char body[100000];
	struct object *o;
	struct index_stats st;
	struct fill_head h = head_for("", OBJECT_LENGTH_UNKNOWN);
	memset(body, 'u', sizeof(body));
	assert_int_equal(look("k", any, NULL, &o), INDEX_NEW);
	assert_true(fill_begin(ix, o, &h));
	assert_true(pour(o, body, sizeof(body)));
	fill_seal(ix, o);
	object_unref(&store, o);
	expect("k", "", body, sizeof(body));
	index_get_stats(ix, &st);
	assert_int_equal(st.pages - st.pages_free, 25);
}

/* ---- a process that dies */

static void sealed_objects_survive_a_kill(void **state UNUSED)
{
	struct err why;
	static char big[60000];
	memset(big, 'B', sizeof(big));
	int fd = fcntl(store.fd, F_DUPFD_CLOEXEC, 0);
	pid_t child = fork();
	if (child == 0) {
		struct object *o;
		make("sealed", "v", "the body", 8);
		make("big", "", big, sizeof(big));
		make("purged", "", "x", 1);
		index_purge(ix, index_hash(ix, STR("purged")), STR("purged"), false);
		struct fill_head h = head_for("", 100);
		if (look("half", any, NULL, &o) == INDEX_NEW && fill_begin(ix, o, &h))
			pour(o, "half", 4);
		kill(getpid(), SIGKILL);
	}
	int status;
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status));
	teardown(NULL);
	assert_int_equal(store_open(&store, SIZE, fd, &why), 0);
	assert_true(store.adopted);
	ix = index_new(&store);
	expect("sealed", "v", "the body", 8);
	expect("big", "", big, sizeof(big));
	struct object *o;
	const char *gone[] = {"purged", "half"};
	for (int i = 0; i < 2; i++) {
		assert_int_equal(look(gone[i], any, NULL, &o), INDEX_NEW);
		fill_fail(ix, o, 500);
		object_unref(&store, o);
	}
	struct index_stats st;
	index_get_stats(ix, &st);
	assert_int_equal(st.objects, 2);
	assert_int_equal(st.pages - st.pages_free, 1 + 15);
}

static void a_broken_record_is_dropped(void **state UNUSED)
{
	struct err why;
	make("good", "", "g", 1);
	make("bad", "", "b", 1);
	int fd = fcntl(store.fd, F_DUPFD_CLOEXEC, 0);
	for (uint32_t i = 0; i < store.record_count; i++) {
		struct store_record *r = store_at(&store, i);
		if (r->commit && memcmp(store_page(&store, r->extent[0].page), "bad", 3) == 0)
			r->lifetime_s++;
	}
	teardown(NULL);
	assert_int_equal(store_open(&store, SIZE, fd, &why), 0);
	ix = index_new(&store);
	expect("good", "", "g", 1);
	struct index_stats st;
	index_get_stats(ix, &st);
	assert_int_equal(st.objects, 1);
}

static void another_size_begins_empty(void **state UNUSED)
{
	struct err why;
	struct store other;
	make("k", "", "x", 1);
	int fd = fcntl(store.fd, F_DUPFD_CLOEXEC, 0);
	assert_int_equal(store_open(&other, SIZE * 2, fd, &why), 0);
	assert_false(other.adopted);
	assert_non_null(strstr(why.text, "another size"));
	store_close(&other);
}

/* ---- several threads: fillers, waiters, readers, a purger */

#define WORKERS 4
#define ROUNDS	400

static _Atomic int filled_by_us, woken_for, delivered, running;

struct asker {
	struct message message;
	struct worker *worker;
	struct waiter waiter;
	struct object *object;
	int round;
};

static void ask(struct asker *a);

static void again(struct message *msg)
{
	ask(container_of(msg, struct asker, message));
}

static void next_round(struct asker *a)
{
	index_unsubscribe(ix, &a->waiter);
	ticket_cancel(a->waiter.ticket);
	a->waiter.ticket = NULL;
	object_unref(&store, a->object);
	a->object = NULL;
	if (++a->round < ROUNDS)
		mailbox_post(&a->worker->mailbox, &a->message);
	else
		atomic_fetch_sub(&running, 1);
}

static void deliver(struct asker *a)
{
	struct iovec iov[8];
	size_t total;
	enum object_state st = object_state(a->object);
	if (st == OBJECT_BUSY || st == OBJECT_STREAMING)
		return;
	if (st == OBJECT_SEALED) {
		MUST(object_body(&store, a->object, 0, iov, 8, &total) > 0);
		MUST(total == 5000 && ((char *)iov[0].iov_base)[0] == 'd');
		atomic_fetch_add(&delivered, 1);
	}
	next_round(a);
}

static void on_woken(void *user)
{
	atomic_fetch_add(&woken_for, 1);
	deliver(user);
}

static void fill_it(struct object *o)
{
	static const char body[5000] = "d";
	struct fill_head h = head_for("", sizeof(body));
	if (!fill_begin(ix, o, &h)) {
		fill_hit_for_miss(ix, o, NOW, 0);
		return;
	}
	if (pour(o, body, sizeof(body)))
		fill_seal(ix, o);
	else
		fill_fail(ix, o, 500);
	atomic_fetch_add(&filled_by_us, 1);
}

static void ask(struct asker *a)
{
	char key[32];
	struct freshness f;
	snprintf(key, sizeof(key), "key-%d", a->round / 2);
	struct str k = str_c(key);
	uint64_t hash = index_hash(ix, k);
	if (a->round % 50 == 49)
		index_purge(ix, hash, k, false);
	enum index_result r = index_lookup(ix, hash, k, any, NULL, NOW, &a->object, &f);
	if (r == INDEX_NEW) {
		fill_it(a->object);
		deliver(a);
	} else if (r == INDEX_FOUND && object_state(a->object) == OBJECT_HIT_FOR_MISS) {
		next_round(a);
	} else {
		a->waiter.ticket = ticket_new(a->worker, on_woken, a);
		index_subscribe(ix, &a->waiter, a->object);
		deliver(a);
	}
}

static struct asker askers[WORKERS];

static int start_asker(struct worker *w, void *arg UNUSED)
{
	askers[w->id] = (struct asker){.message.run = again, .worker = w};
	mailbox_post(&w->mailbox, &askers[w->id].message);
	return 0;
}

static void stop_asker(struct worker *w UNUSED)
{
}

static void many_workers_agree(void **state UNUSED)
{
	static const struct worker_ops ops = {.start = start_asker, .stop = stop_asker};
	atomic_store(&running, WORKERS);
	struct worker_set *set = worker_set_start(WORKERS, 10, &ops, NULL);
	int64_t until = clock_now_us() + 60 * CLOCK_SECOND;
	while (atomic_load(&running) && clock_now_us() < until) {
		index_check(ix);
		usleep(1000);
	}
	assert_int_equal(atomic_load(&running), 0);
	worker_set_join(set);
	assert_true(atomic_load(&filled_by_us) >= ROUNDS / 2);
	assert_true(atomic_load(&delivered) > WORKERS * ROUNDS / 2);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(misses_collapse_on_one_object),
		TEST(a_failed_one_is_gone),
		TEST(hit_for_miss_objects_expire),
		TEST(variants_live_side_by_side),
		TEST(purging),
		TEST(a_full_cache_makes_room),
		TEST(small_objects_run_out_of_records_gracefully),
		TEST(what_grows_without_end_is_told_so),
		TEST(unknown_lengths_give_back_what_they_do_not_need),
		TEST(sealed_objects_survive_a_kill),
		TEST(a_broken_record_is_dropped),
		TEST(another_size_begins_empty),
		TEST(many_workers_agree),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
