// SPDX-License-Identifier: MIT
/*
 * A doubly linked list kept sorted: errors come almost in order, so a new one looks for its
 * place from the end. Among errors of one line, the first found stays first.
 */
#include "conf/errors.h"

#include <stdarg.h>

#include "base/log.h"

void conf_errors_init(struct conf_errors *errors, struct arena *arena)
{
	*errors = (struct conf_errors){.arena = arena};
}

static bool after(struct conf_loc a, struct conf_loc b)
{
	return a.order != b.order ? a.order > b.order : a.line > b.line;
}

static void insert(struct conf_errors *errors, struct conf_error *e)
{
	struct conf_error *before = errors->last;
	while (before && after(before->at, e->at))
		before = before->prev;
	e->prev = before;
	e->next = before ? before->next : errors->first;
	*(before ? &before->next : &errors->first) = e;
	*(e->next ? &e->next->prev : &errors->last) = e;
}

/* "greenpi.conf:3: retries: " */
static struct str place(struct arena *arena, struct conf_loc at, const char *key)
{
	const char *sep = key ? ": " : "";
	if (!key)
		key = "";
	if (at.line == 0)
		return arena_printf(arena, "%s: %s%s", at.file, key, sep);
	return arena_printf(arena, "%s:%d: %s%s", at.file, at.line, key, sep);
}

void conf_error_at(struct conf_errors *errors, struct conf_loc at, const char *key, const char *fmt,
		   ...)
{
	struct conf_error *e;
	char text[512];
	va_list args;
	if (errors->n++ >= CONF_ERRORS_MAX)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	e = ARENA_NEW(errors->arena, struct conf_error);
	MUST(e);
	e->at = at;
	e->text = arena_printf(errors->arena, "%s%s", place(errors->arena, at, key).p, text).p;
	insert(errors, e);
}

void conf_errors_print(const struct conf_errors *errors, FILE *to)
{
	for (const struct conf_error *e = errors->first; e; e = e->next)
		fprintf(to, "%s\n", e->text);
	if (errors->n > CONF_ERRORS_MAX)
		fprintf(to, "and %zu errors more\n", errors->n - CONF_ERRORS_MAX);
}

/* Without the log's limit on repeats, which is not meant for different errors. */
void conf_errors_log(const struct conf_errors *errors)
{
	for (const struct conf_error *e = errors->first; e; e = e->next)
		log_write(NULL, LOG_LEVEL_ERR, "%s", e->text);
	if (errors->n > CONF_ERRORS_MAX)
		log_err("and %zu errors more", errors->n - CONF_ERRORS_MAX);
}
