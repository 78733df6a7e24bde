// SPDX-License-Identifier: MIT
/*
 * Slots are handed out in order and never taken back, so the only thing that changes in a kind's row is how many have
 * names; it is raised when the new name is there (release), and a reader looks at no slot beyond it (acquire). Slot 0 of
 * a kind with many objects is the one that is shared when the others are gone.
 *
 * A slot's blocks lie side by side, worker by worker: a few objects fill a page, and the rest of the file, made for
 * thousands, stays a hole. A slot's pages are touched when it is handed out, since on a full tmpfs the first write to
 * a hole is SIGBUS, which a worker could not survive.
 */
#include "ipc/stats.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/log.h"

#define CELLS_OF_LINE (CACHE_LINE / sizeof(stats_cell))
#define SHARED_NAME   "(others)"

enum { WORKERS_MAX = 256, COUNTERS_MAX = 512, SLOTS_MAX = 1 << 16 };

_Static_assert(STATS_NAME_SIZE % CACHE_LINE == 0, "cells behind names are aligned");
_Static_assert(sizeof(struct shmem_header) % CACHE_LINE == 0, "rows behind the header are aligned");

static struct stats_kind_row *rows(const struct stats_view *v)
{
	return (void *)((char *)v->shmem.mem + v->kinds_at);
}

static char *name_at(const struct stats_view *v, unsigned kind, unsigned slot)
{
	return (char *)v->shmem.mem + v->kind[kind].names_at + (size_t)slot * STATS_NAME_SIZE;
}

/* ---- reading */

static bool fits(const struct stats_view *v, uint64_t at, uint64_t n, uint64_t size)
{
	return at % CACHE_LINE == 0 && at >= sizeof(struct shmem_header) &&
	       at + n * size <= v->shmem.size;
}

/* Each number is copied once and then checked: the writer may change it in between. */
static bool take_kind(struct stats_view *v, struct stats_view_kind *k,
		      const struct stats_kind_row *r, uint32_t counters)
{
	*k = (struct stats_view_kind){.counters = r->counters,
				      .single = r->single,
				      .first = r->first,
				      .slots = r->slots,
				      .stride = r->stride,
				      .names_at = r->names_at,
				      .cells_at = r->cells_at};
	memcpy(k->name, r->name, sizeof(k->name));
	k->name[sizeof(k->name) - 1] = '\0';
	return k->first <= counters && k->counters <= counters - k->first &&
	       k->counters <= k->stride && k->stride <= COUNTERS_MAX &&
	       k->stride % CELLS_OF_LINE == 0 && k->slots >= 1 && k->slots <= SLOTS_MAX &&
	       fits(v, k->names_at, k->slots, STATS_NAME_SIZE) &&
	       fits(v, k->cells_at, (uint64_t)k->slots * v->workers,
		    k->stride * sizeof(stats_cell));
}

static bool take_directory(struct stats_view *v)
{
	struct stats_directory d;
	memcpy(&d, (const char *)v->shmem.mem + sizeof(struct shmem_header), sizeof(d));
	v->n_kinds = d.kinds;
	v->workers = d.workers;
	v->kinds_at = d.kinds_at;
	v->counters_at = d.counters_at;
	if (d.kinds < 1 || d.kinds > STATS_KINDS_MAX || d.counters > COUNTERS_MAX ||
	    d.workers < 1 || d.workers > WORKERS_MAX ||
	    !fits(v, d.kinds_at, d.kinds, sizeof(struct stats_kind_row)) ||
	    !fits(v, d.counters_at, d.counters, sizeof(struct stats_counter_row)))
		return false;
	for (unsigned i = 0; i < d.kinds; i++)
		if (!take_kind(v, &v->kind[i], &rows(v)[i], d.counters))
			return false;
	return true;
}

int stats_view_open(struct stats_view *v, const char *path, struct err *e)
{
	*v = (struct stats_view){0};
	if (shmem_attach(&v->shmem, path, STATS_MAGIC, STATS_LAYOUT,
			 sizeof(struct shmem_header) + sizeof(struct stats_directory), e) < 0)
		return -1;
	if (take_directory(v))
		return 0;
	stats_view_close(v);
	return err_set(e, "%s: its directory does not fit", path);
}

void stats_view_close(struct stats_view *v)
{
	shmem_detach(&v->shmem);
	*v = (struct stats_view){0};
}

bool stats_view_is_open(const struct stats_view *v)
{
	return v->shmem.mem;
}

bool stats_view_stale(const struct stats_view *v, const char *path)
{
	return shmem_stale(&v->shmem, path);
}

int64_t stats_view_age_us(const struct stats_view *v, int64_t now_us)
{
	return shmem_age_us(&v->shmem, now_us);
}

uint32_t stats_view_pid(const struct stats_view *v)
{
	return shmem_header(&v->shmem)->pid;
}

int stats_view_find(const struct stats_view *v, struct str kind)
{
	for (unsigned i = 0; i < v->n_kinds; i++)
		if (str_eq(str_c(v->kind[i].name), kind))
			return (int)i;
	return -1;
}

unsigned stats_view_slots(const struct stats_view *v, unsigned kind)
{
	MUST(kind < v->n_kinds);
	uint32_t used = atomic_load_explicit(&rows(v)[kind].used, memory_order_acquire);
	return MIN(used, v->kind[kind].slots);
}

bool stats_view_object(const struct stats_view *v, unsigned kind, unsigned slot,
		       char to[STATS_NAME_SIZE])
{
	MUST(kind < v->n_kinds && slot < v->kind[kind].slots);
	*to = '\0';
	if (v->kind[kind].single)
		return true;
	if (slot == 0) {
		str_copy(to, STATS_NAME_SIZE, STR(SHARED_NAME));
		return atomic_load_explicit(&rows(v)[kind].shared, memory_order_relaxed) > 0;
	}
	memcpy(to, name_at(v, kind, slot), STATS_NAME_SIZE);
	to[STATS_NAME_SIZE - 1] = '\0';
	return *to != '\0';
}

struct stats_counter_row stats_view_counter(const struct stats_view *v, unsigned kind,
					    unsigned counter)
{
	struct stats_counter_row r;
	MUST(kind < v->n_kinds && counter < v->kind[kind].counters);
	memcpy(&r,
	       (const char *)v->shmem.mem + v->counters_at +
		       (size_t)(v->kind[kind].first + counter) * sizeof(r),
	       sizeof(r));
	r.name[sizeof(r.name) - 1] = '\0';
	r.column[sizeof(r.column) - 1] = '\0';
	r.prose[sizeof(r.prose) - 1] = '\0';
	return r;
}

static uint8_t type_of(const struct stats_view *v, unsigned kind, unsigned counter)
{
	const struct stats_counter_row *all = (const void *)((const char *)v->shmem.mem +
							     v->counters_at);
	return all[v->kind[kind].first + counter].type;
}

uint64_t stats_view_value(const struct stats_view *v, unsigned kind, unsigned slot,
			  unsigned counter)
{
	const struct stats_view_kind *k = &v->kind[kind];
	MUST(kind < v->n_kinds && slot < k->slots && counter < k->counters);
	const stats_cell *cells = (const void *)((const char *)v->shmem.mem + k->cells_at);
	cells += (size_t)slot * v->workers * k->stride + counter;
	bool largest = type_of(v, kind, counter) == STATS_MAX;
	uint64_t value = 0;
	for (unsigned w = 0; w < v->workers; w++) {
		uint64_t n = stats_get(&cells[(size_t)w * k->stride]);
		value = largest ? MAX(value, n) : value + n;
	}
	return value;
}

bool stats_view_get(const struct stats_view *v, const char *name, uint64_t *value)
{
	for (unsigned i = 0; i < v->kind[0].counters; i++) {
		if (strcmp(stats_view_counter(v, 0, i).name, name) == 0) {
			*value = stats_view_value(v, 0, 0, i);
			return true;
		}
	}
	return false;
}

/* ---- writing */

static size_t round_to_cache_line(size_t n)
{
	return (n + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
}

static unsigned slots_of(const struct stats_kind *k)
{
	return k->capacity == 1 ? 1 : k->capacity + 1;
}

static void copy_text(char *to, size_t size, const char *text)
{
	MUST(str_copy(to, size, str_c(text)));
}

/* Sets all offsets in v, whose n_kinds and workers are set; returns the size of the table. */
static size_t lay_out(struct stats_view *v, const struct stats_kind *kinds)
{
	unsigned counters = 0;
	for (unsigned i = 0; i < v->n_kinds; i++) {
		const struct stats_kind *k = &kinds[i];
		MUST(k->n && k->capacity && k->capacity < SLOTS_MAX);
		v->kind[i] = (struct stats_view_kind){
			.counters = k->n,
			.single = k->capacity == 1,
			.first = counters,
			.slots = slots_of(k),
			.stride = (unsigned)(round_to_cache_line(k->n * sizeof(stats_cell)) /
					     sizeof(stats_cell))};
		copy_text(v->kind[i].name, sizeof(v->kind[i].name), k->name);
		counters += k->n;
	}
	MUST(counters <= COUNTERS_MAX);
	v->kinds_at = sizeof(struct shmem_header) + sizeof(struct stats_directory);
	v->counters_at = v->kinds_at + v->n_kinds * (uint32_t)sizeof(struct stats_kind_row);
	size_t at = v->counters_at + counters * sizeof(struct stats_counter_row);
	for (unsigned i = 0; i < v->n_kinds; i++) {
		struct stats_view_kind *k = &v->kind[i];
		k->names_at = (uint32_t)at;
		at += (size_t)k->slots * STATS_NAME_SIZE;
	}
	for (unsigned i = 0; i < v->n_kinds; i++) {
		struct stats_view_kind *k = &v->kind[i];
		k->cells_at = (uint32_t)at;
		at += (size_t)k->slots * v->workers * k->stride * sizeof(stats_cell);
		MUST(at <= UINT32_MAX);
	}
	return at;
}

static void write_rows(struct stats *s, const struct stats_kind *kinds)
{
	struct stats_view *v = &s->view;
	struct stats_counter_row *c = (void *)((char *)v->shmem.mem + v->counters_at);
	struct stats_directory d = {.kinds = v->n_kinds,
				    .workers = v->workers,
				    .kinds_at = v->kinds_at,
				    .counters_at = v->counters_at};
	for (unsigned i = 0; i < v->n_kinds; i++) {
		struct stats_kind_row *r = &rows(v)[i];
		const struct stats_view_kind *k = &v->kind[i];
		copy_text(r->name, sizeof(r->name), kinds[i].name);
		copy_text(r->prose, sizeof(r->prose), kinds[i].prose);
		r->counters = k->counters;
		r->first = k->first;
		r->slots = k->slots;
		r->stride = k->stride;
		r->names_at = k->names_at;
		r->cells_at = k->cells_at;
		r->single = k->single;
		atomic_store(&r->used, 1);
		for (unsigned n = 0; n < kinds[i].n; n++, c++) {
			copy_text(c->name, sizeof(c->name), kinds[i].counters[n].name);
			copy_text(c->column, sizeof(c->column), kinds[i].counters[n].column);
			copy_text(c->prose, sizeof(c->prose), kinds[i].counters[n].prose);
			c->type = (uint8_t)kinds[i].counters[n].type;
		}
		d.counters += kinds[i].n;
	}
	memcpy((char *)v->shmem.mem + sizeof(struct shmem_header), &d, sizeof(d));
}

/* Allocates the pages of [at, at + size) now. False: there is no memory for them. Kernels before 5.14 cannot do this. */
static bool touch(const struct stats_view *v, size_t at, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), from = at / page * page;
	return madvise((char *)v->shmem.mem + from, at + size - from, MADV_POPULATE_WRITE) == 0 ||
	       (errno != EFAULT && errno != ENOMEM);
}

static bool touch_slot(const struct stats_view *v, unsigned kind, unsigned slot)
{
	const struct stats_view_kind *k = &v->kind[kind];
	size_t size = (size_t)v->workers * k->stride * sizeof(stats_cell);
	return touch(v, k->names_at + (size_t)slot * STATS_NAME_SIZE, STATS_NAME_SIZE) &&
	       touch(v, k->cells_at + slot * size, size);
}

static bool touch_first(const struct stats_view *v)
{
	bool good = touch(v, 0, v->kind[0].names_at);
	for (unsigned i = 0; good && i < v->n_kinds; i++)
		good = touch_slot(v, i, 0);
	return good;
}

static void use_private_memory(struct stats *s, const struct stats_kind *kinds, size_t size)
{
	// cppcheck-suppress invalidFunctionArg ; -1 is what anonymous memory wants
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(mem != MAP_FAILED);
	s->view.shmem = (struct shmem){.mem = mem, .size = size};
	s->published = false;
	write_rows(s, kinds);
}

int stats_create(struct stats *s, const char *path, const struct stats_kind *kinds,
		 unsigned n_kinds, unsigned workers, struct err *e)
{
	MUST(n_kinds >= 1 && n_kinds <= STATS_KINDS_MAX && workers >= 1 && workers <= WORKERS_MAX);
	*s = (struct stats){.view = {.n_kinds = n_kinds, .workers = workers}, .published = true};
	size_t size = lay_out(&s->view, kinds);
	struct shmem *m = &s->view.shmem;
	int rc = shmem_create(m, path, STATS_MAGIC, STATS_LAYOUT, size, e);
	if (rc == 0 && !touch_first(&s->view)) {
		rc = err_set(e, "%s: %m", path);
		shmem_discard(m, path);
	}
	if (rc == 0) {
		write_rows(s, kinds);
		rc = shmem_publish(m, path, e);
	}
	if (rc < 0)
		use_private_memory(s, kinds, size);
	return rc;
}

void stats_fini(struct stats *s)
{
	stats_view_close(&s->view);
	*s = (struct stats){0};
}

void stats_heartbeat(struct stats *s, int64_t now_us)
{
	shmem_heartbeat(&s->view.shmem, now_us);
}

static unsigned share(struct stats *s, unsigned kind, struct str name, const char *why)
{
	log_warn("counters: %s: %s \"%.*s\" is counted in \"" SHARED_NAME "\"", why,
		 s->view.kind[kind].name, STR_ARG(name));
	atomic_fetch_add(&rows(&s->view)[kind].shared, 1);
	return 0;
}

unsigned stats_slot(struct stats *s, unsigned kind, struct str name)
{
	const struct stats_view *v = &s->view;
	MUST(kind < v->n_kinds);
	name.n = MIN(name.n, STATS_NAME_SIZE - 1u);
	if (v->kind[kind].single)
		return 0;
	unsigned used = atomic_load(&rows(v)[kind].used);
	for (unsigned i = 1; i < used; i++)
		if (str_eq(str_c(name_at(v, kind, i)), name))
			return i;
	if (used == v->kind[kind].slots)
		return share(s, kind, name, "no slot is left");
	if (!touch_slot(v, kind, used))
		return share(s, kind, name, "no memory");
	str_copy(name_at(v, kind, used), STATS_NAME_SIZE, name);
	atomic_store_explicit(&rows(v)[kind].used, used + 1, memory_order_release);
	return used;
}
