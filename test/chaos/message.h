// SPDX-License-Identifier: MIT
/* HTTP heads and bodies as both sides read them: no mercy for framing. */
#ifndef CHAOS_MESSAGE_H
#define CHAOS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_HEAD_MOST 32768

/* A head that begins at p, as text: its length with the blank line; 0: not all of it is there. */
size_t message_head(const char *p, size_t n);
/* The value of a field in a head, without blanks around it; false: it is not there. The first of several. */
bool message_field(const char *head, size_t n, const char *name, char *to, size_t size);
unsigned message_count(const char *head, size_t n, const char *name);

enum message_framing { MESSAGE_NONE, MESSAGE_LENGTH, MESSAGE_CHUNKED, MESSAGE_UNTIL_CLOSE };

struct message_body {
	enum message_framing framing;
	uint64_t left;	/* LENGTH: of the body; CHUNKED: of the chunk */
	uint64_t total; /* payload seen */
	uint8_t step;	/* of CHUNKED */
	bool done, bad;
};

/* By the fields of a head. False: they contradict each other. */
bool message_begin(struct message_body *b, const char *head, size_t n, bool response);

/* The next piece of payload in p; returns how many of the n bytes are over with, payload or not. *payload_n is 0 when
 * there was none among them. */
size_t message_next(struct message_body *b, const char *p, size_t n, const char **payload,
		    size_t *payload_n);

#endif
