// SPDX-License-Identifier: MIT
/*
 * Layout: shmem header, directory, names, blocks. All places are computed from the directory's numbers, and a
 * reader checks a copy of them against the mapping before it follows any.
 */
#include "ipc/stats.h"

#include <string.h>

struct directory {
	uint32_t count, blocks;
	uint32_t stride;   /* cells of a block, a multiple of a cache line */
	uint32_t cells_at; /* byte offset of the first block */
	uint64_t reserved[6];
};
_Static_assert(sizeof(struct directory) == 64, "fixed layout");

#define NAMES_AT (sizeof(struct shmem_header) + sizeof(struct directory))

static size_t line_up(size_t n)
{
	return (n + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
}

static int count_unseen(struct stats *s, size_t cells_size)
{
	s->heap = aligned_alloc(CACHE_LINE, cells_size);
	MUST(s->heap);
	memset(s->heap, 0, cells_size);
	s->cells = s->heap;
	return -1;
}

int stats_create(struct stats *s, const char *path, const struct stats_name *names, unsigned count,
		 unsigned blocks, struct err *e)
{
	size_t stride = line_up(count * sizeof(stats_cell)) / sizeof(stats_cell);
	size_t cells_at = line_up(NAMES_AT + count * sizeof(*names));
	size_t cells_size = blocks * stride * sizeof(stats_cell);
	*s = (struct stats){.count = count, .blocks = blocks, .stride = (unsigned)stride};
	if (shmem_create(&s->shmem, path, STATS_MAGIC, STATS_LAYOUT, cells_at + cells_size, e) < 0)
		return count_unseen(s, cells_size);
	char *mem = s->shmem.mem;
	struct directory d = {.count = count,
			      .blocks = blocks,
			      .stride = (uint32_t)stride,
			      .cells_at = (uint32_t)cells_at};
	memcpy(mem + sizeof(struct shmem_header), &d, sizeof(d));
	memcpy(mem + NAMES_AT, names, count * sizeof(*names));
	if (shmem_publish(&s->shmem, path, e) < 0)
		return count_unseen(s, cells_size);
	s->cells = (stats_cell *)(void *)(mem + cells_at);
	return 0;
}

void stats_fini(struct stats *s)
{
	shmem_detach(&s->shmem);
	free(s->heap);
	*s = (struct stats){0};
}

static uint64_t sum_cells(const stats_cell *cells, unsigned blocks, unsigned stride, unsigned index)
{
	uint64_t sum = 0;
	for (unsigned b = 0; b < blocks; b++)
		sum += stats_get(&cells[(size_t)b * stride + index]);
	return sum;
}

uint64_t stats_sum(const struct stats *s, unsigned index)
{
	MUST(index < s->count);
	return sum_cells(s->cells, s->blocks, s->stride, index);
}

int stats_view_open(struct stats_view *v, const char *path, struct err *e)
{
	*v = (struct stats_view){0};
	if (shmem_attach(&v->shmem, path, STATS_MAGIC, STATS_LAYOUT, NAMES_AT, e) < 0)
		return -1;
	struct directory d;
	memcpy(&d, (const char *)v->shmem.mem + sizeof(struct shmem_header), sizeof(d));
	uint64_t names_end = NAMES_AT + (uint64_t)d.count * sizeof(struct stats_name);
	uint64_t cells_end = d.cells_at + (uint64_t)d.blocks * d.stride * sizeof(stats_cell);
	if (d.blocks > 4096 || d.stride > 4096 || d.count > d.stride || d.cells_at % CACHE_LINE ||
	    names_end > d.cells_at || cells_end > v->shmem.size) {
		stats_view_close(v);
		return err_set(e, "%s: its directory does not fit", path);
	}
	v->count = d.count;
	v->blocks = d.blocks;
	v->stride = d.stride;
	v->cells = (const void *)((const char *)v->shmem.mem + d.cells_at);
	return 0;
}

void stats_view_close(struct stats_view *v)
{
	shmem_detach(&v->shmem);
	*v = (struct stats_view){0};
}

struct stats_name stats_view_name(const struct stats_view *v, unsigned index)
{
	struct stats_name n;
	MUST(index < v->count);
	memcpy(&n, (const char *)v->shmem.mem + NAMES_AT + index * sizeof(n), sizeof(n));
	n.name[sizeof(n.name) - 1] = '\0';
	return n;
}

uint64_t stats_view_sum(const struct stats_view *v, unsigned index)
{
	MUST(index < v->count);
	return sum_cells(v->cells, v->blocks, v->stride, index);
}

bool stats_view_get(const struct stats_view *v, const char *name, uint64_t *value)
{
	for (unsigned i = 0; i < v->count; i++) {
		if (strcmp(stats_view_name(v, i).name, name) == 0) {
			*value = stats_view_sum(v, i);
			return true;
		}
	}
	return false;
}
