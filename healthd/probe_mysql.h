// SPDX-License-Identifier: MIT
/*
 * Database probes block, so each one that runs has a thread for as long as it runs: a "job", which
 * owns copies of all it needs and posts itself back to the main loop when it ends. A probe that is
 * late or freed lets go of its job, which ends by itself when the library's own time is up.
 */
#ifndef PROBE_MYSQL_H
#define PROBE_MYSQL_H

#include <ev.h>

struct probe_mysql_jobs; /* private: the jobs on their way, and their mailbox */

struct probe_mysql_jobs *probe_mysql_jobs_new(struct ev_loop *loop);
/* Aborts if the list of jobs, or a link between a job and its probe, is broken. */
void probe_mysql_jobs_check(const struct probe_mysql_jobs *jobs);
/* Waits for jobs still on their way: seconds at worst. No probe may be left. Accepts NULL. */
void probe_mysql_jobs_free(struct probe_mysql_jobs *jobs);

#endif
