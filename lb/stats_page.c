// SPDX-License-Identifier: MIT
/*
 * Rows are gathered once, then printed as HTML or CSV. The CSV has all 94 columns of HAProxy 2.6 in their places;
 * those we have no figure for are empty, as HAProxy itself leaves them.
 */
#include "stats_page.h"

#include <inttypes.h>

#include "base/clock.h"
#include "front.h"

#define PAGE_MAX (1u << 20)

static const struct stats *all_stats;

void stats_page_init(const struct stats *stats)
{
	all_stats = stats;
}

/* ---- who may see it */

/* Compares without telling by its time how much was right. */
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

/* ---- CSV */

static const char csv_head[] =
	"# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight,"
	"act,bck,chkfail,chkdown,lastchg,downtime,qlimit,pid,iid,sid,throttle,lbtot,tracked,type,rate,rate_lim,"
	"rate_max,check_status,check_code,check_duration,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,"
	"hanafail,req_rate,req_rate_max,req_tot,cli_abrt,srv_abrt,comp_in,comp_out,comp_byp,comp_rsp,lastsess,"
	"last_chk,last_agt,qtime,ctime,rtime,ttime,agent_status,agent_code,agent_duration,check_desc,agent_desc,"
	"check_rise,check_fall,check_health,agent_rise,agent_fall,agent_health,addr,cookie,mode,algo,conn_rate,"
	"conn_rate_max,conn_tot,intercepted,dcon,dses,wrew,connect,reuse,cache_lookups,cache_hits,srv_icur,src_ilim,"
	"qtime_max,ctime_max,rtime_max,ttime_max,\n";

#define COLUMNS 94
enum column {
	C_SCUR = 4,
	C_SMAX = 5,
	C_STOT = 7,
	C_BIN = 8,
	C_BOUT = 9,
	C_EREQ = 12,
	C_ECON = 13,
	C_ERESP = 14,
	C_WRETR = 15,
	C_WREDIS = 16,
	C_STATUS = 17,
	C_WEIGHT = 18,
	C_ACT = 19,
	C_BCK = 20,
	C_CHKDOWN = 22,
	C_LASTCHG = 23,
	C_PID = 26,
	C_IID = 27,
	C_SID = 28,
	C_LBTOT = 30,
	C_TYPE = 32,
	C_2XX = 40,
	C_3XX = 41,
	C_4XX = 42,
	C_5XX = 43,
	C_OTHER = 44,
	C_REQ_TOT = 48,
	C_CLI_ABRT = 49,
	C_MODE = 75,
	C_CONN_TOT = 79,
	C_CONNECT = 84,
	C_REUSE = 85,
};

struct row {
	uint64_t v[COLUMNS];
	bool has[COLUMNS];
	const char *status;
	struct str pool, name;
};

static void set(struct row *r, enum column c, uint64_t v)
{
	r->v[c] = v;
	r->has[c] = true;
}

static void print_row(struct text *to, const struct row *r)
{
	text_printf(to, "%.*s,%.*s,", STR_ARG(r->pool), STR_ARG(r->name));
	for (unsigned c = 2; c < COLUMNS; c++) {
		if (c == C_STATUS)
			text_printf(to, "%s", r->status);
		else if (c == C_MODE)
			text_printf(to, "http");
		else if (r->has[c])
			text_printf(to, "%" PRIu64, r->v[c]);
		text_add(to, STR(","));
	}
	text_add(to, STR("\n"));
}

static uint64_t get(const _Atomic uint64_t *v)
{
	return atomic_load_explicit(v, memory_order_relaxed);
}

static void server_row(struct row *r, const struct lb_pool *p, unsigned i, unsigned iid,
		       int64_t now_us)
{
	const struct server *s = p->servers[i];
	*r = (struct row){
		.pool = p->conf->name, .name = str_c(s->name), .status = server_status(s, now_us)};
	set(r, C_SCUR, get(&s->current));
	set(r, C_SMAX, atomic_load(&s->peak));
	set(r, C_STOT, get(&s->total));
	set(r, C_BIN, get(&s->bytes_in));
	set(r, C_BOUT, get(&s->bytes_out));
	set(r, C_ECON, get(&s->connect_errors));
	set(r, C_ERESP, get(&s->response_errors));
	set(r, C_WRETR, get(&s->retries));
	set(r, C_WREDIS, get(&s->redispatches));
	set(r, C_WEIGHT, p->conf_servers[i]->weight);
	set(r, C_ACT, 1);
	set(r, C_BCK, 0);
	set(r, C_CHKDOWN, atomic_load(&s->downs));
	set(r, C_LASTCHG, (uint64_t)MAX(clock_wall_s() - atomic_load(&s->changed_s), 0));
	set(r, C_PID, 1);
	set(r, C_IID, iid);
	set(r, C_SID, i + 1);
	set(r, C_LBTOT, get(&s->picks));
	set(r, C_TYPE, 2);
	set(r, C_2XX, get(&s->responses_2xx));
	set(r, C_3XX, get(&s->responses_3xx));
	set(r, C_4XX, get(&s->responses_4xx));
	set(r, C_5XX, get(&s->responses_5xx));
	set(r, C_OTHER, get(&s->responses_other));
	set(r, C_CONNECT, get(&s->connects));
	set(r, C_REUSE, get(&s->reuses));
}

static void sum_into(struct row *sum, const struct row *r)
{
	static const enum column summed[] = {
		C_SCUR,	 C_STOT, C_BIN, C_BOUT, C_ECON, C_ERESP, C_WRETR,   C_WREDIS, C_CHKDOWN,
		C_LBTOT, C_2XX,	 C_3XX, C_4XX,	C_5XX,	C_OTHER, C_CONNECT, C_REUSE};
	for (size_t i = 0; i < ARRAY_LEN(summed); i++)
		set(sum, summed[i], sum->v[summed[i]] + r->v[summed[i]]);
}

static unsigned count_up(const struct lb_pool *p)
{
	unsigned n = 0;
	for (unsigned i = 0; i < p->n; i++)
		n += server_up(p->servers[i]);
	return n;
}

static void pool_row(struct row *sum, const struct lb_pool *p, unsigned iid, int64_t now_us)
{
	struct row r;
	*sum = (struct row){.pool = p->conf->name,
			    .name = STR("BACKEND"),
			    .status = count_up(p) ? "UP" : "DOWN"};
	for (unsigned i = 0; i < p->n; i++) {
		server_row(&r, p, i, iid, now_us);
		sum_into(sum, &r);
	}
	set(sum, C_WEIGHT, count_up(p));
	set(sum, C_ACT, count_up(p));
	set(sum, C_BCK, 0);
	set(sum, C_PID, 1);
	set(sum, C_IID, iid);
	set(sum, C_SID, 0);
	set(sum, C_TYPE, 1);
	set(sum, C_REQ_TOT, sum->v[C_STOT]);
}

/* lbd counts per worker, not per frontend: all frontends' figures stand in the first one's row. */
static void frontend_row(struct row *r, struct str name, unsigned iid, const struct stats *s,
			 bool first)
{
	*r = (struct row){.pool = name, .name = STR("FRONTEND"), .status = "OPEN"};
	set(r, C_PID, 1);
	set(r, C_IID, iid);
	set(r, C_SID, 0);
	set(r, C_TYPE, 0);
	if (!first)
		return;
	set(r, C_SCUR, stats_value(s, 0, 0, STAT_clients));
	set(r, C_STOT, stats_value(s, 0, 0, STAT_connections));
	set(r, C_CONN_TOT, stats_value(s, 0, 0, STAT_connections));
	set(r, C_BIN, stats_value(s, 0, 0, STAT_bytes_in));
	set(r, C_BOUT, stats_value(s, 0, 0, STAT_bytes_out));
	set(r, C_EREQ, stats_value(s, 0, 0, STAT_refused));
	set(r, C_REQ_TOT, stats_value(s, 0, 0, STAT_requests));
	set(r, C_CLI_ABRT, stats_value(s, 0, 0, STAT_client_aborts));
	set(r, C_2XX, stats_value(s, 0, 0, STAT_responses_2xx));
	set(r, C_3XX, stats_value(s, 0, 0, STAT_responses_3xx));
	set(r, C_4XX, stats_value(s, 0, 0, STAT_responses_4xx));
	set(r, C_5XX, stats_value(s, 0, 0, STAT_responses_5xx));
}

/* Calls row() for everything, in HAProxy's order. */
static void each_row(const struct lb_config *c, const struct stats *stats, int64_t now_us,
		     void (*row)(struct text *to, const struct row *r), struct text *to)
{
	struct row r;
	unsigned iid = 1;
	bool first = true;
	for (unsigned i = 0; i < c->n_binds; i++) {
		bool again = i > 0 && str_eq(c->binds[i].frontend, c->binds[i - 1].frontend);
		if (!c->binds[i].pool || again)
			continue;
		frontend_row(&r, c->binds[i].frontend, iid++, stats, first);
		row(to, &r);
		first = false;
	}
	for (unsigned i = 0; i < c->n_pools; i++, iid++) {
		for (unsigned s = 0; s < c->pools[i].n; s++) {
			server_row(&r, &c->pools[i], s, iid, now_us);
			row(to, &r);
		}
		pool_row(&r, &c->pools[i], iid, now_us);
		row(to, &r);
	}
}

void stats_page_csv(struct text *to, const struct lb_config *c, const struct stats *stats,
		    int64_t now_us)
{
	text_add(to, str_c(csv_head));
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
		C_SCUR,	  C_SMAX,   C_STOT,    C_LBTOT, C_BIN, C_BOUT, C_ECON, C_ERESP,	  C_WRETR,
		C_WREDIS, C_WEIGHT, C_CHKDOWN, C_2XX,	C_3XX, C_4XX,  C_5XX,  C_CONNECT, C_REUSE};
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
		    stats_value(all_stats, 0, 0, STAT_requests),
		    stats_value(all_stats, 0, 0, STAT_connections),
		    stats_value(all_stats, 0, 0, STAT_clients),
		    stats_value(all_stats, 0, 0, STAT_refused));
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

/* An error with one more field. */
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
	const struct lb_config *c = conf_of(front_of(x)->base.gen);
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
