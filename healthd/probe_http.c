// SPDX-License-Identifier: MIT
/*
 * One request on a connection of its own, so that the way a new client goes is what is tried. The
 * path goes out byte for byte as configured, redirections are not followed, no proxy of the
 * environment is asked. Of a body at most BODY_MAX bytes are read: by then the status has decided.
 *
 * libcurl's own PROXY header is of version 1 only. So ours is written between connecting and the request, to the
 * socket that libcurl was given.
 */
#include <errno.h>
#include <sys/socket.h>

#include "curl_loop.h"
#include "probe.h"

#define BODY_MAX (64u << 10)

struct http {
	struct probe probe;
	struct curl_call call;
	struct curl_slist *fields;
	size_t body; /* bytes seen */
	int fd;	     /* libcurl's; with send_proxy only */
};

static struct http *http_of(struct probe *p)
{
	MAGIC_CHECK(p, PROBE_MAGIC);
	return container_of(p, struct http, probe);
}

/* ---- what came of it */

static long status_of(const struct http *h)
{
	long status = 0;
	curl_easy_getinfo(h->call.easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static bool connected(const struct http *h)
{
	curl_off_t us = 0;

	curl_easy_getinfo(h->call.easy, CURLINFO_CONNECT_TIME_T, &us);
	return us > 0;
}

static void end_by_status(struct http *h, long status)
{
	const struct probe_spec *spec = h->probe.spec;
	bool good = status >= (long)spec->status_lo && status <= (long)spec->status_hi;
	probe_end(&h->probe, good ? HEALTH_L7OK : HEALTH_L7STS, (uint32_t)status, "status %ld",
		  status);
}

static void end_unconnected(struct http *h)
{
	char reason[PROBE_REASON];
	long error = 0;
	curl_easy_getinfo(h->call.easy, CURLINFO_OS_ERRNO, &error);
	probe_error_text(error ? (int)error : ECONNREFUSED, reason);
	probe_end(&h->probe, error == ETIMEDOUT ? HEALTH_L4TOUT : HEALTH_L4CON, 0, "%s", reason);
}

static void on_done(struct curl_call *call, CURLcode code)
{
	struct http *h = container_of(call, struct http, call);
	struct probe *p = &h->probe;
	MAGIC_CHECK(p, PROBE_MAGIC);
	long status = status_of(h);
	if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && h->body > BODY_MAX))
		end_by_status(h, status);
	else if (code == CURLE_COULDNT_CONNECT)
		end_unconnected(h);
	else if (code == CURLE_OPERATION_TIMEDOUT)
		probe_end(p, p->ops->timeout_result(p), 0, "no answer within %u ms",
			  p->spec->timeout_ms);
	else if (code == CURLE_OUT_OF_MEMORY || code == CURLE_FAILED_INIT)
		probe_end(p, HEALTH_SOCKERR, 0, "%s", curl_easy_strerror(code));
	else if (code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR ||
		 code == CURLE_SEND_ERROR || code == CURLE_ABORTED_BY_CALLBACK)
		probe_end(p, HEALTH_L7RSP, 0, "connection closed without an answer");
	else if (code == CURLE_PARTIAL_FILE)
		probe_end(p, HEALTH_L7RSP, (uint32_t)status, "the answer is cut short");
	else
		probe_end(p, HEALTH_L7RSP, 0, "not an HTTP answer: %s", curl_easy_strerror(code));
}

/* ---- the request */

static size_t take_body(char *bytes UNUSED, size_t size, size_t n, void *arg)
{
	struct http *h = arg;
	MAGIC_CHECK(&h->probe, PROBE_MAGIC);
	h->body += size * n;
	return h->body > BODY_MAX ? 0 : size * n;
}

static void set_target(CURL *easy, const struct probe_spec *spec)
{
	char where[ADDR_TEXT_SIZE], url[ADDR_TEXT_SIZE + 16];
	snprintf(url, sizeof(url), "http://%s/", addr_format(&spec->address, where));
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, spec->path.p);
	if (str_eq(spec->method, STR("HEAD")))
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	else
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, spec->method.p);
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose UNUSED, struct curl_sockaddr *a)
{
	struct http *h = arg;
	MAGIC_CHECK(&h->probe, PROBE_MAGIC);
	h->fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
	return h->fd;
}

static int begin(void *arg, char *ip UNUSED, char *own_ip UNUSED, int port UNUSED,
		 int own_port UNUSED)
{
	const struct http *h = arg;
	MAGIC_CHECK(&h->probe, PROBE_MAGIC);
	return probe_send_proxy(&h->probe, h->fd, true) ? CURL_PREREQFUNC_OK
							: CURL_PREREQFUNC_ABORT;
}

static void set_proxy_header(struct http *h)
{
	CURL *easy = h->call.easy;
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, h);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, begin);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, h);
}

static void http_init(struct probe *p)
{
	struct http *h = http_of(p);
	CURL *easy = curl_easy_init();
	MUST(easy);
	h->call = (struct curl_call){.easy = easy, .done = on_done};
	h->fields = curl_slist_append(NULL, "Connection: close");
	set_target(easy, p->spec);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, h->fields);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "GreenPi-healthd");
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 4096L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)p->spec->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)p->spec->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, h);
	if (p->spec->send_proxy)
		set_proxy_header(h);
}

static void http_start(struct probe *p)
{
	struct http *h = http_of(p);
	struct err e;
	h->body = 0;
	if (curl_loop_add(p->env->curl, &h->call, &e) < 0)
		probe_end(p, HEALTH_SOCKERR, 0, "%s", e.text);
}

static void http_stop(struct probe *p)
{
	curl_loop_remove(&http_of(p)->call);
}

static void http_fini(struct probe *p)
{
	struct http *h = http_of(p);
	curl_easy_cleanup(h->call.easy);
	curl_slist_free_all(h->fields);
}

static enum health_result http_timeout_result(struct probe *p)
{
	return connected(http_of(p)) ? HEALTH_L7TOUT : HEALTH_L4TOUT;
}

const struct probe_ops probe_http_ops = {
	.size = sizeof(struct http),
	.init = http_init,
	.start = http_start,
	.stop = http_stop,
	.fini = http_fini,
	.timeout_result = http_timeout_result,
};
