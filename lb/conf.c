// SPDX-License-Identifier: MIT
#include "conf.h"

#include <unistd.h>

static const struct conf_key frontend_keys[] = {
	CONF_LIST(struct lb_frontend, bind, "bind", NULL,
		  "Addresses to listen on; they need not be on this board (yet).",
		  .flags = CONF_REQUIRED),
	CONF_STR(struct lb_frontend, pool, "pool", NULL, "The pool that serves its requests.",
		 .flags = CONF_REQUIRED),
	CONF_NETS(
		struct lb_frontend, proxies, "proxy-protocol", "none",
		"Balancers in front whose connections begin with a PROXY header (version 1 or 2), "
		"which names the client. Their connections have to begin with one, others must not."),
};
static const struct conf_section frontend_section = CONF_NAMED(
	struct lb_frontend, "frontend", frontend_keys,
	"Addresses for clients, and the pool that serves them.");

static const struct conf_key stats_keys[] = {
	CONF_LIST(struct lb_stats, bind, "bind", NULL, "Addresses of the statistics page.",
		  .flags = CONF_REQUIRED),
	CONF_STR(struct lb_stats, uri, "uri", "/haproxy?stats",
		 "What the target of a request begins with; `;csv` appended gives CSV."),
	CONF_STR(struct lb_stats, auth, "auth", NULL, "USER:PASSWORD that a visitor must give.",
		 .flags = CONF_SECRET),
	CONF_MSEC(struct lb_stats, refresh_ms, "refresh", "0", 0, 3600000,
		  "How often a browser loads it again; 0: never."),
	CONF_NETS(struct lb_stats, proxies, "proxy-protocol", "none", "As for a frontend."),
};
static const struct conf_section stats_section = CONF_SINGLE(struct lb_stats, "stats", stats_keys,
							     "The statistics page.");

static const struct conf_key lb_keys[] = {
	CONF_U32(struct lb_settings, workers, "workers", "0", 0, 64,
		 "Worker threads; 0: one a core.", .flags = CONF_RESTART),
	CONF_U32(
		struct lb_settings, maxconn, "maxconn", "4096", 1, 1000000,
		"Client connections held at once; more wait in the kernel's queue. Lowered, with a warning, to what the "
		"descriptor limit allows: each may need one more, to a server."),
	CONF_MSEC(struct lb_settings, request_ms, "request-timeout", "10s", 1, 3600000,
		  "From the first byte of a request to the end of its head: then 408. A PROXY "
		  "header has the same time."),
	CONF_MSEC(struct lb_settings, keepalive_ms, "keep-alive-timeout", "15s", 1, 3600000,
		  "How long a client's connection may be idle."),
	CONF_MSEC(struct lb_settings, client_ms, "client-timeout", "50s", 1, 3600000,
		  "Longest pause of a client in a body, either way."),
	CONF_MSEC(struct lb_settings, tunnel_ms, "tunnel-timeout", "1h", 1, 2000000000,
		  "After an upgrade (WebSocket): longest silence of both sides."),
	CONF_MSEC(struct lb_settings, server_idle_ms, "server-idle", "4s", 1, 3600000,
		  "How long an idle connection to a server is kept; below the server's own limit."),
	CONF_BOOL(struct lb_settings, access_log, "access-log", "yes",
		  "One line a request, in HAProxy's httplog format, to standard output."),
	CONF_BOOL(struct lb_settings, forwarded_for, "forwarded-for", "yes",
		  "Tell servers the client's address in X-Forwarded-For."),
	CONF_NETS(
		struct lb_settings, trust, "trust", "none",
		"Proxies in front, such as a TLS terminator, whose X-Forwarded-* fields are believed: from all others "
		"X-Forwarded-*, Forwarded and the like are removed."),
};
static const struct conf_section lb_section = CONF_SINGLE(
	struct lb_settings, "lb", lb_keys, "The balancer itself.", .flags = CONF_IMPLICIT);

const struct conf_section *const conf_lb_schema[] = {
	&conf_board_section, &frontend_section,	 &stats_section,
	&lb_section,	     &conf_pool_section, &conf_server_section,
};
const size_t conf_lb_schema_n = ARRAY_LEN(conf_lb_schema);

static void build_pools(struct daemon_generation *g, struct lb_config *c,
			struct conf_errors *errors)
{
	size_t servers = conf_count(g->conf, "server");
	c->n_pools = (unsigned)conf_count(g->conf, "pool");
	if (c->n_pools > LB_POOLS_MAX)
		conf_error_at(errors, conf_loc(g->conf, "pool", LB_POOLS_MAX), NULL,
			      "more than %d pools", LB_POOLS_MAX);
	c->pools = ARENA_ARRAY(&g->arena, struct lb_pool, c->n_pools);
	for (unsigned i = 0; i < c->n_pools; i++) {
		struct lb_pool *p = &c->pools[i];
		p->conf = conf_at(g->conf, "pool", i);
		p->servers = ARENA_ARRAY(&g->arena, struct server *, servers);
		p->conf_servers = ARENA_ARRAY(&g->arena, const struct conf_server *, servers);
		for (size_t s = 0; s < servers; s++) {
			const struct conf_server *cs = conf_at(g->conf, "server", s);
			if (str_eq(cs->pool, p->conf->name))
				p->conf_servers[p->n++] = cs;
		}
		MUST(p->n <= servers);
		if (p->n > LB_SERVERS_MAX)
			conf_error_at(errors, conf_loc(g->conf, "pool", i), NULL,
				      "[pool %.*s] has %u servers, at most %d are allowed",
				      STR_ARG(p->conf->name), p->n, LB_SERVERS_MAX);
	}
}

static struct lb_pool *find_pool(const struct lb_config *c, struct str name)
{
	for (unsigned i = 0; i < c->n_pools; i++)
		if (str_eq(c->pools[i].conf->name, name))
			return &c->pools[i];
	return NULL;
}

static bool taken(const struct lb_config *c, const struct addr *a)
{
	for (unsigned i = 0; i < c->n_binds; i++)
		if (addr_eq(&c->binds[i].addr, a))
			return true;
	return false;
}

static void add_bind(struct lb_config *c, struct str text, struct lb_bind b, struct conf_loc at,
		     struct conf_errors *errors)
{
	struct err e;
	if (addr_parse(&b.addr, text, 0, &e) < 0)
		conf_error_at(errors, at, "bind", "%s", e.text);
	else if (taken(c, &b.addr))
		conf_error_at(errors, at, "bind", "%.*s is already listened on", STR_ARG(text));
	else if (c->n_binds == LB_BINDS_MAX)
		conf_error_at(errors, at, "bind", "lbd listens on at most %d addresses",
			      LB_BINDS_MAX);
	else
		c->binds[c->n_binds++] = b;
}

static size_t count_binds(struct daemon_generation *g)
{
	size_t n = 0;
	for (size_t i = 0; i < conf_count(g->conf, "frontend"); i++)
		n += ((const struct lb_frontend *)conf_at(g->conf, "frontend", i))->bind.n;
	const struct lb_stats *stats = conf_at(g->conf, "stats", 0);
	return n + (stats ? stats->bind.n : 0);
}

static void build_frontends(struct daemon_generation *g, struct lb_config *c,
			    struct conf_errors *errors)
{
	for (size_t i = 0; i < conf_count(g->conf, "frontend"); i++) {
		const struct lb_frontend *f = conf_at(g->conf, "frontend", i);
		struct lb_pool *p = find_pool(c, f->pool);
		if (!p && f->pool.n)
			conf_error_at(errors, conf_key_loc(g->conf, "frontend", i, "pool"), "pool",
				      "there is no [pool %.*s]", STR_ARG(f->pool));
		if (p && p->n == 0)
			conf_error_at(errors, conf_key_loc(g->conf, "frontend", i, "pool"), "pool",
				      "[pool %.*s] has no [server]", STR_ARG(f->pool));
		struct lb_bind bind = {.frontend = f->name, .pool = p, .proxies = &f->proxies};
		for (size_t b = 0; b < f->bind.n; b++)
			add_bind(c, f->bind.v[b], bind,
				 conf_key_loc(g->conf, "frontend", i, "bind"), errors);
	}
}

static void build_stats(struct daemon_generation *g, struct lb_config *c,
			struct conf_errors *errors)
{
	c->stats = conf_at(g->conf, "stats", 0);
	if (!c->stats)
		return;
	if (c->stats->uri.n == 0 || c->stats->uri.p[0] != '/')
		conf_error_at(errors, conf_key_loc(g->conf, "stats", 0, "uri"), "uri",
			      "must begin with /");
	if (c->stats->auth.n && str_find(c->stats->auth, ':') <= 0)
		conf_error_at(errors, conf_key_loc(g->conf, "stats", 0, "auth"), "auth",
			      "must be USER:PASSWORD");
	struct lb_bind bind = {.frontend = STR("stats"), .proxies = &c->stats->proxies};
	for (size_t b = 0; b < c->stats->bind.n; b++)
		add_bind(c, c->stats->bind.v[b], bind, conf_key_loc(g->conf, "stats", 0, "bind"),
			 errors);
}

static struct str node_name(struct daemon_generation *g)
{
	char host[128] = "greenpi";
	const struct conf_board *board = conf_own_board(g->conf, addr_is_local);
	if (board)
		return board->name;
	gethostname(host, sizeof(host) - 1);
	return arena_str(&g->arena, str_c(host));
}

void conf_build(struct daemon_generation *g, struct conf_errors *errors)
{
	struct lb_config *c = ARENA_NEW(&g->arena, struct lb_config);
	MAGIC_SET(c, LB_CONFIG_MAGIC);
	g->config = c;
	conf_check_cluster(g->conf, errors);
	c->settings = conf_at(g->conf, "lb", 0);
	MUST(c->settings); /* the section is there even if the file has none */
	c->node = node_name(g);
	c->binds = ARENA_ARRAY(&g->arena, struct lb_bind, count_binds(g));
	build_pools(g, c, errors);
	build_frontends(g, c, errors);
	build_stats(g, c, errors);
	MUST(c->n_binds <= LB_BINDS_MAX && c->n_binds <= count_binds(g));
	if (errors->n == 0 && c->n_binds == 0)
		conf_error_at(errors, conf_file(g->conf), NULL,
			      "no [frontend NAME]: lbd would listen nowhere");
}
