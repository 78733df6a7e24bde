// SPDX-License-Identifier: MIT
/*
 * An io of an accepted connection that has to begin with a PROXY header (net/proxy_header.h): its handshake takes the
 * header, and not a byte more, off the socket and is plain TCP from then on.
 */
#ifndef NET_PROXY_IO_H
#define NET_PROXY_IO_H

#include "net/io.h"
#include "net/nets.h"

/*
 * Makes the io of fd. proxies is a struct nets (void *, since a listener passes it on as its tag). If *peer is in it,
 * the header is required: io_handshake() refuses the connection without a good one, and otherwise sets *peer, which
 * has to live as long as the io, and what io_local() returns, to the addresses that the header names. If *peer is not
 * in it, the io is plain TCP. Nothing is read here.
 *
 * While the header is incomplete the socket is not readable (SO_RCVLOWAT), unless the peer has closed.
 */
void proxy_io_open(struct io *io, int fd, struct addr *peer, const void *proxies);

#endif
