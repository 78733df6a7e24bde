// SPDX-License-Identifier: MIT
/*
 * Clients that know what each response to them must be. They pipeline, drip, stop reading, half-close, reset, close in
 * the middle, reuse connections and open tunnels.
 */
#ifndef CHAOS_CLIENT_H
#define CHAOS_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

/* A port that clients may connect to. mark 'c': it answers from a cache, alone; 'p': it wants a PROXY header. */
void client_target(uint16_t port, char mark);
/* Once a turn: keeps so many clients going; 0: those that are there may finish. */
void client_turn(unsigned want);
unsigned client_count(void);
void client_print(void);

#endif
