// SPDX-License-Identifier: MIT
/*
 * The receive window: tables of what comes and what is taken, every cut of a chunked body, and a walk at random
 * through many messages. http_in_check() looks after every step.
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "http/in.h"
#include "loop/worker.h"

/* ---- an io that gives what the test has put there, at most `most` bytes a read */

static struct {
	const char *p;
	size_t n, most;
	bool eof;
	int error;
} source;

static ssize_t source_read(struct io *io UNUSED, void *to, size_t n)
{
	size_t give = MIN(MIN(n, source.n), source.most);
	if (give == 0 && source.eof)
		return 0;
	if (give == 0) {
		errno = source.error ? source.error : EAGAIN;
		return -1;
	}
	memcpy(to, source.p, give);
	source.p += give;
	source.n -= give;
	return (ssize_t)give;
}

static const struct io_ops source_ops = {.name = "source", .read = source_read};
static struct io io = {.ops = &source_ops};
static struct slab buffers;
static struct http_in in;

static int setup(void **state UNUSED)
{
	slab_init(&buffers, WORKER_BUFFER_SIZE, 1, 1);
	memset(&source, 0, sizeof(source));
	source.most = SIZE_MAX;
	http_in_init(&in, &buffers);
	http_in_check(&in);
	assert_true(http_in_open(&in));
	http_in_check(&in);
	return 0;
}

static int teardown(void **state UNUSED)
{
	http_in_close(&in);
	http_in_check(&in);
	assert_int_equal(buffers.used, 0);
	slab_fini(&buffers);
	return 0;
}

/* One read, and its body taken out of the framing, as a connection does. Returns the payload gained. */
static size_t fill(const char *p, size_t n)
{
	size_t got;
	source.p = p;
	source.n = n;
	assert_int_equal(http_in_fill(&in, &io, &got), HTTP_IN_SOME);
	assert_int_equal(got, n);
	size_t gained = in.head ? http_in_take(&in) : 0;
	http_in_check(&in);
	return gained;
}

static void pin(size_t size, enum http_body_kind kind, uint64_t length)
{
	http_in_pin(&in, size, kind, length);
	http_in_check(&in);
}

static void consume(size_t n)
{
	http_in_consume(&in, n);
	http_in_check(&in);
}

static bool next(void)
{
	bool more = http_in_next(&in);
	http_in_check(&in);
	return more;
}

/* ---- tables */

struct step {
	enum { FILL, PIN, CONSUME, NEXT, SKIP, TUNNEL, END } what;
	const char *bytes; /* FILL */
	size_t n;	   /* PIN: of the head; CONSUME, SKIP: bytes; NEXT: are there more? */
	enum http_body_kind kind;
	uint64_t length;
	/* afterwards */
	const char *data, *behind;
	enum http_body_state state;
};

static void walk(const struct step *s)
{
	for (int i = 0; s->what != END; s++, i++) {
		switch (s->what) {
		case FILL:
			fill(s->bytes, strlen(s->bytes));
			break;
		case PIN:
			pin(s->n, s->kind, s->length);
			break;
		case CONSUME:
			consume(s->n);
			break;
		case NEXT:
			assert_int_equal(next(), s->n);
			break;
		case SKIP:
			http_in_skip(&in, s->n);
			break;
		case TUNNEL:
			http_in_tunnel(&in);
			break;
		case END:
			break;
		}
		http_in_check(&in);
		if (!str_eq(http_in_data(&in), str_c(s->data)) ||
		    !str_eq(http_in_raw(&in), str_c(s->behind)) ||
		    (in.head && in.body.state != s->state))
			fail_msg("step %d: data \"%.*s\", behind \"%.*s\", state %d", i,
				 STR_ARG(http_in_data(&in)), STR_ARG(http_in_raw(&in)),
				 in.body.state);
	}
}

#define WALK(...) walk((const struct step[]){__VA_ARGS__, {.what = END}})
#define FILL_(text, d, b, s)                                                                       \
	{                                                                                          \
		.what = FILL, .bytes = text, .data = d, .behind = b, .state = HTTP_BODY_##s        \
	}
#define PIN_(size, k, len, d, b, s)                                                                \
	{                                                                                          \
		.what = PIN, .n = size, .kind = HTTP_BODY_##k, .length = len, .data = d,           \
		.behind = b, .state = HTTP_BODY_##s                                                \
	}
#define CONSUME_(size, d, b, s)                                                                    \
	{                                                                                          \
		.what = CONSUME, .n = size, .data = d, .behind = b, .state = HTTP_BODY_##s         \
	}
#define NEXT_(more, b)                                                                             \
	{                                                                                          \
		.what = NEXT, .n = more, .data = "", .behind = b                                   \
	}

static void messages_without_bodies(void **state UNUSED)
{
	WALK(FILL_("HE", "", "HE", END), FILL_("AD", "", "HEAD", END),
	     PIN_(4, NONE, 0, "", "", END), NEXT_(false, ""),
	     FILL_("HEADHEAD", "", "HEADHEAD", END), PIN_(4, NONE, 0, "", "HEAD", END),
	     FILL_("more", "", "HEADmore", END), NEXT_(true, "HEADmore"),
	     PIN_(4, NONE, 0, "", "more", END), NEXT_(true, "more"));
}

static void bodies_of_a_length(void **state UNUSED)
{
	WALK(FILL_("HEADab", "", "HEADab", MORE), PIN_(4, LENGTH, 5, "ab", "", MORE),
	     CONSUME_(1, "b", "", MORE), FILL_("c", "bc", "", MORE), CONSUME_(2, "", "", MORE),
	     FILL_("deHEAD", "de", "HEAD", END), CONSUME_(1, "e", "HEAD", END),
	     FILL_("x", "e", "HEADx", END), CONSUME_(1, "", "HEADx", END), NEXT_(true, "HEADx"));
	/* What was not consumed is dropped with its message. */
	http_in_skip(&in, 5);
	WALK(FILL_("HEADabcdeNEXT", "", "HEADabcdeNEXT", END),
	     PIN_(4, LENGTH, 5, "abcde", "NEXT", END), CONSUME_(2, "cde", "NEXT", END),
	     NEXT_(true, "NEXT"));
}

static void chunked_bodies(void **state UNUSED)
{
	WALK(FILL_("HEAD3\r\nabc", "", "HEAD3\r\nabc", MORE), PIN_(4, CHUNKED, 0, "abc", "", MORE),
	     FILL_("\r\n2", "abc", "", MORE), FILL_(";x=y\r\nde\r\n", "abcde", "", MORE),
	     CONSUME_(5, "", "", MORE), FILL_("1\r\nf\r\n0\r\nT: r\r\n\r\nNEXT", "f", "NEXT", END),
	     CONSUME_(1, "", "NEXT", END), NEXT_(true, "NEXT"));
	http_in_skip(&in, 4);
	WALK(FILL_("HEAD3\r\nabc\r\nzz", "", "HEAD3\r\nabc\r\nzz", MORE),
	     PIN_(4, CHUNKED, 0, "abc", "z", BROKEN));
}

static void bodies_until_the_end(void **state UNUSED)
{
	WALK(FILL_("HEADab", "", "HEADab", MORE), PIN_(4, CLOSE, 0, "ab", "", MORE),
	     CONSUME_(2, "", "", MORE), FILL_("cd", "cd", "", MORE));
	assert_int_equal(http_body_eof(&in.body), HTTP_BODY_END);
	http_in_check(&in);
	consume(2);
}

static void a_head_that_was_dealt_with_at_once(void **state UNUSED)
{
	WALK(FILL_("INTERIMHE", "", "INTERIMHE", END),
	     {.what = SKIP, .n = 7, .data = "", .behind = "HE"}, FILL_("AD", "", "HEAD", END),
	     PIN_(4, NONE, 0, "", "", END));
}

static void what_follows_is_a_tunnel(void **state UNUSED)
{
	WALK(FILL_("HEADfirst", "", "HEADfirst", END), PIN_(4, NONE, 0, "", "first", END),
	     FILL_(" and", "", "first and", END),
	     {.what = TUNNEL, .data = "first and", .behind = "", .state = HTTP_BODY_MORE},
	     FILL_(" more", "first and more", "", MORE), CONSUME_(10, "more", "", MORE),
	     CONSUME_(4, "", "", MORE), FILL_("x", "x", "", MORE));
}

static void bytes_that_went_another_way(void **state UNUSED)
{
	WALK(FILL_("HEADab", "", "HEADab", MORE), PIN_(4, LENGTH, 100, "ab", "", MORE),
	     CONSUME_(2, "", "", MORE));
	http_in_bypass(&in, 90);
	http_in_check(&in);
	WALK(FILL_("cdefghijN", "cdefghij", "N", END));
	next();
	http_in_skip(&in, 1);
	WALK(FILL_("HEAD", "", "HEAD", MORE), PIN_(4, LENGTH, 100, "", "", MORE));
	http_in_bypass(&in, 100);
	http_in_check(&in);
	assert_int_equal(in.body.state, HTTP_BODY_END);
	assert_false(next());
}

/* ---- room */

static void a_full_window_empties_behind_its_head(void **state UNUSED)
{
	static char much[HTTP_IN_SIZE];
	memset(much, 'x', sizeof(much));
	fill(much, sizeof(much));
	assert_int_equal(http_in_room(&in), 0);
	pin(100, HTTP_BODY_LENGTH, 100000);
	assert_int_equal(http_in_payload(&in), HTTP_IN_SIZE - 100);
	consume(HTTP_IN_SIZE - 101);
	assert_int_equal(http_in_room(&in), 0); /* as long as a byte is left */
	consume(1);
	assert_int_equal(http_in_room(&in), HTTP_IN_SIZE - 100);
	fill(much, HTTP_IN_SIZE - 100);
	consume(HTTP_IN_SIZE - 100);
	assert_int_equal(http_in_room(&in), HTTP_IN_SIZE - 100);
}

static void memory_is_held_only_while_it_is_open(void **state UNUSED)
{
	struct http_in other;
	http_in_init(&other, &buffers);
	assert_false(http_in_open(&other)); /* the only buffer is ours */
	http_in_check(&other);
	http_in_close(&other);
	fill("HEAD", 4);
	http_in_close(&in);
	http_in_check(&in);
	assert_int_equal(http_in_all(&in).n, 0);
	assert_true(http_in_open(&other));
	assert_false(http_in_open(&in));
	http_in_close(&other);
	assert_true(http_in_open(&in));
	assert_true(http_in_open(&in)); /* again is nothing */
	assert_int_equal(buffers.used, 1);
}

static void what_a_read_may_say(void **state UNUSED)
{
	size_t got = 9;
	source.n = 0;
	assert_int_equal(http_in_fill(&in, &io, &got), HTTP_IN_NOTHING);
	assert_int_equal(got, 0);
	source.error = ECONNRESET;
	assert_int_equal(http_in_fill(&in, &io, &got), HTTP_IN_ERROR);
	assert_int_equal(errno, ECONNRESET);
	source.eof = true;
	assert_int_equal(http_in_fill(&in, &io, &got), HTTP_IN_EOF);
	assert_int_equal(got, 0);
	http_in_check(&in);
}

/* ---- cuts */

static const char *const chunked =
	"HEAD5\r\nhello\r\n1;ext=\"1\"\r\n,\r\nb\r\n wide world\r\n0\r\nTrail: er\r\n\r\nGET / next";
#define PAYLOAD "hello, wide world"

/* One way through the message: cut at these places; consuming as it comes, or only at the end. */
static void cut_at(size_t a, size_t b, bool greedy)
{
	char got[64];
	size_t n = 0, all = strlen(chunked), from[] = {0, a, b}, to[] = {a, b, all};
	setup(NULL);
	for (int i = 0; i < 3; i++) {
		if (from[i] == to[i])
			continue;
		fill(chunked + from[i], to[i] - from[i]);
		if (!in.head && http_in_raw(&in).n >= 4)
			pin(4, HTTP_BODY_CHUNKED, 0);
		if (!in.head || !(greedy || i == 2))
			continue;
		struct str d = http_in_data(&in);
		memcpy(got + n, d.p, d.n);
		n += d.n;
		consume(d.n);
	}
	assert_int_equal(in.body.state, HTTP_BODY_END);
	assert_int_equal(n, strlen(PAYLOAD));
	assert_memory_equal(got, PAYLOAD, n);
	assert_true(next());
	assert_str_equal(http_in_raw(&in), "GET / next");
	teardown(NULL);
}

static void every_cut_of_a_chunked_body(void **state UNUSED)
{
	size_t all = strlen(chunked);
	teardown(NULL);
	for (size_t a = 0; a < all; a++)
		for (size_t b = a; b <= all - strlen("GET / next"); b++) {
			cut_at(a, b, true);
			cut_at(a, b, false);
		}
	setup(NULL);
}

/* ---- at random */

#define WALKS	 300
#define MESSAGES 30

static uint64_t random_state;
static unsigned long long walk_seed; /* SEED= of the environment begins there */

/* 0..n, by xorshift64*: a walk is what its seed makes it. */
static size_t upto(size_t n)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (size_t)((random_state * UINT64_C(2685821657736338717) >> 33) % (n + 1));
}

/* Messages one behind the other, as they are on the wire, and what their bodies are. */
struct wire {
	char bytes[1u << 20];
	size_t n;
	struct {
		size_t head, payload;
		enum http_body_kind kind;
	} message[MESSAGES];
};

static void put(struct wire *w, const void *p, size_t n)
{
	MUST(w->n + n <= sizeof(w->bytes));
	memcpy(w->bytes + w->n, p, n);
	w->n += n;
}

static char payload_byte(size_t message, size_t at)
{
	return (char)(message * 31 + at * 7);
}

static void put_payload(struct wire *w, size_t message, size_t at, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char c = payload_byte(message, at + i);
		put(w, &c, 1);
	}
}

static void make_message(struct wire *w, size_t m)
{
	static const enum http_body_kind kinds[] = {HTTP_BODY_NONE, HTTP_BODY_LENGTH,
						    HTTP_BODY_CHUNKED};
	char head[400], line[24];
	memset(head, 'H', sizeof(head));
	w->message[m].head = 1 + upto(sizeof(head) - 1);
	w->message[m].kind = kinds[upto(2)];
	w->message[m].payload = w->message[m].kind == HTTP_BODY_NONE ? 0
				: upto(3)			     ? upto(300)
								     : upto(30000);
	put(w, head, w->message[m].head);
	size_t left = w->message[m].payload, at = 0;
	while (w->message[m].kind == HTTP_BODY_CHUNKED && left) {
		size_t n = 1 + upto(left - 1);
		put(w, line, http_body_chunk_line(line, n));
		put_payload(w, m, at, n);
		put(w, "\r\n", 2);
		at += n;
		left -= n;
	}
	if (w->message[m].kind != HTTP_BODY_CHUNKED)
		put_payload(w, m, 0, left);
	else if (upto(1))
		put(w, "0\r\n\r\n", 5);
	else
		put(w, "0\r\nA: b\r\n\r\n", 11);
}

/* A read of any size, if there is room and something left. */
static void read_some(struct wire *w, size_t *sent)
{
	size_t got;
	if (!http_in_room(&in) || *sent == w->n)
		return;
	source.p = w->bytes + *sent;
	source.n = w->n - *sent;
	source.most = upto(3) ? 1 + upto(200) : 1 + upto(20000);
	assert_int_equal(http_in_fill(&in, &io, &got), HTTP_IN_SOME);
	*sent += got;
	if (in.head)
		http_in_take(&in);
	http_in_check(&in);
}

/* Consumes a part of what is there; all of it must be what was sent. */
static void consume_some(size_t m, size_t *at)
{
	struct str d = http_in_data(&in);
	for (size_t i = 0; i < d.n; i++)
		if (d.p[i] != payload_byte(m, *at + i))
			fail_msg("SEED=%llu: message %zu, byte %zu", walk_seed, m, *at + i);
	size_t n = upto(2) ? d.n : upto(d.n);
	*at += n;
	consume(n);
}

static void walk_at_random(uint64_t seed)
{
	static struct wire w;
	size_t sent = 0;
	setup(NULL);
	w.n = 0;
	random_state = seed * 2 + 1;
	for (size_t m = 0; m < MESSAGES; m++)
		make_message(&w, m);
	for (size_t m = 0; m < MESSAGES; m++) {
		size_t at = 0;
		while (http_in_raw(&in).n < w.message[m].head)
			read_some(&w, &sent);
		pin(w.message[m].head, w.message[m].kind, w.message[m].payload);
		while (in.body.state == HTTP_BODY_MORE || http_in_payload(&in)) {
			if (upto(1))
				read_some(&w, &sent);
			else
				consume_some(m, &at);
		}
		assert_int_equal(in.body.state, HTTP_BODY_END);
		assert_int_equal(at, w.message[m].payload);
		/* Some of the next ones come before this one is over. */
		while (upto(2))
			read_some(&w, &sent);
		next();
	}
	assert_int_equal(http_in_all(&in).n, 0);
	teardown(NULL);
}

static void at_random(void **state UNUSED)
{
	const char *given = getenv("SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : 1;
	teardown(NULL);
	for (unsigned i = 0; i < WALKS; i++) {
		walk_seed = seed + i;
		walk_at_random(walk_seed);
	}
	setup(NULL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(messages_without_bodies),
		T(bodies_of_a_length),
		T(chunked_bodies),
		T(bodies_until_the_end),
		T(a_head_that_was_dealt_with_at_once),
		T(what_follows_is_a_tunnel),
		T(bytes_that_went_another_way),
		T(a_full_window_empties_behind_its_head),
		T(memory_is_held_only_while_it_is_open),
		T(what_a_read_may_say),
		T(every_cut_of_a_chunked_body),
		T(at_random),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
