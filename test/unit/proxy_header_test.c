// SPDX-License-Identifier: MIT
/* PROXY headers by table, cut at every byte, and written. */
#include "unit.h"

#include "net/proxy_header.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define V4                                                                                         \
	"\xc0\xa8\x01\x0a\xc0\xa8\x01\xaa\xa1\x0e\x00\x50" /* 192.168.1.10:41230 192.168.1.170:80 */
#define V6_IP "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0"
#define V6    V6_IP "\x0a" V6_IP "\xaa\xa1\x0e\x00\x50"
#define TLVS                                                                                       \
	"\x04\x00\x00\x03\x00\x04"                                                                 \
	"abcd"
#define TEN "xxxxxxxxxx"
#define UNIX_PAIR                                                                                  \
	TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "xxxxxx"
#define LONGEST_IP "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

struct given {
	struct str in;
	const char *source, *destination; /* NULL: it stands for itself */
};

/* A literal with NULs in it: its end is not one of its bytes. */
#define IN(lit)                                                                                    \
	{                                                                                          \
		"" lit, sizeof(lit) - 1                                                            \
	}

static const struct given good[] = {
	{IN("PROXY TCP4 192.168.1.10 192.168.1.170 41230 80\r\n"), "192.168.1.10:41230",
	 "192.168.1.170:80"},
	{IN("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), "255.255.255.255:65535",
	 "255.255.255.255:65535"},
	{IN("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), "0.0.0.0:0", "0.0.0.0:0"},
	{IN("PROXY TCP6 2001:db8::a 2001:DB8::AA 41230 80\r\n"), "[2001:db8::a]:41230",
	 "[2001:db8::aa]:80"},
	{IN("PROXY TCP6 " LONGEST_IP " " LONGEST_IP " 65535 65535\r\n"), "[" LONGEST_IP "]:65535",
	 "[" LONGEST_IP "]:65535"},
	{IN("PROXY TCP6 ::ffff:10.0.0.1 ::1 1 2\r\n"), "[::ffff:10.0.0.1]:1", "[::1]:2"},
	{IN("PROXY UNKNOWN\r\n"), NULL, NULL},
	{IN("PROXY UNKNOWN \r\n"), NULL, NULL},
	{IN("PROXY UNKNOWN what ever\t\0\xff\r\n"), NULL, NULL},
	{IN("PROXY UNKNOWN " LONGEST_IP " " LONGEST_IP " 65535 65535\r\n"), NULL, NULL},
	{IN(SIG "\x21\x11\x00\x0c" V4), "192.168.1.10:41230", "192.168.1.170:80"},
	{IN(SIG "\x21\x11\x00\x16" V4 TLVS), "192.168.1.10:41230", "192.168.1.170:80"},
	{IN(SIG "\x21\x21\x00\x24" V6), "[2001:db8::a]:41230", "[2001:db8::aa]:80"},
	{IN(SIG "\x21\x21\x00\x2e" V6 TLVS), "[2001:db8::a]:41230", "[2001:db8::aa]:80"},
	{IN(SIG "\x20\x00\x00\x00"), NULL, NULL},
	{IN(SIG "\x20\x11\x00\x0c" V4), NULL, NULL},
	{IN(SIG "\x20\xff\x00\x01z"), NULL, NULL},
	{IN(SIG "\x21\x00\x00\x00"), NULL, NULL},
	{IN(SIG "\x21\x00\x00\x0c" V4), NULL, NULL},
	{IN(SIG "\x21\x01\x00\x00"), NULL, NULL},
	{IN(SIG "\x21\x10\x00\x0c" V4), NULL, NULL},
	{IN(SIG "\x21\x31\x00\xd8" UNIX_PAIR), NULL, NULL},
};

static const struct {
	struct str in;
	const char *error;
} hostile[] = {
	{IN("GET / HTTP/1.1\r\n"), "no PROXY header"},
	{IN("PROXy TCP4"), "no PROXY header"},
	{IN("proxy TCP4"), "no PROXY header"},
	{IN("\0"), "no PROXY header"},
	{IN("\r\n\r\n\0\r\nQUIT\r"), "no PROXY header"},
	{IN("\r\n\r\nGET"), "no PROXY header"},
	{IN("PROXY \r\n"), "PROXY header of an unknown protocol"},
	{IN("PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n"), "PROXY header of an unknown protocol"},
	{IN("PROXY TCP 1.2.3.4 1.2.3.4 1 2\r\n"), "PROXY header of an unknown protocol"},
	{IN("PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n"), "PROXY header of an unknown protocol"},
	{IN("PROXY UNKNOWNS\r\n"), "PROXY header of an unknown protocol"},
	{IN("PROXY TCP4\r\n"), "PROXY header with malformed addresses"},
	{IN("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"), "PROXY header with malformed addresses"},
	{IN("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n"), "PROXY header with malformed addresses"},
	{IN("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n"), "PROXY header with malformed addresses"},
	{IN("PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n"), "PROXY header with malformed addresses"},
	{IN("PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n"), "PROXY header with malformed addresses"},
	{IN("PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n"), "PROXY header with malformed addresses"},
	{IN("PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n"), "PROXY header with malformed addresses"},
	{IN("PROXY TCP4 1.2.3.4 1.2.3.4  2\r\n"), "PROXY header with malformed addresses"},
	{IN("PROXY TCP4 1.2.3.04 1.2.3.4 1 2\r\n"), "PROXY header with malformed addresses"},
	{IN("PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n"), "PROXY header with malformed addresses"},
	{IN("PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2\r\n"), "PROXY header with malformed addresses"},
	{IN("PROXY TCP4 ::1 ::1 1 2\r\n"), "PROXY header with malformed addresses"},
	{IN("PROXY TCP4 1.2.3.4\t1.2.3.4 1 2\r\n"), "PROXY header with malformed addresses"},
	{IN("PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n"), "PROXY header with malformed addresses"},
	{IN("PROXY TCP6 fe80::1%lo ::1 1 2\r\n"), "PROXY header with malformed addresses"},
	{IN("PROXY TCP6 [::1] ::1 1 2\r\n"), "PROXY header with malformed addresses"},
	{IN("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n"), "PROXY header with a bare CR or LF"},
	{IN("PROXY TCP4 1.2.3.4\r1.2.3.4 1 2\r\n"), "PROXY header with a bare CR or LF"},
	{IN("PROXY UNKNOWN\r\r\n"), "PROXY header with a bare CR or LF"},
	{IN("PROXY \n"), "PROXY header with a bare CR or LF"},
	{IN("PROXY UNKNOWN " LONGEST_IP " " LONGEST_IP " 65535 65535 \r\n"),
	 "PROXY header without an end of line"},
	{IN(SIG "\x11\x11\x00\x0c" V4), "PROXY header of an unknown version or command"},
	{IN(SIG "\x31\x11\x00\x0c" V4), "PROXY header of an unknown version or command"},
	{IN(SIG "\x22\x11\x00\x0c" V4), "PROXY header of an unknown version or command"},
	{IN(SIG "\x21\x41\x00\x0c" V4), "PROXY header of an unknown family or protocol"},
	{IN(SIG "\x21\x13\x00\x0c" V4), "PROXY header of an unknown family or protocol"},
	{IN(SIG "\x21\x12\x00\x0c" V4), "PROXY header of datagrams"},
	{IN(SIG "\x21\x11\x00\x0b" V4), "PROXY header shorter than its addresses"},
	{IN(SIG "\x21\x21\x00\x0c" V4), "PROXY header shorter than its addresses"},
	{IN(SIG "\x21\x31\x00\x0c" V4), "PROXY header shorter than its addresses"},
	{IN(SIG "\x21\x11\xff\xff" V4), "PROXY header is too long"},
	{IN(SIG "\x20\x00\x0f\xf1"), "PROXY header is too long"},
};

static void check_addr(const struct addr *a, const char *want)
{
	char text[ADDR_TEXT_SIZE];
	if (want)
		assert_string_equal(addr_format(a, text), want);
	else
		assert_int_equal(a->len, 0);
}

static void a_header_is_read_whatever_follows(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		char mem[512];
		struct str in = good[i].in;
		struct proxy_header h;
		memcpy(mem, in.p, in.n);
		memset(mem + in.n, ' ', 200);
		for (size_t behind = 0; behind <= 200; behind += 100) {
			enum proxy_header_outcome o = proxy_header_parse(
				&h, str_of(mem, in.n + behind));
			if (o != PROXY_HEADER_DONE || h.size != in.n)
				fail_msg("case %zu: outcome %d, %zu bytes, %s", i, o, h.size,
					 h.error);
			check_addr(&h.source, good[i].source);
			check_addr(&h.destination, good[i].destination);
		}
	}
}

static void a_part_of_a_header_says_how_much_is_missing(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		for (size_t n = 0; n < good[i].in.n; n++) {
			struct proxy_header h;
			if (proxy_header_parse(&h, str_of(good[i].in.p, n)) != PROXY_HEADER_MORE)
				fail_msg("case %zu, %zu bytes: not MORE", i, n);
			assert_in_range(h.size, n + 1, good[i].in.n);
		}
	}
}

static void what_is_no_header(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
		struct proxy_header h, part;
		enum proxy_header_outcome now = PROXY_HEADER_MORE;
		enum proxy_header_outcome o = proxy_header_parse(&h, hostile[i].in);
		if (o != PROXY_HEADER_BAD || strcmp(h.error, hostile[i].error) != 0)
			fail_msg("case %zu: outcome %d, %s", i, o, h.error);
		for (size_t n = 0; now == PROXY_HEADER_MORE; n++)
			now = proxy_header_parse(&part, str_of(hostile[i].in.p, n));
		assert_int_equal(now, PROXY_HEADER_BAD);
		assert_string_equal(part.error, hostile[i].error);
	}
}

/* The longest that is taken is, and no byte more. */
static void size_is_bounded(void **state UNUSED)
{
	static char mem[16 + 65535] = SIG "\x21\x11";
	struct proxy_header h;
	memcpy(mem + 16, V4, 12);
	for (size_t length = 12; length <= 65535; length++) {
		mem[14] = (char)(length >> 8);
		mem[15] = (char)length;
		enum proxy_header_outcome o = proxy_header_parse(&h, str_of(mem, 16 + length));
		assert_int_equal(o, 16 + length <= PROXY_HEADER_MAX ? PROXY_HEADER_DONE
								    : PROXY_HEADER_BAD);
	}
}

static struct addr addr(const char *text)
{
	struct addr a;
	assert_int_equal(addr_parse(&a, str_c(text), 0, NULL), 0);
	return a;
}

static void what_is_written(void **state UNUSED)
{
	static const struct {
		const char *source, *destination;
		struct str v1, v2;
	} cases[] = {
		{"192.168.1.10:41230", "192.168.1.170:80",
		 IN("PROXY TCP4 192.168.1.10 192.168.1.170 41230 80\r\n"),
		 IN(SIG "\x21\x11\x00\x0c" V4)},
		{"[2001:db8::a]:41230", "[2001:db8::aa]:80",
		 IN("PROXY TCP6 2001:db8::a 2001:db8::aa 41230 80\r\n"),
		 IN(SIG "\x21\x21\x00\x24" V6)},
		{"[" LONGEST_IP "]:65535", "[" LONGEST_IP "]:65535",
		 IN("PROXY TCP6 " LONGEST_IP " " LONGEST_IP " 65535 65535\r\n"),
		 IN(SIG
		    "\x21\x21\x00\x24\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
		    "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")},
		{"[fe80::1%lo]:1", "[fe80::2%lo]:2", IN("PROXY TCP6 fe80::1 fe80::2 1 2\r\n"),
		 IN(SIG "\x21\x21\x00\x24\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
			"\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\0\x01\0\x02")},
		{"192.168.1.10:1", "[::1]:2", IN("PROXY UNKNOWN\r\n"), IN(SIG "\x20\x00\x00\x00")},
	};
	char to[PROXY_HEADER_ROOM];
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct addr source = addr(cases[i].source),
			    destination = addr(cases[i].destination);
		size_t n = proxy_header_write(to, 1, &source, &destination);
		assert_int_equal(n, cases[i].v1.n);
		assert_memory_equal(to, cases[i].v1.p, n);
		n = proxy_header_write(to, 2, &source, &destination);
		assert_int_equal(n, cases[i].v2.n);
		assert_memory_equal(to, cases[i].v2.p, n);
	}
}

static void without_addresses_it_stands_for_itself(void **state UNUSED)
{
	struct addr a = addr("192.168.1.10:1"), none = {0}, local = {.len = sizeof(sa_family_t)};
	const struct addr *pairs[][2] = {{NULL, NULL}, {&a, NULL},     {NULL, &a},
					 {&a, &none},  {&none, &none}, {&local, &local}};
	char to[PROXY_HEADER_ROOM];
	local.sa.sa_family = AF_UNIX;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		assert_int_equal(proxy_header_write(to, 1, pairs[i][0], pairs[i][1]), 15);
		assert_memory_equal(to, "PROXY UNKNOWN\r\n", 15);
		assert_int_equal(proxy_header_write(to, 2, pairs[i][0], pairs[i][1]), 16);
		assert_memory_equal(to, SIG "\x20\x00\x00\x00", 16);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_is_read_whatever_follows),
		cmocka_unit_test(a_part_of_a_header_says_how_much_is_missing),
		cmocka_unit_test(what_is_no_header),
		cmocka_unit_test(size_is_bounded),
		cmocka_unit_test(what_is_written),
		cmocka_unit_test(without_addresses_it_stands_for_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
