// SPDX-License-Identifier: MIT
/*
 * Field blocks: the fields of a head as one value, made once and handed on. A block is opaque bytes; it is built
 * with the functions below and read with http_fields_next(). It says nothing of a version or of framing: request
 * lines, status lines, Connection, Content-Length and Transfer-Encoding are a transport's business.
 *
 * The encoding is that of HTTP/1.1 field lines (RFC 9112 §5), so that its transport sends a block as it lies; other
 * code does not rely on it.
 */
#ifndef HTTP_FIELDS_H
#define HTTP_FIELDS_H

#include "base/arena.h"
#include "http/msg.h"

/* A block under construction in memory of a fixed size. An overflow sets `overflow`, it does not abort. */
struct http_fields {
	char *mem;     /* private */
	size_t cap, n; /* private */
	bool overflow; /* ro: something did not fit, and what is there must not be sent */
};

/* In cap bytes of the arena; overflow is set at once when the arena has no room. */
void http_fields_init(struct http_fields *f, struct arena *a, size_t cap);
void http_fields_init_mem(struct http_fields *f, void *mem, size_t cap);

void http_fields_add(struct http_fields *f, struct str name, struct str value);
void http_fields_add_u64(struct http_fields *f, struct str name, uint64_t value);

/* A value in parts: begin, then any number of parts, then end. */
void http_fields_begin(struct http_fields *f, struct str name);
void http_fields_part(struct http_fields *f, struct str part);
void http_fields_part_u64(struct http_fields *f, uint64_t part);
void http_fields_end(struct http_fields *f);

/* A set of known fields. */
struct http_skip {
	uint64_t ids; /* bit per enum http_field_id */
};
_Static_assert(HTTP_F_COUNT <= 64, "the skip set is one word");
#define HTTP_SKIP(id) (UINT64_C(1) << (id))

/*
 * The fields of h that may be forwarded (hop is false) and are not in the skip set. Content-Length never: a transport
 * writes it from the message's framing.
 */
void http_fields_add_head(struct http_fields *f, const struct http_head *h, struct http_skip skip);

/* Bytes that all fields of h need at most: for sizing a block. */
size_t http_fields_size(const struct http_head *h);

/* The finished block; STR_NONE after an overflow. */
struct str http_fields_block(const struct http_fields *f);

/* The next field of a block: *rest (at first the whole block) moves on. False at its end. */
bool http_fields_next(struct str *rest, struct str *name, struct str *value);

/*
 * The fields of a block as a head with ids and first[], everything else of it cleared: for lookups. Slices
 * point into the block. False when there are more than HTTP_FIELDS_MAX.
 */
bool http_fields_to_head(struct http_head *h, struct str block);

#endif
