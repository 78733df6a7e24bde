// SPDX-License-Identifier: MIT
/* edged: the cache. */
#include "conf.h"
#include "edged.h"
#include "stats.h"

int main(int argc, char **argv)
{
	const struct daemon_ops ops = {
		.name = "edged",
		.summary = "caches the responses of a web server",
		.schema = conf_edge_schema,
		.n_schema = conf_edge_schema_n,
		.commands = edged_commands,
		.counters = stats_kinds,
		.n_counters = stats_kinds_n,
		.drain_ms = 10000,
		.build = conf_build,
		.start = edged_start,
		.reload = edged_reload,
		.stop = shell_stop,
		.alive = shell_alive,
		.finish = edged_finish,
	};
	return daemon_main(argc, argv, &ops);
}
