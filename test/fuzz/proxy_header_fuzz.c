// SPDX-License-Identifier: MIT
/*
 * PROXY headers: byte by byte comes to the same end as all at once; what was asked for is never more than there can
 * be; nothing behind the header counts; what was read, written in either version, is read as the same.
 */
#include "net/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_addr(const struct addr *a, const struct addr *b)
{
	return a->len == b->len && (a->len == 0 || addr_eq(a, b));
}

static void check_same(const struct proxy_header *a, const struct proxy_header *b)
{
	MUST(same_addr(&a->source, &b->source) && same_addr(&a->destination, &b->destination));
}

static void check_written(const struct proxy_header *h, unsigned version)
{
	char text[PROXY_HEADER_ROOM];
	struct proxy_header again;
	size_t n = proxy_header_write(text, version, &h->source, &h->destination);
	MUST(n <= sizeof(text));
	MUST(proxy_header_parse(&again, str_of(text, n)) == PROXY_HEADER_DONE && again.size == n);
	check_same(h, &again);
}

static void check_done(const struct proxy_header *h, struct str in)
{
	struct proxy_header alone;
	MUST(h->size > 0 && h->size <= in.n && h->size <= PROXY_HEADER_MAX && !h->error);
	MUST((h->source.len == 0) == (h->destination.len == 0));
	MUST(proxy_header_parse(&alone, str_of(in.p, h->size)) == PROXY_HEADER_DONE);
	MUST(alone.size == h->size);
	check_same(h, &alone);
	check_written(h, 1);
	check_written(h, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_of((const char *)data, size);
	struct proxy_header whole, part = {0};
	enum proxy_header_outcome end = proxy_header_parse(&whole, in), now = PROXY_HEADER_MORE;
	size_t n = 0;
	while (now == PROXY_HEADER_MORE && n < in.n) {
		now = proxy_header_parse(&part, str_of(in.p, ++n));
		if (now == PROXY_HEADER_MORE)
			MUST(part.size > n && part.size <= PROXY_HEADER_MAX);
	}
	if (in.n)
		MUST(now == end);
	switch (end) {
	case PROXY_HEADER_DONE:
		MUST(part.size == whole.size && part.size == n);
		check_same(&whole, &part);
		check_done(&whole, in);
		break;
	case PROXY_HEADER_MORE:
		MUST(whole.size > in.n && whole.size <= PROXY_HEADER_MAX);
		break;
	case PROXY_HEADER_BAD:
		MUST(whole.error && whole.error == part.error);
		MUST(whole.source.len == 0 && whole.destination.len == 0);
		break;
	}
	return 0;
}
