// SPDX-License-Identifier: MIT
/* One thread's loop over all connections of both sides: what is sent goes in pieces, with pauses, as its pace says. */
#ifndef CHAOS_LOOP_H
#define CHAOS_LOOP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;

struct conn_ops {
	void (*received)(struct conn *c); /* in[] has grown */
	void (*ended)(struct conn *c);	  /* the peer sends no more; reset: it is gone altogether */
	void (*sent)(struct conn *c);	  /* all of out[] has gone */
	void (*tick)(struct conn *c);	  /* every few milliseconds */
	void (*freed)(struct conn *c);
};

enum pace { PACE_WHOLE, PACE_PIECES, PACE_DRIP };

struct conn {
	const struct conn_ops *ops;
	struct conn *next, **at;
	void *user;
	int fd;
	uint32_t events; /* that epoll watches */
	enum pace pace;
	unsigned pauses; /* made while sending */
	bool eof, reset; /* the peer has ended */
	bool connecting; /* nothing has come or gone yet */
	bool telling;	 /* one of ops is on the stack: freed afterwards */
	bool gone;
	bool shut_when_sent; /* then no more is sent */
	int64_t send_at_ms;  /* no byte before */
	int64_t read_at_ms;  /* nothing is read before */
	int64_t moved_ms;    /* when something was last sent or received */
	char *in, *out;
	size_t in_n, in_size, out_n, out_size, out_at;
};

extern int64_t loop_now_ms;

void loop_init(void);
/* One turn, of a few milliseconds at most. */
void loop_turn(void);
/* Listens; accepted() gets what comes. */
struct listener *loop_listen(uint16_t port, void (*accepted)(int fd));
void loop_listen_again(struct listener *l);
void loop_refuse(struct listener *l); /* until then */
bool loop_refuses(const struct listener *l);

struct conn *conn_new(int fd, const struct conn_ops *ops, void *user);
/* NULL: it could not even begin. */
struct conn *conn_connect(uint16_t port, int receive_buffer, const struct conn_ops *ops,
			  void *user);
void conn_send(struct conn *c, const void *p, size_t n);
/* At most 511 bytes. */
void conn_printf(struct conn *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool conn_pending(const struct conn *c); /* something waits to be sent */
void conn_consume(struct conn *c, size_t n);
/* From any callback; c is freed when it returns. */
void conn_close(struct conn *c);
void conn_reset(struct conn *c);

/* ---- the verdict */
extern unsigned long wrong_count;
/* Something that must not be: said on stdout. */
void wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
