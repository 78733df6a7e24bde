// SPDX-License-Identifier: MIT
/*
 * The tables of the shared sections, and the parsers of their compound values.
 *
 * The words of `cookie` are HAProxy's. All of them are parsed, so that an error message tells a
 * combination that HAProxy refuses from one that is not supported here. What is supported is in
 * one place, at the end of parse_cookie().
 */
#include "conf/cluster.h"

/* ---- bytes */

/* RFC 9110 §5.6.2 */
static bool is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

/* RFC 6265 §4.1.1, cookie-octet, but for "|" and "~", which split a pinned value in other
 * balancers. */
static bool is_cookie_char(char c)
{
	return c > ' ' && c < 0x7f && !strchr("\",;\\|~", c);
}

static bool is_visible(char c)
{
	return c > ' ' && c < 0x7f;
}

static bool all_are(struct str s, bool (*is)(char))
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is(s.p[i]))
			return false;
	}
	return s.n > 0;
}

/* ---- boards */

static const struct conf_key board_keys[] = {
	CONF_IP(struct conf_board, address, "address", NULL,
		"The board's own address, by which a daemon finds out which board it runs on.",
		.flags = CONF_REQUIRED | CONF_CONCRETE),
	CONF_U32(struct conf_board, priority, "priority", NULL, 1, 254,
		 "VRRP priority of this board, instead of the instance's."),
};

const struct conf_section conf_board_section = CONF_NAMED(struct conf_board, "board", board_keys,
							  "One of the hosts of the cluster.");

/* ---- pools: cookie */

#define COOKIE_WORDS(X)                                                                            \
	X(REWRITE, "rewrite")                                                                      \
	X(INSERT, "insert")                                                                        \
	X(PREFIX, "prefix")                                                                        \
	X(INDIRECT, "indirect")                                                                    \
	X(NOCACHE, "nocache")                                                                      \
	X(POSTONLY, "postonly")                                                                    \
	X(PRESERVE, "preserve")                                                                    \
	X(HTTPONLY, "httponly")                                                                    \
	X(SECURE, "secure")

enum cookie_word {
#define WORD(id, text) WORD_##id,
	COOKIE_WORDS(WORD)
#undef WORD
};

#define BIT(id) (1u << WORD_##id)

static const char *const cookie_words[] = {
#define WORD(id, text) [WORD_##id] = (text),
	COOKIE_WORDS(WORD)
#undef WORD
};

#define COOKIE_SYNTAX "NAME insert [indirect] [nocache] | NAME rewrite"

/* The words after the name as bits. */
static int parse_cookie_words(struct str rest, unsigned *bits, struct err *e)
{
	struct str word;
	size_t i;
	*bits = 0;
	while (conf_word(&rest, &word)) {
		for (i = 0; i < ARRAY_LEN(cookie_words); i++) {
			if (str_eq(word, str_c(cookie_words[i])))
				break;
		}
		if (i == ARRAY_LEN(cookie_words))
			return err_set(e, "unknown word \"%.*s\", allowed: " COOKIE_SYNTAX,
				       (int)MIN(word.n, (size_t)32), word.p);
		if (*bits & (1u << i))
			return err_set(e, "\"%s\" is given twice", cookie_words[i]);
		*bits |= 1u << i;
	}
	return 0;
}

/* What HAProxy refuses too. */
static int check_cookie_words(unsigned bits, struct err *e)
{
	unsigned modes = bits & (BIT(REWRITE) | BIT(INSERT) | BIT(PREFIX));
	if ((modes & (modes - 1)) != 0)
		return err_set(e, "only one of rewrite, insert and prefix is possible");
	if ((bits & BIT(REWRITE)) && (bits & BIT(INDIRECT)))
		return err_set(e, "indirect is not possible with rewrite");
	if ((bits & BIT(PRESERVE)) && !(bits & (BIT(INSERT) | BIT(INDIRECT))))
		return err_set(e, "preserve is possible with insert or indirect only");
	return 0;
}

static int parse_cookie(void *field, struct str text, struct arena *arena, struct err *e)
{
	const unsigned with_insert = BIT(INSERT) | BIT(INDIRECT) | BIT(NOCACHE);
	struct conf_cookie *cookie = field;
	struct str name;
	unsigned bits;
	if (!conf_word(&text, &name) || !all_are(name, is_token_char))
		return err_set(e, "the cookie's name is not a token, allowed: " COOKIE_SYNTAX);
	if (parse_cookie_words(text, &bits, e) != 0 || check_cookie_words(bits, e) != 0)
		return -1;
	if (bits != BIT(REWRITE) && (!(bits & BIT(INSERT)) || (bits & ~with_insert) != 0))
		return err_set(e, "not supported, allowed: " COOKIE_SYNTAX);
	*cookie = (struct conf_cookie){
		.mode = bits & BIT(INSERT) ? CONF_COOKIE_INSERT : CONF_COOKIE_REWRITE,
		.name = arena_str(arena, name),
		.indirect = (bits & BIT(INDIRECT)) != 0,
		.nocache = (bits & BIT(NOCACHE)) != 0,
	};
	return 0;
}

/* ---- pools: check, expect */

#define CHECK_SYNTAX "none | tcp | http METHOD PATH"

static int parse_http_check(struct conf_check *check, struct str text, struct arena *arena,
			    struct err *e)
{
	struct str method, path, more;
	if (!conf_word(&text, &method) || !conf_word(&text, &path) || conf_word(&text, &more))
		return err_set(e, "http takes a method and a path, allowed: " CHECK_SYNTAX);
	if (!str_eq(method, STR("GET")) && !str_eq(method, STR("HEAD")) &&
	    !str_eq(method, STR("OPTIONS")))
		return err_set(e, "method \"%.*s\" is not possible, allowed: GET, HEAD or OPTIONS",
			       (int)MIN(method.n, (size_t)32), method.p);
	if (path.p[0] != '/' || !all_are(path, is_visible) || str_find(path, '#') >= 0)
		return err_set(e, "the path must begin with / and hold visible ASCII without #");
	*check = (struct conf_check){
		.kind = CONF_CHECK_HTTP,
		.method = arena_str(arena, method),
		.path = arena_str(arena, path),
	};
	return 0;
}

int conf_parse_check(void *field, struct str text, struct arena *arena, struct err *e)
{
	struct conf_check *check = field;
	struct str kind;
	conf_word(&text, &kind);
	if (str_eq(kind, STR("http")))
		return parse_http_check(check, text, arena, e);
	text = str_trim(text);
	if (text.n == 0 && str_eq(kind, STR("none")))
		*check = (struct conf_check){.kind = CONF_CHECK_NONE};
	else if (text.n == 0 && str_eq(kind, STR("tcp")))
		*check = (struct conf_check){.kind = CONF_CHECK_TCP};
	else
		return err_set(e, "not a check, allowed: " CHECK_SYNTAX);
	return 0;
}

int conf_parse_expect(void *field, struct str text, struct arena *arena UNUSED, struct err *e)
{
	struct conf_expect *expect = field;
	struct str lo, hi = text;
	uint64_t from, to;
	str_split(&hi, '-', &lo);
	if (!hi.p)
		hi = lo;
	if (!str_to_u64(str_trim(lo), 599, &from) || !str_to_u64(str_trim(hi), 599, &to) ||
	    from < 100 || from > to)
		return err_set(e, "not a range of statuses, such as 200-399 or 200");
	*expect = (struct conf_expect){.lo = (uint32_t)from, .hi = (uint32_t)to};
	return 0;
}

/* ---- pools */

static const struct conf_enum balance_names[] = {
	{"roundrobin", CONF_BALANCE_ROUNDROBIN},
	{NULL, 0},
};

const struct conf_enum conf_send_proxy_names[] = {
	{"no", 0},
	{"v1", 1},
	{"v2", 2},
	{NULL, 0},
};

#define MINUTE 60000
#define HOUR   3600000

static const struct conf_key pool_keys[] = {
	CONF_ENUM(struct conf_pool, balance, "balance", "roundrobin", balance_names,
		  "How the next server is chosen."),
	CONF_FUNC(struct conf_pool, cookie, struct conf_cookie, "cookie", NULL, parse_cookie,
		  COOKIE_SYNTAX,
		  "The cookie that pins a browser to a server: insert sets it, rewrite changes the "
		  "one "
		  "that the server sets."),
	CONF_U32(struct conf_pool, retries, "retries", "3", 0, 10,
		 "Further attempts, on other servers first, before the client gets an error."),
	CONF_MSEC(struct conf_pool, connect_ms, "connect-timeout", "1s", 1, 5 * MINUTE,
		  "Longest wait for a connection to a server."),
	CONF_MSEC(struct conf_pool, server_ms, "server-timeout", "50s", 1, 24 * HOUR,
		  "Longest silence of a server that has the request."),
	CONF_ENUM(
		struct conf_pool, send_proxy, "send-proxy", "no", conf_send_proxy_names,
		"Begin each connection with a PROXY header of that version, which tells the server "
		"the client's address; the connection is then used for that client only. Checks "
		"begin with one too."),
	CONF_FUNC(struct conf_pool, check, struct conf_check, "check", "tcp", conf_parse_check,
		  CHECK_SYNTAX, "How each server is probed."),
	CONF_FUNC(struct conf_pool, expect, struct conf_expect, "expect", "200-399",
		  conf_parse_expect, "STATUS | STATUS-STATUS",
		  "Statuses that make an http check good."),
	CONF_MSEC(struct conf_pool, inter_ms, "inter", "2s", 10, HOUR,
		  "From the end of a check to the next."),
	CONF_MSEC(struct conf_pool, fastinter_ms, "fastinter", NULL, 10, HOUR,
		  "The same while a server is on its way up or down; 250ms, or inter if that is "
		  "less."),
	CONF_MSEC(struct conf_pool, downinter_ms, "downinter", NULL, 10, HOUR,
		  "The same while a server is down; as inter."),
	CONF_MSEC(struct conf_pool, check_timeout_ms, "check-timeout", "1s", 1, 5 * MINUTE,
		  "Longest check before it counts as failed."),
	CONF_U32(struct conf_pool, rise, "rise", "2", 1, 1000,
		 "Good checks in a row that bring a server up."),
	CONF_U32(struct conf_pool, fall, "fall", "3", 1, 1000,
		 "Failed checks in a row that take a server down."),
};

static int finish_pool(void *section, struct arena *arena UNUSED, struct err *e UNUSED)
{
	struct conf_pool *pool = section;
	if (pool->fastinter_ms == 0)
		pool->fastinter_ms = MIN(250u, pool->inter_ms);
	if (pool->downinter_ms == 0)
		pool->downinter_ms = pool->inter_ms;
	return 0;
}

const struct conf_section conf_pool_section = CONF_NAMED(struct conf_pool, "pool", pool_keys,
							 "Servers that do the same work.",
							 .finish = finish_pool);

/* ---- servers */

static int parse_cookie_value(void *field, struct str text, struct arena *arena, struct err *e)
{
	struct str *value = field;
	if (!all_are(text, is_cookie_char))
		return err_set(e, "not a cookie's value: visible ASCII without \" , ; \\ | ~");
	*value = arena_str(arena, text);
	return 0;
}

static const struct conf_key server_keys[] = {
	CONF_STR(struct conf_server, pool, "pool", NULL, "The pool it belongs to.",
		 .flags = CONF_REQUIRED, .syntax = "POOL"),
	CONF_ADDR(struct conf_server, address, "address", NULL, 0, "Where it listens.",
		  .flags = CONF_REQUIRED | CONF_CONCRETE),
	CONF_FUNC(struct conf_server, cookie, struct str, "cookie", NULL, parse_cookie_value,
		  "VALUE", "The value of the pool's cookie that stands for this server."),
	CONF_U32(struct conf_server, weight, "weight", "1", 0, 256,
		 "Its share of the requests; with 0 it gets only those whose cookie selects it."),
};

const struct conf_section conf_server_section = CONF_NAMED(struct conf_server, "server",
							   server_keys, "A server of a pool.");

/* ---- rules across sections */

static void check_server_pool(const struct conf *c, size_t i, struct conf_errors *errors)
{
	const struct conf_server *s = conf_at(c, "server", i);
	if (s->pool.n > 0 && !conf_find(c, "pool", s->pool))
		conf_error_at(errors, conf_key_loc(c, "server", i, "pool"), "pool",
			      "there is no [pool %.*s]", STR_ARG(s->pool));
}

/* Does an earlier server of the pool have the address of server i? */
static void check_server_address(const struct conf *c, size_t i, struct conf_errors *errors)
{
	const struct conf_server *s = conf_at(c, "server", i);
	for (size_t k = 0; k < i; k++) {
		const struct conf_server *other = conf_at(c, "server", k);
		if (s->address.len == 0 || !str_eq(s->pool, other->pool) ||
		    !addr_eq(&s->address, &other->address))
			continue;
		conf_error_at(errors, conf_key_loc(c, "server", i, "address"), "address",
			      "[server %.*s] of the pool has it already", STR_ARG(other->name));
		return;
	}
}

/* A browser that has the value belongs to one server. */
static void check_server_cookie(const struct conf *c, size_t i, struct conf_errors *errors)
{
	const struct conf_server *s = conf_at(c, "server", i);
	for (size_t k = 0; k < i; k++) {
		const struct conf_server *other = conf_at(c, "server", k);
		if (s->cookie.n == 0 || !str_eq(s->pool, other->pool) ||
		    !str_eq(s->cookie, other->cookie))
			continue;
		conf_error_at(errors, conf_key_loc(c, "server", i, "cookie"), "cookie",
			      "[server %.*s] of the pool has it already", STR_ARG(other->name));
		return;
	}
}

static void check_board_address(const struct conf *c, size_t i, struct conf_errors *errors)
{
	const struct conf_board *b = conf_at(c, "board", i);
	for (size_t k = 0; k < i; k++) {
		const struct conf_board *other = conf_at(c, "board", k);
		if (b->address.len == 0 || other->address.len == 0 ||
		    !addr_eq_ip(&b->address, &other->address))
			continue;
		conf_error_at(errors, conf_key_loc(c, "board", i, "address"), "address",
			      "[board %.*s] has it already", STR_ARG(other->name));
		return;
	}
}

void conf_check_cluster(const struct conf *c, struct conf_errors *errors)
{
	for (size_t i = 0; conf_has(c, "board") && i < conf_count(c, "board"); i++)
		check_board_address(c, i, errors);
	for (size_t i = 0; conf_has(c, "server") && i < conf_count(c, "server"); i++) {
		check_server_address(c, i, errors);
		check_server_cookie(c, i, errors);
		if (conf_has(c, "pool"))
			check_server_pool(c, i, errors);
	}
}

const struct conf_board *conf_own_board(const struct conf *c, bool (*is_local)(const struct addr *))
{
	for (size_t i = 0; i < conf_count(c, "board"); i++) {
		const struct conf_board *b = conf_at(c, "board", i);
		if (b->address.len != 0 && is_local(&b->address))
			return b;
	}
	return NULL;
}
