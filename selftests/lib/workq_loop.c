// SPDX-License-Identifier: GPL-2.0-only

/* Workers of work queues in sets and event loops. */

#include <poll.h>

#include <shmchan/loop.h>

#include "workq_fixture.h"

#define QUEUES	2

static void open_queues(struct shmchan_workq *q)
{
	open_queue(&q[0], "few", 8, 5);
	open_queue(&q[1], "many", 1024, 5);
}

static void close_queues(struct shmchan_workq *q)
{
	shmchan_workq_close(&q[0]);
	shmchan_workq_close(&q[1]);
}

static uint64_t take_value(struct shmchan_workq *q)
{
	struct shmchan_workq_item item;
	uint64_t value;

	CHECK_EQ(shmchan_workq_take(q, &item, 0), 0);
	value = value_of(&item);
	CHECK_EQ(shmchan_workq_ack(q, &item), 0);
	return value;
}

TEST(a_set_of_queues)
{
	struct shmchan_workq q[QUEUES];
	struct shmchan_workq_item item;
	struct shmchan_ready ready[QUEUES];
	struct shmchan_set *set;
	int i, id[QUEUES];
	uint64_t n;

	open_queues(q);
	CHECK_EQ(shmchan_set_create(&set), 0);
	for (i = 0; i < QUEUES; i++) {
		id[i] = shmchan_set_add_workq(set, &q[i], &q[i]);
		CHECK_GE(id[i], 0);
	}
	CHECK_EQ(shmchan_set_wait(set, ready, QUEUES, 0), -EAGAIN);
	for (n = 0; n < 100; n++) {
		i = (int)(n % QUEUES);
		put_value(&q[i], n);
		CHECK_EQ(shmchan_set_wait(set, ready, QUEUES, TOLD_NS), 1);
		CHECK_EQ(ready[0].id, id[i]);
		CHECK_EQ(ready[0].error, 0);
		CHECK(ready[0].data == &q[i]);
		CHECK_EQ(take_value(&q[i]), n);
		CHECK_EQ(shmchan_workq_take(&q[i], &item, 0), -EAGAIN);
	}
	/* What is being written is no item yet. */
	CHECK_EQ(shmchan_workq_reserve(&q[0], &item, 0), 0);
	CHECK_EQ(shmchan_set_wait(set, ready, QUEUES, 10 * MS), -ETIMEDOUT);
	CHECK_EQ(shmchan_workq_commit(&q[0], &item, 8), 0);
	CHECK_EQ(shmchan_set_wait(set, ready, QUEUES, 0), 1);
	/* Nor is what somebody has; what is given back is one again. */
	CHECK_EQ(shmchan_workq_take(&q[0], &item, 0), 0);
	CHECK_EQ(shmchan_set_wait(set, ready, QUEUES, 0), -EAGAIN);
	CHECK_EQ(shmchan_workq_nack(&q[0], &item, 0), 0);
	CHECK_EQ(shmchan_set_wait(set, ready, QUEUES, 0), 1);
	CHECK_EQ(shmchan_workq_take(&q[0], &item, 0), 0);
	CHECK_EQ(shmchan_workq_ack(&q[0], &item), 0);
	CHECK_EQ(shmchan_set_expect(set, id[0], 1), -EINVAL);
	CHECK_EQ(shmchan_set_remove(set, id[0]), 0);
	put_value(&q[0], 1);
	CHECK_EQ(shmchan_set_wait(set, ready, QUEUES, 5 * MS), -ETIMEDOUT);
	shmchan_set_close(set);
	close_queues(q);
}

/* Asleep: woken by what another puts, and by the end of one that had taken it. */
TEST(others_put_and_die)
{
	uint32_t *taken = shared_alloc(sizeof(*taken));
	struct shmchan_workq q[QUEUES], other;
	struct shmchan_workq_item item;
	struct shmchan_ready ready[1];
	struct shmchan_set *set;
	uint64_t n;
	pid_t pid;
	int err;

	open_queues(q);
	CHECK_EQ(shmchan_set_create(&set), 0);
	CHECK_EQ(shmchan_set_add_workq(set, &q[1], NULL), 0);
	pid = child_fork();
	if (!pid) {
		open_queue(&other, "many", 1024, 5);
		for (n = 0; n < 20; n++) {
			sleep_ms(3);
			put_value(&other, n);
			/* Its end must not be what wakes anybody. */
			while (shmchan_load_acquire(taken) <= n)
				sleep_ms(1);
		}
		child_done();
	}
	for (n = 0; n < 20;) {
		CHECK_EQ(shmchan_set_wait(set, ready, 1, TOLD_NS), 1);
		while (!(err = shmchan_workq_take(&q[1], &item, 0))) {
			CHECK_EQ(value_of(&item), n++);
			CHECK_EQ(shmchan_workq_ack(&q[1], &item), 0);
			shmchan_store_release(taken, (uint32_t)n);
		}
		CHECK_EQ(err, -EAGAIN);
	}
	CHECK_CHILD_OK(pid);
	put_value(&q[1], 77);
	pid = child_fork();
	if (!pid) {
		open_queue(&other, "many", 1024, 5);
		CHECK_EQ(shmchan_workq_take(&other, &item, 0), 0);
		sleep_ms(20);
		raise(SIGKILL);
	}
	while (stat_of(&q[1]).ready)
		sleep_ms(1);
	/* It comes and goes: at last it has left its item behind. */
	do {
		CHECK_EQ(shmchan_set_wait(set, ready, 1, TOLD_NS), 1);
		err = shmchan_workq_take(&q[1], &item, 0);
	} while (err == -EAGAIN);
	CHECK_EQ(err, 0);
	CHECK_EQ(value_of(&item), 77);
	CHECK_EQ(item.attempts, 2);
	child_wait(pid);
	shmchan_set_close(set);
	close_queues(q);
}

static int readable(int fd, int ms)
{
	struct pollfd pfd = { fd, POLLIN, 0 };

	return poll(&pfd, 1, ms);
}

TEST(the_file_of_a_set)
{
	struct shmchan_workq q[QUEUES];
	struct shmchan_ready ready[QUEUES];
	struct shmchan_set *set;
	int i, fd, err, tries;
	uint64_t n;

	open_queues(q);
	CHECK_EQ(shmchan_set_create(&set), 0);
	for (i = 0; i < QUEUES; i++)
		CHECK_GE(shmchan_set_add_workq(set, &q[i], &q[i]), 0);
	fd = shmchan_set_fd(set);
	if (fd == -ENOTSUP)
		SKIP("no file of a set: %s", shmchan_error_detail());
	CHECK_GE(fd, 0);
	for (n = 0; n < 60; n++) {
		i = (int)(n % QUEUES);
		err = -EAGAIN;
		for (tries = 0; tries < 20 && err; tries++) {
			CHECK_EQ(shmchan_set_ack(set), 0);
			err = shmchan_set_arm(set);
		}
		CHECK_EQ(err, 0);
		put_value(&q[i], n);
		CHECK_EQ(readable(fd, 5000), 1);
		CHECK_EQ(shmchan_set_ack(set), 0);
		CHECK_EQ(shmchan_set_wait(set, ready, QUEUES, 0), 1);
		CHECK(ready[0].data == &q[i]);
		CHECK_EQ(shmchan_set_arm(set), -EAGAIN);
		CHECK_EQ(take_value(&q[i]), n);
	}
	shmchan_set_close(set);
	close_queues(q);
}

TEST(the_file_of_a_region)
{
	struct shmchan_cond conds[SHMCHAN_WORKQ_CONDS];
	struct shmchan_workq q[QUEUES];
	uint64_t n;
	int fd;

	open_queues(q);
	CHECK_EQ(shmchan_workq_conds(&q[1], conds), 0);
	CHECK_EQ(shmchan_wait_many(conds, SHMCHAN_WORKQ_CONDS,
				   shmchan_deadline(MS), NULL), -ETIMEDOUT);
	put_value(&q[1], 1);
	CHECK_EQ(shmchan_wait_many(conds, SHMCHAN_WORKQ_CONDS,
				   shmchan_deadline(TOLD_NS), NULL), 0);
	CHECK_EQ(shmchan_workq_conds(&q[1], conds), -EAGAIN);
	CHECK_EQ(take_value(&q[1]), 1);
	if (!on_kmod()) {
		CHECK_EQ(shmchan_workq_arm(&q[1]), -ENOTSUP);
		CHECK_EQ(shmchan_workq_seen(&q[1]), -ENOTSUP);
	}
	for (n = 0; n < 30 && on_kmod(); n++) {
		fd = shmchan_region_fd(q[1].region);
		CHECK_EQ(shmchan_workq_arm(&q[1]), 0);
		CHECK_EQ(readable(fd, 0), 0);
		put_value(&q[1], n);
		CHECK_EQ(readable(fd, 5000), 1);
		CHECK_EQ(shmchan_workq_arm(&q[1]), -EAGAIN);
		CHECK_EQ(shmchan_workq_seen(&q[1]), 0);
		CHECK_EQ(take_value(&q[1]), n);
	}
	close_queues(q);
	CHECK_EQ(shmchan_workq_conds(&q[1], conds), -EINVAL);
	CHECK_EQ(shmchan_workq_conds(NULL, conds), -EINVAL);
}

#define WORKERS	4
#define ITEMS	1500
#define LAST	~0ULL

/* By a set, by its file, or by a call. */
static void work(int how, uint64_t *done)
{
	struct shmchan_workq_item item;
	struct shmchan_ready ready[1];
	struct shmchan_set *set;
	struct shmchan_workq q;
	int err, fd = -1, last = 0;

	open_queue(&q, "many", 1024, 5);
	CHECK_EQ(shmchan_set_create(&set), 0);
	CHECK_EQ(shmchan_set_add_workq(set, &q, NULL), 0);
	if (how == 1)
		fd = shmchan_set_fd(set);
	while (!last) {
		while (!last && !(err = shmchan_workq_take(&q, &item, 0))) {
			last = value_of(&item) == LAST;
			if (!last)
				shmchan_fetch_add(&done[value_of(&item)], 1);
			CHECK_EQ(shmchan_workq_ack(&q, &item), 0);
		}
		if (last)
			break;
		CHECK_EQ(err, -EAGAIN);
		if (fd >= 0) {
			if (shmchan_set_arm(set) == -EAGAIN)
				continue;
			(void)readable(fd, -1);
			CHECK_EQ(shmchan_set_ack(set), 0);
		} else if (how == 2) {
			CHECK_EQ(shmchan_workq_take(&q, &item, -1), 0);
			CHECK_EQ(shmchan_workq_nack(&q, &item,
						    SHMCHAN_WORKQ_UNCOUNTED),
				 0);
		} else {
			CHECK_EQ(shmchan_set_wait(set, ready, 1, -1), 1);
		}
	}
	shmchan_set_close(set);
	shmchan_workq_close(&q);
	child_done();
}

/* They take turns at sleeping, and nothing is forgotten between them. */
TEST(workers_of_all_kinds)
{
	uint64_t *done = shared_alloc(ITEMS * sizeof(*done)), n;
	struct shmchan_workq q;
	pid_t pid[WORKERS];
	int i;

	open_queue(&q, "many", 1024, 5);
	for (i = 0; i < WORKERS; i++) {
		pid[i] = child_fork();
		if (!pid[i])
			work(i % 3, done);
	}
	for (n = 0; n < ITEMS; n++) {
		put_value(&q, n);
		/* So that they fall asleep now and then. */
		if (n % 50 == 0)
			sleep_ms(2);
	}
	/* Queues keep no strict order: what is last is put when all else is done. */
	for (n = 0; n < ITEMS; n++)
		while (!shmchan_load_acquire(&done[n]))
			sleep_ms(1);
	for (i = 0; i < WORKERS; i++)
		put_value(&q, LAST);
	for (i = 0; i < WORKERS; i++)
		CHECK_CHILD_OK(pid[i]);
	for (n = 0; n < ITEMS; n++)
		CHECK_EQ(done[n], 1);
	shmchan_workq_close(&q);
}

TEST_MAIN
