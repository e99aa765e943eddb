// SPDX-License-Identifier: GPL-2.0-only

/* Sets: who is ready, in turn; channels whose senders come, close and die. */

#include <shmchan/access.h>
#include <shmchan/loop.h>

#include "region_fixture.h"
#include "spsc_fixture.h"

#define NR	4

static struct shmchan_set *new_set(void)
{
	struct shmchan_set *set;

	CHECK_EQ(shmchan_set_create(&set), 0);
	return set;
}

static const char *tag_of(unsigned int i)
{
	static char tags[NR][8];

	snprintf(tags[i], sizeof(tags[i]), "ch%u", i);
	return tags[i];
}

static void send_u64(struct shmchan_spsc *tx, uint64_t value)
{
	CHECK_EQ(shmchan_spsc_send(tx, &value, 8, 0, 0, -1), 0);
}

static int try_recv(struct shmchan_spsc *rx)
{
	uint64_t value;

	return shmchan_spsc_recv(rx, &value, 8, NULL, NULL, 0);
}

/* The one that is ready, and no other. */
#define CHECK_READY(set, its_id, its_error)				\
	do {								\
		struct shmchan_ready ready_r[NR];			\
		int ready_n;						\
		do							\
			ready_n = shmchan_set_wait((set), ready_r, NR,	\
						   10000 * MS);		\
		while (!ready_n);					\
		CHECK_EQ(ready_n, 1);					\
		CHECK_EQ(ready_r[0].id, (its_id));			\
		CHECK_EQ(ready_r[0].error, (its_error));		\
	} while (0)

#define CHECK_QUIET(set)						\
	do {								\
		struct shmchan_ready quiet_r;				\
		CHECK_EQ(shmchan_set_wait((set), &quiet_r, 1, 0), -EAGAIN); \
	} while (0)

TEST(words_come_and_go)
{
	struct shmchan_region *r = fix_create(test_name("words"));
	struct shmchan_wait_elem e = fix_elem(FIX_BELL(r->slot), 0, 0);
	struct shmchan_set *set = new_set();
	struct shmchan_ready ready[NR];
	int ids[3], i;

	CHECK_EQ(shmchan_set_wait(set, ready, NR, -1), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "empty");
	for (i = 0; i < 3; i++) {
		e.offset = FIX_SHARED + 8ULL * (uint64_t)i;
		ids[i] = shmchan_set_add(set, r, &e, &ids[i]);
		CHECK_EQ(ids[i], i);
	}
	CHECK_QUIET(set);
	CHECK_EQ(shmchan_set_wait(set, ready, NR, 5 * MS), -ETIMEDOUT);
	shmchan_store_seq_cst(fix_word(r, 1), 7);
	CHECK_EQ(shmchan_set_wait(set, ready, NR, -1), 1);
	CHECK_EQ(ready[0].id, ids[1]);
	CHECK_EQ(ready[0].error, 0);
	CHECK(ready[0].data == &ids[1]);
	CHECK_EQ(shmchan_set_expect(set, ids[1], 7), 0);
	CHECK_QUIET(set);
	CHECK_EQ(shmchan_set_remove(set, ids[1]), 0);
	CHECK_EQ(shmchan_set_remove(set, ids[1]), -ENOENT);
	CHECK_EQ(shmchan_set_expect(set, ids[1], 7), -ENOENT);
	CHECK_EQ(shmchan_set_remove(set, 3), -ENOENT);
	CHECK_EQ(shmchan_set_remove(set, -1), -ENOENT);
	shmchan_store_seq_cst(fix_word(r, 1), 8);
	CHECK_QUIET(set);
	/* Its number is free for the next. */
	e.offset = FIX_SHARED + 8;
	CHECK_EQ(shmchan_set_add(set, r, &e, NULL), ids[1]);
	CHECK_READY(set, ids[1], 0);
	e.flags = 2;
	CHECK_EQ(shmchan_set_add(set, r, &e, NULL), -EINVAL);
	CHECK_EQ(shmchan_set_add(set, r, NULL, NULL), -EINVAL);
	CHECK_EQ(shmchan_set_add(set, NULL, &e, NULL), -EINVAL);
	CHECK_EQ(shmchan_set_wait(set, NULL, 1, 0), -EINVAL);
	CHECK_EQ(shmchan_set_wait(set, ready, 0, 0), -EINVAL);
	CHECK_EQ(shmchan_set_wait(NULL, ready, 1, 0), -EINVAL);
	shmchan_set_close(set);
	shmchan_set_close(NULL);
	shmchan_region_close(r);
}

TEST(a_full_set)
{
	struct shmchan_region *r = fix_create(test_name("full"));
	struct shmchan_wait_elem e = fix_elem(FIX_BELL(r->slot), 0, 0);
	struct shmchan_set *set = new_set();
	struct shmchan_ready ready;
	struct shmchan_spsc rx;
	int i;

	open_as(&rx, "fullch", SHMCHAN_RECEIVER, 4096, -1);
	for (i = 0; i < SHMCHAN_MAX_ELEMS - 1; i++) {
		e.offset = FIX_SHARED + 8ULL * (uint64_t)i;
		CHECK_EQ(shmchan_set_add(set, r, &e, NULL), i);
	}
	CHECK_EQ(shmchan_set_add_spsc(set, &rx, NULL), -ENOSPC);
	CHECK_SAYS(shmchan_error_detail(), "127 conditions of 128");
	e.offset += 8;
	CHECK_EQ(shmchan_set_add(set, r, &e, NULL), i);
	CHECK_EQ(shmchan_set_add(set, r, &e, NULL), -ENOSPC);
	CHECK_EQ(shmchan_set_wait(set, &ready, 1, MS), -ETIMEDOUT);
	shmchan_store_seq_cst(fix_word(r, SHMCHAN_MAX_ELEMS - 1), 1);
	CHECK_READY(set, SHMCHAN_MAX_ELEMS - 1, 0);
	CHECK_EQ(shmchan_set_remove(set, 5), 0);
	CHECK_EQ(shmchan_set_remove(set, 90), 0);
	CHECK_EQ(shmchan_set_add_spsc(set, &rx, NULL), 5);
	shmchan_set_close(set);
	shmchan_spsc_close(&rx);
	shmchan_region_close(r);
}

/* All are always ready: each is told as often as every other. */
TEST(all_have_their_turn)
{
	struct shmchan_region *r = fix_create(test_name("turn"));
	struct shmchan_wait_elem e = fix_elem(FIX_BELL(r->slot), 0, 1);
	struct shmchan_set *set = new_set();
	struct shmchan_ready ready[3];
	int told[7] = { 0 }, i, j, n;

	for (i = 0; i < 7; i++)
		CHECK_EQ(shmchan_set_add(set, r, &e, &told[i]), i);
	for (i = 0; i < 70; i++) {
		n = shmchan_set_wait(set, ready, 1 + (uint32_t)i % 3, -1);
		CHECK_EQ(n, 1 + i % 3);
		for (j = 0; j < n; j++)
			++*(int *)ready[j].data;
		for (j = 1; j < 7; j++) {
			CHECK_LE(told[j], told[0] + 1);
			CHECK_LE(told[0], told[j] + 1);
		}
	}
	shmchan_set_close(set);
	shmchan_region_close(r);
}

TEST(several_channels)
{
	struct shmchan_set *set = new_set();
	struct shmchan_spsc tx[NR], rx[NR];
	unsigned int i;
	int ids[NR];

	for (i = 0; i < NR; i++) {
		open_as(&rx[i], tag_of(i), SHMCHAN_RECEIVER, 4096, -1);
		ids[i] = shmchan_set_add_spsc(set, &rx[i], &rx[i]);
		CHECK_EQ(ids[i], i);
	}
	/* No sender yet, then one that has said nothing. */
	CHECK_QUIET(set);
	for (i = 0; i < NR; i++)
		open_as(&tx[i], tag_of(i), SHMCHAN_SENDER, 4096, -1);
	for (i = 0; i < NR; i++)
		while (!try_recv(&rx[i]))
			;
	CHECK_QUIET(set);
	for (i = 0; i < NR; i++) {
		send_u64(&tx[i], i);
		CHECK_READY(set, ids[i], 0);
		/* Until it has been received. */
		CHECK_READY(set, ids[i], 0);
		CHECK_EQ(try_recv(&rx[i]), 0);
		CHECK_QUIET(set);
	}
	CHECK_EQ(shmchan_set_add_spsc(set, &tx[0], NULL), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "receiver");
	CHECK_EQ(shmchan_set_expect(set, ids[0], 0), -EINVAL);
	/* An end is ready until it is told, and not after. */
	shmchan_spsc_close(&tx[2]);
	CHECK_READY(set, ids[2], 0);
	CHECK_READY(set, ids[2], 0);
	CHECK_EQ(try_recv(&rx[2]), -EPIPE);
	CHECK_QUIET(set);
	/* Another sender. */
	open_as(&tx[2], tag_of(2), SHMCHAN_SENDER, 4096, -1);
	send_u64(&tx[2], 5);
	do
		CHECK_READY(set, ids[2], 0);
	while (try_recv(&rx[2]));
	CHECK_QUIET(set);
	shmchan_set_close(set);
	for (i = 0; i < NR; i++) {
		shmchan_spsc_close(&tx[i]);
		shmchan_spsc_close(&rx[i]);
	}
}

TEST(a_channel_that_polls)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_RECEIVER, .create = 1, .poll = 1);
	struct shmchan_set *set = new_set();
	struct shmchan_spsc rx;

	CHECK_EQ(shmchan_spsc_open(&rx, test_name("polls"), &opts), 0);
	CHECK_EQ(shmchan_set_add_spsc(set, &rx, NULL), -ENOTSUP);
	CHECK_EQ(shmchan_spsc_arm(&rx), -ENOTSUP);
	shmchan_spsc_close(&rx);
	shmchan_set_close(set);
}

/* What is sent while the receiver sleeps, and the death, wake it. */
TEST(a_sender_that_dies)
{
	struct shmchan_set *set = new_set();
	struct shmchan_spsc rx[NR], tx;
	unsigned int i;
	pid_t pid;

	for (i = 0; i < NR; i++) {
		open_as(&rx[i], tag_of(i), SHMCHAN_RECEIVER, 4096, -1);
		CHECK_EQ(shmchan_set_add_spsc(set, &rx[i], NULL), i);
	}
	for (i = 0; i < 2; i++) {
		pid = child_fork();
		if (!pid) {
			open_as(&tx, tag_of(1), SHMCHAN_SENDER, 4096, -1);
			while (!shmchan_bell_wanted(tx.region, 1))
				sleep_ms(1);
			send_u64(&tx, 1);
			for (;;)
				pause();
		}
		/* First perhaps because somebody took over. */
		do
			CHECK_READY(set, 1, 0);
		while (try_recv(&rx[1]));
		CHECK_QUIET(set);
		kill(pid, SIGKILL);
		CHECK_READY(set, 1, 0);
		CHECK_EQ(try_recv(&rx[1]), -EOWNERDEAD);
		CHECK_QUIET(set);
		child_wait(pid);
	}
	shmchan_set_close(set);
	for (i = 0; i < NR; i++)
		shmchan_spsc_close(&rx[i]);
}

/* A process for each channel, as fast as it can: nothing is lost. */
static void many(uint32_t join_flags)
{
	uint64_t count = (uint64_t)HARNESS_ROUNDS(20000), next[NR] = { 0 };
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_SENDER, .spin_ns = -1);
	struct shmchan_set *set = new_set();
	struct shmchan_ready ready[NR];
	struct shmchan_spsc rx[NR], tx;
	unsigned int i, open = NR;
	uint64_t value, j;
	pid_t pids[NR];
	int n, k, err;

	for (i = 0; i < NR; i++) {
		open_as(&rx[i], tag_of(i), SHMCHAN_RECEIVER, 4096, -1);
		CHECK_EQ(shmchan_set_add_spsc(set, &rx[i], NULL), i);
		pids[i] = child_fork();
		if (pids[i])
			continue;
		opts.join_flags = join_flags;
		CHECK_EQ(shmchan_spsc_open(&tx, test_name(tag_of(i)), &opts), 0);
		for (j = 0; j < count; j++)
			send_u64(&tx, j);
		shmchan_spsc_close(&tx);
		child_done();
	}
	while (open) {
		n = shmchan_set_wait(set, ready, NR, 30000 * MS);
		CHECK_GE(n, 1);
		for (k = 0; k < n; k++) {
			i = (unsigned int)ready[k].id;
			/* A few at a time, so that they all are in play. */
			for (j = 0; j < 3; j++) {
				err = shmchan_spsc_recv(&rx[i], &value, 8, NULL,
							NULL, 0);
				if (err)
					break;
				CHECK_EQ(value, next[i]++);
			}
			if (err != -EPIPE)
				continue;
			CHECK_EQ(next[i], count);
			CHECK_EQ(shmchan_set_remove(set, (int)i), 0);
			open--;
		}
	}
	shmchan_set_close(set);
	for (i = 0; i < NR; i++) {
		CHECK_CHILD_OK(pids[i]);
		shmchan_spsc_close(&rx[i]);
	}
}

TEST_LIMIT(many_senders_at_once, 120)
{
	many(0);
}

TEST_LIMIT(many_asym_senders_at_once, 120)
{
	many(SHMCHAN_JOIN_ASYM);
}

TEST(revoked_while_it_sleeps)
{
	const char *name = test_name("revoke");
	struct shmchan_region *r = fix_create(name), *ours;
	struct shmchan_capability_opts how = SHMCHAN_CAPABILITY_OPTS(
		.rights = SHMCHAN_RIGHT_ALL);
	struct shmchan_set *set = new_set();
	struct shmchan_wait_elem e;
	struct shmchan_ready ready;
	struct shmchan_cond c[2];
	uint32_t index = 99;
	pid_t pid;
	int all;

	KMOD_ONLY("nobody is revoked");
	ours = fix_open(name, 1);
	e = fix_elem(FIX_BELL(1), 0, 0);
	CHECK_EQ(shmchan_set_add(set, ours, &e, NULL), 0);
	c[1].region = ours;
	c[1].elem = e;
	e = fix_elem(FIX_BELL(0), 0, 0);
	CHECK_EQ(shmchan_set_add(set, r, &e, NULL), 1);
	c[0].region = r;
	c[0].elem = e;
	all = shmchan_capability_open(name, &how);
	CHECK_GE(all, 0);
	pid = child_fork();
	if (!pid) {
		/* Probably asleep by then. */
		sleep_ms(50);
		CHECK_EQ(shmchan_capability_revoke_slot(all, 1, 0, NULL), 0);
		child_done();
	}
	CHECK_EQ(shmchan_set_wait(set, &ready, 1, 20000 * MS), 1);
	CHECK_EQ(ready.id, 0);
	CHECK_EQ(ready.error, -ESTALE);
	CHECK_EQ(shmchan_wait_many(c, 2, 0, &index), -ESTALE);
	CHECK_EQ(index, 1);
	CHECK_EQ(shmchan_set_remove(set, 0), 0);
	CHECK_QUIET(set);
	CHECK_CHILD_OK(pid);
	shmchan_set_close(set);
	close(all);
	shmchan_region_close(ours);
	shmchan_region_close(r);
}

TEST(backends_do_not_mix)
{
	struct shmchan_region_opts opts = fix_opts();
	struct shmchan_wait_elem e = fix_elem(FIX_BELL_SHARED, 0, 0);
	struct shmchan_region *r, *other;
	struct shmchan_set *set = new_set();

	KMOD_ONLY("there is one backend only");
	r = fix_create(test_name("one"));
	opts.backend = SHMCHAN_BACKEND_LOCAL;
	CHECK_EQ(shmchan_region_create(&other, test_name("two"), &opts), 0);
	CHECK_EQ(shmchan_set_add(set, r, &e, NULL), 0);
	CHECK_EQ(shmchan_set_add(set, other, &e, NULL), -EXDEV);
	CHECK_SAYS(shmchan_error_detail(), "make a set for each");
	/* An empty one takes either. */
	CHECK_EQ(shmchan_set_remove(set, 0), 0);
	CHECK_EQ(shmchan_set_add(set, other, &e, NULL), 0);
	shmchan_set_close(set);
	shmchan_region_close(other);
	shmchan_region_close(r);
}

TEST(not_for_a_forked_child)
{
	struct shmchan_region *r = fix_create(test_name("fork"));
	struct shmchan_wait_elem e = fix_elem(FIX_BELL_SHARED, 0, 0);
	struct shmchan_set *set = new_set();
	struct shmchan_ready ready;
	pid_t pid;
	int fd;

	CHECK_EQ(shmchan_set_add(set, r, &e, NULL), 0);
	fd = shmchan_set_fd(set);
	CHECK(fd >= 0 || fd == -ENOTSUP);
	pid = child_fork();
	if (!pid) {
		CHECK_EQ(shmchan_set_wait(set, &ready, 1, 0), -EOWNERDEAD);
		CHECK_EQ(shmchan_set_fd(set), -EOWNERDEAD);
		CHECK_EQ(shmchan_set_arm(set), -EOWNERDEAD);
		shmchan_set_close(set);
		child_done();
	}
	CHECK_CHILD_OK(pid);
	CHECK_QUIET(set);
	if (fd >= 0) {
		CHECK_EQ(shmchan_set_arm(set), 0);
		CHECK_EQ(shmchan_set_ack(set), 0);
	}
	shmchan_set_close(set);
	shmchan_region_close(r);
}

TEST_MAIN
