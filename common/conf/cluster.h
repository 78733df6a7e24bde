// SPDX-License-Identifier: MIT
/*
 * The sections that more than one daemon reads: boards, pools and their servers. A daemon lists
 * those it wants in its schema: { &conf_board_section, &conf_pool_section, ... }.
 */
#ifndef CONF_CLUSTER_H
#define CONF_CLUSTER_H

#include "conf/reader.h"

struct conf_board { /* [board GreenPi-1] */
	struct str name;
	struct addr address; /* port 0 */
	uint32_t priority;   /* VRRP, 1..254; 0: not given */
};

enum conf_balance { CONF_BALANCE_ROUNDROBIN };

enum conf_cookie_mode { CONF_COOKIE_NONE, CONF_COOKIE_INSERT, CONF_COOKIE_REWRITE };

struct conf_cookie { /* cookie = SERVERID insert indirect nocache */
	enum conf_cookie_mode mode;
	struct str name;	/* a token */
	bool indirect, nocache; /* with insert only */
};

enum conf_check_kind { CONF_CHECK_NONE, CONF_CHECK_TCP, CONF_CHECK_HTTP };

struct conf_check { /* check = http GET /greenpi/health */
	enum conf_check_kind kind;
	struct str method, path; /* of http; the path starts with / and holds visible ASCII only */
};

struct conf_expect { /* expect = 200-399 */
	uint32_t lo, hi;
};

struct conf_pool { /* [pool edges] */
	struct str name;
	enum conf_balance balance;
	struct conf_cookie cookie;
	uint32_t retries; /* other attempts after the first */
	uint32_t connect_ms, server_ms;
	unsigned send_proxy; /* version of the PROXY header that connections begin with; 0: none */
	struct conf_check check;
	struct conf_expect expect;
	uint32_t inter_ms, fastinter_ms, downinter_ms, check_timeout_ms; /* never 0 */
	uint32_t rise, fall;
};

struct conf_server { /* [server web1] */
	struct str name;
	struct str pool;     /* conf_find(c, "pool", server->pool) */
	struct addr address; /* with port */
	struct str cookie;   /* n 0: none */
	uint32_t weight;     /* 0: only requests whose cookie selects it */
};

/* Of a send-proxy key: the versions of a PROXY header, no: 0. */
extern const struct conf_enum conf_send_proxy_names[];

/* Readers of values (conf_parse) for sections that have such keys too: a check, a range of statuses. */
conf_parse conf_parse_check, conf_parse_expect;

extern const struct conf_section conf_board_section;
extern const struct conf_section conf_pool_section;
extern const struct conf_section conf_server_section;

/*
 * Adds errors across boards, pools and servers, for those kinds that are in c's schema:
 * a server of no pool, two boards or two servers of a pool with one address or one cookie value.
 */
void conf_check_cluster(const struct conf *c, struct conf_errors *errors);

/*
 * The board whose address is this host's, as is_local() says (addr_is_local(), but for tests);
 * NULL when none is. Of several, the first in the file.
 */
const struct conf_board *conf_own_board(const struct conf *c,
					bool (*is_local)(const struct addr *));

#endif
