// SPDX-License-Identifier: MIT
/* All daemons' events as they come, one a line with time and daemon, until interrupted. */
#ifndef CTL_EVENTS_H
#define CTL_EVENTS_H

int events_command(const char *run_dir);

#endif
