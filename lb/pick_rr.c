// SPDX-License-Identifier: MIT
#include "pick_rr.h"

int pick_rr(struct pick_rr *const *all, const bool *usable, unsigned n)
{
	int best = -1;
	int32_t sum = 0;
	MUST(n <= PICK_RR_MAX);
	for (unsigned i = 0; i < n; i++) {
		if (!usable[i] || all[i]->weight == 0)
			continue;
		all[i]->credit += (int32_t)all[i]->weight;
		sum += (int32_t)all[i]->weight;
		if (best < 0 || all[i]->credit > all[best]->credit)
			best = (int)i;
	}
	if (best >= 0)
		all[best]->credit -= sum;
	return best;
}
