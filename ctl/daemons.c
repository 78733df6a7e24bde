// SPDX-License-Identifier: MIT
#include "daemons.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

const char *const daemons_names[DAEMONS_COUNT] = {"vipd", "lbd", "edged", "healthd"};

bool daemons_known(const char *daemon)
{
	for (size_t i = 0; i < DAEMONS_COUNT; i++)
		if (strcmp(daemons_names[i], daemon) == 0)
			return true;
	return false;
}

const char *daemons_path(const char *run_dir, const char *daemon, const char *suffix,
			 char to[DAEMONS_PATH_SIZE])
{
	snprintf(to, DAEMONS_PATH_SIZE, "%s/%s%s", run_dir, daemon, suffix);
	return to;
}

static bool runs(struct str dir, const char *below, const char *daemon, char to[DAEMONS_PATH_SIZE])
{
	int n = snprintf(to, DAEMONS_PATH_SIZE, "%.*s%s/%s", STR_ARG(dir), below, daemon);
	return dir.n > 0 && n < DAEMONS_PATH_SIZE && access(to, X_OK) == 0;
}

static bool runs_in_one_of(const char *dirs, const char *daemon, char to[DAEMONS_PATH_SIZE])
{
	struct str rest = str_c(dirs), dir;
	while (str_split(&rest, ':', &dir))
		if (runs(dir, "", daemon, to))
			return true;
	return false;
}

bool daemons_program(const char *daemon, char to[DAEMONS_PATH_SIZE])
{
	char own[DAEMONS_PATH_SIZE];
	ssize_t n = readlink("/proc/self/exe", own, sizeof(own));
	while (n > 0 && own[n - 1] != '/')
		n--;
	if (n > 0) {
		struct str here = str_of(own, (size_t)n - 1);
		if (runs(here, "", daemon, to) || runs(here, "/../sbin", daemon, to))
			return true;
	}
	return runs_in_one_of(getenv("PATH"), daemon, to) ||
	       runs_in_one_of("/usr/sbin:/usr/local/sbin:/sbin", daemon, to);
}
