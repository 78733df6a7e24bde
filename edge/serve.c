// SPDX-License-Identifier: MIT
/*
 * The steps of a request:
 *
 *     look ─┬─ fresh, or stale but usable ─▶ deliver
 *           ├─ stale ─▶ validate (one request leads, the others wait) ─▶ look again
 *           ├─ being fetched ─▶ wait ─▶ look again, deliver while it fills
 *           ├─ nothing ─▶ fetch, and lead
 *           └─ must not be cached ─▶ pass: stream from the origin
 *
 * A wake only means "look again"; the object's state says what happened. The leader alone does not look again: it
 * waits on the object that its own fetch fills, and that is its response, whatever happened to the key meanwhile (RFC
 * 9111 §4.3.3). A hit on a sealed object subscribes to nothing and allocates nothing: it is
 * one writev of the stored head, a few lines, and the body's extents.
 */
#include "serve.h"

#include <stdio.h>

#include "base/clock.h"
#include "cond.h"
#include "fetch.h"
#include "fill.h"
#include "http/forwarded.h"
#include "http/relay.h"
#include "policy.h"
#include "stored_head.h"
#include "vary.h"

#define PIECES 16 /* of a body in one writev */

#define SERVE_MAGIC 0x53525645u

enum step { WAIT, DELIVER, RELAY, DONE };

struct serve {
	uint32_t magic;
	struct list in_worker;
	struct http_exchange *x;
	struct edge_worker *worker;
	struct daemon_generation *gen;
	struct leader leader;
	struct http_relay relay; /* past the cache, between x and the leader's fetch */
	struct key key;
	uint64_t hash;
	struct object *object; /* a reference */
	struct object *stale;  /* a reference: being validated; object is to supersede it */
	struct waiter waiter;  /* with a ticket once it has waited */
	struct freshness fresh;
	enum step step;
	uint64_t offset; /* body bytes delivered */
	const char *how; /* for Cache-Status */
	bool collapsed, validating, counted;
	bool fetched; /* leads or led the fetch of object */
};

static void look(struct serve *s);
static void progress(struct serve *s);

static struct serve *serve_of(const struct http_exchange *x)
{
	struct serve *s = x->user;
	MAGIC_CHECK(s, SERVE_MAGIC);
	return s;
}

static struct serve *serve_of_leader(struct leader *l)
{
	struct serve *s = container_of(l, struct serve, leader);
	MAGIC_CHECK(s, SERVE_MAGIC);
	return s;
}

static int64_t now_of(const struct serve *s)
{
	return worker_now_us(s->x->worker);
}

static struct store *store_of(const struct serve *s)
{
	return index_store(s->worker->index);
}

static void count_once(struct serve *s, unsigned stat)
{
	if (!s->counted)
		edge_worker_count(s->worker, stat);
	s->counted = true;
}

/* ---- the end */

static void stop_waiting(struct serve *s)
{
	index_unsubscribe(s->worker->index, &s->waiter);
	ticket_cancel(s->waiter.ticket);
	s->waiter.ticket = NULL;
}

static void release_objects(struct serve *s)
{
	stop_waiting(s);
	object_unref(store_of(s), s->object);
	object_unref(store_of(s), s->stale);
	s->object = s->stale = NULL;
}

/* No more callbacks: the response is complete. The objects it is sent from are held until serve_closed(). */
static void leave(struct serve *s)
{
	s->step = DONE;
	http_relay_fini(&s->relay);
	fetch_leave(&s->leader);
	stop_waiting(s);
}

/* May free s, as every function below that may end the exchange. */
static void finish(struct serve *s)
{
	leave(s);
	http_exchange_end(s->x);
}

static void cut(struct serve *s)
{
	leave(s);
	http_exchange_abort(s->x);
}

static void answer_error(struct serve *s, uint16_t status, const char *text)
{
	struct http_fields f;
	if (status >= 500 && !s->x->status) /* else the response is cut */
		edge_worker_count(s->worker, STAT_responses_5xx);
	leave(s);
	http_fields_init(&f, &s->x->arena, 32);
	if (status == 503)
		http_fields_add(&f, STR("Retry-After"), STR("5"));
	http_exchange_error(s->x, status, text, http_fields_block(&f));
}

void serve_closed(struct http_exchange *x, enum http_end why UNUSED)
{
	if (!x->user) /* the health page has no state */
		return;
	struct serve *s = serve_of(x);
	leave(s);
	release_objects(s);
	daemon_unref(s->gen);
	list_remove(&s->in_worker);
	MAGIC_WIPE(&s->leader, LEADER_MAGIC);
	MAGIC_WIPE(s, SERVE_MAGIC);
}

/* ---- waiting */

static void on_woken(void *user)
{
	struct serve *s = user;
	MAGIC_CHECK(s, SERVE_MAGIC);
	progress(s);
}

/* Wait for progress of s->object. False: no memory for it; the request has got a 503. */
static bool wait_for_progress(struct serve *s)
{
	struct waiter *w = &s->waiter;
	if (!w->ticket)
		w->ticket = ticket_new(s->x->worker, on_woken, s);
	if (!w->ticket) {
		answer_error(s, 503, "Out of memory.");
		return false;
	}
	if (w->object != s->object) {
		index_unsubscribe(s->worker->index, w);
		index_subscribe(s->worker->index, w, s->object);
	}
	return true;
}

static void drop_object(struct serve *s)
{
	index_unsubscribe(s->worker->index, &s->waiter);
	object_unref(store_of(s), s->object);
	s->object = NULL;
}

/* ---- delivering from the object */

static void add_cache_status(struct http_fields *f, const struct serve *s)
{
	int64_t ttl = (int64_t)s->fresh.lifetime_s - policy_age_s(&s->fresh, now_of(s));
	http_fields_begin(f, STR("Cache-Status"));
	http_fields_part(f, STR("edged; "));
	http_fields_part(f, str_c(s->how));
	http_fields_part(f, ttl < 0 ? STR("; ttl=-") : STR("; ttl="));
	http_fields_part_u64(f, (uint64_t)(ttl < 0 ? -ttl : ttl));
	if (s->fetched && !s->validating)
		http_fields_part(f, STR("; stored"));
	if (s->collapsed)
		http_fields_part(f, STR("; collapsed"));
	http_fields_end(f);
}

/* The fields that this delivery adds to the stored ones. */
static struct str delivery_fields(struct serve *s)
{
	struct http_fields f;
	http_fields_init(&f, &s->x->arena, 192);
	http_fields_add_u64(&f, STR("Age"), (uint64_t)policy_age_s(&s->fresh, now_of(s)));
	add_cache_status(&f, s);
	return http_fields_block(&f);
}

static bool is_conditional(const struct http_head *h)
{
	return http_has(h, HTTP_F_IF_NONE_MATCH) || http_has(h, HTTP_F_IF_MODIFIED_SINCE);
}

/* 304 with the fields that RFC 9110 §15.4.5 wants. */
static bool answer_not_modified(struct serve *s)
{
	static const enum http_field_id sent[] = {HTTP_F_CACHE_CONTROL, HTTP_F_CONTENT_LOCATION,
						  HTTP_F_DATE,		HTTP_F_ETAG,
						  HTTP_F_EXPIRES,	HTTP_F_VARY,
						  HTTP_F_LAST_MODIFIED};
	struct http_head *h = s->object->status == 200
				      ? stored_head_parse(&s->x->arena,
							  object_head(store_of(s), s->object))
				      : NULL;
	if (!h || !cond_not_modified(s->x->head, h, clock_wall_s()))
		return false;
	struct http_fields f;
	const struct http_field *one;
	http_fields_init(&f, &s->x->arena, http_fields_size(h));
	for (size_t n = 0; n < ARRAY_LEN(sent); n++)
		for (unsigned i = 0; (one = http_next(h, sent[n], &i));)
			http_fields_add(&f, one->name, one->value);
	struct http_response r = {.status = 304,
				  .length = HTTP_NO_LENGTH,
				  .blocks = 2,
				  .fields = {http_fields_block(&f), delivery_fields(s)}};
	if (!r.fields[0].p || !r.fields[1].p)
		return false;
	edge_worker_count(s->worker, STAT_not_modified);
	http_exchange_respond(s->x, &r);
	finish(s);
	return true;
}

static void deliver(struct serve *s);

static void begin_delivery(struct serve *s)
{
	struct object *o = s->object;
	uint64_t length = atomic_load_explicit(&o->length, memory_order_acquire);
	bool bodyless = s->x->head->method == HTTP_HEAD || length == 0;
	s->step = DELIVER;
	if (is_conditional(s->x->head) && answer_not_modified(s))
		return;
	struct http_response r = {
		.status = o->status,
		.length = length == OBJECT_LENGTH_UNKNOWN || o->status == 204 ? HTTP_NO_LENGTH
									      : length,
		.framing = bodyless			     ? HTTP_FRAMING_NONE
			   : length == OBJECT_LENGTH_UNKNOWN ? HTTP_FRAMING_OPEN
							     : HTTP_FRAMING_LENGTH,
		.blocks = 2,
		.fields = {object_head(store_of(s), o), delivery_fields(s)}};
	if (!r.fields[1].p) {
		answer_error(s, 500, "Out of memory.");
		return;
	}
	http_exchange_respond(s->x, &r);
	if (bodyless)
		finish(s);
	else
		deliver(s);
}

static bool is_whole(const struct object *o, uint64_t upto)
{
	return object_state(o) == OBJECT_SEALED &&
	       upto == atomic_load_explicit(&o->filled, memory_order_acquire);
}

/* All bytes of the object so far are delivered. */
static void body_exhausted(struct serve *s)
{
	switch (object_state(s->object)) {
	case OBJECT_SEALED:
		if (is_whole(s->object, s->offset))
			finish(s); /* only the last chunk was missing */
		break;
	case OBJECT_OVERFLOWED:
		if (s->leader.fetch) {
			s->step = RELAY;
			fetch_overflowed(&s->leader);
		} else {
			cut(s);
		}
		break;
	case OBJECT_FAILED:
		cut(s);
		break;
	case OBJECT_BUSY:
	case OBJECT_STREAMING:
	case OBJECT_HIT_FOR_MISS:
	case OBJECT_UNCHANGED:
		break; /* a wake will come */
	}
}

static void deliver(struct serve *s)
{
	struct iovec iov[PIECES];
	size_t total;
	for (;;) {
		if (object_state(s->object) != OBJECT_SEALED && !wait_for_progress(s))
			return;
		int n = object_body(store_of(s), s->object, s->offset, iov, PIECES, &total);
		if (n == 0) {
			body_exhausted(s);
			return;
		}
		bool last = is_whole(s->object, s->offset + total);
		ssize_t took = http_exchange_write(s->x, iov, n,
						   last ? HTTP_PIECE_LAST : HTTP_PIECE_SOME);
		if (took < 0)
			return; /* closed() follows */
		s->offset += (size_t)took;
		if (last && (size_t)took == total) {
			finish(s);
			return;
		}
		if ((size_t)took < total)
			return; /* writable() continues */
	}
}

/* ---- streaming past the cache */

static void relayed(struct serve *s, enum http_relay_state state)
{
	if (state == HTTP_RELAY_GOES_ON)
		return;
	http_relay_fini(&s->relay);
	fetch_finish(&s->leader);
	finish(s);
}

/* The fetch's call, the first or a repeated one, is between the origin and this client. */
static void relay_begun(struct leader *l, struct http_call *c)
{
	struct serve *s = serve_of_leader(l);
	http_relay_fini(&s->relay);
	http_relay_init(&s->relay, s->x, c);
}

static void relay_interim(struct leader *l, const struct http_head *h)
{
	http_relay_interim(serve_of_leader(l)->x, h);
}

/* A change made at the origin makes what is stored of that URI stale (RFC 9111 §4.4). */
static void invalidate(struct serve *s, const struct http_head *response)
{
	if (!http_method_safe(s->x->head->method) && response->status < 400)
		index_purge(s->worker->index, s->hash, s->key.bytes, true);
}

static struct str relayed_fields(struct serve *s, const struct http_head *h)
{
	struct http_fields f;
	http_fields_init(&f, &s->x->arena, http_fields_size(h) + 160);
	http_fields_add_head(&f, h, (struct http_skip){0});
	http_fields_begin(&f, STR("Cache-Status"));
	http_fields_part(&f, STR("edged; "));
	http_fields_part(&f, str_c(s->how));
	http_fields_end(&f);
	return http_fields_block(&f);
}

static void relay_head(struct leader *l, const struct http_head *h)
{
	struct serve *s = serve_of_leader(l);
	release_objects(s);
	s->step = RELAY;
	invalidate(s, h);
	bool unwanted = s->x->head->method == HTTP_HEAD &&
			h->body != HTTP_BODY_NONE; /* a GET was sent in its place */
	struct http_response r = {.status = h->status,
				  .reason = h->reason,
				  .framing = unwanted ? HTTP_FRAMING_NONE : http_relay_framing(h),
				  .length = http_announced_length(h),
				  .upgrade = http_relay_upgrade(s->x, h),
				  .blocks = 1,
				  .fields = {relayed_fields(s, h)}};
	if (!r.fields[0].p) {
		answer_error(s, 502, "The origin's response head is too large.");
		return;
	}
	http_exchange_respond(s->x, &r);
	if (unwanted)
		finish(s);
	else
		relayed(s, r.framing == HTTP_FRAMING_TUNNEL
				   ? http_relay_tunnel(&s->relay, &s->worker->on_silence)
				   : http_relay_response(&s->relay));
}

static void relay_more(struct leader *l)
{
	struct serve *s = serve_of_leader(l);
	relayed(s, http_relay_response(&s->relay));
}

static void relay_failed(struct leader *l, uint16_t status, const char *why)
{
	answer_error(serve_of_leader(l), status, why);
}

static void relay_writable(struct leader *l)
{
	struct serve *s = serve_of_leader(l);
	relayed(s, http_relay_request(&s->relay));
}

void serve_silent(struct deadline *silence)
{
	cut(serve_of(http_relay_of(silence)->x));
}

static void pass(struct serve *s)
{
	count_once(s, STAT_passes);
	s->step = RELAY;
	if (!fetch_pass(s->worker, &s->leader, &s->key))
		answer_error(s, 503, "The origin cannot be reached.");
}

/* ---- looking */

/* Fills s->object, or validates s->stale with it as the target, with this client as leader. Once a request. */
static void fetch_and_wait(struct serve *s)
{
	MUST(!s->fetched);
	s->fetched = true;
	s->step = WAIT;
	count_once(s, STAT_misses);
	if (!wait_for_progress(s))
		return;
	fetch_fill(s->worker, &s->leader, s->x->head, s->x->peer, &s->key, s->object, s->stale);
	/* If it failed at once (connection refused), a wake is on its way. */
}

/* Hit-for-miss: requests are not collapsed until a response may be stored. */
static void fetch_alone(struct serve *s)
{
	drop_object(s);
	s->how = "fwd=miss";
	s->object = index_new_object(s->worker->index, s->hash, s->key.bytes);
	if (s->object)
		fetch_and_wait(s);
	else
		pass(s);
}

static void validate(struct serve *s)
{
	struct object *target = index_new_object(s->worker->index, s->hash, s->key.bytes);
	s->validating = true;
	s->how = "fwd=stale";
	if (!target) {
		atomic_store(&s->object->refreshing, false);
		pass(s);
		return;
	}
	s->stale = s->object;
	s->object = target;
	fetch_and_wait(s);
}

static void refresh_behind(struct serve *s)
{
	struct object *target = index_new_object(s->worker->index, s->hash, s->key.bytes);
	if (!target) {
		atomic_store(&s->object->refreshing, false);
		return;
	}
	fetch_fill(s->worker, NULL, s->x->head, s->x->peer, &s->key, target, s->object);
	object_unref(store_of(s), target);
}

static void hit(struct serve *s, bool stale)
{
	if (!s->how)
		s->how = "hit";
	if (stale)
		edge_worker_count(s->worker, STAT_stale_hits);
	count_once(s, s->collapsed ? STAT_collapsed : STAT_hits);
	begin_delivery(s);
}

/* Validated by a response that came after this request: usable for it, however short its lifetime (RFC 9111 §4). */
static bool answered_since(const struct serve *s)
{
	return s->validating && s->fresh.received_us >= s->x->request_us;
}

static void answer_unusable(struct serve *s)
{
	answer_error(
		s, 504,
		"The origin did not respond, and the stored response may not be used any more.");
}

static void found_stale(struct serve *s)
{
	bool failed = s->validating && !atomic_load(&s->object->refreshing);
	if (failed && policy_use_on_error(&s->fresh, now_of(s))) {
		hit(s, true);
	} else if (failed) {
		answer_unusable(s);
	} else if (!atomic_exchange(&s->object->refreshing, true)) {
		validate(s);
	} else {
		s->validating = s->collapsed = true;
		s->step = WAIT;
		if (wait_for_progress(s) && !atomic_load(&s->object->refreshing))
			look(s); /* it ended in between */
	}
}

static void found(struct serve *s)
{
	enum object_state state = object_state(s->object);
	if (state == OBJECT_HIT_FOR_MISS) {
		fetch_alone(s);
		return;
	}
	if (state == OBJECT_STREAMING || answered_since(s)) {
		hit(s, false);
		return;
	}
	switch (policy_use(&s->fresh, now_of(s))) {
	case POLICY_FRESH:
		hit(s, false);
		break;
	case POLICY_GRACE:
		if (!atomic_exchange(&s->object->refreshing, true))
			refresh_behind(s);
		hit(s, true);
		break;
	case POLICY_VALIDATE:
		found_stale(s);
		break;
	}
}

static void on_miss(struct serve *s)
{
	if (cache_control_read(s->x->head).only_if_cached) {
		fill_fail(s->worker->index, s->object, 504);
		answer_error(s, 504, "It is not in the cache.");
		return;
	}
	s->how = "fwd=uri-miss";
	fetch_and_wait(s);
}

static void look(struct serve *s)
{
	MUST(!s->fetched);
	drop_object(s);
	switch (index_lookup(s->worker->index, s->hash, s->key.bytes, vary_match, s->x->head,
			     now_of(s), &s->object, &s->fresh)) {
	case INDEX_FOUND:
		found(s);
		break;
	case INDEX_BUSY:
		s->collapsed = true;
		s->step = WAIT;
		if (wait_for_progress(s) && object_state(s->object) != OBJECT_BUSY)
			progress(s);
		break;
	case INDEX_NEW:
		on_miss(s);
		break;
	case INDEX_FULL:
		pass(s);
		break;
	}
}

/* The object that s waited on has its head, or was superseded. */
static void woken(struct serve *s)
{
	struct object *o = s->object;
	enum object_state state = object_state(o);
	if (s->validating && !s->fetched && atomic_load(&o->refreshing))
		return;
	bool ours = s->fetched ||
		    (!s->validating && state != OBJECT_HIT_FOR_MISS && state != OBJECT_OVERFLOWED &&
		     vary_match(object_vary(store_of(s), o), s->x->head));
	if (!ours) {
		look(s);
		return;
	}
	s->fresh = index_freshness(s->worker->index, o);
	hit(s, false);
}

/* The validation is over, and the stored response is used. */
static void deliver_stale(struct serve *s, bool stale)
{
	drop_object(s);
	s->object = s->stale;
	s->stale = NULL;
	s->fresh = index_freshness(s->worker->index, s->object);
	hit(s, stale);
}

/* If the origin fails, a stale object serves, unless it was purged meanwhile. */
static void fetch_failed(struct serve *s)
{
	struct freshness fresh;
	if (!s->stale) {
		answer_error(s, s->object->fail_status, "The origin did not respond.");
		return;
	}
	fresh = index_freshness(s->worker->index, s->stale);
	if (index_holds(s->worker->index, s->stale) && policy_use_on_error(&fresh, now_of(s)))
		deliver_stale(s, true);
	else
		answer_unusable(s);
}

/* The object that s waits on has changed. */
static void progress(struct serve *s)
{
	if (s->step == RELAY || s->step == DONE || !s->object)
		return;
	if (s->step == DELIVER) {
		deliver(s);
		return;
	}
	switch (object_state(s->object)) {
	case OBJECT_BUSY:
		break;
	case OBJECT_FAILED:
		fetch_failed(s);
		break;
	case OBJECT_UNCHANGED:
		deliver_stale(s, false);
		break;
	case OBJECT_STREAMING:
	case OBJECT_SEALED:
	case OBJECT_OVERFLOWED:
	case OBJECT_HIT_FOR_MISS:
		woken(s);
		break;
	}
}

/* ---- purging */

static bool is_purger(const struct edge_config *c, const struct addr *a)
{
	for (unsigned i = 0; i < c->n_purge_from; i++)
		if (addr_eq_ip(&c->purge_from[i], a))
			return true;
	return false;
}

/*
 * The peer and every address in X-Forwarded-For must be allowed: a board also sends requests of others, as its lbd does.
 * X-Forwarded-For counts here even from peers that are not trusted, since it can only take the permission away.
 */
static bool may_purge(const struct edge_config *c, const struct http_exchange *x)
{
	const struct http_field *f;
	struct addr client;
	struct str item;
	struct err e;
	for (unsigned i = 0; (f = http_next(x->head, HTTP_F_X_FORWARDED_FOR, &i));)
		for (struct str rest = f->value; str_list_next(&rest, &item);)
			if (addr_parse_ip(&client, item, &e) < 0 || !is_purger(c, &client))
				return false;
	return is_purger(c, x->peer);
}

/* PURGE removes the URI's variants; with X-Purge-Method: soft they only become stale, with regex and a target that
 * ends in .* all keys with that prefix are removed. */
static void purge(struct serve *s)
{
	const struct http_field *how = http_find(s->x->head, STR("X-Purge-Method"));
	struct str method = how ? how->value : STR("default");
	bool soft = str_eq_nocase(method, STR("soft"));
	unsigned n;
	edge_worker_count(s->worker, STAT_purges);
	if (str_eq_nocase(method, STR("regex")) && str_ends(s->key.bytes, STR(".*")))
		n = index_purge_prefix(s->worker->index, str_of(s->key.bytes.p, s->key.bytes.n - 2),
				       false);
	else
		n = index_purge(s->worker->index, s->hash, s->key.bytes, soft);
	struct str body = arena_printf(&s->x->arena, "Purged %u\n", n);
	struct http_fields f;
	http_fields_init(&f, &s->x->arena, 32);
	http_fields_add(&f, STR("Content-Type"), STR("text/plain"));
	struct http_response r = {.status = 200,
				  .reason = STR("Purged"),
				  .blocks = 1,
				  .fields = {http_fields_block(&f)}};
	http_exchange_reply(s->x, &r, body);
}

static void answer_health(struct http_exchange *x)
{
	struct http_fields f;
	http_fields_init(&f, &x->arena, 64);
	http_fields_add(&f, STR("Content-Type"), STR("text/plain"));
	http_fields_add(&f, STR("Cache-Control"), STR("no-store"));
	struct http_response r = {.status = 200, .blocks = 1, .fields = {http_fields_block(&f)}};
	http_exchange_reply(x, &r, STR("ok\n"));
}

/* ---- called by the worker */

void serve_begin(struct http_exchange *x)
{
	struct edge_worker *w = edge_worker_of(x);
	const struct edge_settings *settings = conf_of(w->base.gen)->settings;
	x->user = NULL;
	edge_worker_count(w, STAT_requests);
	if (str_eq(x->head->target, settings->health_path)) {
		answer_health(x);
		return;
	}
	struct serve *s = ARENA_NEW(&x->arena, struct serve);
	MUST(s); /* the arena begins with a block far larger than this */
	MAGIC_SET(s, SERVE_MAGIC);
	list_add(&w->serves, &s->in_worker);
	s->x = x;
	s->worker = w;
	s->gen = daemon_ref(w->base.gen);
	s->leader = (struct leader){.magic = LEADER_MAGIC,
				    .x = x,
				    .begun = relay_begun,
				    .interim = relay_interim,
				    .head = relay_head,
				    .more = relay_more,
				    .failed = relay_failed,
				    .writable = relay_writable};
	x->user = s;
	if (x->head->method == HTTP_PURGE && !may_purge(conf_of(s->gen), x)) {
		answer_error(s, 403, "You may not purge from here.");
		return;
	}
	http_forwarded_filter(x->head, HTTP_FORWARDED_CACHED |
					       (nets_contain(&conf_of(s->gen)->trust, x->peer)
							? HTTP_FORWARDED_TRUSTED
							: 0));
	s->key = key_of(&x->arena, x->head);
	if (!s->key.bytes.p) {
		answer_error(s, 414, "The URI is too long.");
		return;
	}
	s->hash = index_hash(w->index, s->key.bytes);
	if (x->head->method == HTTP_PURGE)
		purge(s);
	else if (key_bypass(settings, x->head, &s->how))
		pass(s);
	else
		look(s);
}

void serve_readable(struct http_exchange *x)
{
	struct serve *s = serve_of(x);
	if (s->leader.fetch)
		relayed(s, http_relay_request(&s->relay));
}

void serve_writable(struct http_exchange *x)
{
	struct serve *s = serve_of(x);
	if (s->step == RELAY)
		relayed(s, http_relay_response(&s->relay));
	else
		deliver(s);
}

/* ---- invariants */

static const struct serve *listed(const struct list *l)
{
	const struct serve *s = container_of_const(l, struct serve, in_worker);
	MAGIC_CHECK(s, SERVE_MAGIC);
	return s;
}

unsigned serve_check(const struct edge_worker *w)
{
	const struct list *l;
	LIST_EACH(l, &w->serves) {
		const struct serve *s = listed(l);
		MAGIC_CHECK(&s->leader, LEADER_MAGIC);
		MUST(s->worker == w && s->x->user == s);
		/* A request without a response waits for something. */
		MUST(s->x->status || s->leader.fetch || s->waiter.object);
		MUST(!s->waiter.object || (s->waiter.object == s->object && s->waiter.ticket));
		MUST(s->step != DELIVER || s->object);
		if (s->relay.magic) {
			http_relay_check(&s->relay);
			pipes_found(&w->base.worker->pipes, &s->relay.request.pipe);
			pipes_found(&w->base.worker->pipes, &s->relay.response.pipe);
		}
	}
	return list_check(&w->serves);
}

void serve_each(const struct edge_worker *w,
		void (*one)(const struct object *object, const struct object *stale,
			    const struct object *waits, void *arg),
		void *arg)
{
	const struct list *l;
	LIST_EACH(l, &w->serves)
		one(listed(l)->object, listed(l)->stale, listed(l)->waiter.object, arg);
}
