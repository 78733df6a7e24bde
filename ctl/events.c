// SPDX-License-Identifier: MIT
#include "events.h"

#include <stdio.h>
#include <time.h>

#include "ipc/watch.h"
#include "daemons.h"

struct follower {
	struct watch watch;
	const char *daemon;
};

static void print(struct watch *w, struct str what)
{
	const struct follower *f = container_of(w, struct follower, watch);
	char when[16];
	time_t t = time(NULL);
	struct tm tm;
	localtime_r(&t, &tm);
	strftime(when, sizeof(when), "%H:%M:%S", &tm);
	printf("%s %s: %.*s\n", when, f->daemon, STR_ARG(what));
	if (fflush(stdout) != 0)
		ev_break(w->loop, EVBREAK_ALL); /* the reader is gone */
}

static void on_up(struct watch *w)
{
	print(w, STR("is there"));
}

static void on_line(struct watch *w, struct str line)
{
	if (!str_eq(line, STR("watching")))
		print(w, line);
}

static void on_down(struct watch *w)
{
	print(w, STR("is gone"));
}

int events_command(const char *run_dir)
{
	struct follower followers[DAEMONS_COUNT];
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	char path[DAEMONS_PATH_SIZE];
	MUST(loop);
	for (size_t i = 0; i < DAEMONS_COUNT; i++) {
		followers[i] = (struct follower){
			.watch = {.up = on_up, .line = on_line, .down = on_down},
			.daemon = daemons_names[i]};
		watch_start(&followers[i].watch, loop,
			    daemons_path(run_dir, daemons_names[i], ".sock", path));
	}
	ev_run(loop, 0);
	for (size_t i = 0; i < DAEMONS_COUNT; i++)
		watch_stop(&followers[i].watch);
	ev_loop_destroy(loop);
	return 1;
}
