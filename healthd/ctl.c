// SPDX-License-Identifier: MIT
/* What is known of every target, and a look at one right now. Changes come by `watch`. */
#include "ctl.h"

#include "checks.h"
#include "daemon.h"

static void state(struct text *reply, struct str args UNUSED, bool json, void *arg)
{
	const struct checks *s = daemon_user(arg);
	if (s)
		checks_report(s, reply, json);
}

static void probe(struct text *reply, struct str args, bool json UNUSED, void *arg)
{
	struct checks *s = daemon_user(arg);
	if (s && checks_now(s, args))
		text_add(reply, STR("done\n"));
	else
		text_printf(reply, "error: there is no target \"%.*s\"; see state\n",
			    STR_ARG(args));
}

const struct ctl_command ctl_commands[] = {
	{"state", "", "each target: state, progress, result of the last probe, since when", false,
	 state},
	{"probe", "POOL/SERVER | check/NAME", "probe it now, not when it is due", true, probe},
	{NULL, NULL, NULL, false, NULL},
};
