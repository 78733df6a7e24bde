// SPDX-License-Identifier: MIT
#include "forward.h"

#include "http/forwarded.h"

/* Beyond the fields themselves and the host: the cookie, and the fields that lbd adds. */
#define ROOM (384 + HTTP_FORWARDED_ROOM)

struct str forward_request(struct arena *a, const struct lb_pool *p, const struct http_head *h,
			   const struct addr *peer, bool forwarded_for)
{
	struct http_fields f;
	bool cookies = p->conf->cookie.mode == CONF_COOKIE_INSERT && p->conf->cookie.indirect;
	struct http_skip skip = {HTTP_SKIP(HTTP_F_HOST)};
	if (cookies)
		skip.ids |= HTTP_SKIP(HTTP_F_COOKIE);
	http_fields_init(&f, a, http_fields_size(h) + h->authority.n + ROOM);
	http_fields_add_head(&f, h, skip);
	if (cookies)
		sticky_write_request(&f, &p->conf->cookie, h);
	http_forwarded_add(&f, forwarded_for ? peer : NULL,
			   http_has(h, HTTP_F_X_FORWARDED_PROTO) ? STR_NONE : STR("http"),
			   http_has(h, HTTP_F_X_FORWARDED_HOST) ? STR_NONE : h->authority);
	http_fields_add(&f, STR("Via"), h->minor ? STR("1.1 lbd") : STR("1.0 lbd"));
	return http_fields_block(&f);
}

struct str forward_response(struct arena *a, const struct lb_pool *p, const struct http_head *h,
			    struct str cookie, struct sticky_match match, char *flag)
{
	struct http_fields f;
	http_fields_init(&f, a, http_fields_size(h) + p->conf->cookie.name.n + cookie.n + ROOM);
	http_fields_add_head(&f, h, (struct http_skip){HTTP_SKIP(HTTP_F_SET_COOKIE)});
	*flag = sticky_write_response(&f, &p->conf->cookie, h, cookie, match);
	return http_fields_block(&f);
}
