// SPDX-License-Identifier: MIT
/*
 * The service manager: readiness, watchdog, and the descriptor store that carries listening sockets and the
 * cache's memory across a restart (sd_notify(3), FDSTORE=1; sd_listen_fds_with_names(3)). Main thread only. All
 * of it does nothing when no service manager is there.
 */
#ifndef IPC_SD_H
#define IPC_SD_H

#include "base/def.h"

void sd_ready(const char *status); /* READY=1 and a status line */
void sd_reloading(void);
void sd_stopping(void);
void sd_say(const char *fmt, ...) PRINTF_LIKE(1, 2); /* STATUS= */

/* Microseconds between the signs of life the manager wants; 0: none. */
uint64_t sd_watchdog_us(void);
void sd_alive(void);

/* Keeps a duplicate of fd in the manager under a name (at most 200 bytes; bytes it does not allow become '_'). */
void sd_store(const char *name, int fd);
void sd_forget(const char *name);

/* A descriptor handed over at start under that name, or -1. Each is given once; it is close-on-exec. */
int sd_take(const char *name);
/* Closes what was handed over and nobody took, and forgets it in the store. */
void sd_close_rest(void);

#endif
