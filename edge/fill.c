// SPDX-License-Identifier: MIT
/*
 * Space comes in extents: the first holds key, Vary data and head without a break; further ones double in size
 * while the length is not known. Unused pages of the last extent are given back when the object is sealed. The
 * extents are published to readers by `state` and `filled`, which are stored after them with release order.
 */
#include "fill.h"

#define FIRST_PAGES 4u

static uint32_t pages_for(uint64_t bytes)
{
	return (uint32_t)((bytes + STORE_PAGE - 1) / STORE_PAGE);
}

static uint64_t capacity(const struct object *o)
{
	uint64_t pages = 0;
	for (unsigned i = 0; i < o->extents; i++)
		pages += o->extent[i].count;
	return pages * STORE_PAGE;
}

static uint64_t meta_size(const struct object *o)
{
	return (uint64_t)o->key_len + o->vary_len + o->head_len;
}

static bool get_pages(struct index *ix, uint32_t want, struct extent *e)
{
	if (store_pages_free(index_store(ix)) < want && !index_evict(ix, want) &&
	    store_pages_free(index_store(ix)) == 0)
		return false;
	return store_pages_get(index_store(ix), want, e);
}

/* One more extent of about want pages. */
static bool add_extent(struct index *ix, struct object *o, uint32_t want)
{
	struct extent e;
	if (o->extents == STORE_EXTENTS || !get_pages(ix, want, &e))
		return false;
	o->extent[o->extents] = e;
	o->extents++;
	return true;
}

static void drop_extents(struct index *ix, struct object *o)
{
	while (o->extents > 0)
		store_pages_put(index_store(ix),
				o->extent[--o->extents]); /* it has no readers yet */
}

static bool reserve(struct index *ix, struct object *o, uint64_t length)
{
	uint64_t bytes = meta_size(o) + (length == OBJECT_LENGTH_UNKNOWN ? 0 : length);
	uint32_t want = MAX(pages_for(bytes), length == OBJECT_LENGTH_UNKNOWN ? FIRST_PAGES : 1u);
	if (want > index_store(ix)->pages.total / 2)
		return false;
	while (capacity(o) < bytes) {
		uint32_t rest = MAX(pages_for(bytes - capacity(o)), 1u);
		if (!add_extent(ix, o, o->extents ? rest : want))
			return false;
		if ((uint64_t)o->extent[0].count * STORE_PAGE < meta_size(o))
			return false;
	}
	return true;
}

static void set_state(struct object *o, enum object_state s)
{
	atomic_store_explicit(&o->state, (uint8_t)s, memory_order_release);
}

static void undo(struct index *ix, struct object *o)
{
	drop_extents(ix, o);
	if (o->record != STORE_NO_RECORD)
		store_record_put(index_store(ix), o->record);
	o->record = STORE_NO_RECORD;
	o->vary_len = 0;
	o->head_len = 0;
}

static uint32_t get_record(struct index *ix)
{
	uint32_t r = store_record_get(index_store(ix));
	if (r != STORE_NO_RECORD)
		return r;
	/* All records taken by small objects: evicting frees them with their pages. */
	uint32_t free_now = store_pages_free(index_store(ix));
	if (index_evict(ix, free_now + 1))
		r = store_record_get(index_store(ix));
	return r;
}

bool fill_begin(struct index *ix, struct object *o, const struct fill_head *h)
{
	MUST(object_state(o) == OBJECT_BUSY);
	if (h->vary.n > UINT16_MAX || h->head.n > UINT32_MAX)
		return false;
	o->vary_len = (uint16_t)h->vary.n;
	o->head_len = (uint32_t)h->head.n;
	o->status = h->status;
	o->record = get_record(ix);
	if (o->record == STORE_NO_RECORD || !reserve(ix, o, h->length)) {
		undo(ix, o);
		return false;
	}
	char *p = store_page(index_store(ix), o->extent[0].page);
	memcpy(p, o->key, o->key_len);
	if (h->vary.n)
		memcpy(p + o->key_len, h->vary.p, h->vary.n);
	memcpy(p + o->key_len + h->vary.n, h->head.p, h->head.n);
	atomic_store(&o->length, h->length);
	index_lock(ix, o);
	o->fresh = h->fresh;
	set_state(o, OBJECT_STREAMING);
	index_link(ix, o);
	index_wake(ix, o);
	index_unlock(ix, o);
	return true;
}

char *fill_space(struct index *ix, struct object *o, size_t *room)
{
	uint64_t at = meta_size(o) + atomic_load_explicit(&o->filled, memory_order_relaxed);
	if (at == capacity(o)) {
		uint32_t last = o->extent[o->extents - 1].count;
		uint32_t most = MAX(index_store(ix)->pages.total / 8, 1u);
		if (!add_extent(ix, o, MIN(MAX(last * 2, FIRST_PAGES), most)))
			return NULL;
	}
	return store_byte(index_store(ix), o->extent, o->extents, at, room);
}

void fill_added(struct index *ix, struct object *o, size_t n)
{
	uint64_t filled = atomic_load_explicit(&o->filled, memory_order_relaxed) + n;
	MUST(meta_size(o) + filled <= capacity(o));
	atomic_store_explicit(&o->filled, filled, memory_order_release);
	index_lock(ix, o);
	index_wake(ix, o);
	index_unlock(ix, o);
}

/* Frees the pages after the last byte. Readers never look beyond `filled`. */
static void trim(struct index *ix, struct object *o)
{
	uint64_t spare = (capacity(o) - meta_size(o) - atomic_load(&o->filled)) / STORE_PAGE;
	struct extent *last = &o->extent[o->extents - 1];
	uint32_t give = (uint32_t)MIN(spare, (uint64_t)last->count - 1);
	if (give == 0)
		return;
	__atomic_store_n(&last->count, last->count - give, __ATOMIC_RELAXED);
	store_pages_put(index_store(ix),
			(struct extent){.page = last->page + last->count, .count = give});
}

/* With the lock held. */
static void write_record(struct index *ix, const struct object *o)
{
	MUST(index_locked(ix, o) && o->linked);
	struct store_record *r = store_at(index_store(ix), o->record);
	store_uncommit(index_store(ix), o->record);
	*r = (struct store_record){.hash = o->hash,
				   .received_us = o->fresh.received_us,
				   .body_len = atomic_load(&o->filled),
				   .age_s = o->fresh.age_s,
				   .lifetime_s = o->fresh.lifetime_s,
				   .grace_s = o->fresh.grace_s,
				   .keep_s = o->fresh.keep_s,
				   .head_len = o->head_len,
				   .key_len = o->key_len,
				   .vary_len = o->vary_len,
				   .status = o->status,
				   .flags = o->fresh.flags,
				   .extents = o->extents};
	memcpy(r->extent, o->extent, sizeof(r->extent[0]) * o->extents);
	store_commit(index_store(ix), o->record);
}

void fill_seal(struct index *ix, struct object *o)
{
	trim(ix, o);
	atomic_store(&o->length, atomic_load(&o->filled));
	index_lock(ix, o);
	if (o->linked)
		write_record(ix, o);
	set_state(o, OBJECT_SEALED);
	index_wake(ix, o);
	index_unlock(ix, o);
}

void fill_fail(struct index *ix, struct object *o, uint16_t status)
{
	index_lock(ix, o);
	o->fail_status = status;
	set_state(o, OBJECT_FAILED);
	index_unlink(ix, o);
	index_wake(ix, o);
	index_unlock(ix, o);
}

void fill_overflow(struct index *ix, struct object *o)
{
	index_lock(ix, o);
	set_state(o, OBJECT_OVERFLOWED);
	index_unlink(ix, o);
	index_wake(ix, o);
	index_unlock(ix, o);
}

void fill_hit_for_miss(struct index *ix, struct object *o, int64_t now_us, uint32_t lifetime_s)
{
	index_lock(ix, o);
	o->fresh = (struct freshness){.received_us = now_us, .lifetime_s = lifetime_s};
	set_state(o, OBJECT_HIT_FOR_MISS);
	if (o->linked)
		index_link(ix, o); /* supersedes the key's older objects */
	index_wake(ix, o);
	index_unlock(ix, o);
}

void fill_refresh(struct index *ix, struct object *o, const struct freshness *f)
{
	index_lock(ix, o);
	o->fresh = *f;
	if (o->linked && object_state(o) == OBJECT_SEALED)
		write_record(ix, o);
	atomic_store(&o->refreshing, false);
	index_wake(ix, o);
	index_unlock(ix, o);
}

void fill_unchanged(struct index *ix, struct object *o)
{
	MUST(object_state(o) == OBJECT_BUSY);
	index_lock(ix, o);
	set_state(o, OBJECT_UNCHANGED);
	index_wake(ix, o);
	index_unlock(ix, o);
}

void fill_drop(struct index *ix, struct object *o)
{
	index_lock(ix, o);
	index_unlink(ix, o);
	index_unlock(ix, o);
	fill_wake(ix, o);
}

void fill_wake(struct index *ix, struct object *o)
{
	index_lock(ix, o);
	atomic_store(&o->refreshing, false);
	index_wake(ix, o);
	index_unlock(ix, o);
}
