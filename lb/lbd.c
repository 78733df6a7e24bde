// SPDX-License-Identifier: MIT
#include "lbd.h"

#include "check.h"
#include "lb_worker.h"
#include "stats_page.h"

/* ---- shell_ops */

static void plan(const struct daemon_generation *g, struct shell_plan *p)
{
	const struct lb_config *c = conf_of(g);
	p->workers = c->settings->workers;
	p->maxconn = c->settings->maxconn;
	p->per_client = 2;
	p->buffers = 2 * (p->maxconn + 64);
	MUST(c->n_binds && c->n_binds <= LB_BINDS_MAX && p->n_listen == 0);
	for (unsigned i = 0; i < c->n_binds; i++)
		p->listen[p->n_listen++] = c->binds[i].addr;
}
_Static_assert(LB_BINDS_MAX <= SHELL_LISTEN_MAX, "every bind finds a place");

static const struct shell_ops shell_ops = {
	.keeps = {.connections = STAT_connections,
		  .clients = STAT_clients,
		  .shed = STAT_shed,
		  .bytes_in = STAT_bytes_in,
		  .bytes_out = STAT_bytes_out,
		  .log_dropped = STAT_log_dropped},
	.worker_size = sizeof(struct lb_worker),
	.server = &lb_worker_server_ops,
	.plan = plan,
	.listener_conf = lb_worker_listener_conf,
	.init = lb_worker_init,
	.fini = lb_worker_fini,
	.apply = lb_worker_apply,
	.publish = lb_worker_publish,
	.check = lb_worker_check,
	.check_shared = check_shared,
};

/* ---- a server that went down: idle connections to it are closed */

#define FORGET_MAGIC 0x4c42464fu

struct forget_message {
	uint32_t magic;
	struct message message;
	struct lb_worker *worker;
	struct addr addr;
};

static void on_forget(struct message *msg)
{
	struct forget_message *m = container_of(msg, struct forget_message, message);
	MAGIC_CHECK(m, FORGET_MAGIC);
	MAGIC_CHECK(&m->worker->base, SHELL_WORKER_MAGIC);
	lb_worker_forget(m->worker, &m->addr);
	MAGIC_WIPE(m, FORGET_MAGIC);
	free(m);
}

static void server_went_down(const struct addr *addr, void *arg)
{
	const struct lbd *b = arg;
	MAGIC_CHECK(b, LBD_MAGIC);
	for (unsigned i = 0; i < shell_workers(b->shell); i++) {
		struct shell_worker *w = shell_worker(b->shell, i);
		if (!w)
			continue;
		struct forget_message *m = def_xmalloc(sizeof(*m));
		*m = (struct forget_message){.magic = FORGET_MAGIC,
					     .message.run = on_forget,
					     .worker = lb_worker_from(w),
					     .addr = *addr};
		mailbox_post(&w->worker->mailbox, &m->message);
	}
}

/* ---- daemon_ops */

struct lbd *lbd_of(struct daemon *d)
{
	struct lbd *b = shell_user(shell_of(d));
	MAGIC_CHECK(b, LBD_MAGIC);
	MUST(daemon_here(d));
	return b;
}

int lbd_start(struct daemon *d, struct err *e)
{
	struct lbd *b = def_xcalloc(1, sizeof(*b));
	struct lb_config *c = daemon_current(d)->config;
	MAGIC_SET(b, LBD_MAGIC);
	b->pools = server_pools_new();
	b->shell = shell_open(d, &shell_ops, b, e);
	if (!b->shell || !server_attach(b->pools, c, e))
		return -1;
	server_apply_weights(c);
	stats_attach(daemon_stats(d), c);
	stats_page_init(shell_stats(b->shell));
	health_view_start(&b->health, d, server_went_down, b);
	return shell_run(b->shell, e);
}

int lbd_reload(struct daemon *d, struct daemon_generation *old, struct err *e)
{
	struct lbd *b = lbd_of(d);
	struct lb_config *c = daemon_current(d)->config;
	MUST(old && old != daemon_current(d) && conf_of(old) != c);
	if (!server_attach(b->pools, c, e) || shell_prepare(b->shell, e) < 0)
		return -1;
	server_apply_weights(c);
	stats_attach(daemon_stats(d), c);
	health_view_read(&b->health);
	shell_publish(b->shell);
	return 0;
}

void lbd_finish(struct daemon *d)
{
	struct lbd *b = lbd_of(d);
	health_view_stop(&b->health);
	shell_finish(b->shell);
	server_pools_free(b->pools);
	MAGIC_WIPE(b, LBD_MAGIC);
	free(b);
}
