// SPDX-License-Identifier: MIT
#include "cache_control.h"

#define SECONDS_MAX INT64_C(2147483648) /* larger values count as this (RFC 9111 §1.2.2) */

static bool all_digits(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.n > 0;
}

static int64_t seconds(struct str s)
{
	uint64_t v;
	if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
		s = str_of(s.p + 1, s.n - 2);
	if (!all_digits(s))
		return 0;
	return str_to_u64(s, (uint64_t)SECONDS_MAX, &v) ? (int64_t)v : SECONDS_MAX;
}

static void shorter(int64_t *have, struct str value)
{
	int64_t v = seconds(value);
	if (*have == CACHE_CONTROL_NONE || v < *have)
		*have = v;
}

static void take(struct cache_control *cc, struct str name, struct str value)
{
	static const struct {
		struct str name;
		size_t flag, number;
	} known[] = {
#define FLAG(text, field)                                                                          \
	{{text, sizeof(text) - 1}, offsetof(struct cache_control, field), SIZE_MAX}
#define NUMBER(text, field)                                                                        \
	{                                                                                          \
		{text, sizeof(text) - 1}, SIZE_MAX, offsetof(struct cache_control, field)          \
	}
		FLAG("no-store", no_store),
		FLAG("no-cache", no_cache),
		FLAG("private", is_private),
		FLAG("public", is_public),
		FLAG("must-revalidate", must_revalidate),
		FLAG("proxy-revalidate", proxy_revalidate),
		FLAG("only-if-cached", only_if_cached),
		NUMBER("max-age", max_age),
		NUMBER("s-maxage", s_maxage),
		NUMBER("stale-while-revalidate", stale_while_revalidate),
		NUMBER("stale-if-error", stale_if_error),
#undef FLAG
#undef NUMBER
	};
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (!str_eq_nocase(known[i].name, name))
			continue;
		char *base = (char *)cc;
		if (known[i].flag != SIZE_MAX)
			*(bool *)(void *)(base + known[i].flag) = true;
		else
			shorter((int64_t *)(void *)(base + known[i].number), value);
	}
}

struct cache_control cache_control_read(const struct http_head *h)
{
	struct cache_control cc = {.max_age = CACHE_CONTROL_NONE,
				   .s_maxage = CACHE_CONTROL_NONE,
				   .stale_while_revalidate = CACHE_CONTROL_NONE,
				   .stale_if_error = CACHE_CONTROL_NONE};
	const struct http_field *f;
	for (unsigned i = 0; (f = http_next(h, HTTP_F_CACHE_CONTROL, &i));) {
		struct str rest = f->value, item;
		while (str_list_next(&rest, &item)) {
			ssize_t eq = str_find(item, '=');
			struct str name = eq < 0 ? item : str_of(item.p, (size_t)eq);
			take(&cc, name, eq < 0 ? STR("") : str_skip(item, (size_t)eq + 1));
		}
	}
	return cc;
}
