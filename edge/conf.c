// SPDX-License-Identifier: MIT
#include "conf.h"

#define COOKIES                                                                                    \
	"wordpress_logged_in_ wordpress_sec_ wp-postpass_ comment_author_ wp-resetpass- "          \
	"wp_woocommerce_session_ woocommerce_items_in_cart woocommerce_cart_hash "                 \
	"edd_items_in_cart PHPSESSID"

static const struct conf_key edge_keys[] = {
	CONF_LIST(struct edge_settings, listen, "listen", ":6081", "Addresses to serve on."),
	CONF_ADDR(struct edge_settings, origin, "origin", "127.0.0.1:6080", 0,
		  "The web server behind the cache.", .flags = CONF_CONCRETE),
	CONF_SIZE(struct edge_settings, memory, "memory", "128M", 1 << 20, INT64_C(1) << 40,
		  "All of the cache's memory: a hard limit.", .flags = CONF_RESTART),
	CONF_SIZE(struct edge_settings, max_object, "max-object", "8M", 4096, INT64_C(1) << 40,
		  "Larger responses pass through and are not stored."),
	CONF_U32(struct edge_settings, workers, "workers", "0", 0, 64,
		 "Worker threads; 0: one a core.", .flags = CONF_RESTART),
	CONF_U32(
		struct edge_settings, maxconn, "maxconn", "4096", 1, 1000000,
		"Client connections held at once; more wait in the kernel's queue. Lowered, with a warning, to what the "
		"descriptor limit allows beside the connections to the origin."),
	CONF_U32(struct edge_settings, origin_maxconn, "origin-maxconn", "256", 1, 1000000,
		 "Requests to the origin at once, of all workers."),
	CONF_MSEC(struct edge_settings, default_ttl_ms, "default-ttl", "120s", 0, 2000000000,
		  "How long a response without explicit freshness is fresh."),
	CONF_MSEC(struct edge_settings, grace_ms, "grace", "10s", 0, 2000000000,
		  "After that, how long it is served while one request refreshes it."),
	CONF_MSEC(struct edge_settings, keep_ms, "keep", "24h", 0, 2000000000,
		  "How long it is kept to be validated, and to be served when the origin fails."),
	CONF_MSEC(struct edge_settings, uncacheable_ms, "uncacheable", "120s", 0, 2000000000,
		  "How long requests for a response that may not be stored are not collapsed."),
	CONF_MSEC(struct edge_settings, connect_ms, "connect-timeout", "3500ms", 1, 3600000,
		  "Longest wait for a connection to the origin."),
	CONF_MSEC(struct edge_settings, response_ms, "origin-timeout", "60s", 1, 3600000,
		  "Longest wait for the origin's response, and for more of it."),
	CONF_MSEC(struct edge_settings, origin_idle_ms, "origin-idle", "4s", 1, 3600000,
		  "How long an idle connection to the origin is kept; below its keep-alive time."),
	CONF_MSEC(struct edge_settings, request_ms, "request-timeout", "10s", 1, 3600000,
		  "From the first byte of a request to the end of its head: then 408. A PROXY "
		  "header has the same time."),
	CONF_MSEC(struct edge_settings, keepalive_ms, "keep-alive-timeout", "15s", 1, 3600000,
		  "How long a client's connection may be idle."),
	CONF_MSEC(struct edge_settings, client_ms, "client-timeout", "50s", 1, 3600000,
		  "Longest pause of a client in a body, either way."),
	CONF_MSEC(struct edge_settings, tunnel_ms, "tunnel-timeout", "1h", 1, 2000000000,
		  "After an upgrade (WebSocket): longest silence of both sides."),
	CONF_LIST(
		struct edge_settings, bypass_cookies, "bypass-cookies", COOKIES,
		"Prefixes of cookie names whose requests go to the origin; * for any. Other cookies are not forwarded "
		"with requests that may be answered from the cache."),
	CONF_LIST(struct edge_settings, purge_from, "purge-from", "127.0.0.1 ::1",
		  "IPs that may PURGE; the boards always may."),
	CONF_STR(struct edge_settings, health_path, "health-path", "/greenpi/health",
		 "Answered by edged itself with 200."),
	CONF_BOOL(struct edge_settings, forwarded_for, "forwarded-for", "yes",
		  "Tell the origin the client's address in X-Forwarded-For."),
	CONF_NETS(
		struct edge_settings, trust, "trust", NULL,
		"Balancers in front whose X-Forwarded-* fields are believed: from all others X-Forwarded-*, Forwarded and the "
		"like are removed. When not given: 127.0.0.0/8, ::1 and the boards."),
	CONF_ENUM(
		struct edge_settings, send_proxy, "send-proxy", "no", conf_send_proxy_names,
		"Begin each connection to the origin with a PROXY header of that version. It names "
		"the client of a request that passes; what fills the cache is edged's own."),
	CONF_NETS(
		struct edge_settings, proxies, "proxy-protocol", "none",
		"Balancers in front whose connections begin with a PROXY header (version 1 or 2), "
		"which names the client. Their connections have to begin with one, others must not."),
};
static const struct conf_section edge_section = CONF_SINGLE(struct edge_settings, "edge", edge_keys,
							    "The cache.", .flags = CONF_IMPLICIT);

const struct conf_section *const conf_edge_schema[] = {&conf_board_section, &edge_section};
const size_t conf_edge_schema_n = ARRAY_LEN(conf_edge_schema);

static bool taken(const struct edge_config *c, const struct addr *a)
{
	for (unsigned i = 0; i < c->n_listen; i++)
		if (addr_eq(&c->listen[i], a))
			return true;
	return false;
}

static void build_listen(struct daemon_generation *g, struct edge_config *c,
			 struct conf_errors *errors)
{
	struct conf_loc at = conf_key_loc(g->conf, "edge", 0, "listen");
	struct err e;
	if (c->settings->listen.n > CONF_LISTEN_MAX) {
		conf_error_at(errors, at, "listen", "more than %d addresses", CONF_LISTEN_MAX);
		return;
	}
	for (size_t i = 0; i < c->settings->listen.n; i++) {
		struct str text = c->settings->listen.v[i];
		if (addr_parse(&c->listen[c->n_listen], text, 0, &e) < 0)
			conf_error_at(errors, at, "listen", "%s", e.text);
		else if (taken(c, &c->listen[c->n_listen]))
			conf_error_at(errors, at, "listen", "%.*s is there twice", STR_ARG(text));
		else
			c->n_listen++;
	}
}

static void build_purge(struct daemon_generation *g, struct edge_config *c,
			struct conf_errors *errors)
{
	size_t boards = conf_count(g->conf, "board");
	struct err e;
	c->purge_from = ARENA_ARRAY(&g->arena, struct addr, boards + c->settings->purge_from.n);
	for (size_t i = 0; i < boards; i++)
		c->purge_from[c->n_purge_from++] =
			((const struct conf_board *)conf_at(g->conf, "board", i))->address;
	for (size_t i = 0; i < c->settings->purge_from.n; i++) {
		if (addr_parse_ip(&c->purge_from[c->n_purge_from], c->settings->purge_from.v[i],
				  &e) < 0)
			conf_error_at(errors, conf_key_loc(g->conf, "edge", 0, "purge-from"),
				      "purge-from", "%s", e.text);
		else
			c->n_purge_from++;
	}
}

static void build_trust(struct daemon_generation *g, struct edge_config *c)
{
	c->trust = c->settings->trust;
	if (conf_given(g->conf, "edge", 0, "trust"))
		return;
	MUST(nets_add(&c->trust, STR("127.0.0.0/8"), &g->arena, NULL) == 0);
	MUST(nets_add(&c->trust, STR("::1"), &g->arena, NULL) == 0);
	for (size_t i = 0; i < conf_count(g->conf, "board"); i++) {
		const struct conf_board *b = conf_at(g->conf, "board", i);
		if (b->address.len)
			nets_add_ip(&c->trust, &b->address, &g->arena);
	}
}

static bool is_own(const struct edge_config *c, const struct addr *a)
{
	for (unsigned i = 0; i < c->n_listen; i++) {
		const struct addr *l = &c->listen[i];
		if (addr_port(l) == addr_port(a) &&
		    (addr_eq_ip(l, a) || (addr_is_any(l) && addr_is_local(a))))
			return true;
	}
	return false;
}

/* HTTP counts in seconds; a fraction is rounded up. */
static uint32_t whole_seconds(uint32_t ms)
{
	return (uint32_t)(((uint64_t)ms + 999) / 1000);
}

void conf_build(struct daemon_generation *g, struct conf_errors *errors)
{
	struct edge_config *c = ARENA_NEW(&g->arena, struct edge_config);
	const struct edge_settings *s = conf_at(g->conf, "edge", 0);
	MAGIC_SET(c, EDGE_CONFIG_MAGIC);
	g->config = c;
	c->settings = s;
	conf_check_cluster(g->conf, errors);
	c->policy = (struct policy_conf){.default_ttl_s = whole_seconds(s->default_ttl_ms),
					 .grace_s = whole_seconds(s->grace_ms),
					 .keep_s = whole_seconds(s->keep_ms)};
	if (!str_starts(s->health_path, STR("/")))
		conf_error_at(errors, conf_key_loc(g->conf, "edge", 0, "health-path"),
			      "health-path", "must begin with /");
	build_listen(g, c, errors);
	if (is_own(c, &s->origin))
		conf_error_at(errors, conf_key_loc(g->conf, "edge", 0, "origin"), "origin",
			      "is edged's own address");
	build_purge(g, c, errors);
	build_trust(g, c);
	if (s->max_object > s->memory / 2)
		conf_error_at(errors, conf_key_loc(g->conf, "edge", 0, "max-object"), "max-object",
			      "must be at most half of memory");
}
