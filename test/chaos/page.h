// SPDX-License-Identifier: MIT
/*
 * What clients ask for and the origin answers. A path says all of the answer: its kind, its size, its framing, how
 * long it may be stored. The body repeats a unit that names the host, the path and, where the answer is one client's
 * or one variant's, that too; so each byte of a body can be told to be the right one or not.
 *
 *	/KIND/ID/SIZE/FRAMING CACHE
 */
#ifndef CHAOS_PAGE_H
#define CHAOS_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum page_kind {
	PAGE_PUBLIC = 'p',  /* the same for all; has an ETag */
	PAGE_VARIANT = 'v', /* by the field X-Variant */
	PAGE_VERSION = 'g', /* changes with each POST; its ETag is the version */
	PAGE_ERROR = 'e',   /* of status 404, 301, 500 or 410, by its id */
	PAGE_PRIVATE = 'u', /* one client's, as no-store, private or Set-Cookie say */
	PAGE_LOGIN = 'a',   /* one client's, as the request's Authorization says */
	PAGE_COOKIE = 'b',  /* one client's, as a cookie of the bypass list says */
	PAGE_TUNNEL = 't',  /* 101 and an echo, or a private page */
};

enum page_framing { PAGE_LENGTH = 'l', PAGE_CHUNKED = 'c', PAGE_UNTIL_CLOSE = 'x' };

#define PAGE_IDS       40
#define PAGE_PATH_SIZE 64
#define PAGE_UNIT_SIZE 192
#define PAGE_HOSTS     2
#define PAGE_VARIANTS  4

struct page {
	char kind;    /* enum page_kind */
	char framing; /* enum page_framing */
	char cache;   /* index of the Cache-Control value, as a digit */
	uint8_t host; /* below PAGE_HOSTS */
	unsigned id;  /* below PAGE_IDS */
	size_t size;
};

extern const char *const page_cache_control[];
extern const unsigned page_cache_controls;
#define PAGE_NO_STORE '0' /* of page.cache */

struct page page_random(bool cached); /* cached: mostly a kind that is stored */
char *page_path(const struct page *p, char to[PAGE_PATH_SIZE]);
/* False: not such a path. The host is left alone. */
bool page_parse(struct page *p, const char *path);
unsigned page_status(const struct page *p);
/* Does the answer belong to the client that asked? */
bool page_personal(const struct page *p);

/* A body's unit. key: the request's nonce, the variant or the version, as the kind wants, or "-"; returns its length. */
size_t page_unit(const struct page *p, const char *key, char to[PAGE_UNIT_SIZE]);
/* The bytes [at, at + n) of the repeated unit. */
void page_fill(char *to, size_t n, const char *unit, size_t unit_n, uint64_t at);
/* Are they? Returns the place of the first that is not, or n. */
size_t page_compare(const char *p, size_t n, const char *unit, size_t unit_n, uint64_t at);

/* Of the pages of kind VERSION; both sides are one process. */
extern unsigned page_version[PAGE_HOSTS][PAGE_IDS];

/* ---- chance, from the seed */
void chance_seed(uint64_t seed);
uint64_t chance_next(void);
unsigned chance_below(unsigned n);
bool chance(double p);

#endif
