// SPDX-License-Identifier: MIT
/*
 * Two steps: the tables read the file into structs of text and numbers, and vip_conf_build() makes
 * of them the plain values the instances work by, checking what only several keys or sections
 * together can tell.
 *
 * Ties. Boards of equal priority become master one after another in the order of their addresses,
 * the highest first, because that is also the one that wins if two become master at once (RFC 3768
 * §6.4.3). With the boards listed the step is a hundredth of the interval; without the list it
 * is a thousandth for each number of the last octet.
 */
#include "vip_conf.h"

#include <arpa/inet.h>
#include <stdio.h>

struct vrrp_section { /* [vrrp VI_1] */
	struct str name;
	struct str interface;
	uint32_t virtual_router_id, priority, version;
	uint32_t advert_ms, handover_ms, lifetime_ms;
	struct vip_addr_set addrs;
	bool preempt, last_resort;
	struct vip_conf_track track;
	struct str label, auth_pass;
	int v3_checksum;
};

struct vip_section { /* [vip] */
	uint32_t garp_refresh_ms;
	bool mlock;
};

enum { SUM_PSEUDO_HEADER, SUM_RFC9568 };

static const struct conf_enum sums[] = {
	{"pseudo-header", SUM_PSEUDO_HEADER}, {"rfc9568", SUM_RFC9568}, {NULL, 0}};

#define TRACK_SYNTAX "none | lbd release | lbd weight N"

/* ---- compound values */

/* keepalived writes a prefix length here; it is checked and not used, see vip_addr.h. */
static int parse_prefixed(struct str text, uint32_t *ip, struct err *e)
{
	struct str rest = text, host;
	struct addr a;
	uint64_t bits;
	str_split(&rest, '/', &host);
	if (addr_parse_ip(&a, host, e) < 0)
		return -1;
	if (a.sa.sa_family != AF_INET)
		return err_set(e, "only IPv4 addresses are possible");
	if (rest.p && (!str_to_u64(rest, 32, &bits) || bits == 0))
		return err_set(e, "/%.*s is not a prefix length, allowed: 1..32",
			       (int)MIN(rest.n, (size_t)16), rest.p);
	*ip = ntohl(a.in4.sin_addr.s_addr);
	if (*ip >> 24 == 0 || *ip >> 24 == 127 || *ip >= UINT32_C(0xe0000000))
		return err_set(e, "%.*s is not the address of a host", STR_ARG(host));
	return 0;
}

static int parse_address(void *field, struct str text, struct arena *arena UNUSED, struct err *e)
{
	struct vip_addr_set *set = field;
	struct str word;
	while (conf_word(&text, &word)) {
		uint32_t ip = 0;
		if (str_ends(word, STR(",")))
			word.n--;
		if (parse_prefixed(word, &ip, e) < 0)
			return -1;
		for (unsigned i = 0; i < set->count; i++)
			if (set->ip[i] == ip)
				return err_set(e, "%.*s is given twice", STR_ARG(word));
		if (set->count == VIP_ADDR_MAX)
			return err_set(e, "more than %d addresses", VIP_ADDR_MAX);
		set->ip[set->count++] = ip;
	}
	return 0;
}

static int parse_weight(struct str text, int *weight, struct err *e)
{
	bool negative = str_starts(text, STR("-"));
	uint64_t n;
	if (!str_to_u64(negative ? str_skip(text, 1) : text, 253, &n) || n == 0)
		return err_set(e, "the weight must be -253..253 and not 0");
	*weight = negative ? -(int)n : (int)n;
	return 0;
}

static int parse_track(void *field, struct str text, struct arena *arena UNUSED, struct err *e)
{
	struct vip_conf_track t = {0};
	struct str daemon, how = STR_NONE, n = STR_NONE, more;
	conf_word(&text, &daemon);
	conf_word(&text, &how);
	conf_word(&text, &n);
	if (conf_word(&text, &more))
		return err_set(e, "too many words, allowed: " TRACK_SYNTAX);
	if (str_eq(daemon, STR("none")) && how.n == 0) {
		*(struct vip_conf_track *)field = t;
		return 0;
	}
	if (!str_eq(daemon, STR("lbd")) && !str_eq(daemon, STR("edged")))
		return err_set(e, "only lbd or edged can be tracked, allowed: " TRACK_SYNTAX);
	str_copy(t.daemon, sizeof(t.daemon), daemon);
	if (str_eq(how, STR("release")) && n.n == 0)
		t.mode = VIP_CONF_TRACK_RELEASE;
	else if (str_eq(how, STR("weight")) && n.n > 0)
		t.mode = VIP_CONF_TRACK_WEIGHT;
	else
		return err_set(e, "how it is tracked is missing, allowed: " TRACK_SYNTAX);
	if (t.mode == VIP_CONF_TRACK_WEIGHT && parse_weight(n, &t.weight, e) < 0)
		return -1;
	*(struct vip_conf_track *)field = t;
	return 0;
}

/* ---- the tables */

static const struct conf_key vrrp_keys[] = {
	CONF_STR(struct vrrp_section, interface, "interface", NULL,
		 "Where adverts are sent and the address is set. It may appear later than vipd.",
		 .lo = 1, .hi = IF_NAMESIZE - 1, .flags = CONF_REQUIRED),
	CONF_U32(
		struct vrrp_section, virtual_router_id, "virtual_router_id", NULL, 1, 255,
		"Number of the virtual router, the same on all boards and on nothing else in the network.",
		.flags = CONF_REQUIRED),
	CONF_FUNC(
		struct vrrp_section, addrs, struct vip_addr_set, "address", NULL, parse_address,
		"IP...",
		"The virtual addresses. They are set as /32; a prefix length behind one is accepted and has no effect.",
		.flags = CONF_REQUIRED | CONF_REPEAT),
	CONF_U32(
		struct vrrp_section, priority, "priority", "100", 1, 254,
		"The highest among those present is master; between equals the higher board address decides."),
	CONF_U32(struct vrrp_section, version, "version", "2", 2, 3,
		 "VRRP version: 2 as RFC 3768 and keepalived's default have it, or 3 (RFC 9568)."),
	CONF_MSEC(
		struct vrrp_section, advert_ms, "advert_int", "1s", 10, 255000,
		"Time between adverts: whole seconds with version 2, hundredths up to 40.95 s with version 3."),
	CONF_BOOL(
		struct vrrp_section, preempt, "preempt", "yes",
		"Take over from a master of lower priority. One that is master as the last resort is always replaced."),
	CONF_FUNC(
		struct vrrp_section, track, struct vip_conf_track, "track", "none", parse_track,
		TRACK_SYNTAX,
		"Tracks a daemon of this board: when it dies or hangs, release the address, or change the priority."),
	CONF_BOOL(
		struct vrrp_section, last_resort, "last_resort", "yes",
		"With the tracked daemon dead on all boards, hold the address all the same, at priority 1."),
	CONF_STR(
		struct vrrp_section, label, "label", NULL,
		"Name of the address for ifconfig; the default is the interface's with :0, :1..., none for no label."),
	CONF_MSEC(
		struct vrrp_section, lifetime_ms, "lifetime", "2s", 1000, 3600000,
		"Whole seconds after which the kernel drops an address that vipd no longer renews."),
	CONF_MSEC(
		struct vrrp_section, handover_ms, "handover", "1s", 0, 2000,
		"Longest time that a planned stop goes on answering until the successor has taken over."),
	CONF_STR(
		struct vrrp_section, auth_pass, "auth_pass", NULL,
		"Version 2: password of at most 8 bytes, in clear text in every advert; for peers that insist.",
		.lo = 1, .hi = VRRP_PKT_AUTH_SIZE, .flags = CONF_SECRET),
	CONF_ENUM(
		struct vrrp_section, v3_checksum, "v3_checksum", "pseudo-header", sums,
		"Version 3: what is summed when sending; both are accepted. keepalived 2.2 wants pseudo-header."),
};

static const struct conf_key vip_keys[] = {
	CONF_MSEC(
		struct vip_section, garp_refresh_ms, "garp_refresh", "60s", 0, 86400000,
		"Time between gratuitous ARP announcements while master; 0 for none after the first series."),
	CONF_BOOL(struct vip_section, mlock, "mlock", "yes",
		  "Keep vipd's memory out of swap, so that adverts leave in time.",
		  .flags = CONF_RESTART),
};

static const struct conf_section vrrp_section = CONF_NAMED(
	struct vrrp_section, "vrrp", vrrp_keys,
	"A virtual router: addresses that one of the boards holds.", .max = VIP_CONF_INSTANCES_MAX);
static const struct conf_section vip_section = CONF_SINGLE(
	struct vip_section, "vip", vip_keys, "Settings of vipd itself.", .flags = CONF_IMPLICIT);

const struct conf_section *const vip_conf_schema[] = {&conf_board_section, &vrrp_section,
						      &vip_section};
const size_t vip_conf_schema_n = ARRAY_LEN(vip_conf_schema);

/* ---- from sections to values */

struct build {
	const struct conf *c;
	struct conf_errors *errors;
	struct vip_conf *out;
	size_t at; /* [vrrp] section under work */
};

static void wrong(struct build *b, const char *key, const char *text)
{
	conf_error_at(b->errors, conf_key_loc(b->c, "vrrp", b->at, key), key, "%s", text);
}

static void check_interval(struct build *b, const struct vrrp_section *v)
{
	if (v->version == 2 && v->advert_ms % 1000 != 0)
		wrong(b, "advert_int",
		      "version 2 counts in whole seconds, 1s..255s; version 3 is finer");
	else if (v->version == 3 && (v->advert_ms % 10 != 0 || v->advert_ms > 40950))
		wrong(b, "advert_int", "version 3 counts in hundredths of a second, 10ms..40950ms");
}

static void set_lifetime(struct build *b, const struct vrrp_section *v, struct vip_conf_instance *i)
{
	if (v->lifetime_ms % 1000 != 0)
		wrong(b, "lifetime", "the kernel counts in whole seconds");
	i->addrs.lifetime_s = v->lifetime_ms / 1000;
}

static unsigned same_interface_before(const struct build *b)
{
	const struct vrrp_section *mine = conf_at(b->c, "vrrp", b->at), *v;
	unsigned n = 0;
	for (size_t k = 0; k < b->at; k++) {
		v = conf_at(b->c, "vrrp", k);
		n += str_eq(v->interface, mine->interface);
	}
	return n;
}

static void set_label(struct build *b, const struct vrrp_section *v, struct vip_conf_instance *i)
{
	char text[IF_NAMESIZE + 16];
	if (str_eq(v->label, STR("none")))
		return;
	if (v->label.n == 0) {
		snprintf(text, sizeof(text), "%s:%u", i->interface, same_interface_before(b));
		if (strlen(text) < sizeof(i->addrs.label))
			memcpy(i->addrs.label, text, strlen(text) + 1);
		return;
	}
	if (!str_copy(i->addrs.label, sizeof(i->addrs.label), v->label))
		wrong(b, "label", "longer than 15 bytes");
	else if (!str_starts(v->label, v->interface))
		wrong(b, "label", "must begin with the interface's name, as in eth0:0, or be none");
}

static void set_packet(struct build *b, const struct vrrp_section *v, struct vip_conf_instance *i)
{
	struct vrrp_pkt_rules *p = &i->packet;
	p->version = (uint8_t)v->version;
	p->vrid = (uint8_t)v->virtual_router_id;
	p->interval_us = v->advert_ms * 1000;
	p->plain_sum = v->v3_checksum == SUM_RFC9568;
	p->auth_type = v->auth_pass.n > 0;
	memcpy(p->auth, v->auth_pass.p ? v->auth_pass.p : "", MIN(v->auth_pass.n, sizeof(p->auth)));
	if (v->version == 3 && v->auth_pass.n > 0)
		wrong(b, "auth_pass", "version 3 has no passwords");
	p->count = v->addrs.count;
	for (unsigned k = 0; k < p->count; k++)
		p->addrs[k] = v->addrs.ip[k];
}

static void set_boards(struct build *b, struct vip_conf_instance *i)
{
	const struct conf_board *board;
	for (size_t k = 0; (board = conf_at(b->c, "board", k)); k++) {
		unsigned at = i->n_boards;
		uint32_t ip;
		if (board->address.len == 0 || board->address.sa.sa_family != AF_INET)
			continue;
		if (i->n_boards == VIP_CONF_BOARDS_MAX) {
			conf_error_at(b->errors, conf_loc(b->c, "board", k), NULL,
				      "more than %d boards", VIP_CONF_BOARDS_MAX);
			return;
		}
		ip = ntohl(board->address.in4.sin_addr.s_addr);
		for (; at > 0 && i->boards[at - 1].ip < ip; at--)
			i->boards[at] = i->boards[at - 1];
		i->boards[at] = (struct vip_conf_board){.ip = ip,
							.priority = (uint8_t)board->priority};
		i->n_boards++;
	}
}

static void check_own_addresses(struct build *b, const struct vip_conf_instance *i)
{
	for (unsigned k = 0; k < i->n_boards; k++)
		for (unsigned a = 0; a < i->addrs.count; a++)
			if (i->boards[k].ip == i->addrs.ip[a])
				wrong(b, "address",
				      "is the address of a board; the virtual one must be another");
}

static void build_instance(struct build *b, struct vip_conf_instance *i)
{
	const struct vrrp_section *v = conf_at(b->c, "vrrp", b->at);
	const struct vip_section *vip = conf_at(b->c, "vip", 0);
	if (!str_copy(i->name, sizeof(i->name), v->name))
		conf_error_at(b->errors, conf_loc(b->c, "vrrp", b->at), NULL,
			      "the name is longer than %zu bytes", sizeof(i->name) - 1);
	str_copy(i->interface, sizeof(i->interface), v->interface);
	if (str_find(v->interface, '/') >= 0 || str_find(v->interface, ':') >= 0)
		wrong(b, "interface",
		      "is not an interface's name (an alias such as eth0:0 is a label)");
	i->priority = (uint8_t)v->priority;
	i->preempt = v->preempt;
	i->last_resort = v->last_resort;
	i->handover_ms = v->handover_ms;
	i->track = v->track;
	i->addrs = v->addrs;
	i->garp_refresh_ms = vip->garp_refresh_ms;
	check_interval(b, v);
	set_packet(b, v, i);
	set_lifetime(b, v, i);
	set_label(b, v, i);
	set_boards(b, i);
	check_own_addresses(b, i);
}

static bool share_address(const struct vip_conf_instance *a, const struct vip_conf_instance *b)
{
	for (unsigned i = 0; i < a->addrs.count; i++)
		for (unsigned k = 0; k < b->addrs.count; k++)
			if (a->addrs.ip[i] == b->addrs.ip[k])
				return true;
	return false;
}

static void check_against_earlier(struct build *b)
{
	const struct vip_conf_instance *mine = &b->out->instances[b->at];
	for (size_t k = 0; k < b->at; k++) {
		const struct vip_conf_instance *other = &b->out->instances[k];
		if (strcmp(other->interface, mine->interface) == 0 &&
		    other->packet.vrid == mine->packet.vrid)
			wrong(b, "virtual_router_id",
			      "another [vrrp] of this interface has the same");
		if (share_address(other, mine))
			wrong(b, "address", "another [vrrp] has the same");
	}
}

struct vip_conf *vip_conf_build(const struct conf *c, struct arena *arena,
				struct conf_errors *errors)
{
	const struct vip_section *vip = conf_at(c, "vip", 0);
	struct vip_conf *out = ARENA_NEW(arena, struct vip_conf);
	struct build b = {.c = c, .errors = errors, .out = out};
	conf_check_cluster(c, errors);
	out->n = (unsigned)conf_count(c, "vrrp");
	out->instances = ARENA_ARRAY(arena, struct vip_conf_instance, out->n);
	out->mlock = vip->mlock;
	for (; b.at < out->n; b.at++) {
		build_instance(&b, &out->instances[b.at]);
		check_against_earlier(&b);
	}
	return out;
}

/* ---- what follows from the values */

bool vip_conf_same_router(const struct vip_conf_instance *a, const struct vip_conf_instance *b)
{
	return strcmp(a->interface, b->interface) == 0 && a->packet.vrid == b->packet.vrid &&
	       a->packet.version == b->packet.version;
}

uint8_t vip_conf_priority(const struct vip_conf_instance *i, uint32_t ip)
{
	for (unsigned k = 0; k < i->n_boards; k++)
		if (i->boards[k].ip == ip && i->boards[k].priority != 0)
			return i->boards[k].priority;
	return i->priority;
}

bool vip_conf_is_board(const struct vip_conf_instance *i, uint32_t ip)
{
	for (unsigned k = 0; k < i->n_boards; k++)
		if (i->boards[k].ip == ip)
			return true;
	return false;
}

uint32_t vip_conf_rank_us(const struct vip_conf_instance *i, uint32_t ip, bool among_equals)
{
	uint32_t interval_us = MIN(i->packet.interval_us, UINT32_C(1000000));
	uint8_t own = vip_conf_priority(i, ip);
	unsigned before = 0;
	if (!vip_conf_is_board(i, ip))
		return (255 - (ip & 255)) * (interval_us / 1000);
	for (unsigned k = 0; i->boards[k].ip != ip; k++)
		if (!among_equals || vip_conf_priority(i, i->boards[k].ip) == own)
			before++;
	return before * (interval_us / 100);
}
