// SPDX-License-Identifier: MIT
/*
 * Invariants across edged's workers, checked while they stand still: the references to each object, the owner of each
 * page.
 */
#ifndef EDGE_CHECK_H
#define EDGE_CHECK_H

#include "edge_worker.h"

/* shell_ops.check_shared */
unsigned check_shared(struct shell *s, bool still);

#endif
