// SPDX-License-Identifier: GPL-2.0-only

/* Work queues: what callers do wrong, and what they are told. */

#include "workq_fixture.h"

TEST(too_large)
{
	struct shmchan_workq q;
	char big[65] = "";

	open_queue(&q, "large", 4, 0);
	CHECK_EQ(shmchan_workq_put(&q, big, 65, 0), -EMSGSIZE);
	CHECK_SAYS(shmchan_error_detail(), "65 bytes");
	CHECK_SAYS(shmchan_error_detail(), "at most 64");
	CHECK_EQ(shmchan_workq_put(&q, big, 64, 0), 0);
	CHECK_EQ(stat_of(&q).ready, 1);
	shmchan_workq_close(&q);
}

TEST(tickets)
{
	struct shmchan_workq_item item, wrong, reserved;
	struct shmchan_workq q, other;

	open_queue(&q, "ticket", 4, 0);
	open_queue(&other, "ticket", 4, 0);
	put_value(&q, 1);
	CHECK_EQ(shmchan_workq_take(&q, &item, 0), 0);
	/* Of another member; of nobody; of another cell. */
	CHECK_EQ(shmchan_workq_ack(&other, &item), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "no item of ours");
	memset(&wrong, 0, sizeof(wrong));
	CHECK_EQ(shmchan_workq_ack(&q, &wrong), -EINVAL);
	CHECK_EQ(shmchan_workq_nack(&q, &wrong, 0), -EINVAL);
	wrong = item;
	wrong.index = 4;
	CHECK_EQ(shmchan_workq_ack(&q, &wrong), -EINVAL);
	wrong.index = (item.index + 1) % 4;
	CHECK_EQ(shmchan_workq_ack(&q, &wrong), -ESTALE);
	/* What is for a producer, and what for a worker. */
	CHECK_EQ(shmchan_workq_commit(&q, &item, 8), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "claimed");
	CHECK_EQ(shmchan_workq_abort(&q, &item), -EINVAL);
	CHECK_EQ(shmchan_workq_reserve(&q, &reserved, 0), 0);
	CHECK_EQ(shmchan_workq_ack(&q, &reserved), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "reserved");
	CHECK_EQ(shmchan_workq_abort(&q, &reserved), 0);
	CHECK_EQ(shmchan_workq_nack(&q, &item, 0x80), -EINVAL);
	CHECK_EQ(shmchan_workq_nack(&q, &item, SHMCHAN_WORKQ_AFRESH), -EINVAL);
	/* None of that has harmed it. */
	CHECK_EQ(shmchan_workq_ack(&q, &item), 0);
	CHECK_EQ(shmchan_workq_ack(&q, &item), -ESTALE);
	CHECK_SAYS(shmchan_error_detail(), "already");
	CHECK_EQ(shmchan_workq_nack(&q, &item, 0), -ESTALE);
	shmchan_workq_close(&other);
	shmchan_workq_close(&q);
}

/* It is refused, and what was put is as it was. */
TEST(committed_twice)
{
	struct shmchan_workq_item item, taken;
	struct shmchan_workq q;

	open_queue(&q, "twice", 4, 0);
	CHECK_EQ(shmchan_workq_reserve(&q, &item, 0), 0);
	CHECK_EQ(shmchan_workq_commit(&q, &item, 10), 0);
	CHECK_EQ(shmchan_workq_commit(&q, &item, 3), -ESTALE);
	CHECK_EQ(shmchan_workq_take(&q, &taken, 0), 0);
	CHECK_EQ(taken.length, 10);
	CHECK_EQ(shmchan_workq_ack(&q, &taken), 0);
	shmchan_workq_close(&q);
}

/* Also when the same member has the same cell again. */
TEST(old_tickets_of_a_cell)
{
	struct shmchan_workq_item first, now;
	struct shmchan_workq q;
	uint64_t i;

	open_queue(&q, "old", 1, 0);
	put_value(&q, 0);
	CHECK_EQ(shmchan_workq_take(&q, &first, 0), 0);
	CHECK_EQ(shmchan_workq_ack(&q, &first), 0);
	for (i = 1; i < 1000; i++) {
		put_value(&q, i);
		CHECK_EQ(shmchan_workq_take(&q, &now, 0), 0);
		CHECK_EQ(now.index, first.index);
		CHECK_EQ(shmchan_workq_ack(&q, &first), -ESTALE);
		CHECK_EQ(shmchan_workq_ack(&q, &now), 0);
	}
	shmchan_workq_close(&q);
}

/* A claim that somebody has taken from us, as members may when we are dead. */
TEST(lost_claim)
{
	struct shmchan_workq_item items[3];
	struct shmchan_workq q;

	open_queue(&q, "lost", 4, 0);
	put_value(&q, 1);
	put_value(&q, 2);
	put_value(&q, 3);
	CHECK_EQ(shmchan_workq_take_n(&q, items, 3, 0), 3);
	/* In a queue of four, cells lie in the order of their numbers. */
	q.cells[items[1].index] = shmchan_workq_left(items[1].ticket,
						SHMCHAN_WORKQ_READY, 1);
	CHECK_EQ(shmchan_workq_ack_n(&q, items, 3), -ESTALE);
	/* The others were acknowledged all the same. */
	CHECK_EQ(stat_of(&q).free, 3);
	CHECK_EQ(stat_of(&q).ready, 1);
	CHECK_EQ(shmchan_workq_take(&q, &items[0], 0), 0);
	CHECK_EQ(value_of(&items[0]), 2);
	CHECK_EQ(items[0].attempts, 2);
	CHECK_EQ(shmchan_workq_nack(&q, &items[1], 0), -ESTALE);
	CHECK_EQ(shmchan_workq_ack(&q, &items[0]), 0);
	shmchan_workq_close(&q);
}

TEST(closed)
{
	struct shmchan_workq_item item = { .index = 0 };
	struct shmchan_workq_claim claim;
	struct shmchan_workq_stat stat;
	struct shmchan_workq q;

	open_queue(&q, "closed", 4, 0);
	shmchan_workq_close(&q);
	CHECK_EQ(shmchan_workq_put(&q, "", 1, 0), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "not open");
	CHECK_EQ(shmchan_workq_reserve(&q, &item, 0), -EINVAL);
	CHECK_EQ(shmchan_workq_commit(&q, &item, 0), -EINVAL);
	CHECK_EQ(shmchan_workq_abort(&q, &item), -EINVAL);
	CHECK_EQ(shmchan_workq_take(&q, &item, 0), -EINVAL);
	CHECK_EQ(shmchan_workq_take_dead(&q, &item), -EINVAL);
	CHECK_EQ(shmchan_workq_ack(&q, &item), -EINVAL);
	CHECK_EQ(shmchan_workq_nack(&q, &item, 0), -EINVAL);
	CHECK_EQ(shmchan_workq_get_stat(&q, &stat), -EINVAL);
	CHECK_EQ(shmchan_workq_claims(&q, &claim, 1), -EINVAL);
	CHECK_EQ(shmchan_workq_put(NULL, "", 1, 0), -EINVAL);
	shmchan_workq_close(&q);
	shmchan_workq_close(NULL);
}

TEST(options)
{
	struct shmchan_workq_opts o = SHMCHAN_WORKQ_OPTS(.create = 1);
	struct shmchan_workq_item items[9];
	struct shmchan_workq q;

	o.max_attempts = 32;
	CHECK_EQ(shmchan_workq_open(&q, test_name("o"), &o), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "1 to 31");
	o.max_attempts = 0;
	o.nr_items = SHMCHAN_WORKQ_MAX_ITEMS + 1;
	CHECK_EQ(shmchan_workq_open(&q, test_name("o"), &o), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "nr_items");
	o.nr_items = 5;
	o.item_size = SHMCHAN_WORKQ_MAX_ITEM_SIZE + 1;
	CHECK_EQ(shmchan_workq_open(&q, test_name("o"), &o), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "item_size");
	o.item_size = 0;
	o.nr_members = 5000;
	CHECK_EQ(shmchan_workq_open(&q, test_name("o"), &o), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "nr_members");
	o.nr_members = 1;
	CHECK_EQ(shmchan_workq_open(&q, test_name("o"), &o), 0);
	CHECK_EQ(stat_of(&q).nr_items, 8);
	CHECK_EQ(stat_of(&q).item_size, 256);
	CHECK_EQ(stat_of(&q).max_attempts, 5);
	CHECK_EQ(shmchan_workq_take_n(&q, items, 9, 0), -EINVAL);
	CHECK_EQ(shmchan_workq_take_n(&q, items, 0, 0), -EINVAL);
	/* One member, and that is us. */
	{
		struct shmchan_workq second;

		CHECK_EQ(shmchan_workq_open(&second, test_name("o"), &o),
			 -EUSERS);
		o.exclusive = 1;
		CHECK_EQ(shmchan_workq_open(&second, test_name("o"), &o),
			 -EEXIST);
	}
	shmchan_workq_close(&q);
	o = SHMCHAN_WORKQ_OPTS(.nr_items = 4);
	CHECK_EQ(shmchan_workq_open(&q, test_name("none"), &o), -ENOENT);
}

TEST(after_fork)
{
	struct shmchan_workq_item item;
	struct shmchan_workq q;
	pid_t pid;

	open_queue(&q, "fork", 4, 0);
	put_value(&q, 1);
	CHECK_EQ(shmchan_workq_take(&q, &item, 0), 0);
	pid = child_fork();
	if (!pid) {
		CHECK_EQ(shmchan_workq_put(&q, "", 1, 0), -EOWNERDEAD);
		CHECK_EQ(shmchan_workq_take(&q, &item, 0), -EOWNERDEAD);
		CHECK_EQ(shmchan_workq_ack(&q, &item), -EOWNERDEAD);
		shmchan_workq_close(&q);
		child_done();
	}
	CHECK_CHILD_OK(pid);
	CHECK_EQ(shmchan_workq_ack(&q, &item), 0);
	shmchan_workq_close(&q);
}

TEST_MAIN
