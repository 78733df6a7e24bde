// SPDX-License-Identifier: MIT
/*
 * Three walks over the same tables. No key is named here.
 */
#include "conf/doc.h"

#define MASK "******"

/* Temporary texts of a walk. */
static void with_arena(struct arena *arena, char *block, size_t size)
{
	arena_init(arena, block, size, ARENA_UNLIMITED);
}

/* ---- -T */

/* One line, aligned where that leaves it short enough to be read again. */
static void print_value(FILE *to, const struct conf_key *key, struct str text, int width)
{
	if (key->flags & CONF_SECRET)
		text = STR(MASK);
	if ((size_t)width + strlen(" = ") + text.n <= CONF_LINE_MAX)
		fprintf(to, "%-*s = %.*s\n", width, key->name, STR_ARG(text));
	else
		fprintf(to, "%s=%.*s\n", key->name, STR_ARG(text));
}

static void print_key(FILE *to, const struct conf_key *key, const struct conf_value *v, int width)
{
	if (!v)
		fprintf(to, ";%-*s = (not set)\n", width - 1, key->name);
	for (; v; v = v->next)
		print_value(to, key, v->text, width);
}

static int widest(const struct conf_section *s)
{
	size_t n = 0;
	for (size_t k = 0; k < s->n_keys; k++)
		n = MAX(n, strlen(s->keys[k].name));
	return (int)n;
}

static void print_instance(FILE *to, const struct conf *c, const struct conf_section *s, size_t i)
{
	struct str name = conf_name(c, s->kind, i);
	int width = widest(s);
	fprintf(to, "[%s%s%.*s]\n", s->kind, name.n > 0 ? " " : "", STR_ARG(name));
	for (size_t k = 0; k < s->n_keys; k++)
		print_key(to, &s->keys[k], conf_values(c, s->kind, i, k), width);
	fprintf(to, "\n");
}

void conf_print_effective(FILE *to, const struct conf *c)
{
	const struct conf_section *const *schema;
	size_t n = conf_schema(c, &schema);
	for (size_t g = 0; g < n; g++) {
		for (size_t i = 0; i < conf_count(c, schema[g]->kind); i++)
			print_instance(to, c, schema[g], i);
	}
}

/* ---- manual */

void conf_print_roff(FILE *to, struct str s)
{
	if (s.n > 0 && (s.p[0] == '.' || s.p[0] == '\''))
		fputs("\\&", to);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\')
			fputs("\\e", to);
		else if (s.p[i] == '-')
			fputs("\\-", to);
		else
			fputc(s.p[i], to);
	}
}

static void man_key(FILE *to, const struct conf_key *key, struct arena *arena)
{
	fputs(".TP\n\\fB", to);
	conf_print_roff(to, str_c(key->name));
	fputs("\\fR = \\fI", to);
	conf_print_roff(to, conf_key_syntax(key, arena));
	fputs("\\fR\n", to);
	conf_print_roff(to, str_c(key->prose));
	if (key->def) {
		fputs("\nDefault: \\fB", to);
		conf_print_roff(to, str_c(key->def));
		fputs("\\fR.", to);
	} else if (key->flags & CONF_REQUIRED) {
		fputs("\nRequired.", to);
	}
	if (conf_key_repeats(key))
		fputs("\nMay be repeated.", to);
	if (key->flags & CONF_RESTART)
		fputs("\nA change needs a restart.", to);
	fputs("\n", to);
}

void conf_print_man(FILE *to, const struct conf_section *const *schema, size_t n)
{
	char block[1024];
	struct arena arena;
	with_arena(&arena, block, sizeof(block));
	for (size_t g = 0; g < n; g++) {
		const struct conf_section *s = schema[g];
		fprintf(to, ".SS [%s%s]\n", s->kind, s->name_at >= 0 ? " NAME" : "");
		conf_print_roff(to, str_c(s->prose));
		fputs("\n", to);
		for (size_t k = 0; k < s->n_keys; k++)
			man_key(to, &s->keys[k], &arena);
	}
	arena_fini(&arena);
}

/* ---- example */

static void example_key(FILE *to, const struct conf_key *key, struct arena *arena)
{
	struct str syntax = conf_key_syntax(key, arena);
	const char *note = key->flags & CONF_REQUIRED ? " Required." : "";
	const char *restart = key->flags & CONF_RESTART ? " A change needs a restart." : "";
	fprintf(to, "; %s%s%s\n; %.*s\n", key->prose, note, restart, STR_ARG(syntax));
	fprintf(to, ";%s =%s%s\n\n", key->name, key->def ? " " : "", key->def ? key->def : "");
}

void conf_print_example(FILE *to, const struct conf_section *const *schema, size_t n)
{
	char block[1024];
	struct arena arena;
	with_arena(&arena, block, sizeof(block));
	for (size_t g = 0; g < n; g++) {
		const struct conf_section *s = schema[g];
		fprintf(to, "; %s\n;[%s%s]\n\n", s->prose, s->kind, s->name_at >= 0 ? " NAME" : "");
		for (size_t k = 0; k < s->n_keys; k++)
			example_key(to, &s->keys[k], &arena);
	}
	arena_fini(&arena);
}
