// SPDX-License-Identifier: MIT
/*
 * A connection is made and closed; that it came about is all that is asked. A server that insists on a PROXY header gets
 * one, only so that it does not complain.
 */
#include <errno.h>

#include "net/sock.h"
#include "probe.h"

struct tcp {
	struct probe probe;
	struct ev_io writable; /* active: it owns its descriptor */
};

static struct tcp *tcp_of(struct probe *p)
{
	MAGIC_CHECK(p, PROBE_MAGIC);
	return container_of(p, struct tcp, probe);
}

static void end_by(struct probe *p, int error)
{
	char reason[PROBE_REASON];
	probe_error_text(error, reason);
	if (error == ETIMEDOUT)
		probe_end(p, HEALTH_L4TOUT, 0, "%s", reason);
	else
		probe_end(p, HEALTH_L4CON, 0, "%s", reason);
}

static void on_writable(struct ev_loop *loop UNUSED, struct ev_io *w, int events UNUSED)
{
	struct tcp *t = container_of(w, struct tcp, writable);
	MAGIC_CHECK(&t->probe, PROBE_MAGIC);
	int error = sock_error(w->fd);
	if (error) {
		end_by(&t->probe, error);
	} else {
		probe_send_proxy(&t->probe, w->fd, false);
		probe_end(&t->probe, HEALTH_L4OK, 0, "connected");
	}
}

static void tcp_init(struct probe *p)
{
	ev_init(&tcp_of(p)->writable, on_writable);
}

/* A host without descriptors or memory says nothing about the target. */
static bool is_local_trouble(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

static void tcp_start(struct probe *p)
{
	struct tcp *t = tcp_of(p);
	struct err e;
	int fd = sock_connect(&p->spec->address, &e);
	if (fd >= 0) {
		ev_io_set(&t->writable, fd, EV_WRITE);
		ev_io_start(p->env->loop, &t->writable);
	} else if (is_local_trouble(errno)) {
		probe_end(p, HEALTH_SOCKERR, 0, "%s", e.text);
	} else {
		end_by(p, errno);
	}
}

static void tcp_stop(struct probe *p)
{
	struct tcp *t = tcp_of(p);
	if (!ev_is_active(&t->writable))
		return;
	ev_io_stop(p->env->loop, &t->writable);
	close(t->writable.fd);
}

static void tcp_fini(struct probe *p UNUSED)
{
}

static enum health_result tcp_timeout_result(struct probe *p UNUSED)
{
	return HEALTH_L4TOUT;
}

const struct probe_ops probe_tcp_ops = {
	.size = sizeof(struct tcp),
	.init = tcp_init,
	.start = tcp_start,
	.stop = tcp_stop,
	.fini = tcp_fini,
	.timeout_result = tcp_timeout_result,
};
