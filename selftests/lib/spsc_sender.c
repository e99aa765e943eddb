// SPDX-License-Identifier: GPL-2.0-only

/* Channels: who has sent a message, and how certain that is. */

#include <sys/stat.h>

#include "access_fixture.h"
#include "spsc_fixture.h"

static void get(struct shmchan_spsc *rx, uint64_t want)
{
	uint64_t value = 0;
	int err;

	/* What ends there were in between is not what this is about. */
	do
		err = shmchan_spsc_recv(rx, &value, 8, NULL, NULL, 20000 * MS);
	while (err == -EPIPE || err == -EOWNERDEAD);
	CHECK_EQ(err, 0);
	CHECK_EQ(value, want);
}

/* A process that sends some values, and closes or waits to be killed. */
static pid_t send_from(uint32_t uid, uint64_t first, unsigned int n, int stay)
{
	uint32_t *ready = (uint32_t *)shared_alloc(4096);
	pid_t pid = child_fork();
	struct shmchan_spsc tx;
	uint64_t value;

	if (pid) {
		while (!shmchan_load_seq_cst(ready))
			sleep_ms(1);
		return pid;
	}
	if (uid && (setresgid(uid, uid, uid) || setresuid(uid, uid, uid)))
		FAIL("setresuid: %s", strerror(errno));
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	open_as(&tx, "sender", SHMCHAN_SENDER, 4096, -1);
	for (value = first; value < first + n; value++)
		CHECK_EQ(shmchan_spsc_send(&tx, &value, 8, 0, 0, -1), 0);
	shmchan_store_seq_cst(ready, 1);
	while (stay)
		pause();
	shmchan_spsc_close(&tx);
	child_done();
}

static void open_receiver(struct shmchan_spsc *rx, uint32_t mode)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_RECEIVER, .create = 1, .capacity = 4096,
		.spin_ns = -1, .any_owner = 1);

	umask(0);
	opts.mode = mode;
	CHECK_EQ(shmchan_spsc_open(rx, test_name("sender"), &opts), 0);
}

#define CHECK_RANGE(s, from, to, lane)					\
	do {								\
		CHECK_EQ((s).slot, SHMCHAN_SENDER);			\
		CHECK_EQ((s).oldest, (from));				\
		CHECK_EQ((s).newest, (to));				\
		CHECK_EQ((s).by_lane, (lane));				\
	} while (0)

TEST(who_is_there)
{
	struct shmchan_spsc rx;
	struct shmchan_origin s;
	pid_t pid;

	open_receiver(&rx, 0600);
	pid = send_from(0, 1, 2, 1);
	get(&rx, 1);
	CHECK_EQ(shmchan_spsc_sender(&rx, &s), 0);
	CHECK_RANGE(s, 1, 1, 1);
	CHECK_EQ(s.certain, SHMCHAN_SENDER_HOLDER);
	CHECK_EQ(s.identity.generation, 1);
	CHECK_EQ(s.identity.state, SHMCHAN_SLOT_LIVE);
	CHECK_EQ(s.identity.pid, pid);
	CHECK_EQ(s.identity.uid, geteuid());
	CHECK_EQ(s.identity.gid, getegid());
	child_kill(pid);
	shmchan_spsc_close(&rx);
}

/* It left, or died, and what it sent is read only then. */
static void who_was_there(int kill_it)
{
	struct shmchan_spsc rx;
	struct shmchan_origin s;
	pid_t pid;

	open_receiver(&rx, 0600);
	pid = send_from(0, 1, 2, kill_it);
	if (kill_it)
		child_kill(pid);
	else
		CHECK_CHILD_OK(pid);
	get(&rx, 1);
	CHECK_EQ(shmchan_spsc_sender(&rx, &s), 0);
	CHECK_RANGE(s, 1, 1, 1);
	CHECK_EQ(s.certain, SHMCHAN_SENDER_HOLDER);
	CHECK_EQ(s.identity.uid, geteuid());
	if (on_kmod() || !kill_it)
		CHECK_EQ(s.identity.state, kill_it ? SHMCHAN_SLOT_DIED :
						     SHMCHAN_SLOT_LEFT);
	if (on_kmod())
		CHECK_EQ(s.identity.pid, 0);
	shmchan_spsc_close(&rx);
}

TEST(who_left)
{
	who_was_there(0);
}

TEST(who_died)
{
	who_was_there(1);
}

/* The seat has another holder, who could have rewritten what is unread. */
TEST(unread_when_the_seat_changed_hands)
{
	struct shmchan_spsc rx;
	struct shmchan_origin s;
	pid_t pid;

	open_receiver(&rx, 0600);
	CHECK_CHILD_OK(send_from(0, 1, 2, 0));
	pid = send_from(0, 3, 2, 1);
	get(&rx, 1);
	CHECK_EQ(shmchan_spsc_sender(&rx, &s), 0);
	CHECK_RANGE(s, 1, 2, 1);
	/* One of the two; but both are of one user. */
	CHECK_EQ(s.certain, SHMCHAN_SENDER_USER);
	CHECK_EQ(s.identity.uid, geteuid());
	CHECK_EQ(s.identity.gid, getegid());
	CHECK_EQ(s.identity.pid, 0);
	CHECK_EQ(s.identity.generation, 0);
	get(&rx, 2);
	get(&rx, 3);
	CHECK_EQ(shmchan_spsc_sender(&rx, &s), 0);
	CHECK_RANGE(s, 1, 2, 2);
	get(&rx, 4);
	CHECK_EQ(shmchan_spsc_recv(&rx, &s, sizeof(s), NULL, NULL, 0), -EAGAIN);
	/* Still of the last message: what was found out since is not. */
	CHECK_EQ(shmchan_spsc_sender(&rx, &s), 0);
	CHECK_RANGE(s, 1, 2, 2);
	child_kill(pid);
	/* It kept up: what the next one sends is that one's. */
	CHECK_EQ(shmchan_spsc_recv(&rx, &s, sizeof(s), NULL, NULL,
				   20000 * MS), -EOWNERDEAD);
	pid = send_from(0, 5, 1, 1);
	get(&rx, 5);
	CHECK_EQ(shmchan_spsc_sender(&rx, &s), 0);
	CHECK_RANGE(s, 3, 3, 3);
	CHECK_EQ(s.certain, SHMCHAN_SENDER_HOLDER);
	CHECK_EQ(s.identity.pid, pid);
	child_kill(pid);
	shmchan_spsc_close(&rx);
}

TEST(two_users)
{
	struct shmchan_spsc rx;
	struct shmchan_origin s;
	pid_t pid;

	if (geteuid())
		SKIP("needs root, to be two users");
	open_receiver(&rx, 0666);
	/* It names it for both, which are not the owner. */
	CHECK_CHILD_OK(send_from(0, 1, 1, 0));
	pid = send_from(1000, 2, 1, 1);
	get(&rx, 1);
	CHECK_EQ(shmchan_spsc_sender(&rx, &s), 0);
	CHECK_RANGE(s, 1, 2, 1);
	/* Root's message, says a lane that a stranger can write. */
	CHECK_EQ(s.certain, 0);
	CHECK_EQ(s.identity.uid, 0);
	CHECK_EQ(s.identity.generation, 0);
	get(&rx, 2);
	CHECK_EQ(shmchan_spsc_sender(&rx, &s), 0);
	CHECK_EQ(s.certain, 0);
	child_kill(pid);
	shmchan_spsc_close(&rx);
}

/* The kernel remembers two. */
TEST(too_long_ago)
{
	struct shmchan_spsc rx;
	struct shmchan_origin s;
	uint64_t i;

	open_receiver(&rx, 0600);
	for (i = 1; i <= 4; i++)
		CHECK_CHILD_OK(send_from(0, i, 1, 0));
	for (i = 1; i <= 4; i++) {
		get(&rx, i);
		CHECK_EQ(shmchan_spsc_sender(&rx, &s), 0);
		CHECK_RANGE(s, 1, 4, i);
		CHECK_EQ(s.certain, 0);
		CHECK_EQ(s.identity.generation, 0);
	}
	shmchan_spsc_close(&rx);
}

TEST(only_at_the_receivers_end)
{
	struct shmchan_origin s;
	struct shmchan_spsc tx;

	open_as(&tx, "end", SHMCHAN_SENDER, 4096, -1);
	CHECK_EQ(shmchan_spsc_sender(&tx, &s), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "the call is the receiver's");
	shmchan_spsc_close(&tx);
}

TEST(a_channel_by_capabilities)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_SENDER, .spin_ns = -1);
	struct shmchan_range half = { 0, 4096 };
	struct shmchan_mint_opts part = SHMCHAN_MINT_OPTS(
		.rights = RIGHTS_MEMBER, .data = &half);
	struct shmchan_mint_opts reader = SHMCHAN_MINT_OPTS(
		.rights = RIGHTS_READ);
	struct shmchan_spsc rx, tx;
	struct shmchan_origin s;
	uint64_t value = 1;
	int fd, less;

	KMOD_ONLY("no capabilities");
	open_as(&rx, "caps", SHMCHAN_RECEIVER, 8192, -1);
	fd = open_capability(test_name("caps"), SHMCHAN_RIGHT_ALL);
	less = shmchan_capability_mint(fd, &part);
	CHECK_GE(less, 0);
	CHECK_EQ(shmchan_spsc_adopt(&tx, less, &opts), -EACCES);
	CHECK_SAYS(shmchan_error_detail(), "reaches 4096 of 8192 bytes");
	CHECK(!close(less));
	less = shmchan_capability_mint(fd, &reader);
	CHECK_EQ(shmchan_spsc_adopt(&tx, less, &opts), -EACCES);
	CHECK_SAYS(shmchan_error_detail(), "needs read write ring wait");
	CHECK(!close(less));
	opts.create = 1;
	CHECK_EQ(shmchan_spsc_adopt(&tx, fd, &opts), -EINVAL);
	opts.create = 0;
	CHECK_EQ(shmchan_spsc_adopt(&tx, fd, &opts), 0);
	/* The ones that were no use have not been there at all. */
	CHECK_EQ(tx.region->generation, 1);
	CHECK_EQ(shmchan_spsc_send(&tx, &value, 8, 0, 0, 0), 0);
	get(&rx, 1);
	CHECK_EQ(shmchan_spsc_sender(&rx, &s), 0);
	CHECK_EQ(s.identity.pid, getpid());
	shmchan_spsc_close(&tx);
	shmchan_spsc_close(&rx);
}

TEST_MAIN
