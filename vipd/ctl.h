// SPDX-License-Identifier: MIT
/* What vipd answers on its control socket, beside what every daemon does. */
#ifndef VIPD_CTL_H
#define VIPD_CTL_H

#include "ipc/ctl.h"

/* Run with the struct daemon as their argument; its user is the struct instances. */
extern const struct ctl_command ctl_commands[];

#endif
