// SPDX-License-Identifier: GPL-2.0-only

/* Capabilities over sockets: passed on, and what comes instead refused. */

#include <fcntl.h>
#include <sys/resource.h>

#include "access_fixture.h"
#include "region_fixture.h"

static void send_files(int sock, const int *fds, int nr, size_t bytes)
{
	union {
		char bytes[CMSG_SPACE(8 * sizeof(int))];
		struct cmsghdr align;
	} control = { .bytes = { 0 } };
	char text[8] = "no cap.";
	struct iovec iov = { text, bytes };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (nr) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE((size_t)nr * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN((size_t)nr * sizeof(int));
		memcpy(CMSG_DATA(c), fds, (size_t)nr * sizeof(int));
	}
	CHECK_EQ(sendmsg(sock, &msg, 0), (ssize_t)bytes);
}

/* How many files are open: what is refused must not stay. */
static int open_files(void)
{
	int fd, nr = 0;

	for (fd = 0; fd < 256; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

static void refused(int sock, int err, const char *says)
{
	int before = open_files();

	CHECK_EQ(shmchan_capability_receive(sock), -err);
	CHECK_SAYS(shmchan_error_detail(), says);
	CHECK_EQ(open_files(), before);
}

TEST(what_comes_instead_is_refused)
{
	int sock[2], fds[8], i;
	FILE *file = tmpfile();

	socket_pair(sock);
	CHECK(file);
	/* Bytes and no file. */
	send_files(sock[0], NULL, 0, 1);
	refused(sock[1], EPROTO, "not one file");
	/* Files of other kinds. */
	fds[0] = fileno(file);
	send_files(sock[0], fds, 1, 1);
	refused(sock[1], EPROTO, "no capability of shmchan");
	fds[0] = open("/dev/null", O_RDWR);
	send_files(sock[0], fds, 1, 1);
	refused(sock[1], EPROTO, "another kind of file");
	fds[0] = sock[0];
	send_files(sock[0], fds, 1, 1);
	refused(sock[1], EPROTO, "another kind of file");
	/* More than one. */
	for (i = 0; i < 8; i++)
		fds[i] = fileno(file);
	send_files(sock[0], fds, 2, 1);
	refused(sock[1], EPROTO, "not one file");
	send_files(sock[0], fds, 8, 1);
	refused(sock[1], EMFILE, "more than one file");
	/* Nothing any more. */
	CHECK(!fcntl(sock[1], F_SETFL, O_NONBLOCK));
	refused(sock[1], EAGAIN, "receiving a capability");
	close(sock[0]);
	refused(sock[1], EPIPE, "closed the socket");
	refused(fileno(file), ENOTSOCK, "receiving a capability");
}

TEST(no_room_for_it)
{
	struct rlimit limit = { 0, 0 };
	struct shmchan_region *r;
	int sock[2], fd, next;

	KMOD_ONLY("no capabilities");
	socket_pair(sock);
	r = fix_create(test_name("room"));
	fd = open_capability(test_name("room"), RIGHTS_READ);
	CHECK_EQ(shmchan_capability_send(sock[0], fd), 0);
	next = dup(fd);
	close(next);
	limit.rlim_cur = limit.rlim_max = (rlim_t)next;
	CHECK(!setrlimit(RLIMIT_NOFILE, &limit));
	refused(sock[1], EMFILE, "ulimit -n");
	shmchan_region_close(r);
}

TEST(to_a_stranger)
{
	struct shmchan_mint_opts less = SHMCHAN_MINT_OPTS(
		.rights = RIGHTS_READ);
	const char *name = test_name("stranger");
	struct shmchan_region *r, *ro;
	int sock[2], fd;
	pid_t pid;

	KMOD_ONLY("no capabilities");
	socket_pair(sock);
	r = fix_create(name);
	shmchan_store_seq_cst(fix_word(r, 0), 42);
	pid = child_fork();
	if (!pid) {
		close(sock[0]);
		/* Another user, who may not open it by its name. */
		if (!geteuid()) {
			become(FIX_UID_A);
			CHECK_LT(shmchan_capability_open(name, NULL), 0);
		}
		fd = shmchan_capability_receive(sock[1]);
		CHECK_GE(fd, 0);
		CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
		CHECK_EQ(shmchan_region_adopt(&ro, fd, NULL), 0);
		CHECK_EQ(shmchan_load_seq_cst(fix_word(ro, 0)), 42);
		CHECK_EQ(ro->rights, RIGHTS_READ);
		shmchan_region_close(ro);
		child_done();
	}
	close(sock[1]);
	/* The one that has joined does nobody else any good. */
	CHECK_EQ(shmchan_capability_send(sock[0], shmchan_region_fd(r)),
		 -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "mint one and send that");
	CHECK_EQ(shmchan_capability_send(sock[0], sock[0]), -EPROTO);
	fd = shmchan_capability_mint(shmchan_region_fd(r), &less);
	CHECK_GE(fd, 0);
	CHECK_EQ(shmchan_capability_send(sock[0], fd), 0);
	close(fd);
	CHECK_CHILD_OK(pid);
	/* Gone: an error, and no signal. */
	fd = shmchan_capability_mint(shmchan_region_fd(r), &less);
	CHECK_EQ(shmchan_capability_send(sock[0], fd), -EPIPE);
	CHECK_EQ(shmchan_capability_send(fd, fd), -ENOTSOCK);
	close(fd);
	shmchan_region_close(r);
}

/* On its way when it is revoked: it is of no use when it comes. */
TEST(revoked_on_the_way)
{
	struct shmchan_mint_opts less = SHMCHAN_MINT_OPTS(
		.rights = RIGHTS_READ);
	const char *name = test_name("way");
	struct shmchan_region *r, *member;
	int sock[2], fd;

	KMOD_ONLY("no capabilities");
	socket_pair(sock);
	r = fix_create(name);
	fd = open_capability(name, RIGHTS_MEMBER | SHMCHAN_RIGHT_PUBLISH);
	CHECK_EQ(shmchan_region_adopt(&member, fd, NULL), 0);
	fd = shmchan_capability_mint(fd, &less);
	CHECK_EQ(shmchan_capability_send(sock[0], fd), 0);
	close(fd);
	revoke_slot(name, member->slot);
	refused(sock[1], ESTALE, "revoked");
	shmchan_region_close(member);
	shmchan_region_close(r);
}

TEST_MAIN
