// SPDX-License-Identifier: MIT
#include "ipc/stats_report.h"

#include "conf/doc.h"

struct which {
	int kind;	   /* -1: all */
	struct str object; /* STR_NONE: all */
};

static bool is_wanted(const struct which *w, unsigned kind, const char *object)
{
	return (w->kind < 0 || w->kind == (int)kind) &&
	       (!w->object.p || str_eq(w->object, str_c(object)));
}

static void add_values(struct report *r, const struct stats_view *v, unsigned kind, unsigned slot,
		       bool prose)
{
	for (unsigned i = 0; i < v->kind[kind].counters; i++) {
		struct stats_counter_row c = stats_view_counter(v, kind, i);
		uint64_t value = stats_view_value(v, kind, slot, i);
		if (prose)
			report_note(r, c.prose);
		if (c.type == STATS_GAUGE)
			report_int(r, c.name, NULL, (int64_t)value);
		else
			report_uint(r, c.name, NULL, value);
	}
}

static void add_kind(struct report *r, const struct stats_view *v, unsigned kind,
		     const struct which *w, bool prose)
{
	const struct stats_view_kind *k = &v->kind[kind];
	char name[STATS_NAME_SIZE];
	report_object(r, k->name);
	if (k->single)
		add_values(r, v, kind, 0, prose);
	for (unsigned i = 0; !k->single && i < stats_view_slots(v, kind); i++) {
		if (!stats_view_object(v, kind, i, name) || !is_wanted(w, kind, name))
			continue;
		report_object(r, name);
		add_values(r, v, kind, i, prose);
		report_close(r);
	}
	report_close(r);
}

static bool has_object(const struct stats_view *v, unsigned kind, struct str wanted)
{
	char name[STATS_NAME_SIZE];
	for (unsigned i = 0; i < stats_view_slots(v, kind); i++)
		if (stats_view_object(v, kind, i, name) && str_eq(str_c(name), wanted))
			return true;
	return false;
}

static int parse(const struct stats_view *v, struct str which, struct which *w, struct err *e)
{
	struct str kind = which, object = STR_NONE;
	*w = (struct which){.kind = -1};
	if (which.n == 0)
		return 0;
	ssize_t slash = str_find(which, '/');
	if (slash >= 0) {
		kind = str_of(which.p, (size_t)slash);
		object = str_skip(which, (size_t)slash + 1);
	}
	*w = (struct which){.kind = stats_view_find(v, kind), .object = object};
	if (w->kind < 0)
		return err_set(e, "no kind of counters \"%.*s\"", STR_ARG(kind));
	if (object.p && !has_object(v, (unsigned)w->kind, object))
		return err_set(e, "no %.*s \"%.*s\" was counted", STR_ARG(kind), STR_ARG(object));
	return 0;
}

int stats_report(const struct stats_view *v, struct str which, bool prose,
		 enum report_format format, struct text *to, struct err *e)
{
	struct which w;
	struct report r;
	if (parse(v, which, &w, e) < 0)
		return -1;
	report_begin(&r, to, format);
	report_object(&r, NULL);
	for (unsigned i = 0; i < v->n_kinds; i++)
		if (w.kind < 0 || w.kind == (int)i)
			add_kind(&r, v, i, &w, prose);
	report_close(&r);
	report_end(&r);
	return 0;
}

/* ---- manual */

static void man_counter(FILE *to, const struct stats_counter *c)
{
	fputs(".TP\n\\fB", to);
	conf_print_roff(to, str_c(c->name));
	fputs(c->type == STATS_GAUGE ? "\\fR (gauge)\n"
	      : c->type == STATS_MAX ? "\\fR (largest)\n"
				     : "\\fR\n",
	      to);
	conf_print_roff(to, str_c(c->prose));
	if (*c->column)
		fprintf(to, ".\nIn HAProxy's CSV \\fB%s\\fR", c->column);
	fputs(".\n", to);
}

void stats_report_man(FILE *to, const struct stats_kind *kinds, size_t n)
{
	fputs(".SH COUNTERS\n"
	      "They are in the .shm table of the run directory, from where\n.BR greenpictl (1)\n"
	      "prints them, and the command\n.B stats\nanswers them.\n"
	      "They begin at 0 when the daemon starts; an object that a reload removes keeps its own.\n"
	      "A gauge goes up and down; all others only grow.\n",
	      to);
	for (size_t i = 0; i < n; i++) {
		fputs(".SS ", to);
		conf_print_roff(to, str_c(kinds[i].name));
		fputs("\n", to);
		conf_print_roff(to, str_c(kinds[i].prose));
		fputs("\n", to);
		for (unsigned c = 0; c < kinds[i].n; c++)
			man_counter(to, &kinds[i].counters[c]);
	}
}
