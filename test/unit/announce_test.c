// SPDX-License-Identifier: MIT
// TEST-OF: vipd
/* The bytes of a gratuitous ARP frame (RFC 826, RFC 5227 §3), in both forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "announce.h"

static const uint8_t mac[6] = {0xb8, 0x27, 0xeb, 1, 2, 3};

static void is_a_broadcast_about_the_address(void **state UNUSED)
{
	static const uint8_t want[ANNOUNCE_FRAME_SIZE] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff,		/* to all */
		0xb8, 0x27, 0xeb, 1,	2,    3,    0x08, 0x06, /* from us, ARP */
		0,    1,    0x08, 0,	6,    4,    0,	  1,	/* Ethernet, IPv4, request */
		0xb8, 0x27, 0xeb, 1,	2,    3,    192,  168,	1, 170,	 /* we have it */
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 192,  168,	1, 170}; /* who has it? */
	uint8_t got[ANNOUNCE_FRAME_SIZE];
	announce_frame(got, mac, 0xc0a801aa, ANNOUNCE_REQUEST);
	assert_memory_equal(got, want, sizeof(want));
}

static void the_reply_differs_in_the_operation_only(void **state UNUSED)
{
	uint8_t request[ANNOUNCE_FRAME_SIZE], reply[ANNOUNCE_FRAME_SIZE];
	announce_frame(request, mac, 0xc0a801aa, ANNOUNCE_REQUEST);
	announce_frame(reply, mac, 0xc0a801aa, ANNOUNCE_REPLY);
	assert_int_equal(reply[21], 2);
	reply[21] = 1;
	assert_memory_equal(request, reply, sizeof(reply));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_a_broadcast_about_the_address),
		cmocka_unit_test(the_reply_differs_in_the_operation_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
