// SPDX-License-Identifier: MIT
/* The handshake that takes a PROXY header off a socket, over loopback. */
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "net/proxy_io.h"
#include "net/sock.h"

#define V1	"PROXY TCP4 192.168.1.10 192.168.1.170 41230 80\r\n"
#define V1_SIZE (sizeof(V1) - 1)
#define V2	"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\xa8\x01\x0a\xc0\xa8\x01\xaa\xa1\x0e\x00\x50"
#define V2_SIZE (sizeof(V2) - 1)

struct fixture {
	struct arena arena;
	struct nets proxies;
	struct io io;
	struct addr peer, own; /* as the socket knows them */
	struct addr named;     /* the io's */
	int client;
};

static void wait_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	assert_int_equal(poll(&p, 1, 5000), 1);
}

static bool is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	return poll(&p, 1, 0) == 1;
}

/* Bytes on loopback are there when send() returns, but not if TCP holds them back. */
static void say(struct fixture *f, const char *bytes, size_t n)
{
	assert_int_equal(send(f->client, bytes, n, MSG_NOSIGNAL), n);
}

static int setup(void **state)
{
	struct fixture *f = def_xcalloc(1, sizeof(*f));
	struct addr at;
	arena_init(&f->arena, NULL, 0, ARENA_UNLIMITED);
	assert_int_equal(nets_add(&f->proxies, STR("127.0.0.0/8"), &f->arena, NULL), 0);
	assert_int_equal(addr_parse_ip(&at, STR("127.0.0.1"), NULL), 0);
	int listener = sock_listen(&at, 0, 1, NULL);
	assert_int_equal(sock_local(listener, &f->own), 0);
	f->client = sock_connect(&f->own, NULL);
	wait_readable(listener);
	int fd = sock_accept(listener, &f->peer);
	assert_true(f->client >= 0 && fd >= 0);
	close(listener);
	f->named = f->peer;
	proxy_io_open(&f->io, fd, &f->named, &f->proxies);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	f->io.ops->close(&f->io);
	if (f->client >= 0)
		close(f->client);
	arena_fini(&f->arena);
	free(f);
	return 0;
}

static void check_addr(const struct addr *a, const char *want)
{
	char text[ADDR_TEXT_SIZE];
	assert_string_equal(addr_format(a, text), want);
}

static void check_named(struct fixture *f)
{
	struct addr local;
	check_addr(&f->named, "192.168.1.10:41230");
	assert_true(io_local(&f->io, &local));
	check_addr(&local, "192.168.1.170:80");
}

static void check_rest(struct fixture *f, const char *want)
{
	char got[100];
	assert_int_equal(io_read(&f->io, got, sizeof(got)), strlen(want));
	assert_memory_equal(got, want, strlen(want));
	assert_int_equal(io_read(&f->io, got, sizeof(got)), -1);
	assert_int_equal(errno, EAGAIN);
}

static void check_refused(struct fixture *f, const char *why)
{
	assert_int_equal(io_handshake(&f->io), IO_REFUSE);
	if (why)
		assert_string_equal(f->io.error, why);
	else
		assert_null(f->io.error);
	assert_true(addr_eq(&f->named, &f->peer));
}

static void header_and_request_in_one_packet(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(io_handshake(&f->io), IO_WAIT);
	assert_int_equal(f->io.want, IO_WANT_READ);
	say(f, V1 "GET / ", V1_SIZE + 6);
	wait_readable(f->io.fd);
	assert_int_equal(io_handshake(&f->io), IO_READY);
	assert_ptr_equal(f->io.ops, &io_tcp);
	check_named(f);
	check_rest(f, "GET / ");
}

/* After each byte: not readable before the header is whole, or the loop would spin. */
static void drip(struct fixture *f, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(io_handshake(&f->io), IO_WAIT);
		assert_false(is_readable(f->io.fd));
		say(f, bytes + i, 1);
	}
	wait_readable(f->io.fd);
	assert_int_equal(io_handshake(&f->io), IO_READY);
	check_named(f);
	say(f, "x", 1);
	wait_readable(f->io.fd);
	check_rest(f, "x");
}

static void a_dripped_header(void **state)
{
	drip(*state, V1, V1_SIZE);
}

static void a_dripped_header_of_version_2(void **state)
{
	drip(*state, V2, V2_SIZE);
}

/* Announced TLVs are waited for as a whole, however large. */
static void tlvs_to_the_limit(void **state)
{
	struct fixture *f = *state;
	char header[4096] = V2;
	header[14] = (char)((sizeof(header) - 16) >> 8);
	header[15] = (char)(sizeof(header) - 16);
	for (size_t at = 0; at < sizeof(header); at += 512) {
		assert_int_equal(io_handshake(&f->io), IO_WAIT);
		assert_false(is_readable(f->io.fd));
		say(f, header + at, 512);
	}
	say(f, "GET", 3);
	wait_readable(f->io.fd);
	assert_int_equal(io_handshake(&f->io), IO_READY);
	check_named(f);
	check_rest(f, "GET");
}

static void what_stands_for_itself_keeps_its_addresses(void **state)
{
	struct fixture *f = *state;
	struct addr local;
	say(f, "PROXY UNKNOWN\r\nGET", 18);
	assert_int_equal(io_handshake(&f->io), IO_READY);
	assert_true(addr_eq(&f->named, &f->peer));
	assert_true(io_local(&f->io, &local));
	assert_true(addr_eq(&local, &f->own));
	check_rest(f, "GET");
}

static void a_client_not_among_them_is_plain_tcp(void **state)
{
	struct fixture *f = *state;
	struct nets others = {0};
	assert_int_equal(nets_add(&others, STR("10.0.0.0/8"), &f->arena, NULL), 0);
	proxy_io_open(&f->io, f->io.fd, &f->named, &others);
	assert_int_equal(io_handshake(&f->io), IO_READY);
	say(f, V1, V1_SIZE);
	check_rest(f, V1);
	assert_true(addr_eq(&f->named, &f->peer));
}

static void no_header(void **state)
{
	say(*state, "GET / HTTP/1.1\r\n", 16);
	check_refused(*state, "no PROXY header");
}

static void a_malformed_header(void **state)
{
	say(*state, "PROXY TCP4 x\r\n", 14);
	check_refused(*state, "PROXY header with malformed addresses");
}

static void a_close_without_a_word_needs_none(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(io_handshake(&f->io), IO_WAIT);
	shutdown(f->client, SHUT_WR);
	wait_readable(f->io.fd);
	check_refused(f, NULL);
}

static void a_close_inside_is_noticed(void **state)
{
	struct fixture *f = *state;
	say(f, V1, 20);
	assert_int_equal(io_handshake(&f->io), IO_WAIT);
	shutdown(f->client, SHUT_WR);
	wait_readable(f->io.fd);
	check_refused(f, "closed inside its PROXY header");
}

static void a_close_inside_before_the_first_look(void **state)
{
	struct fixture *f = *state;
	say(f, V2, V2_SIZE - 1);
	shutdown(f->client, SHUT_WR);
	check_refused(f, "closed inside its PROXY header");
}

static void a_reset_inside(void **state)
{
	struct fixture *f = *state;
	struct linger hard = {.l_onoff = 1};
	say(f, V1, 20);
	assert_int_equal(io_handshake(&f->io), IO_WAIT);
	setsockopt(f->client, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(f->client);
	f->client = -1;
	wait_readable(f->io.fd);
	check_refused(f, "closed inside its PROXY header");
}

static void a_whole_header_counts_though_the_client_has_ended(void **state)
{
	struct fixture *f = *state;
	char got[8];
	say(f, V1, 20);
	assert_int_equal(io_handshake(&f->io), IO_WAIT);
	say(f, V1 "GET" + 20, V1_SIZE + 3 - 20);
	shutdown(f->client, SHUT_WR);
	wait_readable(f->io.fd);
	assert_int_equal(io_handshake(&f->io), IO_READY);
	check_named(f);
	assert_int_equal(io_read(&f->io, got, sizeof(got)), 3);
	assert_int_equal(io_read(&f->io, got, sizeof(got)), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(header_and_request_in_one_packet),
		TEST(a_dripped_header),
		TEST(a_dripped_header_of_version_2),
		TEST(tlvs_to_the_limit),
		TEST(what_stands_for_itself_keeps_its_addresses),
		TEST(a_client_not_among_them_is_plain_tcp),
		TEST(no_header),
		TEST(a_malformed_header),
		TEST(a_close_without_a_word_needs_none),
		TEST(a_close_inside_is_noticed),
		TEST(a_close_inside_before_the_first_look),
		TEST(a_reset_inside),
		TEST(a_whole_header_counts_though_the_client_has_ended),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
