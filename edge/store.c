// SPDX-License-Identifier: MIT
#include "store.h"

#include <fcntl.h>
#include <sanitizer/asan_interface.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/rnd.h"

#define MAGIC	       UINT64_C(0x4750656467650002) /* "GPedge", layout 2 */
#define PAGES_A_RECORD 2u /* one record for so many pages: 8 KiB a mean object */

struct superblock {
	uint64_t magic;
	uint64_t size;
	uint64_t seed;
	uint32_t page, record_size, records, pages;
	char boot_id[40];
};
_Static_assert(sizeof(struct superblock) <= STORE_PAGE, "it has one page");

static void read_boot_id(char to[40])
{
	memset(to, 0, 40);
	AUTO_CLOSE int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, to, 36) != 36)
		memset(to, 0, 40);
}

static struct superblock plan(size_t size)
{
	struct superblock b = {.magic = MAGIC,
			       .size = size,
			       .page = STORE_PAGE,
			       .record_size = sizeof(struct store_record)};
	uint64_t room = size / STORE_PAGE - 1;
	uint64_t records_a_page = STORE_PAGE / sizeof(struct store_record);
	/* pages + records/32 <= room, records = pages/2 */
	uint64_t pages = room * (records_a_page * PAGES_A_RECORD) /
			 (records_a_page * PAGES_A_RECORD + 1);
	b.records = (uint32_t)(pages / PAGES_A_RECORD / records_a_page * records_a_page);
	if (b.records == 0)
		b.records = (uint32_t)records_a_page;
	b.pages = (uint32_t)(room - b.records / records_a_page);
	read_boot_id(b.boot_id);
	return b;
}

static bool fits(const struct superblock *found, const struct superblock *wanted)
{
	return found->magic == wanted->magic && found->size == wanted->size &&
	       found->page == wanted->page && found->record_size == wanted->record_size &&
	       found->records == wanted->records && found->pages == wanted->pages &&
	       memcmp(found->boot_id, wanted->boot_id, sizeof(found->boot_id)) == 0;
}

static char *map(int fd, size_t size)
{
	struct stat st;
	if (fstat(fd, &st) < 0 || (uint64_t)st.st_size != size)
		return NULL;
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mem == MAP_FAILED)
		return NULL;
	return mem;
}

static int fresh_fd(size_t size, struct err *why)
{
	int fd = memfd_create("greenpi-cache", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return err_set(why, "memfd_create: %m");
	if (ftruncate(fd, (off_t)size) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0) {
		err_set(why, "cache of %zu bytes: %m", size);
		close(fd);
		return -1;
	}
	return fd;
}

/* To the address sanitizer a free page is freed memory; in other builds these do nothing. */
static void page_area(const struct store *s, struct extent e, bool in_use)
{
	const char *at = store_page(s, e.page);
	size_t n = (size_t)e.count * STORE_PAGE;
	if (in_use)
		ASAN_UNPOISON_MEMORY_REGION(at, n);
	else
		ASAN_POISON_MEMORY_REGION(at, n);
}

/* With the lock held, as claim(). */
static void release(struct store *s, struct extent e)
{
	MUST(mutex_held(&s->lock));
	page_area(s, e, false);
	pages_release(&s->pages, e);
}

static void attach(struct store *s, const struct superblock *b)
{
	s->record_count = b->records;
	s->records = (struct store_record *)(void *)(s->mem + STORE_PAGE);
	s->page_mem = s->mem + STORE_PAGE + (size_t)b->records * sizeof(struct store_record);
	pages_init(&s->pages, b->pages);
	page_area(s, (struct extent){.count = b->pages}, false);
	s->free_records = def_xcalloc(b->records, sizeof(uint32_t));
	mutex_init(&s->lock);
}

static bool adopt(struct store *s, int fd, const struct superblock *wanted, struct err *why)
{
	char *mem = fd >= 0 ? map(fd, s->size) : NULL;
	if (mem && fits((const void *)mem, wanted)) {
		s->fd = fd;
		s->mem = mem;
		s->seed = ((const struct superblock *)(const void *)mem)->seed;
		return true;
	}
	if (fd >= 0) {
		err_set(why, "the kept cache has another size or layout: starting empty");
		if (mem)
			munmap(mem, s->size);
		close(fd);
	}
	return false;
}

int store_open(struct store *s, size_t size, int fd, struct err *why)
{
	size = size / STORE_PAGE * STORE_PAGE;
	MUST(size >= 64 * STORE_PAGE);
	*s = (struct store){.fd = -1, .size = size};
	struct superblock b = plan(size);
	err_set(why, "starting empty");
	if (adopt(s, fd, &b, why)) {
		attach(s, &b);
		s->adopted = true;
		err_set(why, "the cache survived");
		return 0;
	}
	s->fd = fresh_fd(size, why);
	if (s->fd < 0)
		return -1;
	s->mem = map(s->fd, size);
	if (!s->mem) {
		close(s->fd);
		return err_set(why, "mapping the cache: %m");
	}
	s->seed = b.seed = rnd_u64();
	memcpy(s->mem, &b, sizeof(b));
	attach(s, &b);
	return 0;
}

void store_close(struct store *s)
{
	page_area(s, (struct extent){.count = s->pages.total}, true);
	munmap(s->mem, s->size);
	close(s->fd);
	pages_fini(&s->pages);
	free(s->free_records);
	mutex_fini(&s->lock);
}

/* ---- records */

static uint64_t checksum(const struct store *s, const struct store_record *r)
{
	uint64_t sum = XXH3_64bits((const char *)r + sizeof(r->commit),
				   sizeof(*r) - sizeof(r->commit));
	uint64_t meta = (uint64_t)r->key_len + r->vary_len + r->head_len;
	for (uint64_t at = 0; at < meta;) {
		size_t run;
		const char *p = store_byte(s, r->extent, r->extents, at, &run);
		size_t n = (size_t)MIN((uint64_t)run, meta - at);
		sum = XXH3_64bits_withSeed(p, n, sum);
		at += n;
	}
	return sum | 1; /* never 0 */
}

void store_commit(struct store *s, uint32_t i)
{
	struct store_record *r = store_at(s, i);
	uint64_t word = checksum(s, r);
	atomic_thread_fence(memory_order_release);
	__atomic_store_n(&r->commit, word, __ATOMIC_RELEASE);
}

void store_uncommit(struct store *s, uint32_t i)
{
	__atomic_store_n(&store_at(s, i)->commit, 0, __ATOMIC_RELEASE);
}

/* Claims the record's pages; on failure those claimed so far are given back. */
static bool claim(struct store *s, const struct store_record *r)
{
	uint64_t bytes = 0;
	MUST(mutex_held(&s->lock));
	if (r->extents == 0 || r->extents > STORE_EXTENTS)
		return false;
	for (unsigned i = 0; i < r->extents; i++) {
		if (!pages_claim(&s->pages, r->extent[i])) {
			while (i-- > 0)
				release(s, r->extent[i]);
			return false;
		}
		page_area(s, r->extent[i], true);
		bytes += (uint64_t)r->extent[i].count * STORE_PAGE;
	}
	bool whole = r->body_len <= bytes &&
		     (uint64_t)r->key_len + r->vary_len + r->head_len + r->body_len <= bytes;
	if (whole && checksum(s, r) == r->commit)
		return true;
	for (unsigned i = 0; i < r->extents; i++)
		release(s, r->extent[i]);
	return false;
}

void store_scan(struct store *s, bool (*keep)(void *arg, uint32_t record), void *arg)
{
	mutex_lock(&s->lock);
	for (uint32_t i = s->record_count; i-- > 0;) {
		if (!s->adopted) { /* reading a new table would only allocate its memory */
			s->free_records[s->free_count++] = i;
			continue;
		}
		struct store_record *r = store_at(s, i);
		if (r->commit && claim(s, r)) {
			mutex_unlock(&s->lock);
			bool kept = keep(arg, i);
			mutex_lock(&s->lock);
			if (kept)
				continue;
			for (unsigned e = 0; e < r->extents; e++)
				release(s, r->extent[e]);
		}
		if (r->commit)
			store_uncommit(s, i);
		s->free_records[s->free_count++] = i;
	}
	mutex_unlock(&s->lock);
}

uint32_t store_record_get(struct store *s)
{
	uint32_t r = STORE_NO_RECORD;
	mutex_lock(&s->lock);
	if (s->free_count)
		r = s->free_records[--s->free_count];
	mutex_unlock(&s->lock);
	return r;
}

void store_record_put(struct store *s, uint32_t r)
{
	mutex_lock(&s->lock);
	MUST(r < s->record_count && s->free_count < s->record_count);
	s->free_records[s->free_count++] = r;
	mutex_unlock(&s->lock);
}

bool store_pages_get(struct store *s, uint32_t want, struct extent *e)
{
	mutex_lock(&s->lock);
	bool got = pages_alloc(&s->pages, want, e);
	if (got)
		page_area(s, *e, true);
	mutex_unlock(&s->lock);
	return got;
}

void store_pages_put(struct store *s, struct extent e)
{
	mutex_lock(&s->lock);
	release(s, e);
	mutex_unlock(&s->lock);
}

uint32_t store_pages_free(struct store *s)
{
	mutex_lock(&s->lock);
	uint32_t n = s->pages.free;
	mutex_unlock(&s->lock);
	return n;
}

char *store_byte(const struct store *s, const struct extent *e, unsigned n, uint64_t offset,
		 size_t *run)
{
	for (unsigned i = 0; i < n; i++) {
		/* A fill may trim the last extent while others read the bytes before it. */
		uint64_t size = (uint64_t)__atomic_load_n(&e[i].count, __ATOMIC_RELAXED) *
				STORE_PAGE;
		if (offset < size) {
			*run = (size_t)(size - offset);
			return store_page(s, e[i].page) + offset;
		}
		offset -= size;
	}
	WRONG("offset beyond the extents");
}

unsigned store_check(struct store *s)
{
	mutex_lock(&s->lock);
	unsigned n = pages_check(&s->pages);
	MUST(s->free_count <= s->record_count);
	AUTO_FREE bool *seen = def_xcalloc(s->record_count, sizeof(*seen));
	for (uint32_t i = 0; i < s->free_count; i++) {
		uint32_t r = s->free_records[i];
		MUST(r < s->record_count && !seen[r]);
		seen[r] = true;
	}
	mutex_unlock(&s->lock);
	return n + 1;
}
