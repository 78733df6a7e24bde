// SPDX-License-Identifier: MIT
/*
 * Rows are gathered once, then printed as HTML or CSV. The CSV has all columns of HAProxy 2.6 in their places; those
 * for which lbd has no value are empty, as HAProxy itself leaves them. A counter's row in stats.h names its column; this
 * file adds the columns that are no counters, or are counted under two names.
 */
#include "stats_page.h"

#include <inttypes.h>

#include "base/clock.h"
#include "lb_worker.h"
#include "stats.h"

#define PAGE_MAX (1u << 20)

static const struct stats *all_stats;

/* ---- authorisation */

/* Compares in constant time. */
static bool same_secret(struct str a, struct str b)
{
	unsigned char diff = a.n != b.n;
	for (size_t i = 0; i < a.n; i++)
		diff |= (unsigned char)(a.p[i] ^ b.p[b.n ? i % b.n : 0]);
	return diff == 0 && b.n > 0;
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes into to (at most size bytes); STR_NONE when it is no base64 (RFC 4648 §4). */
static struct str base64_decode(struct str in, char *to, size_t size)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;
	while (in.n && in.p[in.n - 1] == '=')
		in.n--;
	for (size_t i = 0; i < in.n; i++) {
		int v = base64_value(in.p[i]);
		if (v < 0 || n == size)
			return STR_NONE;
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have >= 8) {
			have -= 8;
			to[n++] = (char)(bits >> have);
		}
	}
	return str_of(to, n);
}

static bool authorised(const struct http_head *h, struct str wanted)
{
	char plain[256];
	struct str v = http_get(h, HTTP_F_AUTHORIZATION);
	if (wanted.n == 0)
		return true;
	if (!str_starts_nocase(v, STR("Basic ")))
		return false;
	struct str given = base64_decode(str_trim(str_skip(v, 6)), plain, sizeof(plain));
	return given.p && same_secret(given, wanted);
}

/* ---- rows */

/*
 * All columns of HAProxy 2.6, in its order; those of its modules come after the dash. Tools find columns by their names.
 */
// clang-format off
#define COLUMNS(X) \
	X(pxname) X(svname) X(qcur) X(qmax) X(scur) X(smax) X(slim) X(stot) X(bin) X(bout) \
	X(dreq) X(dresp) X(ereq) X(econ) X(eresp) X(wretr) X(wredis) X(status) X(weight) X(act) \
	X(bck) X(chkfail) X(chkdown) X(lastchg) X(downtime) X(qlimit) X(pid) X(iid) X(sid) \
	X(throttle) X(lbtot) X(tracked) X(type) X(rate) X(rate_lim) X(rate_max) X(check_status) \
	X(check_code) X(check_duration) X(hrsp_1xx) X(hrsp_2xx) X(hrsp_3xx) X(hrsp_4xx) \
	X(hrsp_5xx) X(hrsp_other) X(hanafail) X(req_rate) X(req_rate_max) X(req_tot) \
	X(cli_abrt) X(srv_abrt) X(comp_in) X(comp_out) X(comp_byp) X(comp_rsp) X(lastsess) \
	X(last_chk) X(last_agt) X(qtime) X(ctime) X(rtime) X(ttime) X(agent_status) \
	X(agent_code) X(agent_duration) X(check_desc) X(agent_desc) X(check_rise) X(check_fall) \
	X(check_health) X(agent_rise) X(agent_fall) X(agent_health) X(addr) X(cookie) X(mode) \
	X(algo) X(conn_rate) X(conn_rate_max) X(conn_tot) X(intercepted) X(dcon) X(dses) \
	X(wrew) X(connect) X(reuse) X(cache_lookups) X(cache_hits) X(srv_icur) X(src_ilim) \
	X(qtime_max) X(ctime_max) X(rtime_max) X(ttime_max) X(eint) X(idle_conn_cur) \
	X(safe_conn_cur) X(used_conn_cur) X(need_conn_est) X(uweight) X(agg_server_status) \
	X(agg_server_check_status) X(agg_check_status) X(dash) X(ssl_sess) X(ssl_reused_sess) \
	X(ssl_failed_handshake) X(h2_headers_rcvd) X(h2_data_rcvd) X(h2_settings_rcvd) \
	X(h2_rst_stream_rcvd) X(h2_goaway_rcvd) X(h2_detected_conn_protocol_errors) \
	X(h2_detected_strm_protocol_errors) X(h2_rst_stream_resp) X(h2_goaway_resp) \
	X(h2_open_connections) X(h2_backend_open_streams) X(h2_total_connections) \
	X(h2_backend_total_streams) X(h1_open_connections) X(h1_open_streams) \
	X(h1_total_connections) X(h1_total_streams) X(h1_bytes_in) X(h1_bytes_out) \
	X(h1_spliced_bytes_in) X(h1_spliced_bytes_out)
// clang-format on

enum column {
#define X(name) C_##name,
	COLUMNS(X)
#undef X
		C_COUNT
};

static const char *column_name(unsigned c)
{
	static const char *const names[] = {
#define X(name) #name,
		COLUMNS(X)
#undef X
	};
	return c == C_dash ? "-" : names[c];
}

/* The types of rows, as HAProxy numbers them. */
enum { TYPE_FRONTEND, TYPE_BACKEND, TYPE_SERVER };

struct row {
	uint64_t v[C_COUNT];
	bool has[C_COUNT];
	const char *status;
	struct str pool, name;
};

static void set(struct row *r, enum column c, uint64_t v)
{
	MUST(c < C_COUNT);
	r->v[c] = v;
	r->has[c] = true;
}

static int column_of(const char *name)
{
	for (unsigned c = 0; *name && c < C_COUNT; c++)
		if (strcmp(column_name(c), name) == 0)
			return (int)c;
	return -1;
}

/* The column of each counter of a kind, or -1: found once, from the rows of stats.h. */
#define COUNTERS_MAX 32
static int columns[STATS_SERVER + 1][COUNTERS_MAX];

static void find_columns(void)
{
	for (unsigned k = 0; k < stats_kinds_n; k++) {
		MUST(stats_kinds[k].n <= COUNTERS_MAX);
		for (unsigned i = 0; i < stats_kinds[k].n; i++)
			columns[k][i] = column_of(stats_kinds[k].counters[i].column);
	}
}

void stats_page_init(const struct stats *stats)
{
	MUST(stats);
	all_stats = stats;
	find_columns();
}

static void set_counters(struct row *r, const struct stats *s, unsigned kind, unsigned slot)
{
	MUST(kind < ARRAY_LEN(columns));
	for (unsigned i = 0; i < stats_kinds[kind].n; i++)
		if (columns[kind][i] >= 0)
			set(r, (enum column)columns[kind][i], stats_value(s, kind, slot, i));
}

static void set_ids(struct row *r, unsigned type, unsigned iid, unsigned sid)
{
	set(r, C_pid, 1);
	set(r, C_iid, iid);
	set(r, C_sid, sid);
	set(r, C_type, type);
}

static void frontend_row(struct row *r, const struct lb_bind *b, unsigned iid,
			 const struct stats *s, uint32_t maxconn)
{
	*r = (struct row){.pool = b->frontend, .name = STR("FRONTEND"), .status = "OPEN"};
	set_counters(r, s, STATS_FRONTEND, b->slot);
	set(r, C_stot, r->v[C_conn_tot]);
	set(r, C_slim, maxconn);
	set_ids(r, TYPE_FRONTEND, iid, 0);
}

static void server_row(struct row *r, const struct lb_pool *p, unsigned i, unsigned iid,
		       const struct stats *stats, int64_t now_us)
{
	const struct server *s = p->servers[i];
	MAGIC_CHECK(s, SERVER_MAGIC);
	*r = (struct row){
		.pool = p->conf->name, .name = str_c(s->name), .status = server_status(s, now_us)};
	set_counters(r, stats, STATS_SERVER, s->slot);
	set(r, C_stot, r->v[C_req_tot]);
	set(r, C_smax, atomic_load(&s->peak));
	set(r, C_weight, p->conf_servers[i]->weight);
	set(r, C_act, 1);
	set(r, C_bck, 0);
	set(r, C_chkdown, atomic_load(&s->downs));
	set(r, C_lastchg, (uint64_t)MAX(clock_wall_s() - atomic_load(&s->changed_s), 0));
	uint64_t last_us = stats_value(stats, STATS_SERVER, s->slot, SERVER_last_request_us);
	if (last_us)
		set(r, C_lastsess, (uint64_t)MAX(now_us - (int64_t)last_us, 0) / 1000000);
	set_ids(r, TYPE_SERVER, iid, i + 1);
}

/* Of the servers that get new requests: how many there are, and their weights. */
static unsigned count_active(const struct lb_pool *p, int64_t now_us, uint64_t *weight)
{
	unsigned n = 0;
	*weight = 0;
	for (unsigned i = 0; i < p->n; i++) {
		const struct server *s = p->servers[i];
		if (!server_up(s) || server_ejected(s, now_us) ||
		    atomic_load(&s->admin) != SERVER_READY)
			continue;
		n++;
		*weight += p->conf_servers[i]->weight;
	}
	return n;
}

static bool any_up(const struct lb_pool *p)
{
	for (unsigned i = 0; i < p->n; i++)
		if (server_up(p->servers[i]))
			return true;
	return false;
}

static void pool_row(struct row *r, const struct lb_pool *p, unsigned iid, const struct stats *s,
		     int64_t now_us)
{
	uint64_t weight;
	*r = (struct row){
		.pool = p->conf->name, .name = STR("BACKEND"), .status = any_up(p) ? "UP" : "DOWN"};
	set_counters(r, s, STATS_POOL, p->live->slot);
	set(r, C_stot, r->v[C_req_tot]);
	set(r, C_act, count_active(p, now_us, &weight));
	set(r, C_weight, weight);
	set(r, C_bck, 0);
	set_ids(r, TYPE_BACKEND, iid, 0);
}

/* Calls row() for each line, in HAProxy's order. */
static void each_row(const struct lb_config *c, const struct stats *stats, int64_t now_us,
		     void (*row)(struct text *to, const struct row *r), struct text *to)
{
	struct row r;
	unsigned iid = 1;
	for (unsigned i = 0; i < c->n_binds; i++) {
		bool again = i > 0 && str_eq(c->binds[i].frontend, c->binds[i - 1].frontend);
		if (!c->binds[i].pool || again)
			continue;
		frontend_row(&r, &c->binds[i], iid++, stats, c->settings->maxconn);
		row(to, &r);
	}
	for (unsigned i = 0; i < c->n_pools; i++, iid++) {
		for (unsigned s = 0; s < c->pools[i].n; s++) {
			server_row(&r, &c->pools[i], s, iid, stats, now_us);
			row(to, &r);
		}
		pool_row(&r, &c->pools[i], iid, stats, now_us);
		row(to, &r);
	}
}

/* ---- CSV */

static void print_row(struct text *to, const struct row *r)
{
	text_printf(to, "%.*s,%.*s,", STR_ARG(r->pool), STR_ARG(r->name));
	for (unsigned c = C_svname + 1; c < C_COUNT; c++) {
		if (c == C_status)
			text_add(to, str_c(r->status));
		else if (c == C_mode)
			text_add(to, STR("http"));
		else if (c == C_dash)
			text_add(to, STR("-"));
		else if (r->has[c])
			text_printf(to, "%" PRIu64, r->v[c]);
		text_add(to, STR(","));
	}
	text_add(to, STR("\n"));
}

void stats_page_csv(struct text *to, const struct lb_config *c, const struct stats *stats,
		    int64_t now_us)
{
	text_add(to, STR("# "));
	for (unsigned i = 0; i < C_COUNT; i++)
		text_printf(to, "%s,", column_name(i));
	text_add(to, STR("\n"));
	each_row(c, stats, now_us, print_row, to);
}

/* ---- HTML */

static void html_text(struct text *to, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (c == '<' || c == '>' || c == '&' || c == '"')
			text_printf(to, "&#%d;", c);
		else
			text_add(to, str_of(&c, 1));
	}
}

static void print_html_row(struct text *to, const struct row *r)
{
	static const enum column shown[] = {
		C_scur,	    C_smax,	C_stot,	    C_lbtot,	C_bin,	   C_bout,
		C_econ,	    C_eresp,	C_wretr,    C_wredis,	C_weight,  C_chkdown,
		C_hrsp_2xx, C_hrsp_3xx, C_hrsp_4xx, C_hrsp_5xx, C_connect, C_reuse};
	const char *class = strcmp(r->status, "UP") == 0 || strcmp(r->status, "OPEN") == 0 ? "up"
			    : strcmp(r->status, "DOWN") == 0				   ? "down"
							     : "other";
	text_printf(to, "<tr class=\"%s\"><th>", class);
	html_text(to, r->pool);
	text_add(to, STR("</th><th>"));
	html_text(to, r->name);
	text_printf(to, "</th><td>%s</td>", r->status);
	for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
		if (r->has[shown[i]])
			text_printf(to, "<td>%" PRIu64 "</td>", r->v[shown[i]]);
		else
			text_add(to, STR("<td></td>"));
	}
	text_add(to, STR("</tr>\n"));
}

static const char page_head[] =
	"<style>body{font:14px sans-serif;margin:2em;color:#222}table{border-collapse:collapse}th,td{border:1px solid "
	"#bbb;padding:.2em .5em;text-align:right}th{text-align:left}thead{background:#eee}.up th,.up "
	"td:nth-child(3){background:#d4f5d4}.down th,.down td:nth-child(3){background:#f9caca}.other th,.other "
	"td:nth-child(3){background:#fdf0c0}</style>\n";

static const char table_head[] =
	"<table><thead><tr><th>Pool</th><th>Server</th><th>Status</th><th>Now</th><th>Peak</th><th>Total</th>"
	"<th>LbTot</th><th>Bytes in</th><th>Bytes out</th><th>Conn err</th><th>Resp err</th><th>Retr</th><th>Redis"
	"</th><th>Weight</th><th>Downs</th><th>2xx</th><th>3xx</th><th>4xx</th><th>5xx</th><th>Connects</th>"
	"<th>Reuses</th></tr></thead>\n<tbody>\n";

static void print_html(struct text *to, const struct lb_config *c, int64_t now_us)
{
	text_printf(
		to,
		"<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n<title>Statistics on ");
	html_text(to, c->node);
	text_printf(to, "</title>\n%s<h1>Statistics on ", page_head);
	html_text(to, c->node);
	text_printf(to,
		    "</h1>\n<p>%" PRIu64 " requests, %" PRIu64 " connections, %" PRIu64
		    " clients now, %" PRIu64 " malformed requests refused. <a href=\"",
		    stats_value(all_stats, STATS_PROCESS, 0, STAT_requests),
		    stats_value(all_stats, STATS_PROCESS, 0, STAT_connections),
		    stats_value(all_stats, STATS_PROCESS, 0, STAT_clients),
		    stats_value(all_stats, STATS_PROCESS, 0, STAT_refused));
	html_text(to, c->stats->uri);
	text_printf(to, ";csv\">CSV</a></p>\n%s", table_head);
	each_row(c, all_stats, now_us, print_html_row, to);
	text_add(to, STR("</tbody></table></html>\n"));
}

/* ---- the answer */

static void answer(struct http_exchange *x, const struct lb_config *c, bool csv)
{
	struct text page;
	text_init(&page, PAGE_MAX);
	if (csv)
		stats_page_csv(&page, c, all_stats, worker_now_us(x->worker));
	else
		print_html(&page, c, worker_now_us(x->worker));
	struct http_fields f;
	http_fields_init(&f, &x->arena, 128);
	http_fields_add(&f, STR("Content-Type"), csv ? STR("text/plain") : STR("text/html"));
	http_fields_add(&f, STR("Cache-Control"), STR("no-cache"));
	if (c->stats->refresh_ms)
		http_fields_add_u64(&f, STR("Refresh"), c->stats->refresh_ms / 1000);
	struct http_response r = {.status = 200, .blocks = 1, .fields = {http_fields_block(&f)}};
	struct str body = arena_str(&x->arena, str_of(page.p, page.n));
	text_fini(&page);
	if (body.p && r.fields[0].p)
		http_exchange_reply(x, &r, body);
	else
		http_exchange_error(x, 500, "The statistics do not fit.", STR_NONE);
}

static void redirect_to_uri(struct http_exchange *x, struct str uri)
{
	struct http_fields f;
	http_fields_init(&f, &x->arena, uri.n + 32);
	http_fields_add(&f, STR("Location"), uri);
	struct http_response r = {.status = 302, .blocks = 1, .fields = {http_fields_block(&f)}};
	if (r.fields[0].p)
		http_exchange_reply(x, &r, STR_NONE);
	else
		http_exchange_error(x, 500, "Out of memory.", STR_NONE);
}

/* An error response with one more field. */
static void refuse(struct http_exchange *x, uint16_t status, const char *text, struct str name,
		   struct str value)
{
	struct http_fields f;
	http_fields_init(&f, &x->arena, name.n + value.n + 8);
	http_fields_add(&f, name, value);
	http_exchange_error(x, status, text, http_fields_block(&f));
}

void stats_page(struct http_exchange *x)
{
	const struct lb_config *c = conf_of(lb_worker_of(x)->base.gen);
	MUST(c->stats && all_stats); /* it came in by one of its binds */
	struct str uri = c->stats->uri;
	if (!authorised(x->head, c->stats->auth))
		refuse(x, 401, "Name and password are needed.", STR("WWW-Authenticate"),
		       STR("Basic realm=\"HAProxy Statistics\""));
	else if (str_eq(x->head->target, STR("/")) && !str_eq(uri, STR("/")))
		redirect_to_uri(x, uri);
	else if (!str_starts(x->head->target, uri))
		http_exchange_error(x, 404, "Not found.", STR_NONE);
	else if (x->head->method != HTTP_GET && x->head->method != HTTP_HEAD)
		refuse(x, 405, "Only GET and HEAD.", STR("Allow"), STR("GET, HEAD"));
	else
		answer(x, c, str_find_str(str_skip(x->head->target, uri.n), STR(";csv")) >= 0);
}
