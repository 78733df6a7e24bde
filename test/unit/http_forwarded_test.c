// SPDX-License-Identifier: MIT
/* Which fields about the client go on: by the peer, the hop and the method; what is said of it then. */
#include "unit.h"

#include <stdio.h>

#include "http/forwarded.h"
#include "http/parse.h"

#define TRUSTED HTTP_FORWARDED_TRUSTED
#define CACHED	HTTP_FORWARDED_CACHED

static struct http_head head;

static struct http_head *request(const char *method, const char *fields)
{
	static char text[4096];
	struct http_limits limits = HTTP_LIMITS_DEFAULT;
	struct http_bad bad = {0, ""};
	size_t scanned = 0;
	snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: a\r\n%s\r\n", method, fields);
	http_parse_request(&head, str_c(text), &scanned, &limits, &bad);
	assert_string_equal(bad.reason, "");
	return &head;
}

/* Does a field of that name go on? */
static bool goes_on(const char *method, const char *name, unsigned flags)
{
	char fields[256];
	snprintf(fields, sizeof(fields), "X-Before: 1\r\n%s: x\r\nX-After: 1\r\n", name);
	http_forwarded_filter(request(method, fields), flags);
	assert_non_null(http_find(&head, STR("X-Before")));
	assert_non_null(http_find(&head, STR("X-After")));
	return http_find(&head, str_c(name));
}

static void which_fields_go_on(void **state UNUSED)
{
	/* ' ' never, 't' from trusted peers, 'c' from those, but not for a cache, '*' from all */
	static const struct {
		const char *name;
		char get, post;
	} cases[] = {
		{"X-Forwarded-For", 't', 't'},
		{"X-Forwarded-Host", 't', 't'},
		{"x-forwarded-proto", 't', 't'},
		{"X-FORWARDED-PORT", 't', 't'},
		{"X-Forwarded-Server", 't', 't'},
		{"X-Forwarded-Scheme", 't', 't'},
		{"X-Forwarded-Prefix", 't', 't'},
		{"X-Forwarded-Ssl", 't', 't'},
		{"X-Forwarded-Something-That-Nobody-Has-Heard-Of", 't', 't'},
		{"X-Forwarded-", 't', 't'},
		{"Forwarded", 't', 't'},
		{"X-Real-IP", 't', 't'},
		{"X-Host", 't', 't'},
		{"X-Original-Host", 't', 't'},
		{"X-URL-Scheme", 't', 't'},
		{"Front-End-Https", 't', 't'},
		{"X-Client-IP", 't', 't'},
		{"X-Cluster-Client-IP", 't', 't'},
		{"Client-IP", 't', 't'},
		{"True-Client-IP", 't', 't'},
		{"CF-Connecting-IP", 't', 't'},
		{"X-Original-URL", 'c', 't'},
		{"X-Rewrite-URL", 'c', 't'},
		{"Proxy", 'c', 't'},
		{"X-HTTP-Method", 'c', '*'},
		{"X-HTTP-Method-Override", 'c', '*'},
		{"x-method-override", 'c', '*'},
		{"X_Forwarded_For", ' ', ' '},
		{"X-Forwarded_Proto", ' ', ' '},
		{"x_forwarded-Whatever", ' ', ' '},
		{"X.Forwarded.Host", ' ', ' '},
		{"X_Real_IP", ' ', ' '},
		{"X-Original_URL", ' ', ' '},
		{"X_HTTP_Method_Override", ' ', ' '},
		{"Client_IP", ' ', ' '},
		{"X-Forwarded", '*', '*'},
		{"X-Forwarde-For", '*', '*'},
		{"X-Requested-With", '*', '*'},
		{"X_Requested_With", '*', '*'},
		{"X-WP-Nonce", '*', '*'},
		{"Forwarded-For", '*', '*'},
		{"Proxy-", '*', '*'},
		{"Prox", '*', '*'},
		{"X", '*', '*'},
		{"x-http-method-overridex", '*', '*'},
		{"X-A-Name-As-Long-As-The-Longest-And-More", '*', '*'},
		{"Cookie", '*', '*'},
		{"From", '*', '*'},
		{"Accept", '*', '*'},
		{"Traceparent", '*', '*'},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (unsigned flags = 0; flags <= (TRUSTED | CACHED); flags++) {
			static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "POST",
							      "BREW"};
			for (size_t m = 0; m < ARRAY_LEN(methods); m++) {
				char rule = m < 3 ? cases[i].get : cases[i].post;
				bool trusted = flags & TRUSTED;
				bool cached = (flags & CACHED) && m < 2;
				bool want = rule == '*' || (rule == 't' && trusted) ||
					    (rule == 'c' && trusted && !cached);
				if (goes_on(methods[m], cases[i].name, flags) != want)
					fail_msg("%s %s, flags %u: want %d", methods[m],
						 cases[i].name, flags, want);
			}
		}
	}
}

/* The head is the request as it is forwarded, by whichever function it is read. */
static void what_is_left_is_whole(void **state UNUSED)
{
	static const char fields[] =
		"X-Forwarded-For: 1\r\nCookie: a\r\nX-Forwarded-For: 2\r\nX-Mine: 3\r\nCookie: b\r\n"
		"Connection: x-mine, x-forwarded-proto\r\nX-Forwarded-Proto: https\r\nTE: trailers\r\n"
		"Accept-Language: de\r\n";
	unsigned i = 0;
	http_forwarded_filter(request("GET", fields), 0);
	assert_int_equal(head.count, 6);
	assert_false(http_has(&head, HTTP_F_X_FORWARDED_FOR));
	assert_false(http_has(&head, HTTP_F_X_FORWARDED_PROTO));
	assert_null(http_find(&head, STR("X-Mine")));
	assert_str_equal(http_next(&head, HTTP_F_COOKIE, &i)->value, "a");
	assert_str_equal(http_next(&head, HTTP_F_COOKIE, &i)->value, "b");
	assert_null(http_next(&head, HTTP_F_COOKIE, &i));
	assert_str_equal(http_get(&head, HTTP_F_HOST), "a");
	assert_str_equal(http_get(&head, HTTP_F_ACCEPT_LANGUAGE), "de");
	/* Fields of one connection by their name are still there to be read, and are not forwarded. */
	assert_str_equal(http_get(&head, HTTP_F_TE), "trailers");
	assert_true(head.fields[head.first[HTTP_F_TE] - 1].hop);
	/* What Connection names is taken from a trusted peer too. */
	http_forwarded_filter(request("GET", fields), TRUSTED);
	assert_false(http_has(&head, HTTP_F_X_FORWARDED_PROTO));
	assert_str_equal(http_get(&head, HTTP_F_X_FORWARDED_FOR), "1");
	http_forwarded_filter(request("GET", "Connection: Cookie\r\nCookie: a\r\n"), 0);
	assert_false(http_has(&head, HTTP_F_COOKIE));
	assert_int_equal(head.first[HTTP_F_UNKNOWN], 0);
}

static void what_a_trusted_peer_said(void **state UNUSED)
{
	static const struct {
		const char *fields;
		bool tls;
		const char *host;
	} cases[] = {
		{"", false, ""},
		{"X-Forwarded-Proto: https\r\n", true, ""},
		{"X-Forwarded-Proto: HTTPS\r\n", true, ""},
		{"X-Forwarded-Proto: https, http\r\n", true, ""},
		{"X-Forwarded-Proto: http, https\r\n", false, ""},
		{"X-Forwarded-Proto: http\r\nX-Forwarded-Proto: https\r\n", false, ""},
		{"X-Forwarded-Proto: https2\r\n", false, ""},
		{"X-Forwarded-Host: Pi.test:8080\r\n", false, "Pi.test:8080"},
		{"X-Forwarded-Host: [::1]:80\r\n", false, "[::1]:80"},
		{"X-Forwarded-Host: a.test, b.test\r\n", false, "a.test"},
		{"X-Forwarded-Host: a.test\r\nX-Forwarded-Host: b.test\r\n", false, "a.test"},
		{"X-Forwarded-Host: a.test/x\r\n", false, ""},
		{"X-Forwarded-Host: a|b\r\n", false, ""},
		{"X-Forwarded-Host: \"a\"\r\n", false, ""},
		{"X-Forwarded-Host: a b\r\n", false, ""},
		{"X-Forwarded-Host:\r\n", false, ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		http_forwarded_filter(request("GET", cases[i].fields), TRUSTED);
		if (http_forwarded_tls(&head) != cases[i].tls)
			fail_msg("%s", cases[i].fields);
		assert_str_equal(http_forwarded_host(&head), cases[i].host);
		http_forwarded_filter(request("GET", cases[i].fields), 0);
		assert_false(http_forwarded_tls(&head));
		assert_str_equal(http_forwarded_host(&head), "");
	}
}

static void what_is_added(void **state UNUSED)
{
	char mem[256];
	struct http_fields to;
	struct addr peer;
	assert_int_equal(addr_parse(&peer, STR("[2001:db8::7]:443"), 0, NULL), 0);
	http_fields_init_mem(&to, mem, sizeof(mem));
	http_forwarded_add(&to, &peer, STR("http"), STR("pi"));
	assert_str_equal(http_fields_block(&to),
			 "X-Forwarded-For: 2001:db8::7\r\nX-Forwarded-Proto: http\r\n"
			 "X-Forwarded-Host: pi\r\n");
	assert_true(http_fields_block(&to).n <= HTTP_FORWARDED_ROOM + 2);
	http_fields_init_mem(&to, mem, sizeof(mem));
	http_forwarded_add(&to, NULL, STR(""), STR_NONE);
	assert_int_equal(http_fields_block(&to).n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(which_fields_go_on),
		cmocka_unit_test(what_is_left_is_whole),
		cmocka_unit_test(what_a_trusted_peer_said),
		cmocka_unit_test(what_is_added),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
