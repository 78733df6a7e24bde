// SPDX-License-Identifier: MIT
#include "ask.h"

#include <stdio.h>

#include "ipc/watch.h"
#include "daemons.h"

#define ANSWER_MS 10000
#define REPLY_MAX (8u << 20)

int ask_command(const char *run_dir, const char *daemon, char *const *words, int n)
{
	char path[DAEMONS_PATH_SIZE];
	struct text line, reply;
	struct err e;
	int rc = 1;
	text_init(&line, 1000);
	text_init(&reply, REPLY_MAX);
	for (int i = 0; i < n; i++)
		text_printf(&line, "%s%s", i ? " " : "", words[i]);
	if (line.n == 0 || line.cut || str_find(str_of(line.p, line.n), '\n') >= 0)
		fprintf(stderr, "greenpictl: a command is one line of at most 1000 bytes\n");
	else if (watch_ask(daemons_path(run_dir, daemon, ".sock", path), line.p, &reply, ANSWER_MS,
			   &e) < 0)
		fprintf(stderr, "greenpictl: %s\n", e.text);
	else
		rc = str_starts(str_of(reply.p, reply.n), STR("error:"));
	if (reply.n)
		fwrite(reply.p, 1, reply.n, rc ? stderr : stdout);
	text_fini(&line);
	text_fini(&reply);
	return rc;
}
