// SPDX-License-Identifier: MIT
/*
 * Values are rendered as they come, but for a CSV row, which is gathered beside, values and names, and added whole when
 * it is closed: under the names if it is the first of its list.
 *
 * A value is a struct form: what CSV says, what text says, what JSON says. Types make forms, put() places them.
 */
#include "ipc/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <time.h>

#define VALUE_SIZE 64
#define ROW_MAX	   (64u << 10)

/* How a value looks. */
struct form {
	struct str csv, text;
	struct str json; /* STR_NONE: text as a JSON string */
	bool unsaid;	 /* an empty string or a false bool: left out of a row of text */
};

static struct report_level *top(struct report *r)
{
	return r->depth ? &r->level[r->depth - 1] : NULL;
}

/* As str_sanitize(), but into another place. */
static void add_clean(struct text *to, struct str s)
{
	while (s.n)
		text_add(to, str_printable(&s));
}

/* One field of RFC 4180. */
static void add_csv(struct text *to, struct str s)
{
	if (str_find(s, ',') < 0 && str_find(s, '"') < 0) {
		add_clean(to, s);
		return;
	}
	struct str part;
	text_add(to, STR("\""));
	for (bool first = true; str_split(&s, '"', &part); first = false) {
		if (!first)
			text_add(to, STR("\"\""));
		add_clean(to, part);
	}
	text_add(to, STR("\""));
}

/* ---- containers */

static void open_level(struct report *r, char kind, const char *key)
{
	const struct report_level *outer = top(r);
	MUST(r->depth < REPORT_DEPTH && (!outer || outer->kind != 'r'));
	size_t n = outer ? outer->path_n : 0;
	struct report_level *l = &r->level[r->depth++];
	*l = (struct report_level){.kind = kind, .path_n = n};
	r->begun = false;
	if (r->format == REPORT_JSON)
		text_json_open(r->to, key, kind == '[' ? '[' : '{');
	if (kind != 'o' || !key)
		return;
	int more = snprintf(r->path + n, sizeof(r->path) - n, "%s%s", n ? " " : "", key);
	MUST(more >= 0);
	l->path_n = MIN(n + (size_t)more, sizeof(r->path) - 1);
}

void report_begin(struct report *r, struct text *to, enum report_format format)
{
	*r = (struct report){.to = to, .format = format};
	text_init(&r->names, ROW_MAX);
	text_init(&r->values, ROW_MAX);
}

void report_end(struct report *r)
{
	MUST(r->depth == 0);
	text_fini(&r->names);
	text_fini(&r->values);
	*r = (struct report){0};
}

void report_list(struct report *r, const char *key)
{
	open_level(r, '[', key);
	r->headed = false;
}

void report_row(struct report *r, const char *key)
{
	const struct report_level *outer = top(r);
	if (!outer || outer->kind != '[')
		r->headed = false;
	open_level(r, 'r', key);
}

void report_object(struct report *r, const char *key)
{
	if (!r->depth)
		r->headed = false;
	open_level(r, 'o', key);
}

static void add_csv_row(struct report *r)
{
	if (!r->headed)
		text_printf(r->to, "%.*s\n", (int)r->names.n, r->names.p);
	r->headed = true;
	text_printf(r->to, "%.*s\n", (int)r->values.n, r->values.p);
	text_drop(&r->names, r->names.n);
	text_drop(&r->values, r->values.n);
	r->begun = false;
}

void report_close(struct report *r)
{
	const struct report_level *l = top(r);
	MUST(l);
	if (r->format == REPORT_JSON)
		text_json_close(r->to, l->kind == '[' ? ']' : '}');
	else if (r->begun && r->format == REPORT_CSV)
		add_csv_row(r);
	else if (r->begun)
		text_add(r->to, STR("\n"));
	r->begun = false;
	r->depth--;
}

/* ---- values */

/* The form with its value; a number behind % is the width to pad to. */
static void add_form(struct text *to, const char *as, struct str value)
{
	const char *at = strchr(as, '%');
	if (!at) {
		text_add(to, str_c(as));
		return;
	}
	size_t width = 0;
	const char *behind = at + 1;
	for (; *behind >= '0' && *behind <= '9'; behind++)
		width = width * 10 + (size_t)(*behind - '0');
	text_add(to, str_of(as, (size_t)(at - as)));
	add_clean(to, value);
	for (size_t n = value.n; n < width; n++)
		text_add(to, STR(" "));
	text_add(to, str_c(behind));
}

static void put_piece(struct report *r, const char *name, const char *as, const struct form *f)
{
	if (f->unsaid)
		return;
	if (r->begun && !(as && *as == ','))
		text_add(r->to, STR(" "));
	r->begun = true;
	if (!as)
		text_printf(r->to, "%s ", name);
	add_form(r->to, as ? as : "%", f->text);
}

static void put_line(struct report *r, const char *name, const char *as, const struct form *f)
{
	size_t path_n = top(r)->path_n;
	if (!as) {
		add_clean(r->to, str_of(r->path, path_n));
		text_printf(r->to, "%s%s ", path_n ? " " : "", name);
	}
	add_form(r->to, as ? as : "%", f->text);
	if (r->note)
		text_printf(r->to, "  %s", r->note);
	text_add(r->to, STR("\n"));
}

static void put_column(struct report *r, const char *name, struct str value)
{
	if (r->begun) {
		text_add(&r->names, STR(","));
		text_add(&r->values, STR(","));
	}
	r->begun = true;
	add_csv(&r->names, str_c(name));
	add_csv(&r->values, value);
}

static void put_columns(struct report *r, const char *name, const struct form *f)
{
	put_column(r, "object", str_of(r->path, top(r)->path_n));
	put_column(r, "name", str_c(name));
	put_column(r, "value", f->csv);
	put_column(r, "note", str_c(r->note ? r->note : ""));
	add_csv_row(r);
}

static void put_json(struct report *r, const char *name, const struct form *f)
{
	if (r->note) {
		text_json_open(r->to, name, '{');
		name = "value";
	}
	if (f->json.p)
		text_json_raw(r->to, name, f->json);
	else
		text_json_str(r->to, name, f->text);
	if (r->note) {
		text_json_str(r->to, "note", str_c(r->note));
		text_json_close(r->to, '}');
	}
}

static void put(struct report *r, const char *name, const char *as, const struct form *f)
{
	const struct report_level *l = top(r);
	MUST(l && l->kind != '[' && (name || as));
	bool in_row = l->kind == 'r';
	switch (r->format) {
	case REPORT_TEXT:
		if (as && !*as)
			break;
		if (in_row)
			put_piece(r, name, as, f);
		else
			put_line(r, name, as, f);
		break;
	case REPORT_JSON:
		if (name)
			put_json(r, name, f);
		break;
	case REPORT_CSV:
		if (name && in_row)
			put_column(r, name, f->csv);
		else if (name)
			put_columns(r, name, f);
		break;
	}
	r->note = NULL;
}

void report_slice(struct report *r, const char *name, const char *as, struct str value)
{
	struct str v = value.p ? value : STR("");
	put(r, name, as, &(struct form){.csv = v, .text = v, .unsaid = v.n == 0});
}

void report_str(struct report *r, const char *name, const char *as, const char *value)
{
	report_slice(r, name, as, str_c(value));
}

/* The same in all formats. */
static void put_number(struct report *r, const char *name, const char *as, const char *value)
{
	struct str v = str_c(value);
	put(r, name, as, &(struct form){.csv = v, .text = v, .json = v});
}

void report_uint(struct report *r, const char *name, const char *as, uint64_t value)
{
	char text[VALUE_SIZE];
	snprintf(text, sizeof(text), "%" PRIu64, value);
	put_number(r, name, as, text);
}

void report_int(struct report *r, const char *name, const char *as, int64_t value)
{
	char text[VALUE_SIZE];
	snprintf(text, sizeof(text), "%" PRId64, value);
	put_number(r, name, as, text);
}

void report_real(struct report *r, const char *name, const char *as, double value)
{
	char shown[VALUE_SIZE], exact[VALUE_SIZE];
	bool finite = isfinite(value);
	snprintf(shown, sizeof(shown), "%.1f", value);
	snprintf(exact, sizeof(exact), "%.3f", value);
	put(r, name, as,
	    &(struct form){.csv = str_c(finite ? exact : ""),
			   .text = str_c(finite ? shown : "-"),
			   .json = str_c(finite ? exact : "null")});
}

void report_bool(struct report *r, const char *name, const char *as, bool value)
{
	struct str json = value ? STR("true") : STR("false");
	bool flag = as && !strchr(as, '%');
	put(r, name, as,
	    &(struct form){.csv = json,
			   .text = value ? STR("yes") : STR("no"),
			   .json = json,
			   .unsaid = flag && !value});
}

void report_time(struct report *r, const char *name, const char *as, int64_t wall_s)
{
	char number[VALUE_SIZE], date[VALUE_SIZE] = "never";
	time_t t = (time_t)wall_s;
	struct tm tm;
	snprintf(number, sizeof(number), "%" PRId64, wall_s);
	if (wall_s && localtime_r(&t, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	struct str v = str_c(number);
	put(r, name, as, &(struct form){.csv = v, .text = str_c(date), .json = v});
}

void report_us(struct report *r, const char *name, const char *as, uint64_t us)
{
	char number[VALUE_SIZE], ms[VALUE_SIZE];
	snprintf(number, sizeof(number), "%" PRIu64, us);
	snprintf(ms, sizeof(ms), "%" PRIu64 ".%u ms", us / 1000, (unsigned)(us / 100 % 10));
	struct str v = str_c(number);
	put(r, name, as, &(struct form){.csv = v, .text = str_c(ms), .json = v});
}

void report_strs(struct report *r, const char *name, const char *as, const char *const *values,
		 size_t n)
{
	struct text line, json;
	text_init(&line, ROW_MAX);
	text_init(&json, ROW_MAX);
	text_json_open(&json, NULL, '[');
	for (size_t i = 0; i < n; i++) {
		text_printf(&line, "%s%s", i ? " " : "", values[i]);
		text_json_str(&json, NULL, str_c(values[i]));
	}
	text_json_close(&json, ']');
	struct str v = str_of(line.p, line.n);
	put(r, name, as,
	    &(struct form){
		    .csv = v, .text = v, .json = str_of(json.p, json.n), .unsaid = line.n == 0});
	text_fini(&line);
	text_fini(&json);
}

void report_lines(struct report *r, const char *indent, struct str lines)
{
	struct str line;
	MUST(!r->depth || top(r)->kind != 'r');
	while (r->format == REPORT_TEXT && lines.n && str_split(&lines, '\n', &line)) {
		if (!line.n)
			continue;
		text_printf(r->to, "%s", indent);
		add_clean(r->to, line);
		text_add(r->to, STR("\n"));
	}
}

void report_raw(struct report *r, const char *name, struct str json)
{
	if (r->format == REPORT_JSON)
		put(r, name, "", &(struct form){.json = json.p ? json : STR("null")});
}

void report_note(struct report *r, const char *note)
{
	r->note = note;
}
