// SPDX-License-Identifier: MIT
#include "http/write.h"

void http_writer_init_mem(struct http_writer *w, void *mem, size_t cap)
{
	*w = (struct http_writer){.mem = mem, .cap = cap, .overflow = mem == NULL};
}

void http_writer_init(struct http_writer *w, struct arena *a, size_t cap)
{
	http_writer_init_mem(w, arena_alloc(a, cap), cap);
}

/* Room for n more bytes, or NULL with the overflow remembered. */
static char *room(struct http_writer *w, size_t n)
{
	if (UNLIKELY(w->overflow || n > w->cap - w->n)) {
		w->overflow = true;
		return NULL;
	}
	char *p = w->mem + w->n;
	w->n += n;
	return p;
}

static char *put(char *p, struct str s)
{
	if (s.n)
		memcpy(p, s.p, s.n);
	return p + s.n;
}

void http_write_raw(struct http_writer *w, struct str s)
{
	char *p = room(w, s.n);
	if (p)
		put(p, s);
}

void http_write_u64(struct http_writer *w, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);
	do
		digits[--at] = (char)('0' + v % 10);
	while (v /= 10);
	http_write_raw(w, str_of(digits + at, sizeof(digits) - at));
}

void http_write_request_line(struct http_writer *w, struct str method, struct str target)
{
	char *p = room(w, method.n + target.n + 12);
	if (p)
		put(put(put(put(p, method), STR(" ")), target), STR(" HTTP/1.1\r\n"));
}

void http_write_status_line(struct http_writer *w, unsigned status, struct str reason)
{
	if (reason.n == 0)
		reason = str_c(http_reason(status));
	http_write_raw(w, STR("HTTP/1.1 "));
	http_write_u64(w, status);
	http_write_raw(w, STR(" "));
	http_write_raw(w, reason);
	http_write_raw(w, STR("\r\n"));
}

void http_write_field(struct http_writer *w, struct str name, struct str value)
{
	char *p = room(w, name.n + value.n + 4);
	if (p)
		put(put(put(put(p, name), STR(": ")), value), STR("\r\n"));
}

void http_write_field_u64(struct http_writer *w, struct str name, uint64_t value)
{
	http_write_raw(w, name);
	http_write_raw(w, STR(": "));
	http_write_u64(w, value);
	http_write_raw(w, STR("\r\n"));
}

void http_write_end(struct http_writer *w)
{
	http_write_raw(w, STR("\r\n"));
}

size_t http_write_size(const struct http_head *h)
{
	size_t n = 0;
	for (unsigned i = 0; i < h->count; i++)
		n += h->fields[i].name.n + h->fields[i].value.n + 4;
	return n;
}

void http_write_fields(struct http_writer *w, const struct http_head *h, struct http_skip skip)
{
	for (unsigned i = 0; i < h->count; i++) {
		const struct http_field *f = &h->fields[i];
		if (!f->hop && !(skip.ids >> f->id & 1))
			http_write_field(w, f->name, f->value);
	}
}
