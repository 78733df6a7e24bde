// SPDX-License-Identifier: MIT
// TEST-OF: edge
/* edged's handlers over a transport that is none of HTTP/1.1's, before a real origin: they cannot tell. */
#include "memory_transport.h"
#include "origin.h"

#include <stdio.h>

#include "base/clock.h"
#include "fetch.h"
#include "edge_worker.h"
#include "rig_socket.h"
#include "serve.h"

static struct {
	struct worker_set *set;
	struct edge_worker *workers[2];
	struct daemon_generation gen;
	struct stats stats;
	struct store store;
	struct index *index;
	struct budget *calls;
	struct origin origin;
	_Atomic int full, conditional; /* answers of /stale */
} edge;

static char big[1u << 20];

/* ---- the origin: it answers by target */

static void answer(struct origin_call *c)
{
	struct str t = c->head->target;
	const char *fresh = "Cache-Control: max-age=60\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n";
	if (str_eq(t, STR("/page"))) {
		origin_reply(c, "200 OK", "Cache-Control: max-age=60\r\nETag: \"e\"\r\n",
			     STR("page"));
	} else if (str_eq(t, STR("/stale"))) {
		bool same = http_has(c->head, HTTP_F_IF_NONE_MATCH);
		edge.conditional += same;
		edge.full += !same;
		if (same)
			origin_say(
				c,
				"HTTP/1.1 304 Not Modified\r\nCache-Control: max-age=0\r\nETag: \"s\"\r\n\r\n");
		else
			origin_reply(c, "200 OK", "Cache-Control: max-age=0\r\nETag: \"s\"\r\n",
				     STR("stale"));
	} else if (str_eq(t, STR("/private"))) {
		origin_reply(c, "200 OK", "Cache-Control: no-store\r\n", STR("private"));
	} else if (str_eq(t, STR("/echo"))) {
		origin_reply(c, "200 OK", "", c->body);
	} else if (str_eq(t, STR("/big"))) {
		origin_reply(c, "200 OK", fresh, str_of(big, sizeof(big)));
	} else if (str_eq(t, STR("/wait"))) {
		origin_wait(c);
		origin_reply(c, "200 OK", "Cache-Control: max-age=60\r\n", STR("waited"));
	} else if (str_eq(t, STR("/drip"))) {
		/* Its head and a part at once, the rest once the gate is open. */
		origin_say(
			c,
			"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
		origin_wait(c);
		origin_say(c, "7\r\n, whole\r\n0\r\n\r\n");
	} else if (str_eq(t, STR("/hints"))) {
		origin_say(c, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
		usleep(10000); /* a packet of its own */
		origin_reply(c, "200 OK", "Cache-Control: max-age=60\r\n", STR("hinted"));
	} else if (str_eq(t, STR("/drop"))) {
		c->close = true;
	} else if (str_eq(t, STR("/fail"))) {
		origin_reply(c, "503 Later", "", STR("later"));
	} else if (str_eq(t, STR("/cut"))) {
		origin_say(
			c,
			"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 100\r\n\r\nshort");
		c->close = true;
	} else {
		origin_reply(c, "404 Not Found", "", STR("none"));
	}
}

/* ---- workers' sides of edged, without the daemon around them */

static int worker_start(struct worker *w, void *arg UNUSED)
{
	struct edge_worker *f = def_xcalloc_lines(sizeof(*f));
	f->base = (struct shell_worker){.magic = SHELL_WORKER_MAGIC,
					.worker = w,
					.gen = daemon_ref(&edge.gen),
					.stats = stats_cells(&edge.stats, 0, 0, w->id),
					.calls = edge.calls,
					.origin = 64,
					.idle = 16};
	w->ctx = f;
	edge.workers[w->id] = f;
	/* As edge_worker_init(), whose index is a daemon's. */
	list_init(&f->fetching);
	list_init(&f->serves);
	f->index = edge.index;
	f->idle.max = 16;
	deadline_class_init(&f->on_silence, w->loop, CLOCK_SECOND, serve_silent);
	struct http_client_conf c = HTTP_CLIENT_CONF_DEFAULT;
	c.idle = &f->idle;
	f->origin = http_client_new(w, &c);
	slab_init(&f->fetches, fetch_size(), 64, 16);
	return 0;
}

static void worker_stopped(struct worker *w)
{
	struct edge_worker *f = w->ctx;
	edge_worker_check(&f->base);
	edge_worker_fini(&f->base);
	edge.gen.refs--; /* it is not on the heap */
	free(f);
}

static const struct worker_ops worker_ops = {.start = worker_start, .stop = worker_stopped};

static int setup(void **state UNUSED)
{
	char text[512];
	struct conf_errors errors;
	struct err e;
	struct daemon_generation *g = &edge.gen;
	memset(&edge, 0, sizeof(edge));
	rig_fill(big, sizeof(big), 0);
	origin_start(&edge.origin, answer);
	snprintf(text, sizeof(text),
		 "[edge]\norigin = 127.0.0.1:%u\ngrace = 0\npurge-from = 192.0.2.7\n",
		 addr_port(&edge.origin.addr));
	MAGIC_SET(g, DAEMON_GENERATION_MAGIC);
	g->refs = 1;
	arena_init(&g->arena, NULL, 0, ARENA_UNLIMITED);
	conf_errors_init(&errors, &g->arena);
	g->conf = conf_read_text("f", str_c(text), conf_edge_schema, conf_edge_schema_n, &g->arena,
				 &errors);
	conf_build(g, &errors);
	if (errors.n)
		conf_errors_print(&errors, stderr);
	assert_int_equal(errors.n, 0);
	assert_int_equal(store_open(&edge.store, 8u << 20, -1, &e), 0);
	edge.index = index_new(&edge.store);
	stats_create(&edge.stats, "/nowhere/at/all", stats_kinds, (unsigned)stats_kinds_n, 2, &e);
	edge.set = worker_set_start(2, 100, &worker_ops, NULL);
	return edge.set ? 0 : -1;
}

static int teardown(void **state UNUSED)
{
	worker_set_join(edge.set);
	origin_stop(&edge.origin);
	index_free(edge.index);
	store_close(&edge.store);
	stats_fini(&edge.stats);
	arena_fini(&edge.gen.arena);
	return 0;
}

static uint64_t counted(unsigned stat)
{
	return stats_value(&edge.stats, 0, 0, stat);
}

static struct memory_request request(const char *method, const char *target)
{
	struct err e;
	struct memory_request r = {.method = method, .target = target, .host = "pi.example"};
	MUST(addr_parse(&r.peer, STR("192.0.2.7:1234"), 0, &e) == 0);
	return r;
}

static struct memory_exchange *begin_on(unsigned worker, const struct memory_request *r)
{
	return memory_ask(worker_set_at(edge.set, worker), edge_worker_server_ops.handler, r);
}

static struct memory_exchange *ask_with(const char *method, const char *target, const char *fields)
{
	struct memory_request r = request(method, target);
	r.fields = fields;
	struct memory_exchange *m = begin_on(0, &r);
	memory_wait(m);
	return m;
}

static struct memory_exchange *ask(const char *method, const char *target)
{
	return ask_with(method, target, NULL);
}

static void check_worker(void *arg)
{
	edge_worker_check(arg);
}

static void check_all(void)
{
	for (unsigned i = 0; i < 2; i++)
		unit_on_worker(worker_set_at(edge.set, i), check_worker, edge.workers[i]);
	index_check(edge.index);
}

/* how: a part of Cache-Status, or NULL. */
static void expect(struct memory_exchange *m, uint16_t status, const char *body, const char *how)
{
	check_all();
	assert_int_equal(m->why, HTTP_END_DONE);
	assert_true(m->whole);
	assert_int_equal(m->status, status);
	if (how) {
		const char *said = memory_field(m, "Cache-Status");
		assert_non_null(said);
		assert_non_null(strstr(said, how));
	}
	if (body)
		assert_string_equal(m->body ? m->body : "", body);
	memory_free(m);
}

static void miss_hit_and_not_modified(void **state UNUSED)
{
	expect(ask("GET", "/page"), 200, "page", "fwd=uri-miss");
	expect(ask("GET", "/page"), 200, "page", "hit");
	struct memory_exchange *m = ask_with("GET", "/page", "If-None-Match: \"e\"\r\n");
	assert_int_equal(m->framing, HTTP_FRAMING_NONE);
	assert_string_equal(memory_field(m, "ETag"), "\"e\"");
	expect(m, 304, "", NULL);
	m = ask("HEAD", "/page");
	assert_int_equal(m->framing, HTTP_FRAMING_NONE);
	assert_int_equal(m->length, 4);
	expect(m, 200, "", "hit");
	assert_reaches(edge.origin.calls, 1);
	assert_int_equal(counted(STAT_hits), 3);
	assert_int_equal(counted(STAT_misses), 1);
	assert_int_equal(counted(STAT_not_modified), 1);
}

static void closed_may_come_later(void **state UNUSED)
{
	for (int i = 0; i < 2; i++) {
		struct memory_request r = request("GET", "/page");
		r.late_close = true;
		struct memory_exchange *m = begin_on(0, &r);
		memory_wait(m);
		expect(m, 200, "page", i ? "hit" : "fwd=uri-miss");
	}
}

static void stale_is_validated(void **state UNUSED)
{
	expect(ask("GET", "/stale"), 200, "stale", "fwd=uri-miss");
	for (int i = 0; i < 2; i++)
		expect(ask("GET", "/stale"), 200, "stale", "fwd=stale");
	assert_int_equal(edge.full, 1);
	assert_int_equal(edge.conditional, 2);
	assert_int_equal(counted(STAT_revalidated), 2);
}

static void what_is_not_stored_is_passed(void **state UNUSED)
{
	for (int i = 0; i < 3; i++)
		expect(ask("GET", "/private"), 200, "private", NULL);
	assert_reaches(edge.origin.calls, 3);
	assert_int_equal(counted(STAT_hits), 0);
	expect(ask("HEAD", "/private"), 200, "", NULL);
	expect(ask("GET", "/none"), 404, "none", NULL);
}

static void a_body_in_pieces(void **state UNUSED)
{
	for (int known = 0; known < 2; known++) {
		struct memory_request r = request("POST", "/echo");
		r.has_body = true;
		r.body_length = known ? 26 : HTTP_NO_LENGTH;
		struct memory_exchange *m = begin_on(0, &r);
		for (int i = 0; i < 26; i++) {
			char c = (char)('a' + i);
			memory_body(m, &c, 1, i == 25);
		}
		memory_wait(m);
		expect(m, 200, "abcdefghijklmnopqrstuvwxyz", NULL);
	}
	assert_int_equal(counted(STAT_passes), 2);
}

static void errors(void **state UNUSED)
{
	expect(ask("GET", "/drop"), 502, NULL, NULL);
	expect(ask("GET", "/fail"), 503, "later", NULL);
	struct memory_exchange *m = ask("GET", "/cut");
	assert_int_equal(m->why, HTTP_END_CUT);
	assert_false(m->whole);
	memory_free(m);
	expect(ask_with("GET", "/never", "Cache-Control: only-if-cached\r\n"), 504, NULL, NULL);
}

static void interim_responses(void **state UNUSED)
{
	struct memory_exchange *m = ask("GET", "/hints");
	assert_int_equal(m->interims, 1);
	assert_int_equal(m->interim[0], 103);
	assert_string_equal(m->interim_fields[0], "Link: </a>\r\n");
	expect(m, 200, "hinted", "fwd=uri-miss");
}

static void purging(void **state UNUSED)
{
	expect(ask("GET", "/page"), 200, "page", "fwd=uri-miss");
	expect(ask("PURGE", "/page"), 200, "Purged 1\n", NULL);
	expect(ask("GET", "/page"), 200, "page", "fwd=uri-miss");
}

/* Two clients of one object, on two workers, one of them slow; then one from the cache. */
static void slow_consumers(void **state UNUSED)
{
	struct memory_request r = request("GET", "/big");
	struct memory_exchange *m[3];
	r.room = 1000;
	m[0] = begin_on(0, &r);
	m[1] = begin_on(1, &r);
	for (int i = 0; i < 3; i++) {
		if (i == 2)
			m[2] = begin_on(0, &r);
		int64_t until_us = clock_now_us() + UNIT_WAIT_US;
		while (!m[i]->closed && clock_now_us() < until_us) {
			memory_room(m[i], 20011);
			usleep(100); /* it reads slowly */
		}
		assert_true(m[i]->closed);
		assert_int_equal(m[i]->body_n, sizeof(big));
		assert_memory_equal(m[i]->body, big, sizeof(big));
		assert_true(m[i]->short_writes > 10);
		expect(m[i], 200, NULL, i == 2 ? "hit" : NULL);
	}
	assert_reaches(edge.origin.calls, 1);
	assert_int_equal(counted(STAT_misses), 1);
}

/* Clients that wait for one fetch: one leaves, one half-closes, and the others' responses do not change. */
static void waiting_together(void **state UNUSED)
{
	struct memory_request r = request("GET", "/wait");
	struct memory_exchange *m[6];
	for (unsigned i = 0; i < 6; i++)
		m[i] = begin_on(i % 2, &r);
	assert_reaches(edge.origin.calls, 1);
	memory_break(m[2], HTTP_END_CLIENT);
	memory_break(m[3], HTTP_END_CLIENT);
	memory_half_close(m[4]);
	edge.origin.gate = true;
	for (int i = 0; i < 6; i++) {
		memory_wait(m[i]);
		if (i == 2 || i == 3)
			memory_free(m[i]);
		else
			expect(m[i], 200, "waited", NULL);
	}
	assert_reaches(edge.origin.calls, 1);
}

/* The leader of the fetch leaves: it goes on for the others. */
static void the_leader_leaves(void **state UNUSED)
{
	struct memory_request r = request("GET", "/wait");
	struct memory_exchange *leader = begin_on(0, &r), *other = begin_on(1, &r);
	assert_reaches(edge.origin.calls, 1);
	memory_break(leader, HTTP_END_CLIENT);
	memory_free(leader);
	edge.origin.gate = true;
	memory_wait(other);
	expect(other, 200, "waited", NULL);
	expect(ask("GET", "/wait"), 200, "waited", "hit");
	assert_reaches(edge.origin.calls, 1);
}

/* An object is delivered while it fills, on the worker that fills it and on another; one leaves in the middle. */
static void following_an_object_that_fills(void **state UNUSED)
{
	struct memory_request r = request("GET", "/drip");
	struct memory_exchange *m[4];
	for (unsigned i = 0; i < 4; i++)
		m[i] = begin_on(i % 2, &r);
	for (int i = 0; i < 4; i++)
		assert_soon(m[i]->responded);
	memory_break(m[1], HTTP_END_CLIENT);
	memory_break(m[0], HTTP_END_SEND_TIMEOUT);
	edge.origin.gate = true;
	for (int i = 0; i < 4; i++) {
		memory_wait(m[i]);
		assert_int_equal(m[i]->framing, HTTP_FRAMING_OPEN);
		if (i < 2)
			memory_free(m[i]);
		else
			expect(m[i], 200, "half, whole", NULL);
	}
	assert_reaches(edge.origin.calls, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(miss_hit_and_not_modified),
		T(closed_may_come_later),
		T(stale_is_validated),
		T(what_is_not_stored_is_passed),
		T(a_body_in_pieces),
		T(errors),
		T(interim_responses),
		T(purging),
		T(slow_consumers),
		T(waiting_together),
		T(the_leader_leaves),
		T(following_an_object_that_fills),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
