// SPDX-License-Identifier: GPL-2.0-only
/*
 * Valid calls in the wrong place: on another kind of file, before JOIN, after
 * LEAVE, by another process.
 */

#include "../kselftest_harness.h"
#include "abi_calls.h"
#include "test_peer.h"

static struct abi abi;

FIXTURE(place) {
	struct abi_snapshot before;
	struct abi_snapshot after;
	union abi_arg arg;
};

FIXTURE_SETUP(place)
{
	ASSERT_EQ(0, abi_prepare(&abi));
}

FIXTURE_TEARDOWN(place)
{
}

static bool on_member(const struct abi_call *c)
{
	return c->on == ON_MEMBER || c->on == ON_LEAVING;
}

static bool on_living(const struct abi_call *c)
{
	return c->on == ON_ALIVE || c->on == ON_NEW;
}

#define refused(err, c, fd) do {					\
	abi_fill(&abi, c, &self->arg);					\
	abi_snapshot(&abi, &self->before, true);			\
	EXPECT_EQ(-(err), call(fd, (c)->cmd, &self->arg))		\
		TH_LOG("%s", (c)->name);				\
	abi_snapshot(&abi, &self->after, true);				\
	EXPECT_EQ(0, memcmp(&self->before, &self->after,		\
			    sizeof(self->before)))			\
		TH_LOG("%s changed something", (c)->name);		\
} while (0)

TEST_F(place, no_such_call)
{
	unsigned int nr;
	bool known;
	int i;

	memset(&self->arg, 0, sizeof(self->arg));
	self->arg.size = 64;
	for (nr = 0; nr < 256; nr++) {
		known = false;
		for (i = 0; i < ABI_NR; i++)
			known |= abi_calls[i].cmd == _IO(SHMCHAN_IOC_TYPE, nr);
		if (known)
			continue;
		EXPECT_EQ(-ENOTTY, call(abi.dev, _IO(SHMCHAN_IOC_TYPE, nr),
					&self->arg));
		EXPECT_EQ(-ENOTTY, call(abi.fd, _IO(SHMCHAN_IOC_TYPE, nr),
					&self->arg));
	}
	/* The number of one of ours, but of another size or direction. */
	EXPECT_EQ(-ENOTTY, call(abi.fd, _IOWR(SHMCHAN_IOC_TYPE,
					      SHMCHAN_CMD_QUERY,
					      struct shmchan_query),
				&self->arg));
	EXPECT_EQ(-ENOTTY, call(abi.fd, _IO('S', SHMCHAN_CMD_QUERY),
				&self->arg));
}

TEST_F(place, wrong_file)
{
	const struct abi_call *c;
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	for (c = abi_calls; c < abi_calls + ABI_NR; c++) {
		refused(ENOTTY, c, c->on == ON_DEVICE ? abi.fd : abi.dev);
		refused(ENOTTY, c, pipes[0]);
	}
}

TEST_F(place, wrong_file_in_an_element)
{
	struct shmchan_wait_elem elem;
	int pipes[2], memfd;

	ASSERT_EQ(0, pipe(pipes));
	memfd = memfd_create("shmchan-test", 0);
	ASSERT_LE(0, memfd);
	elem = elem64(pipes[0], BELL_OF(0), abi.word, 1);
	EXPECT_EQ(-EBADF, wait_ms(abi.fd, &elem, 1, 0));
	elem.fd = memfd;
	EXPECT_EQ(-EBADF, wait_ms(abi.fd, &elem, 1, 0));
	elem.fd = abi.fd;
	EXPECT_EQ(0, wait_ms(abi.fd, &elem, 1, 0));
}

TEST_F(place, before_join)
{
	const struct abi_call *c;
	struct shmchan_wait_elem elem;
	struct shmchan_event event;
	int fd;

	fd = open_region(abi.name, RIGHTS_RW);
	ASSERT_LE(0, fd);
	for (c = abi_calls; c < abi_calls + ABI_NR; c++) {
		if (on_member(c))
			refused(ENOTCONN, c, fd);
	}
	EXPECT_EQ(-1, read(fd, &event, sizeof(event)));
	EXPECT_EQ(ENOTCONN, errno);
	EXPECT_EQ(ENOTCONN, map_error(fd, 0, PAGE, PROT_READ, MAP_SHARED));
	elem = elem64(fd, BELL_SHARED, abi.word, 1);
	EXPECT_EQ(-ENOTCONN, wait_ms(abi.fd, &elem, 1, 0));
	/* QUERY is for everybody. */
	EXPECT_EQ(0, query(fd, &self->arg.query));
	EXPECT_EQ(SHMCHAN_SLOT_NONE, self->arg.query.slot);
	EXPECT_EQ(0, self->arg.query.generation);
	EXPECT_EQ(RIGHTS_RW, self->arg.query.rights);
	EXPECT_EQ(1, join(fd, 2));
}

TEST_F(place, after_leave)
{
	const struct abi_call *c;
	struct shmchan_wait_elem elem;
	struct shmchan_event event;
	int fd;

	fd = open_joined(abi.name, 2);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, leave(fd));
	for (c = abi_calls; c < abi_calls + ABI_NR; c++) {
		if (on_member(c) || on_living(c))
			refused(ESTALE, c, fd);
		else if (c->on == ON_UNBOUND)
			refused(EISCONN, c, fd);
	}
	EXPECT_EQ(-1, read(fd, &event, sizeof(event)));
	EXPECT_EQ(ESTALE, errno);
	EXPECT_EQ(ESTALE, map_error(fd, 0, PAGE, PROT_READ, MAP_SHARED));
	elem = elem64(fd, BELL_SHARED, abi.word, 1);
	EXPECT_EQ(-ESTALE, wait_ms(abi.fd, &elem, 1, 0));
	/* It still tells what it was. */
	EXPECT_EQ(0, query(fd, &self->arg.query));
	EXPECT_EQ(2, self->arg.query.slot);
	EXPECT_EQ(1, self->arg.query.generation);
}

/* In a child by fork: how many of the calls did not say EPERM? */
static int try_all(int fd)
{
	const struct abi_call *c;
	struct shmchan_event event;
	static union abi_arg arg;
	int wrong = 0;

	for (c = abi_calls; c < abi_calls + ABI_NR; c++) {
		if (!on_member(c) && !on_living(c))
			continue;
		abi_fill(&abi, c, &arg);
		wrong += call(fd, c->cmd, &arg) != -EPERM;
	}
	wrong += read(fd, &event, sizeof(event)) != -1 || errno != EPERM;
	wrong += map_error(fd, 0, PAGE, PROT_READ, MAP_SHARED) != EPERM;
	abi_fill(&abi, &abi_calls[ABI_JOIN], &arg);
	wrong += call(fd, SHMCHAN_IOC_JOIN, &arg) != -EISCONN;
	return wrong;
}

TEST_F(place, another_process)
{
	int status, fd;
	pid_t pid;

	abi_snapshot(&abi, &self->before, true);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(try_all(abi.fd));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	abi_snapshot(&abi, &self->after, true);
	EXPECT_EQ(0, memcmp(&self->before, &self->after,
			    sizeof(self->before)));

	/* An element that names a member of somebody else. */
	fd = open_region(abi.name, RIGHTS_RW);
	ASSERT_LE(0, fd);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct shmchan_wait_elem elem = elem64(abi.fd, BELL_SHARED,
						       abi.word, 1);

		if (join(fd, 3) < 0)
			_exit(1);
		_exit(wait_ms(fd, &elem, 1, 0) != -EPERM);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* What takes a right that a capability has not, joined or not. */
TEST_F(place, rights_to_act)
{
	int fd, unbound, i;

	unbound = open_region(abi.name, RIGHTS_RW);
	ASSERT_LE(0, unbound);
	fd = open_joined(abi.name, 2);
	ASSERT_LE(0, fd);
	for (i = 0; i < 2; i++, fd = unbound) {
		refused(EACCES, &abi_calls[ABI_MINT], fd);
		refused(EACCES, &abi_calls[ABI_PUBLISH], fd);
		refused(EACCES, &abi_calls[ABI_WITHDRAW], fd);
		refused(EACCES, &abi_calls[ABI_SETATTR], fd);
		refused(EACCES, &abi_calls[ABI_SEAL], fd);
		refused(EACCES, &abi_calls[ABI_REVOKE], fd);
	}
}

TEST_F(place, read_only_rights)
{
	struct shmchan_wait_elem elem;
	int fd;

	/* No right but to be a member. */
	fd = open_region(abi.name, SHMCHAN_RIGHT_ADMIN);
	ASSERT_LE(0, fd);
	ASSERT_LT(0, join(fd, 2));
	EXPECT_EQ(-EACCES, ring(fd, BELL_SHARED, 0));
	elem = elem64(-1, BELL_SHARED, abi.word, 1);
	EXPECT_EQ(-EACCES, wait_ms(fd, &elem, 1, 0));
	EXPECT_EQ(-EACCES, subscribe(fd, BELL_SHARED, 0));
	EXPECT_EQ(-EACCES, subscribe_members(fd));
	EXPECT_EQ(-EACCES, bind_eventfd(fd, BELL_SHARED, abi.efd));
	EXPECT_EQ(-EACCES, arm(fd, BELL_SHARED, NULL, 0, 0));
	EXPECT_EQ(EACCES, map_error(fd, 0, PAGE, PROT_READ, MAP_SHARED));
	EXPECT_EQ(EACCES, map_error(fd, 0, PAGE, PROT_READ | PROT_WRITE,
				    MAP_SHARED));
	EXPECT_EQ(-EACCES, export_dmabuf(fd, 0, PAGE, 0));
	EXPECT_EQ(-EACCES, export_dmabuf(fd, 0, PAGE, SHMCHAN_EXPORT_WRITE));
	EXPECT_EQ(0, member_info(fd, 0, &self->arg.member_info));
}

TEST_HARNESS_MAIN
