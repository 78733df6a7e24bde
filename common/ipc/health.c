// SPDX-License-Identifier: MIT
#include "ipc/health.h"

#include <string.h>

#define WORDS	   (sizeof(struct health_record) / sizeof(uint64_t))
#define RECORDS_AT 128

struct directory {
	uint32_t count;
	uint32_t record_size;
};

static struct directory *directory_of(const struct shmem *s)
{
	return (void *)((char *)s->mem + sizeof(struct shmem_header));
}

static _Atomic uint64_t *record_at(const struct shmem *s, unsigned index)
{
	return (_Atomic uint64_t *)(void *)((char *)s->mem + RECORDS_AT) + (size_t)index * WORDS;
}

const char *health_state_text(unsigned state)
{
	static const char *const names[] = {"unknown", "up", "down"};
	return state < ARRAY_LEN(names) ? names[state] : "?";
}

const char *health_result_text(unsigned result)
{
	static const char *const names[] = {
#define X(name) #name,
		HEALTH_RESULTS(X)
#undef X
	};
	return result < ARRAY_LEN(names) ? names[result] : "?";
}

int health_create(struct health_table *t, const char *path, unsigned count, struct err *e)
{
	*t = (struct health_table){.count = count};
	MUST(count <= HEALTH_MAX);
	size_t size = RECORDS_AT + count * sizeof(struct health_record);
	if (shmem_create(&t->shmem, path, HEALTH_MAGIC, HEALTH_LAYOUT, size, e) < 0)
		return -1;
	*directory_of(&t->shmem) = (struct directory){.count = count,
						      .record_size = sizeof(struct health_record)};
	return shmem_publish(&t->shmem, path, e);
}

void health_put(struct health_table *t, unsigned index, const struct health_record *r)
{
	uint64_t words[WORDS];
	MUST(index < t->count);
	if (!t->shmem.mem)
		return;
	memcpy(words, r, sizeof(words));
	shmem_record_write(record_at(&t->shmem, index), words, WORDS);
}

void health_fini(struct health_table *t)
{
	shmem_detach(&t->shmem);
}

int health_open(struct health_view *v, const char *path, struct err *e)
{
	*v = (struct health_view){0};
	if (shmem_attach(&v->shmem, path, HEALTH_MAGIC, HEALTH_LAYOUT, RECORDS_AT, e) < 0)
		return -1;
	const struct directory p = *directory_of(&v->shmem); /* a copy: the writer may change it */
	if (p.record_size != sizeof(struct health_record) || p.count > HEALTH_MAX ||
	    RECORDS_AT + p.count * sizeof(struct health_record) > v->shmem.size) {
		health_close(v);
		return err_set(e, "%s: its records do not fit", path);
	}
	v->count = p.count;
	return 0;
}

void health_refresh(struct health_view *v, const char *path)
{
	struct health_view fresh;
	if (!shmem_stale(&v->shmem, path) || health_open(&fresh, path, NULL) < 0)
		return;
	health_close(v);
	*v = fresh;
}

void health_close(struct health_view *v)
{
	shmem_detach(&v->shmem);
	v->count = 0;
}

bool health_get(const struct health_view *v, unsigned index, struct health_record *r)
{
	uint64_t words[WORDS];
	if (index >= v->count || !shmem_record_read(record_at(&v->shmem, index), words, WORDS))
		return false;
	memcpy(r, words, sizeof(*r));
	r->name[sizeof(r->name) - 1] = r->reason[sizeof(r->reason) - 1] = '\0';
	return true;
}

bool health_find(const struct health_view *v, const char *name, struct health_record *r)
{
	for (unsigned i = 0; i < v->count; i++)
		if (health_get(v, i, r) && strcmp(r->name, name) == 0)
			return true;
	return false;
}

bool health_stale(const struct health_view *v, int64_t now_us)
{
	return !v->shmem.mem || shmem_age_us(&v->shmem, now_us) > HEALTH_STALE_US;
}
