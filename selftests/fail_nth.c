// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation and every copy of every call fails once: the call says so,
 * or does without, and nothing is left of it.  Needs a kernel with fault
 * injection: CONFIG_FAILSLAB, CONFIG_FAIL_PAGE_ALLOC.
 */

#include "../kselftest_harness.h"

#include <sys/stat.h>

#include "test_peer.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#endif

#define DEBUG		"/sys/kernel/debug/"
#define MOST_FAULTS	3000
#define MANY_ELEMS	20

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
	struct shmchan_list l = {
		.size = sizeof(l),
		.entries = ptr(entries),
		.nr_entries = COUNT(entries),
		.entry_size = sizeof(entries[0]),
	};

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

TEST_F_TIMEOUT(fail, doorbells, 120)
{
	struct shmchan_wait_elem e[MANY_ELEMS];
	struct shmchan_event event;
	struct shmchan_member_info info;
	struct shmchan_query q;
	unsigned int i;

	for (i = 0; i < MANY_ELEMS; i++)
		e[i] = elem64(-1, BELL_SHARED, self->word + 8 * i, 1);
	each_fault(subscribe(self->fd, BELL_SHARED, 0),
		   subscribe(self->fd, BELL_SHARED, SHMCHAN_SUBSCRIBE_END));
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
