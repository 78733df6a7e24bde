// SPDX-License-Identifier: MIT
/*
 * libcurl says which descriptors it waits for and when it wants to be called; each descriptor is an
 * ev_io, the time one ev_timer. What libcurl is told may free any watch, so nothing is touched
 * after a call of curl_multi_socket_action() but the loop itself, whose calls stay: done() of one
 * may remove others, and then their messages are gone with them.
 */
#include "curl_loop.h"

#include "base/log.h"

#define LOOP_MAGIC    UINT32_C(0x38ea4c91)
#define WATCHED_MAGIC UINT32_C(0xe6273fb4)
#define CALL_MAGIC    UINT32_C(0x0fd9b852)

struct curl_loop {
	uint32_t magic;
	struct ev_loop *loop;
	struct ev_timer timer;
	CURLM *multi;
};

struct watched {
	uint32_t magic;
	struct ev_io io;
	struct curl_loop *in;
};

static struct curl_loop *checked(struct curl_loop *l)
{
	MAGIC_CHECK(l, LOOP_MAGIC);
	return l;
}

/* ---- what has ended */

static void reap(struct curl_loop *l)
{
	const CURLMsg *m;
	int left;
	while ((m = curl_multi_info_read(l->multi, &left))) {
		struct curl_call *call = NULL;
		CURLcode code = m->data.result;
		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&call);
		MUST(call && call->in == l);
		MAGIC_CHECK(call, CALL_MAGIC);
		curl_loop_remove(call);
		call->done(call, code);
	}
}

static void tell(struct curl_loop *l, curl_socket_t fd, int what)
{
	int running;
	CURLMcode rc = curl_multi_socket_action(l->multi, fd, what, &running);
	if (rc != CURLM_OK)
		log_err("curl: %s", curl_multi_strerror(rc));
	reap(l);
}

/* ---- what libcurl waits for */

static void on_io(struct ev_loop *loop UNUSED, struct ev_io *w, int events)
{
	struct watched *d = container_of(w, struct watched, io);
	int what = (events & EV_READ ? CURL_CSELECT_IN : 0) |
		   (events & EV_WRITE ? CURL_CSELECT_OUT : 0);
	MAGIC_CHECK(d, WATCHED_MAGIC);
	tell(d->in, w->fd, what);
}

static int set_socket(CURL *easy UNUSED, curl_socket_t fd, int what, void *arg, void *known)
{
	struct curl_loop *l = checked(arg);
	struct watched *d = known;
	if (!d && what == CURL_POLL_REMOVE)
		return 0;
	if (!d) {
		d = def_xcalloc(1, sizeof(*d));
		MAGIC_SET(d, WATCHED_MAGIC);
		d->in = l;
		ev_init(&d->io, on_io);
		curl_multi_assign(l->multi, fd, d);
	}
	MAGIC_CHECK(d, WATCHED_MAGIC);
	ev_io_stop(l->loop, &d->io);
	if (what == CURL_POLL_REMOVE) {
		curl_multi_assign(l->multi, fd, NULL);
		MAGIC_WIPE(d, WATCHED_MAGIC);
		free(d);
		return 0;
	}
	ev_io_set(&d->io, fd,
		  (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));
	ev_io_start(l->loop, &d->io);
	return 0;
}

static void on_time(struct ev_loop *loop UNUSED, struct ev_timer *w, int events UNUSED)
{
	struct curl_loop *l = checked(container_of(w, struct curl_loop, timer));
	tell(l, CURL_SOCKET_TIMEOUT, 0);
}

static int set_time(CURLM *multi UNUSED, long ms, void *arg)
{
	struct curl_loop *l = checked(arg);
	ev_timer_stop(l->loop, &l->timer);
	if (ms < 0)
		return 0;
	ev_timer_set(&l->timer, (double)ms / 1e3, 0.);
	ev_timer_start(l->loop, &l->timer);
	return 0;
}

/* ---- exported */

struct curl_loop *curl_loop_new(struct ev_loop *loop, struct err *e)
{
	struct curl_loop *l = def_xcalloc(1, sizeof(*l));
	MAGIC_SET(l, LOOP_MAGIC);
	l->loop = loop;
	ev_timer_init(&l->timer, on_time, 0., 0.);
	if (curl_global_init(CURL_GLOBAL_NOTHING) != CURLE_OK || !(l->multi = curl_multi_init())) {
		err_set(e, "libcurl does not start");
		free(l);
		return NULL;
	}
	curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l);
	curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, set_time);
	curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l);
	return l;
}

void curl_loop_free(struct curl_loop *l)
{
	if (!l)
		return;
	curl_multi_cleanup(l->multi);
	ev_timer_stop(l->loop, &l->timer);
	curl_global_cleanup();
	MAGIC_WIPE(l, LOOP_MAGIC);
	free(l);
}

int curl_loop_add(struct curl_loop *l, struct curl_call *call, struct err *e)
{
	CURLMcode rc;
	MUST(!call->in);
	curl_easy_setopt(call->easy, CURLOPT_PRIVATE, call);
	rc = curl_multi_add_handle(l->multi, call->easy);
	if (rc != CURLM_OK)
		return err_set(e, "%s", curl_multi_strerror(rc));
	call->in = l;
	MAGIC_SET(call, CALL_MAGIC);
	return 0;
}

void curl_loop_remove(struct curl_call *call)
{
	if (!call->in)
		return;
	MAGIC_WIPE(call, CALL_MAGIC);
	curl_multi_remove_handle(call->in->multi, call->easy);
	call->in = NULL;
}
