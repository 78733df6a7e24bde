// SPDX-License-Identifier: MIT
/* Is a configuration file good for all four daemons? */
#ifndef CTL_CHECK_H
#define CTL_CHECK_H

/*
 * Lets each daemon's program check the file (-t) and prints every error once, however many of them
 * met it. 0: good for all; 1: errors; 2: a program could not be run.
 */
int check_command(const char *conf_path);

#endif
