// SPDX-License-Identifier: MIT
/* Random numbers from the kernel. */
#ifndef BASE_RND_H
#define BASE_RND_H

#include "base/def.h"

void rnd_bytes(void *to, size_t n); /* fills or aborts */
uint64_t rnd_u64(void);

#endif
