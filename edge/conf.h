// SPDX-License-Identifier: MIT
/* What edged makes of the configuration file. */
#ifndef EDGE_CONF_H
#define EDGE_CONF_H

#include "conf/cluster.h"
#include "daemon.h"
#include "policy.h"

#define CONF_LISTEN_MAX 16

struct edge_settings { /* [edge] */
	struct conf_list listen;
	struct addr origin;
	uint64_t memory, max_object;
	uint32_t workers, maxconn, origin_maxconn;
	uint32_t default_ttl_ms, grace_ms, keep_ms, uncacheable_ms;
	uint32_t connect_ms, response_ms, origin_idle_ms;
	uint32_t request_ms, keepalive_ms, client_ms, tunnel_ms;
	struct conf_list bypass_cookies, purge_from;
	struct str health_path;
	bool forwarded_for;
	struct nets trust;   /* as configured; edge_config.trust has the default too */
	struct nets proxies; /* peers whose connections begin with a PROXY header */
	unsigned send_proxy; /* version of the PROXY header sent to the origin; 0: none */
};

#define EDGE_CONFIG_MAGIC 0x4544434fu

struct edge_config {
	uint32_t magic; /* private */
	const struct edge_settings *settings;
	struct policy_conf policy;
	unsigned n_listen, n_purge_from;
	struct addr listen[CONF_LISTEN_MAX];
	struct addr *purge_from; /* addresses that may purge, the boards' among them */
	struct nets trust;	 /* peers whose X-Forwarded-* fields are believed */
};

extern const struct conf_section *const conf_edge_schema[];
extern const size_t conf_edge_schema_n;

void conf_build(struct daemon_generation *g, struct conf_errors *errors);

static inline const struct edge_config *conf_of(const struct daemon_generation *g)
{
	const struct edge_config *c = g->config;
	MAGIC_CHECK(c, EDGE_CONFIG_MAGIC);
	return c;
}

#endif
