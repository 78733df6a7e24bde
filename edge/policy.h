// SPDX-License-Identifier: MIT
/*
 * What may be stored, how long it is fresh, and how it may be used after that (RFC 9111 §3, §4). Pure: clocks are
 * arguments.
 *
 * The age is the Age field plus time by the monotonic clock. Date is not compared with the wall clock: that of a board
 * without a battery clock is wrong for a while after each boot.
 */
#ifndef EDGE_POLICY_H
#define EDGE_POLICY_H

#include "cache_control.h"
#include "object.h"

struct policy_conf {
	uint32_t default_ttl_s; /* of responses without explicit freshness */
	uint32_t grace_s;	/* served stale while one request refreshes it */
	uint32_t keep_s;	/* kept for validation, and for when the origin fails */
};

/*
 * May this response to that request be stored? If so *f is filled. If not, *why is the reason in a few words. now_us and delay_us
 * (between request and response) are of the monotonic clock; wall_s is for two-digit years of dates.
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
/* Statuses of a failing origin: a stale response is preferred to them. */
bool policy_is_failure(unsigned status);

#endif
