// SPDX-License-Identifier: MIT
/* Networks: which text is one, and what is in it. */
#include "unit.h"

#include <stdio.h>

#include "net/nets.h"

static struct arena arena;

static int setup(void **state UNUSED)
{
	arena_init(&arena, NULL, 0, ARENA_UNLIMITED);
	return 0;
}

static int teardown(void **state UNUSED)
{
	arena_fini(&arena);
	return 0;
}

static struct addr ip(const char *text)
{
	struct addr a;
	assert_int_equal(addr_parse_ip(&a, str_c(text), NULL), 0);
	return a;
}

static void what_is_in_a_network(void **state UNUSED)
{
	static const struct {
		const char *net, *in, *out;
	} cases[] = {
		{"10.0.0.0/8", "10.255.0.1", "11.0.0.0"},
		{"10.0.0.0/8", "::ffff:10.1.2.3", "::10.1.2.3"},
		{"192.168.1.170", "192.168.1.170", "192.168.1.171"},
		{"192.168.1.170/32", "192.168.1.170", "192.168.1.171"},
		{"192.168.1.160/29", "192.168.1.167", "192.168.1.168"},
		{"192.168.1.128/25", "192.168.1.128", "192.168.1.127"},
		{"0.0.0.0/0", "8.8.8.8", "::1"},
		{"0.0.0.0/1", "127.255.255.255", "128.0.0.0"},
		{"::/0", "2001:db8::1", "8.8.8.8"},
		{"::/0", "::1", "::ffff:8.8.8.8"},
		{"::1", "::1", "::2"},
		{"fd00::/8", "fdff::1", "fc00::1"},
		{"fe80::/10", "febf::1", "fec0::"},
		{"2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::"},
		{"::ffff:10.0.0.0/104", "10.9.9.9", "11.0.0.0"},
		{"::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct addr in = ip(cases[i].in), out = ip(cases[i].out);
		struct nets l = {0};
		struct err e;
		if (nets_add(&l, str_c(cases[i].net), &arena, &e) != 0)
			fail_msg("%s: %s", cases[i].net, e.text);
		if (!nets_contain(&l, &in))
			fail_msg("%s has not %s", cases[i].net, cases[i].in);
		if (nets_contain(&l, &out))
			fail_msg("%s has %s", cases[i].net, cases[i].out);
	}
}

static void what_is_no_network(void **state UNUSED)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"", "is not an IP address"},
		{"here", "is not an IP address"},
		{"10.0.0.0:80", "is not an IP address"},
		{"10/8", "is not an IP address"},
		{"/8", "is not an IP address"},
		{"10.0.0.0/", "a prefix of 0..32 bits"},
		{"10.0.0.0/33", "a prefix of 0..32 bits"},
		{"10.0.0.0/-1", "a prefix of 0..32 bits"},
		{"10.0.0.0/8/8", "a prefix of 0..32 bits"},
		{"10.0.0.0/255.0.0.0", "a prefix of 0..32 bits"},
		{"fd00::/129", "a prefix of 0..128 bits"},
		{"10.0.0.1/8", "has address bits behind its prefix"},
		{"192.168.1.129/25", "has address bits behind its prefix"},
		{"192.168.1.161/31", "has address bits behind its prefix"},
		{"::1/0", "has address bits behind its prefix"},
		{"::ffff:10.0.0.1/104", "has address bits behind its prefix"},
		{"fe80::%1/10", "a network has no scope"},
	};
	struct nets l = {0};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = {""};
		assert_int_equal(nets_add(&l, str_c(cases[i].text), &arena, &e), -1);
		if (!strstr(e.text, cases[i].error))
			fail_msg("%s: %s", cases[i].text, e.text);
		assert_int_equal(l.n, 0);
	}
}

static void a_list_grows_and_finds_all(void **state UNUSED)
{
	struct addr unix_peer = {.len = sizeof(sa_family_t)}, none = {0}, other = ip("10.0.1.1");
	struct nets l = {0};
	unix_peer.sa.sa_family = AF_UNIX;
	assert_false(nets_contain(&l, &other));
	for (unsigned i = 0; i < 9; i++) {
		char text[ADDR_TEXT_SIZE];
		snprintf(text, sizeof(text), "10.0.0.%u", i);
		struct addr a = ip(text);
		addr_set_port(&a, 80);
		nets_add_ip(&l, &a, &arena);
	}
	assert_int_equal(nets_add(&l, STR("::1"), &arena, NULL), 0);
	assert_int_equal(l.n, 10);
	for (unsigned i = 0; i < 9; i++) {
		char text[ADDR_TEXT_SIZE];
		snprintf(text, sizeof(text), "10.0.0.%u", i);
		struct addr a = ip(text);
		assert_true(nets_contain(&l, &a));
	}
	assert_false(nets_contain(&l, &other));
	assert_false(nets_contain(&l, &unix_peer));
	assert_false(nets_contain(&l, &none));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_in_a_network),
		T(what_is_no_network),
		T(a_list_grows_and_finds_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
