// SPDX-License-Identifier: MIT
/*
 * The server of a control socket. A connection is a line buffer in and a bounded text out. It may send the next
 * command before it has read the last reply; it is read on only when the reply has gone.
 *
 * A reply is built apart and appended as a whole, so that an event which the command causes does not
 * land in its middle. A peer whose command is running is not freed, only marked as busy.
 */
#include "ipc/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/log.h"
#include "net/sock.h"

#define LINE_MAX_   1024
#define OUT_MAX	    (4u << 20)
#define WATCHER_MAX (64u << 10) /* bytes a watcher may be behind */
#define RESUME_S    0.25	/* after descriptors ran out */

#define CTL_MAGIC      0x4354534fu
#define PEER_MAGIC     0x43545045u
#define DEFERRED_MAGIC 0x43544445u

struct peer {
	uint32_t magic;
	struct ev_io readable, writable;
	struct ctl *ctl;
	struct peer *next;
	struct text out;
	size_t n;
	bool watching, may_change, closing;
	bool busy;		       /* one of its commands runs */
	struct ctl_deferred *deferred; /* its reply is still to come: nothing is read or run */
	char in[LINE_MAX_];
};

struct ctl_deferred {
	uint32_t magic;
	struct peer *peer; /* NULL: it has gone */
};

struct ctl {
	uint32_t magic;
	struct peer *running; /* the one whose command runs, or NULL */
	struct ev_loop *loop;
	struct ev_io acceptable;
	struct ev_timer resume;
	const struct ctl_command *commands;
	void *arg;
	struct peer *peers;
	unsigned count, max;
	char path[108];
};

static void close_peer(struct peer *p)
{
	struct peer **at = &p->ctl->peers;
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	p->ctl->count--;
	ev_io_stop(p->ctl->loop, &p->readable);
	ev_io_stop(p->ctl->loop, &p->writable);
	close(p->readable.fd);
	text_fini(&p->out);
	if (p->deferred)
		p->deferred->peer = NULL;
	MAGIC_WIPE(p, PEER_MAGIC);
	free(p);
}

/* Sends what is there. False: the peer is gone and freed. */
static bool flush(struct peer *p)
{
	while (p->out.n) {
		ssize_t n = send(p->readable.fd, p->out.p, p->out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			ev_io_start(p->ctl->loop, &p->writable);
			return true;
		}
		if (n < 0) {
			close_peer(p);
			return false;
		}
		text_drop(&p->out, (size_t)n);
	}
	ev_io_stop(p->ctl->loop, &p->writable);
	if (p->closing) {
		close_peer(p);
		return false;
	}
	return true;
}

/* A watcher that missed an event gets none any more: it is closed. */
static void drop(struct peer *p)
{
	log_warn("control socket: a connection that does not read is closed");
	if (p->busy) {
		p->closing = true;
		text_drop(&p->out, p->out.n);
	} else {
		close_peer(p);
	}
}

/* ---- commands */

static void help(struct text *out, const struct ctl_command *commands)
{
	text_printf(out,
		    "help: this list\nwatch: one line for each event, until the connection ends\n"
		    "quit: close the connection\n");
	for (const struct ctl_command *c = commands; c->name; c++)
		text_printf(out, "%s%s%s: %s\n", c->name, *c->args ? " " : "", c->args, c->help);
}

/* The command that line begins with: the whole name, then the end or a blank. */
static const struct ctl_command *find(const struct ctl_command *commands, struct str line,
				      struct str *args)
{
	for (const struct ctl_command *c = commands; c->name; c++) {
		struct str name = str_c(c->name);
		if (str_starts(line, name) && (line.n == name.n || line.p[name.n] == ' ')) {
			*args = str_trim(str_skip(line, name.n));
			return c;
		}
	}
	return NULL;
}

static bool take_json(struct str *args)
{
	if (str_eq(*args, STR("json")))
		args->n = 0;
	else if (str_ends(*args, STR(" json")))
		*args = str_trim(str_of(args->p, args->n - 5));
	else
		return false;
	return true;
}

static void run(struct peer *p, const struct ctl_command *c, struct str args, struct text *reply)
{
	bool json = take_json(&args);
	p->ctl->running = p;
	c->run(reply, args, json, p->ctl->arg);
	p->ctl->running = NULL;
	if (reply->n && reply->p[reply->n - 1] != '\n')
		text_add(reply, STR("\n"));
}

static void answer(struct peer *p, struct str line, struct text *reply)
{
	struct str args;
	const struct ctl_command *c = find(p->ctl->commands, line, &args);
	if (str_eq(line, STR("help"))) {
		help(reply, p->ctl->commands);
	} else if (!c) {
		text_printf(reply, "error: unknown command \"%.*s\"; try help\n", STR_ARG(line));
	} else if (c->changes && !p->may_change) {
		text_printf(reply, "error: %s needs root or the daemon's group\n", c->name);
	} else {
		run(p, c, args, reply);
	}
	text_add(reply, STR("\n"));
}

static void add_reply(struct peer *p, const struct text *reply)
{
	text_add(&p->out, str_of(reply->p, reply->n));
	if (reply->cut || p->out.cut) {
		log_warn("control socket: replies longer than %u bytes are cut", OUT_MAX);
		p->closing = true;
	}
}

static void run_command(struct peer *p, struct str line)
{
	struct text reply;
	text_init(&reply, OUT_MAX);
	p->busy = true;
	answer(p, line, &reply);
	p->busy = false;
	if (!p->closing && !p->deferred)
		add_reply(p, &reply);
	text_fini(&reply);
}

static void run_line(struct peer *p, struct str line)
{
	if (str_eq(line, STR("quit"))) {
		p->closing = true;
	} else if (str_eq(line, STR("watch"))) {
		p->watching = true;
		text_add(&p->out, STR("watching\n"));
	} else {
		run_command(p, line);
	}
}

static void run_lines(struct peer *p)
{
	struct str rest = str_of(p->in, p->n);
	ssize_t eol;
	while (!p->closing && !p->deferred && (eol = str_find(rest, '\n')) >= 0) {
		struct str line = str_of(rest.p, (size_t)eol);
		rest = str_skip(rest, line.n + 1);
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		line = str_trim(line);
		if (line.n)
			run_line(p, line);
	}
	memmove(p->in, rest.p, rest.n);
	p->n = rest.n;
	if (p->n == sizeof(p->in) && !p->deferred) {
		text_printf(&p->out, "error: line longer than %d bytes\n\n", LINE_MAX_ - 1);
		p->closing = true;
	}
}

/* Runs what was received. It is read on when the reply has gone. */
static void run_and_flush(struct peer *p)
{
	run_lines(p);
	if (flush(p) && (p->deferred || (p->out.n && !p->watching)))
		ev_io_stop(p->ctl->loop, &p->readable);
}

static void on_readable(struct ev_loop *loop UNUSED, struct ev_io *w, int events UNUSED)
{
	struct peer *p = container_of(w, struct peer, readable);
	MAGIC_CHECK(p, PEER_MAGIC);
	if (p->out.n && !p->watching)
		return; /* one reply at a time: writable continues */
	ssize_t n = recv(w->fd, p->in + p->n, sizeof(p->in) - p->n, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close_peer(p);
		return;
	}
	p->n += (size_t)n;
	run_and_flush(p);
}

static void on_writable(struct ev_loop *loop, struct ev_io *w, int events UNUSED)
{
	struct peer *p = container_of(w, struct peer, writable);
	MAGIC_CHECK(p, PEER_MAGIC);
	if (flush(p) && p->out.n == 0 && !p->deferred)
		ev_io_start(loop, &p->readable);
}

/* ---- replies that come later */

struct ctl_deferred *ctl_defer(struct ctl *c)
{
	MAGIC_CHECK(c, CTL_MAGIC);
	MUST(c->running && !c->running->deferred);
	struct ctl_deferred *d = def_xcalloc(1, sizeof(*d));
	MAGIC_SET(d, DEFERRED_MAGIC);
	d->peer = c->running;
	d->peer->deferred = d;
	return d;
}

void ctl_reply(struct ctl_deferred *d, struct str reply)
{
	struct peer *p = d->peer;
	MAGIC_WIPE(d, DEFERRED_MAGIC);
	free(d);
	if (!p)
		return;
	MAGIC_CHECK(p, PEER_MAGIC);
	MUST(!p->busy); /* later than run() */
	struct text whole;
	text_init(&whole, OUT_MAX);
	text_add(&whole, reply);
	if (reply.n && reply.p[reply.n - 1] != '\n')
		text_add(&whole, STR("\n"));
	text_add(&whole, STR("\n"));
	p->deferred = NULL;
	add_reply(p, &whole);
	text_fini(&whole);
	ev_io_start(p->ctl->loop, &p->readable);
	run_and_flush(p);
}

/* ---- connections */

/* Is our group among the peer's supplementary ones? */
static bool in_our_group(int fd)
{
	gid_t groups[256];
	socklen_t size = sizeof(groups);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
		return false;
	for (size_t i = 0; i < size / sizeof(*groups); i++)
		if (groups[i] == getegid())
			return true;
	return false;
}

static bool may_change(int fd)
{
	struct ucred cred;
	socklen_t n = sizeof(cred);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
		return false;
	return cred.uid == 0 || cred.uid == geteuid() || cred.gid == getegid() || in_our_group(fd);
}

static void on_resume(struct ev_loop *loop, struct ev_timer *w, int events UNUSED)
{
	struct ctl *c = container_of(w, struct ctl, resume);
	MAGIC_CHECK(c, CTL_MAGIC);
	ev_io_start(loop, &c->acceptable);
}

/* A failed accept leaves the socket readable: pause instead of spinning. */
static void not_accepted(struct ctl *c)
{
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return;
	log_warn("control socket: accept: %m");
	ev_io_stop(c->loop, &c->acceptable);
	ev_timer_set(&c->resume, RESUME_S, 0.);
	ev_timer_start(c->loop, &c->resume);
}

static void on_acceptable(struct ev_loop *loop, struct ev_io *w, int events UNUSED)
{
	struct ctl *c = container_of(w, struct ctl, acceptable);
	MAGIC_CHECK(c, CTL_MAGIC);
	int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		not_accepted(c);
		return;
	}
	struct peer *p = c->count < c->max ? calloc(1, sizeof(*p)) : NULL;
	if (!p) {
		log_warn("control socket: more than %u connections", c->max);
		close(fd);
		return;
	}
	MAGIC_SET(p, PEER_MAGIC);
	p->ctl = c;
	p->may_change = may_change(fd);
	text_init(&p->out, OUT_MAX);
	ev_io_init(&p->readable, on_readable, fd, EV_READ);
	ev_io_init(&p->writable, on_writable, fd, EV_WRITE);
	p->next = c->peers;
	c->peers = p;
	c->count++;
	ev_io_start(loop, &p->readable);
}

struct ctl *ctl_new(struct ev_loop *loop, const char *path, const struct ctl_command *commands,
		    void *arg, struct err *e)
{
	int fd = sock_unix_listen(path, 0660, 32, e);
	if (fd < 0)
		return NULL;
	struct ctl *c = def_xcalloc(1, sizeof(*c));
	MAGIC_SET(c, CTL_MAGIC);
	c->loop = loop;
	c->commands = commands;
	c->arg = arg;
	c->max = CTL_MAX;
	str_copy(c->path, sizeof(c->path), str_c(path));
	ev_io_init(&c->acceptable, on_acceptable, fd, EV_READ);
	ev_timer_init(&c->resume, on_resume, 0., 0.);
	ev_io_start(loop, &c->acceptable);
	return c;
}

void ctl_set_max(struct ctl *c, unsigned max)
{
	c->max = max;
}

void ctl_free(struct ctl *c)
{
	if (!c)
		return;
	while (c->peers)
		close_peer(c->peers);
	ev_io_stop(c->loop, &c->acceptable);
	ev_timer_stop(c->loop, &c->resume);
	unlink(c->path);
	close(c->acceptable.fd);
	MAGIC_WIPE(c, CTL_MAGIC);
	free(c);
}

void ctl_event(struct ctl *c, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	if (!c)
		return;
	va_start(ap, fmt);
	int n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	size_t size = MIN((size_t)MAX(n, 0), sizeof(line) - 2);
	line[size++] = '\n';
	for (struct peer *p = c->peers, *next; p; p = next) {
		next = p->next;
		if (!p->watching)
			continue;
		text_add(&p->out, str_of(line, size));
		if (p->out.n > WATCHER_MAX || p->out.cut)
			drop(p);
		else if (!p->busy)
			flush(p);
	}
}
