// SPDX-License-Identifier: MIT
/* A listening address with a socket for each worker: opened, closed, opened again, and refused without a trace. */
#include "unit.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "ipc/listener.h"
#include "ipc/sd.h"
#include "net/sock.h"

static char dir[] = "/tmp/listener_testXXXXXX";
static struct sockaddr_un manager_addr = {.sun_family = AF_UNIX};
static int manager = -1;

static int manager_comes(void **state UNUSED)
{
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(manager, (struct sockaddr *)&manager_addr, sizeof(manager_addr)) < 0)
		return -1;
	return setenv("NOTIFY_SOCKET", manager_addr.sun_path, 1);
}

static int manager_goes(void **state UNUSED)
{
	close(manager);
	unlink(manager_addr.sun_path);
	return unsetenv("NOTIFY_SOCKET");
}

/* What a listener tells the manager. */
struct word {
	char action[16]; /* FDSTORE, FDSTOREREMOVE; "" when it says nothing */
	char name[128];
	int fd; /* of a stored socket, or -1 */
};

static struct word heard(void)
{
	struct word w = {.fd = -1};
	char text[512], *name;
	char control[CMSG_SPACE(sizeof(int)) * 4] = {0};
	struct iovec iov = {.iov_base = text, .iov_len = sizeof(text) - 1};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(manager, &m, MSG_CMSG_CLOEXEC);
	if (n < 0)
		return w;
	text[n] = '\0';
	str_copy(w.action, sizeof(w.action), str_of(text, strcspn(text, "=")));
	name = strstr(text, "FDNAME=");
	assert_non_null(name);
	str_copy(w.name, sizeof(w.name), str_of(name + 7, strcspn(name + 7, "\n")));
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&w.fd, CMSG_DATA(c), sizeof(w.fd));
	return w;
}

static uint64_t socket_id(int fd)
{
	uint64_t id = 0;
	socklen_t n = sizeof(id);
	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &id, &n) == 0 ? id : 0;
}

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

static void workers_share_a_port(void **state UNUSED)
{
	struct addr a = free_port();
	struct err e;
	struct listener *l = listener_new(&a);
	assert_int_equal(l->count, 0);
	assert_int_equal(listener_open(l, 2, &e), 0);
	assert_int_equal(l->count, 2);
	unsigned first = accepted_by_first(l, 64);
	assert_in_range(first, 1, 63);
	listener_free(l);
}

static void closed_is_free_for_others_and_can_be_opened_again(void **state UNUSED)
{
	struct addr a = free_port();
	struct err e;
	struct listener *l = listener_new(&a), *other = listener_new(&a);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(listener_open(l, 2, &e), 0);
		assert_in_range(accepted_by_first(l, 4), 0, 4);
		listener_close(l);
		assert_int_equal(l->count, 0);
		assert_true(addr_eq(&l->addr, &a));
		int alone = sock_listen(&a, 0, 1, &e); /* without SO_REUSEPORT */
		assert_true(alone >= 0);
		close(alone);
	}
	listener_close(l); /* is closed already */
	listener_free(l);
	listener_free(other);
}

static void workers_close_what_they_watched(void **state UNUSED)
{
	struct addr a = free_port();
	struct err e;
	struct listener *l = listener_new(&a);
	assert_int_equal(listener_open(l, 2, &e), 0);
	listener_retire(l, 7);
	assert_int_equal(l->retiring, 7);
	close(l->fds[0]);
	close(l->fds[1]);
	listener_retired(l);
	assert_int_equal(l->retiring, 0);
	assert_int_equal(listener_open(l, 2, &e), 0);
	listener_free(l);
}

static void a_taken_port_leaves_nothing_behind(void **state UNUSED)
{
	struct addr a = free_port();
	struct err e = {""};
	int taken = sock_listen(&a, 0, 1, &e);
	struct listener *l = listener_new(&a);
	unsigned before = open_descriptors();
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
static void an_address_of_another_board_can_be_bound(void **state UNUSED)
{
	struct addr a;
	struct err e;
	assert_int_equal(addr_parse(&a, STR("192.0.2.17:8099"), 0, &e), 0);
	struct listener *l = listener_new(&a);
	assert_int_equal(listener_open(l, 1, &e), 0);
	listener_free(l);
}

/* Opens l with two workers; stored: what the manager has now. */
static void open_stored(struct listener *l, struct word stored[2])
{
	struct err e;
	assert_int_equal(listener_open(l, 2, &e), 0);
	for (unsigned i = 0; i < 2; i++) {
		stored[i] = heard();
		assert_string_equal(stored[i].action, "FDSTORE");
		assert_int_not_equal(socket_id(l->fds[i]), 0);
		assert_true(socket_id(stored[i].fd) == socket_id(l->fds[i]));
	}
	assert_string_not_equal(stored[0].name, stored[1].name);
	assert_string_equal(heard().action, "");
}

static void must_forget(struct word stored[2])
{
	for (unsigned i = 0; i < 2; i++) {
		struct word w = heard();
		assert_string_equal(w.action, "FDSTOREREMOVE");
		assert_string_equal(w.name, stored[i].name);
		close(stored[i].fd);
	}
	assert_string_equal(heard().action, "");
}

static void the_store_follows(void **state UNUSED)
{
	struct addr a = free_port();
	struct listener *l = listener_new(&a);
	struct word stored[2];
	open_stored(l, stored);
	listener_close(l);
	must_forget(stored);
	open_stored(l, stored);
	listener_retire(l, 1);
	must_forget(stored);
	close(l->fds[0]);
	close(l->fds[1]);
	listener_retired(l);
	open_stored(l, stored);
	listener_free(l); /* the next process will want them */
	assert_string_equal(heard().action, "");
	close(stored[0].fd);
	close(stored[1].fd);
}

/* The next process: two sockets come back, with their waiting clients; a third worker's is new. */
static int next_life(const struct addr *a, const struct word stored[2])
{
	char text[300];
	struct err e;
	struct listener *l = listener_new(a);
	int fds[3] = {fcntl(stored[0].fd, F_DUPFD, 20), fcntl(stored[1].fd, F_DUPFD, 20),
		      fcntl(manager, F_DUPFD_CLOEXEC, 20)};
	uint64_t ids[2] = {socket_id(fds[0]), socket_id(fds[1])};
	if (dup2(fds[0], 3) < 0 || dup2(fds[1], 4) < 0)
		return 10;
	close(fds[0]);
	close(fds[1]);
	manager = fds[2];
	snprintf(text, sizeof(text), "%d", (int)getpid());
	setenv("LISTEN_PID", text, 1);
	setenv("LISTEN_FDS", "2", 1);
	snprintf(text, sizeof(text), "%s:%s", stored[0].name, stored[1].name);
	setenv("LISTEN_FDNAMES", text, 1);
	if (listener_open(l, 3, &e) < 0)
		return 11;
	if (socket_id(l->fds[0]) != ids[0] || socket_id(l->fds[1]) != ids[1])
		return 12;
	struct word third = heard();
	if (strcmp(third.action, "FDSTORE") != 0 || socket_id(third.fd) != socket_id(l->fds[2]) ||
	    strcmp(third.name, stored[0].name) == 0 || strcmp(third.name, stored[1].name) == 0)
		return 13;
	sd_close_unclaimed(); /* there is none */
	if (*heard().action)
		return 14;
	struct addr peer;
	int waiting = sock_accept(l->fds[0], &peer);
	if (waiting < 0)
		waiting = sock_accept(l->fds[1], &peer);
	if (waiting < 0 || send(waiting, "hello", 5, MSG_NOSIGNAL) != 5)
		return 15;
	listener_free(l);
	return 0;
}

static int exit_of(pid_t pid)
{
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int first_life(const struct addr *a)
{
	struct err e;
	struct listener *l = listener_new(a);
	int rc = listener_open(l, 2, &e);
	listener_free(l);
	return rc < 0;
}

/* A process asks once what was handed over to it: this test comes before all that open something here. */
static void sockets_come_back_with_waiting_clients(void **state UNUSED)
{
	struct addr a = free_port();
	struct word stored[2];
	char got[8];
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(first_life(&a));
	assert_int_equal(exit_of(pid), 0);
	for (unsigned i = 0; i < 2; i++) {
		stored[i] = heard();
		assert_string_equal(stored[i].action, "FDSTORE");
	}
	int client = sock_connect(&a, NULL); /* while no process is there */
	struct pollfd p = {.fd = client, .events = POLLOUT};
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(sock_error(client), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(next_life(&a, stored));
	assert_int_equal(exit_of(pid), 0);
	assert_int_equal(recv(client, got, sizeof(got), 0), 5);
	close(client);
	close(stored[0].fd);
	close(stored[1].fd);
}

/* Descriptors run out at the fourth worker. */
static int starved(const struct addr *a)
{
	struct listener *l = listener_new(a);
	struct err e = {""};
	struct rlimit r;
	int last;
	while ((last = dup(0)) >= 0 && last < 100)
		;
	close(last); /* 100 and above are free, nothing below */
	if (last != 100 || getrlimit(RLIMIT_NOFILE, &r) < 0)
		return 10;
	r.rlim_cur = 103;
	if (setrlimit(RLIMIT_NOFILE, &r) < 0)
		return 11;
	unsigned before = open_descriptors();
	if (listener_open(l, 4, &e) != -1 || l->count != 0)
		return 12;
	if (!strstr(e.text, "127.0.0.1:") || !strstr(e.text, "Too many open files"))
		return 13;
	listener_free(l);
	return open_descriptors() == before ? 0 : 14;
}

/* What was put into the store before the failure is not left there, where it would catch clients. */
static void a_half_opened_one_is_forgotten(void **state UNUSED)
{
	struct addr a = free_port();
	int stored = 0, removed = 0;
	struct word w;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(starved(&a));
	assert_int_equal(exit_of(pid), 0);
	while (w = heard(), *w.action) {
		if (strcmp(w.action, "FDSTORE") == 0)
			stored++;
		else
			removed++;
		if (w.fd >= 0)
			close(w.fd);
	}
	assert_in_range(stored, 1, 3);
	assert_true(removed >= stored);
}

static void as_many_workers_as_asked_or_as_cores(void **state UNUSED)
{
	assert_int_equal(listener_workers(3), 3);
	assert_in_range(listener_workers(0), 1, 16);
}

int main(void)
{
#define WITH_MANAGER(t) cmocka_unit_test_setup_teardown(t, manager_comes, manager_goes)
	const struct CMUnitTest tests[] = {
		WITH_MANAGER(sockets_come_back_with_waiting_clients),
		cmocka_unit_test(workers_share_a_port),
		cmocka_unit_test(closed_is_free_for_others_and_can_be_opened_again),
		cmocka_unit_test(workers_close_what_they_watched),
		cmocka_unit_test(a_taken_port_leaves_nothing_behind),
		cmocka_unit_test(an_address_of_another_board_can_be_bound),
		cmocka_unit_test(as_many_workers_as_asked_or_as_cores),
		WITH_MANAGER(the_store_follows),
		WITH_MANAGER(a_half_opened_one_is_forgotten),
	};
	MUST(mkdtemp(dir));
	snprintf(manager_addr.sun_path, sizeof(manager_addr.sun_path), "%s/notify", dir);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(dir);
	return rc;
}
