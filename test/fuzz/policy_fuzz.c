// SPDX-License-Identifier: MIT
// TEST-OF: edge
/* What an origin says, through all that edged decides by it: "request fields\n\nresponse fields". */
#include <stdio.h>

#include "cond.h"
#include "http/parse.h"
#include "key.h"
#include "policy.h"
#include "vary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROOM 8192

static bool parse(struct http_head *h, char *text, const char *first, struct str fields,
		  bool response)
{
	struct http_limits limits = HTTP_LIMITS_DEFAULT;
	struct http_bad bad;
	size_t scanned = 0;
	int n = snprintf(text, ROOM, "%s", first);
	for (size_t i = 0; i < fields.n && n < ROOM - 8; i++) {
		if (fields.p[i] == '\n')
			text[n++] = '\r';
		text[n++] = fields.p[i];
	}
	n += snprintf(text + n, (size_t)(ROOM - n), "\r\n\r\n");
	struct str in = str_of(text, (size_t)n);
	return (response ? http_parse_response(h, in, &scanned, &limits, HTTP_GET, &bad)
			 : http_parse_request(h, in, &scanned, &limits, &bad)) == HTTP_PARSE_DONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char request_text[ROOM], response_text[ROOM];
	static struct http_head request, response;
	struct str all = str_of((const char *)data, size);
	ssize_t cut = str_find_str(all, STR("\n\n"));
	if (cut < 0)
		return 0;
	struct str of_request = str_of(all.p, (size_t)cut),
		   of_response = str_skip(all, (size_t)cut + 2);
	if (!parse(&request, request_text, "GET /x?y HTTP/1.1\r\nHost: H.test\r\n", of_request,
		   false) ||
	    !parse(&response, response_text, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n",
		   of_response, true))
		return 0;
	struct policy_conf conf = {.default_ttl_s = 120, .grace_s = 10, .keep_s = 60};
	struct freshness f;
	const char *why;
	if (policy_store(&conf, &request, &response, 1000000, 0, 784111777, &f, &why)) {
		policy_use(&f, 2000000);
		policy_use_on_error(&f, INT64_MAX / 2);
		MUST(policy_age_s(&f, 1000000) >= 0);
	}
	cond_not_modified(&request, &response, 784111777);
	struct arena a;
	arena_init(&a, NULL, 0, 1 << 20);
	struct str vary = vary_data(&a, &request, &response);
	MUST(vary.p &&
	     vary_match(vary, &request)); /* a stored response answers the request that made it */
	MUST(key_of(&a, &request).bytes.p);
	arena_fini(&a);
	return 0;
}
