// SPDX-License-Identifier: MIT
/* Files good and bad: what is read, and for what is refused the exact words and their order. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/reader.h"
#include "conf/sections.h"

struct lb {
	uint32_t maxconn;
	uint32_t low, high;
	struct str note;
	struct conf_list hosts;
};

struct edge {
	struct addr listen;
};

struct check {
	struct str name;
	struct str probe;
	struct str password;
	uint32_t rise;
	unsigned added; /* by lines of "add" */
};

static int parse_add(void *field, struct str text, struct arena *arena UNUSED, struct err *e)
{
	unsigned *sum = field;
	uint64_t n;
	if (!str_to_u64(text, 1000, &n))
		return err_set(e, "not a small number");
	*sum += (unsigned)n;
	return 0;
}

static int finish_lb(void *section, struct arena *arena UNUSED, struct err *e)
{
	struct lb *lb = section;
	if (lb->high == 0)
		lb->high = lb->low * 2;
	return lb->low > lb->high ? err_set(e, "low is above high") : 0;
}

static const struct conf_key lb_keys[] = {
	CONF_U32(struct lb, maxconn, "maxconn", "4096", 1, 65536, "Clients.",
		 .flags = CONF_RESTART),
	CONF_U32(struct lb, low, "low", "10", 1, 100, "Low."),
	CONF_U32(struct lb, high, "high", NULL, 1, 100, "High."),
	CONF_STR(struct lb, note, "note", NULL, "Anything."),
	CONF_LIST(struct lb, hosts, "hosts", NULL, "Hosts.", .flags = CONF_RESTART),
};

static const struct conf_key edge_keys[] = {
	CONF_ADDR(struct edge, listen, "listen", ":6081", 0, "Where."),
};

static const struct conf_key check_keys[] = {
	CONF_STR(struct check, probe, "probe", NULL, "How.", .flags = CONF_REQUIRED),
	CONF_STR(struct check, password, "password", NULL, "Word.", .flags = CONF_SECRET, .lo = 4,
		 .hi = 8),
	CONF_U32(struct check, rise, "rise", "2", 1, 10, "Rise.", .flags = CONF_RESTART),
	CONF_FUNC(struct check, added, unsigned, "add", "1", parse_add, "N", "Sum.",
		  .flags = CONF_REPEAT),
};

static const struct conf_section lb_section = CONF_SINGLE(
	struct lb, "lb", lb_keys, "Limits.", .flags = CONF_IMPLICIT, .finish = finish_lb);
static const struct conf_section edge_section = CONF_SINGLE(struct edge, "edge", edge_keys,
							    "Cache.");
static const struct conf_section check_section = CONF_NAMED(struct check, "check", check_keys,
							    "Checks.", .max = 3);
static const struct conf_section needed_edge = CONF_SINGLE(struct edge, "edge", edge_keys, "Cache.",
							   .flags = CONF_SECTION_REQUIRED);
static const struct conf_section needed_check = CONF_NAMED(
	struct check, "check", check_keys, "Checks.", .flags = CONF_SECTION_REQUIRED);

static const struct conf_section *const schema[] = {&lb_section, &edge_section, &check_section};

struct fixture {
	struct arena arena;
	struct conf_errors errors;
	char dir[32];
};

static int setup(void **state)
{
	struct fixture *f = def_xcalloc(1, sizeof(*f));
	arena_init(&f->arena, NULL, 0, ARENA_UNLIMITED);
	conf_errors_init(&f->errors, &f->arena);
	strcpy(f->dir, "/tmp/conf_test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[64];
	arena_fini(&f->arena);
	snprintf(command, sizeof(command), "rm -r %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static struct conf *read_str(struct fixture *f, struct str text)
{
	conf_errors_init(&f->errors, &f->arena);
	return conf_read_text("f", text, schema, ARRAY_LEN(schema), &f->arena, &f->errors);
}

static struct conf *read_good(struct fixture *f, const char *text)
{
	struct conf *c = read_str(f, str_c(text));
	conf_errors_print(&f->errors, stderr);
	assert_int_equal(f->errors.n, 0);
	return c;
}

/* All errors as one text, as a person sees them. */
static char *all_errors(const struct fixture *f)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);
	conf_errors_print(&f->errors, to);
	fclose(to);
	return text;
}

static void assert_errors(struct fixture *f, const char *want)
{
	AUTO_FREE char *got = all_errors(f);
	assert_string_equal(got, want);
}

static void test_values(void **state)
{
	struct fixture *f = *state;
	struct conf *c = read_good(f, "; a comment\n"
				      "# another\n"
				      "[lb]\n"
				      "maxconn = 100 ; few\n"
				      "   low=20\n"
				      "note = a=b: c # d;e ; gone\n"
				      "[check one] ; named\n"
				      "probe = tcp\n"
				      "add = 2\n"
				      "add = 40\n"
				      "\n"
				      "[ check  two ]\r\n"
				      "probe\t=\thttp GET /\r\n");
	const struct lb *lb = conf_at(c, "lb", 0);
	const struct check *one = conf_at(c, "check", 0), *two = conf_at(c, "check", 1);
	assert_int_equal(lb->maxconn, 100);
	assert_int_equal(lb->low, 20);
	assert_int_equal(lb->high, 40);
	assert_str_equal(lb->note, "a=b: c # d;e");
	assert_int_equal(conf_count(c, "check"), 2);
	assert_str_equal(one->name, "one");
	assert_str_equal(one->probe, "tcp");
	assert_int_equal(one->added, 42);
	assert_int_equal(one->password.n, 0);
	assert_str_equal(two->name, "two");
	assert_str_equal(two->probe, "http GET /");
	assert_int_equal(two->rise, 2);
	assert_int_equal(two->added, 1);
	assert_ptr_equal(conf_find(c, "check", STR("two")), two);
	assert_null(conf_find(c, "check", STR("three")));
	assert_null(conf_at(c, "check", 2));
	assert_null(conf_at(c, "edge", 0));
	assert_int_equal(conf_count(c, "edge"), 0);
}

static void test_places(void **state)
{
	struct fixture *f = *state;
	struct conf *c = read_good(f, "[check a]\nprobe = x\n\n[check b]\nadd = 7\n\nprobe = y\n");
	assert_str_equal(conf_name(c, "check", 1), "b");
	assert_int_equal(conf_loc(c, "check", 1).line, 4);
	assert_int_equal(conf_key_loc(c, "check", 1, "probe").line, 7);
	assert_int_equal(conf_key_loc(c, "check", 1, "rise").line, 4);
	assert_true(conf_given(c, "check", 1, "add"));
	assert_false(conf_given(c, "check", 0, "add"));
	assert_int_equal(conf_key_loc(c, "lb", 0, "low").line, 0);
	assert_string_equal(conf_values(c, "check", 0, 2)->text.p, "2");
	assert_null(conf_values(c, "check", 0, 1));
	assert_true(conf_has(c, "edge"));
	assert_false(conf_has(c, "pool"));
}

/* Nothing at all: the implicit section stands there with its defaults. */
static void test_empty(void **state)
{
	static const char *const texts[] = {"", "\n", "\xef\xbb\xbf", "; only a comment",
					    "\r\n \n"};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct conf *c = read_good(f, texts[i]);
		const struct lb *lb = conf_at(c, "lb", 0);
		assert_int_equal(lb->maxconn, 4096);
		assert_int_equal(lb->high, 20);
	}
}

static void test_byte_order_mark(void **state)
{
	struct fixture *f = *state;
	struct conf *c = read_good(f, "\xef\xbb\xbf[lb]\nlow = 3\n");
	assert_int_equal(((struct lb *)conf_at(c, "lb", 0))->low, 3);
}

/* Sections of the other daemons are theirs to read, whatever is in them. */
static void test_others_are_skipped(void **state)
{
	struct fixture *f = *state;
	read_good(f,
		  "[vrrp VI_1]\ninterface = eth0\ninterface = eth1\nwhatever =\n[stats]\nx = y\n");
}

static void test_errors(void **state)
{
	static const struct {
		const char *text, *errors;
	} cases[] = {
		{"low = 1\n", "f:1: low: stands in no [section]\n"},
		{"[lb]\nlow = 101\n", "f:2: low: 101 is outside 1..100\n"},
		{"[lb]\nlow =\n", "f:2: low: has no value\n"},
		{"[lb]\nlow = ; 5\n", "f:2: low: has no value\n"},
		{"[lb]\nnote =;5\n", "f:2: note: has no value\n"},
		{"[lb]\nlow = 1\nlow = 2\n", "f:3: low: given twice, first on line 2\n"},
		{"[lb]\nlow = x\nlow = y\n",
		 "f:2: low: \"x\" is not a whole number\nf:3: low: given twice, first on line 2\n"},
		{"[lb]\nlou = 2\n", "f:2: lou: unknown in [lb]; did you mean `low`?\n"},
		{"[lb]\nmaxcon = 2\n", "f:2: maxcon: unknown in [lb]; did you mean `maxconn`?\n"},
		{"[lb]\nLow = 2\n", "f:2: Low: unknown in [lb]; did you mean `low`?\n"},
		{"[lb]\ncolour = red\n", "f:2: colour: unknown in [lb]\n"},
		{"[lb]\nlow = 90\nhigh = 80\n", "f:1: [lb]: low is above high\n"},
		{"[check a]\n", "f:1: probe: missing in [check a], needed: TEXT\n"},
		{"\n[check a]\nprobe =\n", "f:3: probe: has no value\n"},
		{"[check a]\nprobe = x\npassword = abcdefghi\n",
		 "f:3: password: has 9 bytes, 4..8 are allowed\n"},
		{"[check a]\nprobe = x\nadd = 1\nadd = x\nadd = y\n",
		 "f:4: add: not a small number\nf:5: add: not a small number\n"},
		{"[lb]\nlow\n", "f:2: neither `key = value`, nor a [section], nor a comment\n"},
		{"[lb]\nlow 5\n", "f:2: neither `key = value`, nor a [section], nor a comment\n"},
		{"[lb]\nlow : 5\n", "f:2: neither `key = value`, nor a [section], nor a comment\n"},
		{"[lb]\nlow : = 5\n",
		 "f:2: neither `key = value`, nor a [section], nor a comment\n"},
		{"[lb]\n= 5\n", "f:2: neither `key = value`, nor a [section], nor a comment\n"},
		{"[lb]\nlow ; = 5\n",
		 "f:2: neither `key = value`, nor a [section], nor a comment\n"},
		{"[lb]\na b = 5\n", "f:2: neither `key = value`, nor a [section], nor a comment\n"},
		{"[lb]\nnote = a\x01 b\n", "f:2: the line has a control character\n"},
		{"[lb]\nlow = 5\n  7\n",
		 "f:3: neither `key = value`, nor a [section], nor a comment\n"},
		{"[lb]\ninclude\n", "f:2: include: needs a file\n"},
		{"include x\n", "f:1: include: is not possible here\n"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		read_str(f, str_c(cases[i].text));
		assert_errors(f, cases[i].errors);
	}
}

static void test_headers(void **state)
{
	static const struct {
		const char *text, *errors;
	} cases[] = {
		{"[lb\nlow = 0\n", "f:1: the section's header lacks a ]\n"},
		{"[]\nx = 1\n", "f:1: the section's header is empty\n"},
		{"[ ]\n", "f:1: the section's header is empty\n"},
		{"[lb] low = 1\n", "f:1: text after the ] of the section's header\n"},
		{"[lb]]\n", "f:1: text after the ] of the section's header\n"},
		{"[lb x]\n", "f:1: [lb]: has no name, as there is only one\n"},
		{"[check]\nprobe = x\n", "f:1: [check]: needs a name, as in [check NAME]\n"},
		{"[check a b]\n",
		 "f:1: [check]: a name has at most 48 letters, digits and . _ : -\n"},
		{"[check a/b]\n",
		 "f:1: [check]: a name has at most 48 letters, digits and . _ : -\n"},
		{"[check 1234567890123456789012345678901234567890123456789]\n",
		 "f:1: [check]: a name has at most 48 letters, digits and . _ : -\n"},
		{"[lbb]\nx = 1\n", "f:1: [lbb]: unknown section; did you mean `[lb]`?\n"},
		{"[chek a]\nx = 1\n",
		 "f:1: [chek]: unknown section; did you mean `[check NAME]`?\n"},
		{"[foo]\nx = 1\n", "f:1: [foo]: unknown section\n"},
		{"[lb]\n[edge]\n[lb]\n", "f:3: [lb]: given twice, first at f:1\n"},
		{"[check a]\nprobe = x\n[check b]\nprobe = x\n[check a]\nprob = x\n",
		 "f:5: [check a]: given twice, first at f:1\n"
		 "f:5: probe: missing in [check a], needed: TEXT\n"
		 "f:6: prob: unknown in [check]; did you mean `probe`?\n"},
		{"[server a]\n[server b]\n[server a]\n",
		 "f:3: [server a]: given twice, first at f:1\n"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		read_str(f, str_c(cases[i].text));
		assert_errors(f, cases[i].errors);
	}
}

/* The longest name, and a repeated section is not among those listed. */
static void test_names(void **state)
{
	struct fixture *f = *state;
	struct conf *c = read_good(
		f, "[check a.b_c:d-E012345678901234567890123456789012345678]\nprobe = x\n");
	assert_int_equal(conf_name(c, "check", 0).n, 48);
	c = read_str(f, STR("[check a]\nprobe = x\n[check a]\nprobe = y\n"));
	assert_int_equal(conf_count(c, "check"), 1);
	assert_str_equal(((struct check *)conf_at(c, "check", 0))->probe, "x");
}

/* What was wrong gets its default, so that the daemon's own checks can go on. */
static void test_bad_values_are_defaults(void **state)
{
	struct fixture *f = *state;
	struct conf *c = read_str(f, STR("[check a]\nprobe = x\nrise = 11\nadd = x\n"));
	const struct check *a = conf_at(c, "check", 0);
	assert_int_equal(f->errors.n, 2);
	assert_int_equal(a->rise, 2);
	assert_int_equal(a->added, 1);
}

/* CONF_LINE_MAX bytes come through whole; one more is refused, and nothing of the rest is read. */
static void test_long_lines(void **state)
{
	struct fixture *f = *state;
	char text[512];
	int n = snprintf(text, sizeof(text), "[lb]\nnote = %0*d\n", CONF_LINE_MAX - 7, 1);
	struct conf *c = read_good(f, text);
	assert_int_equal(n, 5 + CONF_LINE_MAX + 1);
	assert_int_equal(((struct lb *)conf_at(c, "lb", 0))->note.n, CONF_LINE_MAX - 7);

	snprintf(text, sizeof(text), "[lb]\nnote = %0*d low=7\n; %0*d\n", CONF_LINE_MAX - 7, 1,
		 CONF_LINE_MAX, 1);
	c = read_str(f, str_c(text));
	assert_errors(f, "f:2: the line has 203 bytes, at most 197 are allowed\n");
	assert_int_equal(((struct lb *)conf_at(c, "lb", 0))->low, 10);
	assert_false(conf_given(c, "lb", 0, "note"));
}

static void test_nul(void **state)
{
	struct fixture *f = *state;
	read_str(f, STR("[lb]\nnote = a\0b\nlow = 7"));
	assert_errors(f, "f:2: the line has a control character\n");
}

/* Printed by line, whatever the order they were found in: the missing key is found last. */
static void test_errors_are_sorted(void **state)
{
	struct fixture *f = *state;
	read_str(f, STR("[check a]\nrise = 0\n[check b]\nadd = x\nrise = x\n"));
	conf_error_at(&f->errors, (struct conf_loc){.file = "f", .line = 2}, NULL, "late");
	conf_error_at(&f->errors, (struct conf_loc){.file = "f"}, "k", "of the file, %d", 1);
	assert_errors(f, "f: k: of the file, 1\n"
			 "f:1: probe: missing in [check a], needed: TEXT\n"
			 "f:2: rise: 0 is outside 1..10\n"
			 "f:2: late\n"
			 "f:3: probe: missing in [check b], needed: TEXT\n"
			 "f:4: add: not a small number\n"
			 "f:5: rise: \"x\" is not a whole number\n");
}

static void test_many_errors(void **state)
{
	struct fixture *f = *state;
	char text[8 * 300 + 1] = "";
	AUTO_FREE char *all = NULL;
	for (size_t i = 0; i < 300; i++)
		strcat(text, "x = 1\n");
	read_str(f, str_c(text));
	assert_int_equal(f->errors.n, 300);
	assert_int_equal(f->errors.last->at.line, CONF_ERRORS_MAX);
	all = all_errors(f);
	assert_non_null(strstr(all, "\nand 100 errors more\n"));
}

/* The log's limit on repeats hides none of them. */
static void test_errors_are_logged(void **state)
{
	struct fixture *f = *state;
	char path[64], line[64], want[64];
	int old = dup(STDERR_FILENO), n = 0;
	FILE *log;
	for (int i = 1; i <= 30; i++)
		conf_error_at(&f->errors, (struct conf_loc){.file = "f", .line = i}, "k", "bad");
	snprintf(path, sizeof(path), "%s/log", f->dir);
	log = fopen(path, "w+");
	assert_non_null(log);
	dup2(fileno(log), STDERR_FILENO);
	conf_errors_log(&f->errors);
	dup2(old, STDERR_FILENO);
	close(old);
	rewind(log);
	while (fgets(line, sizeof(line), log)) {
		snprintf(want, sizeof(want), "<3>f:%d: k: bad\n", ++n);
		assert_string_equal(line, want);
	}
	fclose(log);
	assert_int_equal(n, 30);
}

static void test_counts(void **state)
{
	static const struct conf_section *const needs[] = {&needed_edge, &needed_check};
	struct fixture *f = *state;
	read_str(f, STR("[check a]\nprobe=x\n[check b]\nprobe=x\n[check c]\nprobe=x\n"
			"[check d]\nprobe=x\n"));
	assert_errors(f, "f:7: [check]: at most 3 are allowed\n");
	conf_errors_init(&f->errors, &f->arena);
	conf_read_text("f", STR("[lb]\n"), needs, 2, &f->arena, &f->errors);
	assert_errors(f, "f: a section [edge] is missing\nf: a section [check NAME] is missing\n");
}

static void test_too_many_sections(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *text = def_xcalloc(CONF_SECTIONS_MAX + 2, 20);
	char *to = text;
	for (int i = 0; i <= CONF_SECTIONS_MAX; i++)
		to += sprintf(to, "[server s%d]\n", i);
	read_str(f, str_c(text));
	assert_errors(f, "f:4097: [server]: at most 4096 sections are allowed\n");
}

static void note_key(void *arg, const char *kind, struct str name, const char *key)
{
	char *to = arg;
	sprintf(to + strlen(to), "%s/%.*s/%s ", kind, STR_ARG(name), key);
}

static void test_restart_keys(void **state)
{
	struct fixture *f = *state;
	char said[256] = "";
	struct conf *old = read_good(f, "[lb]\nmaxconn = 4096\nhosts = a\nlow = 1\n[check a]\n"
					"probe = x\n[check b]\nprobe = x\n");
	struct conf *fresh = read_good(f, "[lb]\nhosts = a\nhosts = b\nlow = 2\n[check c]\n"
					  "probe = x\nrise = 3\n[check b]\nprobe = x\nrise = 3\n");
	assert_int_equal(conf_restart_keys(old, fresh, note_key, said), 2);
	assert_string_equal(said, "lb//hosts check/b/rise ");
	assert_int_equal(conf_restart_keys(old, old, note_key, said), 0);
}

/* ---- files */

static void write_file(const struct fixture *f, const char *name, const char *text)
{
	char path[128];
	FILE *to;
	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	to = fopen(path, "w");
	assert_non_null(to);
	fputs(text, to);
	fclose(to);
}

static struct conf *read_file(struct fixture *f, const char *name)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	conf_errors_init(&f->errors, &f->arena);
	return conf_read(path, schema, ARRAY_LEN(schema), &f->arena, &f->errors);
}

/* As assert_errors(), for a want in which a ^ stands for the directory. */
static void assert_file_errors(struct fixture *f, const char *want)
{
	AUTO_FREE char *got = all_errors(f);
	char full[1024] = "";
	for (size_t n = 0; *want != '\0'; want++)
		n += (size_t)snprintf(full + n, sizeof(full) - n, *want == '^' ? "%s/" : "%.1s",
				      *want == '^' ? f->dir : want);
	assert_string_equal(got, full);
}

static void test_file(void **state)
{
	struct fixture *f = *state;
	struct conf *c;
	write_file(f, "a.conf", "[lb]\nlow = 5");
	c = read_file(f, "a.conf");
	assert_int_equal(f->errors.n, 0);
	assert_int_equal(((struct lb *)conf_at(c, "lb", 0))->low, 5);
}

static void test_unreadable(void **state)
{
	struct fixture *f = *state;
	assert_null(read_file(f, "none.conf"));
	assert_file_errors(f, "^none.conf: cannot be opened: No such file or directory\n");
	assert_null(read_file(f, "."));
	assert_file_errors(f, "^.: is not a file\n");
}

static void test_include(void **state)
{
	struct fixture *f = *state;
	char sub[64];
	struct conf *c;
	snprintf(sub, sizeof(sub), "%s/d", f->dir);
	assert_int_equal(mkdir(sub, 0700), 0);
	write_file(f, "a.conf", "[lb]\nlow = 5\ninclude d/b.conf ; rules\n[check z]\nprobe = z\n");
	write_file(f, "d/b.conf", "[check b]\nprobe = b\ninclude c.conf\n");
	write_file(f, "d/c.conf", "[check c]\nprobe = c");
	c = read_file(f, "a.conf");
	assert_int_equal(f->errors.n, 0);
	assert_int_equal(conf_count(c, "check"), 3);
	assert_str_equal(conf_name(c, "check", 0), "b");
	assert_str_equal(conf_name(c, "check", 1), "c");
	assert_str_equal(conf_name(c, "check", 2), "z");
	assert_int_equal(conf_loc(c, "check", 1).order, 2);
}

/* A section does not reach into an included file, nor out of it. */
static void test_include_ends_the_section(void **state)
{
	struct fixture *f = *state;
	write_file(f, "a.conf", "[lb]\ninclude b.conf\nlow = 6\n[check b]\nprobe = x\n");
	write_file(f, "b.conf", "low = 5\n[check b]\nprobe = x\nrise = 0\n");
	read_file(f, "a.conf");
	assert_file_errors(f, "^a.conf:3: low: stands in no [section]\n"
			      "^a.conf:4: [check b]: given twice, first at ^b.conf:2\n"
			      "^b.conf:1: low: stands in no [section]\n"
			      "^b.conf:4: rise: 0 is outside 1..10\n");
}

static void test_include_fails(void **state)
{
	struct fixture *f = *state;
	write_file(f, "a.conf", "include none\ninclude b.conf\ninclude .\n[lb]\nlow = 1\n");
	write_file(f, "b.conf", "include a.conf\ninclude b.conf\n");
	read_file(f, "a.conf");
	assert_file_errors(f,
			   "^a.conf:1: include: ^none cannot be opened: No such file or directory\n"
			   "^a.conf:3: include: ^. is not a file\n"
			   "^b.conf:1: include: ^a.conf includes itself\n"
			   "^b.conf:2: include: ^b.conf includes itself\n");
}

/* Neither a chain nor a crowd of files is followed without end. */
static void test_include_limits(void **state)
{
	struct fixture *f = *state;
	char many[CONF_FILES_MAX * 20 + 40] = "", name[16], text[32];
	for (int i = 0; i <= CONF_DEPTH_MAX; i++) {
		snprintf(name, sizeof(name), "%d", i);
		snprintf(text, sizeof(text), "include %d", i + 1);
		write_file(f, name, text);
	}
	read_file(f, "0");
	assert_file_errors(f, "^4:1: include: at most 64 files, 4 deep, are allowed\n");

	write_file(f, "empty", "");
	for (int i = 0; i <= CONF_FILES_MAX; i++)
		strcat(many, "include empty\n");
	write_file(f, "many", many);
	read_file(f, "many");
	assert_file_errors(f, "^many:65: include: at most 64 files, 4 deep, are allowed\n");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_values),
		TEST(test_places),
		TEST(test_empty),
		TEST(test_byte_order_mark),
		TEST(test_others_are_skipped),
		TEST(test_errors),
		TEST(test_headers),
		TEST(test_names),
		TEST(test_bad_values_are_defaults),
		TEST(test_long_lines),
		TEST(test_nul),
		TEST(test_errors_are_sorted),
		TEST(test_many_errors),
		TEST(test_errors_are_logged),
		TEST(test_counts),
		TEST(test_too_many_sections),
		TEST(test_restart_keys),
		TEST(test_file),
		TEST(test_unreadable),
		TEST(test_include),
		TEST(test_include_ends_the_section),
		TEST(test_include_fails),
		TEST(test_include_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
