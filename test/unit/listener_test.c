// SPDX-License-Identifier: MIT
/* A listening address with a socket for each worker: opened, shut, opened again, and refused without a trace. */
#include "unit.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "ipc/listener.h"
#include "net/sock.h"

/* A port that was free a moment ago. */
static struct addr free_port(void)
{
	struct addr a;
	struct err e;
	struct sockaddr_in sa = {0};
	socklen_t n = sizeof(sa);
	assert_int_equal(addr_parse_ip(&a, STR("127.0.0.1"), &e), 0);
	int fd = sock_listen(&a, 0, 1, &e);
	assert_true(fd >= 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
	close(fd);
	addr_set_port(&a, ntohs(sa.sin_port));
	return a;
}

static unsigned open_descriptors(void)
{
	unsigned n = 0;
	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* How many of n connections came to socket 0, all having been accepted. */
static unsigned accepted_by_first(const struct listener *l, unsigned n)
{
	unsigned first = 0;
	for (unsigned i = 0; i < n; i++) {
		struct addr peer;
		struct pollfd p[2] = {{.fd = l->fds[0], .events = POLLIN},
				      {.fd = l->fds[1], .events = POLLIN}};
		int fd = sock_connect(&l->addr, NULL);
		assert_true(fd >= 0);
		assert_int_equal(poll(p, 2, 2000), 1); /* exactly one of them has it */
		int got = sock_accept(p[0].revents ? p[0].fd : p[1].fd, &peer);
		assert_true(got >= 0);
		first += p[0].revents != 0;
		close(got);
		close(fd);
	}
	return first;
}

static void workers_share_a_port(void **state)
{
	struct addr a = free_port();
	struct err e;
	struct listener *l = listener_new(&a);
	(void)state;
	assert_int_equal(l->count, 0);
	assert_int_equal(listener_open(l, 2, &e), 0);
	assert_int_equal(l->count, 2);
	unsigned first = accepted_by_first(l, 64);
	assert_in_range(first, 1, 63);
	listener_free(l);
}

static void shut_is_free_for_others_and_can_be_opened_again(void **state)
{
	struct addr a = free_port();
	struct err e;
	struct listener *l = listener_new(&a), *other = listener_new(&a);
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(listener_open(l, 2, &e), 0);
		assert_in_range(accepted_by_first(l, 4), 0, 4);
		listener_shut(l);
		assert_int_equal(l->count, 0);
		assert_true(addr_eq(&l->addr, &a));
		int alone = sock_listen(&a, 0, 1, &e); /* without SO_REUSEPORT */
		assert_true(alone >= 0);
		close(alone);
	}
	listener_shut(l); /* is shut already */
	listener_free(l);
	listener_free(other);
}

static void workers_close_what_they_watched(void **state)
{
	struct addr a = free_port();
	struct err e;
	struct listener *l = listener_new(&a);
	(void)state;
	assert_int_equal(listener_open(l, 2, &e), 0);
	listener_leave(l, 7);
	assert_int_equal(l->leaving, 7);
	close(l->fds[0]);
	close(l->fds[1]);
	listener_left(l);
	assert_int_equal(l->leaving, 0);
	assert_int_equal(listener_open(l, 2, &e), 0);
	listener_free(l);
}

static void a_taken_port_leaves_nothing_behind(void **state)
{
	struct addr a = free_port();
	struct err e = {""};
	int taken = sock_listen(&a, 0, 1, &e);
	struct listener *l = listener_new(&a);
	unsigned before = open_descriptors();
	(void)state;
	assert_true(taken >= 0);
	assert_int_equal(listener_open(l, 4, &e), -1);
	assert_non_null(strstr(e.text, "127.0.0.1:"));
	assert_non_null(strstr(e.text, "in use"));
	assert_int_equal(l->count, 0);
	assert_int_equal(open_descriptors(), before);
	close(taken);
	assert_int_equal(listener_open(l, 4, &e), 0);
	assert_int_equal(open_descriptors(), before + 4 - 1);
	listener_free(l);
	assert_int_equal(open_descriptors(), before - 1);
}

/* The shared address is listened on before this board has it. */
static void an_address_of_another_board_can_be_bound(void **state)
{
	struct addr a;
	struct err e;
	(void)state;
	assert_int_equal(addr_parse(&a, STR("192.0.2.17:8099"), 0, &e), 0);
	struct listener *l = listener_new(&a);
	assert_int_equal(listener_open(l, 1, &e), 0);
	listener_free(l);
}

static void as_many_workers_as_asked_or_as_cores(void **state)
{
	(void)state;
	assert_int_equal(listener_workers(3), 3);
	assert_in_range(listener_workers(0), 1, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(workers_share_a_port),
		cmocka_unit_test(shut_is_free_for_others_and_can_be_opened_again),
		cmocka_unit_test(workers_close_what_they_watched),
		cmocka_unit_test(a_taken_port_leaves_nothing_behind),
		cmocka_unit_test(an_address_of_another_board_can_be_bound),
		cmocka_unit_test(as_many_workers_as_asked_or_as_cores),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
