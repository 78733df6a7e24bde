// SPDX-License-Identifier: MIT
/* The daemon as a whole, on its main thread: the shell, the live pools, healthd's verdicts. */
#ifndef LB_LBD_H
#define LB_LBD_H

#include "health_view.h"
#include "shell.h"

#define LBD_MAGIC 0x4c424421u

struct lbd {
	uint32_t magic; /* private */
	struct shell *shell;
	struct pools *pools;
	struct health_view_state health;
};

/* daemon_ops */
int lbd_start(struct daemon *d, struct err *e);
int lbd_reload(struct daemon *d, struct daemon_generation *old, struct err *e);
void lbd_finish(struct daemon *d);

struct lbd *lbd_of(struct daemon *d);

#endif
