// SPDX-License-Identifier: MIT
#include "message.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

size_t message_head(const char *p, size_t n)
{
	const char *end = memmem(p, n, "\r\n\r\n", 4);
	return end ? (size_t)(end - p) + 4 : 0;
}

/* The next line that is a field of that name; NULL: there is none behind p. */
static const char *find(const char *p, const char *end, const char *name)
{
	size_t name_n = strlen(name);
	while ((p = memmem(p, (size_t)(end - p), "\r\n", 2))) {
		p += 2;
		if ((size_t)(end - p) > name_n && strncasecmp(p, name, name_n) == 0 &&
		    p[name_n] == ':')
			return p;
	}
	return NULL;
}

bool message_field(const char *head, size_t n, const char *name, char *to, size_t size)
{
	const char *end = head + n, *p = find(head, end, name);
	*to = '\0';
	if (!p)
		return false;
	p += strlen(name) + 1;
	const char *eol = memmem(p, (size_t)(end - p), "\r\n", 2);
	while (p < eol && (*p == ' ' || *p == '\t'))
		p++;
	size_t value_n = (size_t)(eol - p);
	if (value_n >= size)
		value_n = size - 1;
	memcpy(to, p, value_n);
	to[value_n] = '\0';
	return true;
}

unsigned message_count(const char *head, size_t n, const char *name)
{
	const char *end = head + n;
	unsigned count = 0;
	for (const char *p = head; (p = find(p, end, name)); count++)
		;
	return count;
}

/* ---- bodies */

enum { SIZE, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILER, TRAILER_LINE, LAST_LF };

bool message_begin(struct message_body *b, const char *head, size_t n, bool response)
{
	char value[64];
	unsigned lengths = message_count(head, n, "Content-Length");
	bool chunked = message_field(head, n, "Transfer-Encoding", value, sizeof(value));
	*b = (struct message_body){.framing = response ? MESSAGE_UNTIL_CLOSE : MESSAGE_NONE};
	if ((chunked && (lengths || strcasecmp(value, "chunked"))) || lengths > 1)
		return false;
	if (chunked)
		b->framing = MESSAGE_CHUNKED;
	if (lengths) {
		char *end;
		message_field(head, n, "Content-Length", value, sizeof(value));
		b->left = strtoull(value, &end, 10);
		b->framing = MESSAGE_LENGTH;
		if (*end || end == value)
			return false;
	}
	b->done = b->framing == MESSAGE_NONE || (b->framing == MESSAGE_LENGTH && b->left == 0);
	return true;
}

static int hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* One byte of what is around the chunks' data. */
static void chunk_byte(struct message_body *b, char c)
{
	switch (b->step) {
	case SIZE:
		if (hex(c) >= 0 && b->left < UINT64_MAX >> 8)
			b->left = b->left * 16 + (unsigned)hex(c);
		else if (c == '\r')
			b->step = SIZE_LF;
		else if (c == ';')
			b->step = EXTENSION;
		else
			b->bad = true;
		break;
	case EXTENSION:
		if (c == '\r')
			b->step = SIZE_LF;
		break;
	case SIZE_LF:
		b->bad = c != '\n';
		b->step = b->left ? DATA : TRAILER;
		break;
	case DATA_CR:
		b->bad = c != '\r';
		b->step = DATA_LF;
		break;
	case DATA_LF:
		b->bad = c != '\n';
		b->step = SIZE;
		break;
	case TRAILER:
		b->step = c == '\r' ? LAST_LF : TRAILER_LINE;
		break;
	case TRAILER_LINE:
		if (c == '\n')
			b->step = TRAILER;
		break;
	case LAST_LF:
		b->bad = c != '\n';
		b->done = true;
		break;
	}
}

static size_t take(struct message_body *b, const char *p, size_t n, const char **payload,
		   size_t *payload_n)
{
	*payload = p;
	*payload_n = n;
	b->total += n;
	return n;
}

size_t message_next(struct message_body *b, const char *p, size_t n, const char **payload,
		    size_t *payload_n)
{
	*payload_n = 0;
	if (b->done || b->bad || n == 0)
		return 0;
	if (b->framing == MESSAGE_UNTIL_CLOSE)
		return take(b, p, n, payload, payload_n);
	if (b->framing == MESSAGE_LENGTH || b->step == DATA) {
		size_t part = n < b->left ? n : (size_t)b->left;
		b->left -= part;
		if (b->left == 0 && b->framing == MESSAGE_LENGTH)
			b->done = true;
		else if (b->left == 0)
			b->step = DATA_CR;
		return take(b, p, part, payload, payload_n);
	}
	chunk_byte(b, *p);
	return 1;
}
