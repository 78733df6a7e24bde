// SPDX-License-Identifier: MIT
/*
 * health.shm: what healthd knows of every target, one record each. healthd writes; lbd, vipd and greenpictl read.
 * When a verdict changes, healthd also sends an event line on its control socket, so that readers need not poll.
 */
#ifndef IPC_HEALTH_H
#define IPC_HEALTH_H

#include "ipc/shmem.h"

#define HEALTH_MAGIC	0x47504845u /* GPHE */
#define HEALTH_LAYOUT	1u
#define HEALTH_MAX	256
#define HEALTH_FILE	"health.shm"
#define HEALTH_STALE_US INT64_C(3000000) /* healthd's heartbeat comes every 500 ms */

enum health_state { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN };

/* X(NAME): the results of one probe, in HAProxy's words. */
#define HEALTH_RESULTS(X)                                                                          \
	X(INI) X(L4OK) X(L4CON) X(L4TOUT) X(L7OK) X(L7STS) X(L7RSP) X(L7TOUT) X(SOCKERR)

enum health_result {
#define X(name) HEALTH_##name,
	HEALTH_RESULTS(X)
#undef X
};

/* "edges/web1" for a server of a pool, "check/origin" for a [check]. */
struct health_record {
	uint64_t seq; /* private: see shmem_record_read() */
	char name[64];
	int64_t since_s;   /* wall clock of the last change of state */
	int64_t checked_s; /* wall clock of the last probe's end, 0: none yet */
	uint32_t state;	   /* enum health_state */
	uint32_t result;   /* enum health_result of the last probe */
	uint32_t code;	   /* HTTP status or database error number, 0: none */
	uint32_t latency_us;
	uint32_t health, rise, fall; /* HAProxy's counter: up iff health >= rise */
	uint32_t changes;	     /* of state, since healthd knows the target */
	char reason[104];	     /* "connection refused" */
};
_Static_assert(sizeof(struct health_record) == 224, "fixed layout, whole words");
_Static_assert(offsetof(struct health_record, reason) == 120, "fixed layout");

const char *health_state_text(unsigned state);
const char *health_result_text(unsigned result);

/* ---- healthd */
struct health_table {
	struct shmem shmem;
	unsigned count;
};

/* A new table of count (at most HEALTH_MAX) records, all zero, at path at once. */
int health_create(struct health_table *t, const char *path, unsigned count, struct err *e);
void health_put(struct health_table *t, unsigned index, const struct health_record *r);
void health_fini(struct health_table *t); /* the file stays: verdicts are kept, and grow stale */

/* ---- readers */
struct health_view {
	struct shmem shmem;
	unsigned count; /* ro */
};

int health_open(struct health_view *v, const char *path, struct err *e);
/* Attaches again if healthd made a new table; keeps the old one if there is none. */
void health_refresh(struct health_view *v, const char *path);
void health_close(struct health_view *v);
bool health_get(const struct health_view *v, unsigned index, struct health_record *r);
bool health_find(const struct health_view *v, const char *name, struct health_record *r);
/* No heartbeat for HEALTH_STALE_US, or there is no table. */
bool health_stale(const struct health_view *v, int64_t now_us);

#endif
