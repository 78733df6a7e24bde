// SPDX-License-Identifier: MIT
/*
 * How exchanges end: closed() comes once, last, with the reason, whatever ends them; and what was handed to respond()
 * is not looked at any more once it came. All that the handler here hands over is freed in its closed().
 */
#include "http_rig.h"

#include <errno.h>
#include <sys/socket.h>

#define OWN_MAGIC 0x4f574e31u
#define BODY	  (6u << 20) /* more than the kernel takes for a client that does not read */

struct own {
	uint32_t magic;
	struct http_exchange *x;
	char *fields, *body;
	size_t size, sent;
	struct ev_timer drip;
	bool half_closed;
};

static struct {
	_Atomic int opened, closed, half_closed, drips;
	_Atomic int ends[HTTP_END_STOP + 1];
	_Atomic uint64_t bytes_out; /* of the one that was closed last */
	struct own *waiting;	    /* worker's thread: the last that came to /wait */
} seen;

static struct own *own_of(struct http_exchange *x)
{
	struct own *o = x->user;
	MAGIC_CHECK(o, OWN_MAGIC);
	return o;
}

/* A response whose parts are all on the heap. */
static struct http_response response_of(struct own *o, size_t size)
{
	static const char fields[] = "X-Heap: from the heap\r\n";
	o->fields = strdup(fields);
	o->size = size;
	o->body = def_xmalloc(size + 1);
	rig_fill(o->body, size, 0);
	return (struct http_response){.status = 200,
				      .blocks = 1,
				      .fields = {str_c(o->fields)},
				      .framing = HTTP_FRAMING_LENGTH,
				      .length = size};
}

static void reply(struct own *o, size_t size)
{
	struct http_response r = response_of(o, size);
	http_exchange_reply(o->x, &r, str_of(o->body, size));
}

static void stream(struct own *o)
{
	struct iovec v = {o->body + o->sent, o->size - o->sent};
	ssize_t took = http_exchange_write(o->x, &v, 1, HTTP_PIECE_LAST);
	if (took < 0)
		return;
	o->sent += (size_t)took;
	if (o->sent == o->size)
		http_exchange_end(o->x);
}

static void begin_stream(struct own *o)
{
	struct http_response r = response_of(o, BODY);
	http_exchange_respond(o->x, &r);
	stream(o);
}

/* Some of what was announced, then the end or an abort. */
static void cut(struct own *o, bool abort)
{
	struct http_response r = response_of(o, 1000);
	http_exchange_respond(o->x, &r);
	struct iovec v = {o->body, 500};
	MUST(http_exchange_write(o->x, &v, 1, HTTP_PIECE_SOME) == 500);
	(abort ? http_exchange_abort : http_exchange_end)(o->x);
}

static void on_drip(struct ev_loop *loop, struct ev_timer *t, int events UNUSED)
{
	struct own *o = container_of(t, struct own, drip);
	bool last = ++seen.drips % 6 == 0;
	struct iovec v = {o->body, 1};
	(void)http_exchange_write(o->x, &v, 1, last ? HTTP_PIECE_LAST : HTTP_PIECE_SOME);
	if (!last)
		return;
	ev_timer_stop(loop, t);
	http_exchange_end(o->x);
}

/* A response of 600 ms to a request whose body is never sent. */
static void drip(struct own *o)
{
	struct http_response r = response_of(o, 6);
	http_exchange_respond(o->x, &r);
	MUST(http_exchange_data(o->x).n == 0); /* it is waited for all the same */
	ev_timer_init(&o->drip, on_drip, .1, .1);
	ev_timer_start(o->x->worker->loop, &o->drip);
}

/* Until the end of the body; then an answer. */
static void read_body(struct own *o)
{
	for (;;) {
		struct str d = http_exchange_data(o->x);
		bool end = http_exchange_body_state(o->x) == HTTP_BODY_END;
		http_exchange_consume(o->x, d.n);
		if (end)
			reply(o, 10);
		if (end || !d.n)
			return;
	}
}

static void on_request(struct http_exchange *x)
{
	struct own *o = def_xcalloc(1, sizeof(*o));
	struct str t = x->head->target;
	MAGIC_SET(o, OWN_MAGIC);
	o->x = x;
	o->half_closed = x->client_closed;
	x->user = o;
	seen.opened++;
	if (str_eq(t, STR("/wait")))
		seen.waiting = o;
	else if (str_eq(t, STR("/stream")))
		begin_stream(o);
	else if (str_eq(t, STR("/large")))
		reply(o, BODY);
	else if (str_eq(t, STR("/short")))
		cut(o, false);
	else if (str_eq(t, STR("/abort")))
		cut(o, true);
	else if (str_eq(t, STR("/nothing")))
		http_exchange_abort(x);
	else if (str_eq(t, STR("/end")))
		http_exchange_end(x);
	else if (str_eq(t, STR("/drip")))
		drip(o);
	else if (str_eq(t, STR("/body")))
		read_body(o);
	else if (str_eq(t, STR("/error")))
		http_exchange_error(x, 503, "not now", STR_NONE);
	else
		reply(o, 10);
}

static void on_readable(struct http_exchange *x)
{
	struct own *o = own_of(x);
	if (x->status == 0)
		read_body(o);
}

static void on_writable(struct http_exchange *x)
{
	stream(own_of(x));
}

static void on_half_closed(struct http_exchange *x)
{
	struct own *o = own_of(x);
	MUST(!o->half_closed && x->client_closed && x->status == 0);
	o->half_closed = true;
	seen.half_closed++;
}

static void scrap(char *p, size_t n)
{
	if (p)
		memset(p, 'X', n);
	free(p);
}

static void on_closed(struct http_exchange *x, enum http_end why)
{
	struct own *o = own_of(x);
	ev_timer_stop(x->worker->loop, &o->drip);
	scrap(o->fields, o->fields ? strlen(o->fields) : 0);
	scrap(o->body, o->size);
	if (seen.waiting == o)
		seen.waiting = NULL;
	MAGIC_WIPE(o, OWN_MAGIC);
	free(o);
	seen.bytes_out = x->bytes_out;
	seen.ends[why]++;
	seen.closed++;
}

static const struct http_handler handler = {.request = on_request,
					    .readable = on_readable,
					    .writable = on_writable,
					    .half_closed = on_half_closed,
					    .closed = on_closed};

static int start(int64_t body_us, int64_t send_us)
{
	memset(&seen, 0, sizeof(seen));
	rig_defaults();
	rig.conf.handler = &handler;
	rig.conf.raw_origin = true;
	rig.conf.listener.body_us = body_us;
	rig.conf.listener.send_us = send_us;
	rig.conf.listener.idle_us = 30 * CLOCK_SECOND;
	rig.conf.client.connect_us = 5 * CLOCK_SECOND;
	return rig_begin();
}

static int setup(void **state UNUSED)
{
	return start(30 * CLOCK_SECOND, 30 * CLOCK_SECOND);
}

/* For tests in which the client stalls. */
static int setup_impatient(void **state UNUSED)
{
	return start(200 * CLOCK_MSEC, CLOCK_SECOND);
}

static int teardown(void **state)
{
	int result = rig_teardown(state);
	if (seen.opened != seen.closed)
		print_error("%d exchanges began, %d were closed\n", seen.opened, seen.closed);
	return seen.opened == seen.closed ? result : -1;
}

static int dial(void)
{
	return rig_dial_to(&rig.own_addr, 4096);
}

static void ask(int fd, const char *target)
{
	char request[128];
	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", target);
	rig_put(fd, request);
}

/* Exactly so many have ended, n of them so, and all invariants hold. */
static void ended(int all, enum http_end why, int n)
{
	assert_reaches(seen.closed, all);
	assert_int_equal(seen.ends[why], n);
	rig_check();
}

static void answer_waiting(void *arg UNUSED)
{
	MUST(seen.waiting);
	reply(seen.waiting, 10);
}

static void done(void **state UNUSED)
{
	int fd = dial();
	for (int i = 0; i < 5; i++) {
		ask(fd, "/");
		size_t size = strlen(rig_head(fd));
		char body[10];
		assert_int_equal(rig_get(fd, body, 10), 10);
		assert_reaches(seen.closed, i + 1);
		assert_int_equal(seen.bytes_out, size + 10);
	}
	ended(5, HTTP_END_DONE, 5);
	ask(fd, "/error");
	assert_non_null(strstr(rig_one(fd), "503"));
	ended(6, HTTP_END_DONE, 6);
	ask(fd, "/wait");
	assert_reaches(seen.opened, 7);
	rig_on_worker(answer_waiting, NULL);
	rig_one(fd);
	ended(7, HTTP_END_DONE, 7);
	close(fd);
}

/* closed() comes when the last byte has left, not before: what is still to go lies in memory of the handler's. */
static void done_for_a_slow_reader(void **state UNUSED)
{
	static const char *const targets[] = {"/stream", "/large"};
	for (int i = 0; i < 2; i++) {
		int fd = dial();
		ask(fd, targets[i]);
		assert_non_null(strstr(rig_head(fd), "X-Heap: from the heap\r\n"));
		usleep(100000); /* time to be closed too early */
		rig_check();
		assert_int_equal(seen.closed, 2 * i);
		assert_int_equal(rig_get_pattern(fd, BODY, 0, 0), BODY);
		ended(2 * i + 1, HTTP_END_DONE, 2 * i + 1);
		ask(fd, "/");
		rig_one(fd);
		ended(2 * i + 2, HTTP_END_DONE, 2 * i + 2);
		close(fd);
	}
}

static void cut_by_the_handler(void **state UNUSED)
{
	static const char *const targets[] = {"/short", "/abort", "/nothing", "/end"};
	for (int i = 0; i < 4; i++) {
		size_t n;
		int fd = dial();
		ask(fd, targets[i]);
		const char *got = rig_rest(fd, &n);
		assert_int_equal(strstr(got, "Content-Length: 1000") != NULL, i < 2);
		assert_int_equal(n == 0, i >= 2);
		ended(i + 1, HTTP_END_CUT, i + 1);
		close(fd);
	}
}

static void the_client_resets(void **state UNUSED)
{
	static const char *const targets[] = {"/wait", "/stream", "/large", "/body"};
	for (int i = 0; i < 4; i++) {
		int fd = dial();
		if (i < 3)
			ask(fd, targets[i]);
		else
			rig_put(fd,
				"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
		assert_reaches(seen.opened, i + 1);
		rig_check();
		rig_reset(fd);
		ended(i + 1, HTTP_END_CLIENT, i + 1);
	}
}

static void the_client_closes_inside_its_body(void **state UNUSED)
{
	static const char *const requests[] = {
		"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
		"POST /wait HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"};
	for (int i = 0; i < 2; i++) {
		int fd = dial();
		rig_put(fd, requests[i]);
		assert_reaches(seen.opened, i + 1);
		shutdown(fd, SHUT_WR);
		assert_true(rig_ended(fd));
		ended(i + 1, HTTP_END_CLIENT, i + 1);
		close(fd);
	}
	assert_int_equal(seen.half_closed, 0);
}

static void the_body_stalls(void **state UNUSED)
{
	int fd = dial();
	rig_put(fd, "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
	const char *answer = rig_one(fd);
	assert_non_null(strstr(answer, "408"));
	ended(1, HTTP_END_BODY_TIMEOUT, 1);
	assert_int_equal(seen.bytes_out, strlen(answer));
	close(fd);
}

static void the_body_is_broken(void **state UNUSED)
{
	int fd = dial();
	rig_put(fd,
		"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
	assert_reaches(seen.opened, 1);
	rig_put(fd, "zzz\r\n");
	assert_non_null(strstr(rig_one(fd), "400"));
	ended(1, HTTP_END_BODY_BROKEN, 1);
	close(fd);
	/* Once an answer has begun, it is cut. */
	fd = dial();
	rig_put(fd, "POST /drip HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
	rig_head(fd);
	rig_put(fd, "zzz\r\n");
	size_t n;
	rig_rest(fd, &n);
	assert_true(n < 6);
	ended(2, HTTP_END_BODY_BROKEN, 2);
	close(fd);
}

static void the_client_stops_reading(void **state UNUSED)
{
	static const char *const targets[] = {"/stream", "/large"};
	for (int i = 0; i < 2; i++) {
		int fd = dial();
		ask(fd, targets[i]);
		ended(i + 1, HTTP_END_SEND_TIMEOUT, i + 1);
		close(fd);
	}
}

static void retire_own(void *arg UNUSED)
{
	http_server_unlisten(rig.own, rig.own_fd);
}

/* The last connection of a retired listener goes by one of the listener's deadlines: both go at once. */
static void a_retired_listener_and_its_deadlines(void **state UNUSED)
{
	int fd = dial();
	ask(fd, "/large");
	assert_reaches(seen.opened, 1);
	rig_on_worker(retire_own, NULL);
	ended(1, HTTP_END_SEND_TIMEOUT, 1);
	close(fd);
}

static void the_server_is_freed(void **state UNUSED)
{
	static const char *const targets[] = {"/wait", "/stream", "/large", "/"};
	for (size_t i = 0; i < ARRAY_LEN(targets); i++)
		ask(dial(), targets[i]);
	assert_reaches(seen.opened, (int)ARRAY_LEN(targets));
	ended(1, HTTP_END_DONE, 1);
}

static int freed(void **state)
{
	int result = teardown(state);
	return seen.ends[HTTP_END_STOP] == 3 ? result : -1;
}

/* ---- a client that half-closes */

static void a_waiting_handler_hears_of_it_once(void **state UNUSED)
{
	for (int i = 0; i < 3; i++) {
		int fd = dial();
		if (i == 2)
			rig_put(fd,
				"POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
		else
			ask(fd, "/wait");
		if (i)
			assert_reaches(seen.opened, i + 1);
		shutdown(fd, SHUT_WR);
		assert_reaches(seen.half_closed, i + 1);
		usleep(20000); /* time to hear of it twice */
		rig_check();
		assert_int_equal(seen.half_closed, i + 1);
		rig_on_worker(answer_waiting, NULL);
		assert_non_null(strstr(rig_one(fd), "Connection: close\r\n"));
		assert_true(rig_ended(fd));
		ended(i + 1, HTTP_END_DONE, i + 1);
		close(fd);
	}
}

/* The first of two requests hears of it; the second knows from the start. */
static void pipelined_requests_hear_of_it(void **state UNUSED)
{
	int fd = dial();
	ask(fd, "/wait");
	ask(fd, "/wait");
	shutdown(fd, SHUT_WR);
	assert_reaches(seen.half_closed, 1);
	rig_on_worker(answer_waiting, NULL);
	assert_null(strstr(rig_one(fd), "Connection: close\r\n"));
	assert_reaches(seen.opened, 2);
	usleep(20000); /* time to hear of it too */
	assert_int_equal(seen.half_closed, 1);
	rig_on_worker(answer_waiting, NULL);
	assert_non_null(strstr(rig_one(fd), "Connection: close\r\n"));
	assert_true(rig_ended(fd));
	ended(2, HTTP_END_DONE, 2);
	close(fd);
}

static void a_handler_that_answers_does_not(void **state UNUSED)
{
	int fd = dial();
	ask(fd, "/stream");
	rig_head(fd);
	shutdown(fd, SHUT_WR);
	assert_int_equal(rig_get_pattern(fd, BODY, 0, 0), BODY);
	assert_true(rig_ended(fd));
	ended(1, HTTP_END_DONE, 1);
	assert_int_equal(seen.half_closed, 0);
	close(fd);
}

/* ---- early answers */

static void an_early_answer_outlives_the_body_timeout(void **state UNUSED)
{
	int fd = dial();
	rig_put(fd, "POST /drip HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
	assert_non_null(strstr(rig_head(fd), "Connection: close\r\n"));
	char got[6];
	assert_int_equal(rig_get(fd, got, 6), 6);
	ended(1, HTTP_END_DONE, 1);
	close(fd);
}

static void an_early_answer_is_relayed(void **state UNUSED)
{
	char got[6];
	int fd = rig_dial();
	int server = rig_pass(fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nsome");
	rig_put(server, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n");
	rig_head(fd);
	for (int i = 0; i < 6; i++) {
		usleep(100000); /* it drips, for longer than body_us */
		rig_put(server, "x");
		assert_int_equal(rig_get(fd, got, 1), 1);
	}
	assert_true(rig_ended(
		fd)); /* the rest of the body cannot be told from a next request any more */
	assert_reaches(rig.closed, 1);
	assert_int_equal(rig.last_end, HTTP_END_DONE);
	close(fd);
	close(server);
}

/* What would be its body is not let through as the next response's beginning. */
static void a_204_has_no_length(void **state UNUSED)
{
	int fd = rig_dial();
	int server = rig_pass(fd, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
	rig_put(server, "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nX-Y: z\r\n\r\nhello");
	assert_string_equal(rig_head(fd), "HTTP/1.1 204 No Content\r\nX-Y: z\r\n\r\n");
	close(server);
	rig_put(fd, "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
	server = rig_accept();
	assert_non_null(strstr(rig_head(server), "GET /2"));
	rig_answer(server, fd);
	close(server);
	close(fd);
}

/* ---- the server's side of a proxy */

/* A server that closes its idle connection just as it is taken. */
static void a_reused_connection_that_is_closing(void **state UNUSED)
{
	for (int i = 0; i < 30; i++) {
		int fd = rig_dial();
		int server = rig_pass(fd, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
		rig_put(server, "HTTP/1.1 204 OK\r\n\r\n");
		rig_head(fd);
		/* Both are readable when the worker next looks, now one first, now the other. */
		if (i % 3 == 0)
			close(server);
		rig_put(fd, "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
		if (i % 3 == 1)
			close(server);
		if (i % 3 == 2)
			rig_reset(server);
		server = rig_accept();
		assert_non_null(strstr(rig_head(server), "GET /2"));
		rig_put(server,
			"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
		assert_non_null(strstr(rig_one(fd), "\r\n\r\nok"));
		close(server);
		close(fd);
	}
	rig_check();
}

/* A body is offered while the connection to the server is still on its way: it waits for that. */
static void a_body_for_a_server_that_is_still_connecting(void **state UNUSED)
{
	/* A full queue of connections: the next one waits until the kernel sends its SYN again, after a second. */
	assert_int_equal(listen(rig.raw_fd, 0), 0);
	int filler = rig_dial_to(&rig.origin_addr, 0);
	int fd = rig_dial();
	rig_put(fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n");
	assert_reaches(rig.requests, 1);
	/* In packets of their own, each read while there is no connection yet. */
	rig_put(fd, "abc");
	usleep(50000);
	rig_put(fd, "def");
	usleep(50000);
	rig_check();
	close(rig_accept());
	int server = rig_accept();
	assert_non_null(strstr(rig_head(server), "Content-Length: 6"));
	char got[7] = "";
	assert_int_equal(rig_get(server, got, 6), 6);
	assert_string_equal(got, "abcdef");
	rig_answer(server, fd);
	close(filler);
	close(fd);
	close(server);
}

/* The same at the second attempt, after an idle connection broke, and the body turns out to be empty. */
static void an_empty_body_for_a_server_that_is_still_connecting(void **state UNUSED)
{
	int fd = rig_dial();
	rig_put(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	int idle = rig_accept();
	rig_head(idle);
	rig_put(idle, "HTTP/1.1 204 OK\r\n\r\n");
	rig_head(fd);
	assert_int_equal(listen(rig.raw_fd, 0), 0);
	int filler = rig_dial_to(&rig.origin_addr, 0);
	rig_put(fd, "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
	rig_head(idle);
	close(idle);
	assert_reaches(rig.stale, 1);
	rig_put(fd, "0\r\n\r\n");
	usleep(50000); /* it is read while there is no connection yet */
	close(rig_accept());
	int server = rig_accept();
	assert_non_null(strstr(rig_head(server), "Transfer-Encoding: chunked"));
	char got[6] = "";
	assert_int_equal(rig_get(server, got, 5), 5);
	assert_string_equal(got, "0\r\n\r\n");
	rig_answer(server, fd);
	close(filler);
	close(fd);
	close(server);
}

static struct budget *one;

static int setup_one_call(void **state UNUSED)
{
	memset(&seen, 0, sizeof(seen));
	one = budget_new(1);
	rig_defaults();
	rig.conf.raw_origin = true;
	rig.conf.client.budget = one;
	return rig_begin();
}

static int teardown_one_call(void **state)
{
	int result = teardown(state);
	assert_int_equal(budget_taken(one), 0);
	budget_free(one);
	return result;
}

/* The call that failed has given its place back: the next attempt may be made in failed(). */
static void another_attempt_where_one_call_is_allowed(void **state UNUSED)
{
	int fd = rig_dial();
	int server = rig_pass(fd, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
	rig_put(server, "HTTP/1.1 204 OK\r\n\r\n");
	rig_head(fd);
	assert_reaches(rig.closed, 1);
	assert_int_equal(budget_taken(one), 0);
	rig_put(fd, "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
	rig_head(server);
	close(server);
	server = rig_accept();
	assert_non_null(strstr(rig_head(server), "GET /2"));
	assert_int_equal(budget_taken(one), 1);
	rig_answer(server, fd);
	assert_int_equal(rig.stale, 1);
	close(fd);
	close(server);
}

int main(void)
{
#define T(f)	     cmocka_unit_test_setup_teardown(f, setup, teardown)
#define IMPATIENT(f) cmocka_unit_test_setup_teardown(f, setup_impatient, teardown)
	const struct CMUnitTest tests[] = {
		T(done),
		T(done_for_a_slow_reader),
		T(cut_by_the_handler),
		T(the_client_resets),
		T(the_client_closes_inside_its_body),
		IMPATIENT(the_body_stalls),
		T(the_body_is_broken),
		IMPATIENT(the_client_stops_reading),
		IMPATIENT(a_retired_listener_and_its_deadlines),
		cmocka_unit_test_setup_teardown(the_server_is_freed, setup, freed),
		T(a_waiting_handler_hears_of_it_once),
		T(pipelined_requests_hear_of_it),
		T(a_handler_that_answers_does_not),
		IMPATIENT(an_early_answer_outlives_the_body_timeout),
		IMPATIENT(an_early_answer_is_relayed),
		T(a_204_has_no_length),
		T(a_reused_connection_that_is_closing),
		T(a_body_for_a_server_that_is_still_connecting),
		T(an_empty_body_for_a_server_that_is_still_connecting),
		cmocka_unit_test_setup_teardown(another_attempt_where_one_call_is_allowed,
						setup_one_call, teardown_one_call),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
