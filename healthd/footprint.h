// SPDX-License-Identifier: MIT
/*
 * libcurl and libmariadb bring some forty libraries, whose pages are touched once while they are
 * loaded and never again, but stay counted as ours. On a small board that is most of a daemon.
 */
#ifndef FOOTPRINT_H
#define FOOTPRINT_H

/* Lets go of code and constants; what is used comes back from the page cache by itself. Any thread. */
void footprint_shrink(void);

#endif
