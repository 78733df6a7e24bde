// SPDX-License-Identifier: MIT
/*
 * Clients of no patience and bad manners, that know what each of their answers must be. They pipeline, drip, stop
 * reading, half-close, reset, leave in the middle, reuse connections and open tunnels.
 */
#ifndef CHAOS_CLIENT_H
#define CHAOS_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

/* port: that clients may connect to. */
/* mark 'c': one that answers from a cache, alone; 'p': one that wants a PROXY header. */
void client_target(uint16_t port, char mark);
/* Once a turn: keeps so many clients going; 0: those that are there may finish. */
void client_turn(unsigned want);
unsigned client_count(void);
void client_print(void);

#endif
