// SPDX-License-Identifier: MIT
/* A worker's pipes: reused, limited, none left open. */
#include "unit.h"

#include <dirent.h>

#include "loop/pipes.h"

static unsigned descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static bool get(struct pipes *p, struct pipes_pair *pair)
{
	bool got = pipes_get(p, pair);
	pipes_check(p);
	return got;
}

static void put(struct pipes *p, struct pipes_pair *pair, bool empty)
{
	pipes_put(p, pair, empty);
	pipes_check(p);
}

static void an_empty_pipe_is_used_again(void **state UNUSED)
{
	struct pipes p;
	struct pipes_pair a, b;
	pipes_init(&p);
	assert_true(get(&p, &a));
	int in = a.in;
	put(&p, &a, true);
	assert_int_equal(a.in, -1);
	assert_true(get(&p, &b));
	assert_int_equal(b.in, in);
	put(&p, &b, false);
	pipes_fini(&p);
}

static void there_are_no_more_than_the_limit(void **state UNUSED)
{
	unsigned before = descriptors();
	struct pipes p;
	struct pipes_pair pair[4];
	pipes_init(&p);
	pipes_set_max(&p, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_true(get(&p, &pair[i]));
	assert_false(get(&p, &pair[3]));
	pipes_set_max(&p, 2);
	put(&p, &pair[0], true); /* closed: there are two more */
	assert_int_equal(descriptors(), before + 4);
	assert_false(get(&p, &pair[0]));
	put(&p, &pair[1], true);
	assert_int_equal(descriptors(), before + 4);
	assert_true(get(&p, &pair[1]));
	put(&p, &pair[1], true);
	put(&p, &pair[2], true);
	pipes_set_max(&p, 1);
	assert_int_equal(descriptors(), before + 2);
	pipes_set_max(&p, 0);
	assert_int_equal(descriptors(), before);
	assert_false(get(&p, &pair[0]));
	pipes_set_max(&p, PIPES_MAX + 1);
	assert_true(get(&p, &pair[0]));
	put(&p, &pair[0], true);
	pipes_fini(&p);
	assert_int_equal(descriptors(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_pipe_is_used_again),
		cmocka_unit_test(there_are_no_more_than_the_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
