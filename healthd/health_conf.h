// SPDX-License-Identifier: MIT
/*
 * healthd's configuration: [pool] and [server] as lbd reads them too, and its own [check NAME] and
 * [health], made into one flat list of what is to be checked. Immutable once built.
 */
#ifndef HEALTH_CONF_H
#define HEALTH_CONF_H

#include "conf/reader.h"
#include "probe.h"
#include "target.h"

struct health_conf_target {
	const char *name; /* "edges/web1" or "check/origin": fits struct health_record */
	bool is_server;	  /* of a pool */
	struct probe_spec spec;
	struct target_rules rules;
};

struct health_conf {
	const struct health_conf_target *targets;
	unsigned n;
	uint32_t spread; /* percent by which the time between probes varies */
	bool log_checks;
};

extern const struct conf_section *const health_conf_schema[];
extern const size_t health_conf_schema_n;

/* Checks what holds between sections, and builds the list in the arena. */
struct health_conf *health_conf_build(const struct conf *c, struct arena *arena,
				      struct conf_errors *errors);

#endif
