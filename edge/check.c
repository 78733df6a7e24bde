// SPDX-License-Identifier: MIT
/*
 * Every reference to an object is collected: the index's, each request's, each fetch's. Sorted by object, they must be
 * as many as the object counts; and the objects, whether in the index or not, must own all pages and records that are
 * not free.
 */
#include "check.h"

#include <string.h>

#include "edged.h"
#include "fetch.h"
#include "serve.h"

enum role {
	LINKED,
	HELD,
	FILLED,	   /* by a fetch */
	VALIDATED, /* by a fetch, still without a response */
};

struct reference {
	const struct object *object;
	enum role role;
};

struct audit {
	struct reference *refs;
	size_t n, size;
	const struct store *store;
	bool *pages, *records; /* owned */
	uint32_t pages_owned, records_owned;
};

/* ---- collecting */

static void add(struct audit *a, const struct object *o, enum role role)
{
	if (!o)
		return;
	if (a->n == a->size) {
		a->size = a->size ? 2 * a->size : 256;
		a->refs = realloc(a->refs, a->size * sizeof(*a->refs));
		MUST(a->refs);
	}
	a->refs[a->n++] = (struct reference){.object = o, .role = role};
}

static void on_linked(const struct object *o, void *arg)
{
	add(arg, o, LINKED);
}

static void on_serve(const struct object *object, const struct object *stale,
		     const struct object *waits, void *arg)
{
	add(arg, object, HELD);
	add(arg, stale, HELD);
	add(arg, waits, HELD);
}

static void on_fetch(const struct object *target, const struct object *stale, void *arg)
{
	add(arg, target, FILLED);
	/* Once there is another response the fetch does not use the stale object any more. */
	bool waits = stale && object_state(target) == OBJECT_BUSY;
	add(arg, stale, waits ? VALIDATED : HELD);
}

/* ---- checking */

static void own(struct audit *a, const struct object *o)
{
	for (unsigned i = 0; i < o->extents; i++) {
		struct extent e = o->extent[i];
		for (uint32_t p = e.page; p < e.page + e.count; p++) {
			MUST(pages_taken(&a->store->pages, p) && !a->pages[p]);
			a->pages[p] = true;
		}
		a->pages_owned += e.count;
	}
	if (o->record == STORE_NO_RECORD)
		return;
	MUST(!a->records[o->record]);
	a->records[o->record] = true;
	a->records_owned++;
}

/* All references to one object. */
static void check_object(struct audit *a, const struct reference *r, size_t n)
{
	const struct object *o = r->object;
	unsigned with[VALIDATED + 1] = {0};
	for (size_t i = 0; i < n; i++)
		with[r[i].role]++;
	object_check(o, a->store);
	MUST(atomic_load(&o->refs) == n);
	MUST(with[LINKED] == o->linked);
	/* Exactly one fetch fills an incomplete object. */
	MUST(with[FILLED] <= 1);
	enum object_state state = object_state(o);
	if (state == OBJECT_BUSY || state == OBJECT_STREAMING)
		MUST(with[FILLED]);
	MUST(with[VALIDATED] <= 1);
	MUST(atomic_load(&o->refreshing) == (with[VALIDATED] == 1));
	own(a, o);
}

static int by_object(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)((const struct reference *)a)->object;
	uintptr_t y = (uintptr_t)((const struct reference *)b)->object;
	return (x > y) - (x < y);
}

static void check_objects(struct audit *a)
{
	if (a->n)
		qsort(a->refs, a->n, sizeof(*a->refs), by_object);
	for (size_t i = 0, n; i < a->n; i += n) {
		for (n = 1; i + n < a->n && a->refs[i + n].object == a->refs[i].object; n++)
			;
		check_object(a, &a->refs[i], n);
	}
	MUST(a->pages_owned == a->store->pages.total - a->store->pages.free);
	MUST(a->records_owned == a->store->record_count - a->store->free_count);
	for (uint32_t i = 0; i < a->store->free_count; i++)
		MUST(!a->records[a->store->free_records[i]]);
}

static void check_references(const struct shell *s, const struct edged *own)
{
	struct audit a = {.store = &own->store};
	uint32_t calls = 0;
	a.pages = def_xcalloc(own->store.pages.total, sizeof(*a.pages));
	a.records = def_xcalloc(own->store.record_count, sizeof(*a.records));
	index_each(own->index, on_linked, &a);
	for (unsigned i = 0; i < shell_workers(s); i++) {
		const struct edge_worker *w = edge_worker_from(shell_worker(s, i));
		serve_each(w, on_serve, &a);
		fetch_each(w, on_fetch, &a);
		calls += http_client_calls(w->origin);
	}
	check_objects(&a);
	MUST(calls == budget_taken(edge_worker_from(shell_worker(s, 0))->base.calls));
	free(a.refs);
	free(a.pages);
	free(a.records);
}

unsigned check_shared(struct shell *s, bool still)
{
	const struct edged *own = shell_user(s);
	MAGIC_CHECK(own, EDGED_MAGIC);
	unsigned n = index_check(own->index);
	if (still)
		check_references(s, own);
	return n;
}
