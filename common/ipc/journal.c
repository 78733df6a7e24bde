// SPDX-License-Identifier: MIT
#include "ipc/journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
/* The place in the source is of no use in the journal. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#define FIELD_SIZE 1200 /* the longest: MESSAGE */
#define FIELDS_MAX (2 + LOG_FIELD_COUNT)

bool journal_is_stderr(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char ours[48];
	struct stat st;
	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	snprintf(ours, sizeof(ours), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(stream, ours) == 0;
}

struct entry {
	struct iovec iov[FIELDS_MAX];
	int n;
	char text[FIELDS_MAX][FIELD_SIZE];
};

static void add(struct entry *e, const char *name, const char *value)
{
	if (!*value)
		return;
	char *to = e->text[e->n];
	int n = snprintf(to, FIELD_SIZE, "%s=%s", name, value);
	e->iov[e->n++] = (struct iovec){.iov_base = to, .iov_len = (size_t)MIN(n, FIELD_SIZE - 1)};
}

bool journal_take(const struct log_message *m)
{
	struct entry e;
	char priority[16];
	e.n = 0;
	snprintf(priority, sizeof(priority), "%d", (int)m->level);
	add(&e, "MESSAGE", m->text);
	add(&e, "PRIORITY", priority);
#define X(member, name) add(&e, name, m->fields.member);
	LOG_FIELDS(X)
#undef X
	return sd_journal_sendv(e.iov, e.n) == 0;
}
