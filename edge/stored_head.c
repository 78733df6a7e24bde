// SPDX-License-Identifier: MIT
#include "stored_head.h"

#include "http/date.h"
#include "http/fields.h"

/* They describe the stored body: a 304 does not change them (RFC 9111 §3.2). */
#define OF_THE_BODY                                                                                \
	(HTTP_SKIP(HTTP_F_CONTENT_LENGTH) | HTTP_SKIP(HTTP_F_CONTENT_ENCODING) |                   \
	 HTTP_SKIP(HTTP_F_CONTENT_RANGE) | HTTP_SKIP(HTTP_F_CONTENT_TYPE))

static bool is_stored(const struct http_field *f)
{
	return !f->hop && f->id != HTTP_F_CONTENT_LENGTH && f->id != HTTP_F_AGE;
}

struct str stored_head_of(struct arena *a, const struct http_head *response, int64_t wall_s)
{
	struct http_fields f;
	char now[HTTP_DATE_LEN + 1];
	http_fields_init(&f, a, http_fields_size(response) + 64);
	for (unsigned i = 0; i < response->count; i++)
		if (is_stored(&response->fields[i]))
			http_fields_add(&f, response->fields[i].name, response->fields[i].value);
	if (!http_has(response, HTTP_F_DATE) && response->count < HTTP_FIELDS_MAX) {
		http_date_format(now, wall_s);
		http_fields_add(&f, STR("Date"), str_of(now, HTTP_DATE_LEN));
	}
	return http_fields_block(&f);
}

struct http_head *stored_head_parse(struct arena *a, struct str stored)
{
	struct http_head *h = arena_alloc(a, sizeof(*h));
	return h && http_fields_to_head(h, stored) ? h : NULL;
}

/* Does it have an end-to-end field of that name? */
static bool replaces(const struct http_head *not_modified, struct str name)
{
	for (unsigned i = 0; i < not_modified->count; i++) {
		const struct http_field *f = &not_modified->fields[i];
		if (!f->hop && str_eq_nocase(f->name, name))
			return true;
	}
	return false;
}

struct http_head *stored_head_merge(struct arena *a, struct str stored, uint16_t status,
				    const struct http_head *not_modified)
{
	struct http_fields f;
	const struct http_head *old = stored_head_parse(a, stored);
	if (!old)
		return NULL;
	http_fields_init(&f, a, stored.n + http_fields_size(not_modified));
	http_fields_add_head(&f, not_modified, (struct http_skip){OF_THE_BODY});
	for (unsigned i = 0; i < old->count; i++) {
		const struct http_field *one = &old->fields[i];
		bool kept = (one->id && OF_THE_BODY & HTTP_SKIP(one->id)) ||
			    !replaces(not_modified, one->name);
		if (kept)
			http_fields_add(&f, one->name, one->value);
	}
	struct http_head *merged = f.overflow ? NULL : stored_head_parse(a, http_fields_block(&f));
	if (merged)
		merged->status = status;
	return merged;
}
