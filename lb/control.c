// SPDX-License-Identifier: MIT
#include "control.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "ipc/report.h"
#include "lbd.h"
#include "stats.h"
#include "stats_page.h"

static void report_server(struct report *r, const struct server *s, const struct conf_server *conf,
			  const struct stats *stats, int64_t now_us)
{
	char addr[ADDR_TEXT_SIZE], path[sizeof(s->pool_name) + sizeof(s->name)];
	snprintf(path, sizeof(path), "%s/%s", s->pool_name, s->name);
	report_row(r, NULL);
	report_str(r, NULL, "%", path);
	report_str(r, "pool", "", s->pool_name);
	report_str(r, "name", "", s->name);
	report_str(r, "address", "%", addr_format(&s->addr, addr));
	report_str(r, "status", "%", server_status(s, now_us));
	report_uint(r, "weight", NULL, conf->weight);
	report_uint(r, "current", NULL, atomic_load(&s->current));
	report_uint(r, "total", NULL, stats_value(stats, STATS_SERVER, s->slot, SERVER_requests));
	report_uint(r, "connect_errors", "",
		    stats_value(stats, STATS_SERVER, s->slot, SERVER_connect_errors));
	report_close(r);
}

static void cmd_servers(struct text *out, struct str args UNUSED, bool json, void *arg)
{
	const struct lb_config *c = conf_of(daemon_current(arg));
	int64_t now_us = clock_now_us();
	struct report r;
	report_begin(&r, out, json ? REPORT_JSON : REPORT_TEXT);
	report_list(&r, NULL);
	for (unsigned i = 0; i < c->n_pools; i++) {
		const struct lb_pool *p = &c->pools[i];
		for (unsigned s = 0; s < p->n; s++)
			report_server(&r, p->servers[s], p->conf_servers[s],
				      shell_stats(shell_of(arg)), now_us);
	}
	report_close(&r);
	report_end(&r);
}

static void cmd_state(struct text *out, struct str args UNUSED, bool json, void *arg)
{
	const struct lbd *b = lbd_of(arg);
	struct report r;
	report_begin(&r, out, json ? REPORT_JSON : REPORT_TEXT);
	report_object(&r, NULL);
	report_uint(&r, "workers", NULL, shell_workers(b->shell));
	report_str(&r, "verdicts", NULL, b->health.stale ? "stale" : "fresh");
	report_uint(&r, "requests", NULL,
		    stats_value(shell_stats(b->shell), STATS_PROCESS, 0, STAT_requests));
	report_uint(&r, "clients", NULL, shell_clients(b->shell));
	report_uint(&r, "maxconn", NULL, shell_maxconn(b->shell));
	report_close(&r);
	report_end(&r);
}

static void cmd_show_stat(struct text *out, struct str args UNUSED, bool json UNUSED, void *arg)
{
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
	MUST(daemon_here(arg)); /* the one writer of admin */
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

static void cmd_disable(struct text *out, struct str args, bool json UNUSED, void *arg)
{
	set_admin(out, args, arg, SERVER_MAINT);
}

static void cmd_drain(struct text *out, struct str args, bool json UNUSED, void *arg)
{
	set_admin(out, args, arg, SERVER_DRAIN);
}

static void cmd_enable(struct text *out, struct str args, bool json UNUSED, void *arg)
{
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
