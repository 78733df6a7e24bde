// SPDX-License-Identifier: MIT
/*
 * The head parser: find the end of the head, then walk its lines once.
 *
 * A head that is not complete is only searched for its end (from where the last search stopped) and measured
 * against the limits, so dripping bytes cost linear time. A bare LF can never be part of an acceptable head,
 * so it ends the search at once. When the end is there every byte is looked at once more: line by line through
 * 256-entry class tables, fields looked up by number, framing decided last, from the whole (RFC 9112 §6).
 *
 * What is refused beyond the RFC's demands has been used for request smuggling: bare LF and CR, obs-fold, two
 * Hosts, Content-Length beside Transfer-Encoding, a Transfer-Encoding other than exactly "chunked", control
 * bytes anywhere, white space before a colon.
 */
#include "http/parse.h"

#define NOMINATED_MAX 32 /* field names in Connection; browsers send one at most */

/* Classes of bytes. */
enum { TCHAR = 1, TARGET = 2, VALUE = 4, AUTH = 8 };

static const uint8_t class[256] = {
	/* tchar (RFC 9110 §5.6.2): "!#$%&'*+-.^_`|~" digits letters. Target: printable ASCII less those that no
	 * URI holds and that logs, shells and pages misread: " < > \ ^ ` { | } and #; but | ^ { } ` pass, since
	 * browsers send them in queries. Value: anything but controls; tab is fine. Authority: reg-name, IPv6, port. */
	['\t'] = VALUE,
	[' '] = VALUE,
	['!'] = TCHAR | TARGET | VALUE | AUTH,
	['"'] = VALUE,
	['#'] = TCHAR | VALUE,
	['$'] = TCHAR | TARGET | VALUE | AUTH,
	['%'] = TCHAR | TARGET | VALUE | AUTH,
	['&'] = TCHAR | TARGET | VALUE | AUTH,
	['\''] = TCHAR | TARGET | VALUE | AUTH,
	['('] = TARGET | VALUE | AUTH,
	[')'] = TARGET | VALUE | AUTH,
	['*'] = TCHAR | TARGET | VALUE | AUTH,
	['+'] = TCHAR | TARGET | VALUE | AUTH,
	[','] = TARGET | VALUE,
	['-'] = TCHAR | TARGET | VALUE | AUTH,
	['.'] = TCHAR | TARGET | VALUE | AUTH,
	['/'] = TARGET | VALUE,
	['0' ... '9'] = TCHAR | TARGET | VALUE | AUTH,
	[':'] = TARGET | VALUE | AUTH,
	[';'] = TARGET | VALUE | AUTH,
	['<'] = VALUE,
	['='] = TARGET | VALUE | AUTH,
	['>'] = VALUE,
	['?'] = TARGET | VALUE,
	['@'] = TARGET | VALUE,
	['A' ... 'Z'] = TCHAR | TARGET | VALUE | AUTH,
	['['] = TARGET | VALUE | AUTH,
	['\\'] = VALUE,
	[']'] = TARGET | VALUE | AUTH,
	['^'] = TCHAR | TARGET | VALUE,
	['_'] = TCHAR | TARGET | VALUE | AUTH,
	['`'] = TCHAR | TARGET | VALUE,
	['a' ... 'z'] = TCHAR | TARGET | VALUE | AUTH,
	['{'] = TARGET | VALUE,
	['|'] = TCHAR | TARGET | VALUE,
	['}'] = TARGET | VALUE,
	['~'] = TCHAR | TARGET | VALUE | AUTH,
	[0x80 ... 0xff] = VALUE,
};

static bool all_of(struct str s, uint8_t wanted)
{
	for (size_t i = 0; i < s.n; i++)
		if (!(class[(unsigned char)s.p[i]] & wanted))
			return false;
	return true;
}

#define EACH_BYTE(b) (UINT64_C(0x0101010101010101) * (b))

/* Does a byte of the word lie below ' ' or equal DEL? Eight at once; exact, whatever the byte order. */
static bool has_control(uint64_t word)
{
	uint64_t del = word ^ EACH_BYTE(0x7f);
	uint64_t low = (word - EACH_BYTE(' ')) & ~word;
	uint64_t zero = (del - EACH_BYTE(1)) & ~del;
	return (low | zero) & EACH_BYTE(0x80);
}

/* all_of(s, VALUE), which most bytes of a head are looked at for. */
static bool good_value(struct str s)
{
	for (uint64_t word; s.n >= sizeof(word); s = str_skip(s, sizeof(word))) {
		memcpy(&word, s.p, sizeof(word));
		if (has_control(word) && !all_of(str_of(s.p, sizeof(word)), VALUE))
			return false;
	}
	return all_of(s, VALUE);
}

static enum http_parse refuse(struct http_bad *bad, uint16_t status, const char *reason)
{
	*bad = (struct http_bad){.status = status, .reason = reason};
	return HTTP_PARSE_BAD;
}

/* ---- finding the end of the head */

static enum http_parse too_large(struct str in, size_t size, const struct http_limits *limits,
				 bool request, struct http_bad *bad)
{
	const char *eol = memchr(in.p, '\n', in.n);
	size_t first = eol ? (size_t)(eol - in.p) : in.n;
	if (request && first > (size_t)limits->line + 1)
		return refuse(bad, 414, "request line too long");
	if (size > limits->head)
		return refuse(bad, 431, "head too large");
	return HTTP_PARSE_MORE;
}

/* first: of the head's own first line, not of a field. */
static enum http_parse long_line(bool request, bool first, struct http_bad *bad)
{
	if (request && first)
		return refuse(bad, 414, "request line too long");
	return refuse(bad, 431, first ? "status line too long" : "field line too long");
}

/*
 * Sets *size to the length of the head, blank line included. *scanned is kept at the start of the last line
 * begun, so each byte is searched once, and a line that grows without end is measured from its start.
 */
static enum http_parse find_end(struct str in, size_t *scanned, const struct http_limits *limits,
				bool request, size_t *size, struct http_bad *bad)
{
	size_t line = *scanned;
	for (;;) {
		const char *lf = line < in.n ? memchr(in.p + line, '\n', in.n - line) : NULL;
		if (!lf)
			break;
		size_t at = (size_t)(lf - in.p);
		if (at == 0 || in.p[at - 1] != '\r')
			return refuse(bad, 400, "bare LF");
		if (at - line > (size_t)limits->line + 1)
			return long_line(request, line == 0, bad);
		if (at - line == 1) {
			*size = at + 1;
			return too_large(in, *size, limits, request, bad);
		}
		line = at + 1;
	}
	*scanned = line;
	if (in.n - line > (size_t)limits->line + 1)
		return long_line(request, line == 0, bad);
	return too_large(in, in.n, limits, request, bad);
}

/* Cuts the next CRLF-ended line off *rest; the caller knows that there is one. False: a bare CR inside. */
static bool next_line(struct str *rest, struct str *line)
{
	const char *lf = memchr(rest->p, '\n', rest->n);
	MUST(lf && lf > rest->p);
	*line = str_of(rest->p, (size_t)(lf - rest->p) - 1);
	*rest = str_skip(*rest, line->n + 2);
	return !memchr(line->p, '\r', line->n);
}

/* ---- field lines */

static enum http_parse add_field(struct http_head *h, struct str line,
				 const struct http_limits *limits, struct http_bad *bad)
{
	if (line.n > limits->line)
		return refuse(bad, 431, "field line too long");
	if (h->count == MIN(limits->fields, HTTP_FIELDS_MAX))
		return refuse(bad, 431, "too many fields");
	if (line.p[0] == ' ' || line.p[0] == '\t')
		return refuse(bad, 400, "folded field line");
	size_t n = 0;
	while (n < line.n && (class[(unsigned char)line.p[n]] & TCHAR))
		n++;
	if (n == line.n)
		return refuse(bad, 400, "field line without a colon");
	if (line.p[n] != ':')
		return refuse(bad, 400,
			      line.p[n] == ' ' || line.p[n] == '\t' ? "space before colon"
								    : "bad field name");
	if (n == 0)
		return refuse(bad, 400, "empty field name");
	struct str value = str_trim(str_skip(line, n + 1));
	if (!good_value(value))
		return refuse(bad, 400, "control byte in field value");
	struct http_field *f = &h->fields[h->count++];
	f->name = str_of(line.p, n);
	f->value = value;
	f->id = (uint8_t)http_field_of(f->name);
	f->hop = false;
	if (f->id && !h->first[f->id])
		h->first[f->id] = (uint8_t)h->count;
	return HTTP_PARSE_DONE;
}

/* Names that Connection lists, beyond those that are of one connection anyway. */
struct nominated {
	unsigned n;
	struct {
		struct str name;
		uint32_t hash;
	} v[NOMINATED_MAX];
};

/* Of a name in lower case (FNV-1a). */
static uint32_t hash_name(struct str name)
{
	uint32_t hash = 2166136261u;
	for (size_t i = 0; i < name.n; i++)
		hash = (hash ^ (unsigned char)str_lower_char(name.p[i])) * 16777619u;
	return hash;
}

static enum http_parse nominate(struct nominated *list, struct str name, struct http_bad *bad)
{
	enum http_field_id id = http_field_of(name);
	if (id == HTTP_F_HOST || id == HTTP_F_CONTENT_LENGTH || id == HTTP_F_TRANSFER_ENCODING)
		return refuse(bad, 400, "Connection names a framing field");
	if (http_field_is_hop(id))
		return HTTP_PARSE_DONE;
	if (list->n == NOMINATED_MAX)
		return refuse(bad, 400, "too many connection options");
	list->v[list->n].name = name;
	list->v[list->n++].hash = hash_name(name);
	return HTTP_PARSE_DONE;
}

/*
 * A field that Connection names is of this connection only, whatever it is called (RFC 9110 §7.6.1). Names are
 * compared by number first, so that this costs one look at each byte however long and alike they are.
 */
static void mark_nominated(struct http_head *h, const struct nominated *list)
{
	for (unsigned i = 0; list->n && i < h->count; i++) {
		struct http_field *f = &h->fields[i];
		uint32_t hash = hash_name(f->name);
		for (unsigned k = 0; k < list->n && !f->hop; k++)
			f->hop = list->v[k].hash == hash && str_eq_nocase(list->v[k].name, f->name);
	}
}

static enum http_parse read_connection(struct http_head *h, struct http_bad *bad)
{
	bool keep_alive = false, close = false, upgrade = false;
	struct nominated list;
	const struct http_field *f;
	list.n = 0;
	for (unsigned i = 0; (f = http_next(h, HTTP_F_CONNECTION, &i));) {
		struct str rest = f->value, token;
		while (str_list_next(&rest, &token)) {
			if (str_eq_nocase(token, STR("close")))
				close = true;
			else if (str_eq_nocase(token, STR("keep-alive")))
				keep_alive = true;
			else if (str_eq_nocase(token, STR("upgrade")))
				upgrade = true;
			else if (nominate(&list, token, bad) != HTTP_PARSE_DONE)
				return HTTP_PARSE_BAD;
		}
	}
	mark_nominated(h, &list);
	for (unsigned i = 0; i < h->count; i++)
		if (http_field_is_hop((enum http_field_id)h->fields[i].id))
			h->fields[i].hop = true;
	h->close = close || (h->minor == 0 && !keep_alive);
	h->upgrade = upgrade && http_has(h, HTTP_F_UPGRADE);
	return HTTP_PARSE_DONE;
}

/* Content-Length (RFC 9110 §8.6): digits; several are accepted only when all say the same. */
static const char *read_length(const struct http_head *h, bool *there, uint64_t *length)
{
	const struct http_field *f;
	*there = false;
	for (unsigned i = 0; (f = http_next(h, HTTP_F_CONTENT_LENGTH, &i));) {
		struct str rest = f->value, one;
		do {
			uint64_t v;
			if (!str_split(&rest, ',', &one) ||
			    !str_to_u64(str_trim(one), INT64_MAX, &v))
				return "bad Content-Length";
			if (*there && v != *length)
				return "two Content-Length values";
			*there = true;
			*length = v;
		} while (rest.p);
	}
	return NULL;
}

/* ---- requests */

static bool good_authority(struct str s)
{
	if (!all_of(s, AUTH))
		return false;
	struct str host = s;
	ssize_t bracket = str_find(s, ']');
	struct str port = bracket >= 0 ? str_skip(s, (size_t)bracket + 1) : s;
	ssize_t colon = str_find(port, ':');
	if (bracket < 0 && (colon == 0 || str_find(s, '[') >= 0))
		return false;
	if (bracket >= 0 && (s.p[0] != '[' || (port.n && port.p[0] != ':')))
		return false;
	if (colon < 0)
		return host.n > 0 && (bracket < 0 || bracket > 1);
	uint64_t v;
	struct str digits = str_skip(port, (size_t)colon + 1);
	return digits.n == 0 || str_to_u64(digits, 65535, &v);
}

/* The request target's form must fit the method (RFC 9112 §3.2); absolute-form is taken apart. */
static enum http_parse read_target(struct http_head *h, struct str target, struct http_bad *bad)
{
	if (target.n == 0 || !all_of(target, TARGET))
		return refuse(bad, 400, "bad byte in request target");
	h->target = target;
	if (h->method == HTTP_CONNECT)
		return refuse(bad, 501, "CONNECT is not supported");
	if (target.p[0] == '/')
		return HTTP_PARSE_DONE;
	if (str_eq(target, STR("*")))
		return h->method == HTTP_OPTIONS ? HTTP_PARSE_DONE
						 : refuse(bad, 400, "target * without OPTIONS");
	size_t skip = str_starts_nocase(target, STR("http://"))	   ? 7
		      : str_starts_nocase(target, STR("https://")) ? 8
								   : 0;
	if (!skip)
		return refuse(bad, 400, "bad request target");
	struct str rest = str_skip(target, skip);
	size_t n = 0;
	while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
		n++;
	h->authority = str_of(rest.p, n);
	if (!good_authority(h->authority))
		return refuse(bad, 400, "bad authority in request target");
	h->target = str_skip(rest, n);
	if (h->target.n && h->target.p[0] == '?')
		return refuse(bad, 400, "absolute target without a path");
	if (h->target.n == 0)
		h->target = h->method == HTTP_OPTIONS ? STR("*") : STR("/");
	return HTTP_PARSE_DONE;
}

static enum http_parse read_version(struct http_head *h, struct str v, struct http_bad *bad)
{
	bool shape = v.n == 8 && memcmp(v.p, "HTTP/", 5) == 0 && v.p[5] >= '0' && v.p[5] <= '9' &&
		     v.p[6] == '.' && v.p[7] >= '0' && v.p[7] <= '9';
	if (!shape)
		return refuse(bad, 400, "bad HTTP version");
	if (v.p[5] != '1')
		return refuse(bad, 505, "HTTP version not supported");
	h->minor = v.p[7] == '0' ? 0 : 1;
	return HTTP_PARSE_DONE;
}

static enum http_parse read_request_line(struct http_head *h, struct str line,
					 const struct http_limits *limits, struct http_bad *bad)
{
	if (line.n > limits->line)
		return refuse(bad, 414, "request line too long");
	struct str rest = line, method, target;
	bool three = str_split(&rest, ' ', &method) && str_split(&rest, ' ', &target) && rest.p;
	if (!three)
		return refuse(bad, 400, "bad request line");
	if (method.n == 0 || !all_of(method, TCHAR))
		return refuse(bad, 400, "bad method");
	h->method_text = method;
	h->method = http_method_of(method);
	enum http_parse r = read_version(h, rest, bad);
	return r == HTTP_PARSE_DONE ? read_target(h, target, bad) : r;
}

static enum http_parse read_host(struct http_head *h, struct http_bad *bad)
{
	unsigned i = 0;
	const struct http_field *host = http_next(h, HTTP_F_HOST, &i);
	if (!host)
		return h->minor == 0 ? HTTP_PARSE_DONE : refuse(bad, 400, "no Host");
	if (http_next(h, HTTP_F_HOST, &i))
		return refuse(bad, 400, "two Host fields");
	if (!good_authority(host->value))
		return refuse(bad, 400, "bad Host");
	if (h->authority.n && !str_eq_nocase(h->authority, host->value))
		return refuse(bad, 400, "Host differs from request target");
	h->authority = host->value;
	return HTTP_PARSE_DONE;
}

static enum http_parse request_framing(struct http_head *h, struct http_bad *bad)
{
	bool has_length;
	const char *why = read_length(h, &has_length, &h->length);
	if (why)
		return refuse(bad, 400, why);
	h->body = has_length && h->length ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
	if (!http_has(h, HTTP_F_TRANSFER_ENCODING))
		return HTTP_PARSE_DONE;
	if (has_length)
		return refuse(bad, 400, "Content-Length with Transfer-Encoding");
	if (h->minor == 0)
		return refuse(bad, 400, "Transfer-Encoding in HTTP/1.0");
	unsigned i = 0;
	const struct http_field *te = http_next(h, HTTP_F_TRANSFER_ENCODING, &i);
	if (http_next(h, HTTP_F_TRANSFER_ENCODING, &i))
		return refuse(bad, 400, "two Transfer-Encoding fields");
	if (!str_eq_nocase(te->value, STR("chunked")))
		return refuse(bad, 501, "unknown Transfer-Encoding");
	h->body = HTTP_BODY_CHUNKED;
	return HTTP_PARSE_DONE;
}

static enum http_parse read_expect(struct http_head *h, struct http_bad *bad)
{
	if (!http_has(h, HTTP_F_EXPECT))
		return HTTP_PARSE_DONE;
	if (!str_eq_nocase(http_get(h, HTTP_F_EXPECT), STR("100-continue")))
		return refuse(bad, 417, "unknown expectation");
	h->expect_continue = h->minor == 1 && h->body != HTTP_BODY_NONE;
	return HTTP_PARSE_DONE;
}

/* Everything of a head but its field array: 4 KB that need no clearing for each message. */
static void clear(struct http_head *h)
{
	memset(h, 0, offsetof(struct http_head, fields));
}

static enum http_parse read_fields(struct http_head *h, struct str rest,
				   const struct http_limits *limits, struct http_bad *bad)
{
	struct str line;
	for (;;) {
		if (!next_line(&rest, &line))
			return refuse(bad, 400, "bare CR");
		if (line.n == 0)
			return HTTP_PARSE_DONE;
		enum http_parse r = add_field(h, line, limits, bad);
		if (r != HTTP_PARSE_DONE)
			return r;
	}
}

/* Length of the empty lines before the request line, at most two (RFC 9112 §2.2 asks for one). */
static size_t leading_lines(struct str in)
{
	size_t n = 0;
	while (n < 4 && in.n - n >= 2 && in.p[n] == '\r' && in.p[n + 1] == '\n')
		n += 2;
	return n;
}

enum http_parse http_parse_request(struct http_head *head, struct str in, size_t *scanned,
				   const struct http_limits *limits, struct http_bad *bad)
{
	size_t skip = leading_lines(in), size;
	if (in.n - skip == 0 || (in.n - skip == 1 && in.p[skip] == '\r' && skip < 4))
		return HTTP_PARSE_MORE;
	struct str msg = str_skip(in, skip);
	size_t hint = *scanned > skip ? *scanned - skip : 0;
	enum http_parse r = HTTP_PARSE_DONE;
	/* What cannot be a method (a TLS hello, which may have no line end) is refused at its first bytes. */
	if (!(class[(unsigned char)msg.p[0]] & TCHAR))
		return refuse(bad, 400, "bad method");
	size = 0;
	r = find_end(msg, &hint, limits, true, &size, bad);
	*scanned = hint + skip;
	if (r == HTTP_PARSE_BAD || size == 0)
		return r;

	clear(head);
	head->size = (uint32_t)(size + skip);
	struct str rest = str_of(msg.p, size), line;
	if (!next_line(&rest, &line))
		return refuse(bad, 400, "bare CR");
	r = read_request_line(head, line, limits, bad);
	if (r == HTTP_PARSE_DONE)
		r = read_fields(head, rest, limits, bad);
	if (r == HTTP_PARSE_DONE)
		r = read_host(head, bad);
	if (r == HTTP_PARSE_DONE)
		r = request_framing(head, bad);
	if (r == HTTP_PARSE_DONE)
		r = read_connection(head, bad);
	return r == HTTP_PARSE_DONE ? read_expect(head, bad) : r;
}

/* ---- responses: the same strictness about framing, and every refusal is a 502 */

static enum http_parse read_status_line(struct http_head *h, struct str line, struct http_bad *bad)
{
	struct str rest = line, version, code;
	if (!str_split(&rest, ' ', &version) || !str_split(&rest, ' ', &code))
		return refuse(bad, 502, "bad status line");
	if (read_version(h, version, bad) != HTTP_PARSE_DONE)
		return refuse(bad, 502, "bad HTTP version in response");
	uint64_t status;
	if (code.n != 3 || !str_to_u64(code, 999, &status) || status < 100)
		return refuse(bad, 502, "bad status code");
	h->status = (uint16_t)status;
	h->reason = rest.p ? rest : STR("");
	return all_of(h->reason, VALUE) ? HTTP_PARSE_DONE
					: refuse(bad, 502, "control byte in reason");
}

static enum http_parse response_framing(struct http_head *h, enum http_method method,
					struct http_bad *bad)
{
	bool has_length;
	const char *why = read_length(h, &has_length, &h->length);
	if (why)
		return refuse(bad, 502, why);
	bool bodyless = h->status < 200 || h->status == 204 || h->status == 304 ||
			method == HTTP_HEAD;
	h->body = bodyless     ? HTTP_BODY_NONE
		  : has_length ? (h->length ? HTTP_BODY_LENGTH : HTTP_BODY_NONE)
			       : HTTP_BODY_CLOSE;
	if (!http_has(h, HTTP_F_TRANSFER_ENCODING))
		return HTTP_PARSE_DONE;
	if (has_length)
		return refuse(bad, 502, "Content-Length with Transfer-Encoding");
	unsigned i = 0;
	const struct http_field *te = http_next(h, HTTP_F_TRANSFER_ENCODING, &i);
	if (http_next(h, HTTP_F_TRANSFER_ENCODING, &i) || !str_eq_nocase(te->value, STR("chunked")))
		return refuse(bad, 502, "unknown Transfer-Encoding");
	if (h->minor == 0)
		return refuse(bad, 502, "Transfer-Encoding in HTTP/1.0");
	if (!bodyless)
		h->body = HTTP_BODY_CHUNKED;
	return HTTP_PARSE_DONE;
}

enum http_parse http_parse_response(struct http_head *head, struct str in, size_t *scanned,
				    const struct http_limits *limits,
				    enum http_method request_method, struct http_bad *bad)
{
	size_t size = 0;
	enum http_parse r = in.n ? find_end(in, scanned, limits, false, &size, bad)
				 : HTTP_PARSE_MORE;
	if (r != HTTP_PARSE_BAD && size == 0)
		return r;
	if (r != HTTP_PARSE_BAD) {
		clear(head);
		head->size = (uint32_t)size;
		struct str rest = str_of(in.p, size), line;
		if (!next_line(&rest, &line))
			return refuse(bad, 502, "bare CR");
		r = read_status_line(head, line, bad);
		if (r == HTTP_PARSE_DONE)
			r = read_fields(head, rest, limits, bad);
		if (r == HTTP_PARSE_DONE)
			r = response_framing(head, request_method, bad);
		if (r == HTTP_PARSE_DONE)
			r = read_connection(head, bad);
	}
	if (r == HTTP_PARSE_BAD)
		bad->status = 502;
	else if (head->body == HTTP_BODY_CLOSE)
		head->close = true;
	return r;
}
