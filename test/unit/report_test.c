// SPDX-License-Identifier: MIT
/* One report, three renderings; values that try to be more than a value. */
#include "unit.h"

#include <math.h>
#include <time.h>

#include "ipc/report.h"

static struct text out;

static int fresh(void **state UNUSED)
{
	setenv("TZ", "UTC", 1);
	tzset();
	text_init(&out, 1 << 16);
	return 0;
}

static int gone(void **state UNUSED)
{
	text_fini(&out);
	return 0;
}

static struct str said(void)
{
	return str_of(out.p, out.n);
}

static void servers(enum report_format format)
{
	static const char *const names[] = {"web1", "web,2"};
	static const char *const addresses[] = {"10.0.0.1", "10.0.0.2"};
	struct report r;
	report_begin(&r, &out, format);
	report_list(&r, NULL);
	for (unsigned i = 0; i < 2; i++) {
		report_row(&r, NULL);
		report_str(&r, "name", "", names[i]);
		report_str(&r, NULL, "edges/%8", names[i]);
		report_str(&r, "reason", "because of %", i ? "a \"cut\"" : "");
		report_uint(&r, "weight", NULL, i);
		report_bool(&r, "leaving", "(leaving)", i);
		report_bool(&r, "up", "up %", i);
		report_int(&r, "change", "", -1);
		report_time(&r, "since", ", since %", i ? 86400 : 0);
		report_us(&r, "latency_us", "in %", 1234);
		report_strs(&r, "addresses", ", at %", addresses, i * 2);
		report_close(&r);
	}
	report_close(&r);
	report_end(&r);
}

static void rows_are_lines_of_text(void **state UNUSED)
{
	servers(REPORT_TEXT);
	assert_str_equal(said(), "edges/web1     weight 0 up no, since never in 1.2 ms\n"
				 "edges/web,2    because of a \"cut\" weight 1 (leaving) up yes, "
				 "since 1970-01-02 00:00:00 in 1.2 ms, at 10.0.0.1 10.0.0.2\n");
}

static void rows_are_an_array_in_json(void **state UNUSED)
{
	servers(REPORT_JSON);
	assert_str_equal(
		said(),
		"[{\"name\":\"web1\",\"reason\":\"\",\"weight\":0,\"leaving\":false,\"up\":false,"
		"\"change\":-1,\"since\":0,\"latency_us\":1234,\"addresses\":[]},"
		"{\"name\":\"web,2\",\"reason\":\"a \\\"cut\\\"\",\"weight\":1,\"leaving\":true,"
		"\"up\":true,\"change\":-1,\"since\":86400,\"latency_us\":1234,"
		"\"addresses\":[\"10.0.0.1\",\"10.0.0.2\"]}]");
}

static void rows_are_a_table_in_csv(void **state UNUSED)
{
	servers(REPORT_CSV);
	assert_str_equal(
		said(),
		"name,reason,weight,leaving,up,change,since,latency_us,addresses\n"
		"web1,,0,false,false,-1,0,1234,\n"
		"\"web,2\",\"a \"\"cut\"\"\",1,true,true,-1,86400,1234,10.0.0.1 10.0.0.2\n");
}

static void counters(enum report_format format, bool noted)
{
	struct report r;
	report_begin(&r, &out, format);
	report_object(&r, NULL);
	report_real(&r, "load", NULL, 0.25);
	report_real(&r, "ratio", NULL, NAN);
	report_object(&r, "server");
	report_object(&r, "edges/web1");
	if (noted)
		report_note(&r, "further attempts");
	report_uint(&r, "retries", NULL, 7);
	report_uint(&r, "hidden", "", 1);
	report_close(&r);
	report_object(&r, "edges/web2");
	report_str(&r, "status", NULL, "UP");
	report_close(&r);
	report_close(&r);
	report_row(&r, "version");
	report_str(&r, "name", "%", "lbd");
	report_uint(&r, "pid", NULL, 1);
	report_close(&r);
	report_list(&r, "nothing");
	report_close(&r);
	report_close(&r);
	report_end(&r);
}

static void objects_give_each_value_a_line_behind_their_keys(void **state UNUSED)
{
	counters(REPORT_TEXT, true);
	assert_str_equal(said(), "load 0.2\nratio -\n"
				 "server edges/web1 retries 7  further attempts\n"
				 "server edges/web2 status UP\n"
				 "lbd pid 1\n");
}

static void objects_nest_in_json(void **state UNUSED)
{
	counters(REPORT_JSON, false);
	assert_str_equal(said(), "{\"load\":0.250,\"ratio\":null,"
				 "\"server\":{\"edges/web1\":{\"retries\":7,\"hidden\":1},"
				 "\"edges/web2\":{\"status\":\"UP\"}},"
				 "\"version\":{\"name\":\"lbd\",\"pid\":1},\"nothing\":[]}");
	text_drop(&out, out.n);
	out.comma = false;
	counters(REPORT_JSON, true);
	assert_true(
		str_find_str(said(), STR("\"retries\":{\"value\":7,\"note\":\"further attempts\"},"
					 "\"hidden\":1")) > 0);
}

static void objects_are_a_value_a_row_in_csv(void **state UNUSED)
{
	counters(REPORT_CSV, true);
	assert_str_equal(said(), "object,name,value,note\n"
				 ",load,0.250,\n,ratio,,\n"
				 "server edges/web1,retries,7,further attempts\n"
				 "server edges/web1,hidden,1,\n"
				 "server edges/web2,status,UP,\n"
				 "name,pid\nlbd,1\n");
}

static void bytes_that_are_no_text_are_replaced(void **state UNUSED)
{
	struct report r;
	report_begin(&r, &out, REPORT_TEXT);
	report_object(&r, NULL);
	report_str(&r, "a", NULL,
		   "\xc3\xa9 \xc2\xa0 \xc2\x9b"
		   "1m \xff \xe2\x82");
	report_str(&r, "b", "is [%3]", "x");
	report_lines(&r, "> ", STR("one\n\ntwo\t\n"));
	report_close(&r);
	report_end(&r);
	assert_str_equal(said(), "a \xc3\xa9 \xc2\xa0 ?1m ? ??\nis [x  ]\n> one\n> two?\n");
}

static void quotes_of_csv_are_doubled(void **state UNUSED)
{
	struct report r;
	report_begin(&r, &out, REPORT_CSV);
	report_row(&r, NULL);
	report_str(&r, "a", NULL, "\"");
	report_str(&r, "b", NULL, "x\"\"y\xc3\xa9,");
	report_str(&r, "c", NULL, "");
	report_close(&r);
	report_end(&r);
	assert_str_equal(said(), "a,b,c\n\"\"\"\",\"x\"\"\"\"y\xc3\xa9,\",\n");
}

/* Lines end a control socket's reply, so that none may come from a value. */
static void a_value_makes_no_line(void **state UNUSED)
{
	static const enum report_format formats[] = {REPORT_TEXT, REPORT_CSV, REPORT_JSON};
	for (unsigned i = 0; i < ARRAY_LEN(formats); i++) {
		struct report r;
		text_drop(&out, out.n);
		report_begin(&r, &out, formats[i]);
		report_row(&r, NULL);
		report_str(&r, "reason", NULL, "a\n\nb\r\x1b[2J");
		report_raw(&r, "more", STR_NONE);
		report_close(&r);
		report_end(&r);
		unsigned lines = 0;
		for (size_t k = 0; k < out.n; k++) {
			lines += out.p[k] == '\n';
			assert_true(out.p[k] == '\n' || (unsigned char)out.p[k] >= 0x20);
		}
		assert_int_equal(lines, formats[i] == REPORT_CSV ? 2 : formats[i] == REPORT_TEXT);
	}
	assert_str_equal(said(),
			 "{\"reason\":\"a\\u000a\\u000ab\\u000d\\u001b[2J\",\"more\":null}");
}

static void json_has_no_infinity(void **state UNUSED)
{
	struct report r;
	report_begin(&r, &out, REPORT_JSON);
	report_row(&r, NULL);
	report_real(&r, "half", NULL, 0.5);
	report_real(&r, "infinite", NULL, (double)INFINITY);
	report_real(&r, "none", NULL, (double)NAN);
	report_close(&r);
	report_end(&r);
	assert_str_equal(said(), "{\"half\":0.500,\"infinite\":null,\"none\":null}");
}

static void keys_longer_than_the_path_are_cut(void **state UNUSED)
{
	char key[2 * REPORT_PATH_SIZE];
	struct report r;
	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	report_begin(&r, &out, REPORT_TEXT);
	report_object(&r, key);
	report_object(&r, key);
	report_uint(&r, "n", NULL, 1);
	report_close(&r);
	report_close(&r);
	report_end(&r);
	assert_int_equal(out.n, REPORT_PATH_SIZE - 1 + strlen(" n 1\n"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fresh, gone)
	const struct CMUnitTest tests[] = {
		T(rows_are_lines_of_text),
		T(rows_are_an_array_in_json),
		T(rows_are_a_table_in_csv),
		T(objects_give_each_value_a_line_behind_their_keys),
		T(objects_nest_in_json),
		T(objects_are_a_value_a_row_in_csv),
		T(bytes_that_are_no_text_are_replaced),
		T(quotes_of_csv_are_doubled),
		T(a_value_makes_no_line),
		T(json_has_no_infinity),
		T(keys_longer_than_the_path_are_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
