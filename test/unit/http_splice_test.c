// SPDX-License-Identifier: MIT
/* Large response bodies through a proxy, from socket to socket by a pipe: whole, in order, and with every ending. */
#include "http_rig.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/socket.h>

#define MB (UINT64_C(1) << 20)

static int setup(void **state UNUSED)
{
	rig_defaults();
	rig.conf.raw_origin = true;
	rig.conf.listener.idle_us = 5 * CLOCK_SECOND;
	rig.conf.listener.send_us = 5 * CLOCK_SECOND;
	rig.conf.client.body_us = 5 * CLOCK_SECOND;
	return rig_begin();
}

/* For tests in which one side stalls. */
static int setup_impatient(void **state UNUSED)
{
	rig_defaults();
	rig.conf.raw_origin = true;
	rig.conf.listener.send_us = 400 * CLOCK_MSEC;
	rig.conf.client.body_us = 400 * CLOCK_MSEC;
	return rig_begin();
}

static const char *const ask11 = "GET /f HTTP/1.1\r\nHost: a\r\n\r\n";
static const char *const ask10 = "GET /f HTTP/1.0\r\nHost: a\r\n\r\n";

/* A response with that length has begun, at *server, which is accepted when it is -1. */
static void begin(int client, int *server, uint64_t length, struct rig_sender *s)
{
	char head[128];
	rig_put(client, ask11);
	if (*server < 0)
		*server = rig_accept();
	rig_head(*server);
	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %" PRIu64 "\r\n\r\n",
		 length);
	rig_put(*server, head);
	s->fd = *server;
	rig_send_start(s);
	assert_non_null(strstr(rig_head(client), "Content-Length: "));
}

static void all_of(int client, int *server, uint64_t length, int slow_us)
{
	struct rig_sender s = {.size = length};
	begin(client, server, length, &s);
	uint64_t got = rig_get_pattern(client, length, 0, slow_us);
	if (got != length)
		fail_msg("%" PRIu64 " bytes of %" PRIu64, got, length);
	rig_send_join(&s);
}

static void bodies_of_many_sizes(void **state UNUSED)
{
	int client = rig_dial(), server = -1;
	for (uint64_t n = 60000; n < 4 * MB; n += 37777)
		all_of(client, &server, n, 0);
	all_of(client, &server, 30 * MB, 0);
	for (uint64_t n = 0; n < 3; n++)
		all_of(client, &server, 16 * 65536 * (1 + n), 0);
	rig_check();
	assert_int_equal(rig_pipes_out(), 0);
	assert_int_equal(http_client_stats(rig.client)->connects, 1);
	assert_int_equal(rig.aborted, 0);
	close(client);
	close(server);
}

static void many_at_once(void **state UNUSED)
{
	enum { N = 8 };
	int client[N], server[N];
	struct rig_sender s[N];
	for (int i = 0; i < N; i++) {
		client[i] = rig_dial_to(&rig.proxy_addr, 65536);
		server[i] = -1;
		s[i] = (struct rig_sender){.size = 8 * MB}; /* more than the kernel takes unread */
		begin(client[i], &server[i], 8 * MB, &s[i]);
	}
	for (uint64_t at = 0; at < 8 * MB; at += MB / 4)
		for (int i = 0; i < N; i++)
			assert_int_equal(rig_get_pattern(client[i], MB / 4, at, 0), MB / 4);
	for (int i = 0; i < N; i++) {
		rig_send_join(&s[i]);
		close(client[i]);
		close(server[i]);
	}
	assert_int_equal(rig_pipes_out(), 0);
}

static void a_reader_that_is_slow(void **state UNUSED)
{
	int client = rig_dial_to(&rig.proxy_addr, 4096), server = -1;
	struct rig_sender s = {.size = MB};
	begin(client, &server, MB, &s);
	assert_int_equal(rig_get_pattern(client, 20000, 0, 10000), 20000);
	rig_check();
	assert_int_equal(rig_get_pattern(client, MB - 20000, 20000, 200), MB - 20000);
	rig_send_join(&s);
	all_of(client, &server, 200000, 0); /* and the connection goes on */
	close(client);
	close(server);
}

static void a_reader_that_stops(void **state UNUSED)
{
	int client = rig_dial_to(&rig.proxy_addr, 4096), server = -1;
	struct rig_sender s = {.size = 30 * MB};
	begin(client, &server, 30 * MB, &s);
	assert_reaches(rig.closed, 1);
	assert_int_equal(rig.last_end, HTTP_END_SEND_TIMEOUT);
	rig_send_join(&s);
	assert_true(s.sent < s.size);
	assert_int_equal(rig_pipes_out(), 0);
	close(client);
	close(server);
}

/* What the server says now is not kept back for what it may say later. */
static void a_server_that_drips(void **state UNUSED)
{
	int client = rig_dial(), server = -1;
	uint64_t at = 200000;
	struct rig_sender s = {.size = at};
	begin(client, &server, 20 * MB, &s);
	assert_int_equal(rig_get_pattern(client, at, 0, 0), at);
	rig_send_join(&s);
	rig_drip_pattern(server, client, at);
	close(client);
	close(server);
}

static void a_server_that_stalls(void **state UNUSED)
{
	int client = rig_dial(), server = -1;
	struct rig_sender s = {.size = MB};
	begin(client, &server, 2 * MB, &s);
	assert_int_equal(rig_get_pattern(client, 2 * MB, 0, 0), MB);
	assert_reaches(rig.closed, 1);
	assert_int_equal(rig.failed, 1);
	assert_int_equal(rig.last_end, HTTP_END_CUT);
	rig_send_join(&s);
	close(client);
	close(server);
}

static void a_server_that_cuts(void **state UNUSED)
{
	for (int reset = 0; reset < 2; reset++) {
		int client = rig_dial(), server = -1;
		struct rig_sender s = {.size = MB};
		begin(client, &server, 2 * MB, &s);
		/* All that it sent before arrives, and then the end: an incomplete message. */
		uint64_t got = rig_get_pattern(client, MB, 0, 0);
		rig_send_join(&s);
		if (reset)
			rig_reset(server);
		else
			close(server);
		assert_int_equal(got, MB);
		assert_true(rig_ended(client));
		assert_reaches(rig.closed, 1 + reset);
		assert_int_equal(rig.last_end, HTTP_END_CUT);
		close(client);
	}
	assert_int_equal(rig.failed, 2);
	assert_int_equal(rig_pipes_out(), 0);
}

/* Bytes that were in a pipe when its client went are never another client's. */
static void a_client_that_resets(void **state UNUSED)
{
	for (int i = 0; i < 20; i++) {
		int client = rig_dial_to(&rig.proxy_addr, 8192), server = -1;
		struct rig_sender s = {.size = 8 * MB};
		begin(client, &server, 8 * MB, &s);
		rig_get_pattern(client, 100000 + 7919u * (unsigned)i, 0, 0);
		rig_reset(client);
		assert_reaches(rig.closed, 2 * i + 1);
		assert_int_equal(rig.last_end, HTTP_END_CLIENT);
		rig_send_join(&s);
		close(server);
		client = rig_dial();
		server = -1;
		all_of(client, &server, MB, 0);
		close(client);
		close(server);
	}
	rig_check();
	assert_int_equal(rig_pipes_out(), 0);
}

/* One side's end of the head of a response, then n bytes until the connection ends. */
static void begin_until_close(int client, const char *ask, const char *head, struct rig_sender *s)
{
	rig_put(client, ask);
	s->fd = rig_accept();
	s->then_close = true;
	rig_head(s->fd);
	rig_put(s->fd, head);
	rig_send_start(s);
}

static void bodies_until_close(void **state UNUSED)
{
	static const uint64_t sizes[] = {0, 1, 100000, MB, 30 * MB};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		int client = rig_dial();
		struct rig_sender s = {.size = sizes[i]};
		begin_until_close(client, ask10, "HTTP/1.0 200 OK\r\n\r\n", &s);
		rig_head(client);
		assert_int_equal(rig_get_pattern(client, sizes[i] + 1, 0, 0), sizes[i]);
		assert_true(rig_ended(client));
		rig_send_join(&s);
		close(client);
	}
	assert_reaches(rig.closed, (int)ARRAY_LEN(sizes));
	assert_int_equal(rig.aborted, 0);
	assert_int_equal(rig_pipes_out(), 0);
}

/* Takes a chunked response off the wire; returns the payload's size if it is the pattern, whole and nothing else. */
static uint64_t chunked_rest(int fd)
{
	char mem[65536];
	struct http_body b;
	uint64_t done = 0;
	http_body_init(&b, HTTP_BODY_CHUNKED, 0);
	for (ssize_t n; (n = recv(fd, mem, sizeof(mem), 0)) > 0;) {
		size_t payload, used;
		http_body_take(&b, mem, (size_t)n, &payload, &used);
		for (size_t i = 0; i < payload; i++)
			if (mem[i] != rig_byte(done + i))
				return done + i;
		done += payload;
		if (b.state != HTTP_BODY_MORE)
			return b.state == HTTP_BODY_END && used == (size_t)n ? done : 0;
	}
	return UINT64_MAX;
}

static void a_body_until_close_becomes_chunked(void **state UNUSED)
{
	int client = rig_dial();
	struct rig_sender s = {.size = 10 * MB};
	begin_until_close(client, ask11, "HTTP/1.1 200 OK\r\n\r\n", &s);
	rig_head(client);
	assert_int_equal(chunked_rest(client), 10 * MB);
	rig_send_join(&s);
	close(client);
}

static void chunked_bodies(void **state UNUSED)
{
	static const size_t pieces[] = {3, 4096, 16384, 100000};
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		int client = rig_dial();
		struct rig_sender s = {
			.size = i ? 10 * MB : 30000, .piece = pieces[i], .chunked = true};
		begin_until_close(client, ask11,
				  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &s);
		rig_head(client);
		assert_int_equal(chunked_rest(client), s.size);
		rig_send_join(&s);
		close(client);
	}
	assert_reaches(rig.closed, (int)ARRAY_LEN(pieces));
	assert_int_equal(rig.aborted, 0);
}

/* All that was sent has arrived; then it is only the reset that says it was not the end. */
static void expect_reset(int client)
{
	char byte;
	assert_reaches(rig.closed, 1);
	assert_int_equal(rig.last_end, HTTP_END_CUT);
	assert_int_equal(recv(client, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	close(client);
}

/* Nothing tells an HTTP/1.0 client of a body's end but the connection's: a cut has to look unlike one. */
static void a_cut_is_seen_by_a_client_that_reads_until_close(void **state UNUSED)
{
	int client = rig_dial();
	int server = rig_pass(client, ask10);
	rig_put(server, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
	rig_head(client);
	char got[6] = "";
	assert_int_equal(rig_get(client, got, 5), 5);
	close(server);
	expect_reset(client);
}

static void a_reset_is_no_end_of_a_body_until_close(void **state UNUSED)
{
	static char body[100000];
	struct unit_hold hold;
	int client = rig_dial();
	int server = rig_pass(client, ask10);
	rig_put(server, "HTTP/1.1 200 OK\r\n\r\n!");
	rig_head(client);
	assert_int_equal(rig_get(client, body, 1), 1);
	/* So much at once goes by splice. */
	unit_hold(&hold, rig.worker);
	rig_fill(body, sizeof(body), 0);
	rig_put_n(server, body, sizeof(body));
	unit_release(&hold);
	assert_int_equal(rig_get_pattern(client, sizeof(body), 0, 0), sizeof(body));
	assert_int_equal(rig_pipes_out(), 1);
	rig_reset(server);
	expect_reset(client);
}

/* The same, but what meets the reset is a write of the request's body. */
static void a_reset_that_a_write_meets_is_no_end_either(void **state UNUSED)
{
	char got[5];
	struct unit_hold hold;
	int client = rig_dial();
	int server = rig_pass(client,
			      "POST /f HTTP/1.0\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
	rig_put(server, "HTTP/1.1 200 OK\r\n\r\nhello");
	rig_head(client);
	assert_int_equal(rig_get(client, got, 5), 5);
	/* The worker finds both at once. */
	unit_hold(&hold, rig.worker);
	rig_reset(server);
	rig_put(client, "more of the body");
	unit_release(&hold);
	expect_reset(client);
}

int main(void)
{
#define T(f)	     cmocka_unit_test_setup_teardown(f, setup, rig_teardown)
#define IMPATIENT(f) cmocka_unit_test_setup_teardown(f, setup_impatient, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(bodies_of_many_sizes),
		T(many_at_once),
		T(a_reader_that_is_slow),
		IMPATIENT(a_reader_that_stops),
		T(a_server_that_drips),
		IMPATIENT(a_server_that_stalls),
		T(a_server_that_cuts),
		T(a_client_that_resets),
		T(bodies_until_close),
		T(a_body_until_close_becomes_chunked),
		T(chunked_bodies),
		T(a_cut_is_seen_by_a_client_that_reads_until_close),
		T(a_reset_is_no_end_of_a_body_until_close),
		T(a_reset_that_a_write_meets_is_no_end_either),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
