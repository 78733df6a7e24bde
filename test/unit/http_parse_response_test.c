// SPDX-License-Identifier: MIT
/* Heads of responses: what is accepted, what body follows, what is refused and by which name. */
#include "unit.h"

#include <stdio.h>

#include "http/parse.h"

static struct http_head head;
static struct http_bad bad;

static enum http_parse response_to(enum http_method method, const char *text)
{
	struct http_limits limits = HTTP_LIMITS_DEFAULT;
	size_t scanned = 0;
	return http_parse_response(&head, str_c(text), &scanned, &limits, method, &bad);
}

static void a_response_is_taken_apart(void **state UNUSED)
{
	assert_int_equal(
		response_to(HTTP_GET,
			    "HTTP/1.1 404 Not Here\r\nETag: \"x\"\r\nContent-Length: 4\r\n\r\n"),
		HTTP_PARSE_DONE);
	assert_int_equal(head.status, 404);
	assert_str_equal(head.reason, "Not Here");
	assert_str_equal(http_get(&head, HTTP_F_ETAG), "\"x\"");
	assert_int_equal(response_to(HTTP_GET, "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"),
			 HTTP_PARSE_DONE);
	assert_str_equal(head.reason, "");
	assert_int_equal(response_to(HTTP_GET, ""), HTTP_PARSE_MORE);
	assert_int_equal(response_to(HTTP_GET, "HTTP/1.1 200 OK\r\n"), HTTP_PARSE_MORE);
}

/* RFC 9112 §6.3. */
static void the_kind_of_body_follows_from_request_and_response(void **state UNUSED)
{
	static const struct {
		enum http_method method;
		const char *text;
		enum http_body_kind body;
		uint64_t length;
		bool close;
	} cases[] = {
		{HTTP_GET, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", HTTP_BODY_LENGTH, 7,
		 false},
		{HTTP_GET, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", HTTP_BODY_NONE, 0,
		 false},
		{HTTP_GET, "HTTP/1.1 200 OK\r\n\r\n", HTTP_BODY_CLOSE, 0, true},
		{HTTP_GET, "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n", HTTP_BODY_CLOSE, 0,
		 true},
		{HTTP_GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		 HTTP_BODY_CHUNKED, 0, false},
		{HTTP_HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", HTTP_BODY_NONE, 7,
		 false},
		{HTTP_HEAD, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_BODY_NONE,
		 0, false},
		{HTTP_HEAD, "HTTP/1.1 200 OK\r\n\r\n", HTTP_BODY_NONE, 0, false},
		{HTTP_GET, "HTTP/1.1 204 No Content\r\n\r\n", HTTP_BODY_NONE, 0, false},
		{HTTP_GET, "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", HTTP_BODY_NONE,
		 7, false},
		{HTTP_GET, "HTTP/1.1 100 Continue\r\n\r\n", HTTP_BODY_NONE, 0, false},
		{HTTP_GET, "HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\n", HTTP_BODY_LENGTH, 7,
		 true},
		{HTTP_GET, "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 7\r\n\r\n",
		 HTTP_BODY_LENGTH, 7, false},
		{HTTP_GET, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 7\r\n\r\n",
		 HTTP_BODY_LENGTH, 7, true},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(response_to(cases[i].method, cases[i].text), HTTP_PARSE_DONE);
		assert_int_equal(head.body, cases[i].body);
		assert_int_equal(head.length, cases[i].length);
		assert_int_equal(head.close, cases[i].close);
	}
}

static void a_bad_response_is_a_502(void **state UNUSED)
{
	static const char *const cases[] = {
		"HTTP/1.1\r\n\r\n",
		"HTTP/1.1 20 OK\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n",
		"HTTP/1.1 099 OK\r\n\r\n",
		"HTTP/1.1 2x0 OK\r\n\r\n",
		"HTTP/2.0 200 OK\r\n\r\n",
		"ICY 200 OK\r\n\r\n",
		"HTTP/1.1 200 O\x01K\r\n\r\n",
		"HTTP/1.1 200 OK\nA: b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"\r\nHTTP/1.1 200 OK\r\n\r\n",
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (response_to(HTTP_GET, cases[i]) != HTTP_PARSE_BAD || bad.status != 502) {
			print_error("accepted: %s\n", cases[i]);
			fail();
		}
		assert_true(strlen(bad.reason) > 5);
	}
}

static void connection_names_so_many_fields_and_no_more(void **state UNUSED)
{
	assert_int_equal(response_to(HTTP_GET, "HTTP/1.1 200 OK\r\nConnection: a,a,a,a,a,a,a,a,a,a,"
					       "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a\r\n"
					       "Connection: a\r\n\r\n"),
			 HTTP_PARSE_BAD);
	assert_int_equal(bad.status, 502);
}

/* As for requests: a line that is whole and too long is refused. */
static void a_limit_is_the_same_for_whole_lines(void **state UNUSED)
{
	struct http_limits limits = {.line = 20, .head = 100, .fields = 9};
	size_t scanned = 0;
	assert_int_equal(http_parse_response(&head, STR("HTTP/1.1 200 12345678\r\n\r\n"), &scanned,
					     &limits, HTTP_GET, &bad),
			 HTTP_PARSE_BAD);
	assert_string_equal(bad.reason, "status line too long");
	scanned = 0;
	assert_int_equal(http_parse_response(&head, STR("HTTP/1.1 200 1234567\r\n\r\n"), &scanned,
					     &limits, HTTP_GET, &bad),
			 HTTP_PARSE_DONE);
}

static enum http_parse dripped(struct str text, const struct http_limits *limits, size_t *at)
{
	enum http_parse r = HTTP_PARSE_MORE;
	size_t scanned = 0;
	for (*at = 0; r == HTTP_PARSE_MORE && *at < text.n;) {
		++*at;
		r = http_parse_response(&head, str_of(text.p, *at), &scanned, limits, HTTP_GET,
					&bad);
	}
	return r;
}

static void a_response_may_come_in_pieces(void **state UNUSED)
{
	static const char text[] = "HTTP/1.1 203 Else where\r\nVia: 1.1 a\r\nX-A: 1\r\n"
				   "Connection: x-a\r\nContent-Length: 3\r\n\r\nabc";
	struct http_limits limits = HTTP_LIMITS_DEFAULT;
	size_t at;
	assert_int_equal(dripped(str_c(text), &limits, &at), HTTP_PARSE_DONE);
	assert_int_equal(at, sizeof(text) - 1 - 3);
	assert_int_equal(head.size, at);
	assert_int_equal(head.status, 203);
	assert_str_equal(head.reason, "Else where");
	assert_int_equal(head.minor, 1);
	assert_int_equal(head.body, HTTP_BODY_LENGTH);
	assert_int_equal(head.length, 3);
	assert_int_equal(head.count, 4);
	assert_true(http_find(&head, STR("x-a"))->hop);
	assert_false(http_find(&head, STR("via"))->hop);
	for (size_t i = 0; i < at; i++) { /* a NUL anywhere */
		char copy[sizeof(text)];
		size_t scanned = 0;
		memcpy(copy, text, sizeof(text));
		copy[i] = '\0';
		assert_int_not_equal(http_parse_response(&head, str_of(copy, at), &scanned, &limits,
							 HTTP_GET, &bad),
				     HTTP_PARSE_DONE);
	}
}

static void the_status_line_is_read_to_the_letter(void **state UNUSED)
{
	static const struct {
		const char *line;
		unsigned status; /* 0: refused */
		const char *reason;
		unsigned minor;
	} cases[] = {
		{"HTTP/1.1 200 OK", 200, "OK", 1},
		{"HTTP/1.0 100 ", 100, "", 0},
		{"HTTP/1.7 999", 999, "", 1},
		{"HTTP/1.1 200  two\tspaces ", 200, " two\tspaces ", 1},
		{"HTTP/1.1 200 \xc3\xa9t\xc3\xa9", 200, "\xc3\xa9t\xc3\xa9", 1},
		{"HTTP/1.1", 0, "bad status line", 0},
		{"HTTP/1.1 ", 0, "bad status code", 0},
		{"HTTP/1.1  200 OK", 0, "bad status code", 0},
		{"HTTP/1.1 099 OK", 0, "bad status code", 0},
		{"HTTP/1.1 1000 OK", 0, "bad status code", 0},
		{"HTTP/1.1 +20 OK", 0, "bad status code", 0},
		{"HTTP/1.1 20 OK", 0, "bad status code", 0},
		{"HTTP/1.1 200\tOK", 0, "bad status code", 0},
		{"HTTP/2.0 200 OK", 0, "bad HTTP version in response", 0},
		{"http/1.1 200 OK", 0, "bad HTTP version in response", 0},
		{" HTTP/1.1 200 OK", 0, "bad HTTP version in response", 0},
		{"HTTP/1.1 200 O\x7fK", 0, "control byte in reason", 0},
		{"HTTP/1.1 200 O\rK", 0, "bare CR", 0},
		{"HTTP/1.1 200 OK\nX: y", 0, "bare LF", 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[128];
		snprintf(text, sizeof(text), "%s\r\nContent-Length: 0\r\n\r\n", cases[i].line);
		enum http_parse r = response_to(HTTP_GET, text);
		if (r != (cases[i].status ? HTTP_PARSE_DONE : HTTP_PARSE_BAD))
			fail_msg("%s: %d", cases[i].line, r);
		if (r == HTTP_PARSE_DONE) {
			assert_int_equal(head.size, strlen(text));
			assert_int_equal(head.status, cases[i].status);
			assert_str_equal(head.reason, cases[i].reason);
			assert_int_equal(head.minor, cases[i].minor);
		} else {
			assert_int_equal(bad.status, 502);
			assert_string_equal(bad.reason, cases[i].reason);
		}
	}
}

static void a_bad_field_of_a_response_is_named(void **state UNUSED)
{
	static const struct {
		const char *fields, *reason;
	} cases[] = {
		{"A : b\r\n", "space before colon"},
		{"A: b\r\n c\r\n", "folded field line"},
		{"A\r\n", "field line without a colon"},
		{": b\r\n", "empty field name"},
		{"A: b\rc\r\n", "bare CR"},
		{"A: \x01\r\n", "control byte in field value"},
		{"Content-Length: 1\r\nContent-Length: 2\r\n", "two Content-Length values"},
		{"Content-Length: x\r\n", "bad Content-Length"},
		{"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
		 "Content-Length with Transfer-Encoding"},
		{"Transfer-Encoding: gzip\r\n", "unknown Transfer-Encoding"},
		{"Transfer-Encoding: gzip, chunked\r\n", "unknown Transfer-Encoding"},
		{"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
		 "unknown Transfer-Encoding"},
		{"Connection: content-length\r\nContent-Length: 5\r\n",
		 "Connection names a framing field"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[256];
		snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n%s\r\n", cases[i].fields);
		assert_int_equal(response_to(HTTP_GET, text), HTTP_PARSE_BAD);
		assert_int_equal(bad.status, 502);
		assert_string_equal(bad.reason, cases[i].reason);
	}
	assert_int_equal(
		response_to(HTTP_GET, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
		HTTP_PARSE_BAD);
	assert_string_equal(bad.reason, "Transfer-Encoding in HTTP/1.0");
	assert_int_equal(bad.status, 502);
}

/* RFC 9112 §6.3, 1: these end with their head, whatever its fields announce. */
static void some_responses_never_have_a_body(void **state UNUSED)
{
	static const struct {
		enum http_method method;
		unsigned status;
		bool body;
	} cases[] = {
		{HTTP_GET, 100, false},	 {HTTP_GET, 101, false},  {HTTP_GET, 103, false},
		{HTTP_GET, 199, false},	 {HTTP_GET, 200, true},	  {HTTP_GET, 203, true},
		{HTTP_GET, 204, false},	 {HTTP_GET, 205, true},	  {HTTP_GET, 303, true},
		{HTTP_GET, 304, false},	 {HTTP_GET, 305, true},	  {HTTP_GET, 404, true},
		{HTTP_HEAD, 200, false}, {HTTP_HEAD, 500, false}, {HTTP_POST, 200, true},
		{HTTP_OTHER, 200, true}, {HTTP_POST, 304, false},
	};
	static const struct {
		const char *field;
		enum http_body_kind body;
	} framings[] = {
		{"Content-Length: 7\r\n", HTTP_BODY_LENGTH},
		{"Transfer-Encoding: chunked\r\n", HTTP_BODY_CHUNKED},
		{"", HTTP_BODY_CLOSE},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t f = 0; f < ARRAY_LEN(framings); f++) {
			char text[128];
			snprintf(text, sizeof(text), "HTTP/1.1 %u X\r\n%s\r\n", cases[i].status,
				 framings[f].field);
			assert_int_equal(response_to(cases[i].method, text), HTTP_PARSE_DONE);
			assert_int_equal(head.body,
					 cases[i].body ? framings[f].body : HTTP_BODY_NONE);
			/* Only a body without another end takes the connection with it. */
			assert_int_equal(head.close, head.body == HTTP_BODY_CLOSE);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_response_is_taken_apart),
		cmocka_unit_test(the_kind_of_body_follows_from_request_and_response),
		cmocka_unit_test(a_bad_response_is_a_502),
		cmocka_unit_test(connection_names_so_many_fields_and_no_more),
		cmocka_unit_test(a_limit_is_the_same_for_whole_lines),
		cmocka_unit_test(a_response_may_come_in_pieces),
		cmocka_unit_test(the_status_line_is_read_to_the_letter),
		cmocka_unit_test(a_bad_field_of_a_response_is_named),
		cmocka_unit_test(some_responses_never_have_a_body),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
