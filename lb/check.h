// SPDX-License-Identifier: MIT
/* Invariants across lbd's workers, checked while they stand still: what counts requests, against the requests there are. */
#ifndef LB_CHECK_H
#define LB_CHECK_H

#include "shell.h"

/* shell_ops.check_shared */
unsigned check_shared(struct shell *s, bool still);

#endif
