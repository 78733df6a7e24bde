// SPDX-License-Identifier: MIT
/*
 * Order, ownership and wake-ups of mailboxes; several senders against one loop, also for the thread
 * sanitizer.
 */
#include "unit.h"

#include <pthread.h>

#include "loop/mailbox.h"

#define SENDERS	      4
#define MESSAGES_EACH 20000

struct note {
	struct message message;
	struct mailbox *box;
	unsigned sender, number;
};

static struct {
	struct ev_loop *loop;
	unsigned next[SENDERS]; /* number that each sender's next message must have */
	unsigned total;
	bool out_of_order;
} got;

static void on_note(struct message *message)
{
	struct note *note = container_of(message, struct note, message);
	mailbox_check(note->box);
	if (note->number != got.next[note->sender]++)
		got.out_of_order = true;
	if (++got.total == SENDERS * MESSAGES_EACH)
		ev_break(got.loop, EVBREAK_ALL);
	free(note);
}

static void post(struct mailbox *m, unsigned sender, unsigned number)
{
	struct note *note = def_xmalloc(sizeof(*note));
	*note = (struct note){.message.run = on_note, .box = m, .sender = sender, .number = number};
	mailbox_post(m, &note->message);
}

static int setup(void **state)
{
	static struct mailbox m;
	memset(&got, 0, sizeof(got));
	got.loop = ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL);
	mailbox_init(&m, got.loop);
	*state = &m;
	return got.loop ? 0 : -1;
}

static int teardown(void **state UNUSED)
{
	ev_loop_destroy(got.loop);
	return 0;
}

static void test_order(void **state)
{
	struct mailbox *m = *state;
	for (unsigned i = 0; i < 100; i++)
		post(m, i % 2, i / 2);
	assert_int_equal(got.total, 0);
	ev_run(got.loop, EVRUN_NOWAIT);
	assert_int_equal(got.total, 100);
	assert_false(got.out_of_order);
	mailbox_fini(m);
}

static void test_a_letter_wakes_each_time(void **state)
{
	struct mailbox *m = *state;
	for (unsigned i = 0; i < 10; i++) {
		post(m, 0, i);
		ev_run(got.loop, EVRUN_ONCE);
		assert_int_equal(got.total, i + 1);
	}
	mailbox_fini(m);
}

static void test_fini_runs_what_is_left(void **state)
{
	struct mailbox *m = *state;
	post(m, 0, 0);
	post(m, 0, 1);
	mailbox_fini(m);
	assert_int_equal(got.total, 2);
	assert_false(got.out_of_order);
	/* Nothing keeps the loop: it returns at once. */
	assert_int_equal(ev_run(got.loop, 0), 0);
}

struct chain {
	struct message message;
	struct mailbox *m;
	unsigned left;
};

static void on_chain(struct message *message)
{
	struct chain *chain = container_of(message, struct chain, message);
	if (chain->left-- > 0)
		mailbox_post(chain->m, message);
}

/*
 * A message may be posted again by its own run(): it waits for the next drain, and fini drains until
 * none is left.
 */
static void test_letter_that_posts_itself(void **state)
{
	struct mailbox *m = *state;
	struct chain chain = {.message.run = on_chain, .m = m, .left = 5};
	mailbox_post(m, &chain.message);
	mailbox_run(m);
	assert_int_equal(chain.left, 4);
	mailbox_run(m);
	assert_int_equal(chain.left, 3);
	mailbox_fini(m);
	assert_int_equal(chain.left, UINT32_MAX);
}

struct sender {
	struct mailbox *m;
	unsigned id;
	pthread_t thread;
};

static void *send_all(void *arg)
{
	const struct sender *s = arg;
	for (unsigned i = 0; i < MESSAGES_EACH; i++)
		post(s->m, s->id, i);
	return NULL;
}

static void test_many_senders(void **state)
{
	struct sender senders[SENDERS];
	for (unsigned i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){.m = *state, .id = i};
		assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]),
				 0);
	}
	ev_run(got.loop, 0);
	for (unsigned i = 0; i < SENDERS; i++)
		pthread_join(senders[i].thread, NULL);
	assert_int_equal(got.total, SENDERS * MESSAGES_EACH);
	assert_false(got.out_of_order);
	mailbox_fini(*state);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_order),
		TEST(test_a_letter_wakes_each_time),
		TEST(test_fini_runs_what_is_left),
		TEST(test_letter_that_posts_itself),
		TEST(test_many_senders),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
