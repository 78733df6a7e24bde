// SPDX-License-Identifier: MIT
/*
 * The tables of tbl.h as look-ups. Field names are found by a perfect enough key, their length and two of
 * their bytes, so that a head costs one comparison a field; the key table is built once, from the same list.
 */
#include "http/msg.h"

#include <pthread.h>

const char *http_reason(unsigned status)
{
	switch (status) {
#define X(code, reason)                                                                            \
	case code:                                                                                 \
		return reason;
		HTTP_STATUSES(X)
#undef X
	default:
		return "Unknown";
	}
}

static const struct {
	struct str name;
	bool safe, idempotent;
} methods[] = {[HTTP_OTHER] = {{"", 0}, false, false},
#define X(name, safe, idempotent) [HTTP_##name] = {{#name, sizeof(#name) - 1}, safe, idempotent},
	       HTTP_METHODS(X)
#undef X
};

struct str http_method_name(enum http_method m)
{
	return methods[m].name;
}

bool http_method_safe(enum http_method m)
{
	return methods[m].safe;
}

bool http_method_idempotent(enum http_method m)
{
	return methods[m].idempotent;
}

enum http_method http_method_of(struct str text)
{
	for (unsigned m = HTTP_GET; m < ARRAY_LEN(methods); m++)
		if (str_eq(methods[m].name, text))
			return (enum http_method)m;
	return HTTP_OTHER;
}

static const struct str names[HTTP_F_COUNT] = {
#define X(id, name, hop) [HTTP_F_##id] = {name, sizeof(name) - 1},
	HTTP_FIELDS(X)
#undef X
};

struct str http_field_name(enum http_field_id id)
{
	return names[id];
}

bool http_field_is_hop(enum http_field_id id)
{
	switch (id) {
#define X(ID, name, hop)                                                                           \
	case HTTP_F_##ID:                                                                          \
		return hop;
		HTTP_FIELDS(X)
#undef X
	case HTTP_F_UNKNOWN:
	case HTTP_F_COUNT:
		break;
	}
	return false;
}

void http_index(struct http_head *h)
{
	memset(h->first, 0, sizeof(h->first));
	for (unsigned i = h->count; i-- > 0;)
		h->first[h->fields[i].id] = (uint8_t)(i + 1);
	h->first[HTTP_F_UNKNOWN] = 0;
}

/* Buckets of field ids by a small hash; the longest chain is short, and names of other lengths never match. */
#define BUCKETS 256
static uint8_t bucket[BUCKETS];
static uint8_t chain[HTTP_F_COUNT];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static unsigned key(const char *p, size_t n)
{
	unsigned a = (unsigned char)str_lower_char(p[0]);
	unsigned b = (unsigned char)str_lower_char(p[n / 2]);
	unsigned c = (unsigned char)str_lower_char(p[n - 1]);
	return (unsigned)(n * 37u + a * 5u + b * 17u + c * 3u) % BUCKETS;
}

static void build(void)
{
	for (unsigned id = HTTP_F_UNKNOWN + 1; id < HTTP_F_COUNT; id++) {
		unsigned k = key(names[id].p, names[id].n);
		chain[id] = bucket[k];
		bucket[k] = (uint8_t)id;
	}
}

/*
 * Is name, a token (RFC 9110 §5.6.2), lower in any case? lower holds letters, digits and "-" only, all of which have bit
 * 5 set; with that bit set in a token's byte too, it equals one of them only if it is that one, or its capital.
 */
static bool is_name(struct str lower, struct str name)
{
	const uint64_t bit5 = UINT64_C(0x2020202020202020);
	size_t at = 0;
	uint64_t x, y;
	if (lower.n != name.n)
		return false;
	for (; at + sizeof(x) <= name.n; at += sizeof(x)) {
		memcpy(&x, name.p + at, sizeof(x));
		memcpy(&y, lower.p + at, sizeof(y));
		if ((x | bit5) != y)
			return false;
	}
	for (; at < name.n; at++)
		if ((name.p[at] | 0x20) != lower.p[at])
			return false;
	return true;
}

enum http_field_id http_field_of(struct str name)
{
	if (name.n == 0)
		return HTTP_F_UNKNOWN;
	MUST0(pthread_once(&once, build));
	for (unsigned id = bucket[key(name.p, name.n)]; id; id = chain[id])
		if (is_name(names[id], name))
			return (enum http_field_id)id;
	return HTTP_F_UNKNOWN;
}

const struct http_field *http_next(const struct http_head *h, enum http_field_id id, unsigned *i)
{
	if (!h->first[id])
		return NULL;
	unsigned at = MAX(*i, h->first[id] - 1u);
	for (; at < h->count; at++) {
		if (h->fields[at].id == id) {
			*i = at + 1;
			return &h->fields[at];
		}
	}
	*i = at;
	return NULL;
}

const struct http_field *http_find(const struct http_head *h, struct str name)
{
	for (unsigned i = 0; i < h->count; i++)
		if (str_eq_nocase(h->fields[i].name, name))
			return &h->fields[i];
	return NULL;
}

struct str http_upgrade_of(const struct http_head *h)
{
	struct str protocol = http_get(h, HTTP_F_UPGRADE);
	bool simple = h->upgrade && h->minor == 1 && h->method == HTTP_GET &&
		      h->body == HTTP_BODY_NONE;
	if (!simple || protocol.n == 0 || protocol.n > HTTP_UPGRADE_MAX ||
	    str_find(protocol, ',') >= 0 || str_starts_nocase(protocol, STR("h2")) ||
	    str_starts_nocase(protocol, STR("http/")) || str_starts_nocase(protocol, STR("tls")))
		return STR_NONE;
	return protocol;
}
