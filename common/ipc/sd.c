// SPDX-License-Identifier: MIT
#include "ipc/sd.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#define NAME_MAX_ 200

/* What the manager handed over; count -1: not asked yet. */
static char **names;
static int count = -1;

void sd_ready(const char *status)
{
	sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void sd_reloading(void)
{
	sd_notify(0, "RELOADING=1");
}

void sd_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

void sd_status(const char *fmt, ...)
{
	char text[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sd_notifyf(0, "STATUS=%s", text);
}

uint64_t sd_watchdog_us(void)
{
	uint64_t us = 0;
	return sd_watchdog_enabled(0, &us) > 0 ? us : 0;
}

void sd_watchdog(void)
{
	sd_notify(0, "WATCHDOG=1");
}

/* Names are printable ASCII without ':' (sd_notify(3)). */
static const char *clean(const char *name, char to[NAME_MAX_ + 1])
{
	size_t n = 0;
	for (; n < NAME_MAX_ && name[n]; n++)
		to[n] = isgraph((unsigned char)name[n]) && name[n] != ':' ? name[n] : '_';
	to[n] = '\0';
	return to;
}

void sd_store(const char *name, int fd)
{
	char text[NAME_MAX_ + 64], good[NAME_MAX_ + 1];
	snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", clean(name, good));
	sd_pid_notify_with_fds(0, 0, text, &fd, 1);
}

void sd_forget(const char *name)
{
	char good[NAME_MAX_ + 1];
	sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", clean(name, good));
}

int sd_begin(void)
{
	if (count >= 0)
		return 0;
	int n = sd_listen_fds_with_names(
		1, &names); /* checks that each is open, makes it close-on-exec */
	count = MAX(n, 0);
	if (n >= 0)
		return 0;
	errno = -n;
	return -1;
}

int sd_take_fd(const char *name)
{
	char good[NAME_MAX_ + 1];
	sd_begin();
	clean(name, good);
	for (int i = 0; i < count; i++) {
		if (names[i] && strcmp(names[i], good) == 0) {
			free(names[i]);
			names[i] = NULL;
			return SD_LISTEN_FDS_START + i;
		}
	}
	return -1;
}

void sd_close_unclaimed(void)
{
	sd_begin();
	for (int i = 0; i < count; i++) {
		if (names[i]) {
			sd_forget(names[i]);
			close(SD_LISTEN_FDS_START + i);
			free(names[i]);
		}
	}
	free(names);
	names = NULL;
	count = 0;
}
