// SPDX-License-Identifier: MIT
/* At start the store's memory goes into the service manager's descriptor store, where the next process finds it. */
#include "edged.h"

#include <inttypes.h>

#include "base/log.h"
#include "check.h"
#include "edge_worker.h"
#include "ipc/report.h"
#include "ipc/sd.h"

#define STORE_NAME "cache"

/* ---- shell_ops */

static void plan(const struct daemon_generation *g, struct shell_plan *p)
{
	const struct edge_config *c = conf_of(g);
	MUST(c->n_listen <= CONF_LISTEN_MAX && p->n_listen == 0);
	p->workers = c->settings->workers;
	p->maxconn = c->settings->maxconn;
	p->per_client = 1;
	p->origin = c->settings->origin_maxconn;
	p->buffers = p->maxconn + p->origin + 64;
	for (unsigned i = 0; i < c->n_listen; i++)
		p->listen[p->n_listen++] = c->listen[i];
}
_Static_assert(CONF_LISTEN_MAX <= SHELL_LISTEN_MAX, "every address finds a place");

static const struct shell_ops shell_ops = {
	.keeps = {.connections = STAT_connections,
		  .clients = STAT_clients,
		  .shed = STAT_shed,
		  .bytes_in = STAT_bytes_in,
		  .bytes_out = STAT_bytes_out,
		  .log_dropped = STAT_log_dropped},
	.worker_size = sizeof(struct edge_worker),
	.server = &edge_worker_server_ops,
	.plan = plan,
	.listener_conf = edge_worker_listener_conf,
	.init = edge_worker_init,
	.fini = edge_worker_fini,
	.apply = edge_worker_apply,
	.check = edge_worker_check,
	.check_shared = check_shared,
};

/* ---- daemon_ops */

static struct edged *edged_of(struct daemon *d)
{
	struct edged *own = shell_user(shell_of(d));
	MAGIC_CHECK(own, EDGED_MAGIC);
	MUST(daemon_here(d));
	return own;
}

static int open_store(struct edged *own, const struct edge_settings *s, struct err *e)
{
	struct err found;
	struct index_stats st;
	if (store_open(&own->store, (size_t)s->memory, sd_take_fd(STORE_NAME), &found) < 0)
		return err_set(e, "%s", found.text);
	if (!own->store.adopted) {
		sd_forget(STORE_NAME);
		sd_store(STORE_NAME, own->store.fd);
	}
	own->index = index_new(&own->store);
	index_get_stats(own->index, &st);
	log_event(LOG_LEVEL_NOTICE,
		  &(struct log_fields){.event = own->store.adopted ? "cache_kept" : "cache_new",
				       .reason = found.text},
		  "cache of %" PRIu64 " MB: %s, %" PRIu64 " objects", s->memory >> 20, found.text,
		  st.objects);
	return 0;
}

int edged_start(struct daemon *d, struct err *e)
{
	struct edged *own = def_xcalloc(1, sizeof(*own));
	MAGIC_SET(own, EDGED_MAGIC);
	own->shell = shell_open(d, &shell_ops, own, e);
	if (!own->shell || open_store(own, conf_of(daemon_current(d))->settings, e) < 0)
		return -1;
	return shell_run(own->shell, e);
}

int edged_reload(struct daemon *d, struct daemon_generation *old UNUSED, struct err *e)
{
	struct shell *s = shell_of(d);
	if (shell_prepare(s, e) < 0)
		return -1;
	shell_publish(s);
	return 0;
}

void edged_finish(struct daemon *d)
{
	struct edged *own = edged_of(d);
	shell_finish(own->shell);
	index_free(own->index);
	store_close(&own->store);
	MAGIC_WIPE(own, EDGED_MAGIC);
	free(own);
}

/* ---- the control socket */

static void cmd_state(struct text *out, struct str args UNUSED, bool json, void *arg)
{
	struct edged *own = edged_of(arg);
	struct index_stats st;
	struct report r;
	index_get_stats(own->index, &st);
	report_begin(&r, out, json ? REPORT_JSON : REPORT_TEXT);
	report_object(&r, NULL);
	report_uint(&r, "objects", NULL, st.objects);
	report_uint(&r, "bytes", NULL, (st.pages - st.pages_free) * STORE_PAGE);
	report_uint(&r, "size", NULL, st.pages * STORE_PAGE);
	report_uint(&r, "evicted", NULL, st.evicted);
	report_uint(&r, "expired", NULL, st.expired);
	report_uint(&r, "purged", NULL, st.purged);
	report_uint(&r, "clients", NULL, shell_clients(own->shell));
	report_uint(&r, "maxconn", NULL, shell_maxconn(own->shell));
	report_close(&r);
	report_end(&r);
}

static void cmd_purge(struct text *out, struct str args, bool json UNUSED, void *arg)
{
	struct edged *own = edged_of(arg);
	bool all = str_eq(args, STR("all"));
	struct str place = str_starts(args, STR("https://")) ? str_skip(args, 8) : args;
	if (!all && (str_find(place, '/') <= 0 || str_find_str(place, STR("://")) >= 0))
		text_printf(out, "error: \"%.*s\"; wanted HOST/PATH, or all\n", STR_ARG(args));
	else
		text_printf(out, "purged %u\n",
			    index_purge_prefix(own->index, all ? STR("") : args, false));
}

const struct ctl_command edged_commands[] = {
	{"state", "[json]", "objects, bytes, evictions, clients", false, cmd_state},
	SHELL_COMMANDS,
	{"purge", "HOST/PATH|all", "remove all that begins with it, or everything", true,
	 cmd_purge},
	{NULL, NULL, NULL, false, NULL},
};
