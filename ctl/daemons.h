// SPDX-License-Identifier: MIT
/* The daemons of this board: their names, and where their sockets, tables and programs are. */
#ifndef CTL_DAEMONS_H
#define CTL_DAEMONS_H

#include "base/def.h"

#define DAEMONS_COUNT	  4
#define DAEMONS_PATH_SIZE 512

extern const char *const daemons_names[DAEMONS_COUNT];

bool daemons_known(const char *daemon);

/* "DIR/lbd.sock" and the like, into to; returns to. */
const char *daemons_path(const char *run_dir, const char *daemon, const char *suffix,
			 char to[DAEMONS_PATH_SIZE]);

/*
 * The program of a daemon: beside our own, in the sbin next to our bin, in PATH, or in the usual
 * sbin directories. False: nowhere.
 */
bool daemons_program(const char *daemon, char to[DAEMONS_PATH_SIZE]);

#endif
