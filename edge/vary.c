// SPDX-License-Identifier: MIT
#include "vary.h"

static bool refused(struct str parameters)
{
	struct str one;
	while (str_split(&parameters, ';', &one)) {
		one = str_trim(one);
		if (one.n < 3 || str_lower_char(one.p[0]) != 'q' || one.p[1] != '=')
			continue;
		for (size_t i = 2; i < one.n; i++)
			if (one.p[i] != '0' && one.p[i] != '.')
				return false;
		return true; /* q=0, q=0.000 */
	}
	return false;
}

bool vary_accepts_gzip(const struct http_head *request)
{
	const struct http_field *f;
	for (unsigned i = 0; (f = http_next(request, HTTP_F_ACCEPT_ENCODING, &i));) {
		struct str rest = f->value, item;
		while (str_list_next(&rest, &item)) {
			ssize_t semicolon = str_find(item, ';');
			struct str coding = semicolon < 0
						    ? item
						    : str_trim(str_of(item.p, (size_t)semicolon));
			struct str parameters = semicolon < 0
							? STR_NONE
							: str_skip(item, (size_t)semicolon + 1);
			if (str_eq_nocase(coding, STR("gzip")) ||
			    str_eq_nocase(coding, STR("x-gzip")))
				return !refused(parameters);
		}
	}
	return false;
}

/* These are not sent, or are the same for all requests of a key. */
#define NOTHING                                                                                    \
	(VARY_UNSENT | HTTP_SKIP(HTTP_F_HOST) | HTTP_SKIP(HTTP_F_X_FORWARDED_PROTO) |              \
	 HTTP_SKIP(HTTP_F_X_FORWARDED_HOST))

/* Calls piece() for each part of the joined value of a field, as it is sent to the origin for this request. Stops and
 * returns false when piece() does. */
static bool each_piece(const struct http_head *request, struct str name,
		       bool (*piece)(void *arg, struct str s), void *arg)
{
	bool first = true;
	enum http_field_id id = http_field_of(name);
	if (id == HTTP_F_ACCEPT_ENCODING)
		return !vary_accepts_gzip(request) || piece(arg, STR("gzip"));
	if (NOTHING >> id & 1)
		return true;
	for (unsigned i = 0; i < request->count; i++) {
		if (request->fields[i].hop || !str_eq_nocase(request->fields[i].name, name))
			continue;
		if (!first && !piece(arg, STR(", ")))
			return false;
		if (!piece(arg, request->fields[i].value))
			return false;
		first = false;
	}
	return true;
}

static bool measure(void *arg, struct str s)
{
	*(size_t *)arg += s.n;
	return true;
}

static bool append(void *arg, struct str s)
{
	char **to = arg;
	if (s.n)
		memcpy(*to, s.p, s.n);
	*to += s.n;
	return true;
}

static bool match_prefix(void *arg, struct str s)
{
	struct str *left = arg;
	if (!str_starts(*left, s))
		return false;
	*left = str_skip(*left, s.n);
	return true;
}

static size_t data_size(const struct http_head *request, const struct http_head *response)
{
	const struct http_field *f;
	size_t n = 0;
	for (unsigned i = 0; (f = http_next(response, HTTP_F_VARY, &i));) {
		struct str rest = f->value, name;
		while (str_list_next(&rest, &name)) {
			n += name.n + 2;
			each_piece(request, name, measure, &n);
		}
	}
	return n;
}

struct str vary_data(struct arena *a, const struct http_head *request,
		     const struct http_head *response)
{
	const struct http_field *f;
	size_t size = data_size(request, response);
	if (size == 0)
		return STR("");
	char *mem = arena_alloc(a, size), *to = mem;
	if (!mem)
		return STR_NONE;
	for (unsigned i = 0; (f = http_next(response, HTTP_F_VARY, &i));) {
		struct str rest = f->value, name;
		while (str_list_next(&rest, &name)) {
			for (size_t c = 0; c < name.n; c++)
				*to++ = str_lower_char(name.p[c]);
			*to++ = '\0';
			each_piece(request, name, append, &to);
			*to++ = '\0';
		}
	}
	return str_of(mem, size);
}

bool vary_match(struct str data, const void *request)
{
	struct str rest = data, name, value;
	while (rest.n) {
		if (!str_split(&rest, '\0', &name) || !str_split(&rest, '\0', &value))
			return false;
		struct str left = value;
		if (!each_piece(request, name, match_prefix, &left) || left.n)
			return false;
	}
	return true;
}
