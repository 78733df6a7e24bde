// SPDX-License-Identifier: MIT
/*
 * The cache's memory: one memfd of a fixed size that outlives the process in the service manager's descriptor
 * store. It holds offsets, no pointers: a superblock, a table of records, and pages. All else is rebuilt from the
 * records at start, in milliseconds.
 *
 *	| superblock 4 KiB | records, 128 bytes each | pages, 4 KiB each |
 *
 * A record becomes valid by its commit word, written last: a checksum over the record and over the object's key
 * and head. A process killed while it writes leaves a record whose word does not match, and the object is dropped.
 *
 * Bodies have no checksum: they are written before the word, the mapping cannot be torn by a process's death, and
 * it does not outlive the machine's memory.
 */
#ifndef EDGE_STORE_H
#define EDGE_STORE_H

#include "base/err.h"
#include "base/mutex.h"
#include "pages.h"

#define STORE_PAGE	4096u
#define STORE_EXTENTS	8
#define STORE_NO_RECORD UINT32_MAX

struct store_record {
	uint64_t commit; /* 0: free */
	uint64_t hash;
	int64_t received_us; /* clock_now_us() when the response came, or was last validated */
	uint64_t body_len;
	uint32_t age_s;	     /* its age then (RFC 9111 §4.2.3) */
	uint32_t lifetime_s; /* freshness lifetime */
	uint32_t grace_s;    /* after that, served stale while it is being refreshed */
	uint32_t keep_s;     /* after that, kept for validation, and served when the origin fails */
	uint32_t head_len;
	uint16_t key_len, vary_len;
	uint16_t status;
	uint8_t flags, extents;
	uint32_t reserved;
	/* The pages: key, Vary data, head and body in one sequence. */
	struct extent extent[STORE_EXTENTS];
};
_Static_assert(sizeof(struct store_record) == 128, "fixed layout");
_Static_assert(offsetof(struct store_record, extent) == 64, "fixed layout");

/* Flags of a record. */
enum { STORE_MUST_REVALIDATE = 1, STORE_NO_CACHE = 2 };

struct store {
	int fd;			      /* ro: for the descriptor store */
	char *mem;		      /* private */
	size_t size;		      /* ro */
	bool adopted;		      /* ro: it has an earlier process's contents */
	uint64_t seed;		      /* ro: of key hashes; survives with the contents */
	uint32_t record_count;	      /* ro */
	struct store_record *records; /* private */
	char *page_mem;		      /* private */
	/* private; lock guards what follows */
	struct mutex lock;
	struct pages pages;
	uint32_t *free_records;
	uint32_t free_count;
};

/*
 * Opens the store of size bytes: adopts fd (taken over) when it holds a store of this size and layout made since the
 * machine started, else starts empty. fd -1: none. *why tells what was found, for the log.
 */
int store_open(struct store *s, size_t size, int fd, struct err *why);
void store_close(struct store *s); /* the service manager's descriptor keeps the memfd */

/* Calls keep() for each committed record after claiming its pages; a refused record is cleared. At start only. */
void store_scan(struct store *s, bool (*keep)(void *arg, uint32_t record), void *arg);

/* Thread-safe. */
uint32_t store_record_get(struct store *s); /* STORE_NO_RECORD when all are taken */
void store_record_put(struct store *s, uint32_t r);
bool store_pages_get(struct store *s, uint32_t want, struct extent *e);
void store_pages_put(struct store *s, struct extent e);
uint32_t store_pages_free(struct store *s);

static inline struct store_record *store_at(const struct store *s, uint32_t r)
{
	MUST(r < s->record_count);
	return &s->records[r];
}

static inline char *store_page(const struct store *s, uint32_t page)
{
	return s->page_mem + (size_t)page * STORE_PAGE;
}

/* Pages and free records; thread-safe. See slab_check(). */
unsigned store_check(struct store *s);

/* By the record's owner: makes it valid, or not. The checksum is over the record and the object's key and head. */
void store_commit(struct store *s, uint32_t r);
void store_uncommit(struct store *s, uint32_t r);

/* The byte at offset of an object made of these extents; *run: how many contiguous bytes begin there. */
char *store_byte(const struct store *s, const struct extent *e, unsigned n, uint64_t offset,
		 size_t *run);

#endif
