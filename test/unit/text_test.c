// SPDX-License-Identifier: MIT
/* Growing text with its cap, and JSON written in order. */
#include "unit.h"

#include "ipc/text.h"

static void grows_and_is_terminated(void **state UNUSED)
{
	struct text t;
	text_init(&t, 100000);
	for (unsigned i = 0; i < 1000; i++)
		text_printf(&t, "%03u ", i);
	assert_int_equal(t.n, 4000);
	assert_int_equal(t.p[4000], '\0');
	assert_memory_equal(t.p + 3992, "998 999 ", 8);
	text_drop(&t, 3996);
	assert_string_equal(t.p, "999 ");
	text_fini(&t);
	text_fini(&t);
}

static void stops_at_its_cap(void **state UNUSED)
{
	struct text t;
	text_init(&t, 5);
	text_add(&t, STR("abcde"));
	assert_false(t.cut);
	text_printf(&t, "%d", 1);
	assert_true(t.cut);
	assert_string_equal(t.p, "abcde");
	text_drop(&t, 5);
	text_add(&t, STR("x")); /* a hole in the middle would be worse */
	assert_int_equal(t.n, 0);
	text_fini(&t);
}

static void json_puts_its_own_commas(void **state UNUSED)
{
	struct text t;
	text_init(&t, 1000);
	text_json_open(&t, NULL, '{');
	text_json_str(&t, "a", STR("x"));
	text_json_open(&t, "b", '[');
	text_json_raw(&t, NULL, STR("-1"));
	text_json_open(&t, NULL, '{');
	text_json_close(&t, '}');
	text_json_raw(&t, NULL, STR("true"));
	text_json_close(&t, ']');
	text_json_raw(&t, "c", STR("0.500"));
	text_json_raw(&t, "d", STR("null"));
	text_json_raw(&t, "e", STR("[1]"));
	text_json_close(&t, '}');
	assert_string_equal(t.p,
			    "{\"a\":\"x\",\"b\":[-1,{},true],\"c\":0.500,\"d\":null,\"e\":[1]}");
	text_fini(&t);
}

static void json_escapes(void **state UNUSED)
{
	struct text t;
	text_init(&t, 1000);
	text_json_str(&t, NULL, str_of("q\" b\\ n\n z\0 d\x7f e\xc3\xa9 x\xe9", 21));
	assert_string_equal(t.p, "\"q\\\" b\\\\ n\\u000a z\\u0000 d\\u007f e\xc3\xa9 x\\ufffd\"");
	text_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_and_is_terminated),
		cmocka_unit_test(stops_at_its_cap),
		cmocka_unit_test(json_puts_its_own_commas),
		cmocka_unit_test(json_escapes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
