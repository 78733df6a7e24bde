// SPDX-License-Identifier: MIT
#include "site.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

const char *const site_daemons[SITE_DAEMONS] = {"vipd", "lbd", "edged", "healthd"};

bool site_known(const char *daemon)
{
	for (size_t i = 0; i < SITE_DAEMONS; i++)
		if (strcmp(site_daemons[i], daemon) == 0)
			return true;
	return false;
}

const char *site_path(const char *run_dir, const char *daemon, const char *suffix,
		      char to[SITE_PATH_SIZE])
{
	snprintf(to, SITE_PATH_SIZE, "%s/%s%s", run_dir, daemon, suffix);
	return to;
}

static bool runs(struct str dir, const char *below, const char *daemon, char to[SITE_PATH_SIZE])
{
	int n = snprintf(to, SITE_PATH_SIZE, "%.*s%s/%s", STR_ARG(dir), below, daemon);

	return dir.n > 0 && n < SITE_PATH_SIZE && access(to, X_OK) == 0;
}

static bool runs_in_one_of(const char *dirs, const char *daemon, char to[SITE_PATH_SIZE])
{
	struct str rest = str_c(dirs), dir;

	while (str_split(&rest, ':', &dir))
		if (runs(dir, "", daemon, to))
			return true;
	return false;
}

bool site_program(const char *daemon, char to[SITE_PATH_SIZE])
{
	char own[SITE_PATH_SIZE];
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
