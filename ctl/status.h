// SPDX-License-Identifier: MIT
/*
 * What an operator wants to see first: which daemons run, which board holds the address, which
 * servers are up, the traffic.
 */
#ifndef CTL_STATUS_H
#define CTL_STATUS_H

#include "base/def.h"

/* Measures for about a second and prints. 0: all daemons run; 1: one does not. */
int status_command(const char *run_dir, bool json);

#endif
