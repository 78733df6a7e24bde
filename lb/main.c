// SPDX-License-Identifier: MIT
/* lbd: the balancer. */
#include "control.h"
#include "lbd.h"
#include "stats.h"

int main(int argc, char **argv)
{
	const struct daemon_ops ops = {
		.name = "lbd",
		.summary = "balances HTTP requests over a pool of servers",
		.schema = conf_lb_schema,
		.n_schema = conf_lb_schema_n,
		.commands = control_commands,
		.counters = stats_kinds,
		.n_counters = stats_kinds_n,
		.drain_ms = 10000,
		.build = conf_build,
		.start = lbd_start,
		.reload = lbd_reload,
		.stop = shell_stop,
		.alive = shell_alive,
		.finish = lbd_finish,
	};
	return daemon_main(argc, argv, &ops);
}
