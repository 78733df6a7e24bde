// SPDX-License-Identifier: MIT
/*
 * Bodies are taken out of their framing where they lie. With a length or until close there is nothing to move.
 * Chunked (RFC 9112 §7.1) is a small machine over bytes; the data of each chunk is moved down to meet that of
 * the one before, so the payload of one read is one slice. Bare LF, white space and anything but hex digits
 * before ";" or CRLF are refused; extensions and trailers are read over and dropped, each line within a limit.
 */
#include "http/body.h"

enum phase {
	SIZE_FIRST,
	SIZE,
	EXTENSION,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER_FIRST,
	TRAILER,
	TRAILER_LF,
	LAST_LF
};

#define LINE_LIMIT    1024 /* of a chunk-size line, and of one trailer line */
#define TRAILER_LIMIT 4096 /* of all trailers together; shares the line counter */
#define SIZE_LIMIT    (UINT64_C(1) << 52)

void http_body_init(struct http_body *b, enum http_body_kind kind, uint64_t length)
{
	*b = (struct http_body){.kind = kind};
	if (kind == HTTP_BODY_LENGTH)
		b->left = length;
	if (kind == HTTP_BODY_NONE || (kind == HTTP_BODY_LENGTH && length == 0))
		b->state = HTTP_BODY_END;
}

static void broken(struct http_body *b, const char *why)
{
	b->state = HTTP_BODY_BROKEN;
	b->broken = why;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = str_lower_char(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void size_digit(struct http_body *b, int digit)
{
	b->left = b->left * 16 + (unsigned)digit;
	b->phase = SIZE;
	if (b->left > SIZE_LIMIT)
		broken(b, "chunk size too large");
}

/* One byte of the framing between two chunks' data. */
static void framing_byte(struct http_body *b, char c)
{
	if (++b->line > (b->phase >= TRAILER_FIRST ? TRAILER_LIMIT : LINE_LIMIT)) {
		broken(b, b->phase >= TRAILER_FIRST ? "trailers too large" : "chunk line too long");
		return;
	}
	switch ((enum phase)b->phase) {
	case SIZE_FIRST:
		if (hex(c) < 0)
			broken(b, "bad chunk size");
		else
			size_digit(b, hex(c));
		break;
	case SIZE:
		if (hex(c) >= 0)
			size_digit(b, hex(c));
		else if (c == '\r')
			b->phase = SIZE_LF;
		else if (c == ';')
			b->phase = EXTENSION;
		else
			broken(b, "bad chunk size");
		break;
	case EXTENSION:
		if (c == '\r')
			b->phase = SIZE_LF;
		else if ((unsigned char)c < ' ' && c != '\t')
			broken(b, "control byte in chunk extension");
		break;
	case SIZE_LF:
		if (c != '\n')
			broken(b, "bad end of chunk size");
		b->phase = b->left ? DATA : TRAILER_FIRST;
		b->line = 0;
		break;
	case DATA_CR:
		if (c != '\r')
			broken(b, "bad end of chunk");
		b->phase = DATA_LF;
		break;
	case DATA_LF:
		if (c != '\n')
			broken(b, "bad end of chunk");
		b->phase = SIZE_FIRST;
		b->left = 0;
		b->line = 0;
		break;
	case TRAILER_FIRST:
		b->phase = c == '\r' ? LAST_LF : TRAILER;
		if (c == '\n')
			broken(b, "bare LF in trailers");
		break;
	case TRAILER:
		if (c == '\r')
			b->phase = TRAILER_LF;
		else if (c == '\n' || c == '\0')
			broken(b, "bad byte in trailers");
		break;
	case TRAILER_LF:
		if (c != '\n')
			broken(b, "bare CR in trailers");
		b->phase = TRAILER_FIRST;
		break;
	case LAST_LF:
		if (c != '\n')
			broken(b, "bad end of body");
		else
			b->state = HTTP_BODY_END;
		break;
	case DATA:
		WRONG("data is not framing");
	}
}

static void take_chunked(struct http_body *b, char *data, size_t n, size_t *payload, size_t *used)
{
	size_t in = 0, out = 0;
	while (in < n && b->state == HTTP_BODY_MORE) {
		if (b->phase != DATA) {
			framing_byte(b, data[in++]);
			continue;
		}
		size_t take = (size_t)MIN(b->left, (uint64_t)(n - in));
		if (out != in)
			memmove(data + out, data + in, take);
		in += take;
		out += take;
		b->left -= take;
		if (b->left == 0) {
			b->phase = DATA_CR;
			b->line = 0;
		}
	}
	*payload = out;
	*used = in;
}

enum http_body_state http_body_take(struct http_body *b, char *data, size_t n, size_t *payload,
				    size_t *used)
{
	*payload = *used = 0;
	if (b->state != HTTP_BODY_MORE)
		return b->state;
	switch (b->kind) {
	case HTTP_BODY_NONE:
		break;
	case HTTP_BODY_LENGTH:
		*payload = *used = (size_t)MIN(b->left, (uint64_t)n);
		b->left -= *used;
		if (b->left == 0)
			b->state = HTTP_BODY_END;
		break;
	case HTTP_BODY_CLOSE:
		*payload = *used = n;
		break;
	case HTTP_BODY_CHUNKED:
		take_chunked(b, data, n, payload, used);
		break;
	}
	return b->state;
}

uint64_t http_body_may_bypass(const struct http_body *b)
{
	if (b->state != HTTP_BODY_MORE)
		return 0;
	return b->kind == HTTP_BODY_LENGTH ? b->left : b->kind == HTTP_BODY_CLOSE ? UINT64_MAX : 0;
}

void http_body_bypass(struct http_body *b, uint64_t n)
{
	MUST(n <= http_body_may_bypass(b));
	if (b->kind != HTTP_BODY_LENGTH)
		return;
	b->left -= n;
	if (b->left == 0)
		b->state = HTTP_BODY_END;
}

enum http_body_state http_body_eof(struct http_body *b)
{
	if (b->state == HTTP_BODY_MORE && b->kind == HTTP_BODY_CLOSE)
		b->state = HTTP_BODY_END;
	else if (b->state == HTTP_BODY_MORE)
		broken(b, "connection closed inside the body");
	return b->state;
}

size_t http_body_chunk_line(char *to, uint64_t size)
{
	char digits[16];
	size_t n = 0, at = 0;
	do
		digits[n++] = "0123456789abcdef"[size & 15];
	while (size >>= 4);
	while (n)
		to[at++] = digits[--n];
	to[at++] = '\r';
	to[at++] = '\n';
	return at;
}
