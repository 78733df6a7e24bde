// SPDX-License-Identifier: MIT
#include "key.h"

#include "http/forwarded.h"

static struct str canonical_host(char *to, struct str host)
{
	for (size_t i = 0; i < host.n; i++)
		to[i] = str_lower_char(host.p[i]);
	struct str h = str_of(to, host.n);
	if (str_ends(h, STR(":80")))
		h.n -= 3;
	else if (h.n && h.p[h.n - 1] == ':')
		h.n--;
	if (h.n && h.p[h.n - 1] == '.')
		h.n--;
	return h;
}

static char *put(char *to, struct str s)
{
	if (s.n)
		memcpy(to, s.p, s.n);
	return to + s.n;
}

struct key key_of(struct arena *a, const struct http_head *request)
{
	struct key k = {.bytes = STR_NONE, .tls = http_forwarded_tls(request)};
	struct str asked = http_forwarded_host(request);
	struct str scheme = k.tls ? STR("https://") : STR("");
	size_t size = scheme.n + asked.n + 1 + request->authority.n + request->target.n;
	char *mem = size <= KEY_MAX ? arena_alloc(a, size) : NULL;
	if (!mem)
		return k;
	char *to = put(mem, scheme);
	k.asked = canonical_host(to, asked);
	if (k.asked.n) {
		to += k.asked.n;
		*to++ = '|'; /* in no host */
	}
	k.host = canonical_host(to, request->authority);
	if (k.asked.n == 0 || str_eq(k.asked, k.host)) {
		to = mem + scheme.n;
		k.host = k.asked = canonical_host(to, request->authority);
	}
	to = put(to + k.host.n, request->target);
	k.bytes = str_of(mem, (size_t)(to - mem));
	return k;
}

static bool begins_with_any(const struct conf_list *l, struct str name)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i], STR("*")) || str_starts(name, l->v[i]))
			return true;
	return false;
}

static bool has_bypass_cookie(const struct edge_settings *s, const struct http_head *request)
{
	const struct http_field *f;
	for (unsigned i = 0; (f = http_next(request, HTTP_F_COOKIE, &i));) {
		struct str rest = f->value, pair;
		while (str_split(&rest, ';', &pair)) {
			pair = str_trim(pair);
			if (pair.n && begins_with_any(&s->bypass_cookies, pair))
				return true;
		}
	}
	return false;
}

static bool asks_not_to_store(const struct http_head *request)
{
	return http_has(request, HTTP_F_CACHE_CONTROL) && cache_control_read(request).no_store;
}

bool key_bypass(const struct edge_settings *s, const struct http_head *request, const char **why)
{
	if (request->method != HTTP_GET && request->method != HTTP_HEAD)
		*why = "fwd=method";
	else if (request->body != HTTP_BODY_NONE || has_bypass_cookie(s, request) ||
		 asks_not_to_store(request) || http_has(request, HTTP_F_IF_MATCH) ||
		 http_upgrade_of(request).n || http_has(request, HTTP_F_IF_UNMODIFIED_SINCE))
		*why = "fwd=bypass";
	else
		return false;
	return true;
}
