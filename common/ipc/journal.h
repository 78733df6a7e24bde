// SPDX-License-Identifier: MIT
/* State changes for the journal, with their fields, so that programs need not read sentences (sd_journal_send(3)). */
#ifndef IPC_JOURNAL_H
#define IPC_JOURNAL_H

#include "base/log.h"

/* Is standard error connected to the journal? $JOURNAL_STREAM says to which file it is (systemd.exec(5)). */
bool journal_is_stderr(void);

/*
 * A log_sink: MESSAGE, PRIORITY, and the fields that were given; SYSLOG_IDENTIFIER is the program's name. False when
 * the journal did not take it. Waits while the journal's queue is full.
 */
bool journal_take(const struct log_message *m);

#endif
