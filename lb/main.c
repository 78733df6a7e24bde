// SPDX-License-Identifier: MIT
/* lbd: the balancer. */
#include "balancer.h"
#include "control.h"

int main(int argc, char **argv)
{
	const struct daemon_ops ops = {
		.name = "lbd",
		.summary = "balances HTTP requests over a pool of servers",
		.schema = conf_lb_schema,
		.n_schema = conf_lb_schema_n,
		.commands = control_commands,
		.drain_ms = 10000,
		.build = conf_build,
		.start = balancer_start,
		.reload = balancer_reload,
		.stop = balancer_stop,
		.alive = balancer_alive,
		.finish = balancer_finish,
	};
	return daemon_main(argc, argv, &ops);
}
