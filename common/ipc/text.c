// SPDX-License-Identifier: MIT
#include "ipc/text.h"

#include <stdarg.h>
#include <stdio.h>

void text_init(struct text *t, size_t cap)
{
	*t = (struct text){.cap = cap};
}

void text_fini(struct text *t)
{
	free(t->p);
	*t = (struct text){0};
}

/* Room for n bytes and a NUL. */
static bool reserve(struct text *t, size_t n)
{
	if (t->cut || n > t->cap - t->n) {
		t->cut = true;
		return false;
	}
	if (t->n + n < t->room)
		return true;
	size_t room = MAX(t->room * 2, t->n + n + 1);
	char *p = realloc(t->p, room);
	MUST(p);
	t->p = p;
	t->room = room;
	return true;
}

void text_add(struct text *t, struct str s)
{
	if (s.n == 0 || !reserve(t, s.n))
		return;
	memcpy(t->p + t->n, s.p, s.n);
	t->n += s.n;
	t->p[t->n] = '\0';
}

void text_printf(struct text *t, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n > 0 && reserve(t, (size_t)n)) {
		vsnprintf(t->p + t->n, (size_t)n + 1, fmt, again);
		t->n += (size_t)n;
	}
	va_end(again);
}

void text_drop(struct text *t, size_t n)
{
	MUST(n <= t->n);
	if (n == 0)
		return;
	memmove(t->p, t->p + n, t->n - n + 1);
	t->n -= n;
}

static void quoted(struct text *t, struct str s)
{
	text_add(t, STR("\""));
	while (s.n) {
		unsigned n = str_utf8(s);
		char c = *s.p;
		if (n == 0)
			text_add(t, STR("\\ufffd"));
		else if (c == '"' || c == '\\')
			text_printf(t, "\\%c", c);
		else if (n == 1 && (c < 0x20 || c == 0x7f))
			text_printf(t, "\\u%04x", c);
		else
			text_add(t, str_of(s.p, n));
		s = str_skip(s, MAX(n, 1u));
	}
	text_add(t, STR("\""));
}

static void begin_value(struct text *t, const char *key)
{
	if (t->comma)
		text_add(t, STR(","));
	t->comma = true;
	if (key) {
		quoted(t, str_c(key));
		text_add(t, STR(":"));
	}
}

void text_json_open(struct text *t, const char *key, char bracket)
{
	begin_value(t, key);
	text_add(t, str_of(&bracket, 1));
	t->comma = false;
}

void text_json_close(struct text *t, char bracket)
{
	text_add(t, str_of(&bracket, 1));
	t->comma = true;
}

void text_json_str(struct text *t, const char *key, struct str value)
{
	begin_value(t, key);
	quoted(t, value);
}

void text_json_raw(struct text *t, const char *key, struct str json)
{
	begin_value(t, key);
	text_add(t, json);
}
