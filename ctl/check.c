// SPDX-License-Identifier: MIT
/*
 * The daemons themselves are asked, since each knows its own sections only. Sections that several
 * read give the same line from each: a line that was printed is not printed again.
 */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "ipc/text.h"
#include "daemons.h"

extern char **environ;

#define OUTPUT_MAX (1u << 20)

/* Runs `program -t -c conf_path`, its standard error into the pipe's end. */
static pid_t start(const char *program, const char *conf_path, int to)
{
	char *argv[] = {strdup(program), strdup("-t"), strdup("-c"), strdup(conf_path), NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;

	MUST0(posix_spawn_file_actions_init(&actions));
	MUST0(posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0));
	MUST0(posix_spawn_file_actions_adddup2(&actions, to, STDERR_FILENO));
	errno = posix_spawn(&pid, program, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	for (size_t i = 0; argv[i]; i++)
		free(argv[i]);
	return errno ? -1 : pid;
}

static void read_all(int fd, struct text *out)
{
	char part[4096];
	ssize_t n;
	while ((n = read(fd, part, sizeof(part))) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			text_add(out, str_of(part, (size_t)n));
}

/* What the program says of the file, into out; its exit status, or -1 when it could not be run. */
static int run(const char *program, const char *conf_path, struct text *out)
{
	int ends[2], status;
	pid_t pid;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	pid = start(program, conf_path, ends[1]);
	close(ends[1]);
	if (pid >= 0)
		read_all(ends[0], out);
	close(ends[0]);
	if (pid < 0)
		return -1;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool has_line(const struct text *t, struct str wanted)
{
	struct str rest = str_of(t->p, t->n), line;
	while (t->n && str_split(&rest, '\n', &line))
		if (str_eq(line, wanted))
			return true;
	return false;
}

/* Adds the lines that are not there yet. */
static void merge(struct text *all, const struct text *more)
{
	struct str rest = str_of(more->p, more->n), line;
	while (more->n && str_split(&rest, '\n', &line))
		if (line.n && !has_line(all, line))
			text_printf(all, "%.*s\n", STR_ARG(line));
}

/* The exit status that one daemon's answer makes. */
static int check_by(const char *daemon, const char *conf_path, struct text *all)
{
	char program[DAEMONS_PATH_SIZE];
	struct text out;
	int status;
	if (!daemons_program(daemon, program)) {
		fprintf(stderr, "greenpictl: no program %s: its sections are not checked\n",
			daemon);
		return 2;
	}
	text_init(&out, OUTPUT_MAX);
	status = run(program, conf_path, &out);
	merge(all, &out);
	text_fini(&out);
	if (status < 0)
		fprintf(stderr, "greenpictl: %s -t did not end well\n", program);
	return status < 0 ? 2 : status ? 1 : 0;
}

int check_command(const char *conf_path)
{
	struct text all;
	int rc = 0;
	text_init(&all, DAEMONS_COUNT * OUTPUT_MAX);
	for (size_t i = 0; i < DAEMONS_COUNT; i++)
		rc = MAX(rc, check_by(daemons_names[i], conf_path, &all));
	if (all.n)
		fwrite(all.p, 1, all.n, stderr);
	text_fini(&all);
	if (rc == 0)
		printf("%s: good for all daemons\n", conf_path);
	return rc;
}
