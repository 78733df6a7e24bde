// SPDX-License-Identifier: MIT
// TEST-OF: vipd
/*
 * Adverts byte for byte: those captured from keepalived 2.2.7 are parsed and built, and crafted
 * ones are refused by the right name. Every truncation and every flipped bit of a good advert is
 * tried as well.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vrrp_pkt.h"

#define BOARD1 UINT32_C(0xc0a801ab) /* 192.168.1.171 */
#define BOARD2 UINT32_C(0xc0a801ac)
#define VIP    UINT32_C(0xc0a801aa) /* 192.168.1.170 */

/* 192.168.1.171 to 224.0.0.18, as captured (with the Ethernet header cut off). */
static const uint8_t frame_v2[] = {0x45, 0xc0, 0x00, 0x28, 0x00, 0x01, 0x00, 0x00, 0xff, 0x70,
				   0x18, 0x3f, 0xc0, 0xa8, 0x01, 0xab, 0xe0, 0x00, 0x00, 0x12,
				   0x21, 0x33, 0x65, 0x01, 0x00, 0x01, 0xb7, 0x77, 0xc0, 0xa8,
				   0x01, 0xaa, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};

struct capture {
	const char *name;
	struct vrrp_pkt_rules rules;
	uint8_t priority;
	uint8_t bytes[20]; /* of the VRRP message */
	size_t n;
};

#define V2(...)                                                                                    \
	{                                                                                          \
		.version = 2, .vrid = 51, .interval_us = 1000000, .source = BOARD1, .count = 1,    \
		.addrs = {VIP}, ##__VA_ARGS__                                                      \
	}
#define V3(...)                                                                                    \
	{                                                                                          \
		.version = 3, .vrid = 51, .interval_us = 100000, .source = BOARD1, .count = 1,     \
		.addrs = {VIP}, ##__VA_ARGS__                                                      \
	}

static const struct capture captures[] = {
	{"v2 101", V2(), 101, {0x21, 0x33, 0x65, 1, 0, 1, 0xb7, 0x77, 0xc0, 0xa8, 1, 0xaa}, 20},
	{"v2 0", V2(), 0, {0x21, 0x33, 0x00, 1, 0, 1, 0x1c, 0x78, 0xc0, 0xa8, 1, 0xaa}, 20},
	{"v2 PASS",
	 V2(.auth_type = 1, .auth = "s3cr3tpw"),
	 101,
	 {0x21, 0x33, 0x65, 1,	 1,   1,   0x3b, 0xe6, 0xc0, 0xa8,
	  1,	0xaa, 's',  '3', 'c', 'r', '3',	 't',  'p',  'w'},
	 20},
	{"v3 101", V3(), 101, {0x31, 0x33, 0x65, 1, 0, 0x0a, 0x04, 0x8c, 0xc0, 0xa8, 1, 0xaa}, 12},
	{"v3 101 RFC 9568",
	 V3(.plain_sum = true),
	 101,
	 {0x31, 0x33, 0x65, 1, 0, 0x0a, 0xa7, 0x6e, 0xc0, 0xa8, 1, 0xaa},
	 12},
	{"v3 0", V3(), 0, {0x31, 0x33, 0x00, 1, 0, 0x0a, 0x69, 0x8c, 0xc0, 0xa8, 1, 0xaa}, 12},
	{"v3 0 RFC 9568",
	 V3(.plain_sum = true),
	 0,
	 {0x31, 0x33, 0x00, 1, 0, 0x0a, 0x0c, 0x6f, 0xc0, 0xa8, 1, 0xaa},
	 12},
};

static struct str bytes(const uint8_t *p, size_t n)
{
	return str_of((const char *)p, n);
}

static void builds_what_keepalived_sends(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(captures); i++) {
		const struct capture *c = &captures[i];
		uint8_t got[VRRP_PKT_SIZE_MAX];
		size_t n = vrrp_pkt_build(&c->rules, c->priority, got);
		print_message("%s\n", c->name);
		assert_int_equal(n, 20 + c->n);
		assert_memory_equal(got + 20, c->bytes, c->n);
		assert_memory_equal(got, frame_v2, 2);
		assert_int_equal(vrrp_pkt_checksum(got, 20), 0);
		assert_memory_equal(got + 12, frame_v2 + 12, 8);
	}
}

static void builds_the_whole_frame(void **state UNUSED)
{
	const struct vrrp_pkt_rules rules = V2();
	uint8_t got[VRRP_PKT_SIZE_MAX];
	assert_int_equal(vrrp_pkt_build(&rules, 101, got), sizeof(frame_v2));
	got[5] = 1; /* the id, which the kernel fills in, and the header's sum over it */
	got[10] = got[11] = 0;
	uint16_t sum = vrrp_pkt_checksum(got, 20);
	got[10] = (uint8_t)(sum >> 8);
	got[11] = (uint8_t)sum;
	assert_memory_equal(got, frame_v2, sizeof(frame_v2));
}

static void parses_what_it_builds(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(captures); i++) {
		const struct capture *c = &captures[i];
		struct vrrp_pkt_rules peer = c->rules;
		uint8_t raw[VRRP_PKT_SIZE_MAX];
		struct vrrp_pkt p;
		assert_int_equal(
			vrrp_pkt_parse(bytes(raw, vrrp_pkt_build(&c->rules, c->priority, raw)), &p),
			VRRP_PKT_OK);
		assert_int_equal(p.source, BOARD1);
		assert_int_equal(p.version, c->rules.version);
		assert_int_equal(p.vrid, 51);
		assert_int_equal(p.priority, c->priority);
		assert_int_equal(p.count, 1);
		assert_int_equal(p.interval_us, c->rules.interval_us);
		if (p.version == 3)
			assert_int_equal(p.plain_sum, c->rules.plain_sum);
		peer.source = BOARD2;
		assert_int_equal(vrrp_pkt_match(&p, &peer), VRRP_PKT_OK);
		assert_int_equal(vrrp_pkt_match(&p, &c->rules), VRRP_PKT_DROP_own);
	}
}

static void parses_the_captured_frame(void **state UNUSED)
{
	struct vrrp_pkt p;
	assert_int_equal(vrrp_pkt_parse(bytes(frame_v2, sizeof(frame_v2)), &p), VRRP_PKT_OK);
	assert_int_equal(p.priority, 101);
	assert_memory_equal(p.addrs, "\xc0\xa8\x01\xaa", 4);
}

static void carries_many_addresses(void **state UNUSED)
{
	struct vrrp_pkt_rules r = V2(), other;
	uint8_t raw[VRRP_PKT_SIZE_MAX];
	struct vrrp_pkt p;
	r.count = VRRP_PKT_ADDRS_MAX;
	for (unsigned i = 0; i < r.count; i++)
		r.addrs[i] = VIP + i;
	assert_int_equal(vrrp_pkt_build(&r, 7, raw), VRRP_PKT_SIZE_MAX);
	assert_int_equal(vrrp_pkt_parse(bytes(raw, VRRP_PKT_SIZE_MAX), &p), VRRP_PKT_OK);
	assert_int_equal(p.count, VRRP_PKT_ADDRS_MAX);
	other = (struct vrrp_pkt_rules)V2();
	other.source = BOARD2;
	other.addrs[0] = VIP + VRRP_PKT_ADDRS_MAX - 1;
	assert_int_equal(vrrp_pkt_match(&p, &other), VRRP_PKT_OK);
	other.addrs[0] = VIP + VRRP_PKT_ADDRS_MAX;
	assert_int_equal(vrrp_pkt_match(&p, &other), VRRP_PKT_DROP_addresses);
}

/*
 * ---- crafted adverts: a good one with some bytes changed, its sum put right again unless told not
 * to
 */

enum sum { SUM_GOOD, SUM_PSEUDO, SUM_KEEP };

struct vector {
	const char *name;
	uint8_t version;
	int cut; /* bytes cut off the end, or appended when negative */
	struct {
		uint8_t at, value;
	} change[4]; /* offsets into the IP packet; at 0 ends the list */
	enum sum sum;
	enum vrrp_pkt_drop parse, match; /* wish */
};

static const struct vector vectors[] = {
	{"plain", 2, 0, {{0}}, SUM_GOOD, VRRP_PKT_OK, VRRP_PKT_OK},
	{"lower priority", 2, 0, {{22, 50}}, SUM_GOOD, VRRP_PKT_OK, VRRP_PKT_OK},
	{"priority 0", 2, 0, {{22, 0}}, SUM_GOOD, VRRP_PKT_OK, VRRP_PKT_OK},
	{"priority 255", 2, 0, {{22, 255}}, SUM_GOOD, VRRP_PKT_OK, VRRP_PKT_OK},
	{"ttl 254", 2, 0, {{8, 254}}, SUM_GOOD, VRRP_PKT_DROP_ttl, 0},
	{"ttl 1", 2, 0, {{8, 1}}, SUM_GOOD, VRRP_PKT_DROP_ttl, 0},
	{"source 0.0.0.0",
	 2,
	 0,
	 {{12, 0}, {13, 0}, {14, 0}, {15, 0}},
	 SUM_GOOD,
	 VRRP_PKT_DROP_source,
	 0},
	{"source multicast", 2, 0, {{12, 224}}, SUM_GOOD, VRRP_PKT_DROP_source, 0},
	{"source loopback", 2, 0, {{12, 127}}, SUM_GOOD, VRRP_PKT_DROP_source, 0},
	{"own source", 2, 0, {{15, 0xac}}, SUM_GOOD, VRRP_PKT_OK, VRRP_PKT_DROP_own},
	{"other protocol", 2, 0, {{9, 17}}, SUM_GOOD, VRRP_PKT_DROP_ip, 0},
	{"total length", 2, 0, {{3, 41}}, SUM_GOOD, VRRP_PKT_DROP_ip_length, 0},
	{"checksum off by one", 2, 0, {{27, 0x78}}, SUM_KEEP, VRRP_PKT_DROP_checksum, 0},
	{"checksum zero", 2, 0, {{26, 0}, {27, 0}}, SUM_KEEP, VRRP_PKT_DROP_checksum, 0},
	{"v2 with pseudo-header", 2, 0, {{0}}, SUM_PSEUDO, VRRP_PKT_DROP_checksum, 0},
	{"version 1", 2, 0, {{20, 0x11}}, SUM_GOOD, VRRP_PKT_DROP_version, 0},
	{"version 4", 2, 0, {{20, 0x41}}, SUM_GOOD, VRRP_PKT_DROP_version, 0},
	{"version 3 with v2's length", 2, 0, {{20, 0x31}}, SUM_GOOD, VRRP_PKT_DROP_length, 0},
	{"type 2", 2, 0, {{20, 0x22}}, SUM_GOOD, VRRP_PKT_DROP_type, 0},
	{"other VRID", 2, 0, {{21, 52}}, SUM_GOOD, VRRP_PKT_OK, VRRP_PKT_DROP_vrid},
	{"count 0", 2, 0, {{23, 0}}, SUM_GOOD, VRRP_PKT_DROP_count, 0},
	{"count 2", 2, 0, {{23, 2}}, SUM_GOOD, VRRP_PKT_DROP_length, 0},
	{"count 255", 2, 0, {{23, 255}}, SUM_GOOD, VRRP_PKT_DROP_length, 0},
	{"auth type 1", 2, 0, {{24, 1}}, SUM_GOOD, VRRP_PKT_OK, VRRP_PKT_DROP_auth},
	{"auth type 2", 2, 0, {{24, 2}}, SUM_GOOD, VRRP_PKT_OK, VRRP_PKT_DROP_auth},
	{"interval 2 s", 2, 0, {{25, 2}}, SUM_GOOD, VRRP_PKT_OK, VRRP_PKT_DROP_interval},
	{"interval 0", 2, 0, {{25, 0}}, SUM_GOOD, VRRP_PKT_DROP_interval_zero, 0},
	{"other address", 2, 0, {{31, 0x63}}, SUM_GOOD, VRRP_PKT_OK, VRRP_PKT_DROP_addresses},
	{"short by one", 2, 1, {{3, 39}}, SUM_GOOD, VRRP_PKT_DROP_length, 0},
	{"without auth data", 2, 8, {{3, 32}}, SUM_GOOD, VRRP_PKT_DROP_length, 0},
	{"trailing byte", 2, -1, {{3, 41}}, SUM_GOOD, VRRP_PKT_DROP_length, 0},
	{"seven bytes", 2, 13, {{3, 27}}, SUM_KEEP, VRRP_PKT_DROP_short, 0},
	{"header alone", 2, 20, {{3, 20}}, SUM_KEEP, VRRP_PKT_DROP_short, 0},
	/*
	 * CARP: same protocol and group, first byte 0x21, then vhid, advskew, authlen 7, pad,
	 * advbase
	 */
	{"CARP", 2, 4, {{3, 36}, {22, 0}, {23, 7}, {25, 1}}, SUM_GOOD, VRRP_PKT_DROP_length, 0},
	{"v3", 3, 0, {{0}}, SUM_PSEUDO, VRRP_PKT_OK, VRRP_PKT_OK},
	{"v3 without pseudo-header", 3, 0, {{0}}, SUM_GOOD, VRRP_PKT_OK, VRRP_PKT_OK},
	{"v3 checksum", 3, 0, {{27, 0}}, SUM_KEEP, VRRP_PKT_DROP_checksum, 0},
	{"v3 reserved bits", 3, 0, {{24, 0xf0}}, SUM_PSEUDO, VRRP_PKT_OK, VRRP_PKT_OK},
	{"v3 interval 0", 3, 0, {{25, 0}}, SUM_PSEUDO, VRRP_PKT_DROP_interval_zero, 0},
	{"v3 other interval", 3, 0, {{24, 1}}, SUM_PSEUDO, VRRP_PKT_OK, VRRP_PKT_OK},
	{"v3 trailing", 3, -1, {{3, 33}}, SUM_PSEUDO, VRRP_PKT_DROP_length, 0},
	{"v3 short", 3, 1, {{3, 31}}, SUM_PSEUDO, VRRP_PKT_DROP_length, 0},
	{"v3 other address", 3, 0, {{31, 1}}, SUM_PSEUDO, VRRP_PKT_OK, VRRP_PKT_DROP_addresses},
};

/* Independent of the code under test: the plain RFC 1071 loop. */
static void put_sum(uint8_t *packet, size_t n, bool pseudo)
{
	uint32_t sum = 0;
	packet[26] = packet[27] = 0;
	for (size_t i = 20; i < n; i++)
		sum += i & 1 ? packet[i] : (uint32_t)packet[i] << 8;
	if (pseudo) {
		for (size_t i = 12; i < 20; i++)
			sum += i & 1 ? packet[i] : (uint32_t)packet[i] << 8;
		sum += 112 + (uint32_t)(n - 20);
	}
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	packet[26] = (uint8_t)(~sum >> 8);
	packet[27] = (uint8_t)~sum;
}

static size_t craft(const struct vector *v, uint8_t raw[VRRP_PKT_SIZE_MAX + 8])
{
	const struct vrrp_pkt_rules v2 = V2(), v3 = V3();
	size_t n;
	memset(raw, 0, VRRP_PKT_SIZE_MAX + 8);
	n = vrrp_pkt_build(v->version == 2 ? &v2 : &v3, 101, raw);
	n = (size_t)((ptrdiff_t)n - v->cut);
	for (unsigned i = 0; i < ARRAY_LEN(v->change) && v->change[i].at; i++)
		raw[v->change[i].at] = v->change[i].value;
	if (v->sum != SUM_KEEP)
		put_sum(raw, n, v->sum == SUM_PSEUDO);
	return n;
}

static void judges_crafted_adverts(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct vector *v = &vectors[i];
		struct vrrp_pkt_rules v2 = V2(), v3 = V3();
		struct vrrp_pkt_rules *me = v->version == 2 ? &v2 : &v3;
		uint8_t raw[VRRP_PKT_SIZE_MAX + 8];
		struct vrrp_pkt p = {0};
		size_t n = craft(v, raw);
		enum vrrp_pkt_drop got;
		me->source = BOARD2;
		got = vrrp_pkt_parse(bytes(raw, n), &p);
		print_message("%-28s %s\n", v->name, vrrp_pkt_drop_text(got));
		assert_int_equal(got, v->parse);
		if (got == VRRP_PKT_OK)
			assert_int_equal(vrrp_pkt_match(&p, me), v->match);
	}
}

static void one_address_more_is_ours(void **state UNUSED)
{
	struct vrrp_pkt_rules theirs = V2(), mine = V2();
	uint8_t raw[VRRP_PKT_SIZE_MAX];
	struct vrrp_pkt p;
	theirs.addrs[theirs.count++] = VIP + 30;
	mine.source = BOARD2;
	assert_int_equal(vrrp_pkt_parse(bytes(raw, vrrp_pkt_build(&theirs, 101, raw)), &p),
			 VRRP_PKT_OK);
	assert_int_equal(vrrp_pkt_match(&p, &mine), VRRP_PKT_OK);
}

static void passwords_must_be_equal(void **state UNUSED)
{
	struct vrrp_pkt_rules theirs = V2(.auth_type = 1, .auth = "s3cr3tpw"), mine = theirs;
	uint8_t raw[VRRP_PKT_SIZE_MAX];
	struct vrrp_pkt p;
	mine.source = BOARD2;
	assert_int_equal(vrrp_pkt_parse(bytes(raw, vrrp_pkt_build(&theirs, 101, raw)), &p),
			 VRRP_PKT_OK);
	assert_int_equal(vrrp_pkt_match(&p, &mine), VRRP_PKT_OK);
	mine.auth[7] = 'x';
	assert_int_equal(vrrp_pkt_match(&p, &mine), VRRP_PKT_DROP_auth);
	mine.auth_type = 0;
	assert_int_equal(vrrp_pkt_match(&p, &mine), VRRP_PKT_DROP_auth);
}

/* No truncation is taken, and none is read beyond its end (each lies in a block of its own). */
static void refuses_every_truncation(void **state UNUSED)
{
	for (size_t n = 0; n < sizeof(frame_v2); n++) {
		uint8_t *cut = malloc(n ? n : 1);
		struct vrrp_pkt p;
		assert_non_null(cut);
		memcpy(cut, frame_v2, n);
		assert_int_not_equal(vrrp_pkt_parse(bytes(cut, n), &p), VRRP_PKT_OK);
		if (n > 3) {
			cut[2] = 0;
			cut[3] = (uint8_t)n;
			assert_int_not_equal(vrrp_pkt_parse(bytes(cut, n), &p), VRRP_PKT_OK);
		}
		free(cut);
	}
}

/*
 * A one-bit error in the VRRP message is always seen: its checksum has no blind spot for single
 * bits.
 */
static void sees_every_flipped_bit(void **state UNUSED)
{
	for (size_t bit = 20 * 8; bit < sizeof(frame_v2) * 8; bit++) {
		uint8_t raw[sizeof(frame_v2)];
		struct vrrp_pkt p;
		memcpy(raw, frame_v2, sizeof(raw));
		raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(vrrp_pkt_parse(bytes(raw, sizeof(raw)), &p), VRRP_PKT_OK);
	}
}

static void reasons_have_names(void **state UNUSED)
{
	for (unsigned d = VRRP_PKT_OK; d < VRRP_PKT_DROP_COUNT; d++) {
		assert_non_null(vrrp_pkt_drop_text(d));
		assert_true(strlen(vrrp_pkt_drop_name(d)) > 1);
	}
	assert_string_equal(vrrp_pkt_drop_name(VRRP_PKT_DROP_ttl), "ttl");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(builds_what_keepalived_sends),
		cmocka_unit_test(builds_the_whole_frame),
		cmocka_unit_test(parses_what_it_builds),
		cmocka_unit_test(parses_the_captured_frame),
		cmocka_unit_test(carries_many_addresses),
		cmocka_unit_test(judges_crafted_adverts),
		cmocka_unit_test(one_address_more_is_ours),
		cmocka_unit_test(passwords_must_be_equal),
		cmocka_unit_test(refuses_every_truncation),
		cmocka_unit_test(sees_every_flipped_bit),
		cmocka_unit_test(reasons_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
