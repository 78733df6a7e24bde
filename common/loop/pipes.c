// SPDX-License-Identifier: MIT
#include "loop/pipes.h"

#include <fcntl.h>

void pipes_init(struct pipes *p)
{
	*p = (struct pipes){.max = PIPES_MAX};
}

static void close_pair(struct pipes_pair pair)
{
	close(pair.in);
	close(pair.out);
}

void pipes_set_max(struct pipes *p, unsigned max)
{
	p->max = MIN(max, PIPES_MAX);
	while (p->n_kept && p->n_out + p->n_kept > p->max)
		close_pair(p->kept[--p->n_kept]);
}

void pipes_fini(struct pipes *p)
{
	MUST(p->n_out == 0);
	while (p->n_kept)
		close_pair(p->kept[--p->n_kept]);
}

bool pipes_get(struct pipes *p, struct pipes_pair *pair)
{
	int fds[2];
	if (p->n_out >= p->max)
		return false;
	if (p->n_kept) {
		*pair = p->kept[--p->n_kept];
	} else {
		if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0)
			return false;
		*pair = (struct pipes_pair){.in = fds[1], .out = fds[0]};
	}
	p->n_out++;
	return true;
}

void pipes_put(struct pipes *p, struct pipes_pair *pair, bool empty)
{
	MUST(p->n_out > 0 && pair->in >= 0 && pair->out >= 0);
	p->n_out--;
	if (empty && p->n_kept < PIPES_KEPT && p->n_out + p->n_kept < p->max)
		p->kept[p->n_kept++] = *pair;
	else
		close_pair(*pair);
	*pair = (struct pipes_pair){.in = -1, .out = -1};
}

void pipes_find(struct pipes *p)
{
	p->n_found = 0;
}

void pipes_found(struct pipes *p, const struct pipes_pair *pair)
{
	MUST((pair->in < 0) == (pair->out < 0));
	p->n_found += pair->in >= 0;
}

void pipes_check_found(const struct pipes *p)
{
	MUST(p->n_found == p->n_out);
}

unsigned pipes_check(const struct pipes *p)
{
	MUST(p->n_kept <= PIPES_KEPT && p->max <= PIPES_MAX);
	MUST(p->n_kept == 0 || p->n_out + p->n_kept <= p->max);
	for (unsigned i = 0; i < p->n_kept; i++)
		MUST(p->kept[i].in >= 0 && p->kept[i].out >= 0);
	return 1;
}
