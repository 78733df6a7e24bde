// SPDX-License-Identifier: MIT
// TEST-OF: edge
/* Heads as the cache keeps them: what stays behind, what comes back, and what a 304 changes (RFC 9111 §3.2). */
#include "unit.h"

#include <stdio.h>

#include "http/parse.h"
#include "stored_head.h"

static struct arena arena;

static int arena_begins(void **state UNUSED)
{
	arena_init(&arena, NULL, 0, 1 << 20);
	return 0;
}

static int arena_ends(void **state UNUSED)
{
	arena_fini(&arena);
	return 0;
}

static struct http_head *response(const char *text)
{
	struct http_limits limits = HTTP_LIMITS_DEFAULT;
	struct http_head *h = ARENA_NEW(&arena, struct http_head);
	struct http_bad bad;
	size_t scanned = 0;
	assert_int_equal(http_parse_response(h, str_c(text), &scanned, &limits, HTTP_GET, &bad),
			 HTTP_PARSE_DONE);
	return h;
}

static struct str stored(const char *text)
{
	return stored_head_of(&arena, response(text), 784111777);
}

static void what_belongs_to_one_delivery_stays_behind(void **state UNUSED)
{
	assert_str_equal(
		stored("HTTP/1.1 200 Fine\r\nDate: Mon, 07 Nov 1994 08:49:37 GMT\r\nContent-Length: 5\r\n"
		       "Age: 7\r\nConnection: x-mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nETag: \"e\"\r\n"
		       "X-Other: o\r\n\r\n"),
		"Date: Mon, 07 Nov 1994 08:49:37 GMT\r\nETag: \"e\"\r\n"
		"X-Other: o\r\n");
}

static void a_date_is_added_where_there_is_none(void **state UNUSED)
{
	assert_str_equal(stored("HTTP/1.0 404 \r\nContent-Length: 0\r\n\r\n"),
			 "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
}

static void it_is_parsed_again(void **state UNUSED)
{
	struct http_head *h = stored_head_parse(
		&arena, stored("HTTP/1.1 301 Moved\r\nLocation: /x\r\nVary: a\r\nVary: b\r\n\r\n"));
	assert_non_null(h);
	assert_str_equal(http_get(h, HTTP_F_LOCATION), "/x");
	unsigned i = 0;
	assert_str_equal(http_next(h, HTTP_F_VARY, &i)->value, "a");
	assert_str_equal(http_next(h, HTTP_F_VARY, &i)->value, "b");
	assert_true(http_has(h, HTTP_F_DATE));
}

static void a_304_replaces_the_fields_it_has(void **state UNUSED)
{
	struct str old = stored(
		"HTTP/1.1 200 OK\r\nDate: Mon, 07 Nov 1994 08:49:37 GMT\r\nETag: \"e\"\r\n"
		"Cache-Control: max-age=1\r\nCache-Control: public\r\nContent-Type: text/plain\r\n"
		"Content-Encoding: gzip\r\nX-Old: o\r\n\r\n");
	struct http_head *merged = stored_head_merge(
		&arena, old, 200,
		response(
			"HTTP/1.1 304 Not Modified\r\nDate: Tue, 08 Nov 1994 08:49:37 GMT\r\n"
			"Cache-Control: max-age=9\r\nContent-Type: text/html\r\nContent-Encoding: br\r\n"
			"Content-Length: 77\r\nConnection: close\r\nX-New: n\r\n\r\n"));
	assert_non_null(merged);
	assert_int_equal(merged->status, 200);
	assert_str_equal(http_get(merged, HTTP_F_DATE), "Tue, 08 Nov 1994 08:49:37 GMT");
	unsigned i = 0;
	assert_str_equal(http_next(merged, HTTP_F_CACHE_CONTROL, &i)->value, "max-age=9");
	assert_null(http_next(merged, HTTP_F_CACHE_CONTROL, &i));
	assert_str_equal(http_get(merged, HTTP_F_ETAG), "\"e\"");
	assert_str_equal(http_find(merged, STR("X-Old"))->value, "o");
	assert_str_equal(http_find(merged, STR("X-New"))->value, "n");
	/* What the stored body is does not change. */
	assert_str_equal(http_get(merged, HTTP_F_CONTENT_TYPE), "text/plain");
	assert_str_equal(http_get(merged, HTTP_F_CONTENT_ENCODING), "gzip");
	assert_false(http_has(merged, HTTP_F_CONTENT_LENGTH));
	assert_false(http_has(merged, HTTP_F_CONNECTION));
}

static void without_room_there_is_no_head(void **state UNUSED)
{
	char memory[64];
	struct arena small;
	struct http_head *h = response(
		"HTTP/1.1 200 OK\r\nX-Long: 0123456789012345678901234567890123456789\r\n\r\n");
	arena_init(&small, memory, sizeof(memory), sizeof(memory));
	assert_null(stored_head_of(&small, h, 0).p);
	assert_null(stored_head_parse(&small, STR("Date: x\r\n")));
	arena_fini(&small);
}

static void what_is_sent_more_than_once_is_stored_so_and_in_its_order(void **state UNUSED)
{
	assert_str_equal(stored("HTTP/1.1 200 OK\r\nLink: a\r\nDate: x\r\nage: 1\r\nLINK: b\r\n"
				"Transfer-Encoding: chunked\r\nConnection: close, Link2\r\n"
				"Link2: c\r\nX-Empty:\r\n\r\n"),
			 "Link: a\r\nDate: x\r\nLINK: b\r\nX-Empty: \r\n");
}

static void what_is_stored_again_stays_the_same(void **state UNUSED)
{
	struct str once = stored("HTTP/1.1 404 Gone Fishing\r\nContent-Length: 3\r\nVary: a\r\n"
				 "Set-Cookie: a=b\r\nCache-Control: max-age=5\r\n\r\n");
	struct http_head *h = stored_head_parse(&arena, once);
	assert_non_null(h);
	struct str twice = stored_head_of(&arena, h, 0);
	assert_int_equal(twice.n, once.n);
	assert_memory_equal(twice.p, once.p, once.n);
}

static void a_304_has_no_say_in_status_and_what_the_body_is(void **state UNUSED)
{
	struct str old = stored("HTTP/1.1 203 Well Known\r\nDate: x\r\nContent-Length: 4\r\n\r\n");
	struct http_head *merged = stored_head_merge(
		&arena, old, 203,
		response("HTTP/1.1 304 Same\r\nContent-Range: bytes 0-1/4\r\n"
			 "Content-Type: a/b\r\nContent-Encoding: br\r\nETag: \"n\"\r\n\r\n"));
	assert_non_null(merged);
	assert_int_equal(merged->status, 203);
	assert_false(http_has(merged, HTTP_F_CONTENT_RANGE));
	assert_false(http_has(merged, HTTP_F_CONTENT_TYPE));
	assert_false(http_has(merged, HTTP_F_CONTENT_ENCODING));
	assert_str_equal(http_get(merged, HTTP_F_ETAG), "\"n\"");
	assert_str_equal(http_get(merged, HTTP_F_DATE), "x");
}

static void names_are_the_same_in_any_case(void **state UNUSED)
{
	struct http_head *merged = stored_head_merge(
		&arena, stored("HTTP/1.1 200 OK\r\nX-Two: 1\r\nX-Two: 2\r\nETag: \"o\"\r\n\r\n"),
		200, response("HTTP/1.1 304 N\r\nx-two: 3\r\nX-TWO: 4\r\netag: \"n\"\r\n\r\n"));
	assert_non_null(merged);
	assert_str_equal(
		stored_head_of(&arena, merged, 0),
		"x-two: 3\r\nX-TWO: 4\r\netag: \"n\"\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
}

/* Longer lines and heads than the daemon takes from clients. */
static void long_heads_come_back_whole(void **state UNUSED)
{
	static char text[16000], long_304[16000], value[12001];
	struct http_limits wide = {.line = 15000, .head = 15999, .fields = HTTP_FIELDS_MAX};
	struct http_head *old = ARENA_NEW(&arena, struct http_head);
	struct http_head *not_modified = ARENA_NEW(&arena, struct http_head);
	struct http_bad bad;
	size_t scanned = 0;
	memset(value, 'v', sizeof(value) - 1);
	snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nDate: x\r\nX-Old: %s\r\n\r\n", value);
	snprintf(long_304, sizeof(long_304), "HTTP/1.1 304 N\r\nX-New: %s\r\n\r\n", value);
	assert_int_equal(http_parse_response(old, str_c(text), &scanned, &wide, HTTP_GET, &bad),
			 HTTP_PARSE_DONE);
	scanned = 0;
	assert_int_equal(
		http_parse_response(not_modified, str_c(long_304), &scanned, &wide, HTTP_GET, &bad),
		HTTP_PARSE_DONE);
	struct http_head *merged = stored_head_merge(&arena, stored_head_of(&arena, old, 0), 200,
						     not_modified);
	assert_non_null(merged);
	assert_str_equal(http_find(merged, STR("X-Old"))->value, value);
	assert_str_equal(http_find(merged, STR("X-New"))->value, value);
}

#define SOME	 "Date: x\r\nETag: \"e\"\r\n"
#define SOME_NEW "X-New: n\r\nDate: x\r\nETag: \"e\"\r\n"

/* However little there is, the answer is the right one or none. */
static void any_lack_of_room_is_told(void **state UNUSED)
{
	struct http_head *h = response("HTTP/1.1 200 OK\r\n" SOME "\r\n");
	struct http_head *new = response("HTTP/1.1 304 N\r\nX-New: n\r\n\r\n");
	unsigned none[3] = {0}, right[3] = {0};
	for (size_t cap = 0; cap < 4 * sizeof(struct http_head); cap += 16) {
		struct arena small;
		arena_init(&small, NULL, 0, cap);
		struct str s = stored_head_of(&small, h, 0);
		s.p ? right[0]++ : none[0]++;
		if (s.p)
			assert_str_equal(s, SOME);
		arena_reset(&small);
		const struct http_head *parsed = stored_head_parse(&small, STR(SOME));
		parsed ? right[1]++ : none[1]++;
		if (parsed)
			assert_str_equal(stored_head_of(&arena, parsed, 0), SOME);
		arena_reset(&small);
		const struct http_head *merged = stored_head_merge(&small, STR(SOME), 200, new);
		merged ? right[2]++ : none[2]++;
		if (merged)
			assert_str_equal(stored_head_of(&arena, merged, 0), SOME_NEW);
		arena_fini(&small);
		arena_reset(&arena);
		h = response("HTTP/1.1 200 OK\r\n" SOME "\r\n");
		new = response("HTTP/1.1 304 N\r\nX-New: n\r\n\r\n");
	}
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		assert_true(none[i] > 0 && right[i] > 0);
}

static void what_belongs_to_the_connection_of_a_304_takes_nothing_away(void **state UNUSED)
{
	struct http_head *merged = stored_head_merge(
		&arena, stored("HTTP/1.1 200 OK\r\nX-Old: o\r\nContent-Length: 0\r\n\r\n"), 200,
		response("HTTP/1.1 304 N\r\nConnection: x-old\r\nX-Old: hop\r\n\r\n"));
	assert_non_null(merged);
	assert_non_null(http_find(merged, STR("X-Old")));
	assert_str_equal(http_find(merged, STR("X-Old"))->value, "o");
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, arena_begins, arena_ends)
	const struct CMUnitTest tests[] = {
		TEST(what_belongs_to_one_delivery_stays_behind),
		TEST(a_date_is_added_where_there_is_none),
		TEST(it_is_parsed_again),
		TEST(a_304_replaces_the_fields_it_has),
		TEST(without_room_there_is_no_head),
		TEST(what_is_sent_more_than_once_is_stored_so_and_in_its_order),
		TEST(what_is_stored_again_stays_the_same),
		TEST(a_304_has_no_say_in_status_and_what_the_body_is),
		TEST(names_are_the_same_in_any_case),
		TEST(long_heads_come_back_whole),
		TEST(any_lack_of_room_is_told),
		TEST(what_belongs_to_the_connection_of_a_304_takes_nothing_away),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
