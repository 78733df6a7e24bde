// SPDX-License-Identifier: MIT
#include "http/fields.h"

void http_fields_init_mem(struct http_fields *f, void *mem, size_t cap)
{
	*f = (struct http_fields){.mem = mem, .cap = cap, .overflow = !mem};
}

void http_fields_init(struct http_fields *f, struct arena *a, size_t cap)
{
	http_fields_init_mem(f, arena_alloc(a, cap), cap);
}

/* Room for n more bytes, or NULL with the overflow remembered. */
static char *room(struct http_fields *f, size_t n)
{
	if (UNLIKELY(f->overflow || n > f->cap - f->n)) {
		f->overflow = true;
		return NULL;
	}
	char *p = f->mem + f->n;
	f->n += n;
	return p;
}

static char *put(char *p, struct str s)
{
	if (s.n)
		memcpy(p, s.p, s.n);
	return p + s.n;
}

void http_fields_add(struct http_fields *f, struct str name, struct str value)
{
	char *p = room(f, name.n + value.n + 4);
	if (p)
		put(put(put(put(p, name), STR(": ")), value), STR("\r\n"));
}

void http_fields_part(struct http_fields *f, struct str part)
{
	char *p = room(f, part.n);
	if (p)
		put(p, part);
}

void http_fields_part_u64(struct http_fields *f, uint64_t part)
{
	char digits[STR_U64_SIZE];
	http_fields_part(f, str_u64(digits, part));
}

void http_fields_begin(struct http_fields *f, struct str name)
{
	http_fields_part(f, name);
	http_fields_part(f, STR(": "));
}

void http_fields_end(struct http_fields *f)
{
	http_fields_part(f, STR("\r\n"));
}

void http_fields_add_u64(struct http_fields *f, struct str name, uint64_t value)
{
	char digits[STR_U64_SIZE];
	http_fields_add(f, name, str_u64(digits, value));
}

size_t http_fields_size(const struct http_head *h)
{
	size_t n = 0;
	for (unsigned i = 0; i < h->count; i++)
		n += h->fields[i].name.n + h->fields[i].value.n + 4;
	return n;
}

void http_fields_add_head(struct http_fields *f, const struct http_head *h, struct http_skip skip)
{
	skip.ids |= HTTP_SKIP(HTTP_F_CONTENT_LENGTH);
	for (unsigned i = 0; i < h->count; i++) {
		const struct http_field *one = &h->fields[i];
		if (!one->hop && !(skip.ids >> one->id & 1))
			http_fields_add(f, one->name, one->value);
	}
}

struct str http_fields_block(const struct http_fields *f)
{
	return f->overflow ? STR_NONE : str_of(f->mem, f->n);
}

bool http_fields_next(struct str *rest, struct str *name, struct str *value)
{
	if (rest->n == 0)
		return false;
	ssize_t colon = str_find(*rest, ':');
	ssize_t end = str_find(*rest, '\r');
	MUST(colon > 0 && end > colon && (size_t)end + 1 < rest->n);
	*name = str_of(rest->p, (size_t)colon);
	*value = str_of(rest->p + colon + 2, (size_t)(end - colon - 2));
	*rest = str_skip(*rest, (size_t)end + 2);
	return true;
}

bool http_fields_to_head(struct http_head *h, struct str block)
{
	struct str name, value;
	memset(h, 0, offsetof(struct http_head, fields));
	while (http_fields_next(&block, &name, &value)) {
		if (h->count == HTTP_FIELDS_MAX)
			return false;
		enum http_field_id id = http_field_of(name);
		h->fields[h->count++] = (struct http_field){
			.name = name, .value = value, .id = (uint8_t)id};
		if (id && !h->first[id])
			h->first[id] = (uint8_t)h->count;
	}
	return true;
}
