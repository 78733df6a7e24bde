// SPDX-License-Identifier: MIT
/*
 * What may be stored, for how long it is fresh, and what may be done with it then (RFC 9111 §3, §4). Pure: clocks
 * are arguments.
 *
 * Age counts from the Age field and our own clock of durations. Date is not compared with our wall clock: a board
 * without a battery clock has the wrong one for a while after each boot.
 */
#ifndef EDGE_POLICY_H
#define EDGE_POLICY_H

#include "cache_control.h"
#include "object.h"

struct policy_conf {
	uint32_t default_ttl_s; /* of answers that say nothing */
	uint32_t grace_s;	/* served stale while one request refreshes it */
	uint32_t keep_s;	/* kept for validation, and for when the origin fails */
};

/*
 * May this response to that request be stored? If so *f is filled. *why: a few words when not. now_us and delay_us
 * (between request and response) are durations' time, wall_s settles two-digit years of dates.
 */
bool policy_store(const struct policy_conf *c, const struct http_head *request,
		  const struct http_head *response, int64_t now_us, int64_t delay_us,
		  int64_t wall_s, struct freshness *f, const char **why);

enum policy_use {
	POLICY_FRESH,
	POLICY_GRACE,	 /* stale: may be served while it is refreshed */
	POLICY_VALIDATE, /* must be validated first */
};
enum policy_use policy_use(const struct freshness *f, int64_t now_us);

/* The origin failed: may it be served stale (RFC 5861 §4)? */
bool policy_use_on_error(const struct freshness *f, int64_t now_us);

int64_t policy_age_s(const struct freshness *f, int64_t now_us);
/* Of what a failed origin says: keep what we have instead. */
bool policy_is_failure(unsigned status);

#endif
