// SPDX-License-Identifier: MIT
/*
 * Connections to servers, and keeping them. An idle connection holds no buffer, keeps its read watcher and so learns
 * at once when the server closes it; taking it for a call and giving it back changes no registration. The idle ones of
 * an address are a stack: under falling load the oldest connections reach their idle deadline.
 *
 * Those that began with a preface are of use to one client in hundreds. They are spread over several stacks by a hash of
 * it, so that looking for one does not pass all of them.
 */
#include "http/link.h"

#include <errno.h>

#include "net/sock.h"

static struct ev_loop *loop_of(const struct http_link *l)
{
	return l->client->worker->loop;
}

struct http_endpoint *http_link_endpoint(struct http_client *cl, const struct addr *a)
{
	struct http_endpoint *e = cl->endpoints;
	while (e && !addr_eq(&e->addr, a))
		e = e->next;
	if (e)
		return e;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->addr = *a;
	e->next = cl->endpoints;
	cl->endpoints = e;
	return e;
}

static unsigned list_of(struct str preface)
{
	uint32_t hash = 2166136261u; /* FNV-1a */
	for (size_t i = 0; i < preface.n; i++)
		hash = (hash ^ (uint8_t)preface.p[i]) * 16777619u;
	return preface.n ? (hash ^ hash >> 16) % HTTP_LINK_LISTS : 0;
}

static void off_list(struct http_link *l)
{
	if (l->prev)
		l->prev->next = l->next;
	else
		l->endpoint->idle[l->list] = l->next;
	if (l->next)
		l->next->prev = l->prev;
	l->endpoint->count--;
	if (l->client->conf.idle)
		l->client->conf.idle->n--;
	deadline_cancel(&l->deadline);
}

static void free_link(struct http_link *l)
{
	free((char *)(uintptr_t)l->preface.p);
	MAGIC_WIPE(l, HTTP_LINK_MAGIC);
	slab_put(&l->client->link_slab, l);
}

/* Whatever a server sends unasked, a close above all, ends an idle connection. */
static void on_readable(struct ev_loop *loop UNUSED, struct ev_io *w, int events UNUSED)
{
	struct http_link *l = container_of(w, struct http_link, readable);
	MAGIC_CHECK(l, HTTP_LINK_MAGIC);
	if (l->state == HTTP_LINK_IDLE) {
		http_link_close(l);
		return;
	}
	/* The call may end in there, and with it the link. */
	l->reading = true;
	http_client_readable(l->call);
	l->reading = false;
	if (l->state == HTTP_LINK_CLOSED)
		free_link(l);
}

static void on_writable(struct ev_loop *loop UNUSED, struct ev_io *w, int events UNUSED)
{
	struct http_link *l = container_of(w, struct http_link, writable);
	MAGIC_CHECK(l, HTTP_LINK_MAGIC);
	http_client_writable(l->call);
}

static bool copy_preface(struct http_link *l, struct str preface)
{
	char *copy = preface.n ? malloc(preface.n) : NULL;
	if (copy)
		l->preface = str_of(memcpy(copy, preface.p, preface.n), preface.n);
	return copy || !preface.n;
}

struct http_link *http_link_open(struct http_client *cl, struct http_endpoint *e,
				 struct str preface, struct http_active_call *a, int *error)
{
	*error = 0;
	struct http_link *l = slab_get(&cl->link_slab);
	if (!l)
		return NULL;
	*l = (struct http_link){.client = cl,
				.endpoint = e,
				.call = a,
				.state = HTTP_LINK_CONNECTING,
				.list = list_of(preface)};
	MAGIC_SET(l, HTTP_LINK_MAGIC);
	int fd = copy_preface(l, preface) ? sock_connect(&e->addr, NULL) : -1;
	if (fd < 0) {
		*error = errno;
		free_link(l);
		return NULL;
	}
	io_init_tcp(&l->io, fd);
	http_in_init(&l->in, &cl->worker->buffers);
	ev_io_init(&l->readable, on_readable, fd, EV_READ);
	ev_io_init(&l->writable, on_writable, fd, EV_WRITE);
	cl->stats.connects++;
	return l;
}

void http_link_connected(struct http_link *l, bool small)
{
	l->state = HTTP_LINK_BUSY;
	sock_limit_silence(l->io.fd, small, &l->limited);
	http_link_watch_read(l, true);
}

struct http_link *http_link_reuse(struct http_endpoint *e, struct str preface, bool small,
				  struct http_active_call *a)
{
	for (struct http_link *l = e->idle[list_of(preface)], *next; l; l = next) {
		next = l->next;
		if (!str_eq(l->preface, preface))
			continue;
		/* Its end, or unrequested bytes, have been noticed and not yet been dealt with. */
		if (ev_is_pending(&l->readable)) {
			http_link_close(l);
			continue;
		}
		off_list(l);
		l->state = HTTP_LINK_BUSY;
		l->call = a;
		sock_limit_silence(l->io.fd, small, &l->limited);
		return l;
	}
	return NULL;
}

bool http_link_keep(struct http_link *l)
{
	struct http_client *cl = l->client;
	struct http_endpoint *e = l->endpoint;
	struct http_client_idle *idle = cl->conf.idle;
	if (l->not_reusable || l->eof || e->count >= cl->conf.max_idle ||
	    (idle && idle->n >= idle->max))
		return false;
	if (idle)
		idle->n++;
	http_in_close(&l->in);
	l->call = NULL;
	l->state = HTTP_LINK_IDLE;
	ev_io_stop(loop_of(l), &l->writable);
	ev_io_start(loop_of(l), &l->readable);
	l->prev = NULL;
	l->next = e->idle[l->list];
	if (l->next)
		l->next->prev = l;
	e->idle[l->list] = l;
	e->count++;
	http_link_arm(l, &cl->on_idle);
	return true;
}

void http_link_close(struct http_link *l)
{
	MAGIC_CHECK(l, HTTP_LINK_MAGIC);
	if (l->state == HTTP_LINK_IDLE)
		off_list(l);
	deadline_cancel(&l->deadline);
	ev_io_stop(loop_of(l), &l->readable);
	ev_io_stop(loop_of(l), &l->writable);
	l->io.ops->close(&l->io);
	http_in_close(&l->in);
	l->call = NULL;
	l->state = HTTP_LINK_CLOSED;
	if (!l->reading)
		free_link(l);
}

void http_link_spoil(struct http_link *l)
{
	l->not_reusable = true;
}

void http_link_tunnel(struct http_link *l)
{
	l->not_reusable = true;
	sock_limit_silence(l->io.fd, false, &l->limited);
}

enum http_in_result http_link_read(struct http_link *l, size_t *got)
{
	enum http_in_result r = http_in_fill(&l->in, &l->io, got);
	l->client->stats.bytes_in += *got;
	if (r == HTTP_IN_EOF || r == HTTP_IN_ERROR) {
		l->eof = true;
		ev_io_stop(loop_of(l), &l->readable);
	}
	return r;
}

void http_link_watch_read(struct http_link *l, bool on)
{
	if (!on) {
		ev_io_stop(loop_of(l), &l->readable);
	} else if (!l->eof && http_in_room(&l->in)) {
		ev_io_start(loop_of(l), &l->readable);
		if (io_pending(&l->io))
			http_link_feed(l);
	}
}

void http_link_watch_write(struct http_link *l, bool on)
{
	(on ? ev_io_start : ev_io_stop)(loop_of(l), &l->writable);
}

void http_link_feed(struct http_link *l)
{
	ev_feed_event(loop_of(l), &l->readable, EV_READ);
}

void http_link_arm(struct http_link *l, struct deadline_class *class)
{
	deadline_arm(&l->deadline, class, worker_now_us(l->client->worker));
}

void http_link_close_idle(struct http_endpoint *e)
{
	for (unsigned i = 0; i < HTTP_LINK_LISTS; i++)
		while (e->idle[i])
			http_link_close(e->idle[i]);
}

void http_link_check(const struct http_link *l)
{
	MAGIC_CHECK(l, HTTP_LINK_MAGIC);
	MUST(!!l->call == (l->state == HTTP_LINK_CONNECTING || l->state == HTTP_LINK_BUSY));
	MUST(l->state != HTTP_LINK_IDLE || (!l->in.mem && !l->not_reusable && !l->eof));
	http_in_check(&l->in);
}

unsigned http_link_check_idle(const struct http_endpoint *e)
{
	unsigned n = 0;
	for (unsigned i = 0; i < HTTP_LINK_LISTS; i++) {
		const struct http_link *before = NULL;
		for (const struct http_link *l = e->idle[i]; l; before = l, l = l->next, n++) {
			MUST(l->state == HTTP_LINK_IDLE && l->endpoint == e && l->prev == before);
			MUST(l->list == i && list_of(l->preface) == i);
			http_link_check(l);
		}
	}
	return n;
}
