// SPDX-License-Identifier: MIT
#include "forward.h"

#define ROOM 384 /* beyond the fields themselves: first line, cookie, what we add */

static struct str done(const struct http_writer *w)
{
	return w->overflow ? STR_NONE : http_writer_str(w);
}

struct str forward_request(struct arena *a, const struct lb_pool *p, const struct http_head *h,
			   const struct addr *peer, bool forwarded_for, const struct addr *host)
{
	struct http_writer w;
	char text[ADDR_TEXT_SIZE];
	bool cookies = p->conf->cookie.mode == CONF_COOKIE_INSERT && p->conf->cookie.indirect;
	struct http_skip skip = {HTTP_SKIP(HTTP_F_EXPECT) | HTTP_SKIP(HTTP_F_CONTENT_LENGTH)};
	if (cookies)
		skip.ids |= HTTP_SKIP(HTTP_F_COOKIE);
	http_writer_init(&w, a, http_write_size(h) + h->method_text.n + h->target.n + ROOM);
	http_write_request_line(&w, h->method_text, h->target);
	if (!http_has(h, HTTP_F_HOST))
		http_write_field(&w, STR("Host"),
				 h->authority.n ? h->authority : str_c(addr_format(host, text)));
	http_write_fields(&w, h, skip);
	if (cookies)
		sticky_write_request(&w, &p->conf->cookie, h);
	if (h->body == HTTP_BODY_LENGTH ||
	    (http_has(h, HTTP_F_CONTENT_LENGTH) && h->body == HTTP_BODY_NONE))
		http_write_field_u64(&w, STR("Content-Length"), h->length);
	else if (h->body == HTTP_BODY_CHUNKED)
		http_write_raw(&w, STR("Transfer-Encoding: chunked\r\n"));
	if (forwarded_for)
		http_write_field(&w, STR("X-Forwarded-For"), str_c(addr_format_ip(peer, text)));
	http_write_raw(&w, h->minor ? STR("Via: 1.1 lbd\r\n") : STR("Via: 1.0 lbd\r\n"));
	http_write_end(&w);
	return done(&w);
}

struct str forward_response(struct arena *a, const struct lb_pool *p, const struct http_head *h,
			    struct str cookie, struct sticky_match match, char *flag)
{
	struct http_writer w;
	struct http_skip skip = {HTTP_SKIP(HTTP_F_SET_COOKIE) | HTTP_SKIP(HTTP_F_CONTENT_LENGTH)};
	http_writer_init(
		&w, a, http_write_size(h) + h->reason.n + p->conf->cookie.name.n + cookie.n + ROOM);
	http_write_status_line(&w, h->status, h->reason);
	http_write_fields(&w, h, skip);
	/* One Content-Length in canonical form; also of a HEAD's or 304's announced length (RFC 9110 §8.6). */
	if (http_has(h, HTTP_F_CONTENT_LENGTH) && h->status >= 200 && h->status != 204)
		http_write_field_u64(&w, STR("Content-Length"), h->length);
	*flag = sticky_write_response(&w, &p->conf->cookie, h, cookie, match);
	return done(&w);
}
