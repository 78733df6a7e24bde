// SPDX-License-Identifier: MIT
/*
 * Tables that one daemon writes and others map read-only: files under the run directory, which is a tmpfs.
 *
 * A new writer never reuses a file: it makes a new one and renames it into place, so that a reader that still
 * maps the old one keeps a consistent table and learns by shmem_stale() that there is a newer one. Readers treat the
 * contents as input: size, magic and layout are checked when attaching. The layout is the same on 32- and 64-bit
 * boards: fixed-width fields at fixed offsets.
 */
#ifndef IPC_SHMEM_H
#define IPC_SHMEM_H

#include <stdatomic.h>
#include <sys/stat.h>

#include "base/err.h"

struct shmem_header {
	uint32_t magic;	 /* which table */
	uint32_t layout; /* its version */
	uint32_t size;	 /* bytes of the whole, this header included */
	uint32_t pid;	 /* of the writer */
	uint64_t unused;
	_Atomic uint64_t heartbeat_us; /* clock_now_us() of the writer's last heartbeat */
	uint64_t reserved[4];
};
_Static_assert(sizeof(struct shmem_header) == 64, "one cache line, on every board");
_Static_assert(offsetof(struct shmem_header, heartbeat_us) == 24, "fixed layout");

struct shmem {
	void *mem;   /* ro: starts with the header; NULL when not attached */
	size_t size; /* ro */
	dev_t dev;   /* private */
	ino_t ino;   /* private */
};

/*
 * Makes a table, mode 0640, zeroed behind its header, with its first heartbeat. It has a temporary
 * name until shmem_publish() renames it to path, so that no reader attaches to a half-filled
 * table. 0, or -1 with e set; a failed publish leaves nothing.
 */
int shmem_create(struct shmem *s, const char *path, uint32_t magic, uint32_t layout, size_t size,
		 struct err *e);

int shmem_publish(struct shmem *s, const char *path, struct err *e);
void shmem_discard(struct shmem *s, const char *path); /* instead of publishing: removes it */

/* Maps an existing table read-only; it must have the magic and layout and at least min_size bytes. */
int shmem_attach(struct shmem *s, const char *path, uint32_t magic, uint32_t layout,
		 size_t min_size, struct err *e);
void shmem_detach(struct shmem *s); /* also of one never attached */

/* Another file, or none, is at path now: time to attach anew. */
bool shmem_stale(const struct shmem *s, const char *path);

static inline struct shmem_header *shmem_header(const struct shmem *s)
{
	return s->mem;
}

/* The writer's heartbeat, and the time since the last one. */
void shmem_heartbeat(struct shmem *s, int64_t now_us);
int64_t shmem_age_us(const struct shmem *s, int64_t now_us);

/*
 * Records guarded by a sequence number: the writer makes it odd, changes the record, makes it even. Readers copy
 * word by word and take the copy only if the number was even and the same before and after. A record is an array
 * of 64-bit words whose first one holds the number.
 */
void shmem_record_write(_Atomic uint64_t *record, const uint64_t *value, size_t words);
/* False when no stable copy could be had in a bounded number of tries (the writer died inside a write). */
bool shmem_record_read(const _Atomic uint64_t *record, uint64_t *value, size_t words);

#endif
