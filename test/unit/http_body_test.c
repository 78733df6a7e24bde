// SPDX-License-Identifier: MIT
/* Bodies come out of their framing the same, wherever the network cuts them. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "http/body.h"

struct outcome {
	enum http_body_state state;
	char payload[256];
	size_t n;    /* of the payload */
	size_t used; /* raw bytes that were this body's */
	const char *broken;
};

/* All of raw in pieces of at most step bytes, the first piece of first bytes. */
static struct outcome take(enum http_body_kind kind, uint64_t length, struct str raw, size_t first,
			   size_t step)
{
	struct http_body b;
	struct outcome o = {.state = HTTP_BODY_MORE};
	http_body_init(&b, kind, length);
	o.state = b.state;
	for (size_t at = 0, n = first; at < raw.n && o.state == HTTP_BODY_MORE; at += n, n = step) {
		size_t payload, used;
		n = MIN(n, raw.n - at);
		char *piece = malloc(n ? n : 1); /* of its own, so that a sanitizer sees its ends */
		assert_non_null(piece);
		memcpy(piece, raw.p + at, n);
		o.state = http_body_take(&b, piece, n, &payload, &used);
		assert_true(payload <= used && used <= n);
		if (o.state == HTTP_BODY_MORE)
			assert_int_equal(used, n);
		assert_true(o.n + payload <= sizeof(o.payload));
		memcpy(o.payload + o.n, piece, payload);
		o.n += payload;
		o.used += used;
		free(piece);
	}
	assert_int_equal(o.state, b.state);
	o.broken = b.broken;
	return o;
}

static void must_give(enum http_body_kind kind, uint64_t length, const char *raw,
		      const char *payload, size_t used)
{
	struct str s = str_c(raw);
	for (size_t first = 1; first <= s.n; first++) {
		for (size_t step = 1; step <= 3; step++) {
			struct outcome o = take(kind, length, s, first, step == 3 ? s.n : step);
			assert_int_equal(o.state, HTTP_BODY_END);
			assert_str_equal(str_of(o.payload, o.n), payload);
			assert_int_equal(o.used, used);
		}
	}
}

static void a_length_is_counted(void **state)
{
	(void)state;
	must_give(HTTP_BODY_LENGTH, 5, "hello", "hello", 5);
	must_give(HTTP_BODY_LENGTH, 5, "helloGET /next", "hello", 5);
	struct outcome o = take(HTTP_BODY_LENGTH, 6, STR("hello"), 2, 2);
	assert_int_equal(o.state, HTTP_BODY_MORE);
	assert_str_equal(str_of(o.payload, o.n), "hello");
}

static void nothing_is_complete_at_once(void **state)
{
	struct http_body b;
	(void)state;
	http_body_init(&b, HTTP_BODY_NONE, 0);
	assert_int_equal(b.state, HTTP_BODY_END);
	http_body_init(&b, HTTP_BODY_LENGTH, 0);
	assert_int_equal(b.state, HTTP_BODY_END);
	http_body_init(&b, HTTP_BODY_CHUNKED, 0);
	assert_int_equal(b.state, HTTP_BODY_MORE);
	http_body_init(&b, HTTP_BODY_CLOSE, 0);
	assert_int_equal(b.state, HTTP_BODY_MORE);
}

/* RFC 9112 §7.1. */
static void chunks_are_put_together(void **state)
{
	static const struct {
		const char *raw, *payload;
		size_t behind; /* bytes of the next message */
	} cases[] = {
		{"0\r\n\r\n", "", 0},
		{"5\r\nhello\r\n0\r\n\r\n", "hello", 0},
		{"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\nGET", "hello!", 3},
		{"a\r\n0123456789\r\n00\r\n\r\n", "0123456789", 0},
		{"A\r\n0123456789\r\n0\r\n\r\n", "0123456789", 0},
		{"000005\r\nhello\r\n0\r\n\r\n", "hello", 0},
		{"5;ext=1;x=\"y\"\r\nhello\r\n0;last\r\n\r\n", "hello", 0},
		{"4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", 0},
		{"2\r\nab\r\n0\r\nTrailer: t\r\nOther: o\r\n\r\nX", "ab", 1},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		must_give(HTTP_BODY_CHUNKED, 0, cases[i].raw, cases[i].payload,
			  strlen(cases[i].raw) - cases[i].behind);
}

static void bad_chunks_break_the_body(void **state)
{
	static const char *const cases[] = {
		"\r\nhello\r\n0\r\n\r\n",
		"x\r\n",
		"-1\r\n",
		"+5\r\nhello\r\n0\r\n\r\n",
		"0x5\r\nhello\r\n0\r\n\r\n",
		" 5\r\nhello\r\n0\r\n\r\n",
		"5\nhello\r\n0\r\n\r\n",
		"5\r\nhello0\r\n\r\n",
		"5\r\nhello\n0\r\n\r\n",
		"5\r\nhello\rx0\r\n\r\n",
		"5\rxhello\r\n0\r\n\r\n",
		"10000000000000000\r\n",
		"ffffffffffffffff\r\nx",
		"5;\x01\r\nhello\r\n0\r\n\r\n",
		"0\r\nTrailer: t\n\r\n",
		"0\n\n",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str raw = str_c(cases[i]);
		for (size_t first = 1; first <= raw.n; first++) {
			struct outcome o = take(HTTP_BODY_CHUNKED, 0, raw, first, 1);
			if (o.state != HTTP_BODY_BROKEN) {
				print_error("case %zu, cut at %zu: not broken\n", i, first);
				fail();
			}
			assert_true(o.broken && strlen(o.broken) > 5);
		}
	}
}

/* Of no more memory than the sender of the body pays for: extensions and trailers may not go on for ever. */
static void endless_lines_break_the_body(void **state)
{
	static const char *const begins[] = {"5;", "0\r\nT: ", "0000"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(begins); i++) {
		struct http_body b;
		size_t payload, used, sent = 0;
		char text[64];
		http_body_init(&b, HTTP_BODY_CHUNKED, 0);
		size_t n = (size_t)snprintf(text, sizeof(text), "%s", begins[i]);
		http_body_take(&b, text, n, &payload, &used);
		while (b.state == HTTP_BODY_MORE && sent < 200000) {
			memset(text, i == 2 ? '0' : 'x', sizeof(text));
			http_body_take(&b, text, sizeof(text), &payload, &used);
			sent += sizeof(text);
		}
		assert_int_equal(b.state, HTTP_BODY_BROKEN);
	}
}

static void the_end_of_the_connection(void **state)
{
	static const struct {
		enum http_body_kind kind;
		uint64_t length;
		const char *raw;
		enum http_body_state after;
	} cases[] = {
		{HTTP_BODY_CLOSE, 0, "whatever", HTTP_BODY_END},
		{HTTP_BODY_CLOSE, 0, "", HTTP_BODY_END},
		{HTTP_BODY_LENGTH, 5, "hell", HTTP_BODY_BROKEN},
		{HTTP_BODY_LENGTH, 5, "hello", HTTP_BODY_END},
		{HTTP_BODY_CHUNKED, 0, "5\r\nhello\r\n", HTTP_BODY_BROKEN},
		{HTTP_BODY_CHUNKED, 0, "5\r\nhello\r\n0\r\n", HTTP_BODY_BROKEN},
		{HTTP_BODY_CHUNKED, 0, "5\r\nhello\r\n0\r\n\r\n", HTTP_BODY_END},
		{HTTP_BODY_NONE, 0, "", HTTP_BODY_END},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_body b;
		char raw[64];
		size_t payload, used;
		http_body_init(&b, cases[i].kind, cases[i].length);
		memcpy(raw, cases[i].raw, strlen(cases[i].raw));
		if (*cases[i].raw)
			http_body_take(&b, raw, strlen(cases[i].raw), &payload, &used);
		assert_int_equal(http_body_eof(&b), cases[i].after);
		assert_int_equal(b.state, cases[i].after);
	}
}

static void what_we_frame_we_understand(void **state)
{
	(void)state;
	for (uint64_t size = 1; size < 200; size += 7) {
		char raw[300], text[200];
		memset(text, 'p', sizeof(text));
		size_t n = http_body_chunk_line(raw, size);
		memcpy(raw + n, text, size);
		n += size;
		n += (size_t)sprintf(raw + n, "\r\n0\r\n\r\n");
		struct outcome o = take(HTTP_BODY_CHUNKED, 0, str_of(raw, n), n, 1);
		assert_int_equal(o.state, HTTP_BODY_END);
		assert_int_equal(o.n, size);
		assert_int_equal(o.used, n);
	}
	char line[20];
	assert_str_equal(str_of(line, http_body_chunk_line(line, UINT64_MAX)),
			 "ffffffffffffffff\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_length_is_counted),
		cmocka_unit_test(nothing_is_complete_at_once),
		cmocka_unit_test(chunks_are_put_together),
		cmocka_unit_test(bad_chunks_break_the_body),
		cmocka_unit_test(endless_lines_break_the_body),
		cmocka_unit_test(the_end_of_the_connection),
		cmocka_unit_test(what_we_frame_we_understand),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
