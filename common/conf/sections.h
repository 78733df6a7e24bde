// SPDX-License-Identifier: MIT
/*
 * Every kind of section that may stand in greenpi.conf, and which daemons read it. A daemon
 * skips what others read; a kind that no daemon reads is a misspelling, and each daemon reports
 * it.
 */
#ifndef CONF_SECTIONS_H
#define CONF_SECTIONS_H

#include "base/str.h"

/* kind, has a name, its readers */
#define CONF_SECTIONS(X)                                                                           \
	X(board, true, "lbd vipd edged healthd greenpictl")                                        \
	X(frontend, true, "lbd")                                                                   \
	X(stats, false, "lbd")                                                                     \
	X(lb, false, "lbd")                                                                        \
	X(pool, true, "lbd healthd")                                                               \
	X(server, true, "lbd healthd")                                                             \
	X(vrrp, true, "vipd")                                                                      \
	X(vip, false, "vipd")                                                                      \
	X(edge, false, "edged")                                                                    \
	X(check, true, "healthd")                                                                  \
	X(health, false, "healthd")

struct conf_kind {
	const char *kind;
	bool named; /* [server web1], or [edge] of which there is one */
	const char *daemons;
};

/* The kind of that name, or NULL. */
const struct conf_kind *conf_kind_find(struct str kind);

/* The kind with the name nearest to a misspelt one, or NULL when none is near. */
const struct conf_kind *conf_kind_nearest(struct str kind);

#endif
