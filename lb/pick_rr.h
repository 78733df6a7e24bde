// SPDX-License-Identifier: MIT
/*
 * Smooth weighted round robin, pure: at each pick every candidate's credit grows by its weight; the one with most credit
 * is taken, and its credit is reduced by the sum of the weights. Equal weights give 1-2-3-4; over any sum-of-weights
 * picks in a row the shares are exact, and a heavy server is not picked in bursts.
 */
#ifndef LB_PICK_RR_H
#define LB_PICK_RR_H

#include "base/def.h"

/* So that no sum of weights overflows. */
#define PICK_RR_WEIGHT_MAX 256
#define PICK_RR_MAX	   64 /* candidates */

struct pick_rr {
	uint32_t weight; /* 0: never picked; at most PICK_RR_WEIGHT_MAX */
	int32_t credit;	 /* carried from pick to pick */
};

/* The index of the pick among those with usable[i] and a weight, or -1. At most PICK_RR_MAX. */
int pick_rr(struct pick_rr *const *all, const bool *usable, unsigned n);

#endif
