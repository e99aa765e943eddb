// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who pays: the memory cgroup that the creator was in, for all of it, from the
 * creation on until the region ends, whoever uses it meanwhile.  What it will
 * not pay is an error of CREATE, and kills nobody.
 */

#include "../kselftest_harness.h"

#include "test_cgroup.h"
#include "test_peer.h"

#define MIB	(1L << 20)
#define KIB	(1L << 10)

static struct layout layout;
static bool by_control;
static char maker[CGROUP_PATH], user[CGROUP_PATH];

FIXTURE(charge) {
	struct peer maker;
	struct peer user;
};

FIXTURE_VARIANT(charge) {
	unsigned int flags;
	bool control;
};

FIXTURE_VARIANT_ADD(charge, huge) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(charge, small) {
	.flags = SHMCHAN_CREATE_SMALL,
};

FIXTURE_VARIANT_ADD(charge, control) {
	.control = true,
};

static struct layout sized(long mib)
{
	struct layout l = layout;

	if (by_control)
		l.control_size = mib * MIB;
	else
		l.data_size = mib * MIB;
	return l;
}

static long region_bytes(const struct layout *l)
{
	return l->data_size + l->control_size +
	       SHMCHAN_STATUS_SIZE(l->nr_slots, l->nr_bells);
}

FIXTURE_SETUP(charge)
{
	int ret;

	by_control = variant->control;
	layout = layout_default(variant->flags, false);
	layout.nr_windows = 0;
	layout = sized(16);
	layout.name = own_name();
	ret = cgroup_make(maker, "maker");
	if (!ret)
		ret = cgroup_make(user, "user");
	if (ret)
		SKIP(return, "no memory cgroup: %s", strerror(-ret));
	ASSERT_EQ(0, peer_start(&self->maker));
	ASSERT_EQ(0, peer_start(&self->user));
	ASSERT_EQ(0, peer_call(&self->maker, enter_cgroup, (long)maker, 0));
	ASSERT_EQ(0, peer_call(&self->user, enter_cgroup, (long)user, 0));
}

FIXTURE_TEARDOWN(charge)
{
	if (self->maker.pid)
		peer_kill(&self->maker);
	if (self->user.pid)
		peer_kill(&self->user);
	/* Who has just died is in there a little longer. */
	eventually(!rmdir(maker) || errno != EBUSY);
	eventually(!rmdir(user) || errno != EBUSY);
}

static long make(long a, long b)
{
	(void)a;
	(void)b;
	return create_region(&layout);
}

/* Joins any slot, and reads every page. */
static long use(long a, long b)
{
	size_t size = by_control ? layout.control_size : layout.data_size;
	uint64_t start = by_control ? SHMCHAN_CONTROL_OFFSET(0) : 0;
	int fd = open_joined(layout.name, SHMCHAN_SLOT_ANY);
	volatile char *p;
	size_t at;

	(void)a;
	(void)b;
	if (fd < 0)
		return fd;
	p = map(fd, start, size, PROT_READ);
	if (p == MAP_FAILED)
		return -errno;
	for (at = 0; at < size; at += PAGE)
		(void)p[at];
	return fd;
}

/* The page cache that a cgroup pays for: exact, but a little late. */
static long cache_bytes(const char *cgroup)
{
	return cgroup_number(cgroup, "memory.stat", "file ");
}

TEST_F(charge, of_the_creator)
{
	long cache = cache_bytes(maker), current = cgroup_current(maker);
	long all = region_bytes(&layout);
	long used, now;

	ASSERT_LE(0, peer_call(&self->maker, make, 0, 0));
	/*
	 * All of it at once, and little for what the kernel keeps about it.
	 * Processors have some pages charged in advance.
	 */
	now = cgroup_current(maker);
	EXPECT_LE(all - MIB, now - current);
	EXPECT_GE(all + MIB, now - current);
	EXPECT_TRUE(eventually(cache_bytes(maker) - cache == all))
		TH_LOG("%ld, not %ld", cache_bytes(maker) - cache, all);

	/* A user pays for its page tables. */
	used = peer_call(&self->user, use, 0, 0);
	ASSERT_LE(0, used);
	EXPECT_GE(MIB, cgroup_current(user));
	EXPECT_GE(MIB / 2, labs(cgroup_current(maker) - now));
	EXPECT_EQ(0, cache_bytes(user));

	/* Also when it alone has it. */
	peer_kill(&self->maker);
	EXPECT_LE(all, cgroup_current(maker));
	EXPECT_EQ(all, cache_bytes(maker) - cache);
	EXPECT_EQ(0, cache_bytes(user));
	peer_kill(&self->user);
	EXPECT_TRUE(eventually(cgroup_current(maker) < MIB))
		TH_LOG("%ld are left", cgroup_current(maker));
	EXPECT_TRUE(eventually(cache_bytes(maker) == cache))
		TH_LOG("%ld, not %ld", cache_bytes(maker), cache);
}

/* The cgroup is removed before the region ends. */
TEST_F(charge, outlives_its_cgroup)
{
	ASSERT_LE(0, peer_call(&self->maker, make, 0, 0));
	ASSERT_LE(0, peer_call(&self->user, use, 0, 0));
	peer_kill(&self->maker);
	ASSERT_TRUE(eventually(!rmdir(maker)));
	EXPECT_LE(0, peer_call(&self->user, use, 0, 0));
	EXPECT_GE(MIB, cgroup_current(user));
	peer_kill(&self->user);
	EXPECT_TRUE(eventually(open_region(layout.name, RIGHTS_RW) ==
			       -ENOENT));
}

/* In the peer: a region of so many MiB comes and goes. */
static long make_sized(long mib, long b)
{
	struct layout l = sized(mib);
	int fd;

	(void)b;
	l.name = NULL;
	fd = create_region(&l);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* Wherever in its course the limit is met. */
TEST_F(charge, limit)
{
	long before, mib, ret;

	ASSERT_EQ(0, peer_call(&self->maker, make_sized, 2, 0));
	before = cgroup_current(maker);
	for (mib = 1; mib <= 16; mib++) {
		ASSERT_EQ(0, cgroup_set(maker, "memory.max",
					before + mib * MIB + MIB / 2));
		ret = peer_call(&self->maker, make_sized, 2 * mib + 2, 0);
		EXPECT_EQ(-ENOMEM, ret)
			TH_LOG("%ld MiB of %ld", mib, 2 * mib + 2);
		ASSERT_NE(PEER_DEAD, ret);
		EXPECT_EQ(0, cgroup_kills(maker));
		EXPECT_GT(before + MIB, cgroup_current(maker));
	}
	/* It works again where it fits. */
	ASSERT_EQ(0, cgroup_set(maker, "memory.max", before + 24 * MIB));
	EXPECT_EQ(0, peer_call(&self->maker, make_sized, 16, 0));
	EXPECT_EQ(0, cgroup_kills(maker));
}

/* In the peer: a region with as much about it as there can be. */
static long make_bookkeeping(long a, long b)
{
	static struct shmchan_window windows[SHMCHAN_MAX_WINDOWS];
	static struct shmchan_doorbell bells[SHMCHAN_MAX_DOORBELLS];
	struct shmchan_create c = create_args(&layout);
	int ret, dev = open_device();
	unsigned int i;

	(void)a;
	(void)b;
	c.name = 0;
	c.name_len = 0;
	c.data_size = 0;
	c.control_size = (1 + COUNT(windows)) * PAGE;
	for (i = 0; i < COUNT(windows); i++)
		windows[i] = (struct shmchan_window) {
			.offset = SHMCHAN_CONTROL_OFFSET(0) + (i + 1) * PAGE,
			.length = PAGE,
		};
	c.windows = ptr(windows);
	c.nr_windows = COUNT(windows);
	c.doorbells = ptr(bells);
	c.nr_doorbells = COUNT(bells);
	c.nr_slots = SHMCHAN_MAX_SLOTS;
	ret = call(dev, SHMCHAN_IOC_CREATE, &c);
	close(dev);
	if (ret)
		return ret;
	close(c.fd);
	return 0;
}

/* The limit is met by the arrays, which are allocated before the memory. */
TEST_F(charge, bookkeeping)
{
	long before, kib, ret;

	ASSERT_EQ(0, peer_call(&self->maker, make_bookkeeping, 0, 0));
	before = cgroup_current(maker);
	for (kib = 128; kib <= 2048; kib += 64) {
		ASSERT_EQ(0, cgroup_set(maker, "memory.max",
					before + kib * KIB));
		ret = peer_call(&self->maker, make_bookkeeping, 0, 0);
		EXPECT_EQ(-ENOMEM, ret)
			TH_LOG("%ld KiB", kib);
		EXPECT_EQ(0, cgroup_kills(maker));
		ASSERT_NE(PEER_DEAD, ret);
	}
}

TEST_HARNESS_MAIN
