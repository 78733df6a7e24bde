// SPDX-License-Identifier: MIT
/* The names of HTTP: methods, fields, reasons. */
#include "unit.h"

#include "http/msg.h"

static void methods_are_known_by_their_exact_names(void **state)
{
	(void)state;
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
static void safe_and_idempotent_methods(void **state)
{
	static const struct {
		enum http_method m;
		bool safe, idempotent;
	} cases[] = {
		{HTTP_GET, true, true},	    {HTTP_HEAD, true, true},	{HTTP_OPTIONS, true, true},
		{HTTP_PUT, false, true},    {HTTP_DELETE, false, true}, {HTTP_POST, false, false},
		{HTTP_PATCH, false, false}, {HTTP_OTHER, false, false},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(http_method_safe(cases[i].m), cases[i].safe);
		assert_int_equal(http_method_idempotent(cases[i].m), cases[i].idempotent);
	}
}

static void fields_are_known_in_any_case(void **state)
{
	(void)state;
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

static void every_status_has_a_reason(void **state)
{
	(void)state;
	assert_string_equal(http_reason(200), "OK");
	assert_string_equal(http_reason(404), "Not Found");
	assert_string_equal(http_reason(599), "Unknown");
	assert_string_equal(http_reason(0), "Unknown");
	for (unsigned s = 0; s < 1000; s++)
		assert_true(strlen(http_reason(s)) > 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(methods_are_known_by_their_exact_names),
		cmocka_unit_test(safe_and_idempotent_methods),
		cmocka_unit_test(fields_are_known_in_any_case),
		cmocka_unit_test(every_status_has_a_reason),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
