// SPDX-License-Identifier: MIT
/* Interim responses (1xx) through a proxy: which are handed on, with what, and how many are too many. */
#include "http_rig.h"

#include <sys/socket.h>

static int setup(void **state UNUSED)
{
	rig_defaults();
	rig.conf.raw_origin = true;
	rig.conf.listener.idle_us = 5 * CLOCK_SECOND;
	return rig_begin();
}

static void continue_is_the_servers_to_say(void **state UNUSED)
{
	struct pollfd p;
	int fd = rig_dial();
	rig_put(fd,
		"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	int server = rig_accept();
	assert_non_null(strstr(rig_head(server), "Expect: 100-continue\r\n"));
	p = (struct pollfd){.fd = fd, .events = POLLIN};
	assert_int_equal(poll(&p, 1, 50), 0);
	rig_put(server, "HTTP/1.1 100 Continue\r\nX-Internal: 1\r\n\r\n");
	assert_string_equal(rig_head(fd), "HTTP/1.1 100 Continue\r\n\r\n");
	rig_put(fd, "abc");
	char got[4] = "";
	assert_int_equal(rig_get(server, got, 3), 3);
	rig_answer(server, fd);
	/* A server that refuses at once: the answer comes before any body, and the connection may not go on. */
	rig_put(fd,
		"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	rig_head(server);
	rig_put(server, "HTTP/1.1 417 No\r\nContent-Length: 2\r\n\r\nno");
	const char *refused = rig_one(fd);
	assert_non_null(strstr(refused, "HTTP/1.1 417 No\r\n"));
	assert_non_null(strstr(refused, "Connection: close\r\n"));
	assert_true(rig_ended(fd));
	assert_true(rig_ended(server)); /* half a request was sent over it */
	close(fd);
	close(server);
}

static void hints_have_links_and_nothing_else(void **state UNUSED)
{
	int fd = rig_dial();
	int server = rig_pass(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	rig_put(server,
		"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nServer: x\r\nSet-Cookie: s=1\r\n"
		"link: </b.css>\r\nContent-Length: 5\r\n\r\n");
	assert_string_equal(
		rig_head(fd),
		"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nlink: </b.css>\r\n\r\n");
	rig_put(server, "HTTP/1.1 103 Early Hints\r\nConnection: link\r\nLink: </private>\r\n\r\n");
	assert_string_equal(rig_head(fd), "HTTP/1.1 103 Early Hints\r\n\r\n");
	rig_put(server, "HTTP/1.1 102 Processing\r\nLink: </a>\r\nX: y\r\n\r\n");
	assert_string_equal(rig_head(fd), "HTTP/1.1 102 Processing\r\n\r\n");
	rig_answer(server, fd);
	close(fd);
	close(server);
}

static void old_clients_get_none(void **state UNUSED)
{
	int fd = rig_dial();
	int server = rig_pass(fd, "GET / HTTP/1.0\r\nHost: a\r\n\r\n");
	rig_put(server,
		"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	assert_memory_equal(rig_rest(fd, NULL), "HTTP/1.1 200 OK\r\n", 17);
	close(fd);
	close(server);
}

/* Links that are more than such a response may have: it is left out, and the answer is none the worse. */
static void hints_that_are_too_large(void **state UNUSED)
{
	static char head[8000];
	int n = snprintf(head, sizeof(head), "HTTP/1.1 103 Early Hints\r\nLink: ");
	memset(head + n, 'x', 5000);
	strcpy(head + n + 5000, "\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	int fd = rig_dial();
	int server = rig_pass(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	rig_put(server, head);
	assert_memory_equal(rig_one(fd), "HTTP/1.1 200 OK\r\n", 17);
	close(fd);
	close(server);
}

static void a_flood_is_a_bad_response(void **state UNUSED)
{
	static const char one[] = "HTTP/1.1 102 Processing\r\n\r\n";
	static char flood[1000 * sizeof(one)];
	for (int i = 0; i < 1000; i++)
		strcat(flood + i * (sizeof(one) - 1), one);
	int fd = rig_dial();
	for (int round = 0; round < 2; round++) {
		int server = rig_pass(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
		send(server, flood, strlen(flood), MSG_NOSIGNAL);
		int seen = 0;
		const char *got;
		while (strstr(got = rig_one(fd), " 102 "))
			seen++;
		assert_in_range(seen, 1, HTTP_INTERIM_MAX);
		assert_memory_equal(got, "HTTP/1.1 502 Bad Gateway\r\n", 26);
		assert_null(strstr(got, "Connection: close"));
		assert_true(rig_ended(server));
		close(server);
	}
	/* The client's connection is as good as ever. */
	int server = rig_pass(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	rig_answer(server, fd);
	close(fd);
	close(server);
	rig_check();
}

/* A client that reads nothing costs a few hints, not memory. */
static void a_client_that_does_not_read(void **state UNUSED)
{
	static char head[4000];
	int n = snprintf(head, sizeof(head), "HTTP/1.1 103 Early Hints\r\nLink: ");
	memset(head + n, 'x', 3500);
	strcpy(head + n + 3500, "\r\n\r\n");
	int small = 4096, fd;
	/* The proxy's sending side is small too. */
	assert_int_equal(setsockopt(rig.proxy_fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	fd = rig_dial_to(&rig.proxy_addr, 4096);
	int server = rig_pass(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	for (int i = 0; i < 60; i++) {
		rig_put(server, head);
		usleep(1000); /* a packet each */
	}
	rig_put(server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	usleep(20000); /* as much of it is read as will be */
	rig_check();
	int seen = 0;
	const char *got;
	while (strstr(got = rig_one(fd), " 103 ")) {
		assert_int_equal(strlen(got), strlen(head));
		seen++;
	}
	assert_in_range(seen, 1, 50);
	assert_non_null(strstr(got, "\r\n\r\nok"));
	close(fd);
	close(server);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(continue_is_the_servers_to_say), T(hints_have_links_and_nothing_else),
		T(old_clients_get_none),	   T(hints_that_are_too_large),
		T(a_flood_is_a_bad_response),	   T(a_client_that_does_not_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
