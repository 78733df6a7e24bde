// SPDX-License-Identifier: MIT
/*
 * A shard is a table of chains that doubles when it fills. Objects of one key, its variants, are neighbours in a
 * chain, the newest first. The index's own reference to an object that is unlinked under a lock is collected in the
 * shard's `dropped` list and released after the unlock, since freeing takes the store's lock and time.
 */
#include "index.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/clock.h"
#include "base/mutex.h"

#define SHARDS	     16u
#define FIRST_SIZE   64u
#define VARIANTS_MAX 8u

#define INDEX_MAGIC 0x494e4458u

struct index_shard {
	struct mutex lock;
	struct object **table;
	uint32_t size, count; /* size: a power of two */
	uint32_t epoch;	      /* counts purges */
	struct sieve sieve;
	struct object *dropped; /* linked by next; each holds the index's reference */
	uint64_t evicted, expired, purged;
} __attribute__((aligned(CACHE_LINE)));

struct index {
	uint32_t magic;
	struct store *store;
	_Atomic unsigned next_victim; /* shard that eviction tries next */
	struct index_shard shards[SHARDS];
};

static struct index_shard *shard_of(struct index *ix, uint64_t hash)
{
	return &ix->shards[hash % SHARDS];
}

static struct object **bucket_of(struct index_shard *sh, uint64_t hash)
{
	return &sh->table[hash / SHARDS & (sh->size - 1)];
}

struct store *index_store(struct index *ix)
{
	return ix->store;
}

uint64_t index_hash(const struct index *ix, struct str key)
{
	return XXH3_64bits_withSeed(key.p, key.n, ix->store->seed);
}

/* Unlocks, then releases the objects dropped meanwhile. */
static void unlock(struct index *ix, struct index_shard *sh)
{
	struct object *o = sh->dropped;
	sh->dropped = NULL;
	mutex_unlock(&sh->lock);
	while (o) {
		struct object *next = o->next;
		o->next = NULL;
		object_unref(ix->store, o);
		o = next;
	}
}

void index_lock(struct index *ix, const struct object *o)
{
	mutex_lock(&shard_of(ix, o->hash)->lock);
}

void index_unlock(struct index *ix, const struct object *o)
{
	unlock(ix, shard_of(ix, o->hash));
}

bool index_locked(struct index *ix, const struct object *o)
{
	return mutex_held(&shard_of(ix, o->hash)->lock);
}

/* ---- linking */

static void grow(struct index_shard *sh)
{
	uint32_t size = sh->size * 2;
	struct object **old = sh->table, **table = calloc(size, sizeof(*table));
	if (!table)
		return; /* the chains get longer */
	uint32_t old_size = sh->size;
	sh->table = table;
	sh->size = size;
	for (uint32_t i = 0; i < old_size; i++) {
		struct object **tail[2] = {NULL, NULL}, *o = old[i], *next;
		for (; o; o = next) {
			next = o->next;
			o->next = NULL;
			struct object ***t = &tail[(o->hash / SHARDS & old_size) != 0];
			if (!*t)
				*t = bucket_of(sh, o->hash);
			**t = o;
			*t = &o->next;
		}
	}
	free(old);
}

static void unlink_at(struct index_shard *sh, struct object **at)
{
	struct object *o = *at;
	MUST(mutex_held(&sh->lock));
	*at = o->next;
	o->linked = false;
	sieve_remove(&sh->sieve, &o->sieve);
	sh->count--;
	o->next = sh->dropped;
	sh->dropped = o;
}

static bool same_key(const struct object *o, uint64_t hash, struct str key)
{
	return o->hash == hash && str_eq(object_key(o), key);
}

/* Does o match exactly the requests that other matches? */
static bool supersedes(const struct index *ix, const struct object *o, const struct object *other)
{
	if (!object_has_head(other))
		return object_state(other) == OBJECT_HIT_FOR_MISS;
	return object_has_head(o) &&
	       str_eq(object_vary(ix->store, o), object_vary(ix->store, other));
}

/* Removes older objects of the key that o supersedes, and the oldest variants above the limit. */
static void remove_superseded(struct index *ix, struct index_shard *sh, struct object *o)
{
	unsigned variants = 0;
	for (struct object **at = bucket_of(sh, o->hash); *at;) {
		struct object *other = *at;
		if (other != o && same_key(other, o->hash, object_key(o)) &&
		    object_state(other) != OBJECT_BUSY &&
		    (supersedes(ix, o, other) || ++variants >= VARIANTS_MAX))
			unlink_at(sh, at);
		else
			at = &other->next;
	}
}

void index_link(struct index *ix, struct object *o)
{
	struct index_shard *sh = shard_of(ix, o->hash);
	MUST(mutex_held(&sh->lock));
	if (!o->linked && o->epoch != sh->epoch)
		return;
	if (object_state(o) != OBJECT_BUSY)
		remove_superseded(ix, sh, o);
	if (o->linked)
		return;
	if (sh->count >= sh->size)
		grow(sh);
	struct object **at = bucket_of(sh, o->hash);
	o->next = *at;
	*at = object_ref(o);
	o->linked = true;
	sh->count++;
	sieve_insert(&sh->sieve, &o->sieve);
}

void index_unlink(struct index *ix, struct object *o)
{
	struct index_shard *sh = shard_of(ix, o->hash);
	MUST(mutex_held(&sh->lock));
	if (!o->linked)
		return;
	struct object **at = bucket_of(sh, o->hash);
	while (*at != o)
		at = &(*at)->next;
	unlink_at(sh, at);
}

struct object *index_new_object(struct index *ix, uint64_t hash, struct str key)
{
	struct index_shard *sh = shard_of(ix, hash);
	struct object *o = object_new(hash, key);
	if (!o)
		return NULL;
	mutex_lock(&sh->lock);
	o->epoch = sh->epoch;
	unlock(ix, sh);
	return o;
}

/* ---- looking up */

/* Lifetime, grace and keep are over. */
static bool past_retention(const struct object *o, int64_t now_us)
{
	const struct freshness *f = &o->fresh;
	enum object_state s = object_state(o);
	if (s == OBJECT_FAILED || s == OBJECT_OVERFLOWED)
		return true;
	if (s != OBJECT_SEALED && s != OBJECT_HIT_FOR_MISS)
		return false;
	int64_t age_s = f->age_s + (now_us - f->received_us) / CLOCK_SECOND;
	int64_t use_s = (int64_t)f->lifetime_s + MAX(f->grace_s, f->keep_s);
	return age_s > use_s;
}

static struct object *found(struct object *o, struct object **to, struct freshness *f)
{
	sieve_visit(&o->sieve);
	*to = object_ref(o);
	*f = o->fresh;
	return o;
}

enum index_result index_lookup(struct index *ix, uint64_t hash, struct str key, index_match *match,
			       const void *arg, int64_t now_us, struct object **to,
			       struct freshness *f)
{
	struct index_shard *sh = shard_of(ix, hash);
	struct object *busy = NULL, *hit_for_miss = NULL;
	enum index_result result = INDEX_FULL;
	mutex_lock(&sh->lock);
	for (struct object **at = bucket_of(sh, hash); *at;) {
		struct object *o = *at;
		if (!same_key(o, hash, key)) {
			at = &o->next;
		} else if (past_retention(o, now_us)) {
			sh->expired++;
			unlink_at(sh, at);
		} else {
			if (object_has_head(o) && match(object_vary(ix->store, o), arg)) {
				found(o, to, f);
				unlock(ix, sh);
				return INDEX_FOUND;
			}
			if (object_state(o) == OBJECT_BUSY)
				busy = o;
			else if (object_state(o) == OBJECT_HIT_FOR_MISS)
				hit_for_miss = o;
			at = &o->next;
		}
	}
	if (hit_for_miss) {
		found(hit_for_miss, to, f);
		result = INDEX_FOUND;
	} else if (busy) {
		*to = object_ref(busy);
		result = INDEX_BUSY;
	} else if ((*to = object_new(hash, key))) {
		(*to)->epoch = sh->epoch;
		index_link(ix, *to);
		result = INDEX_NEW;
	}
	unlock(ix, sh);
	return result;
}

struct freshness index_freshness(struct index *ix, const struct object *o)
{
	index_lock(ix, o);
	struct freshness f = o->fresh;
	index_unlock(ix, o);
	return f;
}

bool index_holds(struct index *ix, const struct object *o)
{
	index_lock(ix, o);
	bool linked = o->linked;
	index_unlock(ix, o);
	return linked;
}

/* ---- purging */

static bool purge_one(struct index_shard *sh, struct object **at, bool soft)
{
	struct object *o = *at;
	enum object_state s = object_state(o);
	sh->purged += s == OBJECT_SEALED || s == OBJECT_STREAMING;
	if (soft && s == OBJECT_SEALED) {
		o->fresh.lifetime_s = 0;
		return false;
	}
	/* One that is being fetched was requested before the purge: it is delivered to the waiting requests, not kept. */
	unlink_at(sh, at);
	return true;
}

unsigned index_purge(struct index *ix, uint64_t hash, struct str key, bool soft)
{
	struct index_shard *sh = shard_of(ix, hash);
	unsigned n = 0;
	mutex_lock(&sh->lock);
	sh->epoch++;
	for (struct object **at = bucket_of(sh, hash); *at;) {
		if (!same_key(*at, hash, key)) {
			at = &(*at)->next;
			continue;
		}
		n += object_has_head(*at);
		if (!purge_one(sh, at, soft))
			at = &(*at)->next;
	}
	unlock(ix, sh);
	return n;
}

static unsigned purge_shard(struct index *ix, struct index_shard *sh, struct str prefix, bool soft)
{
	unsigned n = 0;
	mutex_lock(&sh->lock);
	sh->epoch++;
	for (uint32_t i = 0; i < sh->size; i++) {
		for (struct object **at = &sh->table[i]; *at;) {
			if (!str_starts(object_key(*at), prefix)) {
				at = &(*at)->next;
				continue;
			}
			n += object_has_head(*at);
			if (!purge_one(sh, at, soft))
				at = &(*at)->next;
		}
	}
	unlock(ix, sh);
	return n;
}

unsigned index_purge_prefix(struct index *ix, struct str prefix, bool soft)
{
	unsigned n = 0;
	for (unsigned i = 0; i < SHARDS; i++)
		n += purge_shard(ix, &ix->shards[i], prefix, soft);
	return n;
}

/* ---- eviction */

/* In use beyond the index, or still being made. */
static bool pinned(const struct sieve_node *n)
{
	const struct object *o = container_of_const(n, struct object, sieve);
	MAGIC_CHECK(o, OBJECT_MAGIC);
	enum object_state s = object_state(o);
	return s == OBJECT_BUSY || s == OBJECT_STREAMING ||
	       atomic_load_explicit(&o->refs, memory_order_relaxed) > 1;
}

static bool evict_one(struct index *ix, struct index_shard *sh)
{
	mutex_lock(&sh->lock);
	struct sieve_node *n = sieve_victim(&sh->sieve, pinned);
	if (n) {
		index_unlink(ix, container_of(n, struct object, sieve));
		sh->evicted++;
	}
	unlock(ix, sh);
	return n;
}

bool index_evict(struct index *ix, uint32_t want)
{
	unsigned misses = 0;
	while (store_pages_free(ix->store) < want) {
		unsigned i = atomic_fetch_add_explicit(&ix->next_victim, 1, memory_order_relaxed);
		misses = evict_one(ix, &ix->shards[i % SHARDS]) ? 0 : misses + 1;
		if (misses == SHARDS)
			return false;
	}
	return true;
}

/* ---- waiting */

void index_subscribe(struct index *ix, struct waiter *w, struct object *o)
{
	MUST(!w->object && w->ticket);
	MAGIC_SET(w, WAITER_MAGIC);
	w->object = object_ref(o);
	index_lock(ix, o);
	w->next = o->waiters;
	o->waiters = w;
	index_unlock(ix, o);
}

void index_unsubscribe(struct index *ix, struct waiter *w)
{
	struct object *o = w->object;
	if (!o)
		return;
	index_lock(ix, o);
	struct waiter **at = &o->waiters;
	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	index_unlock(ix, o);
	MAGIC_WIPE(w, WAITER_MAGIC);
	w->object = NULL;
	object_unref(ix->store, o);
}

void index_wake(struct index *ix, struct object *o)
{
	MUST(index_locked(ix, o));
	for (struct waiter *w = o->waiters; w; w = w->next) {
		MAGIC_CHECK(w, WAITER_MAGIC);
		ticket_wake(w->ticket);
	}
}

/* ---- beginning and end */

static bool restore_record(void *arg, uint32_t record)
{
	struct index *ix = arg;
	const struct store_record *r = store_at(ix->store, record);
	struct str key = str_of(store_page(ix->store, r->extent[0].page), r->key_len);
	uint64_t meta = (uint64_t)r->key_len + r->vary_len + r->head_len;
	if (meta > (uint64_t)r->extent[0].count * STORE_PAGE || index_hash(ix, key) != r->hash)
		return false;
	struct object *o = object_new(r->hash, key);
	if (!o)
		return false;
	o->record = record;
	o->extents = r->extents;
	memcpy(o->extent, r->extent, sizeof(o->extent));
	o->vary_len = r->vary_len;
	o->head_len = r->head_len;
	o->status = r->status;
	o->fresh = (struct freshness){.received_us = r->received_us,
				      .age_s = r->age_s,
				      .lifetime_s = r->lifetime_s,
				      .grace_s = r->grace_s,
				      .keep_s = r->keep_s,
				      .flags = r->flags};
	atomic_store(&o->filled, r->body_len);
	atomic_store(&o->length, r->body_len);
	atomic_store(&o->state, OBJECT_SEALED);
	struct index_shard *sh = shard_of(ix, o->hash);
	mutex_lock(&sh->lock);
	index_link(ix, o);
	unlock(ix, sh);
	object_unref(ix->store, o);
	return true;
}

struct index *index_new(struct store *s)
{
	struct index *ix = def_xcalloc_lines(sizeof(*ix));
	MAGIC_SET(ix, INDEX_MAGIC);
	ix->store = s;
	for (unsigned i = 0; i < SHARDS; i++) {
		ix->shards[i].size = FIRST_SIZE;
		ix->shards[i].table = def_xcalloc(FIRST_SIZE, sizeof(struct object *));
		mutex_init(&ix->shards[i].lock);
	}
	store_scan(s, restore_record, ix);
	return ix;
}

/* Objects are freed without object_unref(): their records stay committed, so that the store outlives the index. */
void index_free(struct index *ix)
{
	for (unsigned i = 0; i < SHARDS; i++) {
		struct index_shard *sh = &ix->shards[i];
		for (uint32_t b = 0; b < sh->size; b++) {
			while (sh->table[b]) {
				struct object *o = sh->table[b];
				sh->table[b] = o->next;
				MAGIC_WIPE(o, OBJECT_MAGIC);
				free(o);
			}
		}
		free(sh->table);
		mutex_fini(&sh->lock);
	}
	MAGIC_WIPE(ix, INDEX_MAGIC);
	free(ix);
}

void index_get_stats(struct index *ix, struct index_stats *st)
{
	*st = (struct index_stats){.pages = ix->store->pages.total,
				   .pages_free = store_pages_free(ix->store)};
	for (unsigned i = 0; i < SHARDS; i++) {
		struct index_shard *sh = &ix->shards[i];
		mutex_lock(&sh->lock);
		st->objects += sh->count;
		st->evicted += sh->evicted;
		st->expired += sh->expired;
		st->purged += sh->purged;
		unlock(ix, sh);
	}
}

/* ---- invariants */

static void check_waiters(const struct object *o)
{
	for (const struct waiter *w = o->waiters; w; w = w->next) {
		MAGIC_CHECK(w, WAITER_MAGIC);
		MUST(w->object == o && w->ticket);
	}
}

/* An object that is being filled is checked by its worker. */
static void check_linked(const struct index *ix, const struct index_shard *sh,
			 const struct object *o)
{
	MAGIC_CHECK(o, OBJECT_MAGIC);
	MUST(o->linked && o->sieve.queued && atomic_load(&o->refs) > 0);
	MUST((int32_t)(sh->epoch - o->epoch) >= 0);
	check_waiters(o);
	switch (object_state(o)) {
	case OBJECT_SEALED:
		object_check(o, ix->store);
		MUST(store_at(ix->store, o->record)->commit);
		MUST(store_at(ix->store, o->record)->hash == o->hash);
		break;
	case OBJECT_BUSY:
	case OBJECT_STREAMING:
	case OBJECT_HIT_FOR_MISS:
		break;
	case OBJECT_FAILED:
	case OBJECT_OVERFLOWED:
	case OBJECT_UNCHANGED:
		WRONG("linked in a state that no lookup may find");
	}
}

static unsigned check_shard(struct index *ix, struct index_shard *sh)
{
	unsigned n = 0;
	mutex_lock(&sh->lock);
	MUST(sh->size >= FIRST_SIZE && (sh->size & (sh->size - 1)) == 0 && !sh->dropped);
	for (uint32_t i = 0; i < sh->size; i++)
		for (const struct object *o = sh->table[i]; o; o = o->next, n++) {
			MUST(n < sh->count && shard_of(ix, o->hash) == sh);
			MUST(bucket_of(sh, o->hash) == &sh->table[i]);
			check_linked(ix, sh, o);
		}
	MUST(n == sh->count && sh->sieve.count == n);
	n += sieve_check(&sh->sieve);
	unlock(ix, sh);
	return n + 1;
}

unsigned index_check(struct index *ix)
{
	unsigned n = 0;
	MAGIC_CHECK(ix, INDEX_MAGIC);
	for (unsigned i = 0; i < SHARDS; i++)
		n += check_shard(ix, &ix->shards[i]);
	return n + store_check(ix->store);
}

void index_each(struct index *ix, void (*one)(const struct object *o, void *arg), void *arg)
{
	MAGIC_CHECK(ix, INDEX_MAGIC);
	for (unsigned i = 0; i < SHARDS; i++) {
		struct index_shard *sh = &ix->shards[i];
		mutex_lock(&sh->lock);
		for (uint32_t b = 0; b < sh->size; b++)
			for (const struct object *o = sh->table[b]; o; o = o->next)
				one(o, arg);
		unlock(ix, sh);
	}
}
