// SPDX-License-Identifier: MIT
/*
 * Connections over an io that is not a plain socket: with a handshake, bytes that are there without an event, reads
 * that wait for the socket to be writable and the other way round, and writes that take little.
 */
#include "http_rig.h"

#include <sys/socket.h>

#include "rig_io.h"

static struct rig_io io;

static int setup(void **state UNUSED)
{
	io = (struct rig_io){0};
	rig_io_refusals = 0;
	rig_defaults();
	rig.conf.listener.open_io = rig_io_open;
	rig.conf.listener.io_arg = &io;
	rig.conf.listener.handshake_us = 200 * CLOCK_MSEC;
	rig.conf.listener.send_us = CLOCK_SECOND;
	rig.conf.raw_origin = true;
	return 0; /* each test begins when io is as it wants it */
}

/* A server that answers with the body it was sent, or with its target. */
static void *origin_main(void *arg)
{
	int n = *(int *)arg, fd = rig_accept();
	char in[70000];
	for (size_t have = 0; n; n--) {
		for (in[have] = '\0'; !strstr(in, "\r\n\r\n"); in[have] = '\0')
			have += rig_get(fd, in + have, 1);
		const char *cl = strstr(in, "Content-Length: "), *target = strchr(in, ' ') + 1;
		size_t length = cl ? strtoul(cl + 16, NULL, 10) : 0;
		rig_get(fd, in + have, length);
		char head[128];
		size_t size = cl ? length : strcspn(target, " ");
		snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
			 size);
		rig_put(fd, head);
		rig_put_n(fd, cl ? in + have : target, size);
		have = 0;
	}
	close(fd);
	return NULL;
}

static pthread_t origin;
static int expected;

static void start(int requests)
{
	assert_int_equal(rig_begin(), 0);
	expected = requests;
	if (requests)
		assert_int_equal(pthread_create(&origin, NULL, origin_main, &expected), 0);
}

static void finish(int fd)
{
	rig_check();
	close(fd);
	assert_int_equal(pthread_join(origin, NULL), 0);
	assert_reaches(rig.closed, expected);
	assert_int_equal(rig.aborted, 0);
}

static void get_one(int fd, const char *target)
{
	char request[128], answer[64];
	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", target);
	snprintf(answer, sizeof(answer), "\r\n\r\n%s", target);
	rig_put(fd, request);
	assert_non_null(strstr(rig_one(fd), answer));
}

static void post_one(int fd, size_t size)
{
	static char body[60000];
	char head[128];
	rig_fill(body, size, 0);
	snprintf(head, sizeof(head), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
		 size);
	rig_put(fd, head);
	rig_put_n(fd, body, size);
	const char *got = rig_one(fd);
	assert_memory_equal(strstr(got, "\r\n\r\n") + 4, body, size);
}

static void pipeline(int fd)
{
	rig_put(fd, "GET /p1 HTTP/1.1\r\nHost: a\r\n\r\nGET /p2 HTTP/1.1\r\nHost: a\r\n\r\n"
		    "GET /p3 HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_non_null(strstr(rig_one(fd), "\r\n\r\n/p1"));
	assert_non_null(strstr(rig_one(fd), "\r\n\r\n/p2"));
	assert_non_null(strstr(rig_one(fd), "\r\n\r\n/p3"));
}

/* What every io has to carry. */
static void carries_all(void)
{
	start(8);
	int fd = rig_dial();
	get_one(fd, "/1");
	post_one(fd, 10);
	pipeline(fd);
	post_one(fd, 60000);
	get_one(fd, "/2");
	get_one(fd, "/3");
	finish(fd);
}

static void plain(void **state UNUSED)
{
	carries_all();
}

static void reads_that_give_little(void **state UNUSED)
{
	io.read_most = 7;
	carries_all();
}

static void reads_that_give_a_byte(void **state UNUSED)
{
	io.read_most = 1;
	start(4);
	int fd = rig_dial();
	get_one(fd, "/1");
	pipeline(fd);
	finish(fd);
}

static void reads_that_want_to_write(void **state UNUSED)
{
	io.read_wants_write = true;
	carries_all();
}

static void reads_that_want_to_write_and_give_little(void **state UNUSED)
{
	io.read_wants_write = true;
	io.read_most = 100;
	carries_all();
}

static void writes_that_take_little(void **state UNUSED)
{
	io.write_most = 11;
	start(5);
	int fd = rig_dial();
	get_one(fd, "/1");
	post_one(fd, 3000);
	pipeline(fd);
	finish(fd);
}

static void writes_that_want_to_read(void **state UNUSED)
{
	io.write_wants_read = true;
	start(1);
	int fd = rig_dial();
	struct pollfd p = {.fd = fd, .events = POLLIN};
	rig_put(fd, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(poll(&p, 1, 50), 0);
	rig_check();
	assert_in_range(rig_io_refusals, 1, 10); /* it waits, it does not try again and again */
	rig_put(fd, "!");
	assert_non_null(strstr(rig_one(fd), "\r\n\r\n/x"));
	finish(fd);
}

/* ---- the handshake */

static void a_handshake_comes_first(void **state UNUSED)
{
	for (int i = 0; i < 2; i++) {
		char got[4] = "";
		io.handshake = true;
		io.waits_to_write = i;
		if (i) {
			assert_int_equal(rig_teardown(NULL), 0);
			setup(NULL);
			io.handshake = io.waits_to_write = true;
		}
		start(2);
		int fd = rig_dial();
		rig_put(fd, "o");
		usleep(10000); /* a packet of its own */
		rig_put(fd, "ne");
		assert_int_equal(rig_get(fd, got, 3), 3);
		assert_string_equal(got, "ONE");
		/* The request in the same packet: the io has read it ahead, and no event will tell. */
		rig_put(fd, "twoGET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
		assert_non_null(strstr(rig_one(fd), "\r\n\r\n/1"));
		get_one(fd, "/2");
		finish(fd);
	}
}

static void a_handshake_that_lasts_is_cut(void **state UNUSED)
{
	static const char *const begun[] = {"", "o", "one"};
	io.handshake = true;
	start(0);
	for (size_t i = 0; i < ARRAY_LEN(begun); i++) {
		int fd = rig_dial();
		int64_t began = clock_now_us();
		char got[4];
		if (*begun[i])
			rig_put(fd, begun[i]);
		if (i == 2)
			assert_int_equal(rig_get(fd, got, 3), 3);
		assert_true(rig_ended(fd));
		assert_in_range((clock_now_us() - began) / CLOCK_MSEC, 190, 1000);
		close(fd);
	}
	rig_check();
}

static void a_wrong_handshake_is_refused(void **state UNUSED)
{
	io.handshake = true;
	start(0);
	int fd = rig_dial();
	int64_t began = clock_now_us();
	rig_put(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_true(rig_ended(fd));
	assert_true(clock_now_us() - began < 150 * CLOCK_MSEC);
	rig_check();
	close(fd);
}

static void a_client_that_goes_within_its_handshake(void **state UNUSED)
{
	io.handshake = true;
	start(0);
	for (int i = 0; i < 3; i++) {
		int fd = rig_dial();
		rig_put(fd, "on");
		if (i)
			rig_reset(fd);
		else
			close(fd);
	}
	usleep(300000); /* a deadline that is left behind would pass */
	rig_check();
}

/* ---- interim responses that do not go at once */

static void an_interim_response_in_parts(void **state UNUSED)
{
	char links[700], head[1000];
	memset(links, 'l', sizeof(links));
	for (size_t most = 1; most < 900; most += most < 40 ? 1 : 97) {
		if (most > 1) {
			assert_int_equal(rig_teardown(NULL), 0);
			setup(NULL);
		}
		io.write_most = most;
		start(0);
		int fd = rig_dial();
		int server = rig_pass(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
		snprintf(head, sizeof(head), "HTTP/1.1 103 Early Hints\r\nLink: %.700s\r\n\r\n",
			 links);
		rig_put(server, head);
		/* Another one on its heels, and the answer: the one that was begun is whole. */
		rig_put(server,
			"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
		const char *got = rig_head(fd);
		assert_memory_equal(got, "HTTP/1.1 103 Early Hints\r\nLink: ", 32);
		assert_memory_equal(got + 32, links, sizeof(links));
		assert_string_equal(got + 32 + sizeof(links), "\r\n\r\n");
		got = rig_head(fd);
		if (strstr(got, " 102 "))
			got = rig_head(fd);
		assert_memory_equal(got, "HTTP/1.1 200 OK\r\n", 17);
		char body[3] = "";
		assert_int_equal(rig_get(fd, body, 2), 2);
		assert_string_equal(body, "ok");
		close(fd);
		close(server);
	}
}

/* The rest of it cannot be sent any more: the exchange ends, though the client still sends and the server thinks. */
static void a_connection_that_breaks_in_an_interim_response(void **state UNUSED)
{
	io.breaks_after = 20;
	start(0);
	int fd = rig_dial();
	int server = rig_pass(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	rig_put(server, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
	assert_reaches(rig.closed, 1);
	assert_int_equal(rig.last_end, HTTP_END_CLIENT);
	assert_true(rig_ended(server));
	close(server);
	close(fd);
}

/* The connection to the server, whose head it came in, is gone before the 101 has left. */
static void a_tunnel_that_is_over_before_its_head_has_left(void **state UNUSED)
{
	io.write_none = true;
	start(0);
	int fd = rig_dial();
	int server = rig_pass(
		fd,
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
	rig_put(server,
		"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
	close(server);
	shutdown(fd, SHUT_WR);
	usleep(50000); /* time to end too early */
	assert_int_equal(rig.closed, 0);
	io.write_none = false;
	assert_non_null(strstr(rig_head(fd), "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
	assert_reaches(rig.closed, 1);
	assert_int_equal(rig.last_end, HTTP_END_DONE);
	assert_true(rig_ended(fd));
	close(fd);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(plain),
		T(reads_that_give_little),
		T(reads_that_give_a_byte),
		T(reads_that_want_to_write),
		T(reads_that_want_to_write_and_give_little),
		T(writes_that_take_little),
		T(writes_that_want_to_read),
		T(a_handshake_comes_first),
		T(a_handshake_that_lasts_is_cut),
		T(a_wrong_handshake_is_refused),
		T(a_client_that_goes_within_its_handshake),
		T(an_interim_response_in_parts),
		T(a_connection_that_breaks_in_an_interim_response),
		T(a_tunnel_that_is_over_before_its_head_has_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
