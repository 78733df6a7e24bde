// SPDX-License-Identifier: MIT
/*
 * Fields are classed by their number where they have one. Of the rest, those are looked at whose first letter
 * begins one of the names below; an ordinary field costs a switch or two.
 */
#include "http/forwarded.h"

enum kind {
	ORDINARY,
	CLIENT, /* the client's address, host, scheme */
	TARGET, /* another target than the request line's, or something that CGI would read as a variable */
	METHOD, /* another method */
	LOOKALIKE,
};

#define PREFIX STR("x-forwarded-")

static const struct {
	struct str name; /* lower case */
	enum kind kind;
} names[] = {
#define NAME(text, kind)                                                                           \
	{                                                                                          \
		{text, sizeof(text) - 1}, kind                                                     \
	}
	NAME("forwarded", CLIENT),	   NAME("x-host", CLIENT),
	NAME("x-original-host", CLIENT),   NAME("x-url-scheme", CLIENT),
	NAME("front-end-https", CLIENT),   NAME("x-real-ip", CLIENT),
	NAME("x-client-ip", CLIENT),	   NAME("x-cluster-client-ip", CLIENT),
	NAME("client-ip", CLIENT),	   NAME("true-client-ip", CLIENT),
	NAME("cf-connecting-ip", CLIENT),  NAME("x-original-url", TARGET),
	NAME("x-rewrite-url", TARGET),	   NAME("proxy", TARGET),
	NAME("x-http-method", METHOD),	   NAME("x-http-method-override", METHOD),
	NAME("x-method-override", METHOD),
#undef NAME
};

#define NAME_MAX_SIZE 24 /* of the names above */

/* As CGI reads a name: letters in one case, all punctuation the same. */
static char plain(char c)
{
	c = str_lower_char(c);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
}

static bool is_plain(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (plain(name.p[i]) != str_lower_char(name.p[i]))
			return false;
	return true;
}

static enum kind kind_of_name(struct str name)
{
	char text[NAME_MAX_SIZE];
	struct str read = str_of(text, MIN(name.n, sizeof(text)));
	for (size_t i = 0; i < read.n; i++)
		text[i] = plain(name.p[i]);
	enum kind kind = str_starts(read, PREFIX) ? CLIENT : ORDINARY;
	for (size_t i = 0; i < ARRAY_LEN(names) && name.n == read.n && kind == ORDINARY; i++)
		if (str_eq(names[i].name, read))
			kind = names[i].kind;
	return kind == ORDINARY || is_plain(name) ? kind : LOOKALIKE;
}

static enum kind kind_of(const struct http_field *f)
{
	switch (f->id) {
	case HTTP_F_FORWARDED:
	case HTTP_F_X_FORWARDED_FOR:
	case HTTP_F_X_FORWARDED_PROTO:
	case HTTP_F_X_FORWARDED_HOST:
		return CLIENT;
	case HTTP_F_UNKNOWN:
		break;
	default:
		return ORDINARY;
	}
	switch (str_lower_char(f->name.p[0])) {
	case 'c':
	case 'f':
	case 'p':
	case 't':
	case 'x':
		return kind_of_name(f->name);
	default:
		return ORDINARY;
	}
}

static bool is_forwarded(const struct http_head *h, const struct http_field *f, unsigned flags)
{
	bool trusted = flags & HTTP_FORWARDED_TRUSTED;
	bool cached = (flags & HTTP_FORWARDED_CACHED) &&
		      (h->method == HTTP_GET || h->method == HTTP_HEAD);
	if (f->hop && !http_field_is_hop((enum http_field_id)f->id))
		return false;
	switch (kind_of(f)) {
	case ORDINARY:
		return true;
	case CLIENT:
		return trusted;
	case TARGET:
		return trusted && !cached;
	case METHOD:
		return (trusted && !cached) || !http_method_safe(h->method);
	case LOOKALIKE:
		return false;
	}
	WRONG("no such kind");
}

void http_forwarded_filter(struct http_head *h, unsigned flags)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < h->count; i++) {
		if (!is_forwarded(h, &h->fields[i], flags))
			continue;
		if (kept < i)
			h->fields[kept] = h->fields[i];
		kept++;
	}
	if (kept == h->count)
		return;
	h->count = (uint16_t)kept;
	http_index(h);
}

static struct str first_of(const struct http_head *h, enum http_field_id id)
{
	struct str rest = http_get(h, id), first;
	return str_list_next(&rest, &first) ? first : STR("");
}

bool http_forwarded_tls(const struct http_head *h)
{
	return str_eq_nocase(first_of(h, HTTP_F_X_FORWARDED_PROTO), STR("https"));
}

static bool may_be_in_host(char c)
{
	return plain(c) != '-' || c == '-' || c == '.' || c == '_' || c == ':' || c == '[' ||
	       c == ']';
}

struct str http_forwarded_host(const struct http_head *h)
{
	struct str host = first_of(h, HTTP_F_X_FORWARDED_HOST);
	for (size_t i = 0; i < host.n; i++)
		if (!may_be_in_host(host.p[i]))
			return STR("");
	return host;
}

void http_forwarded_add(struct http_fields *to, const struct addr *peer, struct str proto,
			struct str host)
{
	char text[ADDR_TEXT_SIZE];
	if (peer)
		http_fields_add(to, STR("X-Forwarded-For"), str_c(addr_format_ip(peer, text)));
	if (proto.n)
		http_fields_add(to, STR("X-Forwarded-Proto"), proto);
	if (host.n)
		http_fields_add(to, STR("X-Forwarded-Host"), host);
}
