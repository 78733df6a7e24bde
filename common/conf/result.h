// SPDX-License-Identifier: MIT
/*
 * A configuration that was read: by kind of section, its instances in file order, each a typed
 * struct.
 *
 * A struct conf and all it points to live in the arena it was read into. Once the reader's
 * caller has checked it, it is immutable, so threads may share it.
 */
#ifndef CONF_RESULT_H
#define CONF_RESULT_H

#include "conf/errors.h"
#include "conf/schema.h"

struct conf; /* private to result.c */

/* One line of a key, or its default. */
struct conf_value {
	struct conf_value *next; /* ro: the key's next line, where it may be repeated */
	struct str text;
	struct conf_loc at; /* line 0: the default */
};

/*
 * The sections of a kind (which must be in the schema), in file order; an absent CONF_IMPLICIT
 * one is there. conf_at() gives NULL for i >= count, so conf_at(c, "edge", 0) asks for a single
 * section.
 */
size_t conf_count(const struct conf *c, const char *kind);
void *conf_at(const struct conf *c, const char *kind, size_t i);
/* NULL: no such section. */
void *conf_find(const struct conf *c, const char *kind, struct str name);

/*
 * Of section i < count: its name (STR_NONE for a single one), its header's place, the place of
 * a key (its header's, when the key is not in the file), and whether the key is in the file.
 * key must be in the table.
 */
struct str conf_name(const struct conf *c, const char *kind, size_t i);
struct conf_loc conf_loc(const struct conf *c, const char *kind, size_t i);
struct conf_loc conf_key_loc(const struct conf *c, const char *kind, size_t i, const char *key);
bool conf_given(const struct conf *c, const char *kind, size_t i, const char *key);

/* The effective text of row k of the section's table, line by line; NULL: not given, and no
 * default. */
const struct conf_value *conf_values(const struct conf *c, const char *kind, size_t i, size_t k);

/* Was this kind in the schemas that c was read with? The schemas themselves; returns their number. */
bool conf_has(const struct conf *c, const char *kind);
size_t conf_schema(const struct conf *c, const struct conf_section *const **schema);

/* The whole file as a place, for errors such as "no [board] is this host". */
struct conf_loc conf_file(const struct conf *c);

/*
 * Calls say() for each CONF_RESTART key whose text differs between two generations (both read
 * by the same schemas), sections paired by name; a section that came or went is not reported.
 * Returns their number.
 */
size_t conf_restart_keys(const struct conf *old, const struct conf *fresh,
			 void (*say)(void *arg, const char *kind, struct str name, const char *key),
			 void *arg);

/*
 * For the reader. An instance is opened at its header, filled key by key, and closed: then
 * defaults are filled in, missing keys reported and the section's finish() is run. listed: false
 * for one that is read only for its errors (a name given twice).
 */
struct conf_instance; /* private to result.c */

struct conf *conf_new(const char *file, const struct conf_section *const *schema, size_t n,
		      struct arena *arena, struct conf_errors *errors);
struct conf_instance *conf_open(struct conf *c, const struct conf_section *section, struct str name,
				struct conf_loc at, bool listed);
void conf_set(struct conf *c, struct conf_instance *in, struct conf_loc at, struct str key,
	      struct str value);
void conf_close(struct conf *c, struct conf_instance *in);
void conf_end(struct conf *c); /* implicit sections made, missing ones reported */

#endif
