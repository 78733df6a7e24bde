// SPDX-License-Identifier: MIT
/*
 * A front end on inih: it knows lines, headers and files, inih cuts `key = value`.
 *
 * inih takes its input line by line from a function of ours, next_pair(). That function counts
 * lines, follows includes, swallows comments and headers, refuses what inih would misread, and
 * hands over nothing but lines with a key, an "=" and no leading space. So the traps of
 * Debian's libinih are avoided: a long line is never cut in two, a section's name never
 * shortened, empty and repeated sections are seen, an indented line is no continuation, `key :
 * value` and a key without value are errors, and each pair has its place.
 *
 * Sources form a stack: the file being read, below it those that include it. A section ends
 * where its file does, and at an include.
 *
 * Invariant: each line handed to inih comes back as one call of take_pair() before the next is
 * asked for.
 */
#include "conf/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <sys/stat.h>

#include "conf/sections.h"

struct source {
	struct source *below;
	const char *file;
	struct str rest; /* not yet read */
	unsigned order, depth;
	int line;
};

struct header {
	struct header *next;
	const struct conf_kind *kind;
	struct str name;
	struct conf_loc at;
};

struct reader {
	struct conf *conf;
	const struct conf_section *const *schema;
	size_t n_schema;
	struct arena *arena;
	struct conf_errors *errors;
	struct source *top;
	bool includes;		/* may be followed */
	unsigned n_files;	/* read so far */
	struct header *headers; /* all good ones, last first */
	size_t n_headers;
	bool outside;		    /* no header yet in this file */
	struct conf_instance *open; /* NULL in sections that are skipped */
	struct conf_loc handed;	    /* place of the line that inih has */
	bool pending;		    /* inih has a line and has not called back */
};

static struct conf_loc here(const struct reader *r)
{
	return (struct conf_loc){
		.file = r->top->file, .order = r->top->order, .line = r->top->line};
}

static void end_section(struct reader *r)
{
	if (r->open)
		conf_close(r->conf, r->open);
	r->open = NULL;
	r->outside = true;
}

/* ---- files */

static void push(struct reader *r, const char *file, struct str text)
{
	struct source *s = ARENA_NEW(r->arena, struct source);
	if (str_starts(text, STR("\xef\xbb\xbf"))) /* a byte order mark */
		text = str_skip(text, 3);
	*s = (struct source){
		.below = r->top,
		.file = file,
		.rest = text,
		.order = r->n_files++,
		.depth = r->top ? r->top->depth + 1 : 0,
	};
	r->top = s;
	end_section(r);
}

/* A file in the arena. Returns 0, or -1 with e set. */
static int load(const char *path, struct arena *arena, struct str *text, struct err *e)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	size_t n = 0;
	char *to;
	if (fd < 0 || fstat(fd, &st) != 0)
		return err_set(e, "cannot be opened: %m");
	if (!S_ISREG(st.st_mode))
		return err_set(e, "is not a file");
	if (st.st_size > CONF_TEXT_MAX)
		return err_set(e, "is larger than %d bytes", CONF_TEXT_MAX);
	to = arena_alloc(arena, (size_t)st.st_size + 1);
	while (n < (size_t)st.st_size) {
		ssize_t got = read(fd, to + n, (size_t)st.st_size - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(e, "cannot be read: %m");
		if (got == 0)
			break;
		n += (size_t)got;
	}
	*text = str_of(to, n);
	return 0;
}

/* path as seen from the file that names it. */
static const char *beside(struct arena *arena, const char *file, struct str path)
{
	const char *slash = strrchr(file, '/');
	if (path.p[0] == '/' || !slash)
		return arena_str(arena, path).p;
	return arena_printf(arena, "%.*s/%.*s", (int)(slash - file), file, STR_ARG(path)).p;
}

static bool is_being_read(const struct reader *r, const char *file)
{
	for (const struct source *s = r->top; s; s = s->below) {
		if (strcmp(s->file, file) == 0)
			return true;
	}
	return false;
}

/* Opens the file at path. Returns 0, or -1 with e set. */
static int push_file(struct reader *r, struct str path, struct err *e)
{
	const char *file = beside(r->arena, r->top->file, path);
	struct str text;
	struct err why;
	if (is_being_read(r, file))
		return err_set(e, "%s includes itself", file);
	if (r->n_files > CONF_FILES_MAX || r->top->depth >= CONF_DEPTH_MAX)
		return err_set(e, "at most %d files, %d deep, are allowed", CONF_FILES_MAX,
			       CONF_DEPTH_MAX);
	if (load(file, r->arena, &text, &why) != 0)
		return err_set(e, "%s %s", file, why.text);
	push(r, file, text);
	return 0;
}

static void include(struct reader *r, struct str path)
{
	struct conf_loc at = here(r);
	struct err e;
	end_section(r);
	if (path.n == 0)
		conf_error_at(r->errors, at, "include", "needs a file");
	else if (!r->includes)
		conf_error_at(r->errors, at, "include", "is not possible here");
	else if (push_file(r, path, &e) != 0)
		conf_error_at(r->errors, at, "include", "%s", e.text);
}

/* ---- headers */

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == ':' || c == '-';
}

static bool is_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_name_char(s.p[i]))
			return false;
	}
	return s.n <= CONF_NAME_MAX;
}

static const struct header *find_header(const struct reader *r, const struct conf_kind *kind,
					struct str name)
{
	const struct header *h = r->headers;
	while (h && (h->kind != kind || !str_eq(h->name, name)))
		h = h->next;
	return h;
}

/* Is this the first of its name? Adds an error if not. */
static bool note_header(struct reader *r, const struct conf_kind *kind, struct str name)
{
	const struct header *first = find_header(r, kind, name);
	struct header *h;
	if (first) {
		conf_error_at(r->errors, here(r), NULL, "[%s%s%.*s]: given twice, first at %s:%d",
			      kind->kind, name.n > 0 ? " " : "", STR_ARG(name), first->at.file,
			      first->at.line);
		return false;
	}
	h = ARENA_NEW(r->arena, struct header);
	*h = (struct header){
		.next = r->headers,
		.kind = kind,
		.name = arena_str(r->arena, name),
		.at = here(r),
	};
	r->headers = h;
	return true;
}

static void unknown_kind(struct reader *r, struct str kind)
{
	const struct conf_kind *near = conf_kind_nearest(kind);
	if (near)
		conf_error_at(r->errors, here(r), NULL,
			      "[%.*s]: unknown section; did you mean `[%s%s]`?", STR_ARG(kind),
			      near->kind, near->named ? " NAME" : "");
	else
		conf_error_at(r->errors, here(r), NULL, "[%.*s]: unknown section", STR_ARG(kind));
}

/* Are kind and name such as a header may have? Adds an error if not. */
static bool header_is_good(struct reader *r, const struct conf_kind *kind, struct str name)
{
	if (kind->named && name.n == 0)
		conf_error_at(r->errors, here(r), NULL, "[%s]: needs a name, as in [%s NAME]",
			      kind->kind, kind->kind);
	else if (!kind->named && name.n > 0)
		conf_error_at(r->errors, here(r), NULL, "[%s]: has no name, as there is only one",
			      kind->kind);
	else if (!is_name(name))
		conf_error_at(r->errors, here(r), NULL,
			      "[%s]: a name has at most %d letters, digits and . _ : -", kind->kind,
			      CONF_NAME_MAX);
	else if (++r->n_headers > CONF_SECTIONS_MAX)
		conf_error_at(r->errors, here(r), NULL, "[%s]: at most %d sections are allowed",
			      kind->kind, CONF_SECTIONS_MAX);
	else
		return true;
	return false;
}

static void begin_section(struct reader *r, struct str kind_text, struct str name)
{
	const struct conf_kind *kind = conf_kind_find(kind_text);
	bool first;
	if (!kind) {
		unknown_kind(r, kind_text);
		return;
	}
	if (!header_is_good(r, kind, name))
		return;
	first = note_header(r, kind, name);
	for (size_t i = 0; i < r->n_schema; i++) {
		if (strcmp(r->schema[i]->kind, kind->kind) == 0)
			r->open = conf_open(r->conf, r->schema[i], name, here(r), first);
	}
}

/* "[kind name]" and perhaps a comment. */
static void read_header(struct reader *r, struct str line)
{
	ssize_t end = str_find(line, ']');
	struct str inside, tail, kind;
	end_section(r);
	r->outside = false; /* after a bad header too: its keys are no further errors */
	if (end < 0) {
		conf_error_at(r->errors, here(r), NULL, "the section's header lacks a ]");
		return;
	}
	inside = str_of(line.p + 1, (size_t)end - 1);
	tail = str_trim(str_skip(line, (size_t)end + 1));
	if (tail.n > 0 && tail.p[0] != ';' && tail.p[0] != '#') {
		conf_error_at(r->errors, here(r), NULL, "text after the ] of the section's header");
		return;
	}
	if (conf_word(&inside, &kind))
		begin_section(r, kind, str_trim(inside));
	else
		conf_error_at(r->errors, here(r), NULL, "the section's header is empty");
}

/* ---- lines */

static bool has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return true;
	}
	return false;
}

/* Does inih find in line the key and the "=" that we see? */
static bool is_pair(struct str line)
{
	size_t n = 0;
	while (n < line.n && is_name_char(line.p[n]) && line.p[n] != ':')
		n++;
	line = str_trim(str_skip(line, n));
	return n > 0 && line.n > 0 && line.p[0] == '=';
}

static bool line_is_good(struct reader *r, struct str line)
{
	if (line.n > CONF_LINE_MAX)
		conf_error_at(r->errors, here(r), NULL,
			      "the line has %zu bytes, at most %d are allowed", line.n,
			      CONF_LINE_MAX);
	else if (has_control(line))
		conf_error_at(r->errors, here(r), NULL, "the line has a control character");
	else
		return true;
	return false;
}

/* The line up to " ;". */
static struct str without_comment(struct str s)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == ';' && (s.p[i - 1] == ' ' || s.p[i - 1] == '\t'))
			return str_trim(str_of(s.p, i));
	}
	return s;
}

/* Deals with a line; true when it is for inih. */
static bool read_line(struct reader *r, struct str line)
{
	struct str rest = line, word;
	if (line.n == 0 || line.p[0] == ';' || line.p[0] == '#' || !line_is_good(r, line))
		return false;
	if (line.p[0] == '[') {
		read_header(r, line);
		return false;
	}
	if (is_pair(line))
		return true;
	conf_word(&rest, &word);
	if (str_eq(word, STR("include")))
		include(r, without_comment(str_trim(rest)));
	else
		conf_error_at(r->errors, here(r), NULL,
			      "neither `key = value`, nor a [section], nor a comment");
	return false;
}

/* The next line of the files, trimmed. */
static bool next_line(struct reader *r, struct str *line)
{
	while (r->top && r->top->rest.n == 0) {
		r->top = r->top->below;
		end_section(r);
	}
	if (!r->top)
		return false;
	str_split(&r->top->rest, '\n', line);
	r->top->line++;
	if (line->n > 0 && line->p[line->n - 1] == '\r')
		line->n--;
	*line = str_trim(*line);
	return true;
}

static void refused_by_inih(struct reader *r)
{
	if (r->pending)
		conf_error_at(r->errors, r->handed, NULL, "not a `key = value`");
	r->pending = false;
}

/* inih's source of lines, as fgets(). */
static char *next_pair(char *to, int size, void *user)
{
	struct reader *r = user;
	struct str line;
	MUST(size > CONF_LINE_MAX);
	refused_by_inih(r);
	do {
		if (!next_line(r, &line))
			return NULL;
	} while (!read_line(r, line));
	str_copy(to, (size_t)size, line);
	r->handed = here(r);
	r->pending = true;
	return to;
}

/* inih's call for a pair. Its idea of the section is not needed: r->open knows. */
static int take_pair(void *user, const char *section UNUSED, const char *key, const char *value)
{
	struct reader *r = user;
	r->pending = false;
	if (value[0] == ';') /* "key =;x": a comment as it is after a space */
		value = "";
	if (r->open)
		conf_set(r->conf, r->open, r->handed, str_c(key), str_c(value));
	else if (r->outside)
		conf_error_at(r->errors, r->handed, key, "stands in no [section]");
	return 1;
}

/* ---- the whole */

static void check_schema(const struct conf_section *const *schema, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct conf_kind *kind = conf_kind_find(str_c(schema[i]->kind));
		MUST(kind && kind->named == (schema[i]->name_at >= 0));
	}
}

static struct conf *read_all(const char *name, struct str text, bool includes,
			     const struct conf_section *const *schema, size_t n,
			     struct arena *arena, struct conf_errors *errors)
{
	struct reader r = {
		.conf = conf_new(name, schema, n, arena, errors),
		.schema = schema,
		.n_schema = n,
		.arena = arena,
		.errors = errors,
		.includes = includes,
	};
	MUST(arena->cap == ARENA_UNLIMITED);
	check_schema(schema, n);
	push(&r, name, text);
	ini_parse_stream(next_pair, &r, take_pair, &r); /* its result: see refused_by_inih() */
	conf_end(r.conf);
	return r.conf;
}

struct conf *conf_read_text(const char *name, struct str text,
			    const struct conf_section *const *schema, size_t n, struct arena *arena,
			    struct conf_errors *errors)
{
	const char *kept = arena_str(arena, str_c(name)).p;
	return read_all(kept, text, false, schema, n, arena, errors);
}

struct conf *conf_read(const char *path, const struct conf_section *const *schema, size_t n,
		       struct arena *arena, struct conf_errors *errors)
{
	const char *kept = arena_str(arena, str_c(path)).p;
	struct str text;
	struct err e;
	if (load(kept, arena, &text, &e) != 0) {
		conf_error_at(errors, (struct conf_loc){.file = kept}, NULL, "%s", e.text);
		return NULL;
	}
	return read_all(kept, text, true, schema, n, arena, errors);
}
