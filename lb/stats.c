// SPDX-License-Identifier: MIT
#include "stats.h"

#include <stdio.h>

#include "server.h"

static const struct stats_counter process[] = {STATS_ROWS(LB_STATS)};
static const struct stats_counter frontend[] = {STATS_ROWS(LB_FRONTEND_STATS)};
static const struct stats_counter pool[] = {STATS_ROWS(LB_POOL_STATS)};
static const struct stats_counter server[] = {STATS_ROWS(LB_SERVER_STATS)};

/* Names add up while the daemon lives, so there is room for more than one configuration has. */
const struct stats_kind stats_kinds[] = {
	[STATS_PROCESS] = STATS_KIND("process", "The balancer as a whole.", 1, process),
	[STATS_FRONTEND] = STATS_KIND("frontend", "Each frontend; stats is the statistics page.",
				      4 * LB_BINDS_MAX, frontend),
	[STATS_POOL] = STATS_KIND("pool", "Each pool.", LB_POOLS_MAX, pool),
	[STATS_SERVER] = STATS_KIND("server", "Each server, by its name: POOL/SERVER.", 4096,
				    server),
};
const size_t stats_kinds_n = ARRAY_LEN(stats_kinds);

static void join_server(struct server *s, void *arg)
{
	char name[sizeof(s->pool_name) + sizeof(s->name)];
	MAGIC_CHECK(s, SERVER_MAGIC);
	if (s->slot != SERVER_NO_SLOT)
		return; /* workers know it already */
	snprintf(name, sizeof(name), "%s/%s", s->pool_name, s->name);
	s->slot = stats_slot(arg, STATS_SERVER, str_c(name));
}

void stats_attach(struct stats *s, struct lb_config *c)
{
	MAGIC_CHECK(c, LB_CONFIG_MAGIC);
	for (unsigned i = 0; i < c->n_binds; i++)
		c->binds[i].slot = stats_slot(s, STATS_FRONTEND, c->binds[i].frontend);
	for (unsigned i = 0; i < c->n_pools; i++) {
		struct pool *live = c->pools[i].live;
		MAGIC_CHECK(live, POOL_MAGIC);
		if (live->slot == SERVER_NO_SLOT)
			live->slot = stats_slot(s, STATS_POOL, str_c(live->name));
	}
	server_each(c, join_server, s);
}
