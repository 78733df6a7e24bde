// SPDX-License-Identifier: MIT
/*
 * A request in progress is counted in four places: in its server's atomic, and in the gauges of frontend, pool and
 * server. Several objects may share a slot of the table of counters (two servers of one name; all that found the table
 * full), so the gauges are compared by slot.
 */
#include "check.h"

#include "lb_worker.h"
#include "lbd.h"
#include "proxy.h"

#define KINDS (STATS_SERVER + 1)

struct tally {
	unsigned slots[KINDS];	  /* in use */
	uint32_t *running[KINDS]; /* by slot */
};

static void add(struct tally *t, unsigned kind, unsigned slot)
{
	MUST(slot < t->slots[kind]);
	t->running[kind][slot]++;
}

static void on_request(const struct lb_bind *b, const struct lb_pool *p, const struct server *s,
		       void *arg)
{
	struct tally *t = arg;
	add(t, STATS_FRONTEND, b->slot);
	add(t, STATS_POOL, p->live->slot);
	if (s)
		add(t, STATS_SERVER, s->slot);
}

static void check_gauges(const struct shell *s)
{
	static const unsigned gauges[KINDS] = {[STATS_FRONTEND] = FRONTEND_running,
					       [STATS_POOL] = POOL_running,
					       [STATS_SERVER] = SERVER_running};
	const struct stats *stats = shell_stats(s);
	struct tally t;
	for (unsigned kind = STATS_FRONTEND; kind < KINDS; kind++) {
		t.slots[kind] = stats_view_slots(&stats->view, kind);
		t.running[kind] = def_xcalloc(t.slots[kind], sizeof(uint32_t));
	}
	for (unsigned i = 0; i < shell_workers(s); i++)
		proxy_each(lb_worker_from(shell_worker(s, i)), on_request, &t);
	for (unsigned kind = STATS_FRONTEND; kind < KINDS; kind++) {
		for (unsigned slot = 0; slot < t.slots[kind]; slot++)
			MUST(stats_value(stats, kind, slot, gauges[kind]) == t.running[kind][slot]);
		free(t.running[kind]);
	}
}

static unsigned attempts(const struct server *server, void *arg)
{
	const struct shell *s = arg;
	unsigned n = 0;
	for (unsigned i = 0; i < shell_workers(s); i++)
		n += proxy_attempts(lb_worker_from(shell_worker(s, i)), server);
	return n;
}

unsigned check_shared(struct shell *s, bool still)
{
	const struct lbd *b = shell_user(s);
	MAGIC_CHECK(b, LBD_MAGIC);
	if (still)
		check_gauges(s);
	return server_check(b->pools, still ? attempts : NULL, s);
}
