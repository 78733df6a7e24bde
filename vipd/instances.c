// SPDX-License-Identifier: MIT
/*
 * Two arrays: the instances of the configuration, and those that were taken out of it and are still
 * handing over. An instance that is done is freed by a timer at the start of the next turn, never
 * inside its own call.
 */
#include "instances.h"

#include <stdio.h>

#include "stats.h"

#define INSTANCES_MAGIC UINT32_C(0x5be2071d)

struct instances {
	uint32_t magic;
	struct instances_env env;
	struct instance_env each;
	struct netlink *netlink;
	struct ev_timer reap;
	struct instance *at[VIP_CONF_INSTANCES_MAX];
	struct instance *leaving[VIP_CONF_INSTANCES_MAX];
	unsigned n, n_leaving, n_done;
	struct instance *done[2 * VIP_CONF_INSTANCES_MAX];
	bool stopping;
};

static struct instances *checked(struct instances *s)
{
	MAGIC_CHECK(s, INSTANCES_MAGIC);
	return s;
}

static void remove_from(struct instance **list, unsigned *n, const struct instance *i)
{
	for (unsigned k = 0; k < *n; k++)
		if (list[k] == i)
			list[k--] = list[--*n];
}

static void on_reap(struct ev_loop *loop UNUSED, struct ev_timer *w, int revents UNUSED)
{
	struct instances *s = checked(container_of(w, struct instances, reap));
	while (s->n_done > 0)
		instance_free(s->done[--s->n_done]);
	if (s->stopping && s->n == 0 && s->n_leaving == 0)
		s->env.stopped(s->env.arg);
}

static void on_done(void *arg, struct instance *i)
{
	struct instances *s = checked(arg);
	remove_from(s->at, &s->n, i);
	remove_from(s->leaving, &s->n_leaving, i);
	MUST(s->n_done < ARRAY_LEN(s->done));
	s->done[s->n_done++] = i;
	ev_timer_start(s->env.loop, &s->reap);
}

static void on_event(void *arg, const char *text)
{
	struct instances *s = checked(arg);
	s->env.event(s->env.arg, text);
}

struct instances *instances_new(const struct instances_env *env, const struct vip_conf *conf,
				struct err *e)
{
	struct instances *s = def_xcalloc(1, sizeof(*s));
	MAGIC_SET(s, INSTANCES_MAGIC);
	s->env = *env;
	ev_timer_init(&s->reap, on_reap, 0, 0);
	s->netlink = netlink_new(env->loop, e);
	if (!s->netlink) {
		free(s);
		return NULL;
	}
	s->each = (struct instance_env){.loop = env->loop,
					.netlink = s->netlink,
					.run_dir = s->env.run_dir,
					.counters = stats_cells(env->stats, 0, 0, 0),
					.event = on_event,
					.done = on_done,
					.arg = s};
	instances_reload(s, conf);
	return s;
}

void instances_free(struct instances *s)
{
	if (!s)
		return;
	MAGIC_CHECK(s, INSTANCES_MAGIC);
	while (s->n > 0)
		instance_free(s->at[--s->n]);
	while (s->n_leaving > 0)
		instance_free(s->leaving[--s->n_leaving]);
	while (s->n_done > 0)
		instance_free(s->done[--s->n_done]);
	ev_timer_stop(s->env.loop, &s->reap);
	netlink_free(s->netlink);
	MAGIC_WIPE(s, INSTANCES_MAGIC);
	free(s);
}

static const struct vip_conf_instance *wanted(const struct vip_conf *conf, const char *name)
{
	for (unsigned k = 0; k < conf->n; k++)
		if (strcmp(conf->instances[k].name, name) == 0)
			return &conf->instances[k];
	return NULL;
}

static struct instance *running(const struct instances *s, const char *name)
{
	for (unsigned k = 0; k < s->n; k++)
		if (strcmp(instance_conf(s->at[k])->name, name) == 0)
			return s->at[k];
	return NULL;
}

/*
 * Another router under the same name: the old one ends at once, its addresses may be wanted by the
 * new one.
 */
static void take_out(struct instances *s, struct instance *i, bool planned)
{
	remove_from(s->at, &s->n, i);
	if (!planned || s->n_leaving == VIP_CONF_INSTANCES_MAX) {
		instance_free(i);
		return;
	}
	s->leaving[s->n_leaving++] = i;
	instance_stop(i);
}

static unsigned times(struct instance *const *list, unsigned n, const struct instance *i)
{
	unsigned found = 0;
	for (unsigned k = 0; k < n; k++)
		found += list[k] == i;
	return found;
}

/* Each instance stands in one list, once; no two of the configuration have one name. */
void instances_check(const struct instances *s)
{
	MAGIC_CHECK(s, INSTANCES_MAGIC);
	MUST(s->n <= ARRAY_LEN(s->at) && s->n_leaving <= ARRAY_LEN(s->leaving) &&
	     s->n_done <= ARRAY_LEN(s->done));
	for (unsigned k = 0; k < s->n; k++) {
		const struct instance *i = s->at[k];
		instance_check(i);
		MUST(running(s, instance_conf(i)->name) == i);
		MUST(times(s->at, s->n, i) == 1 && times(s->leaving, s->n_leaving, i) == 0 &&
		     times(s->done, s->n_done, i) == 0);
	}
	for (unsigned k = 0; k < s->n_leaving; k++) {
		const struct instance *i = s->leaving[k];
		instance_check(i);
		MUST(instance_state(i) == VRRP_FSM_MASTER);
		MUST(times(s->leaving, s->n_leaving, i) == 1 && times(s->done, s->n_done, i) == 0);
	}
	for (unsigned k = 0; k < s->n_done; k++)
		MUST(instance_state(s->done[k]) == VRRP_FSM_INIT &&
		     times(s->done, s->n_done, s->done[k]) == 1);
	netlink_check(s->netlink, s->n + s->n_leaving + s->n_done);
}

void instances_reload(struct instances *s, const struct vip_conf *conf)
{
	MAGIC_CHECK(s, INSTANCES_MAGIC);
	MUST(conf->n <= VIP_CONF_INSTANCES_MAX);
	for (unsigned k = s->n; k-- > 0;) {
		struct instance *i = s->at[k];
		const struct vip_conf_instance *c = wanted(conf, instance_conf(i)->name);
		if (!c)
			take_out(s, i, true);
		else if (!vip_conf_same_router(instance_conf(i), c))
			take_out(s, i, false);
	}
	for (unsigned k = 0; k < conf->n; k++) {
		struct instance *i = running(s, conf->instances[k].name);
		if (i)
			instance_change(i, &conf->instances[k]);
		else
			s->at[s->n++] = instance_new(&s->each, &conf->instances[k]);
	}
	instances_check(s);
}

void instances_stop(struct instances *s)
{
	MAGIC_CHECK(s, INSTANCES_MAGIC);
	s->stopping = true;
	for (unsigned k = s->n; k-- > 0;)
		instance_stop(s->at[k]);
	ev_timer_start(s->env.loop, &s->reap);
}

void instances_report(const struct instances *s, struct text *to, bool json)
{
	struct report r;
	MAGIC_CHECK(s, INSTANCES_MAGIC);
	report_begin(&r, to, json ? REPORT_JSON : REPORT_TEXT);
	report_object(&r, NULL);
	report_list(&r, "instances");
	for (unsigned k = 0; k < s->n; k++)
		instance_report(s->at[k], &r);
	report_close(&r);
	report_close(&r);
	report_end(&r);
}
