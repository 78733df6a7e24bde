// SPDX-License-Identifier: MIT
// TEST-OF: lb
/* The cookie's rules as tables: the server that a request selects, and the cookie that goes back. */
#include "sticky.h"

#include <stdio.h>

#include "http/parse.h"

#include "unit.h"

static struct http_head head;

static void parse(const char *text, bool response)
{
	struct http_limits limits = HTTP_LIMITS_DEFAULT;
	struct http_bad bad = {0, ""};
	size_t scanned = 0;
	enum http_parse r = response ? http_parse_response(&head, str_c(text), &scanned, &limits,
							   HTTP_GET, &bad)
				     : http_parse_request(&head, str_c(text), &scanned, &limits,
							  &bad);
	assert_string_equal(bad.reason, "");
	assert_int_equal(r, HTTP_PARSE_DONE);
}

static const struct conf_cookie insert = {.mode = CONF_COOKIE_INSERT, .name = {"SERVERID", 8}};
static const struct conf_cookie hidden = {
	.mode = CONF_COOKIE_INSERT, .name = {"SERVERID", 8}, .indirect = true, .nocache = true};
static const struct conf_cookie rewrite = {.mode = CONF_COOKIE_REWRITE, .name = {"SERVERID", 8}};
static const struct conf_cookie none = {.mode = CONF_COOKIE_NONE};

static void finds_the_server_that_the_cookie_selects(void **state UNUSED)
{
	const struct sticky_server servers[] = {
		{{"a1", 2}, true}, {{"a2", 2}, false}, {{"", 0}, true}, {{"a4", 2}, true}};
	static const struct {
		const char *cookies;
		int server;
		char flag;
	} cases[] = {
		{"", -1, 'N'},
		{"Cookie: x=y\r\n", -1, 'N'},
		{"Cookie: SERVERID=a1\r\n", 0, 'V'},
		{"Cookie: x=y; SERVERID=a4; z=1\r\n", 3, 'V'},
		{"Cookie: SERVERID = a4\r\n", 3, 'V'},
		{"Cookie: serverid=a1\r\n", -1, 'N'},
		{"Cookie: SERVERID=\"a1\"\r\n", -1, 'I'},
		{"Cookie: SERVERID=\r\n", -1, 'I'},
		{"Cookie: SERVERID=zz\r\n", -1, 'I'},
		{"Cookie: SERVERID=a2\r\n", -1, 'D'},
		{"Cookie: SERVERID=zz; SERVERID=a4\r\n", 3, 'V'},
		{"Cookie: SERVERID=a2\r\nCookie: SERVERID=a1\r\n", 0, 'V'},
		{"Cookie: $Version=1; SERVERID=a1; $Path=/\r\n", 0, 'V'},
		{"Cookie: XSERVERID=a1\r\n", -1, 'N'},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[256];
		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n",
			 cases[i].cookies);
		parse(text, false);
		struct sticky_match m = sticky_find(&insert, &head, servers, ARRAY_LEN(servers));
		assert_int_equal(m.server, cases[i].server);
		assert_int_equal(m.flag, cases[i].flag);
		assert_int_equal(sticky_find(&none, &head, servers, ARRAY_LEN(servers)).flag, '-');
	}
}

static void hides_the_cookie_from_the_server(void **state UNUSED)
{
	static const struct {
		const char *cookies, *hidden;
	} cases[] = {
		{"Cookie: SERVERID=a1\r\n", ""},
		{"Cookie: a=b; SERVERID=a1; c=d\r\n", "Cookie: a=b; c=d\r\n"},
		{"Cookie: SERVERID=a1; c=d\r\n", "Cookie: c=d\r\n"},
		{"Cookie: a=b\r\nCookie: SERVERID=x\r\n", "Cookie: a=b\r\n"},
		{"Cookie: a=b;c=\"SERVERID=x\"\r\n", "Cookie: a=b; c=\"SERVERID=x\"\r\n"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[256], out[256];
		struct http_fields w;
		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n",
			 cases[i].cookies);
		parse(text, false);
		http_fields_init_mem(&w, out, sizeof(out));
		sticky_write_request(&w, &hidden, &head);
		assert_int_equal(w.n, strlen(cases[i].hidden));
		assert_memory_equal(out, cases[i].hidden, w.n);
		http_fields_init_mem(&w, out, sizeof(out));
		sticky_write_request(&w, &insert, &head);
		assert_int_equal(w.n, strlen(cases[i].cookies));
	}
}

static void answers_by_its_mode(void **state UNUSED)
{
	static const struct {
		const struct conf_cookie *cookie;
		char sent; /* flag of the request */
		const char *fields, *value, *out;
		char flag;
	} cases[] = {
		{&none, '-', "Set-Cookie: SERVERID=x\r\n", "a1", "Set-Cookie: SERVERID=x\r\n", '-'},
		{&insert, 'N', "", "a1", "Set-Cookie: SERVERID=a1; path=/\r\n", 'I'},
		{&insert, 'I', "", "a1", "Set-Cookie: SERVERID=a1; path=/\r\n", 'I'},
		{&insert, 'D', "", "a1", "Set-Cookie: SERVERID=a1; path=/\r\n", 'I'},
		{&insert, 'V', "", "a1", "", 'N'},
		{&insert, 'V', "Set-Cookie: SERVERID=own; path=/x\r\n", "a1", "", 'D'},
		{&insert, 'N', "Set-Cookie: SERVERID=own\r\nSet-Cookie: u=v\r\n", "a1",
		 "Set-Cookie: u=v\r\nSet-Cookie: SERVERID=a1; path=/\r\n", 'I'},
		{&insert, 'N', "", "", "", 'N'},
		{&insert, 'I', "", "",
		 "Set-Cookie: SERVERID=; Expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/\r\n", 'I'},
		{&hidden, 'N', "", "a1",
		 "Set-Cookie: SERVERID=a1; path=/\r\nCache-Control: private\r\n", 'I'},
		{&hidden, 'N', "Cache-Control: no-store\r\n", "a1",
		 "Set-Cookie: SERVERID=a1; path=/\r\n", 'I'},
		{&hidden, 'V', "", "a1", "", 'N'},
		{&rewrite, 'N', "", "a1", "", 'N'},
		{&rewrite, 'V', "Set-Cookie: SERVERID=own; path=/; HttpOnly\r\n", "a1",
		 "Set-Cookie: SERVERID=a1; path=/; HttpOnly\r\n", 'R'},
		{&rewrite, 'N', "Set-Cookie: SERVERID=own\r\nSet-Cookie: k=1\r\n", "a2",
		 "Set-Cookie: SERVERID=a2\r\nSet-Cookie: k=1\r\n", 'R'},
		{&rewrite, 'N', "Set-Cookie: SERVERID=own; path=/\r\n", "",
		 "Set-Cookie: SERVERID=own; path=/\r\n", 'N'},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[512], out[512];
		struct http_fields w;
		struct sticky_match m = {.server = 0, .flag = cases[i].sent};
		snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n%s\r\n",
			 cases[i].fields);
		parse(text, true);
		http_fields_init_mem(&w, out, sizeof(out) - 1);
		char flag = sticky_write_response(&w, cases[i].cookie, &head, str_c(cases[i].value),
						  m);
		out[w.n] = '\0';
		assert_string_equal(out, cases[i].out);
		assert_int_equal(flag, cases[i].flag);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_server_that_the_cookie_selects),
		cmocka_unit_test(hides_the_cookie_from_the_server),
		cmocka_unit_test(answers_by_its_mode),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
