// SPDX-License-Identifier: MIT
/*
 * A table has its records before it has its name: it is made aside, so no reader sees it half
 * filled.
 *
 * At an orderly end the file goes, but the service manager holds the table for a restart, and for a
 * restart only.
 */
#include "publish.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/str.h"
#include "ipc/sd.h"

#define BEAT_S	   0.5
#define MAGIC	   UINT32_C(0x4f86a1c3)
#define STORE_NAME "verdicts"

static void on_beat(struct ev_loop *loop UNUSED, struct ev_timer *w, int events UNUSED)
{
	struct publish *p = container_of(w, struct publish, beat);
	MAGIC_CHECK(p, MAGIC);
	shmem_heartbeat(&p->table.shmem, clock_now_us());
}

void publish_init(struct publish *p, struct ev_loop *loop, const char *path)
{
	*p = (struct publish){.magic = MAGIC, .loop = loop};
	str_copy(p->path, sizeof(p->path), str_c(path));
	ev_timer_init(&p->beat, on_beat, BEAT_S, BEAT_S);
	ev_timer_start(loop, &p->beat);
}

void publish_fini(struct publish *p)
{
	MAGIC_WIPE(p, MAGIC);
	ev_timer_stop(p->loop, &p->beat);
	if (p->table.shmem.mem)
		unlink(p->path);
	health_fini(&p->table);
}

int publish_open_last(const struct publish *p, struct health_view *v)
{
	char path[sizeof(p->path)];
	AUTO_CLOSE int fd = sd_take_fd(STORE_NAME);
	if (fd < 0)
		return health_open(v, p->path, NULL);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return health_open(v, path, NULL);
}

static void store(const char *path)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	sd_forget(STORE_NAME);
	if (fd >= 0)
		sd_store(STORE_NAME, fd);
}

int publish_table(struct publish *p, const struct health_record *records, unsigned n, struct err *e)
{
	char aside[sizeof(p->path) + 8];
	struct health_table fresh;
	snprintf(aside, sizeof(aside), "%s.new", p->path);
	if (health_create(&fresh, aside, n, e) < 0)
		return -1;
	for (unsigned i = 0; i < n; i++)
		health_put(&fresh, i, &records[i]);
	shmem_heartbeat(&fresh.shmem, clock_now_us());
	if (rename(aside, p->path) < 0) {
		err_set(e, "%s: %m", p->path);
		unlink(aside);
		health_fini(&fresh);
		return -1;
	}
	health_fini(&p->table);
	p->table = fresh;
	store(p->path);
	return 0;
}

void publish_record(struct publish *p, unsigned index, const struct health_record *r)
{
	MAGIC_CHECK(p, MAGIC);
	health_put(&p->table, index, r);
}
