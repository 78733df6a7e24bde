// SPDX-License-Identifier: MIT
#include "unit.h"

#include "base/buf.h"

static void add(struct buf *b, const char *text)
{
	memcpy(buf_end(b), text, strlen(text));
	buf_added(b, strlen(text));
}

static void test_in_and_out(void **state UNUSED)
{
	char mem[8];
	struct buf b;

	buf_attach(&b, mem, sizeof(mem));
	assert_int_equal(buf_room(&b), 8);
	assert_int_equal(buf_len(&b), 0);
	add(&b, "abcdef");
	assert_str_equal(buf_data(&b), "abcdef");
	buf_consume(&b, 2);
	assert_str_equal(buf_data(&b), "cdef");
	assert_int_equal(buf_room(&b), 2);
	add(&b, "gh");
	assert_int_equal(buf_room(&b), 0);
	buf_compact(&b);
	assert_str_equal(buf_data(&b), "cdefgh");
	assert_int_equal(buf_room(&b), 2);
	buf_compact(&b);
	assert_str_equal(buf_data(&b), "cdefgh");
}

static void test_drained_buffer_starts_anew(void **state UNUSED)
{
	char mem[4];
	struct buf b;

	buf_attach(&b, mem, sizeof(mem));
	add(&b, "abcd");
	buf_consume(&b, 4);
	assert_int_equal(buf_room(&b), 4);
	assert_ptr_equal(buf_end(&b), mem);
}

static void test_detach(void **state UNUSED)
{
	char mem[4];
	struct buf b;

	buf_attach(&b, mem, sizeof(mem));
	add(&b, "a");
	assert_ptr_equal(buf_detach(&b), mem);
	assert_null(b.mem);
	assert_int_equal(buf_len(&b), 0);
	assert_int_equal(buf_room(&b), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_and_out),
		cmocka_unit_test(test_drained_buffer_starts_anew),
		cmocka_unit_test(test_detach),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
