// SPDX-License-Identifier: MIT
// TEST-OF: edge
/* What is broken is found: each x_check() aborts on a structure that was damaged on purpose. */
#include "unit.h"

#include "base/arena.h"
#include "base/list.h"
#include "base/slab.h"
#include "http/in.h"
#include "index.h"
#include "loop/deadline.h"
#include "loop/mailbox.h"
#include "loop/pipes.h"
#include "pages.h"
#include "sieve.h"

static void a_count_of_a_slab(void)
{
	struct slab s;
	slab_init(&s, 100, 10, 10);
	s.kept++;
	slab_check(&s);
}

static void an_object_of_a_slab_that_nobody_has(void)
{
	struct slab s;
	slab_init(&s, 100, 10, 10);
	MUST(slab_get(&s));
	slab_find(&s);
	slab_check_found(&s);
}

static void an_object_of_a_slab_that_two_have(void)
{
	struct slab s;
	slab_init(&s, 100, 10, 10);
	MUST(slab_get(&s));
	slab_find(&s);
	slab_found(&s);
	slab_found(&s);
	slab_check_found(&s);
}

/* As the command check finds it, by the connections that it looks at. */
static void a_window_that_nobody_has(void)
{
	struct slab s;
	struct http_in a, b;
	slab_init(&s, HTTP_IN_SIZE, 10, 10);
	http_in_init(&a, &s);
	http_in_init(&b, &s);
	http_in_open(&a);
	http_in_open(&b);
	slab_find(&s);
	http_in_check(&a);
	slab_check_found(&s);
}

static void more_used_than_an_arena_may(void)
{
	struct arena a;
	arena_init(&a, NULL, 0, 1000);
	arena_alloc(&a, 16);
	a.used = 1008;
	arena_check(&a);
}

static void on_expired(struct deadline *d UNUSED)
{
}

static void an_armed_deadline_that_is_overwritten(void)
{
	struct deadline_class c;
	struct deadline a = {0}, b = {0};
	deadline_class_init(&c, ev_loop_new(0), 1000, on_expired);
	deadline_arm(&a, &c, 0);
	deadline_arm(&b, &c, 0);
	a = (struct deadline){0};
	deadline_class_check(&c);
}

static void a_class_of_deadlines_that_has_ended(void)
{
	struct deadline_class c;
	struct deadline a = {0};
	deadline_class_init(&c, ev_loop_new(0), 1000, on_expired);
	deadline_class_fini(&c);
	deadline_arm(&a, &c, 0);
}

static void on_message(struct message *l UNUSED)
{
}

static void a_message_to_a_mailbox_that_has_ended(void)
{
	struct mailbox m;
	struct message l = {.run = on_message};
	mailbox_init(&m, ev_loop_new(0));
	mailbox_fini(&m);
	mailbox_post(&m, &l);
}

static void a_message_that_is_posted_twice(void)
{
	struct mailbox m;
	struct message l = {.run = on_message};
	mailbox_init(&m, ev_loop_new(0));
	mailbox_post(&m, &l);
	mailbox_post(&m, &l);
}

static void pipes_that_are_closed_and_kept(void)
{
	struct pipes p;
	pipes_init(&p);
	struct pipes_pair a;
	pipes_get(&p, &a);
	pipes_put(&p, &a, true);
	p.kept[0].in = -1;
	pipes_check(&p);
}

static void a_pipe_that_nobody_has(void)
{
	struct pipes p;
	struct pipes_pair a, b;
	pipes_init(&p);
	MUST(pipes_get(&p, &a) && pipes_get(&p, &b));
	pipes_find(&p);
	pipes_found(&p, &a);
	pipes_check_found(&p);
}

static void a_pipe_that_is_put_back_twice(void)
{
	struct pipes p;
	struct pipes_pair a, b;
	pipes_init(&p);
	MUST(pipes_get(&p, &a) && pipes_get(&p, &b));
	pipes_put(&p, &a, true);
	pipes_put(&p, &a, true);
}

static void a_member_that_is_taken_out_twice(void)
{
	struct list head, a, b;
	list_init(&head);
	list_add(&head, &a);
	list_add(&head, &b);
	struct list copy = a;
	list_remove(&a);
	a = copy;
	list_remove(&a);
}

static void a_ring_that_is_cut(void)
{
	struct list head, a, b;
	list_init(&head);
	list_add(&head, &a);
	list_add(&head, &b);
	b.prev = &head;
	list_check(&head);
}

static void pages_that_are_released_twice(void)
{
	struct pages p;
	struct extent e;
	pages_init(&p, 100);
	pages_alloc(&p, 10, &e);
	pages_release(&p, e);
	pages_release(&p, e);
}

static void a_page_that_is_not_counted(void)
{
	struct pages p;
	pages_init(&p, 100);
	p.used[0] |= 1;
	pages_check(&p);
}

static void a_queue_in_disorder(void)
{
	struct sieve s = {0};
	struct sieve_node a = {0}, b = {0};
	sieve_insert(&s, &a);
	sieve_insert(&s, &b);
	b.older = NULL;
	a.newer = NULL;
	sieve_check(&s);
}

/* ---- the index */

static struct store store;
static struct index *ix;
static struct object *object;

static bool any(struct str vary UNUSED, const void *arg UNUSED)
{
	return true;
}

static void make_index(void)
{
	struct err why;
	struct freshness f;
	MUST(store_open(&store, 1u << 20, -1, &why) == 0);
	ix = index_new(&store);
	uint64_t hash = index_hash(ix, STR("k"));
	MUST(index_lookup(ix, hash, STR("k"), any, NULL, 0, &object, &f) == INDEX_NEW);
	index_check(ix);
}

static void linking_without_the_lock(void)
{
	make_index();
	index_link(ix, object);
}

static void unlinking_under_another_lock(void)
{
	make_index();
	struct object other = *object;
	other.hash++;
	index_lock(ix, &other);
	index_unlink(ix, object);
}

static void waking_without_the_lock(void)
{
	make_index();
	index_wake(ix, object);
}

static void a_record_that_does_not_exist(void)
{
	make_index();
	store_uncommit(&store, store.record_count);
}

static void an_object_that_was_freed_while_linked(void)
{
	make_index();
	atomic_store(&object->refs, 0);
	index_check(ix);
}

static void an_object_in_another_chain(void)
{
	make_index();
	object->hash += 16;
	index_check(ix);
}

static void a_failed_object_that_can_be_found(void)
{
	make_index();
	atomic_store(&object->state, OBJECT_FAILED);
	index_check(ix);
}

static void a_sealed_object_without_a_record(void)
{
	make_index();
	atomic_store(&object->state, OBJECT_SEALED);
	index_check(ix);
}

static void a_waiter_of_another_object(void)
{
	make_index();
	struct waiter w = {.magic = WAITER_MAGIC};
	object->waiters = &w;
	index_check(ix);
}

static void a_record_that_is_free_twice(void)
{
	make_index();
	store_record_put(&store, store.free_records[0]);
	index_check(ix);
}

static void each_is_found(void **state UNUSED)
{
	static const struct {
		const char *name;
		void (*f)(void);
	} broken[] = {
#define BROKEN(f) {#f, f}
		BROKEN(a_count_of_a_slab),
		BROKEN(an_object_of_a_slab_that_nobody_has),
		BROKEN(an_object_of_a_slab_that_two_have),
		BROKEN(a_window_that_nobody_has),
		BROKEN(more_used_than_an_arena_may),
		BROKEN(an_armed_deadline_that_is_overwritten),
		BROKEN(a_class_of_deadlines_that_has_ended),
		BROKEN(a_message_that_is_posted_twice),
		BROKEN(a_message_to_a_mailbox_that_has_ended),
		BROKEN(pipes_that_are_closed_and_kept),
		BROKEN(a_pipe_that_nobody_has),
		BROKEN(a_pipe_that_is_put_back_twice),
		BROKEN(a_member_that_is_taken_out_twice),
		BROKEN(a_ring_that_is_cut),
		BROKEN(pages_that_are_released_twice),
		BROKEN(a_page_that_is_not_counted),
		BROKEN(a_queue_in_disorder),
		BROKEN(linking_without_the_lock),
		BROKEN(unlinking_under_another_lock),
		BROKEN(waking_without_the_lock),
		BROKEN(a_record_that_does_not_exist),
		BROKEN(an_object_that_was_freed_while_linked),
		BROKEN(an_object_in_another_chain),
		BROKEN(a_failed_object_that_can_be_found),
		BROKEN(a_sealed_object_without_a_record),
		BROKEN(a_waiter_of_another_object),
		BROKEN(a_record_that_is_free_twice),
	};
	for (size_t i = 0; i < ARRAY_LEN(broken); i++)
		if (!unit_aborts(broken[i].f))
			fail_msg("%s", broken[i].name);
	assert_false(unit_aborts(make_index));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_is_found)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
