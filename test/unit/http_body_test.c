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

static void a_length_is_counted(void **state UNUSED)
{
	must_give(HTTP_BODY_LENGTH, 5, "hello", "hello", 5);
	must_give(HTTP_BODY_LENGTH, 5, "helloGET /next", "hello", 5);
	struct outcome o = take(HTTP_BODY_LENGTH, 6, STR("hello"), 2, 2);
	assert_int_equal(o.state, HTTP_BODY_MORE);
	assert_str_equal(str_of(o.payload, o.n), "hello");
}

static void nothing_is_complete_at_once(void **state UNUSED)
{
	struct http_body b;
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
static void chunks_are_put_together(void **state UNUSED)
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
		{"5; a\t=\t\"b c\"\r\nhello\r\n0;\r\n\r\n", "hello", 0},
		{"4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", 0},
		{"2\r\nab\r\n0\r\nTrailer: t\r\nOther: o\r\n\r\nX", "ab", 1},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		must_give(HTTP_BODY_CHUNKED, 0, cases[i].raw, cases[i].payload,
			  strlen(cases[i].raw) - cases[i].behind);
}

static void bad_chunks_break_the_body(void **state UNUSED)
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
static void endless_lines_break_the_body(void **state UNUSED)
{
	static const char *const begins[] = {"5;", "0\r\nT: ", "0000"};
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

static void the_end_of_the_connection(void **state UNUSED)
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

static void what_we_frame_we_understand(void **state UNUSED)
{
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

/* The bytes before the break were this body's, its payload so far is good, and the reason is the same, however cut. */
static void a_break_is_at_the_bad_byte(void **state UNUSED)
{
	static const struct {
		const char *raw;
		size_t used; /* the bad byte included */
		const char *payload, *reason;
	} cases[] = {
		{"\r\n", 1, "", "bad chunk size"},
		{"g\r\n", 1, "", "bad chunk size"},
		{"5g\r\nhello", 2, "", "bad chunk size"},
		{"5\t\r\nhello", 2, "", "bad chunk size"},
		{";x\r\n", 1, "", "bad chunk size"},
		{"5\nhello", 2, "", "bad chunk size"},
		{"5\r\rhello", 3, "", "bad end of chunk size"},
		{"5;a\nb\r\nhello", 4, "", "control byte in chunk extension"},
		{"5;a\x1f\r\nhello", 4, "", "control byte in chunk extension"},
		{"5;a\r\rhello", 5, "", "bad end of chunk size"},
		{"5\r\nhello!\n0\r\n\r\n", 9, "hello", "bad end of chunk"},
		{"5\r\nhello\n0\r\n\r\n", 9, "hello", "bad end of chunk"},
		{"5\r\nhello\r0\r\n\r\n", 10, "hello", "bad end of chunk"},
		{"1\r\na\r\n1\r\nb\r\nx", 13, "ab", "bad chunk size"},
		{"0\r\n\nrest", 4, "", "bare LF in trailers"},
		{"0\r\nT: t\n\r\n", 8, "", "bad byte in trailers"},
		{"0\r\nT: t\rX\n\r\n", 9, "", "bare CR in trailers"},
		{"0\r\n\rX", 5, "", "bad end of body"},
		{"0\r\nT: t\r\n\rX", 11, "", "bad end of body"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str raw = str_c(cases[i].raw);
		for (size_t first = 1; first <= raw.n; first++) {
			struct outcome o = take(HTTP_BODY_CHUNKED, 0, raw, first, raw.n);
			if (o.state != HTTP_BODY_BROKEN || o.used != cases[i].used)
				fail_msg("case %zu, cut at %zu: state %d, %zu used", i, first,
					 o.state, o.used);
			assert_string_equal(o.broken, cases[i].reason);
			assert_str_equal(str_of(o.payload, o.n), cases[i].payload);
		}
	}
}

static void a_body_without_end_is_all_that_comes(void **state UNUSED)
{
	static const char raw[] = "0\r\n\r\nis no chunk here";
	struct str s = str_of(raw, sizeof(raw)); /* the NUL too */
	for (size_t first = 1; first <= s.n; first++) {
		struct outcome o = take(HTTP_BODY_CLOSE, 0, s, first, 2);
		assert_int_equal(o.state, HTTP_BODY_MORE);
		assert_int_equal(o.used, s.n);
		assert_int_equal(o.n, s.n);
		assert_memory_equal(o.payload, raw, s.n);
	}
}

/* Once over it stays over: bytes behind the end are the next message's. */
static void after_the_end_nothing_is_taken(void **state UNUSED)
{
	static const struct {
		enum http_body_kind kind;
		uint64_t length;
		const char *raw;
		enum http_body_state state;
	} cases[] = {
		{HTTP_BODY_NONE, 0, "", HTTP_BODY_END},
		{HTTP_BODY_LENGTH, 0, "", HTTP_BODY_END},
		{HTTP_BODY_LENGTH, 2, "ab", HTTP_BODY_END},
		{HTTP_BODY_CHUNKED, 0, "0\r\n\r\n", HTTP_BODY_END},
		{HTTP_BODY_CHUNKED, 0, "x", HTTP_BODY_BROKEN},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_body b;
		char raw[16], next[] = "0\r\n\r\n";
		size_t payload, used;
		http_body_init(&b, cases[i].kind, cases[i].length);
		memcpy(raw, cases[i].raw, strlen(cases[i].raw));
		http_body_take(&b, raw, strlen(cases[i].raw), &payload, &used);
		assert_int_equal(b.state, cases[i].state);
		payload = used = 99;
		assert_int_equal(http_body_take(&b, next, sizeof(next) - 1, &payload, &used),
				 cases[i].state);
		assert_int_equal(payload, 0);
		assert_int_equal(used, 0);
		assert_string_equal(next, "0\r\n\r\n");
		assert_int_equal(http_body_eof(&b), cases[i].state);
	}
}

static void no_bytes_change_nothing(void **state UNUSED)
{
	static const enum http_body_kind kinds[] = {HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED,
						    HTTP_BODY_CLOSE};
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct http_body b;
		char none;
		size_t payload = 99, used = 99;
		http_body_init(&b, kinds[i], 5);
		assert_int_equal(http_body_take(&b, &none, 0, &payload, &used), HTTP_BODY_MORE);
		assert_int_equal(payload, 0);
		assert_int_equal(used, 0);
	}
}

/* Data of a chunk may be anything, its framing's own bytes too. */
static void the_data_of_a_chunk_may_be_any_bytes(void **state UNUSED)
{
	char raw[300];
	size_t n = (size_t)sprintf(raw, "%x\r\n", 200);
	for (unsigned i = 0; i < 200; i++)
		raw[n + i] = (char)(i < 100 ? i : 156 - 100 + i);
	memcpy(raw + n + 200, "\r\n0\r\n\r\n", 7);
	for (size_t first = 1; first < n + 207; first++) {
		struct outcome o = take(HTTP_BODY_CHUNKED, 0, str_of(raw, n + 207), first, 7);
		assert_int_equal(o.state, HTTP_BODY_END);
		assert_int_equal(o.n, 200);
		assert_memory_equal(o.payload, raw + n, 200);
	}
}

/* Wherever it is cut in two and in three. */
static void two_cuts_change_nothing(void **state UNUSED)
{
	static const char raw[] =
		"3;x=y\r\nabc\r\n00a\r\n0\r\n\r\n01234\r\n0;z\r\nT: \t\r\nU:\r\n\r\nGET";
	size_t end = sizeof(raw) - 1 - 3;
	for (size_t one = 0; one <= end; one++) {
		for (size_t two = one; two <= end; two++) {
			struct http_body b;
			char copy[sizeof(raw)], got[64];
			const size_t cuts[] = {0, one, two, sizeof(raw) - 1};
			size_t n = 0, all = 0, payload, used;
			memcpy(copy, raw, sizeof(raw));
			http_body_init(&b, HTTP_BODY_CHUNKED, 0);
			for (unsigned i = 0; i < 3; i++) {
				http_body_take(&b, copy + cuts[i], cuts[i + 1] - cuts[i], &payload,
					       &used);
				memcpy(got + n, copy + cuts[i], payload);
				n += payload;
				all += used;
			}
			assert_int_equal(b.state, HTTP_BODY_END);
			assert_int_equal(all, end);
			assert_str_equal(str_of(got, n), "abc0\r\n\r\n01234");
			assert_string_equal(copy + end, "GET");
		}
	}
}

static char long_raw[20000];

/* Pushes head, n times the byte x, and tail through a body; the reason is NULL unless it broke. */
static enum http_body_state take_long(const char *head, size_t x, const char *tail,
				      const char **reason)
{
	struct http_body b;
	size_t n = strlen(head), payload, used;
	assert_true(n + x + strlen(tail) < sizeof(long_raw));
	memcpy(long_raw, head, n);
	memset(long_raw + n, 'x', x);
	memcpy(long_raw + n + x, tail, strlen(tail));
	n += x + strlen(tail);
	http_body_init(&b, HTTP_BODY_CHUNKED, 0);
	http_body_take(&b, long_raw, n, &payload, &used);
	if (b.state == HTTP_BODY_END)
		assert_int_equal(used, n);
	*reason = b.broken;
	return b.state;
}

/* A chunk line may have 1024 bytes, its CRLF included, and each chunk's line anew (RFC 9112 §7.1.1). */
static void a_chunk_line_has_its_limit(void **state UNUSED)
{
	static const char *const befores[] = {"", "1;y\r\na\r\n", "1;y\r\na\r\n2\r\nbc\r\n"};
	const char *reason;
	for (size_t i = 0; i < ARRAY_LEN(befores); i++) {
		char begin[64];
		snprintf(begin, sizeof(begin), "%s1;", befores[i]);
		assert_int_equal(take_long(begin, 1020, "\r\nz\r\n0\r\n\r\n", &reason),
				 HTTP_BODY_END);
		assert_int_equal(take_long(begin, 1021, "\r\nz\r\n0\r\n\r\n", &reason),
				 HTTP_BODY_BROKEN);
		assert_string_equal(reason, "chunk line too long");
		snprintf(begin, sizeof(begin), "%s0;", befores[i]);
		assert_int_equal(take_long(begin, 1020, "\r\n\r\n", &reason), HTTP_BODY_END);
		assert_int_equal(take_long(begin, 1021, "\r\n\r\n", &reason), HTTP_BODY_BROKEN);
		assert_string_equal(reason, "chunk line too long");
	}
}

/* All trailers together may have 4096 bytes, the empty line included, and the chunks before do not count. */
static void trailers_have_their_limit(void **state UNUSED)
{
	/* Lines of 512 bytes, so that it is their sum that counts; the last ones end at, and one past, the limit. */
	for (unsigned over = 0; over < 3; over++) {
		char begin[5000];
		const char *reason;
		size_t n = (size_t)sprintf(begin, "1;yyyyyyyy\r\na\r\n0;yyyyyyy\r\n");
		for (unsigned i = 0; i < 7; i++) {
			memset(begin + n, 't', 510);
			memcpy(begin + n + 510, "\r\n", 2);
			n += 512;
		}
		begin[n] = '\0';
		enum http_body_state got = take_long(begin, 508 + over, "\r\n\r\n", &reason);
		assert_int_equal(got, over ? HTTP_BODY_BROKEN : HTTP_BODY_END);
		if (over)
			assert_string_equal(reason, "trailers too large");
	}
}

/* The framing of many small chunks is longer than any one line may be. */
static void small_chunks_may_be_many(void **state UNUSED)
{
	struct http_body b;
	size_t total = 0;
	http_body_init(&b, HTTP_BODY_CHUNKED, 0);
	for (unsigned i = 0; i < 20000; i++) {
		char chunk[] = "1;x\r\na\r\n";
		size_t payload, used;
		assert_int_equal(http_body_take(&b, chunk, sizeof(chunk) - 1, &payload, &used),
				 HTTP_BODY_MORE);
		total += payload;
	}
	assert_int_equal(total, 20000);
}

static void a_chunk_may_be_huge_but_not_beyond_counting(void **state UNUSED)
{
	static const struct {
		const char *line;
		bool good;
	} cases[] = {
		{"10000000000000\r\n", true}, /* 4 PiB */
		{"10000000000001\r\n", false},	  {"010000000000000\r\n", true},
		{"fffffffffffff\r\n", true},	  {"20000000000000\r\n", false},
		{"7fffffffffffffff\r\n", false},  {"ffffffffffffffff\r\n", false},
		{"10000000000000005\r\n", false}, /* 5 in 64 bits */
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct outcome o = take(HTTP_BODY_CHUNKED, 0, str_c(cases[i].line), 1, 3);
		assert_int_equal(o.state, cases[i].good ? HTTP_BODY_MORE : HTTP_BODY_BROKEN);
		if (!cases[i].good)
			assert_string_equal(o.broken, "chunk size too large");
	}
}

/* A length beyond 32 bits is counted down, not cut. */
static void a_length_may_be_long(void **state UNUSED)
{
	struct http_body b;
	char text[100];
	size_t payload, used;
	http_body_init(&b, HTTP_BODY_LENGTH, (UINT64_C(1) << 32) + 5);
	for (unsigned i = 0; i < 50; i++) {
		memset(text, 'x', sizeof(text));
		assert_int_equal(http_body_take(&b, text, sizeof(text), &payload, &used),
				 HTTP_BODY_MORE);
		assert_int_equal(payload, sizeof(text));
	}
	assert_int_equal(http_body_eof(&b), HTTP_BODY_BROKEN);
	assert_string_equal(b.broken, "connection closed inside the body");
}

static void a_chunk_line_is_the_shortest_hexadecimal(void **state UNUSED)
{
	static const struct {
		uint64_t size;
		const char *line;
	} cases[] = {
		{0, "0\r\n"},
		{1, "1\r\n"},
		{9, "9\r\n"},
		{10, "a\r\n"},
		{15, "f\r\n"},
		{16, "10\r\n"},
		{8000, "1f40\r\n"},
		{16384, "4000\r\n"},
		{UINT64_C(1) << 60, "1000000000000000\r\n"},
	};
	char line[20];
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_str_equal(str_of(line, http_body_chunk_line(line, cases[i].size)),
				 cases[i].line);
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
		cmocka_unit_test(a_break_is_at_the_bad_byte),
		cmocka_unit_test(a_body_without_end_is_all_that_comes),
		cmocka_unit_test(after_the_end_nothing_is_taken),
		cmocka_unit_test(no_bytes_change_nothing),
		cmocka_unit_test(the_data_of_a_chunk_may_be_any_bytes),
		cmocka_unit_test(two_cuts_change_nothing),
		cmocka_unit_test(a_chunk_line_has_its_limit),
		cmocka_unit_test(trailers_have_their_limit),
		cmocka_unit_test(small_chunks_may_be_many),
		cmocka_unit_test(a_chunk_may_be_huge_but_not_beyond_counting),
		cmocka_unit_test(a_length_may_be_long),
		cmocka_unit_test(a_chunk_line_is_the_shortest_hexadecimal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
