// SPDX-License-Identifier: MIT
/*
 * Connections to servers, and keeping them. A kept connection holds no buffer, keeps its read watcher and so
 * learns at once when the server closes it; taking it for a call and giving it back changes no registration.
 * The pool of an address is a stack: under falling load the oldest connections reach their idle deadline.
 */
#include "http/link.h"

#include <errno.h>

#include "net/sock.h"

static struct ev_loop *loop_of(const struct http_link *l)
{
	return l->client->worker->loop;
}

struct http_site *http_link_site(struct http_client *cl, const struct addr *a)
{
	for (struct http_site *s = cl->sites; s; s = s->next)
		if (addr_eq(&s->addr, a))
			return s;
	struct http_site *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->addr = *a;
	s->idle.prev = s->idle.next = &s->idle;
	s->next = cl->sites;
	cl->sites = s;
	return s;
}

static void off_list(struct http_link *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	l->site->count--;
	deadline_cancel(&l->deadline);
}

/* Whatever a server sends unasked, a close above all, ends a kept connection. */
static void on_readable(struct ev_loop *loop, struct ev_io *w, int events)
{
	struct http_link *l = container_of(w, struct http_link, readable);
	(void)loop;
	(void)events;
	if (l->state == HTTP_LINK_IDLE)
		http_link_close(l);
	else
		http_client_readable(l);
}

static void on_writable(struct ev_loop *loop, struct ev_io *w, int events)
{
	(void)loop;
	(void)events;
	http_client_writable(container_of(w, struct http_link, writable));
}

struct http_link *http_link_open(struct http_client *cl, struct http_site *site, int *error)
{
	*error = 0;
	struct http_link *l = slab_get(&cl->link_slab);
	if (!l)
		return NULL;
	int fd = sock_connect(&site->addr, NULL);
	if (fd < 0) {
		*error = errno;
		slab_put(&cl->link_slab, l);
		return NULL;
	}
	*l = (struct http_link){.client = cl, .site = site, .state = HTTP_LINK_CONNECTING};
	l->io = (struct io){.ops = &io_tcp, .fd = fd};
	ev_io_init(&l->readable, on_readable, fd, EV_READ);
	ev_io_init(&l->writable, on_writable, fd, EV_WRITE);
	cl->stats.connects++;
	return l;
}

struct http_link *http_link_kept(struct http_site *site)
{
	struct http_link *l = site->idle.next;
	if (l == &site->idle)
		return NULL;
	off_list(l);
	return l;
}

bool http_link_keep(struct http_link *l)
{
	struct http_client *cl = l->client;
	struct http_site *site = l->site;
	if (site->count >= cl->conf.max_idle)
		return false;
	slab_put(&cl->worker->buffers, l->mem);
	l->mem = NULL;
	l->head = l->p0 = l->p1 = l->tail = 0;
	l->scanned = 0;
	l->active = NULL;
	l->state = HTTP_LINK_IDLE;
	ev_io_start(loop_of(l), &l->readable);
	l->prev = &site->idle;
	l->next = site->idle.next;
	l->prev->next = l->next->prev = l;
	site->count++;
	deadline_arm(&l->deadline, &cl->on_idle, worker_now_us(cl->worker));
	return true;
}

void http_link_close(struct http_link *l)
{
	struct http_client *cl = l->client;
	if (l->state == HTTP_LINK_IDLE)
		off_list(l);
	deadline_cancel(&l->deadline);
	ev_io_stop(loop_of(l), &l->readable);
	ev_io_stop(loop_of(l), &l->writable);
	l->io.ops->close(&l->io);
	slab_put(&cl->worker->buffers, l->mem);
	l->state = HTTP_LINK_CLOSED;
	if (!l->reading)
		slab_put(&cl->link_slab, l);
}

bool http_link_buffer(struct http_link *l)
{
	if (!l->mem)
		l->mem = slab_get(&l->client->worker->buffers);
	return l->mem != NULL;
}
