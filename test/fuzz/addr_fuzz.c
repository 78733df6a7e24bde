// SPDX-License-Identifier: MIT
/* Addresses: what parses prints, and what was printed parses to the same address. */
#include "net/addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct addr *a)
{
	char text[ADDR_TEXT_SIZE], ip[ADDR_TEXT_SIZE];
	struct addr again;
	MUST(strlen(addr_format(a, text)) < ADDR_TEXT_SIZE);
	if (addr_port(a) != 0) {
		MUST(addr_parse(&again, str_c(text), 0, NULL) == 0);
		MUST(addr_eq(a, &again));
		MUST(addr_hash(a) == addr_hash(&again));
	}
	MUST(addr_parse_ip(&again, str_c(addr_format_ip(a, ip)), NULL) == 0);
	MUST(addr_eq_ip(a, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_of((const char *)data, size);
	struct err e = {""};
	struct addr a;
	for (uint16_t port = 0; port <= 80; port += 80) {
		if (addr_parse(&a, text, port, &e) == 0)
			check_round_trip(&a);
		else
			MUST(e.text[0] != '\0');
	}
	if (addr_parse_ip(&a, text, &e) == 0)
		check_round_trip(&a);
	return 0;
}
