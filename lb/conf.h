// SPDX-License-Identifier: MIT
/*
 * What lbd makes of the configuration file: frontends, pools with their servers, the statistics page.
 */
#ifndef LB_CONF_H
#define LB_CONF_H

#include "conf/cluster.h"
#include "daemon.h"

#define LB_BINDS_MAX   64
#define LB_POOLS_MAX   256
#define LB_SERVERS_MAX 64 /* of one pool: a set of them is one word */

struct lb_frontend { /* [frontend web] */
	struct str name;
	struct conf_list bind;
	struct str pool;
	struct nets proxies; /* peers whose connections begin with a PROXY header */
};

struct lb_stats { /* [stats] */
	struct conf_list bind;
	struct str uri, auth;
	uint32_t refresh_ms;
	struct nets proxies;
};

struct lb_settings {	  /* [lb] */
	uint32_t workers; /* 0: one a core */
	uint32_t maxconn;
	uint32_t request_ms, keepalive_ms, client_ms, server_idle_ms, tunnel_ms;
	bool access_log, forwarded_for;
	struct nets trust; /* peers whose X-Forwarded-* fields are believed */
};

struct pool; /* server.h: the live state, which outlasts a generation */
struct server;

/* A pool of this generation. */
struct lb_pool {
	const struct conf_pool *conf;
	struct pool *live;
	unsigned n;
	struct server **servers;		 /* live, in file order */
	const struct conf_server **conf_servers; /* in the same order */
};

/* One address to listen on. */
struct lb_bind {
	struct addr addr;
	struct str frontend;  /* its name; "stats" for the page */
	struct lb_pool *pool; /* NULL: the statistics page */
	const struct nets *proxies;
	unsigned slot; /* of the frontend's counters; see stats_attach() */
};

#define LB_CONFIG_MAGIC 0x4c42434fu

struct lb_config {
	uint32_t magic; /* private */
	const struct lb_settings *settings;
	const struct lb_stats *stats; /* NULL: none */
	struct str node;	      /* this board's name, or the host's */
	unsigned n_binds, n_pools;
	struct lb_bind *binds;
	struct lb_pool *pools;
};

extern const struct conf_section *const conf_lb_schema[];
extern const size_t conf_lb_schema_n;

/* daemon_ops.build. The live parts are attached later, by lbd.c, for a generation that becomes active. */
void conf_build(struct daemon_generation *g, struct conf_errors *errors);

static inline const struct lb_config *conf_of(const struct daemon_generation *g)
{
	const struct lb_config *c = g->config;
	MAGIC_CHECK(c, LB_CONFIG_MAGIC);
	return c;
}

#endif
