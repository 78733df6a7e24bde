// SPDX-License-Identifier: MIT
/*
 * Bound to the group, so that nothing else of protocol 112 arrives; to the device, because a
 * membership alone lets other interfaces' packets in; and with IP_MULTICAST_ALL off, or memberships
 * of other sockets would count for this one. Binding to a multicast address leaves the source open:
 * the header we write ourselves has it.
 */
#include "vrrp_sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/pkt_sched.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "vrrp_pkt.h"

static int set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value));
}

static int set_up(int fd, const char *interface, int ifindex)
{
	const struct ip_mreqn group = {.imr_multiaddr.s_addr = htonl(VRRP_PKT_GROUP),
				       .imr_ifindex = ifindex};
	const struct sockaddr_in to = {.sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(VRRP_PKT_GROUP)};
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)) <
		    0 ||
	    set_int(fd, IPPROTO_IP, IP_HDRINCL, 1) < 0 ||
	    set_int(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0) < 0 ||
	    set_int(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0) < 0 ||
	    set_int(fd, SOL_SOCKET, SO_PRIORITY, TC_PRIO_INTERACTIVE) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &group, sizeof(group)) < 0 ||
	    bind(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return -1;
	return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group));
}

int vrrp_sock_open(const char *interface, int ifindex, struct err *e)
{
	MUST(ifindex > 0);
	int fd = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, VRRP_PKT_PROTO);
	if (fd >= 0 && set_up(fd, interface, ifindex) == 0)
		return fd;
	err_set(e, "VRRP socket on %s: %m", interface);
	if (fd >= 0)
		close(fd);
	return -1;
}

int vrrp_sock_send(int fd, struct str packet)
{
	const struct sockaddr_in to = {.sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(VRRP_PKT_GROUP)};
	MUST(fd >= 0 && packet.n <= VRRP_PKT_SIZE_MAX);
	ssize_t n = sendto(fd, packet.p, packet.n, 0, (const struct sockaddr *)&to, sizeof(to));
	return n < 0 ? -1 : 0;
}

ssize_t vrrp_sock_receive(int fd, void *to, size_t size)
{
	ssize_t n;
	MUST(fd >= 0 && size > 0);
	do {
		n = recv(fd, to, size, 0);
	} while (n < 0 && errno == EINTR);
	return n < 0 && errno == EAGAIN ? 0 : n;
}
