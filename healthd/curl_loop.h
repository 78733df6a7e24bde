// SPDX-License-Identifier: MIT
/*
 * libcurl's multi interface turned by a libev loop: any number of transfers at once, no thread.
 * Belongs to the loop's thread.
 */
#ifndef CURL_LOOP_H
#define CURL_LOOP_H

#include <curl/curl.h>
#include <ev.h>

#include "base/err.h"

struct curl_loop; /* private */

/* A transfer, embedded in what it is for. */
struct curl_call {
	uint32_t magic; /* private: set while in a loop */
	CURL *easy;	/* set by the owner, and cleaned up by it, after curl_loop_remove() */
	/* From the loop, once: it has ended, and is no longer in the loop. May free the call. */
	void (*done)(struct curl_call *call, CURLcode code);
	struct curl_loop *in; /* ro: NULL while not in a loop */
};

struct curl_loop *curl_loop_new(struct ev_loop *loop, struct err *e);
void curl_loop_free(struct curl_loop *l); /* no call may be in it; accepts NULL */

/* Starts it. done() is never called from within. -1 with e set when libcurl will not have it. */
int curl_loop_add(struct curl_loop *l, struct curl_call *call, struct err *e);
void curl_loop_remove(struct curl_call *call); /* without done(); also one not in a loop */

#endif
