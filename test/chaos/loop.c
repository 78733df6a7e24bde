// SPDX-License-Identifier: MIT
#include "loop.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "page.h"

#define TICK_MS	    4
#define IN_MOST	    (256u << 10)
#define WRONG_MOST  20
#define PAUSES_MOST 150 /* of a connection: then all goes at once */

struct listener {
	int fd; /* -1 while it refuses */
	uint16_t port;
	void (*accepted)(int fd);
};

int64_t loop_now_ms;
unsigned long wrong_count;

static int poller;
static struct conn *conns;
static int64_t ticked_ms;

static void fatal(const char *what)
{
	perror(what);
	exit(2);
}

void wrong(const char *fmt, ...)
{
	va_list ap;
	if (++wrong_count > WRONG_MOST)
		return;
	va_start(ap, fmt);
	printf("WRONG: ");
	vprintf(fmt, ap);
	putchar('\n');
	va_end(ap);
	fflush(stdout);
}

/* ---- connections */

static void watch(struct conn *c)
{
	uint32_t events = 0;
	if (!c->eof && loop_now_ms >= c->read_at_ms)
		events |= EPOLLIN;
	if (c->connecting || (conn_pending(c) && loop_now_ms >= c->send_at_ms))
		events |= EPOLLOUT;
	if (events == c->events || c->gone)
		return;
	struct epoll_event e = {.events = events, .data.ptr = c};
	if (epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &e) < 0)
		fatal("epoll_ctl");
	c->events = events;
}

static void free_conn(struct conn *c)
{
	*c->at = c->next;
	if (c->next)
		c->next->at = c->at;
	c->ops->freed(c);
	close(c->fd);
	free(c->in);
	free(c->out);
	free(c);
}

/* Calls one of the ops. False: c is gone. */
static bool tell(struct conn *c, void (*what)(struct conn *c))
{
	c->telling = true;
	what(c);
	c->telling = false;
	if (!c->gone)
		return true;
	free_conn(c);
	return false;
}

void conn_close(struct conn *c)
{
	c->gone = true;
	if (!c->telling)
		free_conn(c);
}

void conn_reset(struct conn *c)
{
	struct linger l = {.l_onoff = 1};
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	conn_close(c);
}

struct conn *conn_new(int fd, const struct conn_ops *ops, void *user)
{
	struct conn *c = calloc(1, sizeof(*c));
	int on = 1;
	if (!c)
		fatal("calloc");
	*c = (struct conn){.ops = ops, .fd = fd, .user = user, .next = conns, .at = &conns};
	if (conns)
		conns->at = &c->next;
	conns = c;
	c->moved_ms = loop_now_ms;
	c->events = EPOLLIN;
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e) < 0)
		fatal("epoll_ctl");
	return c;
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

struct conn *conn_connect(uint16_t port, int receive_buffer, const struct conn_ops *ops, void *user)
{
	struct sockaddr_in a = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fatal("socket");
	if (receive_buffer)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 && errno != EINPROGRESS) {
		close(fd);
		return NULL;
	}
	struct conn *c = conn_new(fd, ops, user);
	c->connecting = true;
	return c;
}

static void *grown(void *p, size_t *size, size_t want)
{
	if (want <= *size)
		return p;
	while (*size < want)
		*size = *size ? 2 * *size : 4096;
	p = realloc(p, *size);
	if (!p)
		fatal("realloc");
	return p;
}

void conn_send(struct conn *c, const void *p, size_t n)
{
	if (n == 0)
		return;
	c->out = grown(c->out, &c->out_size, c->out_n + n);
	memcpy(c->out + c->out_n, p, n);
	c->out_n += n;
}

void conn_printf(struct conn *c, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text))
		abort();
	conn_send(c, text, (size_t)n);
}

bool conn_pending(const struct conn *c)
{
	return c->out_at < c->out_n;
}

void conn_consume(struct conn *c, size_t n)
{
	memmove(c->in, c->in + n, c->in_n - n);
	c->in_n -= n;
}

static size_t piece(const struct conn *c)
{
	static const size_t sizes[] = {1, 2, 3, 10, 100, 1000, 5000, 16384, 100000};
	size_t left = c->out_n - c->out_at;
	size_t n = c->pace == PACE_WHOLE || c->pauses == PAUSES_MOST ? left
		   : c->pace == PACE_PIECES			     ? sizes[chance_below(9)]
								     : sizes[chance_below(5)];
	return n < left ? n : left;
}

static void peer_gone(struct conn *c)
{
	c->eof = c->reset = true;
	c->out_n = c->out_at = 0;
}

/* Sends what the pace allows now. */
static void push(struct conn *c)
{
	bool had = conn_pending(c);
	while (conn_pending(c) && loop_now_ms >= c->send_at_ms) {
		ssize_t n = send(c->fd, c->out + c->out_at, piece(c), MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			peer_gone(c);
			return;
		}
		c->moved_ms = loop_now_ms;
		c->out_at += (size_t)n;
		if (c->pauses < PAUSES_MOST &&
		    (c->pace == PACE_DRIP ? chance(0.7) : c->pace == PACE_PIECES && chance(0.2))) {
			c->send_at_ms = loop_now_ms + 1 + chance_below(20);
			c->pauses++;
		}
	}
	if (!had || conn_pending(c))
		return;
	c->out_n = c->out_at = 0;
	if (c->shut_when_sent)
		shutdown(c->fd, SHUT_WR);
}

static bool pull(struct conn *c)
{
	c->in = grown(c->in, &c->in_size, c->in_n + 65536);
	ssize_t n = recv(c->fd, c->in + c->in_n, 65536, 0);
	if (n < 0 && errno == EAGAIN)
		return true;
	if (n <= 0) {
		c->eof = true;
		if (n < 0)
			peer_gone(c);
		return tell(c, c->ops->ended);
	}
	c->moved_ms = loop_now_ms;
	c->in_n += (size_t)n;
	return tell(c, c->ops->received);
}

static void handle(struct conn *c, uint32_t events)
{
	c->connecting = false;
	bool had = conn_pending(c);
	if (!c->reset)
		push(c);
	if (c->reset && !tell(c, c->ops->ended))
		return;
	if (had && !conn_pending(c) && !c->reset && !tell(c, c->ops->sent))
		return;
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !c->eof && loop_now_ms >= c->read_at_ms &&
	    !pull(c))
		return;
	watch(c);
}

/* ---- listening */

static int open_listener(uint16_t port)
{
	struct sockaddr_in a = loopback(port);
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 256) < 0)
		fatal("listen");
	return fd;
}

void loop_listen_again(struct listener *l)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = (void *)((uintptr_t)l | 1)};
	l->fd = open_listener(l->port);
	if (epoll_ctl(poller, EPOLL_CTL_ADD, l->fd, &e) < 0)
		fatal("epoll_ctl");
}

struct listener *loop_listen(uint16_t port, void (*accepted)(int fd))
{
	struct listener *l = calloc(1, sizeof(*l));
	if (!l)
		fatal("calloc");
	*l = (struct listener){.port = port, .accepted = accepted};
	loop_listen_again(l);
	return l;
}

void loop_refuse(struct listener *l)
{
	close(l->fd);
	l->fd = -1;
}

bool loop_refuses(const struct listener *l)
{
	return l->fd < 0;
}

static void accept_all(const struct listener *l)
{
	int fd;
	while (l->fd >= 0 && (fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		l->accepted(fd);
}

/* ---- the loop */

static int64_t clock_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void loop_init(void)
{
	poller = epoll_create1(EPOLL_CLOEXEC);
	if (poller < 0)
		fatal("epoll_create1");
	loop_now_ms = clock_ms();
}

static void tick_all(void)
{
	for (struct conn *c = conns, *next; c; c = next) {
		next = c->next;
		if (tell(c, c->ops->tick))
			watch(c);
	}
}

/* A connection is freed by its own event alone, so the rest of a batch stays valid. */
void loop_turn(void)
{
	struct epoll_event events[128];
	int n = epoll_wait(poller, events, 128, TICK_MS);
	loop_now_ms = clock_ms();
	for (int i = 0; i < n; i++) {
		uintptr_t p = (uintptr_t)events[i].data.ptr;
		if (p & 1)
			accept_all((const struct listener *)(p & ~(uintptr_t)1));
		else
			handle((struct conn *)p, events[i].events);
	}
	if (loop_now_ms - ticked_ms >= TICK_MS) {
		ticked_ms = loop_now_ms;
		tick_all();
	}
}
