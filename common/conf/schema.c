// SPDX-License-Identifier: MIT
/*
 * From text to typed fields. One function a type, found by a switch; each says what is wrong
 * and what is allowed, and touches the field only when the text was good. Text (the type of
 * secrets) is never repeated in a message.
 *
 * A list has no room counter of its own: its capacity is the power of two that holds n, so it
 * is copied to twice the room whenever n has become one.
 */
#include "conf/schema.h"

#include <inttypes.h>
#include <stdio.h>

#define SHOWN_MAX  48 /* bytes of a bad value that a message repeats */
#define LIMIT_SIZE 24 /* of a limit as text */

/* The bad value as a message shows it. */
struct shown {
	char text[SHOWN_MAX + 8];
};

static struct shown show(struct str value)
{
	struct shown s;
	int n = (int)MIN(value.n, (size_t)SHOWN_MAX);
	snprintf(s.text, sizeof(s.text), "\"%.*s%s\"", n, value.p,
		 value.n > SHOWN_MAX ? "..." : "");
	return s;
}

struct unit {
	const char *name;
	int64_t scale;
};

static const struct unit times[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {0}};
static const struct unit sizes[] = {{"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"", 1}, {0}};
static const struct unit plain[] = {{"", 1}, {0}};

static const struct unit *units_of(enum conf_type type)
{
	if (type == CONF_TYPE_MSEC32 || type == CONF_TYPE_MSEC64)
		return times;
	return type == CONF_TYPE_SIZE ? sizes : plain;
}

/* The value in the largest unit that divides it: 90000 is 90s, 120000 is 2m. */
static const char *limit(char to[LIMIT_SIZE], int64_t value, const struct unit *u)
{
	while (u[1].name && (value % u->scale != 0 || value == 0))
		u++;
	snprintf(to, LIMIT_SIZE, "%" PRId64 "%s", value / u->scale, u->name);
	return to;
}

static int outside(const struct conf_key *key, struct str text, struct err *e)
{
	const struct unit *units = units_of(key->type);
	char lo[LIMIT_SIZE], hi[LIMIT_SIZE];
	int n = (int)MIN(text.n, (size_t)SHOWN_MAX);
	limit(lo, key->lo, units);
	if (key->hi == INT64_MAX)
		return err_set(e, "%.*s is below %s, the least allowed", n, text.p, lo);
	return err_set(e, "%.*s is outside %s..%s", n, text.p, lo, limit(hi, key->hi, units));
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits, then whatever follows; false without digits. Too many digits give INT64_MAX. */
static bool leading_number(struct str text, int64_t *value, struct str *rest)
{
	size_t n = 0;
	uint64_t number;
	while (n < text.n && is_digit(text.p[n]))
		n++;
	if (n == 0)
		return false;
	if (!str_to_u64(str_of(text.p, n), INT64_MAX, &number))
		number = INT64_MAX;
	*value = (int64_t)number;
	*rest = str_skip(text, n);
	return true;
}

static const struct unit *find_unit(const struct unit *u, struct str name)
{
	while (u->name && !str_eq(name, str_c(u->name)))
		u++;
	return u->name ? u : NULL;
}

static int64_t scaled(int64_t value, const struct unit *u)
{
	return value > INT64_MAX / u->scale ? INT64_MAX : value * u->scale;
}

int conf_parse_msec(struct str text, int64_t *ms, struct err *e)
{
	const struct unit *u;
	struct str rest;
	int64_t value;
	if (!leading_number(text, &value, &rest))
		return err_set(e, "%s is not a time, such as 250ms, 2s, 5m or 1h", show(text).text);
	if (rest.n == 0 && value != 0)
		return err_set(e, "%s lacks a unit: ms, s, m or h", show(text).text);
	u = rest.n == 0 ? times : find_unit(times, rest);
	if (!u)
		return err_set(e, "%s is not a time, such as 250ms, 2s, 5m or 1h", show(text).text);
	*ms = scaled(value, u);
	return 0;
}

int conf_parse_size(struct str text, uint64_t *bytes, struct err *e)
{
	const struct unit *u = NULL;
	struct str rest;
	int64_t value;
	if (leading_number(text, &value, &rest))
		u = find_unit(sizes, rest);
	if (!u)
		return err_set(e, "%s is not a size, such as 512, 64K, 128M or 1G",
			       show(text).text);
	*bytes = (uint64_t)scaled(value, u);
	return 0;
}

static int parse_whole(struct str text, int64_t *value, struct err *e)
{
	bool negative = text.n > 1 && text.p[0] == '-';
	struct str rest;
	if (!leading_number(negative ? str_skip(text, 1) : text, value, &rest) || rest.n > 0)
		return err_set(e, "%s is not a whole number", show(text).text);
	if (negative)
		*value = -*value;
	return 0;
}

/* Any type with a range. */
static int parse_ranged(const struct conf_key *key, struct str text, int64_t *value, struct err *e)
{
	uint64_t bytes = 0;
	int rc;
	*value = 0;
	if (key->type == CONF_TYPE_SIZE) {
		rc = conf_parse_size(text, &bytes, e);
		*value = (int64_t)bytes;
	} else if (key->type == CONF_TYPE_MSEC32 || key->type == CONF_TYPE_MSEC64) {
		rc = conf_parse_msec(text, value, e);
	} else {
		rc = parse_whole(text, value, e);
	}
	if (rc != 0)
		return rc;
	return *value < key->lo || *value > key->hi ? outside(key, text, e) : 0;
}

static int parse_int(const struct conf_key *key, int *field, struct str text, struct err *e)
{
	int64_t value;
	if (parse_ranged(key, text, &value, e) != 0)
		return -1;
	MUST(value >= INT32_MIN && value <= INT32_MAX);
	*field = (int)value;
	return 0;
}

static int parse_u32(const struct conf_key *key, uint32_t *field, struct str text, struct err *e)
{
	int64_t value;
	if (parse_ranged(key, text, &value, e) != 0)
		return -1;
	MUST(value >= 0 && value <= UINT32_MAX);
	*field = (uint32_t)value;
	return 0;
}

static int parse_i64(const struct conf_key *key, int64_t *field, struct str text, struct err *e)
{
	int64_t value;
	if (parse_ranged(key, text, &value, e) != 0)
		return -1;
	*field = value;
	return 0;
}

static int parse_u64(const struct conf_key *key, uint64_t *field, struct str text, struct err *e)
{
	int64_t value;
	if (parse_ranged(key, text, &value, e) != 0)
		return -1;
	MUST(value >= 0);
	*field = (uint64_t)value;
	return 0;
}

static int parse_bool(bool *field, struct str text, struct err *e)
{
	static const struct conf_enum words[] = {{"yes", 1}, {"on", 1},	   {"true", 1}, {"no", 0},
						 {"off", 0}, {"false", 0}, {0}};
	for (const struct conf_enum *w = words; w->name; w++) {
		if (str_eq_nocase(text, str_c(w->name))) {
			*field = w->value != 0;
			return 0;
		}
	}
	return err_set(e, "%s is neither yes nor no", show(text).text);
}

static bool count_is_good(const struct conf_key *key, size_t n)
{
	return key->hi == 0 || (n >= (size_t)key->lo && n <= (size_t)key->hi);
}

static int parse_str(const struct conf_key *key, struct str *field, struct str text,
		     struct arena *arena, struct err *e)
{
	if (!count_is_good(key, text.n))
		return err_set(e, "has %zu bytes, %" PRId64 "..%" PRId64 " are allowed", text.n,
			       key->lo, key->hi);
	*field = arena_str(arena, text);
	return 0;
}

static int parse_addr(const struct conf_key *key, struct addr *field, struct str text,
		      struct err *e)
{
	struct addr a;
	int rc = key->type == CONF_TYPE_IP ? addr_parse_ip(&a, text, e)
					   : addr_parse(&a, text, key->port, e);
	if (rc != 0)
		return rc;
	if ((key->flags & CONF_CONCRETE) && addr_is_any(&a))
		return err_set(e, "%s says any address, one host's is needed", show(text).text);
	*field = a;
	return 0;
}

/* "a, b or c" */
static struct str names_text(const struct conf_enum *names, struct arena *arena, const char *sep,
			     const char *last_sep)
{
	struct str all = str_c(names->name);
	for (names++; names->name; names++)
		all = arena_printf(arena, "%s%s%s", all.p, names[1].name ? sep : last_sep,
				   names->name);
	return all;
}

static int parse_enum(const struct conf_key *key, int *field, struct str text, struct arena *arena,
		      struct err *e)
{
	for (const struct conf_enum *n = key->names; n->name; n++) {
		if (str_eq(text, str_c(n->name))) {
			*field = n->value;
			return 0;
		}
	}
	return err_set(e, "%s is unknown, allowed: %s", show(text).text,
		       names_text(key->names, arena, ", ", " or ").p);
}

static void list_add(struct conf_list *list, struct str word, struct arena *arena)
{
	if ((list->n & (list->n - 1)) == 0) { /* 0, or full */
		struct str *v = ARENA_ARRAY(arena, struct str, MAX(list->n * 2, (size_t)1));

		if (list->n > 0)
			memcpy(v, list->v, list->n * sizeof(*v));
		list->v = v;
	}
	list->v[list->n++] = arena_str(arena, word);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The next piece between bytes that are blank, or commas where those count. */
static bool next_piece(struct str *rest, bool commas, struct str *piece)
{
	size_t n = 0;
	while (rest->n > 0 && (is_blank(rest->p[0]) || (commas && rest->p[0] == ',')))
		*rest = str_skip(*rest, 1);
	while (n < rest->n && !is_blank(rest->p[n]) && !(commas && rest->p[n] == ','))
		n++;
	*piece = str_of(rest->p, n);
	*rest = str_skip(*rest, n);
	return n > 0;
}

bool conf_word(struct str *rest, struct str *word)
{
	return next_piece(rest, false, word);
}

static int parse_list(const struct conf_key *key, struct conf_list *field, struct str text,
		      struct arena *arena, struct err *e)
{
	struct str rest = text, word;
	size_t n = field->n;
	while (next_piece(&rest, true, &word))
		n++;
	if (n == field->n)
		return err_set(e, "has no words");
	if (key->hi != 0 && n > (size_t)key->hi)
		return err_set(e, "has %zu words, at most %" PRId64 " are allowed", n, key->hi);
	for (rest = text; next_piece(&rest, true, &word);)
		list_add(field, word, arena);
	return 0;
}

static int parse_nets(struct nets *field, struct str text, struct arena *arena, struct err *e)
{
	struct nets was = *field;
	struct str rest = text, word;
	if (str_eq(text, STR("none")))
		return was.n == 0 ? 0 : err_set(e, "none stands beside others");
	while (next_piece(&rest, true, &word)) {
		if (nets_add(field, word, arena, e) != 0) {
			*field = was;
			return -1;
		}
	}
	return field->n > was.n ? 0 : err_set(e, "has no words");
}

int conf_key_parse(const struct conf_key *key, void *section, struct str text, struct arena *arena,
		   struct err *e)
{
	void *field = (char *)section + key->at;
	if (text.n == 0)
		return err_set(e, "has no value");
	switch (key->type) {
	case CONF_TYPE_INT:
		return parse_int(key, field, text, e);
	case CONF_TYPE_U32:
	case CONF_TYPE_MSEC32:
		return parse_u32(key, field, text, e);
	case CONF_TYPE_U64:
	case CONF_TYPE_SIZE:
		return parse_u64(key, field, text, e);
	case CONF_TYPE_MSEC64:
		return parse_i64(key, field, text, e);
	case CONF_TYPE_BOOL:
		return parse_bool(field, text, e);
	case CONF_TYPE_STR:
		return parse_str(key, field, text, arena, e);
	case CONF_TYPE_ADDR:
	case CONF_TYPE_IP:
		return parse_addr(key, field, text, e);
	case CONF_TYPE_ENUM:
		return parse_enum(key, field, text, arena, e);
	case CONF_TYPE_LIST:
		return parse_list(key, field, text, arena, e);
	case CONF_TYPE_NETS:
		return parse_nets(field, text, arena, e);
	case CONF_TYPE_FUNC:
		return key->parse(field, text, arena, e);
	}
	WRONG("no such type");
}

static struct str range_text(const struct conf_key *key, struct arena *arena)
{
	const struct unit *units = units_of(key->type);
	char lo[LIMIT_SIZE], hi[LIMIT_SIZE] = "";
	if (key->hi != INT64_MAX)
		limit(hi, key->hi, units);
	return arena_printf(arena, "%s..%s", limit(lo, key->lo, units), hi);
}

struct str conf_key_syntax(const struct conf_key *key, struct arena *arena)
{
	if (key->syntax)
		return str_c(key->syntax);
	switch (key->type) {
	case CONF_TYPE_INT:
	case CONF_TYPE_U32:
	case CONF_TYPE_U64:
	case CONF_TYPE_MSEC32:
	case CONF_TYPE_MSEC64:
	case CONF_TYPE_SIZE:
		return range_text(key, arena);
	case CONF_TYPE_BOOL:
		return STR("yes | no");
	case CONF_TYPE_STR:
		return STR("TEXT");
	case CONF_TYPE_ADDR:
		if (key->flags & CONF_CONCRETE)
			return key->port != 0 ? STR("IP[:PORT]") : STR("IP:PORT");
		return key->port != 0 ? STR("[IP][:PORT]") : STR("[IP]:PORT");
	case CONF_TYPE_IP:
		return STR("IP");
	case CONF_TYPE_ENUM:
		return names_text(key->names, arena, " | ", " | ");
	case CONF_TYPE_LIST:
		return STR("WORD ...");
	case CONF_TYPE_NETS:
		return STR("NET ... | none");
	case CONF_TYPE_FUNC:
		break;
	}
	WRONG("a compound key without its syntax");
}
