// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slots: one holder at a time, generations, reservations, and who it was.
 */

#include "../kselftest_harness.h"

#include <sys/stat.h>

#include "test_peer.h"

static const char *name;
static struct shmchan_slot slots[4];

FIXTURE(slots) {
	struct layout layout;
	struct peer peer;
	struct status status;
	struct shmchan_member_info info;
	int fd;		/* no member: it only keeps the name */
	int watch;	/* a member, slot 3 */
};

FIXTURE_SETUP(slots)
{
	name = own_name();
	self->layout = layout_default(SHMCHAN_CREATE_SMALL, false);
	self->layout.name = name;
	self->layout.mode = 0666;
	umask(0);
	ASSERT_EQ(0, peer_start(&self->peer));
}

FIXTURE_TEARDOWN(slots)
{
	if (self->peer.pid)
		peer_kill(&self->peer);
}

/* Makes the region, with @slots if any of them is special. */
#define create_slots() do {						\
	struct shmchan_create _c = create_args(&self->layout);		\
									\
	_c.slots = ptr(slots);						\
	ASSERT_EQ(0, call(open_device(), SHMCHAN_IOC_CREATE, &_c));	\
	self->fd = _c.fd;						\
	self->watch = open_joined(name, 3);				\
	ASSERT_LE(0, self->watch);					\
	ASSERT_EQ(0, map_status(self->watch, &self->status));		\
} while (0)

TEST_F(slots, exclusive)
{
	int a, b;

	create_slots();
	a = open_joined(name, 0);
	ASSERT_LE(0, a);
	b = open_region(name, RIGHTS_RW);
	ASSERT_LE(0, b);
	EXPECT_EQ(-EBUSY, join(b, 0));
	EXPECT_EQ(-EBUSY, peer_call(&self->peer, peer_join, (long)name, 0));
	EXPECT_EQ(-EBUSY, join(b, 3));
	/* A JOIN that failed leaves the capability as it was. */
	EXPECT_LT(0, join(b, 1));
	EXPECT_LE(0, peer_call(&self->peer, peer_join, (long)name, 2));
	/* Now all are held. */
	EXPECT_EQ(-EUSERS, open_joined(name, SHMCHAN_SLOT_ANY));
	EXPECT_EQ(-EUSERS, peer_call(&self->peer, peer_join, (long)name,
				     SHMCHAN_SLOT_ANY));
	EXPECT_EQ(0, leave(b));
	EXPECT_LE(0, peer_call(&self->peer, peer_join, (long)name,
			       SHMCHAN_SLOT_ANY));
	EXPECT_EQ(SHMCHAN_SLOT_LIVE, slot_state(&self->status, 1));
	EXPECT_EQ(2, slot_gen(&self->status, 1));
}

TEST_F(slots, any)
{
	unsigned int taken = 0;
	struct shmchan_query q;
	int i, fd;

	create_slots();
	for (i = 0; i < 3; i++) {
		fd = open_joined(name, SHMCHAN_SLOT_ANY);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, query(fd, &q));
		ASSERT_GT(4, q.slot);
		EXPECT_EQ(0, taken & 1U << q.slot);
		taken |= 1U << q.slot;
	}
	EXPECT_EQ(7, taken);
}

TEST_F(slots, words)
{
	uint64_t seq, word;
	unsigned int gen;
	int fd;

	create_slots();
	EXPECT_EQ(0, self->status.slots[0]);
	EXPECT_EQ(1, self->status.head->version);
	EXPECT_EQ(4, self->status.head->nr_slots);
	EXPECT_EQ(6, self->status.head->nr_doorbells);
	EXPECT_EQ(SHMCHAN_STATUS_SLOTS_OFFSET, self->status.head->slots_offset);
	EXPECT_EQ(SHMCHAN_STATUS_DOORBELLS_OFFSET(4),
		  self->status.head->doorbells_offset);
	EXPECT_EQ(128, self->status.head->doorbell_stride);
	EXPECT_EQ(SHMCHAN_STATUS_SIZE(4, 5), self->status.size);
	EXPECT_EQ(SHMCHAN_STATUS_OFFSET(0, self->layout.control_size),
		  self->status.offset);

	for (gen = 1; gen < 6; gen++) {
		struct shmchan_join j = {
			.size = sizeof(j),
			.slot = 0,
			.flags = gen & 1 ? SHMCHAN_JOIN_ASYM : 0,
		};

		seq = self->status.head->members_seq;
		fd = open_region(name, RIGHTS_RW);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, call(fd, SHMCHAN_IOC_JOIN, &j));
		EXPECT_EQ(0, j.slot);
		EXPECT_EQ(gen, j.generation);
		word = (uint64_t)gen << 32 | SHMCHAN_SLOT_LIVE;
		if (gen & 1)
			word |= SHMCHAN_SLOT_WORD_ASYM;
		EXPECT_EQ(word, self->status.slots[0]);
		EXPECT_EQ(seq + 1, self->status.head->members_seq);
		if (gen & 2)
			ASSERT_EQ(0, leave(fd));
		close(fd);
		word = (uint64_t)gen << 32 | SHMCHAN_SLOT_LEFT;
		EXPECT_EQ(word, self->status.slots[0]);
		EXPECT_EQ(seq + 2, self->status.head->members_seq);
	}
}

TEST_F(slots, once_in_its_life)
{
	int fd;

	create_slots();
	fd = open_region(name, RIGHTS_RW);
	ASSERT_LE(0, fd);
	EXPECT_EQ(1, join(fd, 0));
	EXPECT_EQ(-EISCONN, join(fd, 0));
	EXPECT_EQ(-EISCONN, join(fd, 1));
	EXPECT_EQ(0, leave(fd));
	EXPECT_EQ(-EISCONN, join(fd, 0));
	EXPECT_EQ(-ESTALE, leave(fd));
	/* Another capability is another life. */
	EXPECT_LE(0, open_joined(name, 0));
}

TEST_F(slots, join_in_one_call)
{
	struct shmchan_create c = create_args(&self->layout);
	struct shmchan_open o = {
		.size = sizeof(o),
		.flags = SHMCHAN_OPEN_JOIN,
		.name = ptr(name),
		.name_len = strlen(name),
		.rights = RIGHTS_RW,
		.join_slot = SHMCHAN_SLOT_ANY,
		.join_flags = SHMCHAN_JOIN_ASYM,
	};
	int dev = open_device();
	struct status status = {};

	c.flags |= SHMCHAN_CREATE_JOIN;
	c.join_slot = 2;
	ASSERT_EQ(0, call(dev, SHMCHAN_IOC_CREATE, &c));
	EXPECT_EQ(2, c.join_slot);
	EXPECT_EQ(1, c.generation);
	ASSERT_EQ(0, map_status(c.fd, &status));
	EXPECT_EQ(SHMCHAN_SLOT_LIVE, slot_state(&status, 2));
	ASSERT_EQ(0, call(dev, SHMCHAN_IOC_OPEN, &o));
	EXPECT_GT(4, o.join_slot);
	EXPECT_NE(2, o.join_slot);
	EXPECT_EQ(1, o.generation);
	EXPECT_NE(0, status.slots[o.join_slot] & SHMCHAN_SLOT_WORD_ASYM);
	EXPECT_EQ(FD_CLOEXEC, fcntl(c.fd, F_GETFD));
	EXPECT_EQ(FD_CLOEXEC, fcntl(o.fd, F_GETFD));
}

TEST_F(slots, reserved_for_a_user)
{
	if (geteuid())
		SKIP(return, "only root can become others");
	slots[0] = (struct shmchan_slot) { SHMCHAN_SLOT_FLAG_UID, 1000 };
	slots[1] = (struct shmchan_slot) { SHMCHAN_SLOT_FLAG_UID, 0 };
	create_slots();
	/* No privilege overrides it. */
	EXPECT_EQ(-EACCES, open_joined(name, 0));
	EXPECT_LE(0, open_joined(name, 1));
	EXPECT_LE(0, open_joined(name, SHMCHAN_SLOT_ANY));
	/* Slot 0 is free, but not for us. */
	EXPECT_EQ(-EACCES, open_joined(name, SHMCHAN_SLOT_ANY));

	ASSERT_EQ(0, peer_call(&self->peer, peer_become, 1000, 1000));
	EXPECT_EQ(-EBUSY, peer_call(&self->peer, peer_join, (long)name, 1));
	EXPECT_LE(0, peer_call(&self->peer, peer_join, (long)name,
			       SHMCHAN_SLOT_ANY));
	EXPECT_EQ(SHMCHAN_SLOT_LIVE, slot_state(&self->status, 0));
	EXPECT_EQ(-EUSERS, peer_call(&self->peer, peer_join, (long)name,
				     SHMCHAN_SLOT_ANY));
}

TEST_F(slots, same_user)
{
	long theirs;

	if (geteuid())
		SKIP(return, "only root can become others");
	slots[0].flags = SHMCHAN_SLOT_FLAG_SAME_UID;
	create_slots();
	ASSERT_EQ(0, peer_call(&self->peer, peer_become, 1000, 1000));
	theirs = peer_call(&self->peer, peer_join, (long)name, 0);
	ASSERT_LE(0, theirs);
	ASSERT_EQ(0, peer_call(&self->peer, peer_leave, theirs, 0));
	EXPECT_EQ(-EACCES, open_joined(name, 0));
	EXPECT_LE(0, peer_call(&self->peer, peer_join, (long)name, 0));
	peer_kill(&self->peer);
	EXPECT_EQ(-EACCES, open_joined(name, 0));
	EXPECT_LE(0, open_joined(name, 1));
}

TEST_F(slots, who_it_is)
{
	pid_t pid = self->peer.pid;
	long theirs;
	int fd;

	if (geteuid())
		SKIP(return, "only root can become others");
	create_slots();
	ASSERT_EQ(0, member_info(self->watch, 0, &self->info));
	EXPECT_TRUE(all_bytes(&self->info.current_holder,
			      sizeof(self->info.current_holder), 0));
	EXPECT_TRUE(all_bytes(&self->info.previous_holder,
			      sizeof(self->info.previous_holder), 0));

	ASSERT_EQ(0, peer_call(&self->peer, peer_become, 1000, 1001));
	theirs = peer_call(&self->peer, peer_join, (long)name, 0);
	ASSERT_LE(0, theirs);
	ASSERT_EQ(0, member_info(self->watch, 0, &self->info));
	EXPECT_EQ(1, self->info.current_holder.generation);
	EXPECT_EQ(SHMCHAN_SLOT_LIVE, self->info.current_holder.state);
	EXPECT_EQ(pid, self->info.current_holder.pid);
	EXPECT_EQ(1000, self->info.current_holder.uid);
	EXPECT_EQ(1001, self->info.current_holder.gid);
	EXPECT_EQ(0, self->info.previous_holder.generation);

	/* It left, but lives. */
	ASSERT_EQ(0, peer_call(&self->peer, peer_leave, theirs, 0));
	ASSERT_EQ(0, member_info(self->watch, 0, &self->info));
	EXPECT_EQ(SHMCHAN_SLOT_LEFT, self->info.current_holder.state);
	EXPECT_EQ(pid, self->info.current_holder.pid);

	fd = open_joined(name, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, member_info(self->watch, 0, &self->info));
	EXPECT_EQ(2, self->info.current_holder.generation);
	EXPECT_EQ(getpid(), self->info.current_holder.pid);
	EXPECT_EQ(0, self->info.current_holder.uid);
	EXPECT_EQ(1, self->info.previous_holder.generation);
	EXPECT_EQ(SHMCHAN_SLOT_LEFT, self->info.previous_holder.state);
	EXPECT_EQ(pid, self->info.previous_holder.pid);
	EXPECT_EQ(1000, self->info.previous_holder.uid);
	EXPECT_EQ(1001, self->info.previous_holder.gid);
}

/* A number that may belong to somebody else by now is not told. */
TEST_F(slots, who_it_was)
{
	create_slots();
	ASSERT_LE(0, peer_call(&self->peer, peer_join, (long)name, 0));
	peer_kill(&self->peer);
	ASSERT_EQ(0, member_info(self->watch, 0, &self->info));
	EXPECT_EQ(1, self->info.current_holder.generation);
	EXPECT_EQ(SHMCHAN_SLOT_DIED, self->info.current_holder.state);
	EXPECT_EQ(0, self->info.current_holder.pid);
	EXPECT_EQ(geteuid(), self->info.current_holder.uid);
	ASSERT_LE(0, open_joined(name, 0));
	ASSERT_EQ(0, member_info(self->watch, 0, &self->info));
	EXPECT_EQ(1, self->info.previous_holder.generation);
	EXPECT_EQ(SHMCHAN_SLOT_DIED, self->info.previous_holder.state);
	EXPECT_EQ(0, self->info.previous_holder.pid);
}

/*
 * In the peer: a process of new PID and user namespaces joins slot 1 and asks
 * who holds slot 3, where the test is, and who slot 1.
 */
static struct shmchan_identity seen[2];

static long ask_in_namespaces(long a, long b)
{
	struct shmchan_member_info info;
	int pipes[2], status;
	pid_t pid;

	(void)a;
	(void)b;
	if (pipe(pipes))
		return -errno;
	if (unshare(CLONE_NEWUSER | CLONE_NEWPID))
		return -ENOSYS;
	pid = fork();
	if (!pid) {
		int fd = open_joined(name, 1);

		if (fd < 0 || member_info(fd, 3, &info))
			_exit(1);
		seen[0] = info.current_holder;
		if (member_info(fd, 1, &info))
			_exit(2);
		seen[1] = info.current_holder;
		(void)!write(pipes[1], seen, sizeof(seen));
		/* Stays, so that the test can ask, too. */
		pause();
		_exit(3);
	}
	close(pipes[1]);
	if (read(pipes[0], seen, sizeof(seen)) != sizeof(seen)) {
		waitpid(pid, &status, 0);
		return -EBADMSG;
	}
	return pid;
}

static long get_seen(long which, long field)
{
	const struct shmchan_identity *id = &seen[which];

	switch (field) {
	case 0: return id->generation;
	case 1: return id->pid;
	case 2: return id->uid;
	default: return id->gid;
	}
}

TEST_F(slots, who_in_namespaces)
{
	long pid;

	create_slots();
	pid = peer_call(&self->peer, ask_in_namespaces, 0, 0);
	if (pid == -ENOSYS)
		SKIP(return, "cannot make user and PID namespaces");
	ASSERT_LT(0, pid);
	/* We are not visible there, and our uid has no number there. */
	EXPECT_EQ(1, peer_call(&self->peer, get_seen, 0, 0));
	EXPECT_EQ(0, peer_call(&self->peer, get_seen, 0, 1));
	EXPECT_EQ(65534, peer_call(&self->peer, get_seen, 0, 2));
	EXPECT_EQ(65534, peer_call(&self->peer, get_seen, 0, 3));
	/* It sees itself as the first process. */
	EXPECT_EQ(1, peer_call(&self->peer, get_seen, 1, 1));
	/* We see it under its number here. */
	ASSERT_EQ(0, member_info(self->watch, 1, &self->info));
	EXPECT_EQ(pid, self->info.current_holder.pid);
	EXPECT_EQ(geteuid(), self->info.current_holder.uid);
	kill(pid, SIGKILL);
	EXPECT_TRUE(eventually(slot_state(&self->status, 1) ==
			       SHMCHAN_SLOT_DIED));
}

TEST_F(slots, many)
{
	struct status status = {};
	int fd;

	self->layout.nr_slots = SHMCHAN_MAX_SLOTS;
	fd = create_joined(&self->layout, SHMCHAN_MAX_SLOTS - 1);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, map_status(fd, &status));
	EXPECT_EQ(SHMCHAN_MAX_SLOTS, status.head->nr_slots);
	EXPECT_EQ(SHMCHAN_SLOT_LIVE, slot_state(&status,
						SHMCHAN_MAX_SLOTS - 1));
	EXPECT_LE(0, open_joined(name, SHMCHAN_MAX_SLOTS / 2));
	EXPECT_EQ(SHMCHAN_SLOT_LIVE, slot_state(&status,
						SHMCHAN_MAX_SLOTS / 2));
	EXPECT_EQ(-EINVAL, open_joined(name, SHMCHAN_MAX_SLOTS));
}

TEST_HARNESS_MAIN
