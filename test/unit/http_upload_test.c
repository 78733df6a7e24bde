// SPDX-License-Identifier: MIT
/* Large request bodies through a proxy, from socket to socket by a pipe: whole, in order, and with every ending. */
#include "http_rig.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/socket.h>

#define MB (UINT64_C(1) << 20)

static int setup(void **state UNUSED)
{
	rig_defaults();
	rig.conf.raw_origin = true;
	rig.conf.listener.body_us = 5 * CLOCK_SECOND;
	rig.conf.listener.idle_us = 5 * CLOCK_SECOND;
	/* Where a server takes nothing any more, this is what ends the exchange: well within what is waited for. */
	rig.conf.client.response_us = 2 * CLOCK_SECOND;
	return rig_begin();
}

/* For tests in which one side stalls. */
static int setup_impatient(void **state UNUSED)
{
	rig_defaults();
	rig.conf.raw_origin = true;
	rig.conf.listener.body_us = 300 * CLOCK_MSEC;
	rig.conf.client.response_us = 600 * CLOCK_MSEC;
	return rig_begin();
}

static void put_head(int client, uint64_t length, const char *fields)
{
	char head[192];
	snprintf(head, sizeof(head),
		 "PUT /f HTTP/1.1\r\nHost: a\r\n%sContent-Length: %" PRIu64 "\r\n\r\n", fields,
		 length);
	rig_put(client, head);
}

/* A request with that length has begun, at *server, which is accepted when it is -1. */
static void begin(int client, int *server, uint64_t length, struct rig_sender *s)
{
	put_head(client, length, "");
	s->fd = client;
	rig_send_start(s);
	if (*server < 0)
		*server = rig_accept();
	assert_non_null(strstr(rig_head(*server), "Content-Length: "));
}

static void all_of(int client, int *server, uint64_t length, int slow_us)
{
	struct rig_sender s = {.size = length};
	begin(client, server, length, &s);
	uint64_t got = rig_get_pattern(*server, length, 0, slow_us);
	if (got != length)
		fail_msg("%" PRIu64 " bytes of %" PRIu64, got, length);
	rig_send_join(&s);
	rig_answer(*server, client);
}

static void bodies_of_many_sizes(void **state UNUSED)
{
	int client = rig_dial(), server = -1;
	for (uint64_t n = 1; n < 4 * MB; n += 37777)
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

/* It is really a pipe that they go through, and both halves count what did. */
static void goes_through_a_pipe(void **state UNUSED)
{
	int client = rig_dial(), server = -1;
	struct rig_sender s = {.size = MB};
	begin(client, &server, 2 * MB, &s);
	assert_int_equal(rig_get_pattern(server, MB, 0, 0), MB);
	rig_send_join(&s);
	rig_check();
	assert_int_equal(rig_pipes_out(), 1);
	int beside = rig_dial(), its_server = -1;
	all_of(beside, &its_server, MB, 0);
	close(beside);
	close(its_server);
	static char rest[65536];
	for (uint64_t at = MB; at < 2 * MB; at += sizeof(rest)) {
		rig_fill(rest, sizeof(rest), at);
		rig_put_n(client, rest, sizeof(rest));
		assert_int_equal(rig_get_pattern(server, sizeof(rest), at, 0), sizeof(rest));
	}
	rig_answer(server, client);
	assert_int_equal(rig_pipes_out(), 0);
	assert_true(rig.by_listener.bytes_in > 3 * MB);
	assert_true(http_client_stats(rig.client)->bytes_out > 3 * MB);
	close(client);
	close(server);
}

/* The next request stands right behind the body: it is not taken for a part of it. */
static void what_follows_is_the_next_request(void **state UNUSED)
{
	static char body[3 * 65536];
	static const char next[] = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
	for (size_t n = 30000; n < sizeof(body) - sizeof(next); n += 7777) {
		int client = rig_dial();
		put_head(client, n, "");
		int server = rig_accept();
		rig_head(server);
		rig_fill(body, n, 0);
		memcpy(body + n, next, sizeof(next) - 1);
		rig_put_n(client, body, n + sizeof(next) - 1);
		assert_int_equal(rig_get_pattern(server, n, 0, 0), n);
		rig_answer(server, client);
		assert_non_null(strstr(rig_head(server), "GET /next "));
		rig_answer(server, client);
		close(client);
		close(server);
	}
	assert_int_equal(rig.aborted, 0);
}

static void many_at_once(void **state UNUSED)
{
	enum { N = 8 };
	int client[N], server[N];
	struct rig_sender s[N];
	for (int i = 0; i < N; i++) {
		client[i] = rig_dial();
		server[i] = -1;
		s[i] = (struct rig_sender){.size = 16 * MB}; /* more than the kernel takes unread */
		begin(client[i], &server[i], 16 * MB, &s[i]);
	}
	for (uint64_t at = 0; at < 16 * MB; at += MB / 4)
		for (int i = 0; i < N; i++)
			assert_int_equal(rig_get_pattern(server[i], MB / 4, at, 0), MB / 4);
	for (int i = 0; i < N; i++) {
		rig_send_join(&s[i]);
		rig_answer(server[i], client[i]);
		close(client[i]);
		close(server[i]);
	}
	assert_int_equal(rig_pipes_out(), 0);
}

static void a_server_that_reads_slowly(void **state UNUSED)
{
	int client = rig_dial(), server = -1;
	struct rig_sender s = {.size = 30 * MB};
	begin(client, &server, 30 * MB, &s);
	assert_int_equal(rig_get_pattern(server, 200000, 0, 10000), 200000);
	rig_check();
	assert_true(s.sent < s.size);
	assert_int_equal(rig_get_pattern(server, 30 * MB - 200000, 200000, 500), 30 * MB - 200000);
	rig_send_join(&s);
	rig_answer(server, client);
	all_of(client, &server, 200000, 0); /* and the connection goes on */
	close(client);
	close(server);
}

/* While it is the server that takes nothing, the client is not late: no 408. */
static void a_server_that_stops_reading(void **state UNUSED)
{
	int client = rig_dial(), server = -1;
	struct rig_sender s = {.size = 30 * MB};
	begin(client, &server, 30 * MB, &s);
	assert_non_null(strstr(rig_head(client), " 504 "));
	assert_true(rig.by_listener.bytes_in < s.size);
	assert_int_equal(rig.failed, 1);
	assert_reaches(rig.closed, 1);
	shutdown(client, SHUT_RDWR);
	rig_send_join(&s);
	assert_int_equal(rig_pipes_out(), 0);
	close(client);
	close(server);
}

/* What the client says now is not kept back for what it may say later. */
static void a_client_that_drips(void **state UNUSED)
{
	int client = rig_dial(), server = -1;
	uint64_t at = 200000;
	struct rig_sender s = {.size = at};
	begin(client, &server, 20 * MB, &s);
	assert_int_equal(rig_get_pattern(server, at, 0, 0), at);
	rig_send_join(&s);
	rig_drip_pattern(client, server, at);
	close(client);
	close(server);
}

static void a_client_that_stalls(void **state UNUSED)
{
	int client = rig_dial(), server = -1;
	struct rig_sender s = {.size = MB};
	begin(client, &server, 2 * MB, &s);
	assert_int_equal(rig_get_pattern(server, 2 * MB, 0, 0), MB); /* and then the end */
	rig_send_join(&s);
	assert_non_null(strstr(rig_head(client), " 408 "));
	assert_reaches(rig.closed, 1);
	assert_int_equal(rig.last_end, HTTP_END_BODY_TIMEOUT);
	assert_int_equal(rig_pipes_out(), 0);
	close(client);
	close(server);
}

static void a_client_that_leaves(void **state UNUSED)
{
	for (int how = 0; how < 3; how++) {
		int client = rig_dial(), server = -1;
		struct rig_sender s = {.size = MB};
		begin(client, &server, 2 * MB, &s);
		assert_int_equal(rig_get_pattern(server, MB, 0, 0), MB);
		rig_send_join(&s);
		if (how == 0)
			rig_reset(client);
		else if (how == 1)
			close(client);
		else
			shutdown(client, SHUT_WR);
		assert_true(rig_ended(server)); /* an incomplete message */
		assert_reaches(rig.closed, how + 1);
		assert_int_equal(rig.last_end, HTTP_END_CLIENT);
		if (how == 2)
			close(client);
		close(server);
	}
	assert_int_equal(rig_pipes_out(), 0);
}

/* Bytes that were in a pipe when a connection went are never another client's. */
static void either_side_resets(void **state UNUSED)
{
	for (int i = 0; i < 20; i++) {
		int client = rig_dial(), server = -1;
		struct rig_sender s = {.size = 8 * MB};
		begin(client, &server, 8 * MB, &s);
		rig_get_pattern(server, 100000 + 7919u * (unsigned)i, 0, 0);
		if (i % 2)
			rig_reset(server);
		else
			shutdown(client, SHUT_RDWR);
		assert_reaches(rig.closed, 2 * i + 1);
		shutdown(client, SHUT_RDWR);
		rig_send_join(&s);
		close(client);
		if (i % 2 == 0)
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

/* A response may come before the request is whole; the client is still told. */
static void a_server_that_answers_early(void **state UNUSED)
{
	for (int rest = 0; rest < 2; rest++) {
		int client = rig_dial(), server = -1;
		struct rig_sender s = {.size = 30 * MB};
		begin(client, &server, 30 * MB, &s);
		assert_int_equal(rig_get_pattern(server, MB, 0, 0), MB);
		rig_put(server, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
		assert_non_null(strstr(rig_one(client), "\r\n\r\nno"));
		if (rest) /* and goes on reading: the proxy has nothing more for it */
			assert_true(rig_get_pattern(server, 30 * MB, MB, 0) < 29 * MB);
		shutdown(client, SHUT_RDWR);
		rig_send_join(&s);
		assert_reaches(rig.closed, rest + 1);
		close(client);
		close(server);
	}
	assert_int_equal(rig_pipes_out(), 0);
}

/* The response is so much larger that it does not end before the request does. */
static void both_ways_at_once(void **state UNUSED)
{
	int client = rig_dial(), server = -1;
	struct rig_sender up = {.size = 24 * MB}, down = {.size = 64 * MB};
	begin(client, &server, up.size, &up);
	assert_int_equal(rig_get_pattern(server, MB, 0, 0), MB);
	rig_put(server, "HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n");
	down.fd = server;
	rig_send_start(&down);
	assert_non_null(strstr(rig_head(client), " 200 OK"));
	for (uint64_t at = 0; at < down.size; at += MB) {
		if (at + MB < up.size)
			assert_int_equal(rig_get_pattern(server, MB, at + MB, 0), MB);
		if (at == 4 * MB) {
			rig_check();
			assert_int_equal(rig_pipes_out(), 2);
		}
		assert_int_equal(rig_get_pattern(client, MB, at, 0), MB);
	}
	rig_send_join(&up);
	rig_send_join(&down);
	assert_reaches(rig.closed, 1);
	assert_int_equal(rig.last_end, HTTP_END_DONE);
	assert_int_equal(rig_pipes_out(), 0);
	close(client);
	close(server);
}

static void a_body_that_waits_for_100(void **state UNUSED)
{
	int client = rig_dial();
	put_head(client, MB, "Expect: 100-continue\r\n");
	int server = rig_accept();
	assert_non_null(strstr(rig_head(server), "100-continue"));
	rig_put(server, "HTTP/1.1 100 Continue\r\n\r\n");
	assert_non_null(strstr(rig_head(client), " 100 "));
	struct rig_sender s = {.size = MB, .fd = client};
	rig_send_start(&s);
	assert_int_equal(rig_get_pattern(server, MB, 0, 0), MB);
	rig_send_join(&s);
	rig_answer(server, client);
	assert_int_equal(rig_pipes_out(), 0);
	close(client);
	close(server);
}

/* Without pipes to spare, bodies are copied. */
static void no_pipes(void *arg UNUSED)
{
	pipes_set_max(&rig.worker->pipes, 0);
}

static void without_pipes(void **state UNUSED)
{
	int client = rig_dial(), server = -1;
	rig_on_worker(no_pipes, NULL);
	all_of(client, &server, 2 * MB, 0);
	assert_int_equal(rig_pipes_out(), 0);
	close(client);
	close(server);
}

int main(void)
{
#define T(f)	     cmocka_unit_test_setup_teardown(f, setup, rig_teardown)
#define IMPATIENT(f) cmocka_unit_test_setup_teardown(f, setup_impatient, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(bodies_of_many_sizes),
		T(goes_through_a_pipe),
		T(what_follows_is_the_next_request),
		T(many_at_once),
		T(a_server_that_reads_slowly),
		IMPATIENT(a_server_that_stops_reading),
		T(a_client_that_drips),
		IMPATIENT(a_client_that_stalls),
		T(a_client_that_leaves),
		T(either_side_resets),
		T(a_server_that_answers_early),
		T(both_ways_at_once),
		T(a_body_that_waits_for_100),
		T(without_pipes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
