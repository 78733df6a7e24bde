// SPDX-License-Identifier: MIT
#include "forward.h"

#define ROOM 384 /* beyond the fields themselves: cookie, what we add */

struct str forward_request(struct arena *a, const struct lb_pool *p, const struct http_head *h,
			   const struct addr *peer, bool forwarded_for)
{
	struct http_fields f;
	char text[ADDR_TEXT_SIZE];
	bool cookies = p->conf->cookie.mode == CONF_COOKIE_INSERT && p->conf->cookie.indirect;
	struct http_skip skip = {HTTP_SKIP(HTTP_F_HOST)};
	if (cookies)
		skip.ids |= HTTP_SKIP(HTTP_F_COOKIE);
	http_fields_init(&f, a, http_fields_size(h) + ROOM);
	http_fields_add_head(&f, h, skip);
	if (cookies)
		sticky_write_request(&f, &p->conf->cookie, h);
	if (forwarded_for)
		http_fields_add(&f, STR("X-Forwarded-For"), str_c(addr_format_ip(peer, text)));
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
