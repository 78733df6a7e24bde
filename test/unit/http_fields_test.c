// SPDX-License-Identifier: MIT
/* Field blocks: built, measured, read back, and found too small. */
#include "unit.h"

#include <stdio.h>

#include "http/fields.h"
#include "http/parse.h"

static char mem[4096];
static struct http_fields f;

static int setup(void **state UNUSED)
{
	memset(mem, '#', sizeof(mem));
	http_fields_init_mem(&f, mem, sizeof(mem));
	return 0;
}

static void fields_one_by_one(void **state UNUSED)
{
	assert_str_equal(http_fields_block(&f), "");
	http_fields_add(&f, STR("A"), STR("1"));
	http_fields_add(&f, STR("Empty"), STR(""));
	http_fields_add_u64(&f, STR("Big"), UINT64_MAX);
	http_fields_begin(&f, STR("Parts"));
	http_fields_part(&f, STR("a="));
	http_fields_part_u64(&f, 0);
	http_fields_part(&f, STR_NONE);
	http_fields_end(&f);
	assert_str_equal(http_fields_block(&f),
			 "A: 1\r\nEmpty: \r\nBig: 18446744073709551615\r\nParts: a=0\r\n");
	assert_int_equal(mem[http_fields_block(&f).n], '#');
}

static void parts_are_put_as_they_are(void **state UNUSED)
{
	http_fields_add(&f, STR("A"), STR("1"));
	http_fields_part(&f, STR("B: 2\r\nC: 3\r\n"));
	http_fields_part(&f, STR_NONE);
	assert_str_equal(http_fields_block(&f), "A: 1\r\nB: 2\r\nC: 3\r\n");
}

/* Whatever the size: all of it, or an overflow that stays, and not a byte beyond. */
static void every_size(void **state UNUSED)
{
	const char *want = "Name: value\r\nNumber: 1234\r\nParts: ab\r\n";
	for (size_t cap = 0; cap <= strlen(want) + 2; cap++) {
		setup(NULL);
		http_fields_init_mem(&f, mem, cap);
		http_fields_add(&f, STR("Name"), STR("value"));
		http_fields_add_u64(&f, STR("Number"), 1234);
		http_fields_begin(&f, STR("Parts"));
		http_fields_part(&f, STR("a"));
		http_fields_part(&f, STR("b"));
		http_fields_end(&f);
		bool fits = cap >= strlen(want);
		assert_int_equal(f.overflow, !fits);
		assert_int_equal(mem[cap], '#');
		if (fits)
			assert_str_equal(http_fields_block(&f), want);
		else
			assert_null(http_fields_block(&f).p);
	}
}

/* What came too late is not sent although it would fit: a block is whole or nothing. */
static void an_overflow_stays(void **state UNUSED)
{
	http_fields_init_mem(&f, mem, 10);
	http_fields_add(&f, STR("Much-too-long"), STR("x"));
	http_fields_add(&f, STR("A"), STR("1"));
	assert_true(f.overflow);
	assert_null(http_fields_block(&f).p);
}

static void memory_of_an_arena(void **state UNUSED)
{
	struct arena a;
	char first[64];
	arena_init(&a, first, sizeof(first), 256);
	http_fields_init(&f, &a, 100);
	http_fields_add(&f, STR("A"), STR("1"));
	assert_str_equal(http_fields_block(&f), "A: 1\r\n");
	http_fields_init(&f, &a, 10000);
	assert_true(f.overflow);
	http_fields_add(&f, STR("A"), STR("1"));
	assert_null(http_fields_block(&f).p);
	arena_fini(&a);
}

static void read_back(void **state UNUSED)
{
	struct str rest = STR("A: 1\r\nEmpty: \r\nColon: a:b: c\r\n"), name, value;
	assert_true(http_fields_next(&rest, &name, &value));
	assert_str_equal(name, "A");
	assert_str_equal(value, "1");
	assert_true(http_fields_next(&rest, &name, &value));
	assert_str_equal(name, "Empty");
	assert_str_equal(value, "");
	assert_true(http_fields_next(&rest, &name, &value));
	assert_str_equal(name, "Colon");
	assert_str_equal(value, "a:b: c");
	assert_false(http_fields_next(&rest, &name, &value));
	rest = STR_NONE;
	assert_false(http_fields_next(&rest, &name, &value));
}

static void parse(struct http_head *h, const char *text)
{
	struct http_limits limits = {.line = 8000, .head = 16000, .fields = HTTP_FIELDS_MAX};
	struct http_bad bad;
	size_t scanned = 0;
	assert_int_equal(http_parse_request(h, str_c(text), &scanned, &limits, &bad),
			 HTTP_PARSE_DONE);
}

static void of_a_head_what_may_go_on(void **state UNUSED)
{
	static struct http_head h;
	parse(&h,
	      "POST / HTTP/1.1\r\nHost: a\r\nConnection: x-mine, keep-alive\r\nX-Mine: 1\r\nKeep-Alive: 5\r\n"
	      "TE: trailers\r\nContent-Length: 3\r\nCookie: a=b\r\naccept: */*\r\nUpgrade: x\r\nX-Other: 2\r\n\r\n");
	http_fields_add_head(&f, &h,
			     (struct http_skip){HTTP_SKIP(HTTP_F_HOST) | HTTP_SKIP(HTTP_F_COOKIE)});
	assert_str_equal(http_fields_block(&f), "accept: */*\r\nX-Other: 2\r\n");
	assert_true(http_fields_size(&h) >= http_fields_block(&f).n);
	setup(NULL);
	parse(&h, "GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nX-A: 2\r\nx-unknown:3\r\n\r\n");
	http_fields_add_head(&f, &h, (struct http_skip){0});
	assert_str_equal(http_fields_block(&f), "Host: a\r\nX-A: 1\r\nX-A: 2\r\nx-unknown: 3\r\n");
	/* The size is enough to the byte. */
	assert_int_equal(http_fields_size(&h), http_fields_block(&f).n);
}

static void a_block_as_a_head(void **state UNUSED)
{
	static struct http_head h;
	memset(&h, 0xff, sizeof(h));
	assert_true(http_fields_to_head(
		&h, STR("ETag: \"e\"\r\nX-New: 1\r\nvary: A\r\nVary: B\r\nExpires: \r\n")));
	assert_int_equal(h.count, 5);
	assert_str_equal(http_get(&h, HTTP_F_ETAG), "\"e\"");
	assert_str_equal(http_get(&h, HTTP_F_VARY), "A");
	assert_true(http_has(&h, HTTP_F_EXPIRES));
	assert_false(http_has(&h, HTTP_F_DATE));
	unsigned i = 0;
	assert_str_equal(http_next(&h, HTTP_F_VARY, &i)->value, "A");
	assert_str_equal(http_next(&h, HTTP_F_VARY, &i)->value, "B");
	assert_null(http_next(&h, HTTP_F_VARY, &i));
	assert_str_equal(http_find(&h, STR("x-NEW"))->value, "1");
	assert_int_equal(h.status, 0);
	assert_int_equal(h.body, HTTP_BODY_NONE);
	assert_int_equal(http_announced_length(&h), HTTP_NO_LENGTH);
	/* And back. */
	http_fields_add_head(&f, &h, (struct http_skip){0});
	assert_str_equal(http_fields_block(&f),
			 "ETag: \"e\"\r\nX-New: 1\r\nvary: A\r\nVary: B\r\nExpires: \r\n");
}

static void as_many_fields_as_a_head_has(void **state UNUSED)
{
	static struct http_head h;
	for (int i = 0; i < HTTP_FIELDS_MAX; i++)
		http_fields_add_u64(&f, STR("X"), (uint64_t)i);
	assert_true(http_fields_to_head(&h, http_fields_block(&f)));
	assert_int_equal(h.count, HTTP_FIELDS_MAX);
	http_fields_add(&f, STR("X"), STR("one more"));
	assert_false(http_fields_to_head(&h, http_fields_block(&f)));
}

/* A length is the head's, whatever says it. */
static void the_announced_length(void **state UNUSED)
{
	static struct http_head h;
	parse(&h, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n");
	assert_int_equal(http_announced_length(&h), 3);
	parse(&h, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(http_announced_length(&h), 0);
	parse(&h, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
	assert_int_equal(http_announced_length(&h), HTTP_NO_LENGTH);
	parse(&h, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(http_announced_length(&h), HTTP_NO_LENGTH);
	h.body = HTTP_BODY_LENGTH;
	h.length = 7;
	assert_int_equal(http_announced_length(&h), 7);
}

int main(void)
{
#define T(f_) cmocka_unit_test_setup(f_, setup)
	const struct CMUnitTest tests[] = {
		T(fields_one_by_one),
		T(parts_are_put_as_they_are),
		T(every_size),
		T(an_overflow_stays),
		T(memory_of_an_arena),
		T(read_back),
		T(of_a_head_what_may_go_on),
		T(a_block_as_a_head),
		T(as_many_fields_as_a_head_has),
		T(the_announced_length),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
