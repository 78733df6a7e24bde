// SPDX-License-Identifier: MIT
// TEST-OF: edge
/* Heads as the cache keeps them: what stays behind, what comes back, and what a 304 changes (RFC 9111 §3.2). */
#include "unit.h"

#include "http/parse.h"
#include "stored_head.h"

static struct arena arena;

static int arena_begins(void **state)
{
	(void)state;
	arena_init(&arena, NULL, 0, 1 << 20);
	return 0;
}

static int arena_ends(void **state)
{
	(void)state;
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

static void what_belongs_to_one_delivery_stays_behind(void **state)
{
	(void)state;
	assert_str_equal(
		stored("HTTP/1.1 200 Fine\r\nDate: Mon, 07 Nov 1994 08:49:37 GMT\r\nContent-Length: 5\r\n"
		       "Age: 7\r\nConnection: x-mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nETag: \"e\"\r\n"
		       "X-Other: o\r\n\r\n"),
		"HTTP/1.1 200 Fine\r\nDate: Mon, 07 Nov 1994 08:49:37 GMT\r\nETag: \"e\"\r\n"
		"X-Other: o\r\n");
}

static void a_date_is_added_where_there_is_none(void **state)
{
	(void)state;
	assert_str_equal(stored("HTTP/1.0 404 \r\nContent-Length: 0\r\n\r\n"),
			 "HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
}

static void it_is_parsed_again(void **state)
{
	(void)state;
	struct http_head *h = stored_head_parse(
		&arena, stored("HTTP/1.1 301 Moved\r\nLocation: /x\r\nVary: a\r\nVary: b\r\n\r\n"));
	assert_non_null(h);
	assert_int_equal(h->status, 301);
	assert_str_equal(http_get(h, HTTP_F_LOCATION), "/x");
	unsigned i = 0;
	assert_str_equal(http_next(h, HTTP_F_VARY, &i)->value, "a");
	assert_str_equal(http_next(h, HTTP_F_VARY, &i)->value, "b");
	assert_true(http_has(h, HTTP_F_DATE));
}

static void a_304_replaces_the_fields_it_has(void **state)
{
	(void)state;
	struct str old = stored(
		"HTTP/1.1 200 OK\r\nDate: Mon, 07 Nov 1994 08:49:37 GMT\r\nETag: \"e\"\r\n"
		"Cache-Control: max-age=1\r\nCache-Control: public\r\nContent-Type: text/plain\r\n"
		"Content-Encoding: gzip\r\nX-Old: o\r\n\r\n");
	struct http_head *merged = stored_head_merge(
		&arena, old,
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

static void without_room_there_is_no_head(void **state)
{
	char memory[64];
	struct arena small;
	(void)state;
	struct http_head *h = response(
		"HTTP/1.1 200 OK\r\nX-Long: 0123456789012345678901234567890123456789\r\n\r\n");
	arena_init(&small, memory, sizeof(memory), sizeof(memory));
	assert_null(stored_head_of(&small, h, 0).p);
	assert_null(stored_head_parse(&small, STR("HTTP/1.1 200 OK\r\nDate: x\r\n")));
	arena_fini(&small);
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
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
