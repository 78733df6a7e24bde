// SPDX-License-Identifier: MIT
/* healthd's commands on its control socket; common/ipc/ctl.h has the contract. */
#ifndef HEALTHD_CTL_H
#define HEALTHD_CTL_H

#include "ipc/ctl.h"

/* Run with the struct daemon as their argument; its user is the struct checks. */
extern const struct ctl_command ctl_commands[];

#endif
