// SPDX-License-Identifier: MIT
/* Heads: what is accepted and what its fields then say, what is refused and by which name, however it arrives. */
#include "unit.h"

#include <stdio.h>

#include "http/parse.h"

static struct http_head head;
static struct http_bad bad;

static enum http_parse request(const char *text)
{
	struct http_limits limits = HTTP_LIMITS_DEFAULT;
	size_t scanned = 0;
	return http_parse_request(&head, str_c(text), &scanned, &limits, &bad);
}

static enum http_parse response_to(enum http_method method, const char *text)
{
	struct http_limits limits = HTTP_LIMITS_DEFAULT;
	size_t scanned = 0;
	return http_parse_response(&head, str_c(text), &scanned, &limits, method, &bad);
}

static void must_accept(const char *text)
{
	if (request(text) != HTTP_PARSE_DONE) {
		print_error("refused with \"%s\": %s\n", bad.reason ? bad.reason : "", text);
		fail();
	}
	assert_int_equal(head.size, strlen(text));
}

/* ---- requests that are taken */

static void a_request_is_taken_apart(void **state)
{
	(void)state;
	must_accept(
		"GET /a/b?c=d HTTP/1.1\r\nHost: pi.test:8080\r\nCookie:  a=1; b=2\t\r\nX-Own: v\r\n"
		"cookie: c=3\r\n\r\n");
	assert_int_equal(head.method, HTTP_GET);
	assert_str_equal(head.method_text, "GET");
	assert_str_equal(head.target, "/a/b?c=d");
	assert_str_equal(head.authority, "pi.test:8080");
	assert_int_equal(head.minor, 1);
	assert_false(head.close);
	assert_false(head.upgrade);
	assert_int_equal(head.body, HTTP_BODY_NONE);
	assert_int_equal(head.count, 4);
	assert_str_equal(http_get(&head, HTTP_F_COOKIE), "a=1; b=2");
	assert_str_equal(http_find(&head, STR("x-OWN"))->value, "v");
	assert_null(http_find(&head, STR("x-ow")));
	unsigned i = 0;
	assert_str_equal(http_next(&head, HTTP_F_COOKIE, &i)->value, "a=1; b=2");
	assert_str_equal(http_next(&head, HTTP_F_COOKIE, &i)->value, "c=3");
	assert_null(http_next(&head, HTTP_F_COOKIE, &i));
	assert_false(http_has(&head, HTTP_F_VIA));
	assert_null(http_get(&head, HTTP_F_VIA).p);
}

static void targets_come_in_three_forms(void **state)
{
	static const struct {
		const char *line, *host, *target, *authority;
	} cases[] = {
		{"GET / HTTP/1.1", "a", "/", "a"},
		{"GET /%7e?x=y/z?{}| HTTP/1.1", "a", "/%7e?x=y/z?{}|", "a"},
		{"OPTIONS * HTTP/1.1", "a", "*", "a"},
		{"GET http://a.test/x?y HTTP/1.1", "a.test", "/x?y", "a.test"},
		{"GET HTTPS://A.test:443/x HTTP/1.1", "a.TEST:443", "/x", "a.TEST:443"},
		{"GET http://a HTTP/1.1", "a", "/", "a"},
		{"OPTIONS http://a HTTP/1.1", "a", "*", "a"},
		{"GET http://[::1]:80/ HTTP/1.1", "[::1]:80", "/", "[::1]:80"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[256];
		snprintf(text, sizeof(text), "%s\r\nHost: %s\r\n\r\n", cases[i].line,
			 cases[i].host);
		must_accept(text);
		assert_str_equal(head.target, cases[i].target);
		assert_str_equal(head.authority, cases[i].authority);
	}
}

static void the_connection_field_decides_what_goes_on(void **state)
{
	static const struct {
		const char *version, *fields;
		bool close, upgrade;
	} cases[] = {
		{"1.1", "", false, false},
		{"1.1", "Connection: close\r\n", true, false},
		{"1.1", "Connection: Keep-Alive , CLOSE\r\n", true, false},
		{"1.0", "", true, false},
		{"1.0", "Connection: keep-alive\r\n", false, false},
		{"1.9", "", false,
		 false}, /* a later minor version is read as ours (RFC 9110 §2.5) */
		{"1.1", "Connection: upgrade\r\nUpgrade: websocket\r\n", false, true},
		{"1.1", "Connection: upgrade\r\n", false, false},
		{"1.1", "Upgrade: websocket\r\n", false, false},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[256];
		snprintf(text, sizeof(text), "GET / HTTP/%s\r\nHost: a\r\n%s\r\n", cases[i].version,
			 cases[i].fields);
		must_accept(text);
		assert_int_equal(head.close, cases[i].close);
		assert_int_equal(head.upgrade, cases[i].upgrade);
	}
}

static void fields_of_one_connection_are_marked(void **state)
{
	(void)state;
	must_accept(
		"GET / HTTP/1.1\r\nHost: a\r\nX-Mine: 1\r\nConnection: x-mine, TE\r\nTE: trailers\r\n"
		"Keep-Alive: 5\r\nX-Other: 2\r\n\r\n");
	assert_true(http_find(&head, STR("X-Mine"))->hop);
	assert_true(http_find(&head, STR("TE"))->hop);
	assert_true(http_find(&head, STR("Keep-Alive"))->hop);
	assert_true(http_find(&head, STR("Connection"))->hop);
	assert_false(http_find(&head, STR("X-Other"))->hop);
	assert_false(http_find(&head, STR("Host"))->hop);
}

static void bodies_of_requests(void **state)
{
	static const struct {
		const char *fields;
		enum http_body_kind body;
		uint64_t length;
		bool expect;
	} cases[] = {
		{"", HTTP_BODY_NONE, 0, false},
		{"Content-Length: 0\r\n", HTTP_BODY_NONE, 0, false},
		{"Content-Length: 12\r\n", HTTP_BODY_LENGTH, 12, false},
		{"Content-Length: 12, 12\r\nContent-Length: 12\r\n", HTTP_BODY_LENGTH, 12, false},
		{"Content-Length: 9223372036854775807\r\n", HTTP_BODY_LENGTH, INT64_MAX, false},
		{"Transfer-Encoding: Chunked\r\n", HTTP_BODY_CHUNKED, 0, false},
		{"Content-Length: 5\r\nExpect: 100-Continue\r\n", HTTP_BODY_LENGTH, 5, true},
		{"Expect: 100-continue\r\n", HTTP_BODY_NONE, 0, false}, /* nothing to wait for */
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[256];
		snprintf(text, sizeof(text), "POST / HTTP/1.1\r\nHost: a\r\n%s\r\n",
			 cases[i].fields);
		must_accept(text);
		assert_int_equal(head.body, cases[i].body);
		assert_int_equal(head.expect_continue, cases[i].expect);
		if (cases[i].body == HTTP_BODY_LENGTH)
			assert_int_equal(head.length, cases[i].length);
	}
}

static void empty_lines_before_a_request_are_skipped(void **state)
{
	(void)state;
	must_accept("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
	must_accept("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(request("\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD);
	assert_int_equal(bad.status, 400);
	assert_int_equal(request("\r"), HTTP_PARSE_MORE);
	assert_int_equal(request("\r\n\r"), HTTP_PARSE_MORE);
}

static void an_old_request_needs_no_host(void **state)
{
	(void)state;
	must_accept("GET / HTTP/1.0\r\n\r\n");
	assert_str_equal(head.authority, "");
}

/* ---- requests that are refused */

#define TAIL " HTTP/1.1\r\nHost: a\r\n\r\n"
#define HEAD "POST / HTTP/1.1\r\nHost: a\r\n"

static void the_doubtful_is_refused_by_name(void **state)
{
	static const struct {
		const char *text;
		unsigned status;
		const char *reason;
	} cases[] = {
		/* line ends */
		{"GET / HTTP/1.1\nHost: a\r\n\r\n", 400, "bare LF"},
		{"GET / HTTP/1.1\r\nHost: a\n\r\n", 400, "bare LF"},
		{"\nGET /" TAIL, 400, "bad method"},
		{"GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bare CR"},
		{HEAD "A: b\rc\r\n\r\n", 400, "bare CR"},
		/* the request line */
		{"GET /\r\nHost: a\r\n\r\n", 400, "bad request line"},
		{"GET\r\n\r\n", 400, "bad request line"},
		{"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad HTTP version"},
		{"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400, "bad HTTP version"},
		{"GET / http/1.1\r\nHost: a\r\n\r\n", 400, "bad HTTP version"},
		{"GET / HTTP/11\r\nHost: a\r\n\r\n", 400, "bad HTTP version"},
		{"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "HTTP version not supported"},
		{"GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505, "HTTP version not supported"},
		{"G\"T /" TAIL, 400, "bad method"},
		{"\x16\x03\x01", 400, "bad method"}, /* TLS */
		{"CONNECT a:80" TAIL, 501, "CONNECT is not supported"},
		{"GET a" TAIL, 400, "bad request target"},
		{"GET ftp://a/" TAIL, 400, "bad request target"},
		{"GET *" TAIL, 400, "target * without OPTIONS"},
		{"GET /a\x01" TAIL, 400, "bad byte in request target"},
		{"GET /\xc3\xa9" TAIL, 400, "bad byte in request target"},
		{"GET http:///x" TAIL, 400, "bad authority in request target"},
		{"GET http://u@a/x" TAIL, 400, "bad authority in request target"},
		/* Host */
		{"GET / HTTP/1.1\r\n\r\n", 400, "no Host"},
		{HEAD "Host: a\r\n\r\n", 400, "two Host fields"},
		{"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "bad Host"},
		{"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "bad Host"},
		{"GET / HTTP/1.1\r\nHost: a:80x\r\n\r\n", 400, "bad Host"},
		{"GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400, "bad Host"},
		{"GET / HTTP/1.1\r\nHost: :80\r\n\r\n", 400, "bad Host"},
		{"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400, "bad Host"},
		{"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400, "bad Host"},
		{"GET http://b/" TAIL, 400, "Host differs from request target"},
		/* field lines */
		{HEAD " A: b\r\n\r\n", 400, "folded field line"},
		{HEAD "A: b\r\n\tc\r\n\r\n", 400, "folded field line"},
		{HEAD "A : b\r\n\r\n", 400, "space before colon"},
		{HEAD "Content-Length\t: 5\r\n\r\n", 400, "space before colon"},
		{HEAD ": b\r\n\r\n", 400, "empty field name"},
		{HEAD "A\r\n\r\n", 400, "field line without a colon"},
		{HEAD "A(: b\r\n\r\n", 400, "bad field name"},
		{HEAD "A: b\x01\r\n\r\n", 400, "control byte in field value"},
		{HEAD "A: b\x7f\r\n\r\n", 400, "control byte in field value"},
		/* framing */
		{HEAD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
		 "Content-Length with Transfer-Encoding"},
		{HEAD "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", 400,
		 "Content-Length with Transfer-Encoding"},
		{HEAD "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400,
		 "two Content-Length values"},
		{HEAD "Content-Length: 5, 6\r\n\r\n", 400, "two Content-Length values"},
		{HEAD "Content-Length: +5\r\n\r\n", 400, "bad Content-Length"},
		{HEAD "Content-Length: -5\r\n\r\n", 400, "bad Content-Length"},
		{HEAD "Content-Length: 0x5\r\n\r\n", 400, "bad Content-Length"},
		{HEAD "Content-Length: 5 5\r\n\r\n", 400, "bad Content-Length"},
		{HEAD "Content-Length: \r\n\r\n", 400, "bad Content-Length"},
		{HEAD "Content-Length: 5,\r\n\r\n", 400, "bad Content-Length"},
		{HEAD "Content-Length: 9223372036854775808\r\n\r\n", 400, "bad Content-Length"},
		{HEAD "Content-Length: 99999999999999999999999\r\n\r\n", 400, "bad Content-Length"},
		{HEAD "Transfer-Encoding: gzip\r\n\r\n", 501, "unknown Transfer-Encoding"},
		{HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "unknown Transfer-Encoding"},
		{HEAD "Transfer-Encoding: chunked, chunked\r\n\r\n", 501,
		 "unknown Transfer-Encoding"},
		{HEAD "Transfer-Encoding: \x0b"
		      "chunked\r\n\r\n",
		 400, "control byte in field value"},
		{HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
		 "two Transfer-Encoding fields"},
		{"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
		 "Transfer-Encoding in HTTP/1.0"},
		{HEAD "Connection: content-length\r\nContent-Length: 5\r\n\r\n", 400,
		 "Connection names a framing field"},
		{HEAD "Connection: Host\r\n\r\n", 400, "Connection names a framing field"},
		{HEAD "Content-Length: 5\r\nExpect: miracles\r\n\r\n", 417, "unknown expectation"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (request(cases[i].text) != HTTP_PARSE_BAD || bad.status != cases[i].status ||
		    strcmp(bad.reason, cases[i].reason) != 0) {
			print_error("case %zu: %u %s\n", i, bad.status, bad.reason);
			fail();
		}
	}
}

static void a_nul_is_nowhere_allowed(void **state)
{
	static const char text[] = "GET /ab HTTP/1.1\r\nHost: abc\r\nX-Ab: abc\r\n\r\n";
	struct http_limits limits = HTTP_LIMITS_DEFAULT;
	(void)state;
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		char copy[sizeof(text)];
		size_t scanned = 0;
		memcpy(copy, text, sizeof(text));
		copy[i] = '\0';
		enum http_parse r = http_parse_request(&head, str_of(copy, sizeof(text) - 1),
						       &scanned, &limits, &bad);
		bool open = i >= sizeof(text) - 4; /* the head has no end then */
		if (open && r == HTTP_PARSE_MORE)
			continue;
		assert_int_equal(r, HTTP_PARSE_BAD);
		assert_int_equal(bad.status, 400);
	}
}

/* ---- sizes */

static char big[40000];

/* "GET /xxx... HTTP/1.1" of line bytes, n more fields of field bytes each, and the end. */
static const char *of_size(size_t line, unsigned fields, size_t field)
{
	size_t n = (size_t)sprintf(big, "GET /");
	memset(big + n, 'x', line - n - 9);
	n = line - 9;
	n += (size_t)sprintf(big + n, " HTTP/1.1\r\nHost: a\r\n");
	for (unsigned i = 0; i < fields; i++) {
		memset(big + n, 'y', field);
		big[n + 1] = ':';
		n += field;
		n += (size_t)sprintf(big + n, "\r\n");
	}
	sprintf(big + n, "\r\n");
	return big;
}

static void limits_hold_exactly(void **state)
{
	static const struct {
		size_t line;
		unsigned fields;
		size_t field;
		unsigned status; /* 0: accepted */
	} cases[] = {
		{8190, 0, 0, 0},    {8191, 0, 0, 414},	 {9216, 0, 0, 414}, {20, 1, 8190, 0},
		{20, 1, 8191, 431}, {20, 1, 9216, 431},	 {20, 99, 10, 0},   {20, 100, 10, 431},
		{20, 10, 1500, 0},  {20, 12, 1500, 431},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *text = of_size(cases[i].line, cases[i].fields, cases[i].field);
		enum http_parse r = request(text);
		assert_int_equal(r, cases[i].status ? HTTP_PARSE_BAD : HTTP_PARSE_DONE);
		if (cases[i].status)
			assert_int_equal(bad.status, cases[i].status);
	}
	/* The head as a whole: 16000 bytes are allowed, one more is not. */
	struct http_limits limits = HTTP_LIMITS_DEFAULT;
	for (unsigned over = 0; over < 2; over++) {
		size_t scanned = 0;
		size_t n = strlen(of_size(20, 2, 7000));
		n = strlen(of_size(20, 2, 7000 + (limits.head - n) / 2));
		assert_in_range(n, limits.head - 1, limits.head);
		limits.head = (uint32_t)n - over;
		assert_int_equal(http_parse_request(&head, str_of(big, n), &scanned, &limits, &bad),
				 over ? HTTP_PARSE_BAD : HTTP_PARSE_DONE);
		assert_int_equal(over ? bad.status : 431, 431);
		limits.head = HTTP_LIMITS_DEFAULT.head;
	}
}

/* A line that never ends is refused as soon as it is too long, not when memory is full. */
static void an_endless_line_is_refused_early(void **state)
{
	struct http_limits limits = HTTP_LIMITS_DEFAULT;
	size_t scanned = 0;
	(void)state;
	memset(big, 'a', sizeof(big));
	assert_int_equal(http_parse_request(&head, str_of(big, 8191), &scanned, &limits, &bad),
			 HTTP_PARSE_MORE);
	assert_int_equal(http_parse_request(&head, str_of(big, 8192), &scanned, &limits, &bad),
			 HTTP_PARSE_BAD);
	assert_int_equal(bad.status, 414);
}

/* ---- arriving in pieces */

static void pieces_make_the_same_as_the_whole(void **state)
{
	static const char text[] =
		"\r\nPOST /a?b HTTP/1.1\r\nHost: pi.test\r\nContent-Length: 3\r\nConnection: x-a\r\n"
		"X-A: 1\r\nCookie: k=v\r\n\r\nabc";
	struct http_limits limits = HTTP_LIMITS_DEFAULT;
	size_t end = sizeof(text) - 1 - 3;
	(void)state;
	for (size_t step = 1; step < 9; step++) {
		size_t scanned = 0;
		for (size_t n = 0; n < end; n += step)
			assert_int_equal(
				http_parse_request(&head, str_of(text, n), &scanned, &limits, &bad),
				HTTP_PARSE_MORE);
		assert_int_equal(http_parse_request(&head, str_of(text, sizeof(text) - 1), &scanned,
						    &limits, &bad),
				 HTTP_PARSE_DONE);
		assert_int_equal(head.size, end);
		assert_int_equal(head.length, 3);
		assert_int_equal(head.count, 5);
		assert_true(http_find(&head, STR("X-A"))->hop);
	}
}

static void only_the_first_of_two_requests_is_taken(void **state)
{
	static const char first[] = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
	(void)state;
	assert_int_equal(
		request("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: b\r\n\r\n"),
		HTTP_PARSE_DONE);
	assert_int_equal(head.size, sizeof(first) - 1);
	assert_str_equal(head.target, "/1");
	assert_int_equal(head.count, 1);
}

/* ---- responses */

static void a_response_is_taken_apart(void **state)
{
	(void)state;
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
static void the_kind_of_body_follows_from_request_and_response(void **state)
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
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(response_to(cases[i].method, cases[i].text), HTTP_PARSE_DONE);
		assert_int_equal(head.body, cases[i].body);
		assert_int_equal(head.length, cases[i].length);
		assert_int_equal(head.close, cases[i].close);
	}
}

static void a_bad_response_is_a_502(void **state)
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
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (response_to(HTTP_GET, cases[i]) != HTTP_PARSE_BAD || bad.status != 502) {
			print_error("accepted: %s\n", cases[i]);
			fail();
		}
		assert_true(strlen(bad.reason) > 5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_taken_apart),
		cmocka_unit_test(targets_come_in_three_forms),
		cmocka_unit_test(the_connection_field_decides_what_goes_on),
		cmocka_unit_test(fields_of_one_connection_are_marked),
		cmocka_unit_test(bodies_of_requests),
		cmocka_unit_test(empty_lines_before_a_request_are_skipped),
		cmocka_unit_test(an_old_request_needs_no_host),
		cmocka_unit_test(the_doubtful_is_refused_by_name),
		cmocka_unit_test(a_nul_is_nowhere_allowed),
		cmocka_unit_test(limits_hold_exactly),
		cmocka_unit_test(an_endless_line_is_refused_early),
		cmocka_unit_test(pieces_make_the_same_as_the_whole),
		cmocka_unit_test(only_the_first_of_two_requests_is_taken),
		cmocka_unit_test(a_response_is_taken_apart),
		cmocka_unit_test(the_kind_of_body_follows_from_request_and_response),
		cmocka_unit_test(a_bad_response_is_a_502),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
