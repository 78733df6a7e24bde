// SPDX-License-Identifier: MIT
/*
 * The origin: answers by the path (page.h), and at random drips, splits, cuts, resets, hangs, answers early, sends
 * interim responses, or refuses connections for a while. It never lies: whatever it answers in full is right.
 */
#ifndef CHAOS_ORIGIN_H
#define CHAOS_ORIGIN_H

#include <stdbool.h>
#include <stdint.h>

/* mark 'f': refuses at times. */
void origin_listen(uint16_t port, char mark);
/* Once a turn. calm: no faults any more. */
void origin_turn(bool calm);
void origin_print(void);

#endif
