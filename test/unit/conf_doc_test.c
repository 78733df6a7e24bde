// SPDX-License-Identifier: MIT
/* Documents from a small table, byte for byte, and read back. */
#include "unit.h"

#include "conf/cluster.h"
#include "conf/doc.h"

struct edge {
	uint32_t age_ms;
	struct str secret, dir;
	struct conf_list hosts;
};

static const struct conf_key edge_keys[] = {
	CONF_MSEC(struct edge, age_ms, "max-age", "2m", 0, 3600000, "Longest life.",
		  .flags = CONF_RESTART),
	CONF_STR(struct edge, secret, "secret", NULL, "A word.",
		 .flags = CONF_SECRET | CONF_REQUIRED),
	CONF_STR(struct edge, dir, "dir", NULL, ".hidden \\ path.", .syntax = "PATH"),
	CONF_LIST(struct edge, hosts, "hosts", "a, b", "Names."),
};

static const struct conf_section edge_section = CONF_SINGLE(struct edge, "edge", edge_keys,
							    "The cache.");
static const struct conf_section *const schema[] = {&edge_section, &conf_board_section};

/* What print() writes, to be freed. */
#define PRINTED(text, print, ...)                                                                  \
	do {                                                                                       \
		size_t size_;                                                                      \
		FILE *to_ = open_memstream(&(text), &size_);                                       \
		print(to_, __VA_ARGS__);                                                           \
		fclose(to_);                                                                       \
	} while (0)

static void test_effective(void **state UNUSED)
{
	AUTO_FREE char *text = NULL, *again = NULL;
	struct conf_errors errors;
	struct arena arena;
	struct conf *c;
	arena_init(&arena, NULL, 0, ARENA_UNLIMITED);
	conf_errors_init(&errors, &arena);
	c = conf_read_text("f",
			   STR("[board x]\naddress=10.0.0.1\n[edge]\nsecret = hush\nhosts = a\n"
			       "hosts=b c\n"),
			   schema, 2, &arena, &errors);
	assert_int_equal(errors.n, 0);
	PRINTED(text, conf_print_effective, c);
	assert_string_equal(text, "[edge]\n"
				  "max-age = 2m\n"
				  "secret  = ******\n"
				  ";dir    = (not set)\n"
				  "hosts   = a\n"
				  "hosts   = b c\n"
				  "\n"
				  "[board x]\n"
				  "address  = 10.0.0.1\n"
				  ";priority = (not set)\n"
				  "\n");
	c = conf_read_text("g", str_c(text), schema, 2, &arena, &errors);
	assert_int_equal(errors.n, 0);
	PRINTED(again, conf_print_effective, c);
	assert_string_equal(again, text);
	arena_fini(&arena);
}

/* The longest line is printed so that it can be read again. */
static void test_effective_long(void **state UNUSED)
{
	AUTO_FREE char *text = NULL;
	struct conf_errors errors;
	struct arena arena;
	char line[256], *at;
	arena_init(&arena, NULL, 0, ARENA_UNLIMITED);
	conf_errors_init(&errors, &arena);
	snprintf(line, sizeof(line), "[edge]\nsecret=x\ndir=%0*d\n", CONF_LINE_MAX - 4, 1);
	PRINTED(text, conf_print_effective,
		conf_read_text("f", str_c(line), schema, 2, &arena, &errors));
	assert_int_equal(errors.n, 0);
	at = strstr(text, "\ndir=0");
	assert_non_null(at);
	assert_int_equal(strcspn(at + 1, "\n"), CONF_LINE_MAX);
	arena_fini(&arena);
}

static void test_man(void **state UNUSED)
{
	AUTO_FREE char *text = NULL;
	PRINTED(text, conf_print_man, schema, 1);
	assert_string_equal(text, ".SS [edge]\n"
				  "The cache.\n"
				  ".TP\n"
				  "\\fBmax\\-age\\fR = \\fI0ms..1h\\fR\n"
				  "Longest life.\n"
				  "Default: \\fB2m\\fR.\n"
				  "A change needs a restart.\n"
				  ".TP\n"
				  "\\fBsecret\\fR = \\fITEXT\\fR\n"
				  "A word.\n"
				  "Required.\n"
				  ".TP\n"
				  "\\fBdir\\fR = \\fIPATH\\fR\n"
				  "\\&.hidden \\e path.\n"
				  ".TP\n"
				  "\\fBhosts\\fR = \\fIWORD ...\\fR\n"
				  "Names.\n"
				  "Default: \\fBa, b\\fR.\n"
				  "May be repeated.\n");
}

static void test_example(void **state UNUSED)
{
	AUTO_FREE char *text = NULL;
	PRINTED(text, conf_print_example, schema, 2);
	assert_non_null(strstr(text, "; The cache.\n"
				     ";[edge]\n"
				     "\n"
				     "; Longest life. A change needs a restart.\n"
				     "; 0ms..1h\n"
				     ";max-age = 2m\n"
				     "\n"
				     "; A word. Required.\n"
				     "; TEXT\n"
				     ";secret =\n"));
	assert_non_null(strstr(text, ";[board NAME]\n"));
}

/* With its one-semicolon lines uncommented, an example of defaults alone is a good configuration. */
static void test_example_reads(void **state UNUSED)
{
	static const struct conf_section *const pool[] = {&conf_pool_section};
	AUTO_FREE char *text = NULL;
	struct conf_errors errors;
	struct arena arena;
	arena_init(&arena, NULL, 0, ARENA_UNLIMITED);
	conf_errors_init(&errors, &arena);
	PRINTED(text, conf_print_example, pool, 1);
	for (char *line = text; line && *line != '\0';
	     line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		char *end = strchrnul(line, '\n');
		if (line[0] == ';' && line[1] != ' ' && end[-1] != '=')
			line[0] = ' ';
	}
	conf_read_text("example", str_c(text), pool, 1, &arena, &errors);
	conf_errors_print(&errors, stderr);
	assert_int_equal(errors.n, 0);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_effective),     cmocka_unit_test(test_effective_long),
		cmocka_unit_test(test_man),	      cmocka_unit_test(test_example),
		cmocka_unit_test(test_example_reads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
