// SPDX-License-Identifier: MIT
/*
 * chaos SEED SECONDS CLIENTS PROXIES ORIGINS: bad clients and bad origins in one process, which therefore knows of
 * each byte whose it is. PROXIES: ports to ask, "c:" before those of a cache, "p:" before those where a PROXY header
 * comes first. ORIGINS: ports to answer on, "f:" before those that refuse now and then. Lists are separated by commas.
 *
 * After SECONDS no client comes any more, those that are there finish, and a line of JSON says what was. The origins,
 * well behaved now, answer until stdin ends. What must not be is said in lines that begin with "WRONG:", and by the
 * exit status 1.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "loop.h"
#include "origin.h"
#include "page.h"

/* mark: the letter before the port, or '\0'. */
static void each(char *list, void (*one)(uint16_t port, char mark))
{
	for (char *p = strtok(list, ","); p; p = strtok(NULL, ",")) {
		const char *colon = strchr(p, ':');
		one((uint16_t)atoi(colon ? colon + 1 : p), colon ? *p : '\0');
	}
}

static bool stdin_ended(void)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	char byte;
	return poll(&p, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

int main(int argc, char **argv)
{
	if (argc != 6) {
		fprintf(stderr, "usage: chaos SEED SECONDS CLIENTS PROXIES ORIGINS\n");
		return 2;
	}
	chance_seed(strtoull(argv[1], NULL, 10));
	loop_init();
	each(argv[4], client_target);
	each(argv[5], origin_listen);
	printf("ready\n");
	fflush(stdout);
	unsigned clients = (unsigned)atoi(argv[3]);
	int64_t end_ms = loop_now_ms + 1000 * atoi(argv[2]);
	while (loop_now_ms < end_ms && wrong_count == 0) {
		client_turn(clients);
		origin_turn(false);
		loop_turn();
	}
	while (client_count() && wrong_count == 0) {
		client_turn(0);
		origin_turn(true);
		loop_turn();
	}
	putchar('{');
	client_print();
	origin_print();
	printf("}\n");
	fflush(stdout);
	while (!stdin_ended()) {
		origin_turn(true);
		loop_turn();
	}
	return wrong_count ? 1 : 0;
}
