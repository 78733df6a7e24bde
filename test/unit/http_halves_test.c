// SPDX-License-Identifier: MIT
/* Both halves of a proxy together, over real sockets: what every day brings. */
#include "http_rig.h"

#include <sys/socket.h>

static void keeps_both_connections(void **state UNUSED)
{
	int fd = rig_dial();
	for (int i = 0; i < 20; i++) {
		rig_put(fd,
			"GET /host HTTP/1.1\r\nHost: pi.example\r\nConnection: x-private\r\nX-Private: 1\r\n\r\n");
		const char *text = rig_one(fd);
		assert_non_null(strstr(text, "\r\n\r\npi.example"));
		assert_non_null(strstr(text, "X-Origin: yes\r\n"));
		assert_null(strstr(text, "Connection"));
	}
	close(fd);
	assert_int_equal(http_client_stats(rig.client)->connects, 1);
	assert_int_equal(http_client_stats(rig.client)->reuses, 19);
}

static void answers_pipelined_requests_in_order(void **state UNUSED)
{
	int fd = rig_dial();
	rig_put(fd,
		"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n"
		"Connection: close\r\n\r\n");
	const char *text = rig_rest(fd, NULL);
	const char *a = strstr(text, "\r\n\r\n/1"), *b = strstr(text, "\r\n\r\n/2"),
		   *c = strstr(text, "\r\n\r\n/3");
	assert_true(a && b && c && a < b && b < c);
	close(fd);
}

static void answers_pipelined_requests_of_a_client_that_half_closed(void **state UNUSED)
{
	for (int pause = 0; pause < 2; pause++) {
		int fd = rig_dial();
		rig_put(fd,
			"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /chunked HTTP/1.1\r\nHost: a\r\n\r\n"
			"GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
		usleep(pause * 20000u); /* a packet of its own, or the same */
		shutdown(fd, SHUT_WR);
		size_t n;
		const char *text = rig_rest(fd, &n);
		assert_non_null(strstr(text, "\r\n\r\n/1"));
		assert_memory_equal(text + n - 6, "\r\n\r\n/3", 6);
		close(fd);
	}
	assert_reaches(rig.closed, 6);
	assert_int_equal(rig.aborted, 0);
}

static void check_big(const char *body, size_t n)
{
	assert_int_equal(n, RIG_BIG_SIZE);
	for (size_t i = 0; i < n; i++)
		if (body[i] != rig_byte(i))
			fail_msg("byte %zu", i);
}

static void relays_a_large_body(void **state UNUSED)
{
	int fd = rig_dial();
	rig_put(fd, "GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	size_t n;
	const char *all = rig_rest(fd, &n), *body = strstr(all, "\r\n\r\n");
	assert_non_null(body);
	check_big(body + 4, n - (size_t)(body + 4 - all));
	close(fd);
}

static void relays_a_chunked_body(void **state UNUSED)
{
	int fd = rig_dial();
	rig_put(fd, "GET /chunked HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	size_t n, payload, used;
	const char *all = rig_rest(fd, &n);
	char *body = strstr(all, "\r\n\r\n");
	assert_non_null(body);
	struct http_body b;
	http_body_init(&b, HTTP_BODY_CHUNKED, 0);
	n -= (size_t)(body + 4 - all);
	assert_int_equal(http_body_take(&b, body + 4, n, &payload, &used), HTTP_BODY_END);
	assert_int_equal(used, n);
	check_big(body + 4, payload);
	close(fd);
}

static void chunked_becomes_close_for_http_1_0(void **state UNUSED)
{
	int fd = rig_dial();
	rig_put(fd, "GET /chunked HTTP/1.0\r\nHost: a\r\n\r\n");
	size_t n;
	const char *all = rig_rest(fd, &n), *body = strstr(all, "\r\n\r\n");
	assert_non_null(body);
	check_big(body + 4, n - (size_t)(body + 4 - all));
	close(fd);
}

static void passes_request_bodies(void **state UNUSED)
{
	static char body[100001];
	unsigned sum = 0;
	for (size_t i = 0; i < 100000; i++) {
		body[i] = (char)('a' + i % 23);
		sum = sum * 31 + (unsigned char)body[i];
	}
	char expect[64];
	snprintf(expect, sizeof(expect), "\r\n\r\n100000:%u", sum);
	int fd = rig_dial();
	rig_put(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
	rig_put(fd, body);
	assert_non_null(strstr(rig_one(fd), expect));
	/* the same in chunks of odd sizes, dripped */
	rig_put(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (size_t at = 0; at < 100000;) {
		size_t n = MIN(100000 - at, 1 + at % 7919);
		char line[32];
		snprintf(line, sizeof(line), "%zx;x=y\r\n", n);
		rig_put(fd, line);
		rig_put_n(fd, body + at, n);
		rig_put(fd, "\r\n");
		at += n;
	}
	rig_put(fd, "0\r\nTrailer: x\r\n\r\n");
	assert_non_null(strstr(rig_one(fd), expect));
	close(fd);
}

static void says_100_continue(void **state UNUSED)
{
	int fd = rig_dial();
	rig_put(fd,
		"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	assert_string_equal(rig_one(fd), "HTTP/1.1 100 Continue\r\n\r\n");
	rig_put(fd, "abc");
	assert_non_null(strstr(rig_one(fd), "HTTP/1.1 200"));
	close(fd);
}

static void refuses_by_name(void **state UNUSED)
{
	static const struct {
		const char *request, *answer;
	} cases[] = {
		{"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		 "Content-Length with Transfer-Encoding"},
		{"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", "bare LF"},
		{"GET / HTTP/1.1\r\n\r\n", "no Host"},
		{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "two Host fields"},
		{"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", "folded field line"},
		{"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n",
		 "bad chunk size"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int fd = rig_dial();
		rig_put(fd, cases[i].request);
		const char *text = rig_rest(fd, NULL);
		assert_non_null(strstr(text, "HTTP/1.1 400 Bad Request"));
		assert_non_null(strstr(text, cases[i].answer));
		close(fd);
	}
}

static void gives_up_on_slow_heads_only_when_begun(void **state UNUSED)
{
	int fd = rig_dial();
	rig_put(fd, "GET / HT");
	const char *text = rig_rest(fd, NULL);
	assert_non_null(strstr(text, "HTTP/1.1 408"));
	close(fd);
	fd = rig_dial();
	assert_true(rig_ended(fd));
	close(fd);
}

static void slow_request_body_times_out(void **state UNUSED)
{
	int fd = rig_dial();
	rig_put(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\nabc");
	const char *text = rig_rest(fd, NULL);
	assert_non_null(strstr(text, "HTTP/1.1 408"));
	close(fd);
}

static void half_closed_client_gets_its_answer(void **state UNUSED)
{
	int fd = rig_dial();
	rig_put(fd, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
	shutdown(fd, SHUT_WR);
	const char *text = rig_rest(fd, NULL);
	assert_non_null(strstr(text, "\r\n\r\n/x"));
	close(fd);
}

static void early_answer_reaches_a_client_still_sending(void **state UNUSED)
{
	int fd = rig_dial();
	rig_put(fd, "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nsome");
	const char *text = rig_rest(fd, NULL);
	assert_non_null(strstr(text, "HTTP/1.1 413"));
	close(fd);
}

static void head_has_no_body(void **state UNUSED)
{
	int fd = rig_dial();
	rig_put(fd,
		"HEAD /x HTTP/1.1\r\nHost: a\r\n\r\nGET /y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	const char *text = rig_rest(fd, NULL);
	assert_non_null(strstr(text, "Content-Length: 2\r\n\r\nHTTP/1.1 200"));
	close(fd);
}

/* ---- two listeners at a limit */

static void answer_own(struct http_exchange *x)
{
	struct http_response r = {.status = 200};
	http_exchange_reply(x, &r, STR("own"));
}

static void own_closed(struct http_exchange *x UNUSED, enum http_end why UNUSED)
{
}

static const struct http_handler own_handler = {.request = answer_own, .closed = own_closed};
static const struct http_server_ops own_ops = {.handler = &own_handler};

static struct {
	struct budget *budget;
	struct http_server *server;
	int listens[2];
	struct addr addrs[2];
} limited;

static void begin_limited(void *arg UNUSED)
{
	struct http_server_conf c = {.max_conns = 100, .budget = limited.budget};
	limited.server = http_server_new(rig.worker, &own_ops, &c, NULL);
	for (int i = 0; i < 2; i++)
		http_server_listen(limited.server, limited.listens[i], &rig.conf.listener, NULL,
				   NULL);
}

static void end_limited(void *arg UNUSED)
{
	http_server_check(limited.server);
	http_server_free(limited.server);
}

/* The worker has turned round, met clients to accept, and waits for a place. */
static void wait_in_queue(void)
{
	rig_check();
	rig_check();
}

static bool is_answered(int fd, int wait_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	return poll(&p, 1, wait_ms) == 1;
}

/* One place, handed on from client to client: a listener with a long queue leaves it to the other one in between. */
static void listeners_take_turns_at_the_limit(void **state UNUSED)
{
	struct err e;
	int fds[2][4];
	limited.budget = budget_new(1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(addr_parse(&limited.addrs[i], STR("127.0.0.1:1"), 0, &e), 0);
		addr_set_port(&limited.addrs[i], 0);
		limited.listens[i] = sock_listen(&limited.addrs[i], 0, 16, &e);
		assert_int_equal(sock_local(limited.listens[i], &limited.addrs[i]), 0);
	}
	rig_on_worker(begin_limited, NULL);
	int holder = rig_dial_to(&limited.addrs[0], 0);
	rig_put(holder, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	rig_one(holder);
	for (int i = 0; i < 8; i++) {
		fds[i % 2][i / 2] = rig_dial_to(&limited.addrs[i % 2], 0);
		rig_put(fds[i % 2][i / 2], "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	}
	wait_in_queue();
	close(holder);
	int done[2] = {0, 0};
	for (int served = 0; served < 8; served++) {
		int of = -1;
		for (int waited = 0; of < 0 && waited < 5000; waited++)
			for (int i = 0; i < 2 && of < 0; i++)
				if (done[i] < 4 && is_answered(fds[i][done[i]], 1))
					of = i;
		assert_true(of >= 0);
		wait_in_queue();
		close(fds[of][done[of]++]);
		assert_in_range(done[0] - done[1] + 1, 0, 2);
	}
}

static int after_limited(void **state)
{
	rig_on_worker(end_limited, NULL);
	int result = rig_teardown(state);
	close(limited.listens[0]);
	close(limited.listens[1]);
	if (budget_taken(limited.budget))
		result = -1;
	budget_free(limited.budget);
	return result;
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		T(keeps_both_connections),
		T(answers_pipelined_requests_in_order),
		T(answers_pipelined_requests_of_a_client_that_half_closed),
		T(relays_a_large_body),
		T(relays_a_chunked_body),
		T(chunked_becomes_close_for_http_1_0),
		T(passes_request_bodies),
		T(says_100_continue),
		T(refuses_by_name),
		T(gives_up_on_slow_heads_only_when_begun),
		T(slow_request_body_times_out),
		T(half_closed_client_gets_its_answer),
		T(early_answer_reaches_a_client_still_sending),
		T(head_has_no_body),
		cmocka_unit_test_setup_teardown(listeners_take_turns_at_the_limit, rig_setup,
						after_limited),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
