// SPDX-License-Identifier: MIT
/*
 * The list of kinds, looked up by name. A misspelling is near if at most a third of it is
 * wrong, so that `server` is suggested for `sever` and nothing for `foo`.
 */
#include "conf/sections.h"

static const struct conf_kind kinds[] = {
#define KIND(kind_, named_, daemons_) {.kind = #kind_, .named = (named_), .daemons = (daemons_)},
	CONF_SECTIONS(KIND)
#undef KIND
};

const struct conf_kind *conf_kind_find(struct str kind)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (str_eq(kind, str_c(kinds[i].kind)))
			return &kinds[i];
	}
	return NULL;
}

const struct conf_kind *conf_kind_nearest(struct str kind)
{
	unsigned best = (unsigned)MIN(kind.n, 63u) / 3 + 1;
	const struct conf_kind *found = NULL;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		unsigned d = str_distance(kind, str_c(kinds[i].kind));
		if (d < best) {
			best = d;
			found = &kinds[i];
		}
	}
	return found;
}
