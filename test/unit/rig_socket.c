// SPDX-License-Identifier: MIT
#include "rig_socket.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "http/body.h"

int rig_dial_to(const struct addr *to, int rcvbuf)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	if (rcvbuf)
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf)), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
	assert_int_equal(connect(fd, &to->sa, to->len), 0);
	return fd;
}

void rig_reset(int fd)
{
	struct linger l = {.l_onoff = 1};
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)), 0);
	close(fd);
}

void rig_put_n(int fd, const void *p, size_t n)
{
	assert_int_equal(send(fd, p, n, MSG_NOSIGNAL), n);
}

void rig_put(int fd, const char *text)
{
	rig_put_n(fd, text, strlen(text));
}

size_t rig_get(int fd, char *to, size_t want)
{
	size_t n = 0;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	while (n < want && poll(&p, 1, RIG_WAIT_MS) == 1) {
		ssize_t r = recv(fd, to + n, want - n, 0);
		if (r <= 0)
			break;
		n += (size_t)r;
	}
	return n;
}

bool rig_ended(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char c;
	return poll(&p, 1, RIG_WAIT_MS) == 1 && recv(fd, &c, 1, 0) <= 0;
}

static char text[8u << 20];

const char *rig_rest(int fd, size_t *n)
{
	size_t got = rig_get(fd, text, sizeof(text) - 1);
	text[got] = '\0';
	if (n)
		*n = got;
	return text;
}

static size_t head(int fd)
{
	size_t n = 0;
	do {
		size_t got = rig_get(fd, text + n, 1);
		n += got;
		text[n] = '\0';
		if (!got)
			break;
	} while (n < 4 || strcmp(text + n - 4, "\r\n\r\n") != 0);
	return n;
}

const char *rig_head(int fd)
{
	head(fd);
	return text;
}

const char *rig_one(int fd)
{
	size_t n = head(fd);
	const char *cl = strstr(text, "Content-Length: ");
	size_t length = cl ? strtoul(cl + 16, NULL, 10) : 0;
	assert_true(n + length < sizeof(text));
	n += rig_get(fd, text + n, length);
	text[n] = '\0';
	return text;
}

/* ---- the pattern */

char rig_byte(uint64_t offset)
{
	return (char)(offset * 2654435761u >> 13);
}

void rig_fill(char *to, size_t n, uint64_t offset)
{
	for (size_t i = 0; i < n; i++)
		to[i] = rig_byte(offset + i);
}

static bool send_piece(struct rig_sender *s, char *mem, size_t n)
{
	char line[20];
	rig_fill(mem, n, s->sent);
	size_t size = s->chunked ? http_body_chunk_line(line, n) : 0;
	if (!unit_send_all(s->fd, line, size) || !unit_send_all(s->fd, mem, n))
		return false;
	s->sent += n;
	return !s->chunked || unit_send_all(s->fd, "\r\n", 2);
}

static void *send_main(void *arg)
{
	struct rig_sender *s = arg;
	char *mem = def_xmalloc(s->piece);
	while (s->sent < s->size) {
		if (!send_piece(s, mem, (size_t)MIN((uint64_t)s->piece, s->size - s->sent)))
			break;
		if (s->pause_us)
			usleep((useconds_t)s->pause_us);
	}
	if (s->chunked && s->sent == s->size)
		unit_send_all(s->fd, "0\r\n\r\n", 5);
	free(mem);
	if (s->then_close)
		close(s->fd);
	return NULL;
}

void rig_send_start(struct rig_sender *s)
{
	s->piece = s->piece ? s->piece : 65536;
	assert_int_equal(pthread_create(&s->thread, NULL, send_main, s), 0);
}

void rig_send_join(struct rig_sender *s)
{
	assert_int_equal(pthread_join(s->thread, NULL), 0);
}

uint64_t rig_get_pattern(int fd, uint64_t n, uint64_t offset, int slow_us)
{
	char mem[65536];
	uint64_t done = 0;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	while (done < n && poll(&p, 1, RIG_WAIT_MS) == 1) {
		ssize_t r = recv(fd, mem, (size_t)MIN(n - done, (uint64_t)sizeof(mem)), 0);
		if (r <= 0)
			break;
		for (ssize_t i = 0; i < r; i++)
			if (mem[i] != rig_byte(offset + done + (uint64_t)i))
				return done + (uint64_t)i;
		done += (uint64_t)r;
		if (slow_us)
			usleep((useconds_t)slow_us);
	}
	return done;
}

void rig_drip_pattern(int from, int to, uint64_t offset)
{
	static const size_t sizes[] = {1, 1000, 1460, 9000, 33000, 65536, 70000, 100000};
	static char piece[100000];
	for (size_t i = 0; i < 3 * ARRAY_LEN(sizes); i++) {
		size_t n = sizes[i % ARRAY_LEN(sizes)];
		rig_fill(piece, n, offset);
		int64_t began = clock_now_us();
		rig_put_n(from, piece, n);
		assert_int_equal(rig_get_pattern(to, n, offset, 0), n);
		int64_t took_ms = (clock_now_us() - began) / CLOCK_MSEC;
		if (took_ms > 100)
			fail_msg("%zu bytes took %d ms", n, (int)took_ms);
		offset += n;
		usleep(5000); /* a piece at a time */
	}
}
