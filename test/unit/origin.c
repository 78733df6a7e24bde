// SPDX-License-Identifier: MIT
#include "origin.h"

#include <stdio.h>
#include <sys/socket.h>

#include "http/body.h"
#include "net/sock.h"

#define BUFFER (1u << 20)

void origin_say(struct origin_call *c, const char *text)
{
	unit_send_all(c->fd, text, strlen(text));
}

void origin_reply(struct origin_call *c, const char *status, const char *fields, struct str body)
{
	char head[1024];
	snprintf(head, sizeof(head), "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n", status, fields,
		 body.n);
	origin_say(c, head);
	if (c->head->method != HTTP_HEAD)
		unit_send_all(c->fd, body.p, body.n);
}

void origin_wait(struct origin_call *c)
{
	for (int i = 0; i < 5000 && !c->origin->gate; i++)
		usleep(1000);
}

struct conn {
	struct origin *origin;
	int fd;
};

/* One request, its body taken out of its framing. False: the client went. */
static bool serve_one(struct conn *k, char *mem, struct http_head *head)
{
	struct http_limits limits = {.line = 16000, .head = 16000, .fields = HTTP_FIELDS_MAX};
	struct http_bad bad;
	size_t n = 0, scanned = 0, payload, used;
	enum http_parse got;
	while ((got = http_parse_request(head, str_of(mem, n), &scanned, &limits, &bad)) ==
	       HTTP_PARSE_MORE) {
		ssize_t r = recv(k->fd, mem + n, BUFFER - n, 0);
		if (r <= 0)
			return false;
		n += (size_t)r;
	}
	MUST(got == HTTP_PARSE_DONE);
	struct http_body b;
	char *body = mem + head->size, *at = body;
	http_body_init(&b, head->body, head->length);
	http_body_take(&b, at, n - head->size, &payload, &used);
	at += payload;
	while (b.state == HTTP_BODY_MORE) {
		ssize_t r = recv(k->fd, at, BUFFER - (size_t)(at - mem), 0);
		if (r <= 0)
			return false;
		http_body_take(&b, at, (size_t)r, &payload, &used);
		at += payload;
	}
	struct origin_call c = {.origin = k->origin,
				.fd = k->fd,
				.head = head,
				.body = str_of(body, (size_t)(at - body)),
				.close = head->close};
	k->origin->calls++;
	k->origin->answer(&c);
	return !c.close;
}

static void *conn_main(void *arg)
{
	struct conn *k = arg;
	char *mem = def_xmalloc(BUFFER);
	struct http_head *head = def_xmalloc(sizeof(*head));
	while (serve_one(k, mem, head))
		;
	shutdown(k->fd, SHUT_RDWR); /* closed by origin_stop(), which may still name it */
	free(head);
	free(mem);
	free(k);
	return NULL;
}

static void *accept_main(void *arg)
{
	struct origin *o = arg;
	for (;;) {
		int fd = accept4(o->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			return NULL;
		MUST(o->n < ORIGIN_CONNS);
		struct conn *k = def_xmalloc(sizeof(*k));
		*k = (struct conn){.origin = o, .fd = fd};
		o->fds[o->n] = fd;
		MUST0(pthread_create(&o->threads[o->n], NULL, conn_main, k));
		o->n++;
	}
}

void origin_start(struct origin *o, void (*answer)(struct origin_call *c))
{
	struct addr loopback;
	struct err e;
	memset(o, 0, sizeof(*o));
	o->answer = answer;
	MUST(addr_parse(&loopback, STR("127.0.0.1:1"), 0, &e) == 0);
	addr_set_port(&loopback, 0);
	o->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	MUST(o->fd >= 0 && bind(o->fd, &loopback.sa, loopback.len) == 0 && listen(o->fd, 64) == 0);
	MUST(sock_local(o->fd, &o->addr) == 0);
	MUST0(pthread_create(&o->thread, NULL, accept_main, o));
}

void origin_stop(struct origin *o)
{
	o->gate = true;
	shutdown(o->fd, SHUT_RDWR);
	MUST0(pthread_join(o->thread, NULL));
	close(o->fd);
	for (int i = 0; i < o->n; i++)
		shutdown(o->fds[i], SHUT_RDWR);
	for (int i = 0; i < o->n; i++) {
		MUST0(pthread_join(o->threads[i], NULL));
		close(o->fds[i]);
	}
}
