// SPDX-License-Identifier: MIT
#include "page.h"

#include <stdio.h>
#include <string.h>

const char *const page_cache_control[] = {
	"no-store",
	"private",
	"no-cache",
	"max-age=0",
	"max-age=1",
	"max-age=1, must-revalidate",
	"s-maxage=1, stale-while-revalidate=3",
	"max-age=60",
	"max-age=2, stale-if-error=60",
};
const unsigned page_cache_controls = sizeof(page_cache_control) / sizeof(*page_cache_control);

unsigned page_version[PAGE_HOSTS][PAGE_IDS];

/* ---- chance: splitmix64 */

static uint64_t state;

void chance_seed(uint64_t seed)
{
	state = seed;
}

uint64_t chance_next(void)
{
	uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

unsigned chance_below(unsigned n)
{
	return (unsigned)(chance_next() % n);
}

bool chance(double p)
{
	return (double)(chance_next() >> 11) * 0x1p-53 < p;
}

/* ---- paths */

struct page page_random(bool cached)
{
	static const char kinds[] = "pppvvggeuuuabt", stored[] = "pppvvgg";
	static const size_t sizes[] = {0,    1,	    7,	   100,	  1000,	  4000,	 4096,
				       9000, 16384, 40000, 70000, 150000, 300000};
	static const char framings[] = "lllccx";
	struct page p = {
		.kind = cached ? stored[chance_below(sizeof(stored) - 1)]
			       : kinds[chance_below(sizeof(kinds) - 1)],
		.framing = framings[chance_below(sizeof(framings) - 1)],
		.cache = (char)('0' + chance_below(page_cache_controls)),
		.host = (uint8_t)chance_below(PAGE_HOSTS),
		.id = chance_below(PAGE_IDS),
		.size = sizes[chance_below(sizeof(sizes) / sizeof(*sizes))],
	};
	/* A few pages are asked for often, so that requests meet. */
	if (chance(0.6)) {
		p.id %= 5;
		p.size = sizes[3 * p.id];
		p.framing = framings[p.id];
		p.cache = (char)('2' + p.id);
		p.host = 0;
	}
	return p;
}

char *page_path(const struct page *p, char to[PAGE_PATH_SIZE])
{
	snprintf(to, PAGE_PATH_SIZE, "/%c/%u/%zu/%c%c", p->kind, p->id, p->size, p->framing,
		 p->cache);
	return to;
}

bool page_parse(struct page *p, const char *path)
{
	char kind, framing, cache;
	unsigned id, n = 0;
	size_t size;
	if (sscanf(path, "/%c/%u/%zu/%c%c%n", &kind, &id, &size, &framing, &cache, (int *)&n) !=
		    5 ||
	    path[n] || !strchr("pvgeuabt", kind) || !strchr("lcx", framing) || id >= PAGE_IDS ||
	    size > 1000000 || cache < '0' || (unsigned)(cache - '0') >= page_cache_controls)
		return false;
	p->kind = kind;
	p->framing = framing;
	p->cache = cache;
	p->id = id;
	p->size = size;
	return true;
}

unsigned page_status(const struct page *p)
{
	static const unsigned errors[] = {404, 301, 500, 410};
	return p->kind == PAGE_ERROR ? errors[p->id % 4] : 200;
}

bool page_personal(const struct page *p)
{
	return strchr("uabt", p->kind);
}

/* ---- bodies */

size_t page_unit(const struct page *p, const char *key, char to[PAGE_UNIT_SIZE])
{
	char path[PAGE_PATH_SIZE];
	return (size_t)snprintf(to, PAGE_UNIT_SIZE, "h%u.test%s %s|", p->host, page_path(p, path),
				key);
}

void page_fill(char *to, size_t n, const char *unit, size_t unit_n, uint64_t at)
{
	for (size_t done = 0; done < n;) {
		size_t from = (size_t)((at + done) % unit_n);
		size_t part = unit_n - from < n - done ? unit_n - from : n - done;
		memcpy(to + done, unit + from, part);
		done += part;
	}
}

size_t page_compare(const char *p, size_t n, const char *unit, size_t unit_n, uint64_t at)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != unit[(at + i) % unit_n])
			return i;
	return n;
}
