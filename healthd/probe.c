// SPDX-License-Identifier: MIT
/*
 * The frame around the kinds: one timer a probe is its deadline while it runs, and brings its
 * result to done() from the loop once it has ended. The deadline is set at the start and
 * nothing extends it.
 */
#include "probe.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "net/proxy_header.h"

static const struct probe_ops *const kinds[] = {
#define X(name) [PROBE_##name] = &probe_##name##_ops,
	PROBE_KINDS(X)
#undef X
};

const char *probe_kind_text(enum probe_kind kind)
{
	static const char *const names[] = {
#define X(name) [PROBE_##name] = #name,
		PROBE_KINDS(X)
#undef X
	};
	return names[kind];
}

bool probe_good(enum health_result result)
{
	return result == HEALTH_L4OK || result == HEALTH_L7OK;
}

bool probe_same(const struct probe_spec *a, const struct probe_spec *b)
{
	return a->kind == b->kind && addr_eq(&a->address, &b->address) &&
	       a->send_proxy == b->send_proxy && str_eq(a->method, b->method) &&
	       str_eq(a->path, b->path) && a->status_lo == b->status_lo &&
	       a->status_hi == b->status_hi && str_eq(a->user, b->user) &&
	       str_eq(a->password, b->password) && str_eq(a->database, b->database) &&
	       str_eq(a->query, b->query);
}

void probe_error_text(int error, char to[PROBE_REASON])
{
	const char *text = strerrordesc_np(error);
	if (!text)
		snprintf(to, PROBE_REASON, "error %d", error);
	else
		snprintf(to, PROBE_REASON, "%c%s", tolower((unsigned char)text[0]), text + 1);
}

bool probe_send_proxy(const struct probe *p, int fd, bool more)
{
	char header[PROXY_HEADER_ROOM];
	if (!p->spec->send_proxy)
		return true;
	size_t n = proxy_header_write(header, p->spec->send_proxy, NULL, NULL);
	return send(fd, header, n, MSG_NOSIGNAL | (more ? MSG_MORE : 0)) == (ssize_t)n;
}

static void set_timer(struct probe *p, double after_s)
{
	ev_timer_stop(p->env->loop, &p->limit);
	ev_timer_set(&p->limit, after_s, 0.);
	ev_timer_start(p->env->loop, &p->limit);
}

static void conclude(struct probe *p, enum health_result result, uint32_t code)
{
	p->result.result = result;
	p->result.code = code;
	p->result.latency_us = (uint32_t)(clock_now_us() - p->started_us);
	p->running = false;
	p->ops->stop(p);
}

void probe_end(struct probe *p, enum health_result result, uint32_t code, const char *fmt, ...)
{
	va_list ap;
	MAGIC_CHECK(p, PROBE_MAGIC);
	MUST(p->running);
	va_start(ap, fmt);
	vsnprintf(p->result.reason, sizeof(p->result.reason), fmt, ap);
	va_end(ap);
	str_sanitize(p->result.reason);
	conclude(p, result, code);
	set_timer(p, 0.);
}

static void on_limit(struct ev_loop *loop UNUSED, struct ev_timer *w, int events UNUSED)
{
	struct probe *p = container_of(w, struct probe, limit);
	MAGIC_CHECK(p, PROBE_MAGIC);
	if (p->running) {
		snprintf(p->result.reason, sizeof(p->result.reason), "no answer within %u ms",
			 p->spec->timeout_ms);
		conclude(p, p->ops->timeout_result(p), 0);
	}
	p->done(p, &p->result);
}

struct probe *probe_new(const struct probe_env *env, const struct probe_spec *spec,
			void (*done)(struct probe *p, const struct probe_result *r))
{
	const struct probe_ops *ops = kinds[spec->kind];
	struct probe *p = def_xcalloc(1, ops->size);
	MAGIC_SET(p, PROBE_MAGIC);
	p->ops = ops;
	p->env = env;
	p->spec = spec;
	p->done = done;
	ev_timer_init(&p->limit, on_limit, 0., 0.);
	ops->init(p);
	return p;
}

void probe_free(struct probe *p)
{
	if (!p)
		return;
	MAGIC_CHECK(p, PROBE_MAGIC);
	if (p->running)
		p->ops->stop(p);
	ev_timer_stop(p->env->loop, &p->limit);
	p->ops->fini(p);
	MAGIC_WIPE(p, PROBE_MAGIC);
	free(p);
}

/* A limit that has expired and is not served yet is not active any more. */
bool probe_is_busy(const struct probe *p)
{
	return p->running || ev_is_active(&p->limit) || ev_is_pending(&p->limit);
}

void probe_start(struct probe *p)
{
	MAGIC_CHECK(p, PROBE_MAGIC);
	MUST(!probe_is_busy(p));
	p->running = true;
	p->started_us = clock_now_us();
	p->result = (struct probe_result){0};
	ev_now_update(p->env->loop); /* the limit counts from now, not from the turn's begin */
	set_timer(p, p->spec->timeout_ms / 1e3);
	p->ops->start(p);
}
