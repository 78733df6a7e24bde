// SPDX-License-Identifier: MIT
/*
 * What is spread over edged's workers, looked at while they stand still: who refers to which object, what owns which
 * page.
 */
#ifndef EDGE_CHECK_H
#define EDGE_CHECK_H

#include "edge_worker.h"

/* shell_ops.check_shared */
unsigned check_shared(struct shell *s, bool still);

#endif
