// SPDX-License-Identifier: MIT
#include "server.h"

#include "base/clock.h"

#define EJECT_AFTER    2u
#define EJECT_FIRST_US (10 * CLOCK_SECOND)
#define EJECT_MOST_US  (300 * CLOCK_SECOND)

struct pools {
	pthread_t owner;
	struct pool *first;
	unsigned count;
};

struct pools *server_pools_new(void)
{
	struct pools *p = def_xcalloc(1, sizeof(*p));
	p->owner = pthread_self();
	return p;
}

static bool is_owner(const struct pools *p)
{
	return pthread_equal(p->owner, pthread_self());
}

void server_pools_free(struct pools *p)
{
	MUST(is_owner(p));
	while (p->first) {
		struct pool *pool = p->first;
		p->first = pool->next;
		while (pool->servers) {
			struct server *s = pool->servers;
			pool->servers = s->next;
			MUST(atomic_load(&s->current) == 0);
			MAGIC_WIPE(s, SERVER_MAGIC);
			free(s);
		}
		mutex_fini(&pool->lock);
		MAGIC_WIPE(pool, POOL_MAGIC);
		free(pool);
	}
	free(p);
}

/* NULL: its id would be too large. */
static struct pool *attach_pool(struct pools *all, struct str name)
{
	for (struct pool *p = all->first; p; p = p->next)
		if (str_eq(str_c(p->name), name))
			return p;
	if (all->count == LB_POOLS_MAX)
		return NULL;
	struct pool *p = def_xcalloc(1, sizeof(*p));
	MAGIC_SET(p, POOL_MAGIC);
	MUST(str_copy(p->name, sizeof(p->name), name));
	p->id = all->count++;
	p->slot = SERVER_NO_SLOT;
	mutex_init(&p->lock);
	p->next = all->first;
	all->first = p;
	return p;
}

/* A server is its name and its address: with another address it is another server. */
static struct server *attach_server(struct pool *p, const struct conf_server *conf)
{
	struct server **at = &p->servers;
	MAGIC_CHECK(p, POOL_MAGIC);
	for (; *at; at = &(*at)->next)
		if (str_eq(str_c((*at)->name), conf->name) && addr_eq(&(*at)->addr, &conf->address))
			return *at;
	struct server *s = def_xcalloc_lines(sizeof(*s));
	MAGIC_SET(s, SERVER_MAGIC);
	MUST(str_copy(s->name, sizeof(s->name), conf->name));
	MUST(str_copy(s->pool_name, sizeof(s->pool_name), str_c(p->name)));
	s->addr = conf->address;
	s->slot = SERVER_NO_SLOT;
	atomic_store(&s->changed_s, clock_wall_s());
	*at = s;
	return s;
}

bool server_attach(struct pools *all, struct lb_config *c, struct err *e)
{
	MAGIC_CHECK(c, LB_CONFIG_MAGIC);
	MUST(is_owner(all));
	for (unsigned i = 0; i < c->n_pools; i++) {
		struct lb_pool *p = &c->pools[i];
		p->live = attach_pool(all, p->conf->name);
		if (!p->live) {
			err_set(e, "there have been %d pools by different names: restart lbd",
				LB_POOLS_MAX);
			return false;
		}
		MUST(p->live->id < LB_POOLS_MAX && p->n <= LB_SERVERS_MAX);
		for (unsigned s = 0; s < p->n; s++)
			p->servers[s] = attach_server(p->live, p->conf_servers[s]);
	}
	return true;
}

/*
 * Credit earned with other weights, or among other servers, is reset. A server that left the pool keeps its weight:
 * workers pick by the previous generation until they have applied this one. With the pool's lock held.
 */
static void apply_weights(const struct lb_pool *p)
{
	struct pool *live = p->live;
	MUST(mutex_held(&live->lock));
	bool changed = live->members != p->n;
	for (unsigned i = 0; i < p->n; i++) {
		struct server *s = p->servers[i];
		MAGIC_CHECK(s, SERVER_MAGIC);
		MUST(p->conf_servers[i]->weight <= PICK_RR_WEIGHT_MAX);
		changed |= s->round != live->round || s->rr.weight != p->conf_servers[i]->weight;
		s->rr.weight = p->conf_servers[i]->weight;
		s->round = live->round + 1;
	}
	live->round++;
	live->members = p->n;
	for (unsigned i = 0; changed && i < p->n; i++)
		p->servers[i]->rr.credit = 0;
}

void server_apply_weights(const struct lb_config *c)
{
	for (unsigned i = 0; i < c->n_pools; i++) {
		MAGIC_CHECK(c->pools[i].live, POOL_MAGIC);
		mutex_lock(&c->pools[i].live->lock);
		apply_weights(&c->pools[i]);
		mutex_unlock(&c->pools[i].live->lock);
	}
}

void server_each(const struct lb_config *c, void (*f)(struct server *s, void *arg), void *arg)
{
	MAGIC_CHECK(c, LB_CONFIG_MAGIC);
	for (unsigned i = 0; i < c->n_pools; i++) {
		for (unsigned s = 0; s < c->pools[i].n; s++) {
			MAGIC_CHECK(c->pools[i].servers[s], SERVER_MAGIC);
			f(c->pools[i].servers[s], arg);
		}
	}
}

struct server *server_find(const struct lb_config *c, struct str pool, struct str name)
{
	for (unsigned i = 0; i < c->n_pools; i++) {
		const struct lb_pool *p = &c->pools[i];
		for (unsigned s = 0; str_eq(p->conf->name, pool) && s < p->n; s++)
			if (str_eq(p->conf_servers[s]->name, name)) {
				MAGIC_CHECK(p->servers[s], SERVER_MAGIC);
				return p->servers[s];
			}
	}
	return NULL;
}

/* ---- state */

bool server_up(const struct server *s)
{
	return atomic_load_explicit(&s->health, memory_order_relaxed) != HEALTH_DOWN &&
	       atomic_load_explicit(&s->admin, memory_order_relaxed) != SERVER_MAINT;
}

bool server_ejected(const struct server *s, int64_t now_us)
{
	return atomic_load_explicit(&s->ejected_until_us, memory_order_relaxed) > now_us;
}

const char *server_status(const struct server *s, int64_t now_us)
{
	MAGIC_CHECK(s, SERVER_MAGIC);
	switch ((enum server_admin)atomic_load_explicit(&s->admin, memory_order_relaxed)) {
	case SERVER_MAINT:
		return "MAINT";
	case SERVER_DRAIN:
		return "DRAIN";
	case SERVER_READY:
		if (atomic_load_explicit(&s->health, memory_order_relaxed) == HEALTH_DOWN)
			return "DOWN";
		return server_ejected(s, now_us) ? "EJECTED" : "UP";
	}
	WRONG("an administrative state that nobody sets");
}

void server_connected(struct server *s)
{
	MAGIC_CHECK(s, SERVER_MAGIC);
	if (UNLIKELY(atomic_load_explicit(&s->failures, memory_order_relaxed) ||
		     atomic_load_explicit(&s->ejections, memory_order_relaxed))) {
		atomic_store_explicit(&s->failures, 0, memory_order_relaxed);
		atomic_store_explicit(&s->ejections, 0, memory_order_relaxed);
		atomic_store_explicit(&s->ejected_until_us, 0, memory_order_relaxed);
	}
}

bool server_failed(struct server *s, int64_t now_us)
{
	MAGIC_CHECK(s, SERVER_MAGIC);
	uint32_t failures = atomic_fetch_add_explicit(&s->failures, 1, memory_order_relaxed) + 1;
	if (failures < EJECT_AFTER || server_ejected(s, now_us))
		return false;
	uint32_t n = atomic_fetch_add_explicit(&s->ejections, 1, memory_order_relaxed);
	int64_t length = n < 5 ? EJECT_FIRST_US << n : EJECT_MOST_US;
	MUST(length >= EJECT_FIRST_US);
	atomic_store_explicit(&s->ejected_until_us, now_us + MIN(length, EJECT_MOST_US),
			      memory_order_relaxed);
	return true;
}

/* ---- choosing */

/* Usable for new clients: up, not draining, not in the avoid set; ejected ones only with ejected_too. */
static unsigned mark_usable(const struct lb_pool *p, uint64_t avoid, bool ejected_too,
			    int64_t now_us, bool *usable)
{
	unsigned n = 0;
	for (unsigned i = 0; i < p->n; i++) {
		const struct server *s = p->servers[i];
		usable[i] = server_up(s) &&
			    atomic_load_explicit(&s->admin, memory_order_relaxed) == SERVER_READY &&
			    !(avoid >> i & 1) && (ejected_too || !server_ejected(s, now_us));
		n += usable[i] && p->conf_servers[i]->weight;
	}
	return n;
}

_Static_assert(LB_SERVERS_MAX <= PICK_RR_MAX, "a pool's servers are candidates");

int server_pick(const struct lb_pool *p, uint64_t avoid, int64_t now_us)
{
	bool usable[LB_SERVERS_MAX];
	struct pick_rr *rr[LB_SERVERS_MAX];
	MAGIC_CHECK(p->live, POOL_MAGIC);
	MUST(p->n > 0 && p->n <= LB_SERVERS_MAX);
	MUST(p->n == LB_SERVERS_MAX || avoid >> p->n == 0);
	/* First those in good standing, then the ejected, then even those that have just failed this request. */
	if (!mark_usable(p, avoid, false, now_us, usable) &&
	    !mark_usable(p, avoid, true, now_us, usable) &&
	    !mark_usable(p, 0, true, now_us, usable))
		return -1;
	for (unsigned i = 0; i < p->n; i++)
		rr[i] = &p->servers[i]->rr;
	mutex_lock(&p->live->lock);
	int pick = pick_rr(rr, usable, p->n);
	mutex_unlock(&p->live->lock);
	/* -1: a newer generation gave those that are usable no weight. */
	MUST(pick < (int)p->n && (pick < 0 || usable[pick]));
	return pick;
}

struct sticky_match server_sticky(const struct lb_pool *p, const struct http_head *request,
				  int64_t now_us)
{
	struct sticky_server s[LB_SERVERS_MAX];
	if (p->conf->cookie.mode == CONF_COOKIE_NONE || !http_has(request, HTTP_F_COOKIE))
		return sticky_find(&p->conf->cookie, request, NULL, 0);
	for (unsigned i = 0; i < p->n; i++)
		s[i] = (struct sticky_server){.value = p->conf_servers[i]->cookie,
					      .usable = server_up(p->servers[i]) &&
							!server_ejected(p->servers[i], now_us)};
	return sticky_find(&p->conf->cookie, request, s, p->n);
}

static unsigned check_servers(struct pool *pool)
{
	unsigned n = 0, members = 0;
	mutex_lock(&pool->lock);
	for (const struct server *s = pool->servers; s; s = s->next, n++) {
		MAGIC_CHECK(s, SERVER_MAGIC);
		MUST(strcmp(s->pool_name, pool->name) == 0);
		MUST(s->round <= pool->round);
		MUST(atomic_load(&s->admin) <= SERVER_MAINT);
		MUST(s->rr.weight <= PICK_RR_WEIGHT_MAX);
		members += pool->round && s->round == pool->round;
	}
	MUST(members == pool->members);
	mutex_unlock(&pool->lock);
	return n;
}

unsigned server_check(const struct pools *p,
		      unsigned (*attempts)(const struct server *s, void *arg), void *arg)
{
	unsigned n = 0, pools = 0;
	MUST(p->count <= LB_POOLS_MAX);
	for (struct pool *pool = p->first; pool; pool = pool->next, pools++) {
		MAGIC_CHECK(pool, POOL_MAGIC);
		MUST(pool->id < p->count && (!pool->next || pool->next->id < pool->id));
		n += check_servers(pool);
		for (const struct server *s = pool->servers; attempts && s; s = s->next)
			MUST(attempts(s, arg) == atomic_load(&s->current));
	}
	MUST(pools == p->count);
	return n + pools;
}
