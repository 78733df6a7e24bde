// SPDX-License-Identifier: MIT
/*
 * Building heads: lines appended to a fixed block, canonical in form. An overflow is remembered, not an abort.
 */
#ifndef HTTP_WRITE_H
#define HTTP_WRITE_H

#include "base/arena.h"
#include "http/msg.h"

struct http_writer {
	char *mem; /* ro */
	size_t cap, n;
	bool overflow; /* ro: something did not fit; what is there must not be sent */
};

/* Writes into cap bytes of the arena; overflow is set at once when the arena has no room. */
void http_writer_init(struct http_writer *w, struct arena *a, size_t cap);
void http_writer_init_mem(struct http_writer *w, void *mem, size_t cap);

void http_write_raw(struct http_writer *w, struct str s);
void http_write_u64(struct http_writer *w, uint64_t v);
void http_write_request_line(struct http_writer *w, struct str method,
			     struct str target); /* HTTP/1.1 */
void http_write_status_line(struct http_writer *w, unsigned status,
			    struct str reason); /* reason "": the table's */
void http_write_field(struct http_writer *w, struct str name, struct str value);
void http_write_field_u64(struct http_writer *w, struct str name, uint64_t value);
void http_write_end(struct http_writer *w); /* the blank line */

/*
 * Bytes that forwarding every end-to-end field of h can need at most: for sizing a writer.
 */
size_t http_write_size(const struct http_head *h);

/* Appends the fields of h that may be forwarded (hop is false) and whose id is not in the skip set. */
struct http_skip {
	uint64_t ids; /* bit per enum http_field_id */
};
_Static_assert(HTTP_F_COUNT <= 64, "the skip set is one word");
#define HTTP_SKIP(id) (UINT64_C(1) << (id))
void http_write_fields(struct http_writer *w, const struct http_head *h, struct http_skip skip);

static inline struct str http_writer_str(const struct http_writer *w)
{
	return str_of(w->mem, w->n);
}

#endif
