// SPDX-License-Identifier: MIT
/* edged: the cache. */
#include "cache.h"

int main(int argc, char **argv)
{
	const struct daemon_ops ops = {
		.name = "edged",
		.summary = "caches what a web server answers",
		.schema = conf_edge_schema,
		.n_schema = conf_edge_schema_n,
		.commands = cache_commands,
		.drain_ms = 10000,
		.build = conf_build,
		.start = cache_start,
		.reload = cache_reload,
		.stop = cache_stop,
		.alive = cache_alive,
		.finish = cache_finish,
	};
	return daemon_main(argc, argv, &ops);
}
