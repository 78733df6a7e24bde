// SPDX-License-Identifier: MIT
/* What a descriptor limit allows. */
#include "unit.h"

#include <sys/resource.h>

#include "fds.h"
#include "ipc/ctl.h"

static const struct fds_plan lbd = {.maxconn = 4096, .per_client = 2, .listening = 4, .loops = 3};
static const struct fds_plan edged = {
	.maxconn = 4096, .per_client = 1, .origin = 256, .listening = 2, .loops = 3};

static uint64_t used(const struct fds_plan *p, struct fds_fit f)
{
	return f.reserved + (uint64_t)f.clients * p->per_client + f.origin + f.idle +
	       2 * (uint64_t)f.pipes;
}

static void a_large_limit_allows_all(void **state UNUSED)
{
	struct fds_fit f = fds_fit(65536, &lbd);
	assert_int_equal(f.clients, 4096);
	assert_int_equal(f.origin, 0);
	assert_int_equal(f.control, CTL_MAX);
	assert_true(f.pipes > 10000 && f.idle > 10000);
	f = fds_fit(RLIM_INFINITY, &edged);
	assert_int_equal(f.clients, 4096);
	assert_int_equal(f.origin, 256);
}

/* At every limit all of it fits; with enough all is had. Roundings cost a client at most. */
static void what_is_allowed_fits(const struct fds_plan *p)
{
	uint64_t enough = fds_fit(0, p).enough;
	uint32_t before = 0;
	for (uint64_t limit = 64; limit < enough + 10; limit++) {
		struct fds_fit f = fds_fit(limit, p);
		assert_true(used(p, f) <= limit);
		uint32_t servers = f.clients * (p->per_client - 1) + f.origin;
		assert_true(f.idle >= servers / 4 && f.idle > 0);
		assert_true(f.clients + 1 >= before && f.clients <= p->maxconn);
		assert_int_equal(f.enough, enough);
		if (limit >= enough)
			assert_true(f.clients == p->maxconn && f.origin == p->origin);
		before = f.clients;
	}
}

static void it_always_fits(void **state UNUSED)
{
	what_is_allowed_fits(&lbd);
	what_is_allowed_fits(&edged);
}

static void a_low_limit_still_serves(void **state UNUSED)
{
	struct fds_fit f = fds_fit(64, &lbd);
	assert_in_range(f.clients, 10, 20);
	assert_int_equal(f.control, 4);
	f = fds_fit(64, &edged);
	assert_in_range(f.clients, 10, 20);
	assert_in_range(f.origin, 10, 20);
	f = fds_fit(3, &edged);
	assert_int_equal(f.clients, 1);
	assert_int_equal(f.origin, 1);
}

static void the_process_has_a_limit(void **state UNUSED)
{
	struct rlimit r;
	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = 77;
	setrlimit(RLIMIT_NOFILE, &r);
	assert_int_equal(fds_limit(), 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_large_limit_allows_all),
		cmocka_unit_test(it_always_fits),
		cmocka_unit_test(a_low_limit_still_serves),
		cmocka_unit_test(the_process_has_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
