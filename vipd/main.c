// SPDX-License-Identifier: MIT
/*
 * vipd: holds the shared address of the cluster on one board, by VRRP.
 *
 * One process, one loop. Its work is in instances.c; here it is only tied to a daemon's life.
 */
#include <sys/mman.h>

#include "base/log.h"
#include "ctl.h"
#include "daemon.h"
#include "instances.h"
#include "stats.h"

static char run_dir[DAEMON_PATH_SIZE];

static void build(struct daemon_generation *g, struct conf_errors *errors)
{
	g->config = vip_conf_build(g->conf, &g->arena, errors);
}

static void on_event(void *arg, const char *text)
{
	ctl_event(daemon_ctl(arg), "%s", text);
}

static void on_stopped(void *arg)
{
	daemon_done(arg);
}

/* Only pages in use: what is locked is also resident. */
static void lock_memory(void)
{
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		log_info("memory is not locked: %m");
}

static int start(struct daemon *d, struct err *e)
{
	const struct vip_conf *conf = daemon_current(d)->config;
	const struct instances_env env = {.loop = daemon_loop(d),
					  .run_dir = daemon_path(d, ".", run_dir, sizeof(run_dir)),
					  .stats = daemon_open_stats(d, 1),
					  .event = on_event,
					  .stopped = on_stopped,
					  .arg = d};
	struct instances *s;
	if (conf->n == 0)
		log_notice("there is no [vrrp] in the configuration: nothing to do");
	if (conf->mlock)
		lock_memory();
	s = instances_new(&env, conf, e);
	daemon_set_user(d, s);
	return s ? 0 : -1;
}

static int reload(struct daemon *d, struct daemon_generation *old UNUSED, struct err *e UNUSED)
{
	instances_reload(daemon_user(d), daemon_current(d)->config);
	return 0;
}

static void stop(struct daemon *d)
{
	instances_stop(daemon_user(d));
}

static void finish(struct daemon *d)
{
	instances_free(daemon_user(d));
	daemon_set_user(d, NULL);
}

int main(int argc, char **argv)
{
	const struct daemon_ops ops = {.name = "vipd",
				       .summary = "keeps the cluster's address on one board (VRRP)",
				       .schema = vip_conf_schema,
				       .n_schema = vip_conf_schema_n,
				       .commands = ctl_commands,
				       .counters = stats_kinds,
				       .n_counters = stats_kinds_n,
				       .drain_ms = 5000,
				       .build = build,
				       .start = start,
				       .reload = reload,
				       .stop = stop,
				       .finish = finish};
	return daemon_main(argc, argv, &ops);
}
