// SPDX-License-Identifier: MIT
/* Sockets and the plain io, on loopback. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>

#include "net/io.h"
#include "net/sock.h"

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t size = sizeof(value);
	assert_int_equal(getsockopt(fd, level, name, &value, &size), 0);
	return value;
}

static bool becomes(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};
	return poll(&p, 1, 5000) == 1 && (p.revents & events) != 0;
}

static struct addr loopback(int family)
{
	struct addr a;
	assert_int_equal(addr_parse_ip(&a, family == AF_INET ? STR("127.0.0.1") : STR("::1"), NULL),
			 0);
	return a;
}

static int listen_somewhere(int family, struct addr *a)
{
	struct addr any_port = loopback(family);
	struct err e;
	int fd = sock_listen(&any_port, 0, 16, &e);
	if (fd < 0)
		fail_msg("%s", e.text);
	assert_int_equal(sock_local(fd, a), 0);
	assert_true(addr_port(a) != 0);
	return fd;
}

static void check_descriptor(int fd)
{
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
}

static void check_tcp(int family)
{
	struct addr server, peer, local;
	int listener = listen_somewhere(family, &server), client, accepted;
	assert_int_equal(sock_accept(listener, &peer), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(peer.len, 0);
	client = sock_connect(&server, NULL);
	assert_true(client >= 0);
	assert_true(becomes(client, POLLOUT));
	assert_int_equal(sock_error(client), 0);
	assert_true(becomes(listener, POLLIN));
	accepted = sock_accept(listener, &peer);
	assert_true(accepted >= 0);
	check_descriptor(listener);
	check_descriptor(client);
	check_descriptor(accepted);
	assert_int_equal(option(client, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(option(accepted, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(sock_local(client, &local), 0);
	assert_true(addr_eq(&local, &peer));
	assert_int_equal(sock_local(accepted, &local), 0);
	assert_true(addr_eq(&local, &server));
	close(accepted);
	close(client);
	close(listener);
}

static void test_tcp(void **state UNUSED)
{
	check_tcp(AF_INET);
}

static void test_tcp_over_ipv6(void **state UNUSED)
{
	struct addr one = loopback(AF_INET6);
	if (!addr_is_local(&one))
		skip();
	check_tcp(AF_INET6);
}

/* A peer that is gone is found by probes; one that is slow is not cut, nor is connect(). */
static void test_a_gone_peer_is_probed_for(void **state UNUSED)
{
	struct addr server;
	int listener = listen_somewhere(AF_INET, &server);
	int client = sock_connect(&server, NULL);
	bool limited = false;
	assert_true(client >= 0);
	assert_int_equal(option(client, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(option(client, IPPROTO_TCP, TCP_KEEPIDLE), SOCK_PROBE_S);
	assert_int_equal(option(client, IPPROTO_TCP, TCP_KEEPINTVL), SOCK_PROBE_S);
	assert_int_equal(option(client, IPPROTO_TCP, TCP_KEEPCNT), SOCK_PROBES);
	assert_int_equal(option(client, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
	sock_limit_silence(client, false, &limited);
	assert_int_equal(option(client, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
	sock_limit_silence(client, true, &limited);
	assert_true(limited);
	assert_int_equal(option(client, IPPROTO_TCP, TCP_USER_TIMEOUT), SOCK_SILENCE_MS);
	sock_limit_silence(client, false, &limited);
	assert_false(limited);
	assert_int_equal(option(client, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
	close(client);
	close(listener);
	/* No call when nothing changes: this would be EBADF. */
	errno = 0;
	sock_limit_silence(-1, false, &limited);
	assert_int_equal(errno, 0);
}

static void test_refused_connection(void **state UNUSED)
{
	struct addr server;
	int listener = listen_somewhere(AF_INET, &server), client;
	close(listener);
	client = sock_connect(&server, NULL);
	if (client >= 0) {
		assert_true(becomes(client, POLLOUT));
		assert_int_equal(sock_error(client), ECONNREFUSED);
		close(client);
	} else {
		assert_int_equal(errno, ECONNREFUSED);
	}
}

static void test_taken_port(void **state UNUSED)
{
	struct addr server;
	int listener = listen_somewhere(AF_INET, &server);
	struct err e = {""};
	assert_int_equal(sock_listen(&server, 0, 16, &e), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_non_null(strstr(e.text, "bind to 127.0.0.1:"));
	assert_non_null(strstr(e.text, "Address already in use"));
	close(listener);
}

static void test_shared_port(void **state UNUSED)
{
	struct addr a = loopback(AF_INET);
	int first = sock_listen(&a, SOCK_REUSEPORT, 16, NULL), second;
	assert_int_equal(sock_local(first, &a), 0);
	second = sock_listen(&a, SOCK_REUSEPORT, 16, NULL);
	assert_true(second >= 0);
	close(first);
	close(second);
}

/* 192.0.2.0/24 is for documentation: no host has it. */
static void test_address_that_is_not_here(void **state UNUSED)
{
	struct addr v4, v6;
	int fd;
	assert_int_equal(addr_parse_ip(&v4, STR("192.0.2.170"), NULL), 0);
	assert_int_equal(sock_listen(&v4, 0, 16, NULL), -1);
	assert_int_equal(errno, EADDRNOTAVAIL);
	fd = sock_listen(&v4, SOCK_FREEBIND, 16, NULL);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(addr_parse_ip(&v6, STR("2001:db8::170"), NULL), 0);
	fd = sock_listen(&v6, SOCK_FREEBIND, 16, NULL);
	assert_true(fd >= 0 || errno == EAFNOSUPPORT);
	if (fd >= 0)
		close(fd);
}

static void test_both_families_on_one_port(void **state UNUSED)
{
	struct addr one = loopback(AF_INET6), v4, v6;
	int fd4, fd6;
	if (!addr_is_local(&one))
		skip();
	assert_int_equal(addr_parse(&v6, STR("[::]:1"), 0, NULL), 0);
	addr_set_port(&v6, 0);
	fd6 = sock_listen(&v6, 0, 16, NULL);
	assert_true(fd6 >= 0);
	assert_int_equal(sock_local(fd6, &v6), 0);
	assert_int_equal(addr_parse(&v4, STR("*:1"), 0, NULL), 0);
	addr_set_port(&v4, addr_port(&v6));
	fd4 = sock_listen(&v4, 0, 16, NULL);
	assert_true(fd4 >= 0);
	close(fd4);
	close(fd6);
}

static void test_local_of_no_socket(void **state UNUSED)
{
	struct addr a = loopback(AF_INET);
	assert_int_equal(sock_local(-1, &a), -1);
	assert_int_equal(a.len, 0);
	assert_int_equal(sock_error(-1), EBADF);
}

struct directory {
	char path[64], sock[96];
};

static int make_directory(void **state)
{
	static struct directory d;
	strcpy(d.path, "/tmp/sock_test.XXXXXX");
	if (!mkdtemp(d.path))
		return -1;
	snprintf(d.sock, sizeof(d.sock), "%s/s", d.path);
	*state = &d;
	return 0;
}

static int remove_directory(void **state)
{
	const struct directory *d = *state;
	unlink(d->sock);
	return rmdir(d->path); /* fails where a temporary name was left behind */
}

static void test_unix(void **state)
{
	const struct directory *d = *state;
	int listener = sock_unix_listen(d->sock, 0640, 4, NULL), client, accepted;
	struct addr peer;
	char text[ADDR_TEXT_SIZE];
	struct stat st;
	assert_true(listener >= 0);
	assert_int_equal(stat(d->sock, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	client = sock_unix_connect(d->sock, NULL);
	assert_true(client >= 0);
	accepted = sock_accept(listener, &peer);
	assert_true(accepted >= 0);
	assert_string_equal(addr_format(&peer, text), "unix");
	check_descriptor(listener);
	check_descriptor(client);
	check_descriptor(accepted);
	close(accepted);
	close(client);
	close(listener);
}

static void test_unix_replaces_a_stale_file_only(void **state)
{
	const struct directory *d = *state;
	int first = sock_unix_listen(d->sock, 0600, 4, NULL), second;
	struct err e = {""};
	assert_true(first >= 0);
	assert_int_equal(sock_unix_listen(d->sock, 0600, 4, &e), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_non_null(strstr(e.text, "another process listens"));
	close(first);
	assert_int_equal(sock_unix_connect(d->sock, &e), -1);
	assert_int_equal(errno, ECONNREFUSED);
	second = sock_unix_listen(d->sock, 0600, 4, NULL);
	assert_true(second >= 0);
	close(second);
}

static void test_unix_spares_other_files(void **state)
{
	const struct directory *d = *state;
	FILE *f = fopen(d->sock, "w");
	struct err e = {""};
	struct stat st;
	assert_non_null(f);
	fclose(f);
	assert_int_equal(sock_unix_listen(d->sock, 0600, 4, &e), -1);
	assert_non_null(strstr(e.text, "not a socket"));
	assert_int_equal(stat(d->sock, &st), 0);
	assert_true(S_ISREG(st.st_mode));
}

static void test_unix_errors(void **state)
{
	const struct directory *d = *state;
	char path[200];
	struct err e = {""};
	assert_int_equal(sock_unix_connect(d->sock, &e), -1);
	assert_int_equal(errno, ENOENT);
	assert_non_null(strstr(e.text, "No such file"));
	snprintf(path, sizeof(path), "%s/no/such/s", d->path);
	assert_int_equal(sock_unix_listen(path, 0600, 4, &e), -1);
	assert_int_equal(errno, ENOENT);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(sock_unix_listen(path, 0600, 4, &e), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	assert_int_equal(sock_unix_connect(path, &e), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	/* A name that fits, but not with the temporary one's tail. */
	path[107] = '\0';
	assert_int_equal(sock_unix_listen(path, 0600, 4, &e), -1);
}

struct pair {
	struct io a, b;
};

static struct pair connected(void)
{
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	struct pair p;
	io_init_tcp(&p.a, fds[0]);
	io_init_tcp(&p.b, fds[1]);
	return p;
}

static void test_io(void **state UNUSED)
{
	struct pair p = connected();
	struct iovec iov[2] = {{(char[]){"ab"}, 2}, {(char[]){"cde"}, 3}};
	char got[16];
	assert_int_equal(io_read(&p.a, got, sizeof(got)), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(io_writev(&p.b, iov, 2), 5);
	assert_int_equal(io_writev(&p.b, iov, 1), 2);
	assert_int_equal(io_read(&p.a, got, sizeof(got)), 7);
	assert_memory_equal(got, "abcdeab", 7);
	assert_int_equal(p.b.ops->shutdown(&p.b), 0);
	assert_int_equal(io_read(&p.a, got, sizeof(got)), 0);
	p.a.ops->close(&p.a);
	assert_int_equal(p.a.fd, -1);
	p.a.ops->close(&p.a);
	p.b.ops->close(&p.b);
}

/* SIGPIPE has its default action here: one signal would end the test. */
static void test_write_to_a_gone_peer(void **state UNUSED)
{
	struct pair p = connected();
	struct iovec iov[2] = {{(char[]){"ab"}, 2}, {(char[]){"cd"}, 2}};
	p.b.ops->close(&p.b);
	assert_int_equal(io_writev(&p.a, iov, 1), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(io_writev(&p.a, iov, 2), -1);
	assert_int_equal(errno, EPIPE);
	p.a.ops->close(&p.a);
}

static void test_more_pieces_than_the_kernel_takes(void **state UNUSED)
{
	struct pair p = connected();
	struct iovec iov[1500];
	char byte = 'x', got[2000];
	for (size_t i = 0; i < ARRAY_LEN(iov); i++)
		iov[i] = (struct iovec){&byte, 1};
	assert_int_equal(io_writev(&p.a, iov, ARRAY_LEN(iov)), 1024);
	assert_int_equal(io_read(&p.b, got, sizeof(got)), 1024);
	p.a.ops->close(&p.a);
	p.b.ops->close(&p.b);
}

#define IN_DIRECTORY(f) cmocka_unit_test_setup_teardown(f, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_tcp_over_ipv6),
		cmocka_unit_test(test_a_gone_peer_is_probed_for),
		cmocka_unit_test(test_refused_connection),
		cmocka_unit_test(test_taken_port),
		cmocka_unit_test(test_shared_port),
		cmocka_unit_test(test_address_that_is_not_here),
		cmocka_unit_test(test_both_families_on_one_port),
		cmocka_unit_test(test_local_of_no_socket),
		IN_DIRECTORY(test_unix),
		IN_DIRECTORY(test_unix_replaces_a_stale_file_only),
		IN_DIRECTORY(test_unix_spares_other_files),
		IN_DIRECTORY(test_unix_errors),
		cmocka_unit_test(test_io),
		cmocka_unit_test(test_write_to_a_gone_peer),
		cmocka_unit_test(test_more_pieces_than_the_kernel_takes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
