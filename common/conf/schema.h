// SPDX-License-Identifier: MIT
/*
 * The keys of a configuration section as a table: the only place where a key is written. From
 * the rows come parsing, defaults, range errors, the check and the print of the effective
 * configuration, the manual and the example file (conf/reader.h, conf/doc.h).
 *
 *	static const struct conf_key lb_keys[] = {
 *		CONF_U32 (struct lb_conf, maxconn, "maxconn", "4096", 1, 65536, "Most clients."),
 *		CONF_MSEC(struct lb_conf, drain_ms, "drain", "10s", 0, 60000, "Wait at a stop."),
 *		CONF_STR (struct lb_conf, auth, "auth", NULL, "USER:PASSWORD.", .flags = CONF_SECRET),
 *	};
 *	const struct conf_section lb_section =
 *		CONF_SINGLE(struct lb_conf, "lb", lb_keys, "Limits.", .flags = CONF_IMPLICIT);
 *
 * A field of another type than the macro's does not compile. After a row's prose any member of
 * struct conf_key may be set, as `.flags = ...` above. A default is text in the language of the
 * file; NULL means no default: the field stays zero when the key is absent (see conf_given()),
 * unless CONF_REQUIRED is set.
 */
#ifndef CONF_SCHEMA_H
#define CONF_SCHEMA_H

#include "base/arena.h"
#include "base/err.h"
#include "net/nets.h"

enum conf_type {
	CONF_TYPE_INT,
	CONF_TYPE_U32,
	CONF_TYPE_U64,
	CONF_TYPE_BOOL,
	CONF_TYPE_MSEC32,
	CONF_TYPE_MSEC64,
	CONF_TYPE_SIZE,
	CONF_TYPE_STR,
	CONF_TYPE_ADDR,
	CONF_TYPE_IP,
	CONF_TYPE_ENUM,
	CONF_TYPE_LIST,
	CONF_TYPE_NETS,
	CONF_TYPE_FUNC,
};

/* Flags of a key. */
enum {
	CONF_REQUIRED = 1, /* its absence is an error at the section's header */
	CONF_RESTART = 2,  /* a reload cannot change it (conf_restart_keys()) */
	CONF_SECRET = 4,   /* printed as ****** and never in an error */
	CONF_REPEAT = 8,   /* may be given on several lines, each is parsed; lists always may */
	CONF_CONCRETE = 16 /* an address that says "any" (0.0.0.0, *, ::) is refused */
};

/* Flags of a section. */
enum {
	CONF_IMPLICIT = 1, /* a single section: when absent, it exists with all its defaults */
	CONF_SECTION_REQUIRED = 2 /* at least one must be in the file */
};

struct conf_enum {
	const char *name; /* NULL ends the table */
	int value;
};

/* The values of a list key: one or many a line, between spaces or commas; it may be repeated. */
struct conf_list {
	struct str *v; /* ro */
	size_t n;      /* ro */
};

/*
 * Parses a compound value (never empty, trimmed) into field. What it keeps must be copied to the
 * arena: text is temporary. With CONF_REPEAT it is called once a line, in order, and adds to field.
 * Returns 0, or -1 with field as it was and e set to what is wrong and what is allowed.
 */
typedef int conf_parse(void *field, struct str text, struct arena *arena, struct err *e);

struct conf_key {
	const char *name;
	const char *def;    /* default, or NULL */
	const char *prose;  /* one line for the manual */
	const char *syntax; /* of a CONF_FUNC: "none | tcp | http METHOD PATH" */
	const struct conf_enum *names;
	conf_parse *parse;
	int64_t lo, hi; /* allowed values; of a string its length, of a list its count; hi 0: any */
	size_t at;	/* offset of the field */
	unsigned flags;
	enum conf_type type;
	uint16_t port; /* default port of an address, 0: it must be written */
};

/* May it be given on several lines? */
static inline bool conf_key_repeats(const struct conf_key *key)
{
	return key->type == CONF_TYPE_LIST || key->type == CONF_TYPE_NETS ||
	       (key->flags & CONF_REPEAT);
}

struct conf_section {
	const char *kind;  /* "server" in [server web1]; one of conf/sections.h */
	const char *prose; /* for the manual */
	const struct conf_key *keys;
	size_t n_keys;
	size_t size;	 /* of the struct that the keys fill */
	ssize_t name_at; /* offset of its struct str name; -1 for a single section */
	unsigned flags;
	unsigned max; /* at most this many in a file, 0: any number */
	/* Optional: called when all keys of a section were good, for defaults that follow from
	 * other keys and for rules between keys. -1 with e set is an error at its header. */
	int (*finish)(void *section, struct arena *arena, struct err *e);
};

/* Sections with a name, `[server web1]`: T has a `struct str name`. Without, `[edge]`: at most one.
 */
#define CONF_NAMED(T, kind_, keys_, prose_, ...)                                                   \
	{                                                                                          \
		.kind = (kind_), .keys = (keys_), .n_keys = ARRAY_LEN(keys_), .size = sizeof(T),   \
		.name_at = CONF_AT(T, name, struct str), .prose = (prose_), __VA_ARGS__            \
	}
#define CONF_SINGLE(T, kind_, keys_, prose_, ...)                                                  \
	{                                                                                          \
		.kind = (kind_), .keys = (keys_), .n_keys = ARRAY_LEN(keys_), .size = sizeof(T),   \
		.name_at = -1, .prose = (prose_), .max = 1, __VA_ARGS__                            \
	}

/* The offset of T.f, which must be a CT. */
#define CONF_AT(T, f, CT) _Generic(&((T *)0)->f, typeof(CT) * : offsetof(T, f))

#define CONF_ROW_(type_, at_, name_, def_, prose_, ...)                                            \
	{                                                                                          \
		.type = (type_), .at = (at_), .name = (name_), .def = (def_), .prose = (prose_),   \
		__VA_ARGS__                                                                        \
	}

/* Whole numbers; the field is int, uint32_t, uint64_t. lo and hi are the range, both allowed. */
#define CONF_INT(T, f, name_, def_, lo_, hi_, prose_, ...)                                         \
	CONF_ROW_(CONF_TYPE_INT, CONF_AT(T, f, int), name_, def_, prose_, .lo = (lo_),             \
		  .hi = (hi_), __VA_ARGS__)
#define CONF_U32(T, f, name_, def_, lo_, hi_, prose_, ...)                                         \
	CONF_ROW_(CONF_TYPE_U32, CONF_AT(T, f, uint32_t), name_, def_, prose_, .lo = (lo_),        \
		  .hi = (hi_), __VA_ARGS__)
#define CONF_U64(T, f, name_, def_, lo_, hi_, prose_, ...)                                         \
	CONF_ROW_(CONF_TYPE_U64, CONF_AT(T, f, uint64_t), name_, def_, prose_, .lo = (lo_),        \
		  .hi = (hi_), __VA_ARGS__)
/* yes/no, on/off, true/false; the field is bool. */
#define CONF_BOOL(T, f, name_, def_, prose_, ...)                                                  \
	CONF_ROW_(CONF_TYPE_BOOL, CONF_AT(T, f, bool), name_, def_, prose_, __VA_ARGS__)
/* A time with its unit, `250ms 2s 5m 1h` or 0; the field is milliseconds in uint32_t or int64_t, so
 * is the range. */
#define CONF_MSEC(T, f, name_, def_, lo_, hi_, prose_, ...)                                        \
	CONF_ROW_(_Generic(&((T *)0)->f, uint32_t *                                                \
			   : CONF_TYPE_MSEC32, int64_t *                                           \
			   : CONF_TYPE_MSEC64),                                                    \
		  offsetof(T, f), name_, def_, prose_, .lo = (lo_), .hi = (hi_), __VA_ARGS__)
/* Bytes, `512 64K 128M 1G` (powers of 1024); the field is uint64_t. */
#define CONF_SIZE(T, f, name_, def_, lo_, hi_, prose_, ...)                                        \
	CONF_ROW_(CONF_TYPE_SIZE, CONF_AT(T, f, uint64_t), name_, def_, prose_, .lo = (lo_),       \
		  .hi = (hi_), __VA_ARGS__)
/* Text; the field is struct str, followed by a NUL in memory. `.lo`, `.hi` may bound its length. */
#define CONF_STR(T, f, name_, def_, prose_, ...)                                                   \
	CONF_ROW_(CONF_TYPE_STR, CONF_AT(T, f, struct str), name_, def_, prose_, __VA_ARGS__)
/* IP:PORT, and an IP alone when port_ is not 0; the field is struct addr. */
#define CONF_ADDR(T, f, name_, def_, port_, prose_, ...)                                           \
	CONF_ROW_(CONF_TYPE_ADDR, CONF_AT(T, f, struct addr), name_, def_, prose_,                 \
		  .port = (port_), __VA_ARGS__)
/* An IP without port; the field is struct addr. */
#define CONF_IP(T, f, name_, def_, prose_, ...)                                                    \
	CONF_ROW_(CONF_TYPE_IP, CONF_AT(T, f, struct addr), name_, def_, prose_, __VA_ARGS__)
/* One of a table of names; the field is an enum, an int or an unsigned. */
#define CONF_ENUM(T, f, name_, def_, names_, prose_, ...)                                          \
	CONF_ROW_(CONF_TYPE_ENUM, _Generic(&((T *)0)->f, int *: offsetof(T, f), unsigned *: offsetof(T, f)),     \
		  name_, def_, prose_, .names = (names_), __VA_ARGS__)
/* Several words; the field is struct conf_list. `.hi` may bound their number. */
#define CONF_LIST(T, f, name_, def_, prose_, ...)                                                  \
	CONF_ROW_(CONF_TYPE_LIST, CONF_AT(T, f, struct conf_list), name_, def_, prose_, __VA_ARGS__)
/* Networks and addresses, or none; the field is struct nets. */
#define CONF_NETS(T, f, name_, def_, prose_, ...)                                                  \
	CONF_ROW_(CONF_TYPE_NETS, CONF_AT(T, f, struct nets), name_, def_, prose_, __VA_ARGS__)
/* Whatever parse_ makes of it; the field is FT. */
#define CONF_FUNC(T, f, FT, name_, def_, parse_, syntax_, prose_, ...)                             \
	CONF_ROW_(CONF_TYPE_FUNC, CONF_AT(T, f, FT), name_, def_, prose_, .parse = (parse_),       \
		  .syntax = (syntax_), __VA_ARGS__)

/*
 * Parses text as the type of key says, into the section's struct at `section`. Values that
 * outlive the call are copied to the arena. Returns 0, or -1 with e set to what is wrong and
 * what is allowed.
 */
int conf_key_parse(const struct conf_key *key, void *section, struct str text, struct arena *arena,
		   struct err *e);

/* What may be written for key, for people: "0..10", "roundrobin", "IP:PORT". Into the arena. */
struct str conf_key_syntax(const struct conf_key *key, struct arena *arena);

/* For parsers of compound values: cuts the next word (between spaces or tabs) off *rest; false at
 * the end. */
bool conf_word(struct str *rest, struct str *word);

/* "250ms" or "2s" to milliseconds; "128M" to bytes; the forms that CONF_MSEC and CONF_SIZE take. */
int conf_parse_msec(struct str text, int64_t *ms, struct err *e);
int conf_parse_size(struct str text, uint64_t *bytes, struct err *e);

#endif
