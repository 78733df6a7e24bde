// SPDX-License-Identifier: MIT
/*
 * A parsed HTTP/1.x head as slices into the buffer it was read into. The slices live as long as that buffer's
 * bytes stay in place; nothing here owns memory.
 */
#ifndef HTTP_MSG_H
#define HTTP_MSG_H

#include "base/str.h"
#include "http/tbl.h"

#define HTTP_UPGRADE_MAX 64  /* bytes of a protocol's name */
#define HTTP_FIELDS_MAX	 100 /* Apache's limit too: the origin accepts what passes here */

enum http_method {
	HTTP_OTHER,
#define X(name, safe, idempotent) HTTP_##name,
	HTTP_METHODS(X)
#undef X
};

enum http_field_id {
	HTTP_F_UNKNOWN,
#define X(id, name, hop) HTTP_F_##id,
	HTTP_FIELDS(X)
#undef X
		HTTP_F_COUNT
};

struct http_field {
	struct str name;  /* as it was sent */
	struct str value; /* without surrounding white space */
	uint8_t id;	  /* enum http_field_id */
	bool hop; /* of this connection only: by its name, or because Connection named it; never forward */
};

/* How the end of the body is known (RFC 9112 §6.3). */
enum http_body_kind {
	HTTP_BODY_NONE,	  /* there is none */
	HTTP_BODY_LENGTH, /* Content-Length */
	HTTP_BODY_CHUNKED,
	HTTP_BODY_CLOSE, /* responses only: until the connection ends */
};

struct http_head {
	/* requests */
	enum http_method method;
	struct str method_text;
	/* Origin-form "/path?query", or "*": absolute-form has been split. */
	struct str target;
	/* Host, or the authority of an absolute-form target; "" in HTTP/1.0 without Host. */
	struct str authority;
	/* responses */
	uint16_t status;
	struct str reason;
	/* both */
	uint8_t minor; /* HTTP/1.minor, 0 or 1 */
	bool close;    /* the sender closes this connection (RFC 9112 §9.3) */
	bool upgrade;  /* Connection: upgrade and an Upgrade field are there */
	bool expect_continue;
	enum http_body_kind body;
	/* With HTTP_BODY_LENGTH; of a response to HEAD the announced length, with body NONE. */
	uint64_t length;
	uint32_t size;		     /* bytes of the head, its blank line included */
	uint16_t count;		     /* of fields */
	uint8_t first[HTTP_F_COUNT]; /* 1 + index of the first field of that id, or 0 */
	struct http_field fields[HTTP_FIELDS_MAX];
};

const char *http_reason(unsigned status); /* "Not Found"; "Unknown" for codes not in the table */
struct str http_method_name(enum http_method m); /* "" for HTTP_OTHER */
bool http_method_safe(enum http_method m);
bool http_method_idempotent(enum http_method m);
enum http_method http_method_of(struct str text);
enum http_field_id http_field_of(struct str name); /* a token; case-insensitive */
struct str http_field_name(enum http_field_id id);
bool http_field_is_hop(enum http_field_id id); /* of one connection only, by its name */

/* Makes h->first anew, after fields were taken out. */
void http_index(struct http_head *h);

static inline bool http_has(const struct http_head *h, enum http_field_id id)
{
	return h->first[id] != 0;
}

/* Value of the first field of that id; STR_NONE when absent. */
static inline struct str http_get(const struct http_head *h, enum http_field_id id)
{
	return h->first[id] ? h->fields[h->first[id] - 1].value : STR_NONE;
}

/* The length that was announced, whether or not a body follows; HTTP_NO_LENGTH when none was. A body with a length has
 * it by its kind: not every transport has a Content-Length field for that. */
#define HTTP_NO_LENGTH UINT64_MAX
static inline uint64_t http_announced_length(const struct http_head *h)
{
	bool announced = h->body == HTTP_BODY_LENGTH || http_has(h, HTTP_F_CONTENT_LENGTH);
	return announced ? h->length : HTTP_NO_LENGTH;
}

/*
 * The protocol that a request asks to switch to, when that can be left to the next server: one name, asked for by
 * HTTP/1.1 in a GET without body, and no version of HTTP or TLS, which would change the protocol of this connection itself. Else STR_NONE.
 */
struct str http_upgrade_of(const struct http_head *h);

/* The next field of that id at or after index *i (start with 0), NULL when there is no more; *i moves on. */
const struct http_field *http_next(const struct http_head *h, enum http_field_id id, unsigned *i);

/* First field of that name, case-insensitive; NULL when absent. For names outside the table. */
const struct http_field *http_find(const struct http_head *h, struct str name);

#endif
