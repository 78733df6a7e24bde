// SPDX-License-Identifier: MIT
/*
 * The service manager: readiness, watchdog, and the descriptor store that carries listening sockets and the
 * cache's memory across a restart (sd_notify(3), FDSTORE=1; sd_listen_fds_with_names(3)). Main thread only. All
 * of it does nothing without a service manager.
 */
#ifndef IPC_SD_H
#define IPC_SD_H

#include "base/def.h"

void sd_ready(const char *status); /* READY=1 and a status line */
void sd_reloading(void);
void sd_stopping(void);
void sd_status(const char *fmt, ...) PRINTF_LIKE(1, 2); /* STATUS= */

/* Longest time between two calls of sd_watchdog() that the manager allows, in microseconds; 0: it does not watch. */
uint64_t sd_watchdog_us(void);
void sd_watchdog(void); /* WATCHDOG=1: the heartbeat */

/* Keeps a duplicate of fd in the manager under a name (at most 200 bytes; bytes it does not allow become '_'). */
void sd_store(const char *name, int fd);
void sd_forget(const char *name);

/*
 * Looks at what was handed over, before the process opens anything itself: else one that is said to be there and is not
 * would be taken for the next that is opened. -1 with errno: so it is, and the process cannot go on.
 */
int sd_begin(void);

/* A descriptor handed over at start under that name, or -1. Each is given once; it is close-on-exec. */
int sd_take_fd(const char *name);
/* Closes the descriptors handed over and not taken, and forgets them in the store. */
void sd_close_unclaimed(void);

#endif
