// SPDX-License-Identifier: MIT
#include "ipc/listener.h"

#include <sched.h>
#include <stdio.h>

#include "ipc/sd.h"
#include "net/sock.h"

#define BACKLOG	     4096
#define WORKERS_MOST 16

static const char *store_name(const struct addr *a, unsigned worker, char *to, size_t size)
{
	char text[ADDR_TEXT_SIZE];
	snprintf(to, size, "listen-%s-%u", addr_format(a, text), worker);
	return to;
}

static void forget(const struct listener *l, unsigned count)
{
	char name[128];
	for (unsigned i = 0; i < count; i++)
		sd_forget(store_name(&l->addr, i, name, sizeof(name)));
}

static void close_all(struct listener *l)
{
	for (unsigned i = 0; i < l->count; i++)
		close(l->fds[i]);
	l->count = 0;
}

void listener_close(struct listener *l)
{
	unsigned count = l->count;
	MUST(!l->retiring); /* else the workers close them */
	close_all(l);	    /* first: the message to the manager needs a descriptor */
	forget(l, count);
}

void listener_retire(struct listener *l, unsigned retiring)
{
	MUST(l->count && !l->retiring && retiring);
	forget(l, l->count);
	l->retiring = retiring;
}

void listener_retired(struct listener *l)
{
	MUST(l->retiring);
	l->retiring = 0;
	l->count = 0;
}

void listener_free(struct listener *l)
{
	MAGIC_WIPE(l, LISTENER_MAGIC);
	close_all(l);
	free(l);
}

struct listener *listener_new(const struct addr *a)
{
	struct listener *l = def_xcalloc(1, sizeof(*l));
	MAGIC_SET(l, LISTENER_MAGIC);
	l->addr = *a;
	return l;
}

int listener_open(struct listener *l, unsigned workers, struct err *e)
{
	char name[128];
	MAGIC_CHECK(l, LISTENER_MAGIC);
	MUST(l->count == 0 && workers <= WORKER_MAX);
	for (unsigned i = 0; i < workers; i++) {
		store_name(&l->addr, i, name, sizeof(name));
		int fd = sd_take_fd(name);
		if (fd < 0) {
			fd = sock_listen(&l->addr, SOCK_REUSEPORT | SOCK_FREEBIND, BACKLOG, e);
			if (fd < 0) {
				listener_close(l);
				return -1;
			}
			sd_store(name, fd);
		}
		l->fds[l->count++] = fd;
	}
	return 0;
}

unsigned listener_workers(unsigned asked)
{
	cpu_set_t cpus;
	if (asked)
		return asked;
	int n = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
	return (unsigned)MIN(MAX(n, 1), WORKERS_MOST);
}
