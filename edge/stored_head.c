// SPDX-License-Identifier: MIT
#include "stored_head.h"

#include "http/date.h"
#include "http/parse.h"
#include "http/write.h"

#define HEAD_MAX 65536u

/* These say what the stored body is, whatever a 304 thinks of it (RFC 9111 §3.2). */
#define OF_THE_BODY                                                                                \
	(HTTP_SKIP(HTTP_F_CONTENT_LENGTH) | HTTP_SKIP(HTTP_F_CONTENT_ENCODING) |                   \
	 HTTP_SKIP(HTTP_F_CONTENT_RANGE) | HTTP_SKIP(HTTP_F_CONTENT_TYPE))

static bool is_stored(const struct http_field *f)
{
	return !f->hop && f->id != HTTP_F_CONTENT_LENGTH && f->id != HTTP_F_AGE;
}

struct str stored_head_of(struct arena *a, const struct http_head *response, int64_t wall_s)
{
	struct http_writer w;
	char now[HTTP_DATE_LEN + 1];
	http_writer_init(&w, a, http_write_size(response) + response->reason.n + 128);
	http_write_status_line(&w, response->status, response->reason);
	for (unsigned i = 0; i < response->count; i++)
		if (is_stored(&response->fields[i]))
			http_write_field(&w, response->fields[i].name, response->fields[i].value);
	if (!http_has(response, HTTP_F_DATE) && response->count < HTTP_FIELDS_MAX) {
		http_date_format(now, wall_s);
		http_write_field(&w, STR("Date"), str_of(now, HTTP_DATE_LEN));
	}
	return w.overflow ? STR_NONE : http_writer_str(&w);
}

/* As the answer to a HEAD: there is no body behind it. */
static struct http_head *parse(struct arena *a, const struct http_writer *w)
{
	struct http_bad bad;
	size_t scanned = 0;
	struct http_limits limits = {.line = HEAD_MAX, .head = HEAD_MAX, .fields = HTTP_FIELDS_MAX};
	struct http_head *h = arena_alloc(a, sizeof(*h));
	if (!h || w->overflow)
		return NULL;
	return http_parse_response(h, http_writer_str(w), &scanned, &limits, HTTP_HEAD, &bad) ==
			       HTTP_PARSE_DONE
		       ? h
		       : NULL;
}

struct http_head *stored_head_parse(struct arena *a, struct str stored)
{
	struct http_writer w;
	http_writer_init(&w, a, stored.n + 2);
	http_write_raw(&w, stored);
	http_write_end(&w);
	return parse(a, &w);
}

/* Does it have a field of that name that is more than this connection's? */
static bool replaces(const struct http_head *not_modified, struct str name)
{
	for (unsigned i = 0; i < not_modified->count; i++) {
		const struct http_field *f = &not_modified->fields[i];
		if (!f->hop && str_eq_nocase(f->name, name))
			return true;
	}
	return false;
}

struct http_head *stored_head_merge(struct arena *a, struct str stored,
				    const struct http_head *not_modified)
{
	struct http_writer w;
	const struct http_head *old = stored_head_parse(a, stored);
	if (!old)
		return NULL;
	http_writer_init(&w, a, stored.n + http_write_size(not_modified) + 64);
	http_write_status_line(&w, old->status, old->reason);
	http_write_fields(&w, not_modified, (struct http_skip){OF_THE_BODY});
	for (unsigned i = 0; i < old->count; i++) {
		const struct http_field *f = &old->fields[i];
		bool kept = (f->id && OF_THE_BODY & HTTP_SKIP(f->id)) ||
			    !replaces(not_modified, f->name);
		if (kept)
			http_write_field(&w, f->name, f->value);
	}
	http_write_end(&w);
	return parse(a, &w);
}
