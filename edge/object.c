// SPDX-License-Identifier: MIT
#include "object.h"

struct object *object_new(uint64_t hash, struct str key)
{
	struct object *o = calloc(1, sizeof(*o) + key.n);
	if (!o)
		return NULL;
	MAGIC_SET(o, OBJECT_MAGIC);
	o->hash = hash;
	o->record = STORE_NO_RECORD;
	o->key_len = (uint16_t)key.n;
	memcpy(o->key, key.p, key.n);
	atomic_init(&o->refs, 1);
	atomic_init(&o->length, OBJECT_LENGTH_UNKNOWN);
	return o;
}

void object_unref(struct store *s, struct object *o)
{
	if (!o)
		return;
	MAGIC_CHECK(o, OBJECT_MAGIC);
	if (atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) != 1)
		return;
	MUST(!o->linked && !o->waiters);
	if (o->record != STORE_NO_RECORD) {
		store_uncommit(s, o->record);
		store_record_put(s, o->record);
	}
	for (unsigned i = 0; i < o->extents; i++)
		store_pages_put(s, o->extent[i]);
	MAGIC_WIPE(o, OBJECT_MAGIC);
	free(o);
}

static const char *meta(const struct store *s, const struct object *o)
{
	MAGIC_CHECK(o, OBJECT_MAGIC);
	MUST(o->extents > 0);
	return store_page(s, o->extent[0].page);
}

struct str object_vary(const struct store *s, const struct object *o)
{
	return str_of(meta(s, o) + o->key_len, o->vary_len);
}

struct str object_head(const struct store *s, const struct object *o)
{
	return str_of(meta(s, o) + o->key_len + o->vary_len, o->head_len);
}

int object_body(const struct store *s, const struct object *o, uint64_t offset, struct iovec *iov,
		int max, size_t *total)
{
	uint64_t filled = atomic_load_explicit(&o->filled, memory_order_acquire);
	uint64_t start = (uint64_t)o->key_len + o->vary_len + o->head_len;
	int n = 0;
	MAGIC_CHECK(o, OBJECT_MAGIC);
	*total = 0;
	while (offset < filled && n < max) {
		size_t run;
		char *p = store_byte(s, o->extent, o->extents, start + offset, &run);
		size_t take = (size_t)MIN((uint64_t)run, filled - offset);
		iov[n++] = (struct iovec){.iov_base = p, .iov_len = take};
		offset += take;
		*total += take;
	}
	return n;
}

void object_check(const struct object *o, const struct store *s)
{
	MAGIC_CHECK(o, OBJECT_MAGIC);
	uint64_t bytes = 0, length = atomic_load(&o->length), filled = atomic_load(&o->filled);
	MUST(atomic_load(&o->refs) > 0);
	MUST(o->extents <= STORE_EXTENTS && !o->extents == (o->record == STORE_NO_RECORD));
	MUST(o->record == STORE_NO_RECORD || o->record < s->record_count);
	for (unsigned i = 0; i < o->extents; i++) {
		MUST((uint64_t)o->extent[i].page + o->extent[i].count <= s->pages.total);
		MUST(o->extent[i].count > 0);
		bytes += (uint64_t)o->extent[i].count * STORE_PAGE;
	}
	MUST(filled == 0 || (uint64_t)o->key_len + o->vary_len + o->head_len + filled <= bytes);
	MUST(filled <= length);
	switch (object_state(o)) {
	case OBJECT_SEALED:
		MUST(filled == length);
		break;
	case OBJECT_STREAMING:
		break;
	case OBJECT_BUSY:
	case OBJECT_HIT_FOR_MISS:
	case OBJECT_UNCHANGED:
		MUST(!o->extents);
		return;
	case OBJECT_FAILED:
	case OBJECT_OVERFLOWED:
		return;
	}
	MUST(o->extents && (uint64_t)o->extent[0].count * STORE_PAGE >=
				   (uint64_t)o->key_len + o->vary_len + o->head_len);
}
