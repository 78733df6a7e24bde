// SPDX-License-Identifier: MIT
/*
 * A server is checked as its pool says. A [check] has the same keys of its own, and may ask a
 * database too. Servers come first, in file order, then the checks.
 */
#include "health_conf.h"

#include "conf/cluster.h"

/* ---- [check NAME] */

struct probe_value { /* probe = http GET / */
	enum probe_kind kind;
	struct str method, path, query;
};

struct check {
	struct str name;
	struct probe_value probe;
	struct addr address;
	struct conf_expect expect;
	struct str user, password, database;
	unsigned send_proxy;
	uint32_t inter_ms, fastinter_ms, downinter_ms, timeout_ms, rise, fall;
};

#define PROBE_SYNTAX "tcp | http METHOD PATH | mysql QUERY"

/* tcp and http are read by the reader of the pools' key, which knows `none` besides. */
static int parse_probe(void *field, struct str text, struct arena *arena, struct err *e)
{
	struct probe_value *v = field;
	struct conf_check check;
	struct str rest = text, kind;
	conf_word(&rest, &kind);
	if (str_eq(kind, STR("mysql"))) {
		if (str_trim(rest).n == 0)
			return err_set(e, "mysql takes a query, such as mysql SELECT 1");
		*v = (struct probe_value){.kind = PROBE_mysql,
					  .query = arena_str(arena, str_trim(rest))};
		return 0;
	}
	if (!str_eq(kind, STR("tcp")) && !str_eq(kind, STR("http")))
		return err_set(e, "not a probe, allowed: " PROBE_SYNTAX);
	if (conf_parse_check(&check, text, arena, e) < 0)
		return -1;
	*v = (struct probe_value){.kind = check.kind == CONF_CHECK_HTTP ? PROBE_http : PROBE_tcp,
				  .method = check.method,
				  .path = check.path};
	return 0;
}

#define MINUTE 60000
#define HOUR   3600000

static const struct conf_key check_keys[] = {
	CONF_FUNC(struct check, probe, struct probe_value, "probe", NULL, parse_probe, PROBE_SYNTAX,
		  "What is asked: a connection, a request, or a login and a query that, if it "
		  "selects, must give a row.",
		  .flags = CONF_REQUIRED),
	CONF_ADDR(struct check, address, "address", NULL, 0, "Where it listens.",
		  .flags = CONF_REQUIRED | CONF_CONCRETE),
	CONF_FUNC(struct check, expect, struct conf_expect, "expect", "200-399", conf_parse_expect,
		  "STATUS | STATUS-STATUS", "Statuses that make an http probe good."),
	CONF_ENUM(
		struct check, send_proxy, "send-proxy", "no", conf_send_proxy_names,
		"Begin a tcp or http probe with a PROXY header of that version, for what insists on "
		"one."),
	CONF_STR(struct check, user, "user", NULL, "The database user to log in as.", .hi = 80,
		 .syntax = "NAME"),
	CONF_STR(struct check, password, "password", NULL, "The password to it.",
		 .flags = CONF_SECRET),
	CONF_STR(struct check, database, "database", NULL, "The database to use, if any.", .hi = 64,
		 .syntax = "NAME"),
	CONF_MSEC(struct check, inter_ms, "inter", "2s", 10, HOUR,
		  "From the end of a probe to the next."),
	CONF_MSEC(struct check, fastinter_ms, "fastinter", NULL, 10, HOUR,
		  "The same on the way up or down; 250ms, or inter if that is less."),
	CONF_MSEC(struct check, downinter_ms, "downinter", NULL, 10, HOUR,
		  "The same while down; as inter."),
	CONF_MSEC(struct check, timeout_ms, "timeout", "1s", 1, 5 * MINUTE,
		  "Longest probe before it counts as failed."),
	CONF_U32(struct check, rise, "rise", "2", 1, 1000,
		 "Good probes in a row that bring it up."),
	CONF_U32(struct check, fall, "fall", "3", 1, 1000,
		 "Failed probes in a row that take it down."),
};

static int finish_check(void *section, struct arena *arena UNUSED, struct err *e)
{
	struct check *c = section;
	bool login = c->user.n > 0 || c->password.n > 0 || c->database.n > 0;
	if (c->fastinter_ms == 0)
		c->fastinter_ms = MIN(250u, c->inter_ms);
	if (c->downinter_ms == 0)
		c->downinter_ms = c->inter_ms;
	if (c->probe.kind == PROBE_mysql && c->user.n == 0)
		return err_set(e, "a mysql probe needs a user");
	if (c->probe.kind == PROBE_mysql && c->send_proxy)
		return err_set(e, "send-proxy goes with a tcp or http probe only");
	if (c->probe.kind != PROBE_mysql && login)
		return err_set(e, "user, password and database go with a mysql probe only");
	return 0;
}

static const struct conf_section check_section = CONF_NAMED(
	struct check, "check", check_keys,
	"Something on or near this board that is watched beside the servers.",
	.finish = finish_check);

/* ---- [health] */

struct health {
	uint32_t spread;
	bool log_checks;
};

static const struct conf_key health_keys[] = {
	CONF_U32(struct health, spread, "spread", "5", 0, 50,
		 "Percent by which the time between probes varies, so that boards do not probe in "
		 "step."),
	CONF_BOOL(struct health, log_checks, "log-checks", "no",
		  "Log each probe with another result than the one before, not changes of state "
		  "only."),
};

static const struct conf_section health_section = CONF_SINGLE(
	struct health, "health", health_keys, "The checks as a whole.", .flags = CONF_IMPLICIT);

const struct conf_section *const health_conf_schema[] = {&conf_pool_section, &conf_server_section,
							 &check_section, &health_section};
const size_t health_conf_schema_n = ARRAY_LEN(health_conf_schema);

/* ---- building */

struct build {
	const struct conf *conf;
	struct arena *arena;
	struct conf_errors *errors;
	struct health_conf_target *targets;
	unsigned n, room;
};

/* A target called GROUP/NAME, or NULL after an error at the section's header. */
static struct health_conf_target *add(struct build *b, struct str group, struct str name,
				      struct conf_loc at)
{
	struct str full = arena_printf(b->arena, "%.*s/%.*s", STR_ARG(group), STR_ARG(name));
	struct health_conf_target *t;
	if (full.n >= sizeof(((struct health_record *)NULL)->name)) {
		conf_error_at(b->errors, at, NULL, "\"%.*s\" is longer than 63 bytes",
			      STR_ARG(full));
		return NULL;
	}
	if (b->n == HEALTH_MAX) {
		conf_error_at(b->errors, at, NULL, "more than %d things to check", HEALTH_MAX);
		return NULL;
	}
	MUST(b->n < b->room);
	t = &b->targets[b->n++];
	t->name = full.p;
	return t;
}

static void add_server(struct build *b, size_t i)
{
	const struct conf_server *s = conf_at(b->conf, "server", i);
	const struct conf_pool *p = conf_find(b->conf, "pool", s->pool);
	struct health_conf_target *t;
	if (!p || p->check.kind == CONF_CHECK_NONE)
		return;
	t = add(b, p->name, s->name, conf_loc(b->conf, "server", i));
	if (!t)
		return;
	t->is_server = true;
	t->spec = (struct probe_spec){
		.kind = p->check.kind == CONF_CHECK_HTTP ? PROBE_http : PROBE_tcp,
		.address = s->address,
		.timeout_ms = p->check_timeout_ms,
		.send_proxy = p->send_proxy,
		.method = p->check.method,
		.path = p->check.path,
		.status_lo = p->expect.lo,
		.status_hi = p->expect.hi,
	};
	t->rules = (struct target_rules){
		.inter_ms = p->inter_ms,
		.fastinter_ms = p->fastinter_ms,
		.downinter_ms = p->downinter_ms,
		.rise = p->rise,
		.fall = p->fall,
	};
}

static void add_check(struct build *b, size_t i)
{
	const struct check *c = conf_at(b->conf, "check", i);
	struct health_conf_target *t = add(b, STR("check"), c->name, conf_loc(b->conf, "check", i));
	if (!t)
		return;
	t->spec = (struct probe_spec){
		.kind = c->probe.kind,
		.address = c->address,
		.timeout_ms = c->timeout_ms,
		.send_proxy = c->send_proxy,
		.method = c->probe.method,
		.path = c->probe.path,
		.status_lo = c->expect.lo,
		.status_hi = c->expect.hi,
		.user = c->user,
		.password = c->password,
		.database = c->database,
		.query = c->probe.query,
	};
	t->rules = (struct target_rules){
		.inter_ms = c->inter_ms,
		.fastinter_ms = c->fastinter_ms,
		.downinter_ms = c->downinter_ms,
		.rise = c->rise,
		.fall = c->fall,
	};
}

/* A pool may not be called "check": its servers would be taken for checks. */
static void refuse_pool_check(struct build *b)
{
	for (size_t i = 0; i < conf_count(b->conf, "pool"); i++)
		if (str_eq(conf_name(b->conf, "pool", i), STR("check")))
			conf_error_at(b->errors, conf_loc(b->conf, "pool", i), NULL,
				      "no pool may be called \"check\"");
}

struct health_conf *health_conf_build(const struct conf *c, struct arena *arena,
				      struct conf_errors *errors)
{
	size_t servers = conf_count(c, "server"), checks = conf_count(c, "check");
	struct build b = {
		.conf = c, .arena = arena, .errors = errors, .room = (unsigned)(servers + checks)};
	const struct health *health = conf_at(c, "health", 0);
	struct health_conf *made = ARENA_NEW(arena, struct health_conf);
	conf_check_cluster(c, errors);
	refuse_pool_check(&b);
	b.targets = ARENA_ARRAY(arena, struct health_conf_target, b.room);
	for (size_t i = 0; i < servers; i++)
		add_server(&b, i);
	for (size_t i = 0; i < checks; i++)
		add_check(&b, i);
	*made = (struct health_conf){.targets = b.targets,
				     .n = b.n,
				     .spread = health->spread,
				     .log_checks = health->log_checks};
	return made;
}
