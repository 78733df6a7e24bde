// SPDX-License-Identifier: MIT
/* Where the daemons of this board are found. */
#ifndef CTL_SITE_H
#define CTL_SITE_H

#include "base/def.h"

#define SITE_DAEMONS   4
#define SITE_PATH_SIZE 512

extern const char *const site_daemons[SITE_DAEMONS];

bool site_known(const char *daemon);

/* "DIR/lbd.sock" and the like, into to; returns to. */
const char *site_path(const char *run_dir, const char *daemon, const char *suffix,
		      char to[SITE_PATH_SIZE]);

/*
 * The program of a daemon: beside our own, in the sbin next to our bin, in PATH, or in the usual
 * sbin directories. False: nowhere.
 */
bool site_program(const char *daemon, char to[SITE_PATH_SIZE]);

#endif
