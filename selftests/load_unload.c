// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module comes and goes, and leaves nothing; while anything of it is in
 * use it stays.
 *
 * The module's file is SHMCHAN_KO, or shmchan.ko in the current folder; the
 * number of rounds is SHMCHAN_CYCLES.  Runs alone: nothing else may use the
 * module, which is loaded when it is over.
 */

#include "../kselftest_harness.h"
#include "test_memory.h"
#include "test_module.h"
#include "test_peer.h"

#define CYCLES		200
#define RW		(PROT_READ | PROT_WRITE)

static struct layout layout;

FIXTURE(load) {
	struct peer peer;
};

FIXTURE_SETUP(load)
{
	int ret;

	if (geteuid())
		SKIP(return, "only root loads modules");
	if (access(module_file(), R_OK))
		SKIP(return, "no %s: set SHMCHAN_KO", module_file());
	layout = layout_default(SHMCHAN_CREATE_SMALL, true);
	layout.name = own_name();
	ASSERT_EQ(0, peer_start(&self->peer));
	ret = module_unload_patiently();
	ASSERT_TRUE(!ret || ret == -ENOENT);
}

FIXTURE_TEARDOWN(load)
{
	if (self->peer.pid)
		peer_kill(&self->peer);
	module_load("");
}

TEST_F(load, refused_while_in_use)
{
	int dev, fd;
	char *p;

	ASSERT_EQ(0, module_load(""));
	EXPECT_EQ(-EEXIST, module_load(""));
	dev = open_device();
	ASSERT_LE(0, dev);
	EXPECT_EQ(-EWOULDBLOCK, module_unload());
	/* A capability, a member, a mapping: each alone. */
	fd = create_region(&layout);
	ASSERT_LE(0, fd);
	close(dev);
	EXPECT_EQ(-EWOULDBLOCK, module_unload());
	ASSERT_LT(0, join(fd, 0));
	EXPECT_EQ(-EWOULDBLOCK, module_unload());
	p = map(fd, 0, PAGE, RW);
	ASSERT_NE(MAP_FAILED, p);
	close(fd);
	EXPECT_EQ(-EWOULDBLOCK, module_unload());
	*p = 1;
	EXPECT_EQ(1, *p);
	munmap(p, PAGE);
	EXPECT_EQ(0, module_unload_patiently());
	EXPECT_EQ(-ENOENT, module_unload());
	EXPECT_EQ(-ENOENT, open_device());
}

/* In the peer. */
static long join_and_sleep(long a, long b)
{
	struct shmchan_wait_elem e = elem64(-1, BELL_SHARED, 0, 0);
	int fd = open_joined(layout.name, 1);
	char *p = map(fd, PAGE, PAGE, RW);

	(void)a;
	(void)b;
	if (p == MAP_FAILED)
		return -errno;
	*p = 1;
	return wait_until(fd, &e, 1, SHMCHAN_FOREVER);
}

/* With somebody asleep in it; as soon as he is killed it goes. */
TEST_F(load, after_a_kill)
{
	struct status status = {};
	int fd;

	ASSERT_EQ(0, module_load(""));
	fd = create_joined(&layout, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, map_status(fd, &status));
	peer_send(&self->peer, join_and_sleep, 0, 0);
	ASSERT_TRUE(eventually(status.bells[BELL_SHARED].waiters == 1));
	munmap((void *)status.head, status.size);
	close(fd);
	EXPECT_EQ(-EWOULDBLOCK, module_unload());
	peer_kill(&self->peer);
	EXPECT_EQ(0, module_unload_patiently());
}

static int crash_child(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		int fd = open_joined(layout.name, 1);

		if (fd < 0 || map(fd, PAGE, PAGE, RW) == MAP_FAILED)
			_exit(1);
		raise(SIGKILL);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? 0 : -1;
}

/* One round: load, use, forget, unload. */
static int cycle(int nr)
{
	int fd, ret;
	char *p;

	ret = module_load("");
	if (ret)
		return ret;
	fd = create_joined(&layout, 0);
	if (fd < 0)
		return fd;
	p = map(fd, 0, PAGE, RW);
	if (p == MAP_FAILED)
		return -errno;
	*p = nr;
	if (subscribe(fd, BELL_SHARED, 0) || arm(fd, BELL_SHARED, NULL, 0, 0) ||
	    ring(fd, BELL_SHARED, 0))
		return -EPROTO;
	/* A process is dear: now and then. */
	if (nr % 8 == 0 && crash_child())
		return -ECHILD;
	if (nr % 2)
		leave(fd);
	munmap(p, PAGE);
	close(fd);
	return module_unload_patiently();
}

/*
 * Memory that is free, or would be if it was asked for.  What the processors
 * keep in their lists counts: that alone goes up and down by tens of MiB.
 */
static long free_kb(void)
{
	write_text("/proc/sys/vm/drop_caches", "3");
	usleep(200000);
	return (free_bytes() + meminfo("Cached:") + meminfo("SReclaimable:")) /
	       1024;
}

TEST_F_TIMEOUT(load, cycles, 900)
{
	const char *text = getenv("SHMCHAN_CYCLES");
	int i, cycles = text ? atoi(text) : CYCLES;
	long before, after = 0;

	/* The first ones fill caches. */
	for (i = 0; i < cycles / 10 + 5; i++)
		ASSERT_EQ(0, cycle(i));
	before = free_kb();
	for (i = 0; i < cycles; i++)
		ASSERT_EQ(0, cycle(i))
			TH_LOG("cycle %d", i);
	/*
	 * A page lost in each would show, and stay away; but not where the
	 * kernel keeps back what has been freed, as KASAN does: there kmemleak
	 * has to tell.
	 */
	if (access("/sys/kernel/debug/kmemleak", F_OK)) {
		EXPECT_TRUE(eventually(before - (after = free_kb()) <
				       1024 + 2L * cycles));
	} else {
		after = free_kb();
	}
	TH_LOG("%d cycles: %ld KiB less free", cycles, before - after);
}

TEST_HARNESS_MAIN
