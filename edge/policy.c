// SPDX-License-Identifier: MIT
#include "policy.h"

#include "base/clock.h"
#include "http/date.h"

#define HEURISTIC_MAX_S (24 * 3600)
#define NOT_FOUND_TTL_S 30
#define LIFETIME_MAX_S	INT64_C(2147483647)

/* Statuses that may be stored without explicit freshness (RFC 9110 §15.1), less those of partial content. */
static bool heuristically_cacheable(unsigned status)
{
	switch (status) {
	case 200:
	case 203:
	case 204:
	case 300:
	case 301:
	case 308:
	case 404:
	case 405:
	case 410:
	case 414:
	case 501:
		return true;
	default:
		return false;
	}
}

static bool date_of(const struct http_head *h, enum http_field_id id, int64_t wall_s, int64_t *date)
{
	return http_has(h, id) && http_date_parse(http_get(h, id), wall_s, date);
}

/* Expires - Date; anything that is no date, and a second Expires, has expired (§5.3). */
static int64_t by_expires(const struct http_head *h, int64_t wall_s)
{
	int64_t expires, date = wall_s;
	unsigned i = 0;
	http_next(h, HTTP_F_EXPIRES, &i);
	if (http_next(h, HTTP_F_EXPIRES, &i) || !date_of(h, HTTP_F_EXPIRES, wall_s, &expires))
		return 0;
	date_of(h, HTTP_F_DATE, wall_s, &date);
	return MAX(expires - date, 0);
}

/* Without explicit freshness: a tenth of the time since it last changed (§4.2.2), else the configured default. Errors
 * get none, but for a short one of 404 and 410. */
static int64_t by_heuristic(const struct policy_conf *c, const struct http_head *h, int64_t wall_s)
{
	int64_t modified, date = wall_s;
	date_of(h, HTTP_F_DATE, wall_s, &date);
	if (h->status == 404 || h->status == 410)
		return MIN((int64_t)c->default_ttl_s, NOT_FOUND_TTL_S);
	if (h->status >= 400)
		return 0;
	if (date_of(h, HTTP_F_LAST_MODIFIED, wall_s, &modified) && modified < date)
		return MIN((date - modified) / 10, HEURISTIC_MAX_S);
	return c->default_ttl_s;
}

static bool is_explicit(const struct http_head *h, const struct cache_control *cc)
{
	return cc->s_maxage >= 0 || cc->max_age >= 0 || http_has(h, HTTP_F_EXPIRES);
}

static int64_t lifetime(const struct policy_conf *c, const struct http_head *h,
			const struct cache_control *cc, int64_t wall_s)
{
	int64_t s = cc->s_maxage >= 0		  ? cc->s_maxage
		    : cc->max_age >= 0		  ? cc->max_age
		    : http_has(h, HTTP_F_EXPIRES) ? by_expires(h, wall_s)
						  : by_heuristic(c, h, wall_s);
	return MIN(s, LIFETIME_MAX_S);
}

/* On everything, or on a field that edged adds for each client. */
static bool varies_on_all(const struct http_head *h)
{
	const struct http_field *f;
	for (unsigned i = 0; (f = http_next(h, HTTP_F_VARY, &i));) {
		struct str rest = f->value, name;
		while (str_list_next(&rest, &name))
			if (str_eq(name, STR("*")) || str_eq_nocase(name, STR("x-forwarded-for")))
				return true;
	}
	return false;
}

static bool has_validator(const struct http_head *h)
{
	return http_has(h, HTTP_F_ETAG) || http_has(h, HTTP_F_LAST_MODIFIED);
}

/* The reason not to store, or NULL. */
static const char *reason_not_stored(const struct http_head *request, const struct http_head *h,
				     const struct cache_control *cc, int64_t life_s)
{
	if (h->status < 200 || h->status == 206 || h->status == 304)
		return "status";
	if (cc->no_store)
		return "no-store";
	if (cc->is_private)
		return "private";
	if (http_has(h, HTTP_F_SET_COOKIE))
		return "Set-Cookie";
	if (varies_on_all(h))
		return "Vary";
	if (http_has(request, HTTP_F_AUTHORIZATION) && !cc->is_public && !cc->must_revalidate &&
	    cc->s_maxage < 0)
		return "Authorization";
	if (h->body == HTTP_BODY_CLOSE)
		return "no certain end";
	if (!is_explicit(h, cc) && !cc->is_public && !heuristically_cacheable(h->status))
		return "status without freshness";
	if ((life_s == 0 || cc->no_cache) && !has_validator(h))
		return "no freshness and no validator";
	return NULL;
}

/* The Age field: the first value; what is no number is ignored (§5.1). */
static int64_t age_field(const struct http_head *h)
{
	struct str rest = http_get(h, HTTP_F_AGE), first;
	uint64_t v;
	if (!str_list_next(&rest, &first) || !str_to_u64(first, UINT64_MAX, &v))
		return 0;
	return (int64_t)MIN(v, (uint64_t)LIFETIME_MAX_S);
}

static uint32_t window(int64_t given, uint32_t ours)
{
	return given >= 0 ? (uint32_t)MIN(given, LIFETIME_MAX_S) : ours;
}

bool policy_store(const struct policy_conf *c, const struct http_head *request,
		  const struct http_head *response, int64_t now_us, int64_t delay_us,
		  int64_t wall_s, struct freshness *f, const char **why)
{
	struct cache_control cc = cache_control_read(response);
	int64_t life_s = lifetime(c, response, &cc, wall_s);
	*why = reason_not_stored(request, response, &cc, life_s);
	if (*why)
		return false;
	/* s-maxage has proxy-revalidate in it (§5.2.2.10). */
	bool strict = cc.must_revalidate || cc.proxy_revalidate || cc.s_maxage >= 0;
	*f = (struct freshness){
		.received_us = now_us,
		.age_s = (uint32_t)MIN(age_field(response) + delay_us / CLOCK_SECOND,
				       LIFETIME_MAX_S),
		.lifetime_s = (uint32_t)life_s,
		.grace_s = strict ? 0 : window(cc.stale_while_revalidate, c->grace_s),
		.keep_s = strict ? c->keep_s : window(cc.stale_if_error, c->keep_s)};
	f->flags = (uint8_t)((strict ? STORE_MUST_REVALIDATE : 0) |
			     (cc.no_cache ? STORE_NO_CACHE : 0));
	return true;
}

int64_t policy_age_s(const struct freshness *f, int64_t now_us)
{
	return f->age_s + MAX(now_us - f->received_us, 0) / CLOCK_SECOND;
}

enum policy_use policy_use(const struct freshness *f, int64_t now_us)
{
	int64_t age = policy_age_s(f, now_us);
	if (f->flags & STORE_NO_CACHE)
		return POLICY_VALIDATE;
	if (age < f->lifetime_s)
		return POLICY_FRESH;
	if (!(f->flags & STORE_MUST_REVALIDATE) && age < (int64_t)f->lifetime_s + f->grace_s)
		return POLICY_GRACE;
	return POLICY_VALIDATE;
}

bool policy_use_on_error(const struct freshness *f, int64_t now_us)
{
	if (f->flags & (STORE_MUST_REVALIDATE | STORE_NO_CACHE))
		return false;
	return policy_age_s(f, now_us) <= (int64_t)f->lifetime_s + f->keep_s;
}

bool policy_is_failure(unsigned status)
{
	return status == 500 || status == 502 || status == 503 || status == 504;
}
