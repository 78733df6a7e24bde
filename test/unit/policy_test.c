// SPDX-License-Identifier: MIT
// TEST-OF: edge
/* What may be stored and for how long (RFC 9111), what varies, what is a key, what is 304: tables. */
#include "policy.h"

#include <stdio.h>

#include "base/clock.h"
#include "cond.h"
#include "http/forwarded.h"
#include "http/parse.h"
#include "key.h"
#include "unit.h"
#include "vary.h"

#define WALL 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */
#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
#define NOW  (INT64_C(1000) * CLOCK_SECOND)

static const struct policy_conf conf = {.default_ttl_s = 120, .grace_s = 10, .keep_s = 86400};

static struct http_head *request_of(struct http_head *h, const char *fields, unsigned flags)
{
	static char texts[4][2048];
	static unsigned turn;
	char *text = texts[turn++ % 4];
	struct http_limits limits = HTTP_LIMITS_DEFAULT;
	struct http_bad bad = {0, ""};
	size_t scanned = 0;
	snprintf(text, 2048, "GET /p?q HTTP/1.1\r\nHost: Pi.Example:80\r\n%s\r\n", fields);
	http_parse_request(h, str_c(text), &scanned, &limits, &bad);
	assert_string_equal(bad.reason, "");
	http_forwarded_filter(h, flags);
	return h;
}

/* From a stranger. */
static struct http_head *parse_request(struct http_head *h, const char *fields)
{
	return request_of(h, fields, HTTP_FORWARDED_CACHED);
}

static struct http_head *parse_response(struct http_head *h, int status, const char *fields)
{
	static char texts[4][2048];
	static unsigned turn;
	char *text = texts[turn++ % 4];
	struct http_limits limits = HTTP_LIMITS_DEFAULT;
	struct http_bad bad = {0, ""};
	size_t scanned = 0;
	snprintf(text, 2048, "HTTP/1.1 %d X\r\n%s\r\n", status, fields);
	http_parse_response(h, str_c(text), &scanned, &limits, HTTP_GET, &bad);
	assert_string_equal(bad.reason, "");
	return h;
}

static void lifetimes(void **state UNUSED)
{
	static const struct {
		int status;
		const char *fields;
		int lifetime; /* -1: not stored */
	} cases[] = {
		{200, "", 120},
		{200, "Cache-Control: max-age=60\r\n", 60},
		{200, "Cache-Control: max-age=60, s-maxage=600\r\n", 600},
		{200, "Cache-Control: MAX-AGE=\"60\"\r\n", 60},
		{200, "Cache-Control: max-age=60\r\nCache-Control: max-age=30\r\n", 30},
		{200, "Cache-Control: max-age=99999999999999999999\r\n", 2147483647},
		{200, "Cache-Control: max-age=-1\r\nETag: \"e\"\r\n", 0},
		{200, "Cache-Control: max-age=1.5\r\nETag: \"e\"\r\n", 0},
		{200, "Cache-Control: max-age=0\r\n", -1},
		{200, "Cache-Control: max-age=0\r\nETag: \"e\"\r\n", 0},
		{200, "Cache-Control: x=\"no-store, max-age=5\"\r\n", 120},
		{200, "Cache-Control: no-store, max-age=60\r\n", -1},
		{200, "Cache-Control: private\r\n", -1},
		{200, "Cache-Control: private=\"x\", max-age=60\r\n", -1},
		{200, "Cache-Control: no-cache\r\n", -1},
		{200, "Cache-Control: no-cache\r\nETag: \"e\"\r\n", 120},
		{200, DATE "Expires: Sun, 06 Nov 1994 08:50:37 GMT\r\n", 60},
		{200, DATE "Expires: Sun, 06 Nov 1994 08:50:37 GMT\r\nCache-Control: max-age=5\r\n",
		 5},
		{200, DATE "Expires: 0\r\nETag: \"e\"\r\n", 0},
		{200, DATE "Expires: 0\r\n", -1},
		{200,
		 DATE
		 "Expires: Sun, 06 Nov 1994 08:50:37 GMT\r\nExpires: Sun, 06 Nov 1994 08:50:37 GMT\r\n",
		 -1},
		{200, DATE "Last-Modified: Sun, 06 Nov 1994 08:33:57 GMT\r\n", 94},
		{200, DATE "Last-Modified: Sun, 06 Nov 1904 08:33:57 GMT\r\n", 86400},
		{200, "Set-Cookie: a=b\r\nCache-Control: max-age=60\r\n", -1},
		{200, "Vary: *\r\nCache-Control: max-age=60\r\n", -1},
		{200, "Vary: A, *\r\n", -1},
		{200, "Vary: A, X-Forwarded-For\r\nCache-Control: max-age=60\r\n", -1},
		{206, "Cache-Control: max-age=60\r\n", -1},
		{304, "Cache-Control: max-age=60\r\n", -1},
		{302, "", -1},
		{302, "Cache-Control: max-age=60\r\n", 60},
		{404, "", 30},
		{404, "Cache-Control: max-age=60\r\n", 60},
		{500, "", -1},
		{503, "Cache-Control: max-age=7\r\n", 7},
		{599, "Cache-Control: public\r\nETag: \"e\"\r\n", 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_head request, response;
		struct freshness f;
		const char *why;
		char fields[512];
		snprintf(fields, sizeof(fields), "Content-Length: 1\r\n%s", cases[i].fields);
		bool stored = policy_store(&conf, parse_request(&request, ""),
					   parse_response(&response, cases[i].status, fields), NOW,
					   0, WALL, &f, &why);
		if (stored != (cases[i].lifetime >= 0) ||
		    (stored && f.lifetime_s != (uint32_t)cases[i].lifetime))
			fail_msg("%d %s: stored %d for %u, %s", cases[i].status, cases[i].fields,
				 stored, stored ? f.lifetime_s : 0, why ? why : "");
	}
}

static void authorised_answers_need_leave(void **state UNUSED)
{
	static const struct {
		const char *cache_control;
		bool stored;
	} cases[] = {{"max-age=60", false},
		     {"public, max-age=60", true},
		     {"s-maxage=60", true},
		     {"must-revalidate, max-age=60", true}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_head request, response;
		struct freshness f;
		const char *why;
		char fields[128];
		snprintf(fields, sizeof(fields), "Content-Length: 1\r\nCache-Control: %s\r\n",
			 cases[i].cache_control);
		assert_int_equal(
			policy_store(
				&conf, parse_request(&request, "Authorization: Basic eDp5\r\n"),
				parse_response(&response, 200, fields), NOW, 0, WALL, &f, &why),
			cases[i].stored);
	}
}

static void a_body_until_close_is_not_kept(void **state UNUSED)
{
	struct http_head request, response;
	struct freshness f;
	const char *why;
	assert_false(policy_store(&conf, parse_request(&request, ""),
				  parse_response(&response, 200, "Cache-Control: max-age=60\r\n"),
				  NOW, 0, WALL, &f, &why));
	assert_string_equal(why, "no certain end");
}

static void ages_and_uses(void **state UNUSED)
{
	struct freshness f = {
		.received_us = NOW, .age_s = 5, .lifetime_s = 60, .grace_s = 10, .keep_s = 100};
	assert_int_equal(policy_age_s(&f, NOW), 5);
	assert_int_equal(policy_age_s(&f, NOW + 54 * CLOCK_SECOND), 59);
	assert_int_equal(policy_use(&f, NOW + 54 * CLOCK_SECOND), POLICY_FRESH);
	assert_int_equal(policy_use(&f, NOW + 55 * CLOCK_SECOND), POLICY_GRACE);
	assert_int_equal(policy_use(&f, NOW + 65 * CLOCK_SECOND), POLICY_VALIDATE);
	assert_true(policy_use_on_error(&f, NOW + 155 * CLOCK_SECOND));
	assert_false(policy_use_on_error(&f, NOW + 156 * CLOCK_SECOND));
	f.flags = STORE_MUST_REVALIDATE;
	assert_int_equal(policy_use(&f, NOW + 55 * CLOCK_SECOND), POLICY_VALIDATE);
	assert_false(policy_use_on_error(&f, NOW + 56 * CLOCK_SECOND));
	f.flags = STORE_NO_CACHE;
	assert_int_equal(policy_use(&f, NOW), POLICY_VALIDATE);
}

static void windows_come_from_the_response(void **state UNUSED)
{
	struct http_head request, response;
	struct freshness f;
	const char *why;
	parse_request(&request, "");
	assert_true(policy_store(
		&conf, &request,
		parse_response(&response, 200,
			       "Content-Length: 1\r\nAge: 7, 9\r\nCache-Control: max-age=60, "
			       "stale-while-revalidate=33, stale-if-error=44\r\n"),
		NOW, 2 * CLOCK_SECOND, WALL, &f, &why));
	assert_int_equal(f.age_s, 9);
	assert_int_equal(f.grace_s, 33);
	assert_int_equal(f.keep_s, 44);
	assert_true(
		policy_store(&conf, &request,
			     parse_response(&response, 200,
					    "Content-Length: 1\r\nCache-Control: s-maxage=60\r\n"),
			     NOW, 0, WALL, &f, &why));
	assert_int_equal(f.grace_s, 0);
	assert_int_equal(f.flags, STORE_MUST_REVALIDATE);
}

static void variants(void **state UNUSED)
{
	static const struct {
		const char *vary, *stored_for, *asked;
		bool same;
	} cases[] = {
		{"Vary: X\r\n", "X: a\r\n", "X: a\r\n", true},
		{"Vary: X\r\n", "X: a\r\n", "X: b\r\n", false},
		{"Vary: X\r\n", "X: a\r\n", "X: ab\r\n", false},
		{"Vary: X\r\n", "", "X: a\r\n", false},
		{"Vary: X\r\n", "X: a\r\n", "", false},
		{"Vary: X\r\n", "X: a\r\nX: b\r\n", "x: a\r\nx: b\r\n", true},
		{"Vary: X\r\n", "X: a, b\r\n", "X: a\r\nX: b\r\n", true},
		{"Vary: X, Y\r\n", "X: a\r\nY: b\r\n", "Y: b\r\nX: a\r\n", true},
		{"Vary: X\r\nVary: Y\r\n", "X: a\r\nY: b\r\n", "X: a\r\n", false},
		{"Vary: Accept-Encoding\r\n", "Accept-Encoding: gzip, br\r\n",
		 "Accept-Encoding: gzip\r\n", true},
		{"Vary: Accept-Encoding\r\n", "Accept-Encoding: gzip\r\n",
		 "Accept-Encoding: gzip;q=0\r\n", false},
		{"Vary: Accept-Encoding\r\n", "", "Accept-Encoding: br\r\n", true},
		{"", "X: a\r\n", "X: b\r\n", true},
		/* What the origin is not sent does not tell requests apart, ... */
		{"Vary: Cookie\r\n", "Cookie: _ga=1\r\n", "Cookie: _ga=2\r\n", true},
		{"Vary: Cookie, X\r\n", "Cookie: _ga=1\r\nX: a\r\n", "X: b\r\n", false},
		{"Vary: Range, If-None-Match\r\n", "Range: bytes=0-\r\n",
		 "If-None-Match: \"a\"\r\n", true},
		{"Vary: X-Forwarded-Host, X-Real-IP\r\n", "X-Forwarded-Host: a\r\nX-Real-IP: 1\r\n",
		 "", true},
		{"Vary: Accept-Language\r\n",
		 "Connection: Accept-Language\r\nAccept-Language: de\r\n",
		 "Accept-Language: de\r\n", false},
		{"Vary: Accept-Language\r\n",
		 "Connection: Accept-Language\r\nAccept-Language: de\r\n", "", true},
		{"Vary: Accept-Encoding\r\n",
		 "Connection: Accept-Encoding\r\nAccept-Encoding: gzip\r\n",
		 "Accept-Encoding: gzip\r\n", false},
		{"Vary: TE\r\n", "TE: trailers\r\n", "", true},
		/* ... nor what is the same for all of one key. */
		{"Vary: Host\r\n", "", "", true},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_head stored, response, asked;
		struct arena a;
		arena_init(&a, NULL, 0, 4096);
		struct str data = vary_data(&a, parse_request(&stored, cases[i].stored_for),
					    parse_response(&response, 200, cases[i].vary));
		assert_non_null(data.p);
		if (vary_match(data, parse_request(&asked, cases[i].asked)) != cases[i].same)
			fail_msg("case %zu: %s %s / %s", i, cases[i].vary, cases[i].stored_for,
				 cases[i].asked);
		arena_fini(&a);
	}
}

static void keys(void **state UNUSED)
{
	static const struct {
		const char *fields, *bytes, *asked;
		bool tls;
	} cases[] = {
		{"", "pi.example/p?q", "pi.example", false},
		{"X-Forwarded-Proto: https\r\n", "https://pi.example/p?q", "pi.example", true},
		{"X-Forwarded-Proto: https, http\r\n", "https://pi.example/p?q", "pi.example",
		 true},
		{"X-Forwarded-Proto: http\r\nX-Forwarded-Proto: https\r\n", "pi.example/p?q",
		 "pi.example", false},
		{"Connection: X-Forwarded-Proto\r\nX-Forwarded-Proto: https\r\n", "pi.example/p?q",
		 "pi.example", false},
		{"X_Forwarded_Proto: https\r\n", "pi.example/p?q", "pi.example", false},
		{"X-Forwarded-Host: PI.example.\r\n", "pi.example/p?q", "pi.example", false},
		{"X-Forwarded-Host: Shop.:80, pi.example\r\n", "shop|pi.example/p?q", "shop",
		 false},
		{"X-Forwarded-Host: shop\r\nX-Forwarded-Proto: https\r\n",
		 "https://shop|pi.example/p?q", "shop", true},
		{"X-Forwarded-Host: a/b|c\r\n", "pi.example/p?q", "pi.example", false},
		{"X-Forwarded-Host: .\r\n", "pi.example/p?q", "pi.example", false},
	};
	struct http_head h;
	struct arena a;
	arena_init(&a, NULL, 0, 65536);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct key k = key_of(&a, request_of(&h, cases[i].fields, HTTP_FORWARDED_TRUSTED));
		assert_str_equal(k.bytes, cases[i].bytes);
		assert_str_equal(k.host, "pi.example");
		assert_str_equal(k.asked, cases[i].asked);
		assert_int_equal(k.tls, cases[i].tls);
		/* A stranger has no say. */
		k = key_of(&a, parse_request(&h, cases[i].fields));
		assert_str_equal(k.bytes, "pi.example/p?q");
		assert_str_equal(k.asked, "pi.example");
		assert_false(k.tls);
	}
	parse_request(&h, "");
	h.authority = STR("A.b.:8080");
	assert_str_equal(key_of(&a, &h).host, "a.b.:8080");
	h.authority = STR("A.b.");
	assert_str_equal(key_of(&a, &h).host, "a.b");
	/* No host of one scheme is a host of the other. */
	h.authority = STR("https:443");
	assert_str_equal(key_of(&a, &h).bytes, "https:443/p?q");
	h.authority = STR("https:");
	assert_str_equal(key_of(&a, &h).bytes, "https/p?q");
	arena_fini(&a);
}

static void bypasses(void **state UNUSED)
{
	static struct str words[] = {{"session_", 8}, {"user", 4}};
	const struct edge_settings some = {.bypass_cookies = {words, 2}};
	static struct str star[] = {{"*", 1}};
	const struct edge_settings any = {.bypass_cookies = {star, 1}};
	struct http_head h;
	const char *why;
	assert_false(key_bypass(&some, parse_request(&h, ""), &why));
	assert_false(key_bypass(&some, parse_request(&h, "Cookie: a=b; xuser=1\r\n"), &why));
	assert_true(key_bypass(&some, parse_request(&h, "Cookie: a=b; session_77=1\r\n"), &why));
	assert_string_equal(why, "fwd=bypass");
	assert_true(key_bypass(&any, parse_request(&h, "Cookie: a=b\r\n"), &why));
	assert_false(key_bypass(&any, parse_request(&h, ""), &why));
	/* A cookie that the origin does not see is no login. */
	assert_false(key_bypass(
		&some, parse_request(&h, "Connection: Cookie\r\nCookie: session_77=1\r\n"), &why));
	assert_true(key_bypass(&some, parse_request(&h, "Cache-Control: no-store\r\n"), &why));
	assert_false(key_bypass(&some, parse_request(&h, "Cache-Control: no-cache\r\n"), &why));
	assert_true(key_bypass(&some, parse_request(&h, "Content-Length: 3\r\n"), &why));
	h.method = HTTP_POST;
	assert_true(key_bypass(&some, &h, &why));
	assert_string_equal(why, "fwd=method");
}

static void conditions(void **state UNUSED)
{
	static const struct {
		const char *request, *stored;
		bool not_modified;
	} cases[] = {
		{"If-None-Match: \"a\"\r\n", "ETag: \"a\"\r\n", true},
		{"If-None-Match: \"b\", \"a\"\r\n", "ETag: \"a\"\r\n", true},
		{"If-None-Match: W/\"a\"\r\n", "ETag: \"a\"\r\n", true},
		{"If-None-Match: \"a\"\r\n", "ETag: W/\"a\"\r\n", true},
		{"If-None-Match: *\r\n", "ETag: \"a\"\r\n", true},
		{"If-None-Match: \"b\"\r\n", "ETag: \"a\"\r\n", false},
		{"If-None-Match: \"b\"\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
		 "ETag: \"a\"\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n", false},
		{"If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
		 "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n", true},
		{"If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n",
		 "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n", false},
		{"If-Modified-Since: yesterday\r\n",
		 "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n", false},
		{"If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", DATE, true},
		{"", "ETag: \"a\"\r\n", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_head request, stored;
		assert_int_equal(cond_not_modified(parse_request(&request, cases[i].request),
						   parse_response(&stored, 200, cases[i].stored),
						   WALL + 100),
				 cases[i].not_modified);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lifetimes),
		cmocka_unit_test(authorised_answers_need_leave),
		cmocka_unit_test(a_body_until_close_is_not_kept),
		cmocka_unit_test(ages_and_uses),
		cmocka_unit_test(windows_come_from_the_response),
		cmocka_unit_test(variants),
		cmocka_unit_test(keys),
		cmocka_unit_test(bypasses),
		cmocka_unit_test(conditions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
