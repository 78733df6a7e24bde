// SPDX-License-Identifier: MIT
/*
 * The raw socket of one instance: sends its adverts to 224.0.0.18 and receives those of the others
 * on one interface, never its own.
 */
#ifndef VRRP_SOCK_H
#define VRRP_SOCK_H

#include "base/err.h"
#include "base/str.h"

/* Non-blocking; the descriptor, or -1 with e. Needs CAP_NET_RAW. */
int vrrp_sock_open(const char *interface, int ifindex, struct err *e);

/* packet begins with its IP header. 0, or -1 with errno. */
int vrrp_sock_send(int fd, struct str packet);

/*
 * One packet with its IP header into to; its size, 0 when none is waiting, -1 with errno. Longer
 * ones are cut.
 */
ssize_t vrrp_sock_receive(int fd, void *to, size_t size);

#endif
