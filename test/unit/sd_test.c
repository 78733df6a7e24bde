// SPDX-License-Identifier: MIT
/* What the service manager is told, descriptors with it, and what it hands back to the next process. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/sd.h"

static char dir[] = "/tmp/sd_testXXXXXX";
static struct sockaddr_un manager_addr = {.sun_family = AF_UNIX};
static int manager = -1;

static int manager_comes(void **state UNUSED)
{
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(manager, (struct sockaddr *)&manager_addr, sizeof(manager_addr)) < 0)
		return -1;
	return setenv("NOTIFY_SOCKET", manager_addr.sun_path, 1);
}

static int manager_goes(void **state UNUSED)
{
	close(manager);
	unlink(manager_addr.sun_path);
	return unsetenv("NOTIFY_SOCKET");
}

/* The next message, "" when there is none; *fd: the descriptor with it, or -1. */
static const char *heard(int *fd)
{
	static char text[1024];
	char control[CMSG_SPACE(sizeof(int)) * 4] = {0};
	struct iovec iov = {.iov_base = text, .iov_len = sizeof(text) - 1};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(manager, &m, MSG_CMSG_CLOEXEC);
	text[MAX(n, 0)] = '\0';
	*fd = -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); n >= 0 && c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	return text;
}

static void must_hear(const char *want)
{
	int fd;
	assert_string_equal(heard(&fd), want);
	assert_int_equal(fd, -1);
}

static void the_manager_hears_how_it_goes(void **state UNUSED)
{
	sd_ready("all is well");
	must_hear("READY=1\nSTATUS=all is well");
	sd_reloading();
	must_hear("RELOADING=1");
	sd_status("%u of %u", 2, 3);
	must_hear("STATUS=2 of 3");
	sd_watchdog();
	must_hear("WATCHDOG=1");
	sd_stopping();
	must_hear("STOPPING=1");
	must_hear("");
}

static void a_descriptor_is_stored_under_a_clean_name(void **state UNUSED)
{
	struct stat ours, theirs;
	int fd, file = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	sd_store("listen-[::1]:80-0 x", file);
	assert_string_equal(heard(&fd), "FDSTORE=1\nFDPOLL=0\nFDNAME=listen-[__1]_80-0_x");
	assert_true(fd >= 0);
	assert_int_equal(fstat(file, &ours), 0);
	assert_int_equal(fstat(fd, &theirs), 0);
	assert_int_equal(ours.st_ino, theirs.st_ino);
	close(fd);
	close(file);
	sd_forget("listen-[::1]:80-0 x");
	must_hear("FDSTOREREMOVE=1\nFDNAME=listen-[__1]_80-0_x");
}

/* A name has at most 255 bytes for the manager; ours is cut the same way in each call. */
static void a_long_name_is_cut(void **state UNUSED)
{
	char name[400];
	int fd;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	sd_forget(name);
	const char *text = heard(&fd);
	assert_int_equal(strlen(text), strlen("FDSTOREREMOVE=1\nFDNAME=") + 200);
}

static void a_status_too_long_is_cut(void **state UNUSED)
{
	char status[400];
	int fd;
	memset(status, 's', sizeof(status) - 1);
	status[sizeof(status) - 1] = '\0';
	sd_status("%s", status);
	const char *text = heard(&fd);
	assert_memory_equal(text, "STATUS=sss", 10);
	assert_in_range(strlen(text), 100, 300);
}

static void without_a_manager_nothing_happens(void **state UNUSED)
{
	unsetenv("LISTEN_FDS");
	unsetenv("NOTIFY_SOCKET");
	sd_ready("");
	sd_reloading();
	sd_status("x");
	sd_watchdog();
	sd_stopping();
	sd_store("x", 0);
	sd_forget("x");
	assert_int_equal(sd_watchdog_us(), 0);
	must_hear("");
}

static void the_watchdog_is_asked_for(void **state UNUSED)
{
	char pid[32];
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_USEC", "3000000", 1);
	setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(sd_watchdog_us(), 3000000);
	setenv("WATCHDOG_PID", "1", 1); /* meant for another process */
	assert_int_equal(sd_watchdog_us(), 0);
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

/* What a new process finds: descriptors 3, 4 and 5. Its answer is the exit status. */
static int child(void)
{
	char pid[32];
	int fd;
	struct stat st;
	/* 3 is the folder, 4 and 5 are /dev/null. */
	int folder = open(dir, O_RDONLY | O_DIRECTORY), null = open("/dev/null", O_RDWR);
	folder = fcntl(folder, F_DUPFD, 20);
	null = fcntl(null, F_DUPFD, 20);
	int keep = fcntl(manager, F_DUPFD, 20); /* it may have one of those numbers */
	if (dup2(folder, 3) < 0 || dup2(null, 4) < 0 || dup2(null, 5) < 0)
		return 10;
	manager = keep;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "3", 1);
	setenv("LISTEN_FDNAMES", "cache_x:listen-a_80-0:old", 1);
	if (sd_take_fd("nothing") != -1)
		return 11;
	if (sd_take_fd("listen-a:80-0") != 4)
		return 12;
	if (sd_take_fd("listen-a:80-0") != -1) /* each is given once */
		return 13;
	if (sd_take_fd("cache x") != 3 || fstat(3, &st) < 0 || !S_ISDIR(st.st_mode))
		return 14;
	if (!(fcntl(3, F_GETFD) & FD_CLOEXEC) || !(fcntl(4, F_GETFD) & FD_CLOEXEC))
		return 15;
	sd_close_unclaimed();
	if (fcntl(5, F_GETFD) >= 0 || fcntl(3, F_GETFD) < 0 || fcntl(4, F_GETFD) < 0)
		return 16;
	if (strcmp(heard(&fd), "FDSTOREREMOVE=1\nFDNAME=old") != 0)
		return 17;
	if (getenv("LISTEN_FDS")) /* not for this process's own children */
		return 18;
	return sd_take_fd("old") == -1 ? 0 : 19;
}

/* Descriptors that its parent was given are no business of a process that inherited them. */
static int grandchild(void)
{
	int null = open("/dev/null", O_RDWR);
	if (dup2(null, 3) < 0)
		return 10;
	setenv("LISTEN_PID", "1", 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_FDNAMES", "x", 1);
	if (sd_take_fd("x") != -1)
		return 11;
	sd_close_unclaimed();
	return fcntl(3, F_GETFD) >= 0 ? 0 : 12;
}

/* The second of two is not there. */
static int robbed(void)
{
	char pid[32];
	int null = open("/dev/null", O_RDWR);
	if (dup2(null, 3) < 0)
		return 10;
	close(4);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "2", 1);
	setenv("LISTEN_FDNAMES", "x:y", 1);
	if (sd_begin() != -1 || errno != EBADF)
		return 11;
	return sd_take_fd("x") == -1 && sd_take_fd("y") == -1 ? 0 : 12;
}

static void must_succeed(int (*life)(void))
{
	int status;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(life());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void descriptors_come_back(void **state UNUSED)
{
	must_succeed(child);
}

static void descriptors_of_another_process_are_left_alone(void **state UNUSED)
{
	must_succeed(grandchild);
}

static void a_missing_descriptor_is_noticed(void **state UNUSED)
{
	must_succeed(robbed);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, manager_comes, manager_goes)
	const struct CMUnitTest tests[] = {
		TEST(the_manager_hears_how_it_goes),
		TEST(a_descriptor_is_stored_under_a_clean_name),
		TEST(a_long_name_is_cut),
		TEST(a_status_too_long_is_cut),
		TEST(without_a_manager_nothing_happens),
		TEST(the_watchdog_is_asked_for),
		TEST(descriptors_come_back),
		TEST(descriptors_of_another_process_are_left_alone),
		TEST(a_missing_descriptor_is_noticed),
	};
	MUST(mkdtemp(dir));
	snprintf(manager_addr.sun_path, sizeof(manager_addr.sun_path), "%s/notify", dir);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(dir);
	return rc;
}
