// SPDX-License-Identifier: MIT
/*
 * greenpictl: the operator's tool. It reads what the daemons publish and asks their control
 * sockets; it knows none of them from the inside.
 *
 * What it can do is a table: a command is its row, and the usage text is made of the rows.
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

#define BAD_USAGE (-1)

struct command {
	const char *name;
	const char *args; /* as the usage text has them */
	const char *help;
	/* words: the n words behind the name. The exit status, or BAD_USAGE. */
	int (*run)(const char *run_dir, char **words, int n);
};

/* The last word, when it is that one, is taken off. */
static bool take_last(char **words, int *n, const char *word)
{
	if (*n == 0 || strcmp(words[*n - 1], word) != 0)
		return false;
	(*n)--;
	return true;
}

static int run_status(const char *run_dir, char **words, int n)
{
	bool json = take_last(words, &n, "json");
	return n ? BAD_USAGE : status_command(run_dir, json);
}

static int run_check(const char *run_dir UNUSED, char **words, int n)
{
	return n > 1 ? BAD_USAGE : check_command(n ? words[0] : DAEMON_CONF);
}

static int run_events(const char *run_dir, char **words UNUSED, int n)
{
	return n ? BAD_USAGE : events_command(run_dir);
}

static int run_counters(const char *run_dir, char **words, int n)
{
	bool prose = n && strcmp(words[0], "-v") == 0;
	words += prose;
	n -= prose;
	const char *format = take_last(words, &n, "json")  ? "json"
			     : take_last(words, &n, "csv") ? "csv"
							   : NULL;
	if (n < 1 || n > 2 || !daemons_known(words[0]))
		return BAD_USAGE;
	return counters_command(run_dir, words[0], n > 1 ? words[1] : "", prose, format);
}

static int run_ask(const char *run_dir, char **words, int n)
{
	if (n < 2 || !daemons_known(words[0]))
		return BAD_USAGE;
	return ask_command(run_dir, words[0], words + 1, n - 1);
}

static const struct command commands[] = {
	{"status", "[json]", "who runs, who holds the address, who is up, how much goes through",
	 run_status},
	{"check", "[FILE]", "is the configuration good for all daemons? (" DAEMON_CONF ")",
	 run_check},
	{"events", "", "all daemons' events as they come", run_events},
	{"counters", "[-v] DAEMON [KIND[/NAME]] [json|csv]",
	 "a daemon's counters; -v: and what each means", run_counters},
	{"ask", "DAEMON COMMAND...", "a command for a daemon's control socket; `help` lists them",
	 run_ask},
};

static int usage(FILE *to)
{
	size_t width = 0;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		width = MAX(width, strlen(commands[i].name) + 1 + strlen(commands[i].args));
	fprintf(to, "usage: greenpictl [-r DIR] COMMAND\n\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const struct command *c = &commands[i];
		fprintf(to, "  %s %-*s  %s\n", c->name, (int)(width - strlen(c->name) - 1), c->args,
			c->help);
	}
	fprintf(to,
		"\n"
		"  -r DIR  the daemons' run directory (%s)\n"
		"  -V      version\n"
		"  -h      this help\n"
		"DAEMON is one of",
		DAEMON_RUN_DIR);
	for (size_t i = 0; i < DAEMONS_COUNT; i++)
		fprintf(to, "%s%s", i ? ", " : " ", daemons_names[i]);
	fprintf(to, ".\n");
	return to == stdout ? 0 : 2;
}

static int run(const char *run_dir, char **words, int n)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(commands[i].name, words[0]) != 0)
			continue;
		int rc = commands[i].run(run_dir, words + 1, n - 1);
		return rc == BAD_USAGE ? usage(stderr) : rc;
	}
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
