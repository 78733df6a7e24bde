// SPDX-License-Identifier: MIT
/*
 * A round moves lines from the rings into the buffer of each output, but only when that buffer is empty, and writes
 * the buffers, until there is nothing to move or an output takes no more.
 *
 * An output never blocks for long: a socket is sent to with MSG_DONTWAIT, anything that is not a regular file is asked
 * by poll() and then given at most PIPE_BUF bytes, for which a writable pipe has room. O_NONBLOCK would be a change to
 * the open file, which other processes share (a shell and its terminal).
 *
 * Going to sleep: the thread says how full a ring must be for a line to wake it (wake_at), clears awake, looks at the
 * rings once more, and polls. A producer puts its line first and looks at wake_at afterwards. All of that is sequentially
 * consistent, so either the thread sees the line or the producer sees that it must wake it.
 */
#include "base/writer.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/ring.h"

#define LINES_MAGIC    0x57524c4eu /* WRLN */
#define NAP_MS	       200
#define TICK_MS	       1000
#define ACTIVE_US      CLOCK_SECOND /* naps go on for so long after the last line */
#define LAST_CHANCE_US (50 * CLOCK_MSEC)
#define END_US	       (100 * CLOCK_MSEC) /* for the thread to end once its time is over */
#define STACK_SIZE     (256 * 1024)
#define NEVER	       UINT32_MAX
#define BUFFER_SIZE    WRITER_LINE_MAX
#define OUTPUTS	       2

struct writer_lines {
	struct ring ring;
	uint32_t magic;
	_Atomic bool closed;
};

enum kind { KIND_FILE, KIND_PIPE, KIND_SOCKET };

struct output {
	int fd;
	enum kind kind;
	/* text[at..n) is still to be written: whole lines, but for the first. */
	uint32_t at, n;
	char text[BUFFER_SIZE];
};

static struct {
	_Atomic int state; /* enum writer_state */
	_Atomic(struct writer_lines *) lines[WRITER_LINES_MAX];
	_Atomic uint64_t dropped;
	_Atomic int64_t stop_at_us; /* 0: go on */
	/* Since when something could not be written; 0: all is written. */
	_Atomic int64_t stuck_us;
	_Atomic uint32_t wake_at; /* a ring with more bytes than that wakes the thread */
	_Atomic bool awake;
	int wake_fd, end_fd; /* eventfds: to the thread, and from it when it ends */
	pthread_t thread;
	/* The thread's own. out and err may be the same. */
	const struct writer_ops *ops;
	struct output outputs[OUTPUTS], *out, *err;
	unsigned n_outputs;
	unsigned turn;	  /* which ring comes first */
	bool all_written; /* at the end */
} w = {.wake_fd = -1, .end_fd = -1};

enum writer_state writer_state(void)
{
	return (enum writer_state)atomic_load_explicit(&w.state, memory_order_acquire);
}

static void signal_fd(int fd)
{
	uint64_t one = 1;
	int saved = errno;
	/* It cannot fail but for a counter near 2^64. */
	(void)!write(fd, &one, sizeof(one));
	errno = saved;
}

void writer_wake(void)
{
	if (writer_state() == WRITER_ON && !atomic_exchange(&w.awake, true))
		signal_fd(w.wake_fd);
}

/* ---- producers of lines */

static void count_dropped(uint64_t n)
{
	atomic_fetch_add_explicit(&w.dropped, n, memory_order_relaxed);
}

uint64_t writer_dropped(void)
{
	return atomic_load_explicit(&w.dropped, memory_order_relaxed);
}

struct writer_lines *writer_open(uint32_t size)
{
	MUST(size >= 2 * WRITER_LINE_MAX);
	struct writer_lines *l = def_xcalloc_lines(sizeof(*l));
	MAGIC_SET(l, LINES_MAGIC);
	ring_init(&l->ring, size);
	for (unsigned i = 0; i < WRITER_LINES_MAX; i++) {
		struct writer_lines *none = NULL;
		if (atomic_compare_exchange_strong(&w.lines[i], &none, l))
			return l;
	}
	WRONG("too many producers of lines");
}

static void free_lines(unsigned slot, struct writer_lines *l)
{
	atomic_store(&w.lines[slot], NULL);
	ring_fini(&l->ring);
	MAGIC_WIPE(l, LINES_MAGIC);
	free(l);
}

void writer_close(struct writer_lines *l)
{
	MAGIC_CHECK(l, LINES_MAGIC);
	if (writer_state() != WRITER_OFF) {
		atomic_store(&l->closed, true); /* the thread may be looking at it */
		writer_wake();
		return;
	}
	for (unsigned i = 0; i < WRITER_LINES_MAX; i++) {
		if (atomic_load(&w.lines[i]) == l) {
			free_lines(i, l);
			return;
		}
	}
}

static bool write_now(const char *line, size_t n)
{
	while (n) {
		ssize_t done = write(STDOUT_FILENO, line, n);
		if (done < 0 && errno != EINTR) {
			count_dropped(1);
			return false;
		}
		line += MAX(done, 0);
		n -= (size_t)MAX(done, 0);
	}
	return true;
}

bool writer_put(struct writer_lines *l, const char *line, uint32_t n)
{
	MUST(n > 0 && n <= WRITER_LINE_MAX && line[n - 1] == '\n');
	enum writer_state state = writer_state();
	if (state == WRITER_OFF)
		return write_now(line, n);
	if (state == WRITER_STUCK || !ring_put(&l->ring, line, n, 0)) {
		count_dropped(1);
		return false;
	}
	if (ring_used(&l->ring) > atomic_load(&w.wake_at))
		writer_wake();
	return true;
}

/* ---- outputs */

static bool writable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	return poll(&p, 1, 0) == 1;
}

static ssize_t write_some(const struct output *o)
{
	const char *from = o->text + o->at;
	size_t n = o->n - o->at;
	switch (o->kind) {
	case KIND_SOCKET:
		return send(o->fd, from, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	case KIND_PIPE:
		if (!writable(o->fd)) {
			errno = EAGAIN;
			return -1;
		}
		return write(o->fd, from, MIN(n, (size_t)PIPE_BUF));
	case KIND_FILE:
		break;
	}
	return write(o->fd, from, n);
}

/* A reader that is gone, a full disk: the lines are lost, the next ones may have better luck. */
static void discard(struct output *o)
{
	uint64_t lines = 0;
	for (uint32_t i = o->at; i < o->n; i++)
		lines += o->text[i] == '\n';
	count_dropped(lines);
	o->at = o->n;
}

static void flush(struct output *o)
{
	while (o->at < o->n) {
		ssize_t n = write_some(o);
		if (n >= 0)
			o->at += (uint32_t)n;
		else if (errno == EAGAIN)
			return;
		else if (errno != EINTR)
			discard(o);
	}
	o->at = o->n = 0;
}

static void init_output(struct output *o, int fd)
{
	struct stat st = {0};
	fstat(fd, &st);
	o->fd = fd;
	o->kind = S_ISREG(st.st_mode) ? KIND_FILE : S_ISSOCK(st.st_mode) ? KIND_SOCKET : KIND_PIPE;
	o->at = o->n = 0;
}

static bool same_file(int a, int b)
{
	struct stat sa, sb;
	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

static void init_outputs(void)
{
	w.err = w.out = &w.outputs[0];
	w.n_outputs = 1;
	init_output(w.err, STDERR_FILENO);
	if (!same_file(STDOUT_FILENO, STDERR_FILENO)) {
		w.out = &w.outputs[w.n_outputs++];
		init_output(w.out, STDOUT_FILENO);
	}
}

/* ---- a round */

static void fill_messages(struct output *o)
{
	size_t n;
	while (BUFFER_SIZE - o->n >= WRITER_MESSAGE_MAX && (n = w.ops->next(o->text + o->n)) > 0)
		o->n += (uint32_t)n;
}

/* As many whole lines as there is room for. */
static void fill_from(struct output *o, struct writer_lines *l)
{
	char *to = o->text + o->n;
	uint32_t n = ring_copy(&l->ring, to, BUFFER_SIZE - o->n);
	const char *last = n ? memrchr(to, '\n', n) : NULL;
	if (!last)
		return;
	n = (uint32_t)(last + 1 - to);
	ring_take(&l->ring, n);
	o->n += n;
}

static void fill_lines(struct output *o)
{
	w.turn++;
	for (unsigned i = 0; i < WRITER_LINES_MAX; i++) {
		unsigned slot = (w.turn + i) % WRITER_LINES_MAX;
		struct writer_lines *l = atomic_load(&w.lines[slot]);
		if (!l)
			continue;
		MAGIC_CHECK(l, LINES_MAGIC);
		bool closed = atomic_load(&l->closed);
		fill_from(o, l);
		if (closed && ring_used(&l->ring) == 0)
			free_lines(slot, l);
	}
}

/* Returns whether anything was moved or sent off. */
static bool fill(struct output *o)
{
	if (o->n)
		return false;
	if (o == w.err)
		fill_messages(o);
	if (o == w.out)
		fill_lines(o);
	return o->n > 0;
}

static bool work(void)
{
	bool any = false, moved;
	do {
		moved = false;
		for (unsigned i = 0; i < w.n_outputs; i++) {
			moved |= fill(&w.outputs[i]);
			flush(&w.outputs[i]);
		}
		any |= moved;
	} while (moved);
	return any;
}

/* ---- between rounds */

static uint32_t fullest_ring(void)
{
	uint32_t most = 0;
	for (unsigned i = 0; i < WRITER_LINES_MAX; i++) {
		const struct writer_lines *l = atomic_load(&w.lines[i]);
		uint32_t used = l ? ring_used(&l->ring) : 0;
		most = MAX(most, used);
	}
	return most;
}

static uint32_t half_a_ring(void)
{
	uint32_t least = NEVER;
	for (unsigned i = 0; i < WRITER_LINES_MAX; i++) {
		const struct writer_lines *l = atomic_load(&w.lines[i]);
		if (l)
			least = MIN(least, l->ring.size / 2);
	}
	return least;
}

static bool stalls(const struct output *o)
{
	return o->n > 0;
}

static bool left(void)
{
	return stalls(w.out) || stalls(w.err) || w.ops->pending() || fullest_ring() > 0;
}

static void wait_in_poll(int timeout_ms)
{
	struct pollfd fds[1 + OUTPUTS] = {{.fd = w.wake_fd, .events = POLLIN}};
	nfds_t n = 1;
	for (unsigned i = 0; i < w.n_outputs; i++)
		if (stalls(&w.outputs[i]))
			fds[n++] = (struct pollfd){.fd = w.outputs[i].fd, .events = POLLOUT};
	poll(fds, n, timeout_ms);
	uint64_t count;
	if (fds[0].revents)
		(void)!read(w.wake_fd, &count, sizeof(count));
}

/* active: lines came lately. again: there is something to say later. */
static void rest(int64_t now_us, bool active, bool again, int64_t stop_at_us)
{
	uint32_t wake_at = stalls(w.out) ? NEVER : active ? half_a_ring() : 0;
	bool stalled = stalls(w.out) || stalls(w.err);
	int timeout_ms = active && !stalled ? NAP_MS : again || stalled ? TICK_MS : -1;
	if (stop_at_us)
		timeout_ms = (int)MIN((stop_at_us - now_us) / CLOCK_MSEC + 1, TICK_MS);
	atomic_store(&w.wake_at, wake_at);
	atomic_store(&w.awake, false);
	bool more = (w.ops->pending() && !stalls(w.err)) || fullest_ring() > wake_at ||
		    (!stop_at_us && atomic_load(&w.stop_at_us));
	if (!more)
		wait_in_poll(timeout_ms);
	atomic_store(&w.awake, true);
	atomic_store(&w.wake_at, NEVER);
}

static enum writer_flow flow(void)
{
	return stalls(w.err) ? WRITER_ERR_STALLS : stalls(w.out) ? WRITER_OUT_STALLS : WRITER_FLOWS;
}

/* Returns when it is told to: whether all was written. */
static bool run(void)
{
	int64_t active_until_us = 0;
	for (;;) {
		int64_t stop_at_us = atomic_load(&w.stop_at_us);
		if (!atomic_load(&w.stuck_us))
			atomic_store(&w.stuck_us, clock_now_us());
		bool moved = work();
		int64_t now_us = clock_now_us();
		if (flow() == WRITER_FLOWS)
			atomic_store(&w.stuck_us, 0);
		bool again = w.ops->tick(now_us, flow(), stop_at_us != 0);
		if (moved)
			active_until_us = now_us + ACTIVE_US;
		if (stop_at_us && !left())
			return true;
		if (stop_at_us && now_us >= stop_at_us)
			return false;
		rest(now_us, now_us < active_until_us, again, stop_at_us);
	}
}

static void *thread_main(void *arg UNUSED)
{
	w.all_written = run();
	signal_fd(w.end_fd);
	return NULL;
}

/* ---- the thread's life */

static int start_thread(void)
{
	pthread_attr_t attr;
	sigset_t all, before;
	MUST0(pthread_attr_init(&attr));
	MUST0(pthread_attr_setstacksize(&attr, STACK_SIZE));
	sigfillset(&all);
	MUST0(pthread_sigmask(SIG_SETMASK, &all, &before));
	int error = pthread_create(&w.thread, &attr, thread_main, NULL);
	MUST0(pthread_sigmask(SIG_SETMASK, &before, NULL));
	MUST0(pthread_attr_destroy(&attr));
	if (error) {
		errno = error;
		return -1;
	}
	pthread_setname_np(w.thread, "log");
	return 0;
}

static void close_fds(void)
{
	if (w.wake_fd >= 0)
		close(w.wake_fd);
	if (w.end_fd >= 0)
		close(w.end_fd);
	w.wake_fd = w.end_fd = -1;
}

int writer_start(const struct writer_ops *ops)
{
	MUST(writer_state() == WRITER_OFF);
	w.ops = ops;
	init_outputs();
	atomic_store(&w.stop_at_us, 0);
	atomic_store(&w.stuck_us, 0);
	atomic_store(&w.awake, true);
	atomic_store(&w.wake_at, NEVER);
	w.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	w.end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w.wake_fd < 0 || w.end_fd < 0 || start_thread() < 0) {
		int saved = errno;
		close_fds();
		errno = saved;
		return -1;
	}
	atomic_store(&w.state, WRITER_ON);
	return 0;
}

/* Whether the thread has ended. */
static bool ended_within(int64_t limit_us)
{
	struct pollfd p = {.fd = w.end_fd, .events = POLLIN};
	int64_t until_us = clock_now_us() + limit_us, left_us;
	while ((left_us = until_us - clock_now_us()) > 0)
		if (poll(&p, 1, (int)(left_us / CLOCK_MSEC) + 1) == 1)
			return true;
	return false;
}

void writer_stop(int64_t limit_us)
{
	if (writer_state() != WRITER_ON)
		return;
	int64_t now_us = clock_now_us(), stuck_us = atomic_load(&w.stuck_us);
	/* A reader that has stood still for that long already gets a last chance, not the whole time again. */
	if (stuck_us)
		limit_us = MAX(limit_us - (now_us - stuck_us), LAST_CHANCE_US);
	atomic_store(&w.stop_at_us, now_us + limit_us);
	writer_wake();
	if (!ended_within(limit_us + END_US)) {
		atomic_store(&w.state, WRITER_STUCK);
		pthread_detach(w.thread);
		return;
	}
	MUST0(pthread_join(w.thread, NULL));
	close_fds();
	atomic_store(&w.state, w.all_written ? WRITER_OFF : WRITER_STUCK);
	if (!w.all_written)
		return;
	for (unsigned i = 0; i < WRITER_LINES_MAX; i++) {
		struct writer_lines *l = atomic_load(&w.lines[i]);
		if (l && atomic_load(&l->closed))
			free_lines(i, l);
	}
}
