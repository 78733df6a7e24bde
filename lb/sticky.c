// SPDX-License-Identifier: MIT
#include "sticky.h"

/* Splits the next "name=value" off a Cookie value; $-attributes are skipped. */
static bool next_pair(struct str *rest, struct str *name, struct str *value)
{
	struct str pair;
	while (str_split(rest, ';', &pair)) {
		ssize_t eq = str_find(pair, '=');
		if (eq < 0)
			continue;
		*name = str_trim(str_of(pair.p, (size_t)eq));
		*value = str_trim(str_skip(pair, (size_t)eq + 1));
		if (name->n == 0 || name->p[0] != '$')
			return true;
	}
	return false;
}

/* A usable server of that value, else a known one (with *down set), else -1. */
static int server_of(const struct sticky_server *servers, unsigned n, struct str value, bool *down)
{
	for (unsigned i = 0; i < n; i++) {
		if (servers[i].value.n == 0 || !str_eq(servers[i].value, value))
			continue;
		if (servers[i].usable)
			return (int)i;
		*down = true;
	}
	return -1;
}

struct sticky_match sticky_find(const struct conf_cookie *c, const struct http_head *request,
				const struct sticky_server *servers, unsigned n)
{
	struct sticky_match m = {.server = -1, .flag = 'N'};
	const struct http_field *f;
	bool down = false;
	if (c->mode == CONF_COOKIE_NONE)
		return (struct sticky_match){.server = -1, .flag = '-'};
	for (unsigned i = 0; (f = http_next(request, HTTP_F_COOKIE, &i));) {
		struct str rest = f->value, name, value;
		while (next_pair(&rest, &name, &value)) {
			if (!str_eq(name, c->name))
				continue;
			m.server = server_of(servers, n, value, &down);
			if (m.server >= 0) {
				m.flag = 'V';
				return m;
			}
			m.flag = down ? 'D' : 'I';
		}
	}
	return m;
}

static bool is_ours(struct str pair, struct str name)
{
	ssize_t eq = str_find(pair, '=');
	return eq >= 0 && str_eq(str_trim(str_of(pair.p, (size_t)eq)), name);
}

static void write_without(struct http_fields *to, struct str cookies, struct str name)
{
	struct str rest = cookies, pair;
	bool begun = false;
	while (str_split(&rest, ';', &pair)) {
		pair = str_trim(pair);
		if (pair.n == 0 || is_ours(pair, name))
			continue;
		if (begun)
			http_fields_part(to, STR("; "));
		else
			http_fields_begin(to, STR("Cookie"));
		http_fields_part(to, pair);
		begun = true;
	}
	if (begun)
		http_fields_end(to);
}

void sticky_write_request(struct http_fields *to, const struct conf_cookie *c,
			  const struct http_head *request)
{
	const struct http_field *f;
	for (unsigned i = 0; (f = http_next(request, HTTP_F_COOKIE, &i));) {
		if (f->hop)
			continue;
		if (c->mode == CONF_COOKIE_INSERT && c->indirect)
			write_without(to, f->value, c->name);
		else
			http_fields_add(to, f->name, f->value);
	}
}

/* The name and value at the start of a Set-Cookie value, and its attributes from ';' on. */
static void cut_set_cookie(struct str field, struct str *name, struct str *attributes)
{
	ssize_t semicolon = str_find(field, ';');
	struct str pair = semicolon < 0 ? field : str_of(field.p, (size_t)semicolon);
	ssize_t eq = str_find(pair, '=');
	*attributes = semicolon < 0 ? STR("") : str_skip(field, (size_t)semicolon);
	*name = eq < 0 ? STR("") : str_trim(str_of(pair.p, (size_t)eq));
}

/* A response that a shared cache on the way to the client might store (RFC 9111 §3, the main criteria). */
static bool cacheable(const struct http_head *r)
{
	const struct http_field *f;
	switch (r->status) {
	case 200:
	case 203:
	case 204:
	case 206:
	case 300:
	case 301:
	case 404:
	case 405:
	case 410:
	case 414:
	case 501:
		break;
	default:
		return false;
	}
	for (unsigned i = 0; (f = http_next(r, HTTP_F_CACHE_CONTROL, &i));) {
		struct str rest = f->value, d;
		while (str_list_next(&rest, &d))
			if (str_eq_nocase(d, STR("private")) || str_eq_nocase(d, STR("no-cache")) ||
			    str_eq_nocase(d, STR("no-store")))
				return false;
	}
	return true;
}

static void write_rewritten(struct http_fields *to, struct str name, struct str value,
			    struct str attributes)
{
	http_fields_begin(to, STR("Set-Cookie"));
	http_fields_part(to, name);
	http_fields_part(to, STR("="));
	http_fields_part(to, value);
	http_fields_part(to, attributes);
	http_fields_end(to);
}

static void insert(struct http_fields *to, const struct conf_cookie *c,
		   const struct http_head *response, struct str value)
{
	write_rewritten(to, c->name, value,
			value.n ? STR("; path=/")
				: STR("; Expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/"));
	if (c->nocache && cacheable(response))
		http_fields_add(to, STR("Cache-Control"), STR("private"));
}

char sticky_write_response(struct http_fields *to, const struct conf_cookie *c,
			   const struct http_head *response, struct str value,
			   struct sticky_match match)
{
	const struct http_field *f;
	char flag = c->mode == CONF_COOKIE_NONE ? '-' : 'N';
	MUST(c->mode == CONF_COOKIE_NONE || c->name.n);
	for (unsigned i = 0; (f = http_next(response, HTTP_F_SET_COOKIE, &i));) {
		struct str name, attributes;
		cut_set_cookie(f->value, &name, &attributes);
		bool ours = c->mode != CONF_COOKIE_NONE && str_eq(name, c->name);
		if (f->hop)
			continue;
		if (ours && c->mode == CONF_COOKIE_REWRITE && value.n) {
			write_rewritten(to, name, value, attributes);
			flag = 'R';
		} else if (ours && c->mode == CONF_COOKIE_INSERT) {
			flag = 'D';
		} else {
			http_fields_add(to, f->name, f->value);
		}
	}
	/* A server without a cookie value: the cookie that the client sent is deleted. */
	bool to_insert = match.flag != 'V' && (value.n || match.flag != 'N');
	if (c->mode == CONF_COOKIE_INSERT && to_insert) {
		insert(to, c, response, value);
		flag = 'I';
	}
	return flag;
}
