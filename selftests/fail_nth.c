// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation and every copy of every call fails once, and every claim of
 * a block that others use: the call says so, or does without, and nothing is
 * left of it.  Needs a kernel with fault injection: CONFIG_FAILSLAB,
 * CONFIG_FAIL_PAGE_ALLOC; for the claims CONFIG_FAIL_FUNCTION.
 */

#include "../kselftest_harness.h"

#include <sys/eventfd.h>
#include <sys/stat.h>

#include "test_memory.h"
#include "test_peer.h"
#include "test_uring.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif

#define DEBUG		"/sys/kernel/debug/"
#define MOST_FAULTS	3000
#define MANY_ELEMS	20
#define FAIL_FUNCTION	DEBUG "fail_function/"

static struct layout layout;

FIXTURE(fail) {
	int dev;
	int fd;		/* slot 0 */
	int nth;	/* /proc/self/fail-nth */
	struct status status;
	uint64_t word;
};

FIXTURE_SETUP(fail)
{
	static const char *const knobs[] = {
		"failslab", "fail_page_alloc", "fail_usercopy",
	};
	char path[128];
	unsigned int i;

	if (access(DEBUG "failslab", F_OK) ||
	    access(DEBUG "fail_page_alloc", F_OK))
		SKIP(return, "this kernel injects no faults");
	for (i = 0; i < COUNT(knobs); i++) {
		snprintf(path, sizeof(path), DEBUG "%s/verbose", knobs[i]);
		write_text(path, "0");
		snprintf(path, sizeof(path), DEBUG "%s/ignore-gfp-wait",
			 knobs[i]);
		write_text(path, "N");
	}
	write_text(DEBUG "fail_page_alloc/ignore-gfp-highmem", "N");
	write_text(DEBUG "fail_page_alloc/min-order", "0");

	layout = layout_default(SHMCHAN_CREATE_SMALL, true);
	layout.name = own_name();
	self->dev = open_device();
	ASSERT_LE(0, self->dev);
	self->fd = create_joined(&layout, 0);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, map_status(self->fd, &self->status));
	self->word = control_at(&layout, FOLIO_NOBODY);
	self->nth = open("/proc/self/fail-nth", O_RDWR);
	if (self->nth < 0)
		SKIP(return, "this kernel has no fail-nth");
}

FIXTURE_TEARDOWN(fail)
{
}

static void set_nth(int fd, int nr)
{
	char text[16];

	(void)!pwrite(fd, text, snprintf(text, sizeof(text), "%d", nr), 0);
}

/* Has the fault been injected?  None comes later. */
static bool was_injected(int fd)
{
	char text[16] = "";
	ssize_t got = pread(fd, text, sizeof(text) - 1, 0);

	set_nth(fd, 0);
	return got > 0 && atoi(text) == 0;
}

/*
 * Does @op with the first, second, ... fault, until there are no more.  If it
 * succeeds @undo takes it back; if not there is nothing to take back.
 */
#define each_fault(op, undo) do {					\
	int64_t _held = user_bytes();					\
	int _files = count_files();					\
	uint64_t _seq = self->status.head->members_seq;			\
	int _n, _failed = 0;						\
	long ret;							\
	bool _more = true;						\
									\
	for (_n = 1; _more && _n < MOST_FAULTS; _n++) {			\
		set_nth(self->nth, _n);					\
		ret = op;						\
		_more = was_injected(self->nth);			\
		if (ret >= 0) {						\
			undo;						\
		} else {						\
			_failed++;					\
			EXPECT_TRUE(ret == -ENOMEM || ret == -EFAULT)	\
				TH_LOG("%s, fault %d: %ld", #op, _n,	\
				       ret);				\
			/* An answer can be lost when all has been done. */\
			if (ret != -EFAULT)				\
				EXPECT_EQ(_seq,				\
					  self->status.head->members_seq)\
					TH_LOG("%s, fault %d", #op, _n);\
		}							\
		EXPECT_EQ(_files, count_files())			\
			TH_LOG("%s, fault %d", #op, _n);		\
		_seq = self->status.head->members_seq;			\
	}								\
	EXPECT_GT(MOST_FAULTS, _n);					\
	/* The last time there was no fault. */			\
	EXPECT_LE(0, ret)						\
		TH_LOG("%s: %ld", #op, ret);				\
	EXPECT_TRUE(eventually(user_bytes() == _held))			\
		TH_LOG("%s: holds %lld more", #op,			\
		       (long long)(user_bytes() - _held));		\
	TH_LOG("%s: %d faults, %d errors", #op, _n - 2, _failed);	\
} while (0)

static long create_with(int dev, const struct layout *l, unsigned int flags)
{
	struct shmchan_create c = create_args(l);
	long ret;

	c.flags |= flags;
	ret = call(dev, SHMCHAN_IOC_CREATE, &c);
	return ret ? ret : c.fd;
}

static long open_with(int dev, unsigned int flags, unsigned int slot)
{
	struct shmchan_open o = {
		.size = sizeof(o),
		.flags = flags,
		.name = ptr(layout.name),
		.name_len = strlen(layout.name),
		.rights = RIGHTS_RW,
		.join_slot = slot,
	};
	long ret = call(dev, SHMCHAN_IOC_OPEN, &o);

	return ret ? ret : o.fd;
}

static long fill_list(int dev)
{
	struct shmchan_list_entry entries[4];
	struct shmchan_list l = list_args(entries, COUNT(entries));

	return call(dev, SHMCHAN_IOC_LIST, &l);
}

TEST_F_TIMEOUT(fail, create_small, 120)
{
	struct layout l = layout;

	l.name = "named";
	each_fault(create_with(self->dev, &l, 0), close(ret));
	EXPECT_EQ(-ENOENT, open_region(l.name, RIGHTS_RW));
}

TEST_F_TIMEOUT(fail, create_huge, 120)
{
	struct layout l = layout_default(0, true);

	each_fault(create_with(self->dev, &l, 0), close(ret));
}

TEST_F_TIMEOUT(fail, create_joined, 120)
{
	struct layout l = layout;

	l.name = "named-and-joined";
	each_fault(create_with(self->dev, &l, SHMCHAN_CREATE_JOIN), close(ret));
	EXPECT_EQ(-ENOENT, open_region(l.name, RIGHTS_RW));
}

static struct layout contig_layout(uint64_t size)
{
	struct layout l = layout_shared(size, SHMCHAN_CREATE_CONTIG);

	l.name = "named-and-contiguous";
	return l;
}

TEST_F_TIMEOUT(fail, create_contig, 120)
{
	struct layout l = contig_layout(4 * MB);

	each_fault(create_with(self->dev, &l, 0), close(ret));
	each_fault(create_with(self->dev, &l, SHMCHAN_CREATE_JOIN), close(ret));
	EXPECT_EQ(-ENOENT, open_region(l.name, RIGHTS_RW));
}

TEST_F_TIMEOUT(fail, create_numa, 120)
{
	static const unsigned int flags[] = {
		0, SHMCHAN_CREATE_SMALL, SHMCHAN_CREATE_CONTIG,
	};
	struct layout l;
	unsigned int i;
	uint32_t policy;

	for (i = 0; i < COUNT(flags); i++) {
		l = layout_shared(flags[i] & SHMCHAN_CREATE_SMALL ? 4 * PAGE :
				  4 * MB, flags[i]);
		l.nr_nodes = 2;
		for (policy = SHMCHAN_NUMA_BIND;
		     policy <= SHMCHAN_NUMA_INTERLEAVE; policy++) {
			if (policy == SHMCHAN_NUMA_INTERLEAVE &&
			    flags[i] & SHMCHAN_CREATE_CONTIG)
				continue;
			l.numa_policy = policy;
			each_fault(create_with(self->dev, &l, 0), close(ret));
		}
	}
}

/* Makes each call of a function one more fault; false: the kernel cannot. */
static bool function_can_fail(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), FAIL_FUNCTION "%s/retval", name);
	/* -EBUSY: somebody has pinned a page of the block. */
	return !write_text(FAIL_FUNCTION "inject", name) &&
	       !write_text(path, "0xfffffffffffffff0");
}

/* Not from what is free; each block in turn cannot be had. */
TEST_F_TIMEOUT(fail, create_contig_by_claims, 300)
{
	struct layout l = contig_layout(6 * MB);

	if (write_text(PARAMETERS "take_nothing", "Y"))
		SKIP(return, "the module is without test hooks");
	if (!function_can_fail("shmchan_claim"))
		SKIP(return, "this kernel fails no functions");
	each_fault(create_with(self->dev, &l, 0), close(ret));
	write_text(PARAMETERS "take_nothing", "N");
	/* None of them any more. */
	write_text(FAIL_FUNCTION "inject", "");
	EXPECT_EQ(-ENOENT, open_region(l.name, RIGHTS_RW));
}

TEST_F_TIMEOUT(fail, open, 120)
{
	each_fault(open_with(self->dev, 0, 0), close(ret));
	each_fault(open_with(self->dev, SHMCHAN_OPEN_JOIN, 1), close(ret));
	each_fault(fill_list(self->dev), (void)0);
	/* The one that is there is still whole. */
	EXPECT_LE(0, open_joined(layout.name, 1));
}

/*
 * The first JOIN of an address space registers a notifier: so each time in
 * another child.  Returns how many went wrong.
 */
static int first_joins(void)
{
	struct shmchan_query q;
	int wrong = 0, n, fd, nth, ret;
	bool more = true;

	for (n = 1; more && n < MOST_FAULTS; n++) {
		int status;
		pid_t pid = fork();

		if (!pid) {
			/* Of this task, not of the parent. */
			nth = open("/proc/self/fail-nth", O_RDWR);
			fd = open_region(layout.name, RIGHTS_RW);
			set_nth(nth, n);
			ret = join(fd, 2);
			more = was_injected(nth);
			if (ret < 0 && ret != -ENOMEM && ret != -EFAULT)
				_exit(2);
			if (query(fd, &q))
				_exit(3);
			/* All of it happened, or nothing: it can join now. */
			if (ret == -ENOMEM && q.slot != SHMCHAN_SLOT_NONE)
				_exit(4);
			if (q.slot == SHMCHAN_SLOT_NONE && join(fd, 2) < 0)
				_exit(5);
			_exit(more ? 1 : 0);
		}
		waitpid(pid, &status, 0);
		if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
			wrong++;
		more = status != 0;
	}
	return wrong + (n == MOST_FAULTS);
}

TEST_F_TIMEOUT(fail, join, 120)
{
	EXPECT_EQ(0, first_joins());
	EXPECT_EQ(SHMCHAN_SLOT_DIED, slot_state(&self->status, 2));
}

static long list_users(int dev)
{
	struct shmchan_user_entry entries[4];
	struct shmchan_list_users l = {
		.size = sizeof(l),
		.entries = ptr(entries),
		.nr_entries = COUNT(entries),
		.entry_size = sizeof(entries[0]),
	};

	return call(dev, SHMCHAN_IOC_LIST_USERS, &l);
}

TEST_F_TIMEOUT(fail, memory, 120)
{
	struct layout huge = layout_default(0, true);
	int fd = create_joined(&huge, 0);
	struct shmchan_extent e[8];
	uint64_t start = 0;

	ASSERT_LE(0, fd);
	each_fault(list_users(self->dev), (void)0);
	each_fault(extents_page(fd, &start, e, COUNT(e), 0), start = 0);
	each_fault(export_dmabuf(self->fd, 0, PAGE, SHMCHAN_EXPORT_WRITE),
		   close(ret));
	each_fault(export_dmabuf(fd, 0, HUGE, 0), close(ret));
	/* An export that failed pins nothing. */
	fd = open_region(layout.name, RIGHTS_RW);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, leave(self->fd));
	EXPECT_LE(0, join(fd, 0));
}

TEST_F_TIMEOUT(fail, doorbells, 120)
{
	struct shmchan_wait_elem e[MANY_ELEMS];
	struct shmchan_event event;
	struct shmchan_member_info info;
	struct shmchan_query q;
	int efd = eventfd(0, EFD_NONBLOCK);
	unsigned int i;

	ASSERT_LE(0, efd);
	for (i = 0; i < MANY_ELEMS; i++)
		e[i] = elem64(-1, BELL_SHARED, self->word + 8 * i, 1);
	each_fault(subscribe(self->fd, BELL_SHARED, 0),
		   subscribe(self->fd, BELL_SHARED, SHMCHAN_SUBSCRIBE_END));
	each_fault(subscribe_members(self->fd),
		   subscribe(self->fd, SHMCHAN_DOORBELL_MEMBERS,
			     SHMCHAN_SUBSCRIBE_END));
	each_fault(bind_eventfd(self->fd, BELL_SHARED, efd),
		   unbind_eventfd(self->fd, BELL_SHARED));
	EXPECT_EQ(0, self->status.bells[BELL_SHARED].waiters);
	each_fault(wait_ms(self->fd, e, 1, 0), (void)0);
	each_fault(wait_ms(self->fd, e, MANY_ELEMS, 0), (void)0);
	for (i = 0; i < MANY_ELEMS; i++)
		e[i].value = 0;
	ASSERT_EQ(0, subscribe(self->fd, BELL_SHARED, 0));
	each_fault(arm(self->fd, BELL_SHARED, e, MANY_ELEMS, 0),
		   arm(self->fd, BELL_SHARED, NULL, 0, SHMCHAN_ARM_DISARM));
	EXPECT_EQ(0, self->status.bells[BELL_SHARED].waiters);
	each_fault(ring(self->fd, BELL_SHARED, 0), (void)0);
	/* An event that could not be given out is not lost. */
	EXPECT_EQ(sizeof(event), read(self->fd, &event, sizeof(event)));
	ASSERT_EQ(0, ring(self->fd, BELL_SHARED, 0));
	each_fault(read(self->fd, &event, sizeof(event)) < 0 ? -errno : 0,
		   ring(self->fd, BELL_SHARED, 0));
	each_fault(query(self->fd, &q), (void)0);
	each_fault(member_info(self->fd, 0, &info), (void)0);
}

/* A request that waits until its deadline, or has nothing to wait for. */
static long uring_wait_once(struct uring *r, int fd,
			    const struct shmchan_wait_elem *e, unsigned int nr)
{
	struct shmchan_wait w = uring_wait_args(e, nr);
	struct io_uring_sqe sqe = uring_wait_sqe(fd, &w);
	long ret;

	w.deadline = 1;
	uring_queue(r, &sqe);
	/* The fault may be io_uring's, who leaves it in the queue. */
	while (uring_enter(r, 1) != 1)
		;
	do {
		ret = uring_result(r, PATIENCE_MS);
	} while (ret == URING_NOTHING);
	return ret == -ETIMEDOUT ? 0 : ret;
}

TEST_F_TIMEOUT(fail, doorbells_by_io_uring, 120)
{
	struct shmchan_wait_elem e[MANY_ELEMS];
	struct io_uring_sqe sqe;
	unsigned int i;
	struct uring r;

	if (!has_feature(SHMCHAN_FEATURE_URING_WAIT))
		SKIP(return, "this kernel cannot cancel such requests");
	ASSERT_EQ(0, uring_setup(&r));
	for (i = 0; i < MANY_ELEMS; i++)
		e[i] = elem64(i & 1 ? self->fd : -1, BELL_SHARED,
			      self->word + 8 * i, 0);
	each_fault(uring_wait_once(&r, self->fd, e, 1), (void)0);
	each_fault(uring_wait_once(&r, self->fd, e, MANY_ELEMS), (void)0);
	EXPECT_EQ(0, self->status.bells[BELL_SHARED].waiters);
	sqe = uring_ring_sqe(self->fd, BELL_SHARED, 0);
	ASSERT_EQ(0, uring_do(&r, &sqe));
	uring_close(&r);
}

static long mint_itself(int fd)
{
	struct shmchan_mint m = {
		.flags = SHMCHAN_MINT_SELF,
		.rights = RIGHTS_RW,
	};
	int ret = mint_args(fd, &m);

	return ret == -1 ? 0 : ret;
}

TEST_F_TIMEOUT(fail, access, 120)
{
	int unbound = open_region(layout.name, SHMCHAN_RIGHT_ALL);
	int mine = mint(self->fd, RIGHTS_RW);

	ASSERT_LE(0, unbound);
	ASSERT_LE(0, mine);
	each_fault(mint(self->fd, RIGHTS_RW), close(ret));
	each_fault(mint_itself(mine), (void)0);
	/* By a member, and by a capability, which begins to keep the name. */
	each_fault(publish(self->fd, "second", 0600, RIGHTS_RW),
		   withdraw(self->fd, "second"));
	each_fault(publish(unbound, "second", 0600, RIGHTS_RW),
		   withdraw(unbound, "second"));
	EXPECT_EQ(-ENOENT, open_region("second", RIGHTS_RW));
	each_fault(withdraw_published(self->fd), (void)0);
	each_fault(set_mode(self->fd, 0600), (void)0);
	each_fault(seal(unbound, SHMCHAN_SEAL_PUBLISH), (void)0);
	each_fault(revoke_uid(self->fd, 4242), (void)0);
}

/* What stands in for memory that was revoked may be missing too. */
static long populate_again(char *p, size_t size, int advice)
{
	madvise(p, size, MADV_DONTNEED);
	return madvise(p, size, advice) ? -errno : 0;
}

TEST_F_TIMEOUT(fail, revoked, 120)
{
	size_t size = layout.data_size;
	char *reads, *writes;
	int fd, n;

	for (n = 0; n < 2; n++) {
		fd = open_joined(layout.name, 1);
		ASSERT_LE(0, fd);
		reads = map(fd, 0, size, PROT_READ);
		writes = map(fd, FOLIO_FOREIGN * PAGE, PAGE,
			     PROT_READ | PROT_WRITE);
		ASSERT_NE(MAP_FAILED, reads);
		ASSERT_NE(MAP_FAILED, writes);
		ASSERT_EQ(1, revoke_slot(self->fd, 1, 0));
		if (n)
			each_fault(populate_again(writes, PAGE,
						  MADV_POPULATE_WRITE),
				   (void)0);
		else
			each_fault(populate_again(reads, size,
						  MADV_POPULATE_READ),
				   (void)0);
		EXPECT_TRUE(all_bytes(reads, size, 0));
		munmap(reads, size);
		munmap(writes, PAGE);
		close(fd);
	}
}

/* In a mapping that is there: page tables may be missing. */
static long populate(int fd, size_t size)
{
	char *p = map(fd, 0, size, PROT_READ);
	long ret = 0;

	if (p == MAP_FAILED)
		return -errno;
	if (madvise(p, size, MADV_POPULATE_READ))
		ret = -errno;
	munmap(p, size);
	return ret;
}

TEST_F_TIMEOUT(fail, mmap, 120)
{
	struct layout huge = layout_default(0, true);
	int fd = create_joined(&huge, 0);

	ASSERT_LE(0, fd);
	each_fault(populate(self->fd, layout.data_size), (void)0);
	each_fault(populate(fd, huge.data_size), (void)0);
	EXPECT_EQ(0, leave(fd));
}

TEST_HARNESS_MAIN
