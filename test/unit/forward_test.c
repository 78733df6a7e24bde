// SPDX-License-Identifier: MIT
// TEST-OF: lb
/* Heads as they go on: whole texts in, whole texts out. And the access log's line. */
#include "forward.h"

#include <stdio.h>

#include "access_log.h"
#include "http/forwarded.h"
#include "http/parse.h"
#include "unit.h"

static struct http_head head;
static struct arena arena;
static struct conf_pool conf_pool;
static struct lb_pool pool = {.conf = &conf_pool};
static struct addr peer, server;

static int setup(void **state UNUSED)
{
	arena_init(&arena, NULL, 0, 1 << 20);
	conf_pool = (struct conf_pool){0};
	addr_parse(&peer, STR("10.0.0.7:4411"), 0, NULL);
	addr_parse(&server, STR("192.168.1.171:6081"), 0, NULL);
	return 0;
}

static int teardown(void **state UNUSED)
{
	arena_fini(&arena);
	return 0;
}

static const char *request_of(const char *text, unsigned flags, bool forwarded_for)
{
	struct http_limits limits = HTTP_LIMITS_DEFAULT;
	struct http_bad bad = {0, ""};
	size_t scanned = 0;
	assert_int_equal(http_parse_request(&head, str_c(text), &scanned, &limits, &bad),
			 HTTP_PARSE_DONE);
	http_forwarded_filter(&head, flags);
	struct str s = forward_request(&arena, &pool, &head, &peer, forwarded_for);
	return arena_str(&arena, s).p;
}

static const char *request(const char *text)
{
	return request_of(text, 0, true);
}

/* What we say of the client. */
#define WE_SAY(proto, host)                                                                        \
	"X-Forwarded-For: 10.0.0.7\r\nX-Forwarded-Proto: " proto "\r\nX-Forwarded-Host: " host     \
	"\r\nVia: 1.1 lbd\r\n"

static void requests(void **state UNUSED)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"GET /a?b HTTP/1.1\r\nHost: pi\r\nX-A:  v \r\n\r\n",
		 "X-A: v\r\n" WE_SAY("http", "pi")},
		{"GET / HTTP/1.1\r\nHost: pi\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nTE: "
		 "trailers\r\nUpgrade: h2c\r\nProxy-Connection: x\r\n\r\n",
		 WE_SAY("http", "pi")},
		{"GET http://Pi:80/x HTTP/1.1\r\nHost: Pi:80\r\n\r\n", WE_SAY("http", "Pi:80")},
		{"GET / HTTP/1.0\r\n\r\n",
		 "X-Forwarded-For: 10.0.0.7\r\nX-Forwarded-Proto: http\r\nVia: 1.0 lbd\r\n"},
		{"POST / HTTP/1.1\r\nHost: pi\r\nContent-Length: 05, 5\r\nExpect: 100-continue\r\n\r\n",
		 "Expect: 100-continue\r\n" WE_SAY("http", "pi")},
		{"POST / HTTP/1.1\r\nHost: pi\r\nTransfer-Encoding: chunked\r\n\r\n",
		 WE_SAY("http", "pi")},
		{"GET / HTTP/1.1\r\nHost: pi\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Host: evil\r\n"
		 "X-Forwarded-Proto: https\r\nForwarded: for=x\r\nX_Real_IP: 1\r\n\r\n",
		 WE_SAY("http", "pi")},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(request(cases[i].in), cases[i].out);
}

/* What it says stands; its own address is added to the chain, and what it leaves open. */
static void requests_of_a_trusted_peer(void **state UNUSED)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"GET / HTTP/1.1\r\nHost: pi\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Host: shop\r\n"
		 "X-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\n\r\n",
		 "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Host: shop\r\n"
		 "X-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\nX-Forwarded-For: "
		 "10.0.0.7\r\nVia: 1.1 lbd\r\n"},
		{"GET / HTTP/1.1\r\nHost: pi\r\nX-Forwarded-Proto: https\r\n\r\n",
		 "X-Forwarded-Proto: https\r\nX-Forwarded-For: "
		 "10.0.0.7\r\nX-Forwarded-Host: pi\r\nVia: 1.1 lbd\r\n"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(request_of(cases[i].in, HTTP_FORWARDED_TRUSTED, true),
				    cases[i].out);
}

static void forwarded_for_may_be_left_to_others(void **state UNUSED)
{
	static const char in[] = "GET / HTTP/1.1\r\nHost: pi\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n";
	assert_string_equal(request_of(in, 0, false), "X-Forwarded-Proto: http\r\n"
						      "X-Forwarded-Host: pi\r\nVia: 1.1 lbd\r\n");
	assert_string_equal(request_of(in, HTTP_FORWARDED_TRUSTED, false),
			    "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: http\r\n"
			    "X-Forwarded-Host: pi\r\nVia: 1.1 lbd\r\n");
}

/* The host goes on a second time, however long it is. */
static void a_long_host_finds_room(void **state UNUSED)
{
	char host[4001], in[4100];
	memset(host, 'h', sizeof(host) - 1);
	host[sizeof(host) - 1] = '\0';
	snprintf(in, sizeof(in), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host);
	assert_non_null(strstr(request(in), "X-Forwarded-Host: hhhh"));
}

static void responses(void **state UNUSED)
{
	static const char in[] =
		"HTTP/1.0 404 Gone Fishing\r\nServer: x\r\nConnection: X-Hop\r\nX-Hop: 1\r\n"
		"Content-Length: 007\r\nSet-Cookie: a=b\r\nKeep-Alive: 5\r\n\r\n";
	struct http_limits limits = HTTP_LIMITS_DEFAULT;
	struct http_bad bad;
	size_t scanned = 0;
	char flag;
	assert_int_equal(http_parse_response(&head, str_c(in), &scanned, &limits, HTTP_GET, &bad),
			 HTTP_PARSE_DONE);
	struct str s = forward_response(&arena, &pool, &head, STR("a1"),
					(struct sticky_match){.server = -1, .flag = '-'}, &flag);
	assert_string_equal(arena_str(&arena, s).p, "Server: x\r\nSet-Cookie: a=b\r\n");
	assert_int_equal(flag, '-');
}

static void too_small_an_arena_says_so(void **state UNUSED)
{
	struct arena small;
	request("GET / HTTP/1.1\r\nHost: pi\r\n\r\n");
	arena_init(&small, NULL, 0, 64);
	assert_null(forward_request(&small, &pool, &head, &peer, true).p);
	arena_fini(&small);
}

static void log_lines(void **state UNUSED)
{
	struct access_log log = {.stamped_s = -1};
	char line[512];
	struct access_entry e = {.peer = &peer,
				 .frontend = STR("web"),
				 .pool = STR("edges"),
				 .server = STR("web1"),
				 .connect_ms = 2,
				 .response_ms = 3,
				 .total_ms = 6,
				 .request_ms = 1,
				 .status = 200,
				 .bytes = 1234,
				 .termination_state = "--VN",
				 .active = 9,
				 .frontend_active = 8,
				 .pool_active = 7,
				 .server_active = 6,
				 .retries = 1,
				 .redispatched = true,
				 .method = STR("GET"),
				 .target = STR("/a\"b\x01"),
				 .minor = 1};
	setenv("TZ", "UTC", 1);
	size_t n = access_log_format(&log, &e, INT64_C(1700000000123456), line, sizeof(line));
	line[n] = '\0';
	assert_string_equal(
		line,
		"10.0.0.7:4411 [14/Nov/2023:22:13:20.123] web edges/web1 1/0/2/3/6 200 1234 - - "
		"--VN 9/8/7/6/+1 0/0 \"GET /a#22b#01 HTTP/1.1\"\n");
	e.method = STR("");
	e.target = STR("<BADREQ>");
	e.redispatched = false;
	e.status = -1;
	n = access_log_format(&log, &e, INT64_C(1700000000123456), line, sizeof(line));
	line[n] = '\0';
	assert_non_null(strstr(line, " -1 1234 - - --VN 9/8/7/6/1 0/0 \"<BADREQ>\"\n"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(requests),
		T(requests_of_a_trusted_peer),
		T(forwarded_for_may_be_left_to_others),
		T(a_long_host_finds_room),
		T(responses),
		T(too_small_an_arena_says_so),
		T(log_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
