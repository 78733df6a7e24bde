// SPDX-License-Identifier: MIT
/* Every type of key: what it takes, what it refuses and in which words, how it describes itself. */
#include "unit.h"

#include <stdio.h>

#include "conf/schema.h"

enum shape { SHAPE_ROUND, SHAPE_SQUARE = 7 };

struct all {
	int i;
	uint32_t u32;
	uint64_t u64, size;
	bool b;
	uint32_t ms32;
	int64_t ms64;
	struct str s;
	struct addr listen, peer, defaulted, ip;
	enum shape shape;
	struct conf_list list;
	struct nets nets;
	struct str pair[2];
};

static const struct conf_enum shapes[] = {
	{"round", SHAPE_ROUND},
	{"square", SHAPE_SQUARE},
	{NULL, 0},
};

static int parse_pair(void *field, struct str text, struct arena *arena, struct err *e)
{
	struct str *pair = field, a, b, more;
	if (!conf_word(&text, &a) || !conf_word(&text, &b) || conf_word(&text, &more))
		return err_set(e, "two words are needed");
	pair[0] = arena_str(arena, a);
	pair[1] = arena_str(arena, b);
	return 0;
}

static const struct conf_key keys[] = {
	CONF_INT(struct all, i, "i", "0", -5, 5, "An int."),
	CONF_U32(struct all, u32, "u32", "1", 1, UINT32_MAX, "A word."),
	CONF_U64(struct all, u64, "u64", "1", 10, INT64_MAX, "A long word."),
	CONF_SIZE(struct all, size, "size", "1K", 512, INT64_C(4) << 30, "A size."),
	CONF_BOOL(struct all, b, "b", "no", "A switch."),
	CONF_MSEC(struct all, ms32, "ms32", "1s", 0, 90000, "A time."),
	CONF_MSEC(struct all, ms64, "ms64", "1s", 100, 7200000, "A longer time."),
	CONF_STR(struct all, s, "s", NULL, "Text.", .lo = 2, .hi = 5),
	CONF_ADDR(struct all, listen, "listen", ":80", 0, "Any address."),
	CONF_ADDR(struct all, peer, "peer", NULL, 0, "One host.", .flags = CONF_CONCRETE),
	CONF_ADDR(struct all, defaulted, "defaulted", NULL, 6081, "With a port."),
	CONF_IP(struct all, ip, "ip", NULL, "No port.", .flags = CONF_CONCRETE),
	CONF_ENUM(struct all, shape, "shape", "round", shapes, "A name."),
	CONF_LIST(struct all, list, "list", NULL, "Words.", .hi = 4),
	CONF_NETS(struct all, nets, "nets", NULL, "Networks."),
	CONF_FUNC(struct all, pair, struct str[2], "pair", NULL, parse_pair, "A B", "Two."),
};

static const struct conf_key *key_of(const char *name)
{
	for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
		if (strcmp(keys[k].name, name) == 0)
			return &keys[k];
	}
	fail_msg("no key %s", name);
	WRONG("fail_msg() returns");
}

struct fixture {
	struct arena arena;
	struct all all;
	struct err e;
};

static int setup(void **state)
{
	struct fixture *f = def_xcalloc(1, sizeof(*f));
	arena_init(&f->arena, NULL, 0, ARENA_UNLIMITED);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	arena_fini(&f->arena);
	free(f);
	return 0;
}

static int parse(struct fixture *f, const char *key, const char *text)
{
	f->e.text[0] = '\0';
	return conf_key_parse(key_of(key), &f->all, str_c(text), &f->arena, &f->e);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *key, *text, *error;
	} cases[] = {
		{"i", "", "has no value"},
		{"i", "x", "\"x\" is not a whole number"},
		{"i", "1 2", "\"1 2\" is not a whole number"},
		{"i", "-", "\"-\" is not a whole number"},
		{"i", "--1", "\"--1\" is not a whole number"},
		{"i", "+1", "\"+1\" is not a whole number"},
		{"i", "0x1", "\"0x1\" is not a whole number"},
		{"i", "6", "6 is outside -5..5"},
		{"i", "-6", "-6 is outside -5..5"},
		{"i", "99999999999999999999999", "99999999999999999999999 is outside -5..5"},
		{"u32", "0", "0 is outside 1..4294967295"},
		{"u32", "-1", "-1 is outside 1..4294967295"},
		{"u32", "4294967296", "4294967296 is outside 1..4294967295"},
		{"u64", "9", "9 is below 10, the least allowed"},
		{"size", "511", "511 is outside 512..4G"},
		{"size", "5G", "5G is outside 512..4G"},
		{"size", "9000000000G", "9000000000G is outside 512..4G"},
		{"size", "1T", "\"1T\" is not a size, such as 512, 64K, 128M or 1G"},
		{"size", "K", "\"K\" is not a size, such as 512, 64K, 128M or 1G"},
		{"size", "1 K", "\"1 K\" is not a size, such as 512, 64K, 128M or 1G"},
		{"size", "-1", "\"-1\" is not a size, such as 512, 64K, 128M or 1G"},
		{"b", "maybe", "\"maybe\" is neither yes nor no"},
		{"b", "1", "\"1\" is neither yes nor no"},
		{"ms32", "5", "\"5\" lacks a unit: ms, s, m or h"},
		{"ms32", "1.5s", "\"1.5s\" is not a time, such as 250ms, 2s, 5m or 1h"},
		{"ms32", "s", "\"s\" is not a time, such as 250ms, 2s, 5m or 1h"},
		{"ms32", "1d", "\"1d\" is not a time, such as 250ms, 2s, 5m or 1h"},
		{"ms32", "-1s", "\"-1s\" is not a time, such as 250ms, 2s, 5m or 1h"},
		{"ms32", "91s", "91s is outside 0ms..90s"},
		{"ms64", "0", "0 is outside 100ms..2h"},
		{"ms64", "9223372036854775807h", "9223372036854775807h is outside 100ms..2h"},
		{"s", "x", "has 1 bytes, 2..5 are allowed"},
		{"s", "secret", "has 6 bytes, 2..5 are allowed"},
		{"listen", "80", "a port is missing, as in 192.168.1.171:80 or [::1]:80"},
		{"listen", "1.2.3.4:0", "port \"0\" is outside 1..65535"},
		{"listen", "localhost:80",
		 "\"localhost\" is not an IP address (names are not looked up)"},
		{"peer", ":80", "\":80\" says any address, one host's is needed"},
		{"peer", "[::]:80", "\"[::]:80\" says any address, one host's is needed"},
		{"ip", "1.2.3.4:80",
		 "\"1.2.3.4:80\" is not an IP address (names are not looked up)"},
		{"ip", "0.0.0.0", "\"0.0.0.0\" says any address, one host's is needed"},
		{"shape", "oval", "\"oval\" is unknown, allowed: round or square"},
		{"shape", "Round", "\"Round\" is unknown, allowed: round or square"},
		{"list", ",, ,", "has no words"},
		{"list", "a b c d e", "has 5 words, at most 4 are allowed"},
		{"nets", ",", "has no words"},
		{"nets", "10.0.0.0/8 here",
		 "\"here\" is not an IP address (names are not looked up)"},
		{"nets", "10.0.0.1/8", "\"10.0.0.1/8\" has address bits behind its prefix"},
		{"nets", "none 10.0.0.1",
		 "\"none\" is not an IP address (names are not looked up)"},
		{"pair", "one", "two words are needed"},
		{"b", "a value that is far too long to be repeated in a message in full",
		 "\"a value that is far too long to be repeated in a...\" is neither yes nor no"},
	};
	static const struct all untouched;
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(parse(f, cases[i].key, cases[i].text), -1);
		assert_string_equal(f->e.text, cases[i].error);
		assert_memory_equal(&f->all, &untouched, sizeof(untouched));
	}
}

static void test_numbers(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(parse(f, "i", "-5"), 0);
	assert_int_equal(f->all.i, -5);
	assert_int_equal(parse(f, "i", "007"), -1);
	assert_int_equal(parse(f, "i", "005"), 0);
	assert_int_equal(f->all.i, 5);
	assert_int_equal(parse(f, "u32", "4294967295"), 0);
	assert_int_equal(f->all.u32, UINT32_MAX);
	assert_int_equal(parse(f, "u64", "9223372036854775807"), 0);
	assert_int_equal(f->all.u64, INT64_MAX);
}

static void test_sizes_and_times(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(parse(f, "size", "512"), 0);
	assert_int_equal(f->all.size, 512);
	assert_int_equal(parse(f, "size", "64K"), 0);
	assert_int_equal(f->all.size, 65536);
	assert_int_equal(parse(f, "size", "4G"), 0);
	assert_true(f->all.size == UINT64_C(4) << 30);
	assert_int_equal(parse(f, "ms32", "0"), 0);
	assert_int_equal(f->all.ms32, 0);
	assert_int_equal(parse(f, "ms32", "250ms"), 0);
	assert_int_equal(f->all.ms32, 250);
	assert_int_equal(parse(f, "ms32", "1m"), 0);
	assert_int_equal(f->all.ms32, 60000);
	assert_int_equal(parse(f, "ms64", "2h"), 0);
	assert_int_equal(f->all.ms64, 7200000);
}

static void test_words(void **state)
{
	static const char *const yes[] = {"yes", "on", "true", "YES"};
	static const char *const no[] = {"no", "off", "false", "Off"};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		f->all.b = false;
		assert_int_equal(parse(f, "b", yes[i]), 0);
		assert_true(f->all.b);
		assert_int_equal(parse(f, "b", no[i]), 0);
		assert_false(f->all.b);
	}
	assert_int_equal(parse(f, "shape", "square"), 0);
	assert_int_equal(f->all.shape, SHAPE_SQUARE);
	assert_int_equal(parse(f, "pair", "left \t right"), 0);
	assert_str_equal(f->all.pair[0], "left");
	assert_str_equal(f->all.pair[1], "right");
}

/* Text is a copy, and has a NUL behind it. */
static void test_text(void **state)
{
	struct fixture *f = *state;
	char text[] = "abcd";
	assert_int_equal(parse(f, "s", text), 0);
	memset(text, 'x', 4);
	assert_str_equal(f->all.s, "abcd");
	assert_int_equal(f->all.s.p[4], '\0');
}

static void test_addresses(void **state)
{
	static const struct {
		const char *key, *text, *want;
	} cases[] = {
		{"listen", ":6081", "0.0.0.0:6081"},
		{"listen", "[::]:80", "[::]:80"},
		{"peer", "192.168.1.171:6081", "192.168.1.171:6081"},
		{"defaulted", "192.168.1.171", "192.168.1.171:6081"},
		{"defaulted", "192.168.1.171:80", "192.168.1.171:80"},
	};
	struct fixture *f = *state;
	char text[ADDR_TEXT_SIZE];
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct addr *a = (void *)((char *)&f->all + key_of(cases[i].key)->at);
		assert_int_equal(parse(f, cases[i].key, cases[i].text), 0);
		assert_string_equal(addr_format(a, text), cases[i].want);
	}
	assert_int_equal(parse(f, "ip", "192.168.1.171"), 0);
	assert_string_equal(addr_format_ip(&f->all.ip, text), "192.168.1.171");
	assert_int_equal(addr_port(&f->all.ip), 0);
}

/* Line by line too; "none" is an empty list that was asked for. */
static void test_nets(void **state)
{
	struct fixture *f = *state;
	struct addr in, out;
	addr_parse_ip(&in, STR("10.1.2.3"), NULL);
	addr_parse_ip(&out, STR("192.168.0.2"), NULL);
	assert_int_equal(parse(f, "nets", "none"), 0);
	assert_int_equal(f->all.nets.n, 0);
	assert_int_equal(parse(f, "nets", "192.168.0.1, ::1  fd00::/8"), 0);
	assert_int_equal(parse(f, "nets", "10.0.0.0/8"), 0);
	assert_int_equal(f->all.nets.n, 4);
	assert_true(nets_contain(&f->all.nets, &in));
	assert_int_equal(parse(f, "nets", "192.168.0.2 x"), -1);
	assert_int_equal(f->all.nets.n, 4);
	assert_false(nets_contain(&f->all.nets, &out));
	assert_int_equal(parse(f, "nets", "none"), -1);
	assert_string_equal(f->e.text, "none stands beside others");
	assert_true(conf_key_repeats(key_of("nets")) && conf_key_repeats(key_of("list")));
	assert_false(conf_key_repeats(key_of("pair")));
	assert_str_equal(conf_key_syntax(key_of("nets"), &f->arena), "NET ... | none");
}

/* A list grows line by line; the limit counts all lines. */
static void test_lists(void **state)
{
	struct fixture *f = *state;
	struct conf_key unlimited = *key_of("list");
	assert_int_equal(parse(f, "list", "a, b"), 0);
	assert_int_equal(parse(f, "list", "c"), 0);
	assert_int_equal(f->all.list.n, 3);
	assert_int_equal(parse(f, "list", "d,e"), -1);
	assert_string_equal(f->e.text, "has 5 words, at most 4 are allowed");
	assert_int_equal(f->all.list.n, 3);
	assert_str_equal(f->all.list.v[0], "a");
	assert_str_equal(f->all.list.v[1], "b");
	assert_str_equal(f->all.list.v[2], "c");

	unlimited.hi = 0;
	for (unsigned i = 3; i < 100; i++) {
		char word[8];
		snprintf(word, sizeof(word), "w%u", i);
		assert_int_equal(conf_key_parse(&unlimited, &f->all, str_c(word), &f->arena, &f->e),
				 0);
	}
	assert_int_equal(f->all.list.n, 100);
	assert_str_equal(f->all.list.v[0], "a");
	assert_str_equal(f->all.list.v[64], "w64");
	assert_str_equal(f->all.list.v[99], "w99");
}

static void test_syntax(void **state)
{
	static const char *const want[] = {
		"-5..5",	  "1..4294967295", "10..",	     "512..4G",
		"yes | no",	  "0ms..90s",	   "100ms..2h",	     "TEXT",
		"[IP]:PORT",	  "IP:PORT",	   "[IP][:PORT]",    "IP",
		"round | square", "WORD ...",	   "NET ... | none", "A B",
	};
	struct fixture *f = *state;
	_Static_assert(ARRAY_LEN(want) == ARRAY_LEN(keys), "one a key");
	for (size_t k = 0; k < ARRAY_LEN(keys); k++)
		assert_str_equal(conf_key_syntax(&keys[k], &f->arena), want[k]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_numbers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sizes_and_times, setup, teardown),
		cmocka_unit_test_setup_teardown(test_words, setup, teardown),
		cmocka_unit_test_setup_teardown(test_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lists, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_syntax, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
