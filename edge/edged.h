// SPDX-License-Identifier: MIT
/* The daemon as a whole, on its main thread: the shell, the store, the index. */
#ifndef EDGE_EDGED_H
#define EDGE_EDGED_H

#include "index.h"
#include "shell.h"

#define EDGED_MAGIC 0x45444744u

struct edged {
	uint32_t magic; /* private */
	struct shell *shell;
	struct store store;
	struct index *index;
};

/* daemon_ops */
int edged_start(struct daemon *d, struct err *e);
int edged_reload(struct daemon *d, struct daemon_generation *old, struct err *e);
void edged_finish(struct daemon *d);

extern const struct ctl_command edged_commands[]; /* arg: the struct daemon */

#endif
