// SPDX-License-Identifier: MIT
/*
 * Everything that is checked: each target's probe is run when it is due, its verdict published, and
 * a change of verdict logged and told. Belongs to the main loop.
 */
#ifndef CHECKS_H
#define CHECKS_H

#include "health_conf.h"
#include "ipc/stats.h"
#include "ipc/text.h"

struct checks; /* private */

struct checks_env {
	struct ev_loop *loop;
	const char *table_path; /* of health.shm; copied */
	struct stats *stats;	/* of stats_kinds, for one worker */
	/* "server edges/web1 DOWN L4CON connection refused", "check origin UP L7OK status 200" */
	void (*event)(void *arg, const char *text);
	void *arg;
};

/*
 * Begins to check what conf lists; it must live until checks_reload() or checks_free(). What the
 * table of a healthd before this one tells is kept until the first probe has its own say. NULL with
 * e set.
 */
struct checks *checks_new(const struct checks_env *env, const struct health_conf *conf,
			  struct err *e);
/* Other targets; states go on by name. -1 with e set: nothing has changed. */
int checks_reload(struct checks *s, const struct health_conf *conf, struct err *e);
void checks_free(struct checks *s); /* waits for database probes on their way; accepts NULL */

/* One line a target, or JSON. */
void checks_report(const struct checks *s, struct text *to, bool json);

/* Aborts if an invariant is broken. Between calls of the loop; also done at the end of a reload. */
void checks_check(const struct checks *s);

/* The target is probed now, not when it is due. False: there is none of that name. */
bool checks_now(struct checks *s, struct str name);

#endif
