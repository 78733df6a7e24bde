// SPDX-License-Identifier: MIT
/* The commands of lbd's control socket: state, servers, their operator states, statistics. */
#ifndef LB_CONTROL_H
#define LB_CONTROL_H

#include "ipc/ctl.h"

extern const struct ctl_command control_commands[]; /* arg: the struct daemon */

#endif
