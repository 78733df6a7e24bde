// SPDX-License-Identifier: MIT
/*
 * The sending side of a message: whatever the kernel takes at a time and whatever is offered to it, the bytes on the
 * wire are the same.
 */
#include "unit.h"

#include <errno.h>

#include "http/out.h"

/* ---- an io that takes what the test lets it */

static struct {
	char bytes[1u << 17];
	size_t n;
	size_t most;  /* a write */
	bool refuses; /* every other write */
	bool refused, more;
	int calls;
	bool broken;
} sink;

static ssize_t sink_writev(struct io *io UNUSED, const struct iovec *iov, int n, bool more)
{
	size_t left = sink.most, done = 0;
	sink.calls++;
	sink.more = more;
	if (sink.broken) {
		errno = EPIPE;
		return -1;
	}
	sink.refused = sink.refuses && !sink.refused;
	if (sink.refused) {
		errno = EAGAIN;
		return -1;
	}
	for (int i = 0; i < n && left; i++) {
		size_t put = MIN(iov[i].iov_len, left);
		MUST(iov[i].iov_len && sink.n + put <= sizeof(sink.bytes));
		memcpy(sink.bytes + sink.n, iov[i].iov_base, put);
		sink.n += put;
		left -= put;
		done += put;
	}
	return (ssize_t)done;
}

static const struct io_ops sink_ops = {.name = "sink", .writev = sink_writev};
static struct io io = {.ops = &sink_ops};
static struct http_out out;
static char body[20000];

static int setup(void **state UNUSED)
{
	memset(&sink, 0, sizeof(sink));
	sink.most = SIZE_MAX;
	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (char)(i * 2654435761u >> 9);
	return 0;
}

static const char head[] = "HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\n\r\n";

static void begin(enum http_out_framing framing, uint64_t length)
{
	http_out_init(&out, framing, length);
	http_out_piece(&out, STR("HTTP/1.1 200 OK\r\n"));
	http_out_piece(&out, STR_NONE);
	http_out_piece(&out, STR("A: 1\r\nB: 2\r\n"));
	http_out_piece(&out, STR("\r\n"));
	http_out_check(&out);
}

/* What is offered of the body from at on: at most n bytes, in pieces of size. */
static ssize_t offer(size_t at, size_t n, size_t size, enum http_piece piece)
{
	struct iovec iov[64];
	int count = 0;
	size_t put, before = sink.n;
	for (size_t done = 0; done < n && count < 64; count++) {
		size_t part = MIN(size, n - done);
		iov[count] = (struct iovec){body + at + done, part};
		done += part;
	}
	ssize_t taken = http_out_send(&out, &io, iov, count, piece, &put);
	http_out_check(&out);
	assert_int_equal(put, sink.n - before);
	assert_true(taken >= 0 && (size_t)taken <= http_out_total(iov, count));
	return taken;
}

/* All of a body of n bytes; each offer is as large as the one before, or a bit larger: more has come meanwhile. */
static void send_all(size_t n, size_t window, size_t size)
{
	size_t at = 0, offered = 0;
	for (int calls = 0; !http_out_complete(&out); calls++) {
		MUST(calls < 2000000);
		offered = MIN(n - at, MAX(offered, window));
		bool last = at + offered == n;
		/* A vector has 64 places, and not all of an offer is in it then. */
		bool all = offered <= 64 * size;
		ssize_t taken = offer(at, offered, size,
				      last && all ? HTTP_PIECE_LAST : HTTP_PIECE_SOME);
		at += (size_t)taken;
		offered -= (size_t)taken;
	}
	assert_int_equal(at, n);
	assert_true(http_out_may_end(&out));
	assert_false(http_out_pending(&out));
}

/* The head, and the body in its framing, and nothing else. */
static void check_wire(enum http_out_framing framing, size_t n)
{
	size_t payload, used;
	struct http_body b;
	assert_memory_equal(sink.bytes, head, sizeof(head) - 1);
	char *rest = sink.bytes + sizeof(head) - 1;
	size_t left = sink.n - (sizeof(head) - 1);
	http_body_init(&b, framing == HTTP_OUT_CHUNKED ? HTTP_BODY_CHUNKED : HTTP_BODY_CLOSE, 0);
	http_body_take(&b, rest, left, &payload, &used);
	assert_int_equal(b.state, framing == HTTP_OUT_CHUNKED ? HTTP_BODY_END : HTTP_BODY_MORE);
	assert_int_equal(used, left);
	assert_int_equal(payload, n);
	assert_memory_equal(rest, body, n);
}

static void bodies_in_all_ways(void **state UNUSED)
{
	static const enum http_out_framing framings[] = {HTTP_OUT_LENGTH, HTTP_OUT_CHUNKED};
	static const size_t sizes[] = {0, 1, 15, 16, 17, 300, 2100, 5000};
	static const size_t windows[] = {1, 7, 100, 4096};
	static const size_t most[] = {1, 2, 3, 5, 8, 13, 21, 34, 100, 3000, SIZE_MAX};
	for (size_t f = 0; f < ARRAY_LEN(framings); f++)
		for (size_t s = 0; s < ARRAY_LEN(sizes); s++)
			for (size_t w = 0; w < ARRAY_LEN(windows); w++)
				for (size_t m = 0; m < ARRAY_LEN(most); m++)
					for (int r = 0; r < 2; r++) {
						sink.n = 0;
						sink.most = most[m];
						sink.refuses = r;
						sink.refused = false;
						begin(framings[f], sizes[s]);
						send_all(sizes[s], windows[w], m % 2 ? 50 : 5000);
						check_wire(framings[f], sizes[s]);
					}
}

/* A body of which each byte is a piece of its own: more pieces than a vector has room for. */
static void many_pieces(void **state UNUSED)
{
	for (int chunked = 0; chunked < 2; chunked++) {
		sink.n = 0;
		begin(chunked ? HTTP_OUT_CHUNKED : HTTP_OUT_LENGTH, 500);
		send_all(500, 64, 1);
		check_wire(chunked ? HTTP_OUT_CHUNKED : HTTP_OUT_LENGTH, 500);
	}
}

static void a_small_message_is_one_call(void **state UNUSED)
{
	begin(HTTP_OUT_LENGTH, 100);
	offer(0, 100, 100, HTTP_PIECE_LAST);
	assert_int_equal(sink.calls, 1);
	assert_true(http_out_complete(&out));
	begin(HTTP_OUT_CHUNKED, 0);
	offer(0, 100, 100, HTTP_PIECE_LAST);
	assert_int_equal(sink.calls, 2);
	assert_true(http_out_complete(&out));
	begin(HTTP_OUT_NONE, 0);
	offer(0, 0, 1, HTTP_PIECE_LAST);
	assert_int_equal(sink.calls, 3);
	assert_true(http_out_complete(&out));
}

static void nothing_to_send_is_no_call(void **state UNUSED)
{
	begin(HTTP_OUT_LENGTH, 100);
	offer(0, 0, 1, HTTP_PIECE_SOME);
	assert_int_equal(sink.calls, 1); /* the head */
	offer(0, 0, 1, HTTP_PIECE_SOME);
	assert_int_equal(sink.calls, 1);
	assert_false(http_out_may_end(&out));
	assert_false(http_out_complete(&out));
	offer(0, 60, 60, HTTP_PIECE_MORE);
	assert_true(sink.more);
	offer(60, 40, 40, HTTP_PIECE_LAST);
	assert_false(sink.more);
	assert_true(http_out_complete(&out));
}

/* No more than was announced, whatever is offered. */
static void a_length_is_kept(void **state UNUSED)
{
	begin(HTTP_OUT_LENGTH, 10);
	assert_int_equal(offer(0, 50, 7, HTTP_PIECE_SOME), 10);
	assert_int_equal(offer(10, 50, 7, HTTP_PIECE_LAST), 0);
	assert_true(http_out_complete(&out));
	check_wire(HTTP_OUT_LENGTH, 10);
}

/* An interim response that did not go at once: whole, before the message that replaced it. */
static void what_goes_first(void **state UNUSED)
{
	for (size_t most = 1; most < 40; most++) {
		sink.n = 0;
		sink.most = most;
		http_out_init(&out, HTTP_OUT_NONE, 0);
		http_out_first(&out, STR("rest of an interim response"));
		size_t put;
		http_out_send(&out, &io, NULL, 0, HTTP_PIECE_SOME, &put);
		http_out_restart(&out, HTTP_OUT_CHUNKED, 0);
		http_out_piece(&out, STR("HEAD"));
		http_out_check(&out);
		send_all(20, 9, 9);
		assert_memory_equal(sink.bytes, "rest of an interim responseHEAD", 31);
	}
}

static void past_the_vector(void **state UNUSED)
{
	begin(HTTP_OUT_LENGTH, 100);
	assert_false(http_out_may_bypass(&out)); /* not before the head */
	offer(0, 10, 10, HTTP_PIECE_SOME);
	assert_true(http_out_may_bypass(&out));
	assert_int_equal(http_out_left(&out), 90);
	http_out_bypass(&out, 90);
	http_out_check(&out);
	assert_true(http_out_complete(&out));
	begin(HTTP_OUT_CHUNKED, 0);
	offer(0, 10, 10, HTTP_PIECE_SOME);
	assert_false(http_out_may_bypass(&out));
	begin(HTTP_OUT_RAW, 0);
	offer(0, 10, 10, HTTP_PIECE_SOME);
	assert_true(http_out_may_bypass(&out));
	assert_true(http_out_until_close(&out));
	http_out_bypass(&out, 12345);
	assert_true(http_out_complete(&out));
}

static void a_broken_connection(void **state UNUSED)
{
	size_t put;
	struct iovec v = {body, 10};
	begin(HTTP_OUT_CHUNKED, 0);
	sink.broken = true;
	assert_int_equal(http_out_send(&out, &io, &v, 1, HTTP_PIECE_LAST, &put), -1);
	assert_int_equal(put, 0);
	http_out_check(&out);
	assert_false(http_out_complete(&out));
	/* Nothing was lost: over another connection it goes as it would have. */
	sink.broken = false;
	send_all(10, 10, 10);
	check_wire(HTTP_OUT_CHUNKED, 10);
}

static void lines(void **state UNUSED)
{
	char mem[64], *to = mem;
	http_out_put(&to, STR("a"));
	http_out_put(&to, STR_NONE);
	http_out_put_length(&to, UINT64_MAX - 1);
	assert_str_equal(str_of(mem, (size_t)(to - mem)),
			 "aContent-Length: 18446744073709551614\r\n");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(bodies_in_all_ways),
		T(many_pieces),
		T(a_small_message_is_one_call),
		T(nothing_to_send_is_no_call),
		T(a_length_is_kept),
		T(what_goes_first),
		T(past_the_vector),
		T(a_broken_connection),
		T(lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
