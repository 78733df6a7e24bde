// SPDX-License-Identifier: MIT
#include "unit.h"

#include <arpa/inet.h>
#include <net/if.h>

#include "net/addr.h"

static void test_parse_and_format(void **state UNUSED)
{
	static const struct {
		const char *text;
		uint16_t default_port;
		const char *want, *want_ip;
	} cases[] = {
		{"192.168.1.171:6081", 0, "192.168.1.171:6081", "192.168.1.171"},
		{"192.168.1.171", 80, "192.168.1.171:80", "192.168.1.171"},
		{"255.255.255.255:65535", 0, "255.255.255.255:65535", "255.255.255.255"},
		{"0.0.0.0:1", 80, "0.0.0.0:1", "0.0.0.0"},
		{":6081", 0, "0.0.0.0:6081", "0.0.0.0"},
		{"*:80", 0, "0.0.0.0:80", "0.0.0.0"},
		{"*", 81, "0.0.0.0:81", "0.0.0.0"},
		{"[::1]:80", 0, "[::1]:80", "::1"},
		{"[::]:80", 0, "[::]:80", "::"},
		{"[::1]", 80, "[::1]:80", "::1"},
		{"::1", 80, "[::1]:80", "::1"},
		{"2001:DB8:0:0:1::1", 443, "[2001:db8::1:0:0:1]:443", "2001:db8::1:0:0:1"},
		{"[::ffff:10.0.0.1]:8080", 0, "[::ffff:10.0.0.1]:8080", "::ffff:10.0.0.1"},
		{"[fe80::1%lo]:80", 0, "[fe80::1%lo]:80", "fe80::1%lo"},
		{"[fe80::1%4242424]:80", 0, "[fe80::1%4242424]:80", "fe80::1%4242424"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[ADDR_TEXT_SIZE];
		struct err e = {""};
		struct addr a;
		if (addr_parse(&a, str_c(cases[i].text), cases[i].default_port, &e) != 0)
			fail_msg("%s: %s", cases[i].text, e.text);
		assert_string_equal(addr_format(&a, text), cases[i].want);
		assert_string_equal(addr_format_ip(&a, text), cases[i].want_ip);
	}
}

static void test_refused(void **state UNUSED)
{
	static const struct {
		const char *text, *why;
		uint16_t default_port;
	} cases[] = {
		{"", "missing", 80},
		{"192.168.1.171", "a port is missing", 0},
		{"192.168.1.171:", "outside 1..65535", 80},
		{"192.168.1.171:0", "outside 1..65535", 0},
		{"192.168.1.171:65536", "outside 1..65535", 0},
		{"192.168.1.171:80x", "outside 1..65535", 0},
		{"192.168.1.171:-1", "outside 1..65535", 0},
		{"192.168.1:80", "not an IP address", 0},
		{"192.168.1.256:80", "not an IP address", 0},
		{"192.168.1.1.1:80", "not an IP address", 0},
		{"192.168.1.0171:80", "not an IP address", 0},
		{" 192.168.1.1:80", "not an IP address", 0},
		{"localhost:80", "names are not looked up", 0},
		{"[::1]", "a port is missing", 0},
		{"::1", "a port is missing", 0},
		{"[::1:80", "lacks a ]", 0},
		{"[::1]80", "a port is missing", 0},
		{"[]:80", "not an IP address", 0},
		{"[1.2.3.4]:80", "not an IP address", 0},
		{"[::g]:80", "not an IP address", 0},
		{"[fe80::1%]:80", "not an IP address", 0},
		{"[fe80::1%0]:80", "not an IP address", 0},
		{"[fe80::1%nosuchif]:80", "not an IP address", 0},
		{"[fe80::1%averyveryverylongname]:80", "not an IP address", 0},
		{"1:2:3", "not an IP address", 80},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = {""};
		struct addr a;
		if (addr_parse(&a, str_c(cases[i].text), cases[i].default_port, &e) == 0)
			fail_msg("\"%s\" was taken", cases[i].text);
		if (!strstr(e.text, cases[i].why))
			fail_msg("\"%s\": %s", cases[i].text, e.text);
		assert_int_equal(addr_parse(&a, str_c(cases[i].text), cases[i].default_port, NULL),
				 -1);
	}
	assert_int_equal(addr_parse_ip(&(struct addr){0}, str_of("1.2.3.4\0", 8), NULL), -1);
}

static struct addr make(const char *text)
{
	struct addr a;
	assert_int_equal(addr_parse(&a, str_c(text), 80, NULL), 0);
	return a;
}

static void test_parse_ip(void **state UNUSED)
{
	static const char *const bad[] = {"", "*", "192.168.1.170:80", "[::1]", "web1"};
	char text[ADDR_TEXT_SIZE];
	struct addr a;
	assert_int_equal(addr_parse_ip(&a, STR("192.168.1.170"), NULL), 0);
	assert_string_equal(addr_format(&a, text), "192.168.1.170:0");
	assert_int_equal(addr_parse_ip(&a, STR("2001:db8::1"), NULL), 0);
	assert_string_equal(addr_format_ip(&a, text), "2001:db8::1");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = {""};
		assert_int_equal(addr_parse_ip(&a, str_c(bad[i]), &e), -1);
		assert_non_null(strstr(e.text, "not an IP address"));
	}
}

static void test_eq(void **state UNUSED)
{
	static const struct {
		const char *a, *b;
		bool eq, eq_ip;
	} cases[] = {
		{"10.0.0.1:80", "10.0.0.1:80", true, true},
		{"10.0.0.1:80", "10.0.0.1:81", false, true},
		{"10.0.0.1:80", "10.0.0.2:80", false, false},
		{"10.0.0.1:80", "[::ffff:10.0.0.1]:80", false, true},
		{"10.0.0.1:80", "[::10.0.0.1]:80", false, false},
		{"[::1]:80", "[::1]:80", true, true},
		{"[::1]:80", "[::2]:80", false, false},
		{"[::1]:80", "[::1]:81", false, true},
		{"[fe80::1%1000]:80", "[fe80::1%1001]:80", false, false},
		{"[fe80::1%1000]:80", "[fe80::1]:80", true, true},
		{"0.0.0.0:80", "[::]:80", false, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct addr a = make(cases[i].a), b = make(cases[i].b);
		assert_int_equal(addr_eq(&a, &b), cases[i].eq);
		assert_int_equal(addr_eq(&b, &a), cases[i].eq);
		assert_int_equal(addr_eq_ip(&a, &b), cases[i].eq_ip);
		assert_int_equal(addr_eq_ip(&b, &a), cases[i].eq_ip);
	}
}

static void test_hash_tells_apart(void **state UNUSED)
{
	uint64_t hashes[512];
	unsigned low[64] = {0};
	for (unsigned i = 0; i < 512; i++) {
		struct addr a = make(i < 256 ? "10.0.0.1:80" : "[2001:db8::1]:80");
		addr_set_port(&a, (uint16_t)(6000 + i / 2 % 128));
		if (i < 256)
			a.in4.sin_addr.s_addr = htonl(0x0a000000 + i % 2);
		else
			a.in6.sin6_addr.s6_addr[15] = (uint8_t)(i % 2);
		hashes[i] = addr_hash(&a);
		low[hashes[i] % 64]++;
		for (unsigned j = 0; j < i; j++)
			assert_true(hashes[j] != hashes[i]);
	}
	/* Eight a bucket on average: a hash whose low bits were poor would pile them up. */
	for (int i = 0; i < 64; i++)
		assert_true(low[i] < 30);
	assert_true(addr_hash(&(struct addr){0}) == addr_hash(&(struct addr){0}));
}

static void test_hash_follows_eq(void **state UNUSED)
{
	struct addr a = make("[2001:db8::1]:80"), b = a;
	b.in6.sin6_flowinfo = 7;
	assert_true(addr_eq(&a, &b));
	assert_true(addr_hash(&a) == addr_hash(&b));
}

static void test_port_and_any(void **state UNUSED)
{
	struct addr v4 = make("*:80"), v6 = make("[::]:80"), one = make("[::1]:80"), none = {0};
	assert_true(addr_is_any(&v4) && addr_is_any(&v6));
	assert_false(addr_is_any(&one));
	addr_set_port(&v4, 8080);
	addr_set_port(&v6, 8081);
	addr_set_port(&none, 1);
	assert_int_equal(addr_port(&v4), 8080);
	assert_int_equal(addr_port(&v6), 8081);
	assert_int_equal(addr_port(&none), 0);
}

static void test_no_address(void **state UNUSED)
{
	struct addr none = {0}, local = make("127.0.0.1:80");
	struct addr peer = {.len = sizeof(sa_family_t), .sa.sa_family = AF_UNIX};
	char text[ADDR_TEXT_SIZE];
	assert_string_equal(addr_format(&none, text), "-");
	assert_string_equal(addr_format_ip(&none, text), "-");
	assert_string_equal(addr_format(&peer, text), "unix");
	assert_string_equal(addr_format_ip(&peer, text), "unix");
	assert_true(addr_eq(&none, &none));
	assert_false(addr_eq(&none, &local));
	assert_false(addr_eq_ip(&none, &local));
}

static void test_longest_text_fits(void **state UNUSED)
{
	struct addr a = make("[fe80:1111:2222:3333:4444:5555:6666:7777%4294967295]:65535");
	char text[ADDR_TEXT_SIZE];
	assert_string_equal(addr_format(&a, text),
			    "[fe80:1111:2222:3333:4444:5555:6666:7777%4294967295]:65535");
	/* The longest name an interface may have takes four bytes more. */
	assert_true(strlen(text) + (IF_NAMESIZE - 1 - 10) < ADDR_TEXT_SIZE);
}

static void test_local(void **state UNUSED)
{
	struct addr here = make("127.0.0.1:9"), mapped = make("[::ffff:127.0.0.1]:9");
	struct addr elsewhere = make("192.0.2.77:9"), none = {0};
	assert_true(addr_is_local(&here));
	assert_true(addr_is_local(&mapped));
	assert_false(addr_is_local(&elsewhere));
	assert_false(addr_is_local(&none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_and_format),  cmocka_unit_test(test_refused),
		cmocka_unit_test(test_parse_ip),	  cmocka_unit_test(test_eq),
		cmocka_unit_test(test_hash_tells_apart),  cmocka_unit_test(test_hash_follows_eq),
		cmocka_unit_test(test_port_and_any),	  cmocka_unit_test(test_no_address),
		cmocka_unit_test(test_longest_text_fits), cmocka_unit_test(test_local),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
