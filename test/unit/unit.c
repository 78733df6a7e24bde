// SPDX-License-Identifier: MIT
#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "loop/worker.h"

#define ERRAND_US (60 * CLOCK_SECOND) /* no worker is busy for that long */

void unit_str_equal(struct str got, const char *want, const char *file, int line)
{
	if (got.n != strlen(want) || (got.n > 0 && memcmp(got.p, want, got.n) != 0)) {
		print_error("%s:%d: got \"%.*s\", want \"%s\"\n", file, line, STR_ARG(got), want);
		_fail(file, line);
	}
}

bool unit_aborts(void (*f)(void))
{
	int status;
	fflush(NULL);
	pid_t pid = fork();
	MUST(pid >= 0);
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		setrlimit(RLIMIT_CORE, &(struct rlimit){0});
		alarm(10);
		close(STDERR_FILENO);
		f();
		_exit(0);
	}
	MUST(waitpid(pid, &status, 0) == pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

bool unit_send_all(int fd, const void *p, size_t n)
{
	struct str left = str_of(p, n);
	while (left.n) {
		ssize_t put = send(fd, left.p, left.n, MSG_NOSIGNAL);
		if (put <= 0)
			return false;
		left = str_skip(left, (size_t)put);
	}
	return true;
}

/* ---- workers */

static int on_start(struct worker *w, void *arg)
{
	w->ctx = arg;
	return 0;
}

static void on_stop(struct worker *w UNUSED)
{
}

const struct worker_ops unit_workers = {.start = on_start, .stop = on_stop};

static void wait_flag(const _Atomic bool *flag)
{
	int64_t until_us = clock_now_us() + ERRAND_US;
	while (!*flag) {
		MUST(clock_now_us() < until_us);
		usleep(50);
	}
}

struct errand {
	struct message message;
	void (*run)(void *arg);
	void *arg;
	_Atomic bool done;
};

static void on_errand(struct message *msg)
{
	struct errand *e = container_of(msg, struct errand, message);
	e->run(e->arg);
	e->done = true;
}

void unit_on_worker(struct worker *w, void (*run)(void *arg), void *arg)
{
	struct errand e = {.message.run = on_errand, .run = run, .arg = arg};
	mailbox_post(&w->mailbox, &e.message);
	wait_flag(&e.done);
}

static void nothing(void *arg UNUSED)
{
}

void unit_settle(struct worker *w)
{
	unit_on_worker(w, nothing, NULL);
}

static void on_hold(struct message *msg)
{
	struct unit_hold *h = container_of(msg, struct unit_hold, message);
	h->held = true;
	wait_flag(&h->released);
	h->over = true;
}

void unit_hold(struct unit_hold *h, struct worker *w)
{
	*h = (struct unit_hold){.message.run = on_hold};
	mailbox_post(&w->mailbox, &h->message);
	wait_flag(&h->held);
}

void unit_release(struct unit_hold *h)
{
	h->released = true;
	wait_flag(&h->over);
}
