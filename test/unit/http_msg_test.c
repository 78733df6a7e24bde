// SPDX-License-Identifier: MIT
/* The names of HTTP: methods, fields, reasons; and fields of a head by their names. */
#include "unit.h"

#include <stdlib.h>

#include "http/msg.h"

static void methods_are_known_by_their_exact_names(void **state UNUSED)
{
	assert_int_equal(http_method_of(STR("GET")), HTTP_GET);
	assert_int_equal(http_method_of(STR("PURGE")), HTTP_PURGE);
	assert_int_equal(http_method_of(STR("get")), HTTP_OTHER);
	assert_int_equal(http_method_of(STR("GETS")), HTTP_OTHER);
	assert_int_equal(http_method_of(STR("")), HTTP_OTHER);
	assert_str_equal(http_method_name(HTTP_HEAD), "HEAD");
	assert_str_equal(http_method_name(HTTP_OTHER), "");
#define X(name, safe, idempotent)                                                                  \
	assert_int_equal(http_method_of(http_method_name(HTTP_##name)), HTTP_##name);
	HTTP_METHODS(X)
#undef X
}

/* RFC 9110 §9.2: what is not known may do anything. */
static void safe_and_idempotent_methods(void **state UNUSED)
{
	static const struct {
		enum http_method m;
		bool safe, idempotent;
	} cases[] = {
		{HTTP_GET, true, true},	    {HTTP_HEAD, true, true},	{HTTP_OPTIONS, true, true},
		{HTTP_PUT, false, true},    {HTTP_DELETE, false, true}, {HTTP_POST, false, false},
		{HTTP_PATCH, false, false}, {HTTP_OTHER, false, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(http_method_safe(cases[i].m), cases[i].safe);
		assert_int_equal(http_method_idempotent(cases[i].m), cases[i].idempotent);
	}
}

static void fields_are_known_in_any_case(void **state UNUSED)
{
	assert_int_equal(http_field_of(STR("CoNtEnT-lEnGtH")), HTTP_F_CONTENT_LENGTH);
	assert_int_equal(http_field_of(STR("content-lengthx")), HTTP_F_UNKNOWN);
	assert_int_equal(http_field_of(STR("content-lengt")), HTTP_F_UNKNOWN);
	assert_int_equal(http_field_of(STR("")), HTTP_F_UNKNOWN);
#define X(id, name, hop)                                                                           \
	assert_int_equal(http_field_of(STR(name)), HTTP_F_##id);                                   \
	assert_str_equal(http_field_name(HTTP_F_##id), name);
	HTTP_FIELDS(X)
#undef X
}

static void every_status_has_a_reason(void **state UNUSED)
{
	assert_string_equal(http_reason(200), "OK");
	assert_string_equal(http_reason(404), "Not Found");
	assert_string_equal(http_reason(599), "Unknown");
	assert_string_equal(http_reason(0), "Unknown");
	for (unsigned s = 0; s < 1000; s++)
		assert_true(strlen(http_reason(s)) > 1);
}

/* A copy with nothing behind its end, so that a sanitizer sees a read beyond it. */
static struct str bare(struct str s)
{
	char *copy = malloc(s.n ? s.n : 1);
	assert_non_null(copy);
	memcpy(copy, s.p, s.n);
	return str_of(copy, s.n);
}

static void drop(struct str s)
{
	free((void *)(uintptr_t)s.p);
}

/* RFC 9110 §9.2.1 and §9.2.2, the whole table; PURGE is ours: it changes the cache, twice is as once. */
static void each_method_has_its_promises(void **state UNUSED)
{
	static const struct {
		const char *name;
		bool safe, idempotent;
	} cases[] = {
		{"GET", true, true},	   {"HEAD", true, true},    {"OPTIONS", true, true},
		{"TRACE", true, true},	   {"PUT", false, true},    {"DELETE", false, true},
		{"PURGE", false, true},	   {"POST", false, false},  {"PATCH", false, false},
		{"CONNECT", false, false}, {"MKCOL", false, false}, {"", false, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str name = bare(str_c(cases[i].name));
		enum http_method m = http_method_of(name);
		assert_int_equal(http_method_safe(m), cases[i].safe);
		assert_int_equal(http_method_idempotent(m), cases[i].idempotent);
		assert_str_equal(http_method_name(m), m == HTTP_OTHER ? "" : cases[i].name);
		drop(name);
	}
}

/* RFC 9110 §9.1: methods are case-sensitive; any other byte in any place makes another method. */
static void a_method_is_its_name_to_the_byte(void **state UNUSED)
{
	for (enum http_method m = HTTP_GET; m <= HTTP_CONNECT; m++) {
		struct str name = http_method_name(m);
		for (size_t i = 0; i < name.n; i++) {
			struct str part = bare(str_of(name.p, i));
			assert_int_equal(http_method_of(part), HTTP_OTHER);
			drop(part);
			for (unsigned c = 0; c < 256; c++) {
				char text[16];
				memcpy(text, name.p, name.n);
				text[i] = (char)c;
				assert_int_equal(http_method_of(str_of(text, name.n)),
						 (char)c == name.p[i] ? m : HTTP_OTHER);
			}
		}
	}
}

/* RFC 9110 §5.1: only the case of letters may change, and of nothing but letters. Controls get into no head. */
static void a_field_is_its_name_in_any_case(void **state UNUSED)
{
	for (unsigned id = HTTP_F_UNKNOWN + 1; id < HTTP_F_COUNT; id++) {
		struct str name = http_field_name((enum http_field_id)id), whole = bare(name);
		char upper[64];
		assert_true(name.n > 0 && name.n < sizeof(upper));
		assert_int_equal(http_field_of(whole), id);
		drop(whole);
		for (size_t i = 0; i < name.n; i++) {
			upper[i] = (char)(name.p[i] >= 'a' && name.p[i] <= 'z' ? name.p[i] - 32
									       : name.p[i]);
			struct str part = bare(str_of(name.p, i));
			assert_int_not_equal(http_field_of(part), id);
			drop(part);
		}
		assert_int_equal(http_field_of(str_of(upper, name.n)), id);
		for (size_t i = 0; i < name.n; i++) {
			for (unsigned c = ' '; c < 256; c++) {
				char text[64];
				if (c == 0x7f)
					continue;
				memcpy(text, name.p, name.n);
				text[i] = (char)c;
				bool same = (char)c == name.p[i] || (char)c == upper[i];
				enum http_field_id got = http_field_of(str_of(text, name.n));
				if (same)
					assert_int_equal(got, id);
				else
					assert_int_not_equal(got, id);
			}
		}
	}
	assert_null(http_field_name(HTTP_F_UNKNOWN).p);
	assert_int_equal(http_field_of(STR("x-unheard-of")), HTTP_F_UNKNOWN);
	assert_int_equal(http_field_of(STR("x")), HTTP_F_UNKNOWN);
	assert_int_equal(http_field_of(STR_NONE), HTTP_F_UNKNOWN);
}

/* ---- looking fields up */

static struct http_head head;

static void add(struct str name, struct str value)
{
	struct http_field *f = &head.fields[head.count++];
	*f = (struct http_field){.name = name, .value = value, .id = (uint8_t)http_field_of(name)};
	if (f->id && !head.first[f->id])
		head.first[f->id] = (uint8_t)head.count;
}

static int setup(void **state UNUSED)
{
	memset(&head, 0, sizeof(head));
	add(STR("Host"), STR("pi.test"));
	add(STR("Cookie"), STR("a=1"));
	add(STR("X-Own"), STR("one"));
	add(STR("cookie"), STR(""));
	add(STR("COOKIE"), STR("b=2"));
	add(STR("X-OWN"), STR("two"));
	/* Left over from a message before: not of this head. */
	head.fields[6] = (struct http_field){
		.name = STR("Cookie"), .value = STR("old"), .id = HTTP_F_COOKIE};
	head.fields[7] = (struct http_field){.name = STR("X-Old"), .value = STR("old")};
	return 0;
}

static void the_first_field_of_a_name_is_got(void **state UNUSED)
{
	assert_true(http_has(&head, HTTP_F_HOST));
	assert_str_equal(http_get(&head, HTTP_F_HOST), "pi.test");
	assert_str_equal(http_get(&head, HTTP_F_COOKIE), "a=1");
	assert_false(http_has(&head, HTTP_F_VIA));
	assert_null(http_get(&head, HTTP_F_VIA).p);
}

static void the_fields_of_a_name_come_in_their_order(void **state UNUSED)
{
	unsigned i = 0;
	assert_ptr_equal(http_next(&head, HTTP_F_COOKIE, &i), &head.fields[1]);
	assert_ptr_equal(http_next(&head, HTTP_F_COOKIE, &i), &head.fields[3]);
	assert_ptr_equal(http_next(&head, HTTP_F_COOKIE, &i), &head.fields[4]);
	assert_null(http_next(&head, HTTP_F_COOKIE, &i));
	assert_null(http_next(&head, HTTP_F_COOKIE, &i)); /* and stays there */
	i = 2;						  /* from the middle on */
	assert_ptr_equal(http_next(&head, HTTP_F_COOKIE, &i), &head.fields[3]);
	i = 3; /* at the index too */
	assert_ptr_equal(http_next(&head, HTTP_F_COOKIE, &i), &head.fields[3]);
	i = 1;
	assert_null(http_next(&head, HTTP_F_HOST, &i));
	i = 0;
	assert_ptr_equal(http_next(&head, HTTP_F_HOST, &i), &head.fields[0]);
	assert_null(http_next(&head, HTTP_F_HOST, &i));
	i = 0;
	assert_null(http_next(&head, HTTP_F_VIA, &i));
}

static void a_field_is_found_by_any_name(void **state UNUSED)
{
	assert_ptr_equal(http_find(&head, STR("x-own")), &head.fields[2]);
	assert_ptr_equal(http_find(&head, STR("HOST")), &head.fields[0]);
	assert_ptr_equal(http_find(&head, STR("cOOKIE")), &head.fields[1]);
	assert_null(http_find(&head, STR("X-Old")));
	assert_null(http_find(&head, STR("x-ow")));
	assert_null(http_find(&head, STR("x-ownx")));
	assert_null(http_find(&head, STR("")));
	head.count = 0;
	assert_null(http_find(&head, STR("Host")));
}

/* A head may be full to the last field. */
static void the_last_of_a_hundred_fields_is_found(void **state UNUSED)
{
	unsigned i = 0;
	while (head.count < HTTP_FIELDS_MAX - 1)
		add(STR("X-Filler"), STR("x"));
	add(STR("Via"), STR("1.1 last"));
	assert_str_equal(http_get(&head, HTTP_F_VIA), "1.1 last");
	assert_ptr_equal(http_find(&head, STR("via")), &head.fields[HTTP_FIELDS_MAX - 1]);
	assert_ptr_equal(http_next(&head, HTTP_F_VIA, &i), &head.fields[HTTP_FIELDS_MAX - 1]);
	assert_null(http_next(&head, HTTP_F_VIA, &i));
}

/* The phrases of RFC 9110 §15, RFC 6585 and RFC 8297 that we send ourselves. */
static void reasons_are_those_of_the_rfc(void **state UNUSED)
{
	static const struct {
		unsigned status;
		const char *reason;
	} cases[] = {
		{100, "Continue"},
		{206, "Partial Content"},
		{304, "Not Modified"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{405, "Method Not Allowed"},
		{408, "Request Timeout"},
		{413, "Content Too Large"},
		{414, "URI Too Long"},
		{416, "Range Not Satisfiable"},
		{417, "Expectation Failed"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{502, "Bad Gateway"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
		{505, "HTTP Version Not Supported"},
		{999, "Unknown"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(http_reason(cases[i].status), cases[i].reason);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(methods_are_known_by_their_exact_names),
		cmocka_unit_test(safe_and_idempotent_methods),
		cmocka_unit_test(fields_are_known_in_any_case),
		cmocka_unit_test(every_status_has_a_reason),
		cmocka_unit_test(each_method_has_its_promises),
		cmocka_unit_test(a_method_is_its_name_to_the_byte),
		cmocka_unit_test(a_field_is_its_name_in_any_case),
		cmocka_unit_test_setup(the_first_field_of_a_name_is_got, setup),
		cmocka_unit_test_setup(the_fields_of_a_name_come_in_their_order, setup),
		cmocka_unit_test_setup(a_field_is_found_by_any_name, setup),
		cmocka_unit_test_setup(the_last_of_a_hundred_fields_is_found, setup),
		cmocka_unit_test(reasons_are_those_of_the_rfc),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
