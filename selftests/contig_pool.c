// SPDX-License-Identifier: GPL-2.0-only
/*
 * pool_mb: contiguous memory set aside when the module is loaded.  It is handed
 * out at once, charged and zeroed like any other, to nobody who did not ask for
 * contiguity, and it comes back.
 *
 * Loads the module anew, so nothing else may use it meanwhile.
 */

#include "../kselftest_harness.h"

#include <sys/stat.h>
#include <sys/uio.h>

#include "test_memory.h"
#include "test_module.h"
#include "test_peer.h"

#define RW		(PROT_READ | PROT_WRITE)
#define POOL_STATE	PARAMETERS "pool_state"
#define MIGRATE		PARAMETERS "contig_migrate"
#define POOL		(64 * MB)

FIXTURE(pool) {
	char cgroup[64];
	struct peer peer;
	int64_t before;		/* free without the module */
};

FIXTURE_SETUP(pool)
{
	int ret;

	if (geteuid())
		SKIP(return, "only root loads modules");
	if (access(module_file(), R_OK))
		SKIP(return, "no %s: set SHMCHAN_KO", module_file());
	ret = module_unload_patiently();
	ASSERT_TRUE(!ret || ret == -ENOENT);
	self->before = settled_free_bytes();
	ASSERT_EQ(0, module_load("pool_mb=64 total_mb=512"));
	ASSERT_EQ(0, peer_start(&self->peer));
}

FIXTURE_TEARDOWN(pool)
{
	if (self->peer.pid)
		peer_kill(&self->peer);
	if (self->cgroup[0])
		rmdir(self->cgroup);
	module_unload_patiently();
	module_load("");
}

static uint64_t pool_free(void)
{
	struct shmchan_query_device q;

	return query_device(&q) ? ~0ULL : q.pool_free;
}

/* What the parameter says, in MiB. */
struct pool_state {
	long total;
	long free;
	long out;
	long to_be_reclaimed;
};

static struct pool_state pool_state(void)
{
	return (struct pool_state) {
		.total = text_number(POOL_STATE, "total "),
		.free = text_number(POOL_STATE, "free "),
		.out = text_number(POOL_STATE, "out "),
		.to_be_reclaimed = text_number(POOL_STATE, "to be reclaimed "),
	};
}

TEST_F(pool, is_set_aside)
{
	struct shmchan_query_device q;
	struct pool_state s = pool_state();

	ASSERT_EQ(0, query_device(&q));
	EXPECT_EQ(POOL, q.pool_bytes);
	EXPECT_EQ(POOL, q.pool_free);
	EXPECT_EQ(64, s.total);
	EXPECT_EQ(64, s.free);
	EXPECT_EQ(0, s.out);
	EXPECT_EQ(0, s.to_be_reclaimed);
	/* It is nobody's yet. */
	EXPECT_EQ(0, q.total_bytes);
	EXPECT_LE((int64_t)(POOL - 4 * MB), self->before - free_bytes());
	EXPECT_NE(0, write_text(POOL_STATE, "0"));
}

/* In a peer, or here. */
static long create_contig(long size, long b)
{
	(void)b;
	return create_shared(size, SHMCHAN_CREATE_CONTIG);
}

TEST_F(pool, is_handed_out)
{
	struct pool_state s;
	struct shmchan_query q;
	long moved;
	char *p;
	int fd;

	/* With nobody moved it can come from there only, at this size. */
	ASSERT_EQ(0, write_text(MIGRATE, "N"));
	moved = text_number("/proc/vmstat", "pgmigrate_success ");
	fd = create_contig(48 * MB, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(moved, text_number("/proc/vmstat", "pgmigrate_success "));
	ASSERT_EQ(0, query(fd, &q));
	EXPECT_EQ(1, q.nr_extents);
	EXPECT_EQ(16 * MB, pool_free());
	s = pool_state();
	EXPECT_EQ(64, s.total);
	EXPECT_EQ(16, s.free);
	EXPECT_EQ(48, s.out);
	EXPECT_EQ(0, s.to_be_reclaimed);
	/* It counts for its user like any other. */
	EXPECT_LE((int64_t)(48 * MB), user_bytes());
	ASSERT_LT(0, join(fd, 0));
	p = map(fd, 0, 48 * MB, RW);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_TRUE(all_bytes(p, 48 * MB, 0));
	memset(p, 0x5a, 48 * MB);
	munmap(p, 48 * MB);
	close(fd);
}

/* It is handed out once, freed, and claimed anew: never with old contents. */
TEST_F_TIMEOUT(pool, comes_back, 120)
{
	struct pool_state s;
	int i, fd;
	char *p;

	for (i = 0; i < 5; i++) {
		fd = create_contig(POOL, 0);
		ASSERT_LE(0, fd);
		EXPECT_EQ(0, pool_free());
		ASSERT_LT(0, join(fd, 0));
		p = map(fd, 0, POOL, RW);
		ASSERT_NE(MAP_FAILED, p);
		EXPECT_TRUE(all_bytes(p, POOL, 0));
		memset(p, 0xa5, POOL);
		munmap(p, POOL);
		close(fd);
		EXPECT_TRUE(eventually(pool_free() == POOL))
			TH_LOG("round %d: %llu MiB free", i,
			       (unsigned long long)(pool_free() / MB));
		s = pool_state();
		EXPECT_EQ(64, s.free);
		EXPECT_EQ(0, s.out);
		EXPECT_EQ(0, s.to_be_reclaimed);
	}
	EXPECT_EQ(0, user_bytes());
}

/* In parts: the others stay where they are, and all of it is there again. */
TEST_F_TIMEOUT(pool, in_parts, 60)
{
	int fds[8], i;

	for (i = 0; i < 8; i++) {
		fds[i] = create_contig(8 * MB, 0);
		ASSERT_LE(0, fds[i]);
		EXPECT_EQ(POOL - (i + 1) * 8 * MB, pool_free());
	}
	for (i = 0; i < 8; i += 2)
		close(fds[i]);
	EXPECT_TRUE(eventually(pool_free() == POOL / 2));
	/* An empty pool is no reason to fail. */
	EXPECT_LE(0, create_contig(POOL, 0));
	for (i = 1; i < 8; i += 2)
		close(fds[i]);
	EXPECT_TRUE(eventually(pool_free() == POOL));
}

TEST_F(pool, is_for_contiguity)
{
	EXPECT_LE(0, create_shared(32 * MB, 0));
	EXPECT_LE(0, create_shared(4 * MB, SHMCHAN_CREATE_SMALL));
	EXPECT_EQ(POOL, pool_free());
	/* More than it holds is found elsewhere. */
	EXPECT_LE(0, create_contig(2 * POOL, 0));
}

/* Who may not ask for much contiguous memory does not get it from here. */
TEST_F(pool, is_a_privilege)
{
	ASSERT_EQ(0, peer_call(&self->peer, peer_become, 1000, 1000));
	EXPECT_EQ(-EPERM, peer_call(&self->peer, create_contig, 8 * MB, 0));
	EXPECT_EQ(POOL, pool_free());
}

TEST_F(pool, is_charged)
{
	static char path[sizeof(self->cgroup)];
	struct peer guest = {};
	char file[96];
	long before, fd;

	if (make_cgroup(path, sizeof(path)))
		SKIP(return, "cannot make a cgroup: %s", strerror(errno));
	memcpy(self->cgroup, path, sizeof(path));
	snprintf(file, sizeof(file), "%s/memory.max", path);
	if (set_number(file, 40 * MB))
		SKIP(return, "no memory controller");
	ASSERT_EQ(0, peer_start(&guest));
	ASSERT_EQ(0, peer_call(&guest, enter_cgroup, (long)path, 0));
	snprintf(file, sizeof(file), "%s/memory.current", path);
	before = text_number(file, "");
	fd = peer_call(&guest, create_contig, 32 * MB, 0);
	ASSERT_LE(0, fd);
	EXPECT_LE((long)(31 * MB), text_number(file, "") - before);
	EXPECT_EQ(POOL / 2, pool_free());
	/* Over its limit: an error, and the pool is whole again. */
	EXPECT_EQ(-ENOMEM, peer_call(&guest, create_contig, 16 * MB, 0));
	EXPECT_TRUE(eventually(pool_free() == POOL / 2));
	EXPECT_EQ(0, peer_call(&guest, peer_close, fd, 0));
	EXPECT_TRUE(eventually(text_number(file, "") < before + 2 * (long)MB));
	EXPECT_TRUE(eventually(pool_free() == POOL));
	EXPECT_EQ(0, peer_stop(&guest));
}

/* A region of it is a region: the module stays; then it goes with the rest. */
TEST_F_TIMEOUT(pool, unload, 60)
{
	int64_t most = self->before - 4 * (int64_t)MB;
	int fd;

	peer_stop(&self->peer);
	fd = create_contig(16 * MB, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EWOULDBLOCK, module_unload());
	close(fd);
	/* At once, with the worker about to claim what came back. */
	EXPECT_EQ(0, module_unload_patiently());
	EXPECT_TRUE(eventually(free_bytes() > most));
	ASSERT_EQ(0, module_load("pool_mb=64"));
	EXPECT_EQ(POOL, pool_free());
	EXPECT_EQ(0, module_unload_patiently());
	EXPECT_TRUE(eventually(free_bytes() > most));
}

/* What I/O still pins does not come back before it is let go. */
TEST_F_TIMEOUT(pool, pinned, 60)
{
	struct iovec iov;
	int pipes[2];
	char byte;
	int fd;

	ASSERT_EQ(0, pipe(pipes));
	fd = create_contig(POOL, 0);
	ASSERT_LE(0, fd);
	ASSERT_LT(0, join(fd, 0));
	iov.iov_base = map(fd, 0, POOL, RW);
	ASSERT_NE(MAP_FAILED, iov.iov_base);
	iov.iov_len = 1;
	*(char *)iov.iov_base = 'p';
	ASSERT_EQ(1, vmsplice(pipes[1], &iov, 1, 0));
	munmap(iov.iov_base, POOL);
	close(fd);
	EXPECT_TRUE(eventually(pool_free() == POOL - HUGE));
	sleep(2);
	EXPECT_EQ(POOL - HUGE, pool_free());
	ASSERT_EQ(1, read(pipes[0], &byte, 1));
	EXPECT_EQ('p', byte);
	EXPECT_TRUE(eventually(pool_free() == POOL));
}

/* A pool that cannot be has as much as there is, or the module says no. */
TEST_F_TIMEOUT(pool, too_large, 120)
{
	struct shmchan_query_device q;
	int ret;

	peer_stop(&self->peer);
	ASSERT_EQ(0, module_unload_patiently());
	ret = module_load("pool_mb=1048576");
	if (!ret) {
		ASSERT_EQ(0, query_device(&q));
		EXPECT_GT(meminfo("MemTotal:"), (int64_t)q.pool_bytes);
		ASSERT_EQ(0, module_unload_patiently());
	} else {
		EXPECT_EQ(-ENOMEM, ret);
	}
	EXPECT_TRUE(eventually(free_bytes() >
			       self->before - 8 * (int64_t)MB));
}

TEST_HARNESS_MAIN
