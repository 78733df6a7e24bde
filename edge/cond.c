// SPDX-License-Identifier: MIT
#include "cond.h"

#include "http/date.h"

/* The opaque part of an entity tag, without W/. */
static struct str opaque(struct str tag)
{
	return str_starts(tag, STR("W/")) ? str_skip(tag, 2) : tag;
}

static bool tag_listed(const struct http_head *request, struct str etag)
{
	const struct http_field *f;
	for (unsigned i = 0; (f = http_next(request, HTTP_F_IF_NONE_MATCH, &i));) {
		struct str rest = f->value, tag;
		while (str_list_next(&rest, &tag))
			if (str_eq(tag, STR("*")) || (etag.n && str_eq(opaque(tag), opaque(etag))))
				return true;
	}
	return false;
}

bool cond_not_modified(const struct http_head *request, const struct http_head *stored,
		       int64_t wall_s)
{
	int64_t since, changed;
	if (http_has(request, HTTP_F_IF_NONE_MATCH))
		return tag_listed(request, http_get(stored, HTTP_F_ETAG));
	if (!http_has(request, HTTP_F_IF_MODIFIED_SINCE) ||
	    !http_date_parse(http_get(request, HTTP_F_IF_MODIFIED_SINCE), wall_s, &since))
		return false;
	enum http_field_id id = http_has(stored, HTTP_F_LAST_MODIFIED) ? HTTP_F_LAST_MODIFIED
								       : HTTP_F_DATE;
	return http_date_parse(http_get(stored, id), wall_s, &changed) && changed <= since;
}
