// SPDX-License-Identifier: MIT
// TEST-OF: lb
/* lbd's handlers over a transport that is none of HTTP/1.1's, before real servers: they cannot tell. */
#include "memory_transport.h"
#include "origin.h"

#include <stdio.h>

#include "base/clock.h"
#include "lb_worker.h"
#include "proxy.h"
#include "rig_socket.h"
#include "server.h"

static struct {
	struct worker_set *set;
	struct worker *thread;
	struct lb_worker *worker;
	struct daemon_generation gen;
	struct pools *pools;
	struct stats stats;
	struct listener listener;
	struct origin origin;
} lb;

/* ---- the servers: they answer by target */

static char big[1u << 20];

static void answer(struct origin_call *c)
{
	struct str t = c->head->target;
	if (str_eq(t, STR("/echo"))) {
		origin_reply(c, "200 OK", "X-Served: yes\r\n", c->body);
	} else if (str_eq(t, STR("/big"))) {
		origin_reply(c, "200 OK", "", str_of(big, sizeof(big)));
	} else if (str_eq(t, STR("/chunked"))) {
		origin_say(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
		usleep(10000); /* a packet of its own */
		origin_say(c, "3\r\ndef\r\n0\r\n\r\n");
	} else if (str_eq(t, STR("/hints"))) {
		origin_say(c, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
		usleep(10000); /* a packet of its own */
		origin_reply(c, "200 OK", "", STR("hinted"));
	} else if (str_eq(t, STR("/wait"))) {
		origin_wait(c);
		origin_reply(c, "200 OK", "", STR("waited"));
	} else if (str_eq(t, STR("/gone"))) {
		origin_reply(c, "404 Not Found", "", STR("no such page"));
	} else if (str_eq(t, STR("/large"))) {
		char fields[12000];
		memset(fields, 'f', sizeof(fields));
		memcpy(fields, "X-Large: ", 9);
		memcpy(fields + sizeof(fields) - 3, "\r\n", 3);
		origin_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n");
		origin_say(c, fields);
		origin_say(c, "\r\n");
		origin_wait(c);
		origin_say(c, "a part of the body");
		c->close = true;
	} else if (str_eq(t, STR("/cut"))) {
		origin_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
		c->close = true;
	} else if (str_eq(t, STR("/drop"))) {
		c->close = true;
	} else if (str_eq(t, STR("/bad"))) {
		origin_say(c, "SMTP ready\r\n\r\n");
		c->close = true;
	} else {
		origin_reply(c, "200 OK", "X-Served: yes\r\n", c->head->target);
	}
}

/* ---- a worker's side of lbd, without the daemon around it */

static int worker_start(struct worker *w, void *arg UNUSED)
{
	struct http_server_conf c = {.max_conns = 1};
	lb.thread = w;
	lb.worker = def_xcalloc_lines(sizeof(*lb.worker));
	lb.worker->base = (struct shell_worker){.magic = SHELL_WORKER_MAGIC,
						.worker = w,
						.gen = daemon_ref(&lb.gen),
						.stats = stats_cells(&lb.stats, 0, 0, 0),
						.idle = 16};
	w->ctx = lb.worker;
	lb.worker->base.server = http_server_new(w, &lb_worker_server_ops, &c, lb.worker);
	/* As lb_worker_init(), whose table of counters is a shell's. */
	list_init(&lb.worker->proxies);
	lb.worker->idle.max = 16;
	lb.worker->stats = &lb.stats;
	access_log_init(&lb.worker->log);
	deadline_class_init(&lb.worker->on_silence, w->loop, CLOCK_SECOND, proxy_silent);
	return 0;
}

static unsigned attempts(const struct server *s, void *arg UNUSED)
{
	return proxy_attempts(lb.worker, s);
}

static void worker_stopped(struct worker *w UNUSED)
{
	assert_int_equal(lb.worker->running, 0);
	lb_worker_check(&lb.worker->base);
	server_check(lb.pools, attempts, NULL);
	http_server_free(lb.worker->base.server);
	lb_worker_fini(&lb.worker->base);
	lb.gen.refs--; /* it is not on the heap */
	free(lb.worker);
}

static const struct worker_ops worker_ops = {.start = worker_start, .stop = worker_stopped};

static void configure(const char *text)
{
	struct conf_errors errors;
	struct err e;
	struct daemon_generation *g = &lb.gen;
	MAGIC_SET(g, DAEMON_GENERATION_MAGIC);
	g->refs = 1;
	arena_init(&g->arena, NULL, 0, ARENA_UNLIMITED);
	conf_errors_init(&errors, &g->arena);
	g->conf = conf_read_text("f", str_c(text), conf_lb_schema, conf_lb_schema_n, &g->arena,
				 &errors);
	conf_build(g, &errors);
	if (errors.n)
		conf_errors_print(&errors, stderr);
	assert_int_equal(errors.n, 0);
	lb.pools = server_pools_new();
	assert_true(server_attach(lb.pools, g->config, &e));
	server_apply_weights(g->config);
	MAGIC_SET(&lb.listener, LISTENER_MAGIC);
	lb.listener.addr = conf_of(g)->binds[0].addr;
}

static uint16_t closed_port(void)
{
	struct origin o;
	origin_start(&o, answer);
	uint16_t port = addr_port(&o.addr);
	origin_stop(&o);
	return port;
}

static int start(bool with_dead)
{
	char text[1024];
	struct err e;
	memset(&lb, 0, sizeof(lb));
	rig_fill(big, sizeof(big), 0);
	origin_start(&lb.origin, answer);
	int n = snprintf(text, sizeof(text),
			 "[lb]\naccess-log = no\n[frontend w]\nbind = 127.0.0.1:1\npool = p\n"
			 "[pool p]\nretries = 2\n"
			 "[server live]\npool = p\naddress = 127.0.0.1:%u\n",
			 addr_port(&lb.origin.addr));
	if (with_dead)
		snprintf(text + n, sizeof(text) - (size_t)n,
			 "[server dead]\npool = p\naddress = 127.0.0.1:%u\n", closed_port());
	configure(text);
	stats_create(&lb.stats, "/nowhere/at/all", stats_kinds, (unsigned)stats_kinds_n, 1, &e);
	stats_attach(&lb.stats, lb.gen.config);
	lb.set = worker_set_start(1, 100, &worker_ops, NULL);
	return lb.set ? 0 : -1;
}

static int setup(void **state UNUSED)
{
	return start(false);
}

static int setup_two(void **state UNUSED)
{
	return start(true);
}

static int teardown(void **state UNUSED)
{
	worker_set_join(lb.set);
	origin_stop(&lb.origin);
	stats_fini(&lb.stats);
	server_pools_free(lb.pools);
	arena_fini(&lb.gen.arena);
	return 0;
}

static uint64_t counted(unsigned stat)
{
	return stats_value(&lb.stats, 0, 0, stat);
}

static struct memory_request request(const char *method, const char *target)
{
	struct err e;
	struct memory_request r = {
		.method = method, .target = target, .host = "pi.example", .tag = &lb.listener};
	MUST(addr_parse(&r.peer, STR("192.0.2.7:1234"), 0, &e) == 0);
	return r;
}

static struct memory_exchange *begin(const struct memory_request *r)
{
	return memory_ask(lb.thread, lb_worker_server_ops.handler, r);
}

/* To its end. */
static struct memory_exchange *ask(const char *method, const char *target)
{
	struct memory_request r = request(method, target);
	struct memory_exchange *m = begin(&r);
	memory_wait(m);
	return m;
}

static void check_all(void *arg UNUSED)
{
	lb_worker_check(&lb.worker->base);
	server_check(lb.pools, attempts, NULL);
}

static void expect(struct memory_exchange *m, uint16_t status, const char *body)
{
	unit_on_worker(lb.thread, check_all, NULL);
	assert_int_equal(m->why, HTTP_END_DONE);
	assert_true(m->whole);
	assert_int_equal(m->status, status);
	if (body)
		assert_string_equal(m->body ? m->body : "", body);
	memory_free(m);
}

/* The second goes to the server that is not there, and is redispatched. */
static void a_get_is_redispatched(void **state UNUSED)
{
	struct memory_exchange *m = ask("GET", "/page");
	assert_string_equal(memory_field(m, "X-Served"), "yes");
	expect(m, 200, "/page");
	assert_int_equal(counted(STAT_redispatches), 0);
	expect(ask("GET", "/again"), 200, "/again");
	assert_int_equal(counted(STAT_redispatches), 1);
	assert_int_equal(counted(STAT_connect_errors), 1);
	assert_int_equal(counted(STAT_requests), 2);
	assert_int_equal(counted(STAT_responses_2xx), 2);
}

static void closed_may_come_later(void **state UNUSED)
{
	struct memory_request r = request("GET", "/page");
	r.late_close = true;
	struct memory_exchange *m = begin(&r);
	memory_wait(m);
	expect(m, 200, "/page");
}

static void a_head_has_a_length_and_no_body(void **state UNUSED)
{
	struct memory_exchange *m = ask("HEAD", "/page");
	assert_int_equal(m->framing, HTTP_FRAMING_NONE);
	assert_int_equal(m->length, 5);
	expect(m, 200, "");
}

static void a_body_of_known_and_unknown_length(void **state UNUSED)
{
	for (int known = 0; known < 2; known++) {
		struct memory_request r = request("POST", "/echo");
		r.has_body = true;
		r.body_length = known ? 26 : HTTP_NO_LENGTH;
		struct memory_exchange *m = begin(&r);
		for (int i = 0; i < 26; i++) {
			char c = (char)('a' + i);
			memory_body(m, &c, 1, i == 25);
		}
		memory_wait(m);
		expect(m, 200, "abcdefghijklmnopqrstuvwxyz");
	}
	/* The end of a body alone. */
	struct memory_request r = request("PUT", "/echo");
	r.has_body = true;
	r.body_length = HTTP_NO_LENGTH;
	struct memory_exchange *m = begin(&r);
	memory_body(m, "abc", 3, false);
	memory_taken(m);
	memory_body(m, NULL, 0, true);
	memory_wait(m);
	expect(m, 200, "abc");
}

static void answers_of_unknown_length(void **state UNUSED)
{
	struct memory_exchange *m = ask("GET", "/chunked");
	assert_int_equal(m->framing, HTTP_FRAMING_OPEN);
	expect(m, 200, "abcdef");
}

static void interim_responses(void **state UNUSED)
{
	struct memory_exchange *m = ask("GET", "/hints");
	assert_int_equal(m->interims, 1);
	assert_int_equal(m->interim[0], 103);
	assert_string_equal(m->interim_fields[0], "Link: </a>\r\n");
	expect(m, 200, "hinted");
}

static void errors(void **state UNUSED)
{
	expect(ask("GET", "/gone"), 404, "no such page");
	struct memory_exchange *m = ask("GET", "/drop");
	assert_non_null(strstr(m->body, "502"));
	expect(m, 502, NULL);
	expect(ask("GET", "/bad"), 502, NULL);
	m = ask("GET", "/cut");
	assert_int_equal(m->why, HTTP_END_CUT);
	assert_int_equal(m->status, 200);
	assert_false(m->whole);
	assert_string_equal(m->body, "short");
	memory_free(m);
}

/* The client does not read the page that it gets instead; the server's body has nowhere to go meanwhile. */
static void an_answer_that_does_not_fit(void **state UNUSED)
{
	struct memory_request r = request("GET", "/large");
	r.memory = 10000;
	r.unread = true;
	struct memory_exchange *m = begin(&r);
	assert_soon(m->responded);
	unit_on_worker(lb.thread, check_all, NULL);
	lb.origin.gate = true;
	usleep(20000); /* time for bytes of the body to come */
	assert_false(m->closed);
	memory_break(m, HTTP_END_CLIENT);
	assert_int_equal(m->status, 502);
	memory_free(m);
	assert_int_equal(counted(STAT_response_errors), 1);
}

static void a_slow_consumer(void **state UNUSED)
{
	struct memory_request r = request("GET", "/big");
	r.room = 1000;
	struct memory_exchange *m = begin(&r);
	int64_t until_us = clock_now_us() + UNIT_WAIT_US;
	while (!m->closed && clock_now_us() < until_us) {
		int seen = m->short_writes;
		for (int i = 0; i < 100 && m->short_writes == seen && !m->closed; i++)
			usleep(10); /* it reads on when no more is taken, or a moment later */
		memory_room(m, 10007);
	}
	assert_true(m->closed);
	assert_int_equal(m->body_n, sizeof(big));
	assert_memory_equal(m->body, big, sizeof(big));
	assert_true(m->short_writes > 20);
	expect(m, 200, NULL);
}

static void breaks_off_while_it_waits(void **state UNUSED)
{
	struct memory_request r = request("GET", "/wait");
	struct memory_exchange *m = begin(&r);
	assert_reaches(lb.origin.calls, 1);
	memory_half_close(m); /* this one still wants its answer */
	assert_false(m->closed);
	memory_break(m, HTTP_END_CLIENT);
	assert_true(m->closed);
	assert_int_equal(m->status, 0);
	memory_free(m);
	assert_int_equal(counted(STAT_client_aborts), 1);
	lb.origin.gate = true;
	expect(ask("GET", "/after"), 200, "/after");
}

static void half_closes_while_it_waits(void **state UNUSED)
{
	struct memory_request r = request("GET", "/wait");
	struct memory_exchange *m = begin(&r);
	assert_reaches(lb.origin.calls, 1);
	memory_half_close(m);
	lb.origin.gate = true;
	memory_wait(m);
	expect(m, 200, "waited");
}

static void breaks_off_within_a_body(void **state UNUSED)
{
	struct memory_request r = request("POST", "/echo");
	r.has_body = true;
	r.body_length = 100;
	struct memory_exchange *m = begin(&r);
	memory_body(m, "abc", 3, false);
	memory_taken(m);
	memory_break(m, HTTP_END_BODY_TIMEOUT);
	memory_free(m);
	r = request("GET", "/big");
	r.room = 1000;
	m = begin(&r);
	assert_soon(m->short_writes);
	memory_break(m, HTTP_END_SEND_TIMEOUT);
	memory_free(m);
	assert_int_equal(counted(STAT_client_aborts), 2);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_get_is_redispatched, setup_two, teardown),
		T(closed_may_come_later),
		T(a_head_has_a_length_and_no_body),
		T(a_body_of_known_and_unknown_length),
		T(answers_of_unknown_length),
		T(interim_responses),
		T(errors),
		T(an_answer_that_does_not_fit),
		T(a_slow_consumer),
		T(breaks_off_while_it_waits),
		T(half_closes_while_it_waits),
		T(breaks_off_within_a_body),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
