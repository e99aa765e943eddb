// SPDX-License-Identifier: GPL-2.0-only

/* Crash points: what scenarios are made with. */

#include <limits.h>
#include <linux/futex.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "backend_local.h"
#include "crash_private.h"

#define MAX_HELPERS	16

static pid_t helpers[MAX_HELPERS];
static unsigned int nr_helpers;
unsigned int crash_serial;
int crash_aided = 1;
pid_t crash_driver;

const char *crash_name(const char *tag)
{
	static char name[4][SHMCHAN_NAME_LEN];
	static unsigned int i;

	i = (i + 1) % 4;
	/* One length, so that all kill points' instructions are the same. */
	snprintf(name[i], sizeof(name[i]), "crash.%07d.%07u.%.30s", (int)crash_driver,
		 crash_serial, tag);
	return name[i];
}

/*
 * As if nobody had looked for a while, and as if all sleepers were woken for no
 * reason.
 */
static void local_state(const char *tag)
{
	struct shmchan_doorbell_status *bell;
	struct local_super super, *live;
	struct local_layout at;
	char path[PATH_MAX];
	uint8_t *file;
	uint32_t i;
	int fd;

	if (local_path(path, sizeof(path), crash_name(tag)))
		return;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	if (!local_read_super(fd, &super, &at)) {
		file = mmap(NULL, at.size, PROT_READ | PROT_WRITE, MAP_SHARED,
			    fd, 0);
		if (file == MAP_FAILED)
			FAIL("mmap: %s", strerror(errno));
		live = (struct local_super *)(file + at.super);
		shmchan_store_seq_cst(&live->reaped, 0);
		bell = (struct shmchan_doorbell_status *)
			(file + at.status +
			 SHMCHAN_STATUS_DOORBELLS_OFFSET(super.nr_slots));
		for (i = 0; i <= super.nr_doorbells; i++)
			syscall(SYS_futex, &bell[i].seq, FUTEX_WAKE, INT_MAX,
				NULL, NULL, 0);
		munmap(file, at.size);
	}
	close(fd);
}

void crash_look(const char *tag, const struct shmchan_region *region)
{
	if (!on_kmod() && crash_aided)
		local_state(tag);
	if (region)
		CHECK_GE(shmchan_region_poll_members(region), 0);
}

void crash_until_dead(const char *tag, const struct shmchan_region *region,
		      uint32_t slot)
{
	uint64_t end = now_ns() + CRASH_PATIENCE_NS;

	crash_look(tag, region);
	while (SHMCHAN_SLOT_WORD_STATE(shmchan_slot_word(region, slot)) ==
	       SHMCHAN_SLOT_LIVE) {
		CHECK_LT(now_ns(), end);
		sleep_ms(1);
		CHECK_GE(shmchan_region_poll_members(region), 0);
	}
}

static int is_it(const struct shmchan_list_entry *entry, void *arg)
{
	return !strcmp(entry->name, (const char *)arg);
}

void crash_no_trace(const char *tag)
{
	const char *name = crash_name(tag);
	struct shmchan_region *r = NULL;
	char path[PATH_MAX];
	struct stat st;

	CHECK_EQ(shmchan_region_open(&r, name, NULL), -ENOENT);
	CHECK_EQ(shmchan_region_list(SHMCHAN_BACKEND_AUTO, is_it,
				     (void *)(uintptr_t)name), 0);
	if (!on_kmod() && !local_path(path, sizeof(path), name))
		CHECK(stat(path, &st));
}

pid_t crash_helper(void (*fn)(const struct crash_scenario *s),
		   const struct crash_scenario *s)
{
	pid_t pid;

	if (nr_helpers == MAX_HELPERS)
		FAIL("%d helpers are all", MAX_HELPERS);
	pid = child_fork();
	if (!pid) {
		fn(s);
		_exit(0);
	}
	return helpers[nr_helpers++] = pid;
}

void crash_until_asleep(pid_t helper)
{
	uint64_t end = now_ns() + CRASH_PATIENCE_NS;
	struct timespec ts = { 0, 100000 };
	int seen = 0;

	while (seen < 2) {
		CHECK_LT(now_ns(), end);
		nanosleep(&ts, NULL);
		seen = crash_is_asleep(helper) ? seen + 1 : 0;
	}
}

void crash_helper_ok(pid_t helper)
{
	struct pollfd pfd = { (int)syscall(SYS_pidfd_open, helper, 0), POLLIN, 0 };
	unsigned int i;
	int n;

	CHECK_GE(pfd.fd, 0);
	n = poll(&pfd, 1, 2 * CRASH_PATIENCE_NS / 1000000);
	close(pfd.fd);
	if (n <= 0)
		FAIL("a helper does not come to its end");
	for (i = 0; i < nr_helpers; i++)
		if (helpers[i] == helper)
			helpers[i] = 0;
	CHECK_CHILD_OK(helper);
}

void crash_helpers_end(void)
{
	unsigned int i;

	for (i = 0; i < nr_helpers; i++)
		if (helpers[i])
			child_kill(helpers[i]);
	nr_helpers = 0;
}
