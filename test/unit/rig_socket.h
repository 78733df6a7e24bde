// SPDX-License-Identifier: MIT
/*
 * Blocking sockets that speak raw bytes, for clients and servers in a test's own thread, and bodies that tell where each
 * of their bytes belongs.
 */
#ifndef RIG_SOCKET_H
#define RIG_SOCKET_H

#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "net/addr.h"

#define RIG_WAIT_MS 5000

int rig_dial_to(const struct addr *to, int rcvbuf); /* rcvbuf: of the socket, or 0 */
void rig_reset(int fd);				    /* closes with a RST */
void rig_put(int fd, const char *text);
void rig_put_n(int fd, const void *p, size_t n);
/* Reads until the end of the stream or until want bytes are there; at most 5 s without any. */
size_t rig_get(int fd, char *to, size_t want);
/* True: the other side closed, or reset, within 5 s, and sent nothing more. */
bool rig_ended(int fd);
/* All until the end of the stream, in memory of the rig's that the next call overwrites; NUL behind it. */
const char *rig_rest(int fd, size_t *n);
/* Up to and with the first empty line; the same. */
const char *rig_head(int fd);
/* One response with Content-Length (or none: no body); the same. */
const char *rig_one(int fd);

/* ---- a body that tells where each of its bytes belongs */
char rig_byte(uint64_t offset);
void rig_fill(char *to, size_t n, uint64_t offset);

struct rig_sender {
	pthread_t thread;
	int fd;
	uint64_t size;	       /* bytes of the pattern */
	size_t piece;	       /* at once */
	int pause_us;	       /* between two pieces */
	bool then_close;       /* after the last */
	bool chunked;	       /* each piece a chunk, and the last chunk behind */
	_Atomic uint64_t sent; /* bytes of the pattern that the kernel has taken */
};
/* Sends the pattern from a thread of its own; ends early when the other side goes. */
void rig_send_start(struct rig_sender *s);
void rig_send_join(struct rig_sender *s);
/* Reads n bytes and compares them with the pattern from offset on; slow_us: pause after each read. Returns how many
 * came and were as they must be. */
uint64_t rig_get_pattern(int fd, uint64_t n, uint64_t offset, int slow_us);
/* 840 KB of the pattern from offset on, in pieces of many sizes: each has to come out at the other end within 100 ms,
 * before the next is sent. */
void rig_drip_pattern(int from, int to, uint64_t offset);

#endif
