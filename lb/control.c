// SPDX-License-Identifier: MIT
#include "control.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "lbd.h"
#include "stats.h"
#include "stats_page.h"

static void server_line(struct text *out, const struct server *s, const struct conf_server *conf,
			int64_t now_us)
{
	char addr[ADDR_TEXT_SIZE];
	text_printf(out, "%s/%s %s %s weight %u current %" PRIu64 " total %" PRIu64 "\n",
		    s->pool_name, s->name, addr_format(&s->addr, addr), server_status(s, now_us),
		    conf->weight, atomic_load(&s->current), atomic_load(&s->total));
}

static void server_json(struct text *out, const struct server *s, const struct conf_server *conf,
			int64_t now_us)
{
	char addr[ADDR_TEXT_SIZE];
	text_json_open(out, NULL, '{');
	text_json_str(out, "pool", str_c(s->pool_name));
	text_json_str(out, "name", str_c(s->name));
	text_json_str(out, "address", str_c(addr_format(&s->addr, addr)));
	text_json_str(out, "status", str_c(server_status(s, now_us)));
	text_json_int(out, "weight", conf->weight);
	text_json_int(out, "current", (int64_t)atomic_load(&s->current));
	text_json_int(out, "total", (int64_t)atomic_load(&s->total));
	text_json_int(out, "connect_errors", (int64_t)atomic_load(&s->connect_errors));
	text_json_close(out, '}');
}

static void cmd_servers(struct text *out, struct str args, bool json, void *arg)
{
	const struct lb_config *c = conf_of(daemon_current(arg));
	int64_t now_us = clock_now_us();
	(void)args;
	if (json)
		text_json_open(out, NULL, '[');
	for (unsigned i = 0; i < c->n_pools; i++) {
		const struct lb_pool *p = &c->pools[i];
		for (unsigned s = 0; s < p->n; s++)
			(json ? server_json : server_line)(out, p->servers[s], p->conf_servers[s],
							   now_us);
	}
	if (json)
		text_json_close(out, ']');
}

static void cmd_state(struct text *out, struct str args UNUSED, bool json, void *arg)
{
	const struct lbd *b = lbd_of(arg);
	const char *verdicts = b->health.stale ? "stale" : "fresh";
	unsigned workers = shell_workers(b->shell);
	uint64_t requests = stats_sum(shell_stats(b->shell), STAT_requests);
	if (json) {
		text_json_open(out, NULL, '{');
		text_json_int(out, "workers", workers);
		text_json_str(out, "verdicts", str_c(verdicts));
		text_json_int(out, "requests", (int64_t)requests);
		text_json_int(out, "clients", shell_clients(b->shell));
		text_json_int(out, "maxconn", shell_maxconn(b->shell));
		text_json_close(out, '}');
	} else {
		text_printf(out, "workers %u\nverdicts %s\nrequests %" PRIu64 "\n", workers,
			    verdicts, requests);
		text_printf(out, "clients %u\nmaxconn %u\n", shell_clients(b->shell),
			    shell_maxconn(b->shell));
	}
}

static void cmd_show_stat(struct text *out, struct str args, bool json, void *arg)
{
	(void)args;
	(void)json;
	stats_page_csv(out, conf_of(daemon_current(arg)), shell_stats(shell_of(arg)),
		       clock_now_us());
}

/* "POOL/NAME" to a live server, or an error line. */
static struct server *named(struct text *out, struct str args, struct daemon *d)
{
	struct str pool, rest = args;
	struct server *s = NULL;
	if (str_split(&rest, '/', &pool) && rest.p)
		s = server_find(conf_of(daemon_current(d)), pool, rest);
	if (!s)
		text_printf(out, "error: no server \"%.*s\"; wanted POOL/SERVER\n", STR_ARG(args));
	return s;
}

static void set_admin(struct text *out, struct str args, void *arg, enum server_admin admin)
{
	struct server *s = named(out, args, arg);
	if (!s)
		return;
	atomic_store(&s->admin, (uint32_t)admin);
	const char *status = server_status(s, clock_now_us());
	log_event(LOG_LEVEL_NOTICE,
		  &(struct log_fields){.event = "server_admin",
				       .server = s->name,
				       .pool = s->pool_name,
				       .status = status,
				       .reason = "operator"},
		  "server %s/%s is %s by the operator", s->pool_name, s->name, status);
	ctl_event(daemon_ctl(arg), "server %s/%s %s", s->pool_name, s->name, status);
	text_printf(out, "%s/%s %s\n", s->pool_name, s->name, status);
}

static void cmd_disable(struct text *out, struct str args, bool json, void *arg)
{
	(void)json;
	set_admin(out, args, arg, SERVER_MAINT);
}

static void cmd_drain(struct text *out, struct str args, bool json, void *arg)
{
	(void)json;
	set_admin(out, args, arg, SERVER_DRAIN);
}

static void cmd_enable(struct text *out, struct str args, bool json, void *arg)
{
	(void)json;
	set_admin(out, args, arg, SERVER_READY);
}

const struct ctl_command control_commands[] = {
	{"state", "[json]", "workers, clients, whether healthd's verdicts are fresh", false,
	 cmd_state},
	{"servers", "[json]", "every server with its status", false, cmd_servers},
	SHELL_COMMANDS,
	{"show stat", "", "statistics as HAProxy's CSV", false, cmd_show_stat},
	{"disable server", "POOL/SERVER", "send it nothing", true, cmd_disable},
	{"drain server", "POOL/SERVER", "send it no new clients; those with its cookie stay", true,
	 cmd_drain},
	{"enable server", "POOL/SERVER", "back to normal", true, cmd_enable},
	{NULL, NULL, NULL, false, NULL},
};
