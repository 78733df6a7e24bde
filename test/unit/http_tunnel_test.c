// SPDX-License-Identifier: MIT
/* A 101 makes a tunnel: bytes both ways through a proxy, each direction ending on its own, one deadline for silence. */
#include "http_rig.h"

#include <sys/socket.h>

#include "rig_io.h"

#define ASK "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
#define SWITCH                                                                                     \
	"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Y: z\r\n\r\n"

static int setup(void **state UNUSED)
{
	rig_defaults();
	rig.conf.raw_origin = true;
	/* What must not count in a tunnel. */
	rig.conf.listener.body_us = rig.conf.listener.send_us = 100 * CLOCK_MSEC;
	rig.conf.client.response_us = rig.conf.client.body_us = 100 * CLOCK_MSEC;
	return rig_begin();
}

struct tunnel {
	int client, server;
};

/* Both ends, the 101 received. */
static struct tunnel begin(void)
{
	struct tunnel t = {.client = rig_dial()};
	rig_put(t.client, ASK);
	t.server = rig_accept();
	const char *asked = rig_head(t.server);
	assert_non_null(strstr(asked, "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
	rig_put(t.server, SWITCH);
	const char *told = rig_head(t.client);
	assert_memory_equal(told, "HTTP/1.1 101 Switching Protocols\r\n", 34);
	assert_non_null(strstr(told, "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
	assert_non_null(strstr(told, "X-Y: z\r\n"));
	return t;
}

static void pass(int from, int to, const char *words)
{
	char got[256] = "";
	rig_put(from, words);
	assert_int_equal(rig_get(to, got, strlen(words)), strlen(words));
	assert_string_equal(got, words);
}

static void echoes_both_ways(void **state UNUSED)
{
	struct tunnel t = begin();
	for (int i = 0; i < 20; i++) {
		pass(t.client, t.server, "ping, ");
		pass(t.server, t.client, "and a longer pong");
	}
	rig_check();
	close(t.client);
	assert_true(rig_ended(t.server));
	close(t.server);
	assert_reaches(rig.closed, 1);
	assert_int_equal(rig.last_end, HTTP_END_DONE);
}

static void much_in_both_directions_at_once(void **state UNUSED)
{
	struct tunnel t = begin();
	struct rig_sender up = {.fd = t.client, .size = 4u << 20},
			  down = {.fd = t.server, .size = 4u << 20};
	rig_send_start(&up);
	rig_send_start(&down);
	/* One side is read only when the other has had all: neither direction waits for the other. */
	assert_int_equal(rig_get_pattern(t.client, down.size, 0, 0), down.size);
	assert_int_equal(rig_get_pattern(t.server, up.size, 0, 0), up.size);
	rig_send_join(&up);
	rig_send_join(&down);
	close(t.server);
	assert_true(rig_ended(t.client));
	close(t.client);
	assert_reaches(rig.closed, 1);
}

/* One side ends its direction; the other goes on talking for a while. */
static void half_close(int ending, int other)
{
	pass(ending, other, "last words");
	shutdown(ending, SHUT_WR);
	assert_true(rig_ended(other));
	for (int i = 0; i < 5; i++)
		pass(other, ending, "still talking");
	close(other);
	assert_true(rig_ended(ending));
	assert_reaches(rig.closed, 1);
	assert_int_equal(rig.last_end, HTTP_END_DONE);
	close(ending);
}

static void client_half_closes(void **state UNUSED)
{
	struct tunnel t = begin();
	half_close(t.client, t.server);
}

static void server_half_closes(void **state UNUSED)
{
	struct tunnel t = begin();
	half_close(t.server, t.client);
}

static void silence_is_cut(void **state UNUSED)
{
	struct tunnel t = begin();
	int64_t began = clock_now_us();
	/* Either direction's bytes put it off; nothing else does. */
	for (int i = 0; i < 4; i++) {
		usleep(150000); /* half of silence_us */
		pass(i % 2 ? t.server : t.client, i % 2 ? t.client : t.server, "here");
	}
	assert_int_equal(rig.silent, 0);
	assert_true(rig_ended(t.client));
	assert_true(rig_ended(t.server));
	int64_t took_ms = (clock_now_us() - began) / CLOCK_MSEC;
	assert_in_range(took_ms, 880, 1500);
	assert_int_equal(rig.silent, 1);
	assert_reaches(rig.closed, 1);
	assert_int_equal(rig.last_end, HTTP_END_CUT);
	close(t.client);
	close(t.server);
}

static void silence_counts_after_a_half_close_too(void **state UNUSED)
{
	struct tunnel t = begin();
	shutdown(t.client, SHUT_WR);
	assert_true(rig_ended(t.server));
	assert_true(rig_ended(t.client));
	assert_int_equal(rig.silent, 1);
	close(t.client);
	close(t.server);
}

static void a_side_that_does_not_read_is_silent(void **state UNUSED)
{
	struct tunnel t = begin();
	struct rig_sender down = {.fd = t.server, .size = 64u << 20};
	rig_send_start(&down);
	assert_reaches(rig.closed, 1);
	assert_int_equal(rig.silent, 1);
	rig_send_join(&down);
	assert_true(down.sent < down.size);
	close(t.client);
	close(t.server);
}

static int setup_full_client(void **state UNUSED)
{
	static const struct rig_io io = {.write_limit = 50};
	rig_defaults();
	rig.conf.raw_origin = true;
	rig.conf.listener.open_io = rig_io_open;
	rig.conf.listener.io_arg = &io;
	return rig_begin();
}

/* However the other side drips. */
static void a_side_that_takes_nothing_is_silent(void **state UNUSED)
{
	struct tunnel t = begin();
	int64_t began = clock_now_us();
	for (int i = 0; i < 60 && !rig.silent; i++) {
		send(t.server, "x", 1, MSG_NOSIGNAL);
		usleep(50000); /* it drips */
	}
	assert_int_equal(rig.silent, 1);
	assert_in_range((clock_now_us() - began) / CLOCK_MSEC, 290, 1500);
	close(t.client);
	close(t.server);
}

static void bytes_behind_both_heads(void **state UNUSED)
{
	char got[16] = "";
	int client = rig_dial();
	/* An impatient client: RFC 6455 forbids it, other protocols do not. */
	int server = rig_pass(client, ASK "early");
	rig_put(server, SWITCH "at once");
	assert_int_equal(rig_get(server, got, 5), 5);
	assert_string_equal(got, "early");
	rig_head(client);
	assert_int_equal(rig_get(client, got, 7), 7);
	assert_string_equal(got, "at once");
	pass(client, server, "and on");
	pass(server, client, "and on");
	close(client);
	assert_true(rig_ended(server));
	close(server);
}

static void a_client_that_half_closed_before_the_101(void **state UNUSED)
{
	char got[16] = "";
	int client = rig_dial();
	int server = rig_pass(client, ASK "all of it");
	shutdown(client, SHUT_WR);
	assert_reaches(rig.half_closed, 1);
	rig_put(server, SWITCH);
	assert_int_equal(rig_get(server, got, 9), 9);
	assert_string_equal(got, "all of it");
	assert_true(rig_ended(server));
	rig_head(client);
	pass(server, client, "answer");
	close(server);
	assert_true(rig_ended(client));
	close(client);
	assert_reaches(rig.closed, 1);
	assert_int_equal(rig.last_end, HTTP_END_DONE);
}

static void client_resets(void **state UNUSED)
{
	struct tunnel t = begin();
	pass(t.client, t.server, "x");
	rig_reset(t.client);
	assert_true(rig_ended(t.server));
	close(t.server);
	assert_reaches(rig.closed, 1);
	assert_int_equal(rig.last_end, HTTP_END_CLIENT);
}

static void server_resets(void **state UNUSED)
{
	struct tunnel t = begin();
	pass(t.client, t.server, "x");
	rig_reset(t.server);
	assert_true(rig_ended(t.client));
	close(t.client);
	assert_reaches(rig.closed, 1);
	assert_int_equal(rig.failed, 1);
	assert_int_equal(rig.last_end, HTTP_END_CUT);
}

/* Its end was an orderly one; that it is gone is told only by what is sent to it. */
static void server_resets_after_a_half_close(void **state UNUSED)
{
	struct tunnel t = begin();
	shutdown(t.server, SHUT_WR);
	assert_true(rig_ended(t.client));
	pass(t.client, t.server, "x");
	rig_reset(t.server);
	rig_put(t.client, "into nothing");
	assert_reaches(rig.closed, 1);
	assert_int_equal(rig.silent, 0);
	assert_int_equal(rig.failed, 1);
	assert_int_equal(rig.last_end, HTTP_END_CUT);
	close(t.client);
}

/* The client's bytes and the server's reset are there at once, one first or the other: it is a reset all the same. */
static void server_resets_while_the_client_sends(void **state UNUSED)
{
	for (int i = 0; i < 10; i++) {
		struct unit_hold hold;
		struct tunnel t = begin();
		unit_hold(&hold, rig.worker);
		if (i % 2)
			rig_put(t.client, "x");
		rig_reset(t.server);
		if (i % 2 == 0)
			rig_put(t.client, "x");
		unit_release(&hold);
		assert_reaches(rig.closed, i + 1);
		assert_int_equal(rig.silent, 0);
		assert_int_equal(rig.failed, i + 1);
		assert_int_equal(rig.last_end, HTTP_END_CUT);
		close(t.client);
	}
}

static void the_server_declines(void **state UNUSED)
{
	int client = rig_dial();
	int server = rig_pass(client, ASK);
	rig_put(server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
	assert_non_null(strstr(rig_one(client), "\r\n\r\nno"));
	/* Both connections go on as before. */
	rig_put(client, "GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_non_null(strstr(rig_head(server), "GET /next"));
	rig_put(server, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes");
	assert_non_null(strstr(rig_one(client), "\r\n\r\nyes"));
	close(client);
	close(server);
}

static void upgrades_that_are_not_passed_on(void **state UNUSED)
{
	static const char *const requests[] = {
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
		"GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\nx",
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: TLS/1.0\r\n\r\n",
	};
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		int client = rig_dial();
		rig_put(client, requests[i]);
		int server = rig_accept();
		const char *asked = rig_head(server);
		assert_null(strstr(asked, "pgrade"));
		assert_null(strstr(asked, "HTTP2-Settings"));
		/* And an unrequested 101 is a bad response. */
		rig_put(server, SWITCH);
		assert_non_null(strstr(rig_head(client), " 502 "));
		close(client);
		close(server);
	}
}

static void a_request_behind_the_upgrade_is_tunnel_data(void **state UNUSED)
{
	char got[64] = "";
	const char *smuggled = "GET /admin HTTP/1.1\r\nHost: a\r\n\r\n";
	struct tunnel t = begin();
	rig_put(t.client, smuggled);
	assert_int_equal(rig_get(t.server, got, strlen(smuggled)), strlen(smuggled));
	assert_string_equal(got, smuggled);
	assert_int_equal(rig.requests, 1);
	close(t.client);
	close(t.server);
}

static void the_end_of_the_server_ends_tunnels(void **state UNUSED)
{
	begin();
	/* teardown frees the server: closed() is called, and nothing leaks */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(echoes_both_ways),
		T(much_in_both_directions_at_once),
		T(client_half_closes),
		T(server_half_closes),
		T(silence_is_cut),
		T(silence_counts_after_a_half_close_too),
		T(a_side_that_does_not_read_is_silent),
		cmocka_unit_test_setup_teardown(a_side_that_takes_nothing_is_silent,
						setup_full_client, rig_teardown),
		T(bytes_behind_both_heads),
		T(a_client_that_half_closed_before_the_101),
		T(client_resets),
		T(server_resets),
		T(server_resets_after_a_half_close),
		T(server_resets_while_the_client_sends),
		T(the_server_declines),
		T(upgrades_that_are_not_passed_on),
		T(a_request_behind_the_upgrade_is_tunnel_data),
		T(the_end_of_the_server_ends_tunnels),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
