// SPDX-License-Identifier: MIT
/* Heads of requests: what is accepted and what its fields then say, what is refused and by which name, however it arrives. */
#include "unit.h"

#include <ctype.h>
#include <stdio.h>
#include <time.h>

#include "http/parse.h"

static struct http_head head;
static struct http_bad bad;

static enum http_parse request(const char *text)
{
	struct http_limits limits = HTTP_LIMITS_DEFAULT;
	size_t scanned = 0;
	return http_parse_request(&head, str_c(text), &scanned, &limits, &bad);
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

static void a_request_is_taken_apart(void **state UNUSED)
{
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

static void targets_come_in_three_forms(void **state UNUSED)
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
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[256];
		snprintf(text, sizeof(text), "%s\r\nHost: %s\r\n\r\n", cases[i].line,
			 cases[i].host);
		must_accept(text);
		assert_str_equal(head.target, cases[i].target);
		assert_str_equal(head.authority, cases[i].authority);
	}
}

static void the_connection_field_decides_what_goes_on(void **state UNUSED)
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
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[256];
		snprintf(text, sizeof(text), "GET / HTTP/%s\r\nHost: a\r\n%s\r\n", cases[i].version,
			 cases[i].fields);
		must_accept(text);
		assert_int_equal(head.close, cases[i].close);
		assert_int_equal(head.upgrade, cases[i].upgrade);
	}
}

static void fields_of_one_connection_are_marked(void **state UNUSED)
{
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

static void bodies_of_requests(void **state UNUSED)
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

static void empty_lines_before_a_request_are_skipped(void **state UNUSED)
{
	must_accept("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
	must_accept("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(request("\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_PARSE_BAD);
	assert_int_equal(bad.status, 400);
	assert_int_equal(request("\r"), HTTP_PARSE_MORE);
	assert_int_equal(request("\r\n\r"), HTTP_PARSE_MORE);
}

static void an_old_request_needs_no_host(void **state UNUSED)
{
	must_accept("GET / HTTP/1.0\r\n\r\n");
	assert_str_equal(head.authority, "");
}

/* ---- requests that are refused */

#define TAIL " HTTP/1.1\r\nHost: a\r\n\r\n"
#define HEAD "POST / HTTP/1.1\r\nHost: a\r\n"

static void the_doubtful_is_refused_by_name(void **state UNUSED)
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
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (request(cases[i].text) != HTTP_PARSE_BAD || bad.status != cases[i].status ||
		    strcmp(bad.reason, cases[i].reason) != 0) {
			print_error("case %zu: %u %s\n", i, bad.status, bad.reason);
			fail();
		}
	}
}

static void a_nul_is_nowhere_allowed(void **state UNUSED)
{
	static const char text[] = "GET /ab HTTP/1.1\r\nHost: abc\r\nX-Ab: abc\r\n\r\n";
	struct http_limits limits = HTTP_LIMITS_DEFAULT;
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

static void limits_hold_exactly(void **state UNUSED)
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
static void an_endless_line_is_refused_early(void **state UNUSED)
{
	struct http_limits limits = HTTP_LIMITS_DEFAULT;
	size_t scanned = 0;
	memset(big, 'a', sizeof(big));
	assert_int_equal(http_parse_request(&head, str_of(big, 8191), &scanned, &limits, &bad),
			 HTTP_PARSE_MORE);
	assert_int_equal(http_parse_request(&head, str_of(big, 8192), &scanned, &limits, &bad),
			 HTTP_PARSE_BAD);
	assert_int_equal(bad.status, 414);
}

/* ---- arriving in pieces */

static void pieces_make_the_same_as_the_whole(void **state UNUSED)
{
	static const char text[] =
		"\r\nPOST /a?b HTTP/1.1\r\nHost: pi.test\r\nContent-Length: 3\r\nConnection: x-a\r\n"
		"X-A: 1\r\nCookie: k=v\r\n\r\nabc";
	struct http_limits limits = HTTP_LIMITS_DEFAULT;
	size_t end = sizeof(text) - 1 - 3;
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

static void only_the_first_of_two_requests_is_taken(void **state UNUSED)
{
	static const char first[] = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
	assert_int_equal(
		request("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: b\r\n\r\n"),
		HTTP_PARSE_DONE);
	assert_int_equal(head.size, sizeof(first) - 1);
	assert_str_equal(head.target, "/1");
	assert_int_equal(head.count, 1);
}

/* ---- every byte in its place */

static bool tchar(unsigned c)
{
	return c && (isalnum((int)c) || strchr("!#$%&'*+-.^_`|~", (int)c)) && c < 0x80;
}

/* The request with byte c in the place of the #. */
static enum http_parse with_byte(const char *text, unsigned c)
{
	struct http_limits limits = HTTP_LIMITS_DEFAULT;
	size_t scanned = 0, n = strlen(text);
	char copy[128];
	memcpy(copy, text, n);
	*(char *)memchr(copy, '#', n) = (char)c;
	return http_parse_request(&head, str_of(copy, n), &scanned, &limits, &bad);
}

/* RFC 9110 §5.6.2 for tokens, §5.5 for values, RFC 3986 for the rest; and what browsers send raw in a query. */
static void each_byte_is_taken_where_it_belongs(void **state UNUSED)
{
	for (unsigned c = 0; c < 256; c++) {
		bool alnum = c < 0x80 && isalnum((int)c);
		bool unreserved = alnum || (c && strchr("-._~", (int)c));
		const struct {
			const char *text;
			bool good;
		} places[] = {
			{"#ET / HTTP/1.1\r\nHost: a\r\n\r\n", tchar(c)},
			{"G#T / HTTP/1.1\r\nHost: a\r\n\r\n", tchar(c)},
			{"GET / HTTP/1.1\r\nHost: a\r\nX#Y: b\r\n\r\n", tchar(c) || c == ':'},
			{"GET / HTTP/1.1\r\nHost: a\r\nXY#: b\r\n\r\n", tchar(c) || c == ':'},
			{"GET / HTTP/1.1\r\nHost: a\r\nX: b#c\r\n\r\n",
			 c == '\t' || (c >= ' ' && c != 0x7f)},
			{"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
			 unreserved || (c && strchr("%:@!$&'()*+,;=/?[]{}|^`", (int)c))},
			{"GET / HTTP/1.1\r\nHost: a#b\r\n\r\n",
			 unreserved || (c && strchr("%!$&'()*+;=", (int)c))},
		};
		for (size_t i = 0; i < ARRAY_LEN(places); i++) {
			enum http_parse r = with_byte(places[i].text, c);
			if (r != (places[i].good ? HTTP_PARSE_DONE : HTTP_PARSE_BAD))
				fail_msg("byte %u in place %zu: %d", c, i, r);
			if (r == HTTP_PARSE_BAD)
				assert_int_equal(bad.status, 400);
		}
	}
}

static void a_value_is_what_stands_between_the_white_space(void **state UNUSED)
{
	static const struct {
		const char *line, *value;
	} cases[] = {
		{"X: b", "b"},	      {"X:b", "b"},
		{"X: \t b \t ", "b"}, {"X: b\tc  d", "b\tc  d"},
		{"X:", ""},	      {"X: \t", ""},
		{"X: b:c", "b:c"},    {"X:: b", ": b"},
		{"X: \"a", "\"a"},    {"X: \xe9", "\xe9"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[128];
		snprintf(text, sizeof(text), HEAD "%s\r\n\r\n", cases[i].line);
		must_accept(text);
		assert_int_equal(head.count, 2);
		assert_str_equal(head.fields[1].name, "X");
		assert_str_equal(head.fields[1].value, cases[i].value);
	}
}

static void any_token_is_a_method(void **state UNUSED)
{
	static const struct {
		const char *name;
		enum http_method method;
	} cases[] = {
		{"GET", HTTP_GET},
		{"get", HTTP_OTHER},
		{"PROPFIND", HTTP_OTHER},
		{"GETS", HTTP_OTHER},
		{"!#$%&'*+-.^_`|~1", HTTP_OTHER},
		{"DELETE", HTTP_DELETE},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[128];
		snprintf(text, sizeof(text), "%s /" TAIL, cases[i].name);
		must_accept(text);
		assert_int_equal(head.method, cases[i].method);
		assert_str_equal(head.method_text, cases[i].name);
	}
}

static void an_authority_is_a_host_and_perhaps_a_port(void **state UNUSED)
{
	static const struct {
		const char *host;
		bool good;
	} cases[] = {
		{"a", true},
		{"a.test.", true},
		{"192.168.1.170", true},
		{"a:0", true},
		{"a:65535", true},
		{"a:", true},
		{"[::1]", true},
		{"[::1]:65535", true},
		{"[::1]:", true},
		{"", false},
		{":", false},
		{"a:65536", false},
		{"a:-1", false},
		{"a:80:80", false},
		{"a: 80", false},
		{"[]", false},
		{"]", false},
		{"a]", false},
		{"]:80", false},
		{"[", false},
		{"[::1", false},
		{"a[", false},
		{"[::1]80", false},
		{"[::1]]", false},
		{"a[::1]", false},
		{"a[::1]:80", false},
		{"::1", false},
		{"[::1]:65536", false},
		{"user@a", false},
		{"a/", false},
		{"a?", false},
		{"a#", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[128];
		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", cases[i].host);
		if (cases[i].good) {
			must_accept(text);
			assert_str_equal(head.authority, cases[i].host);
		} else {
			if (request(text) != HTTP_PARSE_BAD)
				fail_msg("taken for a host: %s", cases[i].host);
			assert_int_equal(bad.status, 400);
			assert_string_equal(bad.reason, "bad Host");
		}
	}
}

/* RFC 9112 §3.2.2: the target names the authority even where there is no Host. */
static void an_absolute_target_names_the_authority(void **state UNUSED)
{
	must_accept("GET http://pi.test:81/x HTTP/1.0\r\n\r\n");
	assert_str_equal(head.authority, "pi.test:81");
	assert_str_equal(head.target, "/x");
	assert_int_equal(request("GET http://pi.test/x HTTP/1.1\r\n\r\n"), HTTP_PARSE_BAD);
	assert_string_equal(bad.reason, "no Host");
}

static void versions_beyond_ours_are_refused_by_number(void **state UNUSED)
{
	static const struct {
		const char *version;
		unsigned status;
	} cases[] = {
		{"HTTP/0.0", 505}, {"HTTP/2.0", 505},  {"HTTP/9.9", 505}, {"HTTP/3.1", 505},
		{"HTTP/:.1", 400}, {"HTTP/1.:", 400},  {"HTTP/1./", 400}, {"HTTP//.1", 400},
		{"HTTP/1,1", 400}, {"HTTP/1.10", 400}, {"HTTP/1.", 400},  {"HTTPS/1.1", 400},
		{"", 400},	   {"Http/1.1", 400},  {"HTTP 1.1", 400}, {"HTTP/x.1", 400},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[128];
		snprintf(text, sizeof(text), "GET / %s\r\nHost: a\r\n\r\n", cases[i].version);
		assert_int_equal(request(text), HTTP_PARSE_BAD);
		assert_int_equal(bad.status, cases[i].status);
		assert_string_equal(bad.reason, cases[i].status == 505
							? "HTTP version not supported"
							: "bad HTTP version");
	}
}

/* RFC 9110 §7.6.1, in any case and in several fields; RFC 9112 §9.3. */
static void several_connection_fields_are_one_list(void **state UNUSED)
{
	static const char *const hops[] = {
		"Connection", "Keep-Alive",	   "Proxy-Connection", "TE",
		"Trailer",    "Transfer-Encoding", "Upgrade",	       "proxy-authorization",
	};
	static const char *const kept[] = {
		"Content-Length", "Cookie",	     "Via", "Authorization",
		"Expect",	  "X-Forwarded-For", "TE-E"};
	must_accept(HEAD "Connection: , keep-alive,\r\nX-A: 1\r\nx-a: 2\r\nX-AB: 3\r\n"
			 "connection: ,X-A ,, Close\r\n\r\n");
	assert_true(head.close);
	assert_true(head.fields[2].hop);
	assert_true(head.fields[3].hop);
	assert_false(head.fields[4].hop);
	for (size_t i = 0; i < ARRAY_LEN(hops) + ARRAY_LEN(kept); i++) {
		bool hop = i < ARRAY_LEN(hops);
		const char *name = hop ? hops[i] : kept[i - ARRAY_LEN(hops)];
		char text[256];
		bool te = strcmp(name, "Transfer-Encoding") == 0;
		bool cl = strcmp(name, "Content-Length") == 0, ex = strcmp(name, "Expect") == 0;
		snprintf(text, sizeof(text), HEAD "%s: %s\r\n\r\n", name,
			 te   ? "chunked"
			 : cl ? "5"
			 : ex ? "100-continue"
			      : "x");
		must_accept(text);
		if (head.fields[1].hop != hop)
			fail_msg("%s: %d", name, head.fields[1].hop);
		assert_false(head.fields[0].hop);
	}
}

/* Connection: close and so many names, beside fields of these names and others, so many lines in all. */
static const char *nominating(unsigned names, unsigned fields, const char *stem)
{
	static char text[16500];
	size_t n = (size_t)snprintf(text, sizeof(text), HEAD "Connection: close");
	for (unsigned i = 0; i < names; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, ", %s%02u", stem, i);
	for (unsigned i = 0; i + 2 < fields; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "\r\n%s%02u: v", stem, i);
	n += (size_t)snprintf(text + n, sizeof(text) - n, "\r\n\r\n");
	assert_true(n < sizeof(text));
	return text;
}

static void connection_names_so_many_fields_and_no_more(void **state UNUSED)
{
	must_accept(nominating(32, 40, "x-"));
	for (unsigned i = 0; i < head.count; i++)
		assert_int_equal(head.fields[i].hop, i >= 1 && i < 34);
	assert_int_equal(request(nominating(33, 40, "x-")), HTTP_PARSE_BAD);
	assert_int_equal(bad.status, 400);
	assert_string_equal(bad.reason, "too many connection options");
	/* What means nothing or is known costs none of them. */
	must_accept(HEAD
		    "Connection: close,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,\r\n"
		    "Connection: te,te,te,te,te,te,te,te,te,te,te,te,te,te,te,te,te,te,te,te,"
		    "te,te,te,te,te,te,te,te,te,te,te,te,te,te,te,te,te,te,te,te,close,close,"
		    "upgrade, keep-alive, x-a\r\nX-A: 1\r\nTE: trailers\r\n\r\n");
	assert_true(head.close && head.fields[3].hop && head.fields[4].hop);
	/* The framing is never given up, however many names stand before it. */
	assert_int_equal(request(HEAD "Connection: a, b, content-length\r\n\r\n"), HTTP_PARSE_BAD);
	assert_string_equal(bad.reason, "Connection names a framing field");
}

static int64_t parsing_ns(const char *text)
{
	int64_t best = INT64_MAX;
	for (unsigned i = 0; i < 50; i++) {
		struct timespec a, b;
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
		request(text);
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
		best = MIN(best,
			   (int64_t)(b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec);
	}
	return best;
}

/* Not more than some times what an ordinary head of that size costs, which says the same on every machine and build. */
static void no_connection_field_costs_much(void **state UNUSED)
{
	/* As long and as alike as 32 names and the fields that they mean can be in one head. */
	static const char alike[] =
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		"xxxxxxxxxxxxxxxxxxxx";
	static char tokens[16500], empties[16500];
	size_t n = (size_t)snprintf(tokens, sizeof(tokens), HEAD);
	for (unsigned i = 0; i < 96; i++)
		n += (size_t)snprintf(tokens + n, sizeof(tokens) - n, "a:\r\n");
	for (unsigned line = 0; line < 2; line++) {
		n += (size_t)snprintf(tokens + n, sizeof(tokens) - n, "Connection: b");
		for (unsigned i = 0; i < 3800; i++, n += 2)
			memcpy(tokens + n, ",b", 3);
		n += (size_t)snprintf(tokens + n, sizeof(tokens) - n, "\r\n");
	}
	snprintf(tokens + n, sizeof(tokens) - n, "\r\n");
	memcpy(empties, tokens, sizeof(empties));
	for (char *p = empties; (p = strstr(p, ",b"));)
		p[1] = ',';
	assert_int_equal(request(tokens), HTTP_PARSE_BAD);
	assert_string_equal(bad.reason, "too many connection options");
	must_accept(empties);
	int64_t ordinary = parsing_ns(nominating(0, 98, alike));
	assert_true(parsing_ns(tokens) < 30 * ordinary);
	assert_true(parsing_ns(empties) < 30 * ordinary);
	const char *worst = nominating(32, 98, alike);
	must_accept(worst);
	assert_true(parsing_ns(worst) < 30 * ordinary);
}

/* Nothing of the message before is left in a head that is used again. */
static void a_head_forgets_the_last_message(void **state UNUSED)
{
	must_accept("POST http://b/x HTTP/1.1\r\nHost: b\r\nX-A: 1\r\nExpect: 100-continue\r\n"
		    "Content-Length: 5\r\nConnection: x-a, close, upgrade\r\nUpgrade: y\r\n\r\n");
	assert_true(head.close && head.upgrade && head.expect_continue && head.fields[1].hop);
	must_accept("GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n\r\n");
	assert_false(head.close || head.upgrade || head.expect_continue);
	assert_false(head.fields[1].hop);
	assert_int_equal(head.body, HTTP_BODY_NONE);
	assert_int_equal(head.length, 0);
	assert_int_equal(head.count, 2);
	assert_false(http_has(&head, HTTP_F_CONTENT_LENGTH));
	assert_str_equal(head.authority, "a");
	must_accept("GET / HTTP/1.0\r\n\r\n");
	assert_str_equal(head.authority, "");
	assert_false(http_has(&head, HTTP_F_HOST));
}

/* RFC 9110 §10.1.1: an HTTP/1.0 client does not wait, whatever it says. */
static void an_old_client_is_not_told_to_continue(void **state UNUSED)
{
	must_accept("POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
	assert_int_equal(head.body, HTTP_BODY_LENGTH);
	assert_false(head.expect_continue);
	must_accept(HEAD "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
	assert_true(head.expect_continue);
}

static void a_third_empty_line_is_no_request(void **state UNUSED)
{
	assert_int_equal(request(""), HTTP_PARSE_MORE);
	assert_int_equal(request("G"), HTTP_PARSE_MORE);
	assert_int_equal(request("\r\n"), HTTP_PARSE_MORE);
	assert_int_equal(request("\r\n\r\n"), HTTP_PARSE_MORE);
	assert_int_equal(request("\r\n\r\nG"), HTTP_PARSE_MORE);
	assert_int_equal(request("\r\n\r\n\r"), HTTP_PARSE_BAD);
	assert_int_equal(request("\r\rG"), HTTP_PARSE_BAD);
	assert_int_equal(request("\rG"), HTTP_PARSE_BAD);
	assert_int_equal(bad.status, 400);
}

/* ---- limits by name, whole and in pieces */

static enum http_parse dripped(struct str text, const struct http_limits *limits, size_t *at)
{
	enum http_parse r = HTTP_PARSE_MORE;
	size_t scanned = 0;
	for (*at = 0; r == HTTP_PARSE_MORE && *at < text.n;) {
		++*at;
		r = http_parse_request(&head, str_of(text.p, *at), &scanned, limits, &bad);
	}
	return r;
}

static void a_limit_has_one_name_however_the_bytes_arrive(void **state UNUSED)
{
	static const struct {
		struct http_limits limits;
		const char *text;
		unsigned status; /* 0: accepted */
		const char *reason;
	} cases[] = {
		/* the request line below is 14 bytes, "X: 45678901234" too, the whole of both 43 */
		{{14, 100, 9}, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0, NULL},
		{{13, 100, 9}, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 414, "request line too long"},
		{{14, 100, 9}, "GET / HTTP/1.1\r\nHost: a\r\nX: 45678901234\r\n\r\n", 0, NULL},
		{{14, 100, 9},
		 "GET / HTTP/1.1\r\nHost: a\r\nX: 456789012345\r\n\r\n",
		 431,
		 "field line too long"},
		{{14, 100, 9},
		 "GET / HTTP/1.1\r\nHost: a\r\nX: 4567890123456\r\n\r\n",
		 431,
		 "field line too long"},
		{{14, 43, 9}, "GET / HTTP/1.1\r\nHost: a\r\nX: 45678901234\r\n\r\n", 0, NULL},
		{{14, 42, 9},
		 "GET / HTTP/1.1\r\nHost: a\r\nX: 45678901234\r\n\r\n",
		 431,
		 "head too large"},
		{{14, 100, 3}, "GET / HTTP/1.1\r\nHost: a\r\nA:1\r\nB:2\r\n\r\n", 0, NULL},
		{{14, 100, 3},
		 "GET / HTTP/1.1\r\nHost: a\r\nA:1\r\nB:2\r\nC:3\r\n\r\n",
		 431,
		 "too many fields"},
		{{14, 100, 0}, "GET / HTTP/1.0\r\n\r\n", 0, NULL},
		{{14, 100, 0}, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 431, "too many fields"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str text = str_c(cases[i].text);
		enum http_parse want = cases[i].status ? HTTP_PARSE_BAD : HTTP_PARSE_DONE;
		size_t scanned = 0, at;
		for (unsigned whole = 0; whole < 2; whole++) {
			enum http_parse r = whole ? http_parse_request(&head, text, &scanned,
								       &cases[i].limits, &bad)
						  : dripped(text, &cases[i].limits, &at);
			if (r != want)
				fail_msg("case %zu: %d", i, r);
			if (r == HTTP_PARSE_BAD) {
				assert_int_equal(bad.status, cases[i].status);
				assert_string_equal(bad.reason, cases[i].reason);
			} else {
				assert_int_equal(head.size, text.n);
				assert_true(whole || at == text.n);
			}
		}
	}
}

/* However the bytes come: a line that is whole and too long is refused though the head goes on. */
static void a_limit_is_the_same_for_whole_lines(void **state UNUSED)
{
	struct http_limits limits = {.line = 20, .head = 100, .fields = 9};
	static const char field[] = "GET / HTTP/1.1\r\nX: 45678901234567890123\r\nHost";
	size_t scanned = 0;
	assert_int_equal(http_parse_request(&head, str_c(field), &scanned, &limits, &bad),
			 HTTP_PARSE_BAD);
	assert_int_equal(bad.status, 431);
	assert_string_equal(bad.reason, "field line too long");
}

/* What comes before the end of a line that is too long decides: no more than that is waited for. */
static void a_limit_is_felt_before_the_end(void **state UNUSED)
{
	struct http_limits limits = {.line = 20, .head = 60, .fields = 9};
	static const char field[] = "GET / HTTP/1.1\r\nHost: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	static const char whole[] =
		"GET / HTTP/1.1\r\nA: 123456789\r\nB: 123456789\r\nC: 123456789\r\nD:12";
	size_t at;
	assert_int_equal(dripped(STR("GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), &limits, &at),
			 HTTP_PARSE_BAD);
	assert_int_equal(bad.status, 414);
	assert_int_equal(at, 22);
	/* The line is whole and one byte too long, the head is not there yet. */
	size_t scanned = 0;
	assert_int_equal(http_parse_request(&head, STR("GET /aaaaaaa HTTP/1.1\r\nHo"), &scanned,
					    &limits, &bad),
			 HTTP_PARSE_BAD);
	assert_int_equal(bad.status, 414);
	assert_int_equal(dripped(str_c(field), &limits, &at), HTTP_PARSE_BAD);
	assert_int_equal(bad.status, 431);
	assert_string_equal(bad.reason, "field line too long");
	assert_int_equal(at, 16 + 22);
	assert_int_equal(dripped(str_c(whole), &limits, &at), HTTP_PARSE_BAD);
	assert_int_equal(bad.status, 431);
	assert_string_equal(bad.reason, "head too large");
	assert_int_equal(at, 61);
}

/* No configuration makes room for more fields than a head has. */
static void a_hundred_fields_are_the_most_there_can_be(void **state UNUSED)
{
	struct http_limits limits = {.line = 8190, .head = 16000, .fields = 1000};
	for (unsigned n = 99; n <= 100; n++) {
		size_t scanned = 0;
		enum http_parse r = http_parse_request(&head, str_c(of_size(20, n, 10)), &scanned,
						       &limits, &bad);
		assert_int_equal(r, n == 99 ? HTTP_PARSE_DONE : HTTP_PARSE_BAD);
		if (r == HTTP_PARSE_DONE)
			assert_int_equal(head.count, HTTP_FIELDS_MAX);
	}
	assert_int_equal(bad.status, 431);
	assert_string_equal(bad.reason, "too many fields");
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
		cmocka_unit_test(each_byte_is_taken_where_it_belongs),
		cmocka_unit_test(a_value_is_what_stands_between_the_white_space),
		cmocka_unit_test(any_token_is_a_method),
		cmocka_unit_test(an_authority_is_a_host_and_perhaps_a_port),
		cmocka_unit_test(an_absolute_target_names_the_authority),
		cmocka_unit_test(versions_beyond_ours_are_refused_by_number),
		cmocka_unit_test(several_connection_fields_are_one_list),
		cmocka_unit_test(connection_names_so_many_fields_and_no_more),
		cmocka_unit_test(no_connection_field_costs_much),
		cmocka_unit_test(a_head_forgets_the_last_message),
		cmocka_unit_test(an_old_client_is_not_told_to_continue),
		cmocka_unit_test(a_third_empty_line_is_no_request),
		cmocka_unit_test(a_limit_has_one_name_however_the_bytes_arrive),
		cmocka_unit_test(a_limit_is_the_same_for_whole_lines),
		cmocka_unit_test(a_limit_is_felt_before_the_end),
		cmocka_unit_test(a_hundred_fields_are_the_most_there_can_be),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
