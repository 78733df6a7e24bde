// SPDX-License-Identifier: MIT
/*
 * greenpictl: the operator's tool. It reads what the daemons publish and asks their control
 * sockets; it knows none of them from the inside.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "check.h"
#include "counters.h"
#include "daemon.h"
#include "events.h"
#include "daemons.h"
#include "status.h"

static int usage(FILE *to)
{
	fprintf(to,
		"usage: greenpictl [-r DIR] COMMAND\n\n"
		"  status [json]           daemons, the address, servers, traffic\n"
		"  check [FILE]            is the configuration good for all daemons? (%s)\n"
		"  events                  all daemons' events as they come\n"
		"  counters DAEMON [json]  a daemon's counters\n"
		"  ask DAEMON COMMAND...   a command for a daemon's control socket; `help` lists them\n\n"
		"  -r DIR  the daemons' run directory (%s)\n"
		"  -V      version\n"
		"  -h      this help\n"
		"DAEMON is one of vipd, lbd, edged, healthd.\n",
		DAEMON_CONF, DAEMON_RUN_DIR);
	return to == stdout ? 0 : 2;
}

/* n words follow the command, the last of which may be json. */
static bool wants_json(char **words, int n)
{
	return n > 0 && strcmp(words[n - 1], "json") == 0;
}

static int with_daemon(const char *run_dir, const char *command, char **words, int n)
{
	if (n == 0 || !daemons_known(words[0]))
		return usage(stderr);
	if (strcmp(command, "counters") == 0) {
		bool json = wants_json(words + 1, n - 1);

		return n == 1 + json ? counters_command(run_dir, words[0], json) : usage(stderr);
	}
	return n > 1 ? ask_command(run_dir, words[0], words + 1, n - 1) : usage(stderr);
}

static int run(const char *run_dir, char **words, int n)
{
	const char *command = words[0];

	words++;
	n--;
	if (strcmp(command, "status") == 0 && n == wants_json(words, n))
		return status_command(run_dir, n > 0);
	if (strcmp(command, "check") == 0 && n <= 1)
		return check_command(n ? words[0] : DAEMON_CONF);
	if (strcmp(command, "events") == 0 && n == 0)
		return events_command(run_dir);
	if (strcmp(command, "counters") == 0 || strcmp(command, "ask") == 0)
		return with_daemon(run_dir, command, words, n);
	return usage(stderr);
}

int main(int argc, char **argv)
{
	const char *run_dir = DAEMON_RUN_DIR;
	int o;

	while ((o = getopt(argc, argv, "+r:Vh")) != -1) {
		switch (o) {
		case 'r':
			run_dir = optarg;
			break;
		case 'V':
			printf("greenpictl %s\n", GREENPI_VERSION);
			return 0;
		case 'h':
			return usage(stdout);
		default:
			return usage(stderr);
		}
	}
	return optind < argc ? run(run_dir, argv + optind, argc - optind) : usage(stderr);
}
