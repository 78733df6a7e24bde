// SPDX-License-Identifier: MIT
/* One command to one daemon's control socket, and its reply printed. */
#ifndef CTL_ASK_H
#define CTL_ASK_H

/* words: the command, n of them. 0, or 1 when there is no reply or it is an error. */
int ask_command(const char *run_dir, const char *daemon, char *const *words, int n);

#endif
