// SPDX-License-Identifier: MIT
#include "ipc/shmem.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"

#define READ_TRIES  1000
#define TRIES_AWAKE 100 /* then yield: the writer was preempted inside a record */
#define TEMP_SIZE   512

static int map(struct shmem *s, int fd, size_t size, int protection)
{
	struct stat st;
	void *mem = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
	if (mem == MAP_FAILED || fstat(fd, &st) < 0)
		return -1;
	*s = (struct shmem){.mem = mem, .size = size, .dev = st.st_dev, .ino = st.st_ino};
	return 0;
}

static int temp_name(char to[TEMP_SIZE], const char *path, struct err *e)
{
	if (snprintf(to, TEMP_SIZE, "%s.%d", path, (int)getpid()) >= TEMP_SIZE)
		return err_set(e, "%s: path too long", path);
	return 0;
}

int shmem_create(struct shmem *s, const char *path, uint32_t magic, uint32_t layout, size_t size,
		 struct err *e)
{
	char temp[TEMP_SIZE];
	*s = (struct shmem){0};
	MUST(size >= sizeof(struct shmem_header) && size <= UINT32_MAX);
	if (temp_name(temp, path, e) < 0)
		return -1;
	unlink(temp); /* left by a dead process of the same pid */
	AUTO_CLOSE int fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		return err_set(e, "%s: %m", temp);
	if (ftruncate(fd, (off_t)size) < 0 || map(s, fd, size, PROT_READ | PROT_WRITE) < 0) {
		err_set(e, "%s: %m", temp);
		unlink(temp);
		return -1;
	}
	struct shmem_header *h = s->mem;
	h->magic = magic;
	h->layout = layout;
	h->size = (uint32_t)size;
	h->pid = (uint32_t)getpid();
	shmem_heartbeat(s, clock_now_us());
	return 0;
}

int shmem_publish(struct shmem *s, const char *path, struct err *e)
{
	char temp[TEMP_SIZE];
	if (temp_name(temp, path, e) < 0) {
		shmem_detach(s);
		return -1;
	}
	if (rename(temp, path) < 0) {
		err_set(e, "%s: %m", path);
		unlink(temp);
		shmem_detach(s);
		return -1;
	}
	return 0;
}

void shmem_discard(struct shmem *s, const char *path)
{
	char temp[TEMP_SIZE];
	if (temp_name(temp, path, NULL) == 0)
		unlink(temp);
	shmem_detach(s);
}

int shmem_attach(struct shmem *s, const char *path, uint32_t magic, uint32_t layout,
		 size_t min_size, struct err *e)
{
	struct stat st;
	*s = (struct shmem){0};
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, "%s: %m", path);
	if (st.st_size < (off_t)MAX(min_size, sizeof(struct shmem_header)) ||
	    st.st_size > UINT32_MAX)
		return err_set(e, "%s: %jd bytes are no such table", path, (intmax_t)st.st_size);
	if (map(s, fd, (size_t)st.st_size, PROT_READ) < 0)
		return err_set(e, "%s: %m", path);
	const struct shmem_header *h = s->mem;
	if (h->magic != magic || h->layout != layout || h->size != s->size) {
		err_set(e, "%s: not a table of layout %u", path, layout);
		shmem_detach(s);
		return -1;
	}
	return 0;
}

void shmem_detach(struct shmem *s)
{
	if (s->mem)
		munmap(s->mem, s->size);
	*s = (struct shmem){0};
}

bool shmem_stale(const struct shmem *s, const char *path)
{
	struct stat st;
	return !s->mem || stat(path, &st) < 0 || st.st_ino != s->ino || st.st_dev != s->dev;
}

void shmem_heartbeat(struct shmem *s, int64_t now_us)
{
	if (s->mem)
		atomic_store_explicit(&shmem_header(s)->heartbeat_us, (uint64_t)now_us,
				      memory_order_relaxed);
}

int64_t shmem_age_us(const struct shmem *s, int64_t now_us)
{
	return now_us -
	       (int64_t)atomic_load_explicit(&shmem_header(s)->heartbeat_us, memory_order_relaxed);
}

void shmem_record_write(_Atomic uint64_t *record, const uint64_t *value, size_t words)
{
	uint64_t seq = atomic_load_explicit(&record[0], memory_order_relaxed);
	atomic_store_explicit(&record[0], seq | 1, memory_order_relaxed);
	for (size_t i = 1; i < words;
	     i++) /* release: a reader that sees one of these sees the odd number */
		atomic_store_explicit(&record[i], value[i], memory_order_release);
	atomic_store_explicit(&record[0], (seq | 1) + 1, memory_order_release);
}

bool shmem_record_read(const _Atomic uint64_t *record, uint64_t *value, size_t words)
{
	for (unsigned tries = 0; tries < READ_TRIES; tries++) {
		uint64_t seq = atomic_load_explicit(&record[0], memory_order_acquire);
		if (tries >= TRIES_AWAKE)
			sched_yield();
		if (seq & 1)
			continue;
		for (size_t i = 1; i < words; i++)
			value[i] = atomic_load_explicit(&record[i], memory_order_acquire);
		if (atomic_load_explicit(&record[0], memory_order_relaxed) == seq) {
			value[0] = seq;
			return true;
		}
	}
	return false;
}
