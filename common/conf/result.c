// SPDX-License-Identifier: MIT
/*
 * One group per schema, an array of instances per group. An instance keeps, besides the struct
 * that the daemon sees, the text and place of each of its keys: from these come the print of
 * the effective configuration, places for the checks across sections, and the comparison of
 * generations.
 *
 * A key whose text was bad is marked, so that it is not reported as missing too, and gets its
 * default, so that later checks see a valid value.
 *
 * Invariant: after conf_close(), the values of a key are those of the file, or its default
 * alone.
 */
#include "conf/result.h"

#define CONF_INSTANCES_MIN 4

struct slot {
	struct conf_value *first, *last; /* what was given, in order, bad lines too */
	bool bad;
};

struct conf_instance {
	const struct conf_section *section;
	void *data;
	struct str name;
	struct conf_loc at;
	struct slot *slots; /* one a row of the table */
	bool bad;
};

struct group {
	const struct conf_section *section;
	struct conf_instance **v;
	size_t n, room;
};

struct conf {
	const struct conf_section *const *schema;
	struct group *groups;
	size_t n;
	struct conf_loc file;
	struct arena *arena;
	struct conf_errors *errors; /* NULL once read */
};

/* ---- for the daemons */

static const struct group *find_group(const struct conf *c, const char *kind)
{
	for (size_t i = 0; i < c->n; i++) {
		if (strcmp(c->groups[i].section->kind, kind) == 0)
			return &c->groups[i];
	}
	return NULL;
}

static const struct group *group(const struct conf *c, const char *kind)
{
	const struct group *g = find_group(c, kind);
	MUST(g);
	return g;
}

static const struct conf_instance *instance(const struct conf *c, const char *kind, size_t i)
{
	const struct group *g = group(c, kind);
	MUST(i < g->n);
	return g->v[i];
}

bool conf_has(const struct conf *c, const char *kind)
{
	return find_group(c, kind);
}

size_t conf_count(const struct conf *c, const char *kind)
{
	return group(c, kind)->n;
}

void *conf_at(const struct conf *c, const char *kind, size_t i)
{
	const struct group *g = group(c, kind);
	return i < g->n ? g->v[i]->data : NULL;
}

void *conf_find(const struct conf *c, const char *kind, struct str name)
{
	const struct group *g = group(c, kind);
	for (size_t i = 0; i < g->n; i++) {
		if (str_eq(g->v[i]->name, name))
			return g->v[i]->data;
	}
	return NULL;
}

struct str conf_name(const struct conf *c, const char *kind, size_t i)
{
	return instance(c, kind, i)->name;
}

struct conf_loc conf_loc(const struct conf *c, const char *kind, size_t i)
{
	return instance(c, kind, i)->at;
}

/* The row of that name, or n_keys. */
static size_t find_row(const struct conf_section *section, struct str name)
{
	size_t k = 0;
	while (k < section->n_keys && !str_eq(name, str_c(section->keys[k].name)))
		k++;
	return k;
}

static const struct conf_value *value_of(const struct conf_instance *in, const char *key)
{
	size_t k = find_row(in->section, str_c(key));
	MUST(k < in->section->n_keys);
	return in->slots[k].first;
}

bool conf_given(const struct conf *c, const char *kind, size_t i, const char *key)
{
	const struct conf_value *v = value_of(instance(c, kind, i), key);
	return v && v->at.line > 0;
}

struct conf_loc conf_key_loc(const struct conf *c, const char *kind, size_t i, const char *key)
{
	const struct conf_instance *in = instance(c, kind, i);
	const struct conf_value *v = value_of(in, key);
	return v && v->at.line > 0 ? v->at : in->at;
}

const struct conf_value *conf_values(const struct conf *c, const char *kind, size_t i, size_t k)
{
	const struct conf_instance *in = instance(c, kind, i);
	MUST(k < in->section->n_keys);
	return in->slots[k].first;
}

size_t conf_schema(const struct conf *c, const struct conf_section *const **schema)
{
	*schema = c->schema;
	return c->n;
}

struct conf_loc conf_file(const struct conf *c)
{
	return c->file;
}

/* ---- two generations */

static bool same_values(const struct conf_value *a, const struct conf_value *b)
{
	for (; a && b; a = a->next, b = b->next) {
		if (!str_eq(a->text, b->text))
			return false;
	}
	return !a && !b;
}

static const struct conf_instance *same_name(const struct group *g, struct str name)
{
	for (size_t i = 0; i < g->n; i++) {
		if (str_eq(g->v[i]->name, name))
			return g->v[i];
	}
	return NULL;
}

size_t conf_restart_keys(const struct conf *old, const struct conf *fresh,
			 void (*say)(void *arg, const char *kind, struct str name, const char *key),
			 void *arg)
{
	size_t n = 0;
	MUST(old->schema == fresh->schema);
	for (size_t g = 0; g < old->n; g++) {
		const struct conf_section *s = old->groups[g].section;
		for (size_t i = 0; i < old->groups[g].n; i++) {
			const struct conf_instance *a = old->groups[g].v[i];
			const struct conf_instance *b = same_name(&fresh->groups[g], a->name);
			for (size_t k = 0; b && k < s->n_keys; k++) {
				if (!(s->keys[k].flags & CONF_RESTART) ||
				    same_values(a->slots[k].first, b->slots[k].first))
					continue;
				say(arg, s->kind, a->name, s->keys[k].name);
				n++;
			}
		}
	}
	return n;
}

/* ---- for the reader */

struct conf *conf_new(const char *file, const struct conf_section *const *schema, size_t n,
		      struct arena *arena, struct conf_errors *errors)
{
	struct conf *c = ARENA_NEW(arena, struct conf);
	MUST(c);
	*c = (struct conf){
		.schema = schema,
		.groups = ARENA_ARRAY(arena, struct group, n),
		.n = n,
		.file.file = file,
		.arena = arena,
		.errors = errors,
	};
	for (size_t i = 0; i < n; i++)
		c->groups[i].section = schema[i];
	return c;
}

static void add(struct group *g, struct conf_instance *in, struct arena *arena)
{
	if (g->n == g->room) {
		size_t room = MAX(g->room * 2, (size_t)CONF_INSTANCES_MIN);
		struct conf_instance **v = ARENA_ARRAY(arena, struct conf_instance *, room);
		if (g->n > 0)
			memcpy(v, g->v, g->n * sizeof(*v));
		g->v = v;
		g->room = room;
	}
	g->v[g->n++] = in;
}

struct conf_instance *conf_open(struct conf *c, const struct conf_section *section, struct str name,
				struct conf_loc at, bool listed)
{
	struct conf_instance *in = ARENA_NEW(c->arena, struct conf_instance);
	in->section = section;
	in->data = arena_calloc(c->arena, section->size);
	in->slots = ARENA_ARRAY(c->arena, struct slot, section->n_keys);
	in->at = at;
	if (name.n > 0)
		in->name = arena_str(c->arena, name);
	if (section->name_at >= 0)
		*(struct str *)(void *)((char *)in->data + section->name_at) = in->name;
	for (size_t i = 0; listed && i < c->n; i++) {
		if (c->groups[i].section == section)
			add(&c->groups[i], in, c->arena);
	}
	return in;
}

static struct conf_value *append(struct conf *c, struct slot *slot, struct conf_loc at,
				 struct str text)
{
	struct conf_value *v = ARENA_NEW(c->arena, struct conf_value);
	v->at = at;
	v->text = arena_str(c->arena, text);
	*(slot->last ? &slot->last->next : &slot->first) = v;
	slot->last = v;
	return v;
}

/* The nearest key, if at most a third of the misspelt one is wrong. */
static const char *nearest_key(const struct conf_section *section, struct str key)
{
	unsigned best = (unsigned)MIN(key.n, (size_t)63) / 3 + 1;
	const char *found = NULL;
	for (size_t k = 0; k < section->n_keys; k++) {
		unsigned d = str_distance(key, str_c(section->keys[k].name));
		if (d < best) {
			best = d;
			found = section->keys[k].name;
		}
	}
	return found;
}

static void unknown_key(struct conf *c, const struct conf_section *section, struct conf_loc at,
			struct str key)
{
	const char *near = NULL;
	struct str name;
	if (c->errors->n < CONF_ERRORS_MAX) /* else it is only counted */
		near = nearest_key(section, key);
	name = arena_str(c->arena, key);
	if (near)
		conf_error_at(c->errors, at, name.p, "unknown in [%s]; did you mean `%s`?",
			      section->kind, near);
	else
		conf_error_at(c->errors, at, name.p, "unknown in [%s]", section->kind);
}

void conf_set(struct conf *c, struct conf_instance *in, struct conf_loc at, struct str key,
	      struct str value)
{
	size_t k = find_row(in->section, key);
	const struct conf_key *row = &in->section->keys[k];
	struct slot *slot = &in->slots[k];
	struct err e = {""};
	if (k == in->section->n_keys) {
		in->bad = true;
		unknown_key(c, in->section, at, key);
		return;
	}
	if (slot->first && !conf_key_repeats(row)) {
		in->bad = true;
		conf_error_at(c->errors, at, row->name, "given twice, first on line %d",
			      slot->first->at.line);
		return;
	}
	append(c, slot, at, value);
	if (conf_key_parse(row, in->data, value, c->arena, &e) == 0)
		return;
	slot->bad = in->bad = true;
	conf_error_at(c->errors, at, row->name, "%s", e.text);
}

static void missing_key(struct conf *c, struct conf_instance *in, const struct conf_key *row)
{
	struct str syntax = conf_key_syntax(row, c->arena);
	in->bad = true;
	conf_error_at(c->errors, in->at, row->name, "missing in [%s%s%s], needed: %s",
		      in->section->kind, in->name.n > 0 ? " " : "",
		      in->name.n > 0 ? in->name.p : "", syntax.p);
}

/* A default that its own parser refuses is an error of the table, not of the file. */
static void put_default(struct conf *c, struct conf_instance *in, size_t k)
{
	const struct conf_key *row = &in->section->keys[k];
	struct err e = {""};
	if (conf_key_parse(row, in->data, str_c(row->def), c->arena, &e) != 0)
		WRONG(arena_printf(c->arena, "default of %s: %s", row->name, e.text).p);
	if (!in->slots[k].first)
		append(c, &in->slots[k], (struct conf_loc){.file = in->at.file}, str_c(row->def));
}

void conf_close(struct conf *c, struct conf_instance *in)
{
	const struct conf_section *s = in->section;
	struct err e = {""};
	for (size_t k = 0; k < s->n_keys; k++) {
		struct slot *slot = &in->slots[k];
		if (slot->first && (!slot->bad || slot->first != slot->last))
			continue;
		if (s->keys[k].def)
			put_default(c, in, k);
		else if (!slot->first && (s->keys[k].flags & CONF_REQUIRED))
			missing_key(c, in, &s->keys[k]);
	}
	if (!in->bad && s->finish && s->finish(in->data, c->arena, &e) != 0)
		conf_error_at(c->errors, in->at, NULL, "[%s%s%s]: %s", s->kind,
			      in->name.n > 0 ? " " : "", in->name.n > 0 ? in->name.p : "", e.text);
}

void conf_end(struct conf *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct group *g = &c->groups[i];
		const struct conf_section *s = g->section;
		if (g->n == 0 && (s->flags & CONF_IMPLICIT)) {
			struct str none = STR_NONE;
			conf_close(c, conf_open(c, s, none, c->file, true));
		} else if (g->n == 0 && (s->flags & CONF_SECTION_REQUIRED)) {
			conf_error_at(c->errors, c->file, NULL, "a section [%s%s] is missing",
				      s->kind, s->name_at >= 0 ? " NAME" : "");
		} else if (s->max > 0 && g->n > s->max) {
			conf_error_at(c->errors, g->v[s->max]->at, NULL,
				      "[%s]: at most %u are allowed", s->kind, s->max);
		}
	}
	c->errors = NULL;
}
