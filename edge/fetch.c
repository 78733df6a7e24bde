// SPDX-License-Identifier: MIT
/*
 *     start ─▶ head ─┬─ 304: the stale object is fresh again, with the new fields
 *                    ├─ may be stored: fill the target, seal
 *                    ├─ may not: the target becomes a hit-for-miss, stream to the leader
 *                    └─ origin failed, stale object usable: keep it
 *
 * The request's head is built in the fetch's own block, since the client's buffer may be freed before it is sent. So
 * is the copy of the fields that decide about storing.
 */
#include "fetch.h"

#include "base/clock.h"
#include "base/log.h"
#include "fill.h"
#include "http/fields.h"
#include "http/forwarded.h"
#include "net/proxy_header.h"
#include "stored_head.h"
#include "vary.h"

#define ROOM	  (512 + HTTP_FORWARDED_ROOM) /* of a head beyond the client's own fields and the host */
#define ARENA	  65536			      /* most that a fetch may allocate */
#define RENEW_MAX (4u << 20)		      /* of a validated body, to be copied in one go */

#define FETCH_MAGIC 0x46455443u

enum mode { PASS, FILL, STREAM, OVERFLOWED };

struct fetch {
	uint32_t magic;
	struct list in_worker;
	struct edge_worker *worker;
	struct daemon_generation *gen;
	struct http_call *call;
	struct leader *leader;
	struct object *target, *stale;
	struct arena arena;
	/* PASS: the client's. Else a copy of the fields that Vary and policy look at. */
	const struct http_head *request;
	struct http_request out; /* as it is sent */
	struct str preface;	 /* of its connection: a PROXY header with send-proxy */
	enum mode mode;
	bool repeatable, conditional, again;
	bool relaying; /* OVERFLOWED: the leader has delivered the object's bytes, and relays the rest */
	int64_t started_us;
	char memory[8192];
};

static const struct http_call_ops ops;

static int64_t now_of(const struct fetch *f)
{
	return worker_now_us(f->worker->base.worker);
}

static struct fetch *fetch_of(const struct http_call *c)
{
	struct fetch *f = c->user;
	MAGIC_CHECK(f, FETCH_MAGIC);
	return f;
}

static struct store *store_of(const struct fetch *f)
{
	return index_store(f->worker->index);
}

/* ---- making and ending */

/*
 * A fetch and its leader point at each other, or neither does: attach_leader() and detach_leader() are the only writers
 * of both pointers. So neither can be left with a pointer to the other's freed memory.
 */
static void attach_leader(struct fetch *f, struct leader *l)
{
	MAGIC_CHECK(l, LEADER_MAGIC);
	MUST(!f->leader && !l->fetch);
	f->leader = l;
	l->fetch = f;
}

static struct leader *leader_of(const struct fetch *f)
{
	struct leader *l = f->leader;
	MAGIC_CHECK(l, LEADER_MAGIC);
	MUST(l->fetch == f);
	return l;
}

static struct fetch *led_by(const struct leader *l)
{
	struct fetch *f = l->fetch;
	MAGIC_CHECK(f, FETCH_MAGIC);
	MUST(f->leader == l);
	return f;
}

/* Returns the leader that there was, or NULL. */
static struct leader *detach_leader(struct fetch *f)
{
	if (!f->leader)
		return NULL;
	struct leader *l = leader_of(f);
	l->fetch = NULL;
	f->leader = NULL;
	return l;
}

static struct fetch *new_fetch(struct edge_worker *worker, struct leader *l, enum mode mode)
{
	struct fetch *f = slab_get(&worker->fetches);
	if (!f)
		return NULL;
	memset(f, 0, offsetof(struct fetch, memory));
	MAGIC_SET(f, FETCH_MAGIC);
	list_add(&worker->fetching, &f->in_worker);
	f->worker = worker;
	f->gen = daemon_ref(worker->base.gen);
	f->mode = mode;
	f->started_us = worker_now_us(worker->base.worker);
	arena_init(&f->arena, f->memory, sizeof(f->memory), ARENA);
	if (l)
		attach_leader(f, l);
	return f;
}

static void free_fetch(struct fetch *f)
{
	struct store *s = store_of(f);
	MUST(!f->call);
	detach_leader(f);
	object_unref(s, f->target);
	object_unref(s, f->stale);
	arena_fini(&f->arena);
	daemon_unref(f->gen);
	list_remove(&f->in_worker);
	MAGIC_WIPE(f, FETCH_MAGIC);
	slab_put(&f->worker->fetches, f);
}

static void end_call(struct fetch *f)
{
	if (f->call)
		http_client_end(f->call);
	f->call = NULL;
}

static void abort_call(struct fetch *f)
{
	if (f->call)
		http_client_abort(f->call);
	f->call = NULL;
}

/* The fetch failed: wakes all that wait for it, and frees it. */
static void fail(struct fetch *f, uint16_t status, const char *why)
{
	edge_worker_count(f->worker, STAT_fetch_errors);
	if (f->target && object_state(f->target) != OBJECT_HIT_FOR_MISS)
		fill_fail(f->worker->index, f->target, status);
	if (f->stale)
		fill_wake(f->worker->index, f->stale);
	bool tell = f->mode != FILL;
	struct leader *l = detach_leader(f);
	free_fetch(f);
	if (l && tell)
		l->failed(l, status, why);
}

/* ---- the request */

/* Not sent for the cache: fields that would make the response one client's (ranges, conditions, cookies, cache
 * directives). */
#define CACHE_SKIP (VARY_UNSENT | HTTP_SKIP(HTTP_F_ACCEPT_ENCODING))
/* Generated anew, from the key where they are part of it. */
#define ALWAYS_SKIP                                                                                \
	(HTTP_SKIP(HTTP_F_HOST) | HTTP_SKIP(HTTP_F_X_FORWARDED_PROTO) |                            \
	 HTTP_SKIP(HTTP_F_X_FORWARDED_HOST))

static void add_conditions(struct http_fields *to, struct fetch *f)
{
	const struct http_head *h = stored_head_parse(&f->arena,
						      object_head(store_of(f), f->stale));
	if (!h)
		return;
	if (http_has(h, HTTP_F_ETAG))
		http_fields_add(to, STR("If-None-Match"), http_get(h, HTTP_F_ETAG));
	if (http_has(h, HTTP_F_LAST_MODIFIED))
		http_fields_add(to, STR("If-Modified-Since"), http_get(h, HTTP_F_LAST_MODIFIED));
	f->conditional = http_has(h, HTTP_F_ETAG) || http_has(h, HTTP_F_LAST_MODIFIED);
}

static struct str fields_of(struct fetch *f, const struct http_head *h, const struct addr *peer,
			    const struct key *k)
{
	const struct edge_settings *s = conf_of(f->gen)->settings;
	struct http_fields to;
	bool cache = f->mode == FILL;
	http_fields_init(&to, &f->arena, http_fields_size(h) + k->asked.n + ROOM);
	http_fields_add_head(&to, h, (struct http_skip){ALWAYS_SKIP | (cache ? CACHE_SKIP : 0)});
	if (cache && vary_accepts_gzip(h))
		http_fields_add(&to, STR("Accept-Encoding"), STR("gzip"));
	if (f->stale)
		add_conditions(&to, f);
	http_forwarded_add(&to, s->forwarded_for ? peer : NULL, k->tls ? STR("https") : STR("http"),
			   k->asked);
	http_fields_add(&to, STR("Via"), STR("1.1 edged"));
	return http_fields_block(&to);
}

/* The request for the origin, in the fetch's own memory: the client may be gone before it is sent. */
static bool build_request(struct fetch *f, const struct http_head *h, const struct addr *peer,
			  const struct key *k)
{
	const struct edge_settings *s = conf_of(f->gen)->settings;
	char text[ADDR_TEXT_SIZE];
	bool cache = f->mode == FILL;
	struct str host = k->host.n ? k->host : str_c(addr_format(&s->origin, text));
	f->out = (struct http_request){.method = cache ? HTTP_GET : h->method,
				       .method_text = cache ? STR("GET")
							    : arena_str(&f->arena, h->method_text),
				       .target = arena_str(&f->arena, h->target),
				       .host = arena_str(&f->arena, host),
				       .upgrade = cache ? STR_NONE : http_upgrade_of(h),
				       .body = cache ? HTTP_BODY_NONE : h->body,
				       .length = cache ? HTTP_NO_LENGTH : http_announced_length(h),
				       .blocks = 1,
				       .fields = {fields_of(f, h, peer, k)}};
	return f->out.method_text.p && f->out.target.p && f->out.host.p && f->out.fields[0].p;
}

/*
 * x: the exchange that the request passes for; NULL when it fills the cache: then the header names no client, and all
 * such fetches share connections. False: there is no room for it.
 */
static bool set_preface(struct fetch *f, const struct http_exchange *x)
{
	unsigned version = conf_of(f->gen)->settings->send_proxy;
	struct addr local = {0};
	if (!version)
		return true;
	char *to = arena_alloc(&f->arena, PROXY_HEADER_ROOM);
	if (!to)
		return false;
	if (x)
		http_exchange_local(x, &local);
	f->preface = str_of(to, proxy_header_write(to, version, x ? x->peer : NULL, &local));
	return true;
}

/* The fields that Vary and policy look at, in the fetch's own memory. */
static bool copy_request(struct fetch *f, const struct http_head *h)
{
	size_t size = offsetof(struct http_head, fields) + h->count * sizeof(h->fields[0]);
	struct http_head *copy = arena_alloc(&f->arena, sizeof(*copy));
	if (!copy)
		return false;
	memcpy(copy, h, size);
	for (unsigned i = 0; i < h->count; i++) {
		copy->fields[i].name = arena_str(&f->arena, h->fields[i].name);
		copy->fields[i].value = arena_str(&f->arena, h->fields[i].value);
		if (!copy->fields[i].name.p || !copy->fields[i].value.p)
			return false;
	}
	copy->target = copy->authority = copy->method_text = STR("");
	f->request = copy;
	return true;
}

static uint16_t status_of(enum http_fail why)
{
	switch (why) {
	case HTTP_FAIL_BUSY:
	case HTTP_FAIL_CONNECT:
		return 503;
	case HTTP_FAIL_CONNECT_TIMEOUT:
	case HTTP_FAIL_RESPONSE_TIMEOUT:
		return 504;
	case HTTP_FAIL_NONE:
	case HTTP_FAIL_STALE:
	case HTTP_FAIL_CLOSED:
	case HTTP_FAIL_BAD_RESPONSE:
	case HTTP_FAIL_BODY:
		break;
	}
	return 502;
}

static enum http_fail start_call(struct fetch *f, bool new_connection)
{
	struct http_route route = {.to = &conf_of(f->gen)->settings->origin,
				   .preface = f->preface,
				   .new_connection = new_connection || !f->repeatable};
	enum http_fail why;
	f->call = http_client_start(f->worker->origin, &route, &f->out, &ops, f, &why);
	edge_worker_count(f->worker, STAT_fetches);
	if (!f->call)
		return why;
	if (f->mode == PASS)
		leader_of(f)->begun(f->leader, f->call);
	return HTTP_FAIL_NONE;
}

bool fetch_pass(struct edge_worker *worker, struct leader *l, const struct key *k)
{
	const struct http_head *h = l->x->head;
	struct fetch *f = new_fetch(worker, l, PASS);
	if (!f)
		return false;
	f->repeatable = http_method_idempotent(h->method);
	f->request = h;
	if (build_request(f, h, l->x->peer, k) && set_preface(f, l->x) &&
	    start_call(f, false) == HTTP_FAIL_NONE)
		return true;
	edge_worker_count(worker, STAT_fetch_errors);
	free_fetch(f);
	return false;
}

bool fetch_fill(struct edge_worker *worker, struct leader *l, const struct http_head *request,
		const struct addr *peer, const struct key *k, struct object *target,
		struct object *stale)
{
	struct fetch *f = new_fetch(worker, l, FILL);
	if (!f) {
		fill_fail(worker->index, target, 503);
		if (stale)
			fill_wake(worker->index, stale);
		return false;
	}
	f->target = object_ref(target);
	f->stale = stale ? object_ref(stale) : NULL;
	f->repeatable = true;
	enum http_fail why = HTTP_FAIL_BUSY;
	if (copy_request(f, request) && build_request(f, request, peer, k) && set_preface(f, NULL))
		why = start_call(f, false);
	if (why == HTTP_FAIL_NONE)
		return true;
	fail(f, status_of(why), http_client_fail_text(why));
	return false;
}

void fetch_leave(struct leader *l)
{
	if (!l->fetch)
		return;
	struct fetch *f = led_by(l);
	detach_leader(f);
	if (f->mode == FILL)
		return;
	abort_call(f);
	if (f->mode == OVERFLOWED && object_state(f->target) == OBJECT_STREAMING)
		fill_overflow(f->worker->index, f->target);
	free_fetch(f);
}

/* ---- the response */

static bool begin_filling(struct fetch *f, const struct http_head *h, const struct freshness *fresh)
{
	struct fill_head fh = {.vary = vary_data(&f->arena, f->request, h),
			       .head = stored_head_of(&f->arena, h, clock_wall_s()),
			       .status = h->status,
			       .length = h->body == HTTP_BODY_CHUNKED ? OBJECT_LENGTH_UNKNOWN
					 : h->body == HTTP_BODY_NONE  ? 0
								      : h->length,
			       .fresh = *fresh};
	const struct edge_settings *s = conf_of(f->gen)->settings;
	if (!fh.vary.p || !fh.head.p ||
	    (fh.length != OBJECT_LENGTH_UNKNOWN && fh.length > s->max_object))
		return false;
	return fill_begin(f->worker->index, f->target, &fh);
}

static void done_filling(struct fetch *f)
{
	end_call(f);
	fill_seal(f->worker->index, f->target);
	free_fetch(f);
}

/* No more room: readers get what there is; the leader gets the rest past the cache once it has come that far. */
static void overflow(struct fetch *f)
{
	fill_overflow(f->worker->index, f->target);
	f->mode = OVERFLOWED;
	if (!f->leader) {
		abort_call(f);
		free_fetch(f);
	}
}

static bool too_large(const struct fetch *f)
{
	return atomic_load_explicit(&f->target->filled, memory_order_relaxed) >
	       conf_of(f->gen)->settings->max_object;
}

static void take_body(struct fetch *f)
{
	struct str data = http_client_data(f->call);
	while (data.n) {
		size_t room;
		char *to = too_large(f) ? NULL : fill_space(f->worker->index, f->target, &room);
		if (!to) {
			overflow(f);
			return;
		}
		size_t n = MIN(room, data.n);
		memcpy(to, data.p, n);
		http_client_consume(f->call, n);
		fill_added(f->worker->index, f->target, n);
		data = http_client_data(f->call);
	}
	if (http_client_body_state(f->call) == HTTP_BODY_END)
		done_filling(f);
}

/* The response goes to the leader alone. */
static void stream(struct fetch *f, const struct http_head *h)
{
	if (!f->leader) {
		abort_call(f);
		free_fetch(f);
		return;
	}
	struct leader *l = leader_of(f);
	f->mode = STREAM;
	l->begun(l, f->call);
	l->head(l, h);
}

static void do_not_store(struct fetch *f, const struct http_head *h, const char *why)
{
	struct index *ix = f->worker->index;
	const struct edge_settings *s = conf_of(f->gen)->settings;
	edge_worker_count(f->worker, STAT_uncacheable);
	log_debug("not stored: %s", why);
	/* The leader must know that the response is its own before a request sees the hit-for-miss object. */
	if (f->leader)
		f->mode = STREAM;
	fill_hit_for_miss(ix, f->target, now_of(f), s->uncacheable_ms / 1000);
	if (f->stale)
		fill_drop(ix, f->stale);
	stream(f, h);
}

/*
 * The validated object with its new fields supersedes the stale one, so that clients see Date, Expires and
 * Cache-Control of the validation (RFC 9111 §4.3.4). Its body is copied: a separate page for each object's head would
 * cost small objects one more. False: no field has changed, or the body is too large to copy.
 */
static bool renew(struct fetch *f, const struct http_head *merged, const struct freshness *fresh)
{
	struct index *ix = f->worker->index;
	uint64_t length = atomic_load_explicit(&f->stale->filled, memory_order_acquire), done = 0;
	struct fill_head fh = {.vary = vary_data(&f->arena, f->request, merged),
			       .head = stored_head_of(&f->arena, merged, clock_wall_s()),
			       .status = f->stale->status,
			       .length = length,
			       .fresh = *fresh};
	if (!fh.vary.p || !fh.head.p || length > RENEW_MAX ||
	    object_state(f->stale) != OBJECT_SEALED ||
	    str_eq(fh.head, object_head(store_of(f), f->stale)) || !fill_begin(ix, f->target, &fh))
		return false;
	while (done < length) {
		struct iovec part;
		size_t n, room;
		object_body(store_of(f), f->stale, done, &part, 1, &n);
		char *to = fill_space(ix, f->target, &room);
		MUST(to); /* fill_begin() made room for all of it */
		n = MIN(n, room);
		memcpy(to, part.iov_base, n);
		fill_added(ix, f->target, n);
		done += n;
	}
	fill_seal(ix, f->target);
	fill_drop(ix, f->stale);
	return true;
}

static void validated(struct fetch *f, const struct http_head *h)
{
	struct http_head *merged = stored_head_merge(&f->arena, object_head(store_of(f), f->stale),
						     f->stale->status, h);
	struct freshness fresh;
	const char *why;
	edge_worker_count(f->worker, STAT_revalidated);
	bool good = merged && policy_store(&conf_of(f->gen)->policy, f->request, merged, now_of(f),
					   now_of(f) - f->started_us, clock_wall_s(), &fresh, &why);
	end_call(f);
	if (!good) { /* may not be stored any more: only for requests that came before */
		fresh = index_freshness(f->worker->index, f->stale);
		fresh.received_us = now_of(f);
		fresh.age_s = fresh.lifetime_s = fresh.keep_s = 0;
	}
	if (!good || !renew(f, merged, &fresh)) {
		fill_refresh(f->worker->index, f->stale, &fresh);
		fill_unchanged(f->worker->index, f->target);
	}
	free_fetch(f);
}

static bool stale_is_usable(const struct fetch *f)
{
	struct freshness fresh = index_freshness(f->worker->index, f->stale);
	return index_holds(f->worker->index, f->stale) && policy_use_on_error(&fresh, now_of(f));
}

static void response_to_fill(struct fetch *f, const struct http_head *h)
{
	struct freshness fresh;
	const char *why = "no room";
	if (h->status == 304 && f->conditional) {
		validated(f, h);
		return;
	}
	if (f->stale && policy_is_failure(h->status) && stale_is_usable(f)) {
		abort_call(f);
		fail(f, 504, "the origin failed");
		return;
	}
	bool store = policy_store(&conf_of(f->gen)->policy, f->request, h, now_of(f),
				  now_of(f) - f->started_us, clock_wall_s(), &fresh, &why);
	if (!store || !begin_filling(f, h, &fresh)) {
		do_not_store(f, h, why);
		return;
	}
	if (f->stale) /* requests that wait for its validation find the new object */
		fill_wake(f->worker->index, f->stale);
	take_body(f);
}

static void on_head(struct http_call *c)
{
	struct fetch *f = fetch_of(c);
	if (f->mode == FILL)
		response_to_fill(f, c->head);
	else
		leader_of(f)->head(f->leader, c->head);
}

static void on_body(struct http_call *c)
{
	struct fetch *f = fetch_of(c);
	if (f->mode == FILL)
		take_body(f);
	else if (f->mode == PASS || f->mode == STREAM || f->relaying)
		leader_of(f)->more(f->leader);
	/* OVERFLOWED, and the leader has not come that far: the data stays in the buffer */
}

static void on_interim(struct http_call *c)
{
	struct fetch *f = fetch_of(c);
	if (f->leader)
		leader_of(f)->interim(f->leader, c->head);
}

static void on_writable(struct http_call *c)
{
	struct fetch *f = fetch_of(c);
	leader_of(f)->writable(f->leader);
}

static void on_failed(struct http_call *c, enum http_fail why)
{
	struct fetch *f = fetch_of(c);
	f->call = NULL;
	bool untouched = !f->leader || leader_of(f)->x->body_in == 0;
	if ((why == HTTP_FAIL_STALE || why == HTTP_FAIL_CLOSED) && f->repeatable && !f->again &&
	    untouched) {
		f->again = true;
		why = start_call(f, true);
		if (why == HTTP_FAIL_NONE)
			return;
	}
	fail(f, status_of(why), http_client_fail_text(why));
}

static const struct http_call_ops ops = {
	.writable = on_writable,
	.interim = on_interim,
	.head = on_head,
	.body = on_body,
	.failed = on_failed,
};

/* ---- streaming */

void fetch_finish(struct leader *l)
{
	struct fetch *f = led_by(l);
	/* A connection whose PROXY header names this client cannot be used for another. */
	if (f->mode == PASS && f->preface.n && f->request->close)
		abort_call(f);
	else
		end_call(f);
	free_fetch(f);
}

void fetch_overflowed(struct leader *l)
{
	struct fetch *f = led_by(l);
	f->relaying = true;
	l->begun(l, f->call);
	l->more(l);
}

size_t fetch_size(void)
{
	return sizeof(struct fetch);
}

/* ---- invariants */

static const struct fetch *listed(const struct list *l)
{
	const struct fetch *f = container_of_const(l, struct fetch, in_worker);
	MAGIC_CHECK(f, FETCH_MAGIC);
	return f;
}

static void check_one(const struct fetch *f)
{
	MUST(f->call && f->call->user == f); /* a fetch without a call is freed */
	if (f->leader)
		leader_of(f);
	MUST(f->leader || f->mode == FILL);
	MUST((f->mode == PASS) == !f->target);
	MUST(!f->stale || f->mode != PASS);
	if (f->mode == FILL || f->mode == OVERFLOWED)
		MUST(object_state(f->target) == (f->mode == OVERFLOWED	      ? OBJECT_OVERFLOWED
						 : object_has_head(f->target) ? OBJECT_STREAMING
									      : OBJECT_BUSY));
	arena_check(&f->arena);
}

unsigned fetch_check(const struct edge_worker *w)
{
	const struct list *l;
	unsigned n = list_check(&w->fetching);
	LIST_EACH(l, &w->fetching) {
		MUST(listed(l)->worker == w);
		check_one(listed(l));
	}
	return n;
}

void fetch_each(const struct edge_worker *w,
		void (*one)(const struct object *target, const struct object *stale, void *arg),
		void *arg)
{
	const struct list *l;
	LIST_EACH(l, &w->fetching)
		one(listed(l)->target, listed(l)->stale, arg);
}
