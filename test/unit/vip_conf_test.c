// SPDX-License-Identifier: MIT
// TEST-OF: vipd
/* [vrrp], [vip] and [board] as text, and the values an instance works by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vip_conf.h"

#define VIP    UINT32_C(0xc0a801aa) /* 192.168.1.170 */
#define BOARD1 UINT32_C(0xc0a801ab)
#define BOARD2 UINT32_C(0xc0a801ac)
#define BOARD3 UINT32_C(0xc0a801ad)

#define BASE "[vrrp VI_1]\ninterface=eth0\nvirtual_router_id=51\n"
#define ADDR "address=192.168.1.170/24\n"

struct file {
	struct arena arena;
	struct conf_errors errors;
	struct vip_conf *conf;
};

static void load(struct file *f, const char *text)
{
	struct conf *c;
	arena_init(&f->arena, NULL, 0, ARENA_UNLIMITED);
	conf_errors_init(&f->errors, &f->arena);
	c = conf_read_text("f", str_c(text), vip_conf_schema, vip_conf_schema_n, &f->arena,
			   &f->errors);
	assert_non_null(c);
	f->conf = vip_conf_build(c, &f->arena, &f->errors);
}

static const struct vip_conf_instance *load_good(struct file *f, const char *text)
{
	load(f, text);
	if (f->errors.n)
		print_message("%s\n", f->errors.first->text);
	assert_int_equal(f->errors.n, 0);
	assert_true(f->conf->n >= 1);
	return &f->conf->instances[0];
}

static void has_the_posts_defaults(void **state UNUSED)
{
	struct file f;
	const struct vip_conf_instance *i = load_good(&f, BASE ADDR);
	assert_string_equal(i->name, "VI_1");
	assert_string_equal(i->interface, "eth0");
	assert_int_equal(i->packet.version, 2);
	assert_int_equal(i->packet.vrid, 51);
	assert_int_equal(i->packet.interval_us, 1000000);
	assert_int_equal(i->packet.auth_type, 0);
	assert_int_equal(i->packet.count, 1);
	assert_int_equal(i->packet.addrs[0], VIP);
	assert_int_equal(i->addrs.ip[0], VIP);
	assert_string_equal(i->addrs.label, "eth0:0");
	assert_int_equal(i->addrs.lifetime_s, 2);
	assert_int_equal(i->priority, 100);
	assert_int_equal(i->track.mode, VIP_CONF_TRACK_NONE);
	assert_int_equal(i->handover_ms, 1000);
	assert_int_equal(i->garp_refresh_ms, 60000);
	assert_true(i->preempt && i->last_resort && f.conf->mlock);
	arena_fini(&f.arena);
}

static void takes_every_key(void **state UNUSED)
{
	struct file f;
	const struct vip_conf_instance *i = load_good(
		&f, BASE "address = 10.0.0.1, 10.0.0.2/8\naddress = 10.0.0.3\npriority=254\n"
			 "version=3\nadvert_int=250ms\npreempt=no\ntrack=lbd weight -20\n"
			 "last_resort=no\nlabel=none\nlifetime=1s\nhandover=0\n"
			 "v3_checksum=rfc9568\n[vip]\ngarp_refresh=0\nmlock=no\n");
	assert_int_equal(i->addrs.count, 3);
	assert_int_equal(i->addrs.ip[0], 0x0a000001);
	assert_int_equal(i->addrs.ip[1], 0x0a000002); /* its prefix length has no effect */
	assert_int_equal(i->addrs.ip[2], 0x0a000003);
	assert_int_equal(i->packet.interval_us, 250000);
	assert_true(i->packet.plain_sum);
	assert_string_equal(i->addrs.label, "");
	assert_int_equal(i->track.mode, VIP_CONF_TRACK_WEIGHT);
	assert_int_equal(i->track.weight, -20);
	assert_string_equal(i->track.daemon, "lbd");
	assert_false(i->preempt || i->last_resort || f.conf->mlock);
	assert_int_equal(i->garp_refresh_ms, 0);
	arena_fini(&f.arena);
}

static void labels_count_up_on_an_interface(void **state UNUSED)
{
	struct file f;
	load_good(
		&f, BASE ADDR
		"[vrrp B]\ninterface=eth0\nvirtual_router_id=52\naddress=10.0.0.1\n"
		"[vrrp C]\ninterface=eth1\nvirtual_router_id=51\naddress=10.0.0.2\nlabel=eth1:web\n"
		"[vrrp D]\ninterface=averylongname00\nvirtual_router_id=1\naddress=10.0.0.3\n");
	assert_string_equal(f.conf->instances[1].addrs.label, "eth0:1");
	assert_string_equal(f.conf->instances[2].addrs.label, "eth1:web");
	assert_string_equal(f.conf->instances[3].addrs.label, ""); /* no room for ":0" */
	arena_fini(&f.arena);
}

/* Text after BASE, the line of the error, and part of it. */
static void says_what_is_wrong(void **state UNUSED)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{BASE, "f:1: address: "},
		{BASE ADDR "advert_int=1500ms\n",
		 "f:5: advert_int: version 2 counts in whole seconds"},
		{BASE ADDR "advert_int=100ms\n", "f:5: advert_int: version 2"},
		{BASE ADDR "version=3\nadvert_int=45ms\n", "f:6: advert_int: version 3"},
		{BASE ADDR "version=3\nadvert_int=41s\n", "f:6: advert_int: version 3"},
		{BASE ADDR "version=4\n", "f:5: version: "},
		{BASE ADDR "priority=255\n", "f:5: priority: "},
		{BASE ADDR "priority=0\n", "f:5: priority: "},
		{BASE ADDR "lifetime=1500ms\n",
		 "f:5: lifetime: the kernel counts in whole seconds"},
		{BASE ADDR "lifetime=0\n", "f:5: lifetime: "},
		{BASE ADDR "label=wlan0:0\n", "f:5: label: must begin with the interface's name"},
		{BASE ADDR "label=eth0:averylonglabel\n", "f:5: label: longer than 15"},
		{BASE ADDR "track=apache release\n", "f:5: track: only lbd or edged"},
		{BASE ADDR "track=lbd\n", "f:5: track: how it is tracked is missing"},
		{BASE ADDR "track=lbd weight 0\n", "f:5: track: the weight must be"},
		{BASE ADDR "track=lbd weight 254\n", "f:5: track: the weight must be"},
		{BASE ADDR "track=lbd release now please\n", "f:5: track: too many words"},
		{BASE ADDR "auth_pass=muchtoolong\n", "f:5: auth_pass: "},
		{BASE ADDR "version=3\nauth_pass=secret\n",
		 "f:6: auth_pass: version 3 has no passwords"},
		{BASE "address=fe80::1\n", "f:4: address: only IPv4"},
		{BASE "address=192.168.1.170/33\n", "f:4: address: /33 is not a prefix length"},
		{BASE "address=192.168.1.170/0\n", "f:4: address: /0 is not a prefix length"},
		{BASE "address=224.0.0.18\n",
		 "f:4: address: 224.0.0.18 is not the address of a host"},
		{BASE "address=10.0.0.1 10.0.0.1\n", "f:4: address: 10.0.0.1 is given twice"},
		{"[vrrp V]\ninterface=eth0:0\nvirtual_router_id=1\n" ADDR, "f:2: interface: "},
		{BASE ADDR "[vrrp B]\ninterface=eth0\nvirtual_router_id=51\naddress=10.0.0.1\n",
		 "f:7: virtual_router_id: another [vrrp]"},
		{BASE ADDR "[vrrp B]\ninterface=eth0\nvirtual_router_id=52\n" ADDR,
		 "f:8: address: another [vrrp]"},
		{"[board a]\naddress=192.168.1.170\n" BASE ADDR,
		 "f:6: address: is the address of a board"},
	};
	for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
		struct file f;
		load(&f, cases[k].text);
		const char *said = f.errors.first ? f.errors.first->text : "(no error)";
		print_message("%s\n", said);
		assert_int_equal(f.errors.n, 1);
		assert_non_null(strstr(said, cases[k].want));
		assert_null(strstr(said, "muchtoolong"));
		arena_fini(&f.arena);
	}
}

static void the_password_is_eight_bytes(void **state UNUSED)
{
	struct file f;
	const struct vip_conf_instance *i = load_good(&f, BASE ADDR "auth_pass=s3cr3t\n");
	assert_int_equal(i->packet.auth_type, 1);
	assert_memory_equal(i->packet.auth, "s3cr3t\0\0", 8);
	arena_fini(&f.arena);
}

static void boards_give_priority_and_rank(void **state UNUSED)
{
	struct file f;
	const struct vip_conf_instance *i = load_good(
		&f, "[board b]\naddress=192.168.1.172\n"
		    "[board c]\naddress=192.168.1.173\npriority=104\n"
		    "[board a]\naddress=192.168.1.171\n" BASE ADDR "priority=101\n");
	assert_int_equal(i->n_boards, 3);
	assert_int_equal(i->boards[0].ip, BOARD3);
	assert_int_equal(i->boards[2].ip, BOARD1);
	assert_int_equal(vip_conf_priority(i, BOARD1), 101);
	assert_int_equal(vip_conf_priority(i, BOARD3), 104);
	assert_int_equal(vip_conf_priority(i, VIP + 9), 101);
	assert_int_equal(vip_conf_rank_us(i, BOARD3, true), 0); /* no other has 104 */
	assert_int_equal(vip_conf_rank_us(i, BOARD2, true), 0); /* the first of those with 101 */
	assert_int_equal(vip_conf_rank_us(i, BOARD1, true), 10000);
	assert_int_equal(vip_conf_rank_us(i, BOARD3, false), 0);
	assert_int_equal(vip_conf_rank_us(i, BOARD2, false), 10000);
	assert_int_equal(vip_conf_rank_us(i, BOARD1, false), 20000);
	assert_true(vip_conf_is_board(i, BOARD1));
	arena_fini(&f.arena);
}

static void without_boards_the_last_octet_tells(void **state UNUSED)
{
	struct file f;
	const struct vip_conf_instance *i = load_good(&f, BASE ADDR);
	assert_false(vip_conf_is_board(i, BOARD1));
	assert_int_equal(vip_conf_rank_us(i, BOARD1, true), 84000);
	assert_int_equal(vip_conf_rank_us(i, BOARD2, true), 83000);
	arena_fini(&f.arena);
}

static void what_makes_another_router(void **state UNUSED)
{
	struct file f;
	struct vip_conf_instance a, b;
	a = b = *load_good(&f, BASE ADDR);
	b.priority = 7;
	b.packet.interval_us = 2000000;
	b.addrs.count = 0;
	assert_true(vip_conf_same_router(&a, &b));
	b.packet.vrid = 52;
	assert_false(vip_conf_same_router(&a, &b));
	b = a;
	b.packet.version = 3;
	assert_false(vip_conf_same_router(&a, &b));
	b = a;
	b.interface[3] = '1';
	assert_false(vip_conf_same_router(&a, &b));
	arena_fini(&f.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_the_posts_defaults),
		cmocka_unit_test(takes_every_key),
		cmocka_unit_test(labels_count_up_on_an_interface),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(the_password_is_eight_bytes),
		cmocka_unit_test(boards_give_priority_and_rank),
		cmocka_unit_test(without_boards_the_last_octet_tells),
		cmocka_unit_test(what_makes_another_router),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
