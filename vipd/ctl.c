// SPDX-License-Identifier: MIT
/*
 * One command so far: the state of each router, its master, and why it is not ours. Changes come by
 * `watch`, as "instance NAME state ...".
 */
#include "ctl.h"

#include "daemon.h"
#include "instances.h"

static void state(struct text *reply, struct str args UNUSED, bool json, void *arg)
{
	const struct instances *s = daemon_user(arg);
	if (s)
		instances_report(s, reply, json);
}

const struct ctl_command ctl_commands[] = {
	{"state", "", "each virtual router: state, priority, master", false, state},
	{NULL, NULL, NULL, false, NULL},
};
