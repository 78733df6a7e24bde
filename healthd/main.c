// SPDX-License-Identifier: MIT
/*
 * healthd: watches every server, the local origin and databases, and tells the verdicts.
 *
 * One process, one loop; database probes have a thread each while they run. Its work is in
 * checks.c; here it is only tied to a daemon's life.
 */
#include "checks.h"
#include "ctl.h"
#include "daemon.h"
#include "stats.h"

static void build(struct daemon_generation *g, struct conf_errors *errors)
{
	g->config = health_conf_build(g->conf, &g->arena, errors);
}

static void on_event(void *arg, const char *text)
{
	ctl_event(daemon_ctl(arg), "%s", text);
}

static int start(struct daemon *d, struct err *e)
{
	char path[DAEMON_PATH_SIZE];
	const struct checks_env env = {
		.loop = daemon_loop(d),
		.table_path = daemon_path(d, HEALTH_FILE, path, sizeof(path)),
		.stats = daemon_open_stats(d, 1),
		.event = on_event,
		.arg = d,
	};
	struct checks *s = checks_new(&env, daemon_current(d)->config, e);
	daemon_set_user(d, s);
	return s ? 0 : -1;
}

static int reload(struct daemon *d, struct daemon_generation *old UNUSED, struct err *e)
{
	return checks_reload(daemon_user(d), daemon_current(d)->config, e);
}

static void stop(struct daemon *d)
{
	daemon_done(d);
}

static void finish(struct daemon *d)
{
	checks_free(daemon_user(d));
	daemon_set_user(d, NULL);
}

int main(int argc, char **argv)
{
	const struct daemon_ops ops = {.name = "healthd",
				       .summary = "watches servers, origins and databases",
				       .schema = health_conf_schema,
				       .n_schema = health_conf_schema_n,
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
