// SPDX-License-Identifier: GPL-2.0-only

/*
 * Work queues: kill -9 of producers and workers, wherever they are.  Every item
 * whose put returned is worked on; no item twice but after a death, which its
 * attempts tell; none after it was acknowledged; none half-written.
 */

#include "workq_fixture.h"

#define PRODUCERS	3
#define WORKERS		3
#define MOST		(1U << 20)	/* items of one producer */

struct score {
	_Atomic uint32_t started[PRODUCERS];
	_Atomic uint64_t acked;
	_Atomic int stop;
	_Atomic uint8_t put[PRODUCERS][MOST];	/* the call returned */
	_Atomic uint8_t taken[PRODUCERS][MOST];
	_Atomic uint8_t done[PRODUCERS][MOST];
};

struct payload {
	uint32_t producer;
	uint32_t number;
	uint32_t fill[14];
};

static void fill(struct payload *p, uint32_t producer, uint32_t number)
{
	unsigned int i;

	p->producer = producer;
	p->number = number;
	for (i = 0; i < 14; i++)
		p->fill[i] = number * 14 + i;
}

static void produce(struct score *s, uint32_t me, uint32_t nr_items)
{
	struct shmchan_workq_item item;
	struct shmchan_workq q;
	struct payload p;
	uint32_t i;

	open_queue(&q, "kill", nr_items, SHMCHAN_WORKQ_UNLIMITED);
	for (i = s->started[me]; i < MOST && !s->stop; i++) {
		fill(&p, me, i);
		s->started[me] = i + 1;
		if (i % 3) {
			CHECK_EQ(shmchan_workq_put(&q, &p, sizeof(p), -1), 0);
		} else {
			CHECK_EQ(shmchan_workq_reserve(&q, &item, -1), 0);
			memset(item.data, 0xff, item.length);
			if (i % 9) {
				memcpy(item.data, &p, sizeof(p));
			} else {
				CHECK_EQ(shmchan_workq_abort(&q, &item), 0);
				CHECK_EQ(shmchan_workq_reserve(&q, &item, -1),
					 0);
				memcpy(item.data, &p, sizeof(p));
			}
			CHECK_EQ(shmchan_workq_commit(&q, &item, sizeof(p)), 0);
		}
		s->put[me][i] = 1;
	}
	shmchan_workq_close(&q);
	child_done();
}

static void work_on(struct score *s, const struct shmchan_workq_item *item)
{
	const struct payload *p = item->data;
	struct payload should;
	uint32_t times;

	CHECK_EQ(item->length, sizeof(*p));
	CHECK_LT(p->producer, PRODUCERS);
	CHECK_LT(p->number, MOST);
	fill(&should, p->producer, p->number);
	CHECK(!memcmp(&should, p, sizeof(should)));
	CHECK_EQ(s->done[p->producer][p->number], 0);
	times = ++s->taken[p->producer][p->number];
	/* Who was killed before it counted here is counted there. */
	CHECK_GE(item->attempts, times < 31 ? times : 31);
}

static void work(struct score *s, uint32_t me, uint32_t nr_items)
{
	struct shmchan_workq_item items[SHMCHAN_WORKQ_MAX_TAKE];
	struct shmchan_workq q;
	struct payload p;
	unsigned int n = me % 2 ? 1 : 4;
	int got, i;

	open_queue(&q, "kill", nr_items, SHMCHAN_WORKQ_UNLIMITED);
	for (;;) {
		got = shmchan_workq_take_n(&q, items, n, -1);
		CHECK_GT(got, 0);
		for (i = 0; i < got; i++)
			work_on(s, &items[i]);
		/* Most of a worker's time is with items. */
		usleep(s->stop ? 0 : 50);
		for (i = 0; i < got; i++) {
			memcpy(&p, items[i].data, sizeof(p));
			CHECK_EQ(shmchan_workq_ack(&q, &items[i]), 0);
			/* Nobody else gets it now, whenever we say so. */
			CHECK_EQ(s->done[p.producer][p.number]++, 0);
			s->acked++;
		}
	}
}

static pid_t start(struct score *s, unsigned int i, uint32_t nr_items)
{
	pid_t pid = child_fork();

	if (!pid && i < PRODUCERS)
		produce(s, i, nr_items);
	if (!pid)
		work(s, i, nr_items);
	return pid;
}

static void drained(struct shmchan_workq *q, uint32_t nr_items)
{
	uint64_t begin = now_ns();

	while (stat_of(q).free != nr_items && now_ns() - begin < 10 * TOLD_NS)
		sleep_ms(5);
	CHECK_EQ(stat_of(q).free, nr_items);
}

static void kill_at_random(uint32_t nr_items)
{
	struct score *s = shared_alloc(sizeof(*s));
	pid_t pids[PRODUCERS + WORKERS];
	uint64_t rnd = 11, n = 0, again = 0, unsure = 0;
	struct shmchan_workq_stat stat;
	struct shmchan_workq q;
	unsigned int i, k;
	int round, status;

	open_queue(&q, "kill", nr_items, SHMCHAN_WORKQ_UNLIMITED);
	for (i = 0; i < PRODUCERS + WORKERS; i++)
		pids[i] = start(s, i, nr_items);
	for (round = 0; round < HARNESS_ROUNDS(80); round++) {
		rnd = rnd * 6364136223846793005ULL + 1;
		usleep((useconds_t)((rnd >> 40) % 20000));
		i = (unsigned int)((rnd >> 33) % (PRODUCERS + WORKERS));
		kill(pids[i], SIGKILL);
		/* Else a CHECK of its own has failed. */
		status = child_wait(pids[i]);
		CHECK(status == SIGKILL || (!status && i < PRODUCERS));
		pids[i] = start(s, i, nr_items);
	}
	s->stop = 1;
	for (i = 0; i < PRODUCERS; i++)
		CHECK_CHILD_OK(pids[i]);
	drained(&q, nr_items);
	for (; i < PRODUCERS + WORKERS; i++) {
		kill(pids[i], SIGKILL);
		CHECK_EQ(child_wait(pids[i]), SIGKILL);
	}
	drained(&q, nr_items);
	for (i = 0; i < PRODUCERS; i++)
		for (k = 0; k < s->started[i]; k++) {
			n += s->put[i][k];
			again += s->taken[i][k] > 1;
			/* Only one that somebody was killed in putting. */
			CHECK(s->taken[i][k] || !s->put[i][k]);
			CHECK(s->done[i][k] <= 1);
			unsure += s->taken[i][k] && !s->put[i][k];
		}
	CHECK_LE(unsure, round);
	stat = stat_of(&q);
	note("%llu items, %llu worked on again, %llu redelivered, %llu acknowledged",
	     (unsigned long long)n, (unsigned long long)again,
	     (unsigned long long)stat.redelivered,
	     (unsigned long long)s->acked);
	CHECK_EQ(stat.dead_lettered, 0);
	CHECK_GT(n, 0);
	shmchan_workq_close(&q);
}

TEST_LIMIT(killed_at_random, 120)
{
	kill_at_random(64);
}

TEST_LIMIT(killed_at_random_in_a_tiny_queue, 120)
{
	kill_at_random(2);
}

/* Takes one and is killed with it. */
static void victim(const char *tag, uint32_t nr_items, uint32_t max)
{
	struct shmchan_workq_item item;
	struct shmchan_workq q;

	open_queue(&q, tag, nr_items, max);
	CHECK_EQ(shmchan_workq_take(&q, &item, -1), 0);
	raise(SIGKILL);
}

/* ... and it is noticed. */
static void kill_with_item(struct shmchan_workq *q, const char *tag,
			   uint32_t nr_items, uint32_t max)
{
	uint64_t begin = now_ns();
	pid_t pid = child_fork();

	if (!pid)
		victim(tag, nr_items, max);
	CHECK_EQ(child_wait(pid), SIGKILL);
	while (stat_of(q).claimed && now_ns() - begin < TOLD_NS)
		sleep_ms(1);
	CHECK_EQ(stat_of(q).claimed, 0);
}

/* What kills its workers is a dead letter in the end. */
TEST(poison_becomes_a_dead_letter)
{
	struct shmchan_workq_item item;
	struct shmchan_workq q;
	int i;

	open_queue(&q, "poison", 4, 3);
	CHECK_EQ(shmchan_workq_take_dead(&q, &item), -EAGAIN);
	put_value(&q, 13);
	put_value(&q, 14);
	for (i = 0; i < 3; i++)
		kill_with_item(&q, "poison", 4, 3);
	/* It comes before those behind it while it comes. */
	CHECK_EQ(shmchan_workq_take(&q, &item, TOLD_NS), 0);
	CHECK_EQ(value_of(&item), 14);
	CHECK_EQ(item.attempts, 1);
	CHECK_EQ(shmchan_workq_ack(&q, &item), 0);
	CHECK_EQ(shmchan_workq_take(&q, &item, 200 * MS), -ETIMEDOUT);
	CHECK_EQ(stat_of(&q).dead, 1);
	CHECK_EQ(stat_of(&q).dead_lettered, 1);
	CHECK_EQ(stat_of(&q).redelivered, 2);
	CHECK_EQ(shmchan_workq_take_dead(&q, &item), 0);
	CHECK_EQ(value_of(&item), 13);
	CHECK_EQ(item.attempts, 3);
	CHECK_EQ(shmchan_workq_ack(&q, &item), 0);
	CHECK_EQ(stat_of(&q).free, 4);
	shmchan_workq_close(&q);
}

/* Who looks at a dead letter may die, too: then it is one again. */
TEST(dead_letter_outlives_who_looks)
{
	struct shmchan_workq_item item;
	struct shmchan_workq q;
	uint64_t begin;
	pid_t pid;
	int err;

	open_queue(&q, "look", 4, 1);
	put_value(&q, 3);
	CHECK_EQ(shmchan_workq_take(&q, &item, 0), 0);
	CHECK_EQ(shmchan_workq_nack(&q, &item, 0), 0);
	CHECK_EQ(stat_of(&q).dead, 1);
	pid = child_fork();
	if (!pid) {
		open_queue(&q, "look", 4, 1);
		CHECK_EQ(shmchan_workq_take_dead(&q, &item), 0);
		CHECK_EQ(shmchan_workq_take_dead(&q, &item), -EAGAIN);
		raise(SIGKILL);
	}
	CHECK_EQ(child_wait(pid), SIGKILL);
	begin = now_ns();
	while ((err = shmchan_workq_take_dead(&q, &item)) == -EAGAIN &&
	       now_ns() - begin < TOLD_NS)
		sleep_ms(5);
	CHECK_EQ(err, 0);
	CHECK_EQ(value_of(&item), 3);
	CHECK_EQ(shmchan_workq_nack(&q, &item, 0), 0);
	CHECK_EQ(shmchan_workq_take_dead(&q, &item), 0);
	/* To the workers again, as if it were new. */
	CHECK_EQ(shmchan_workq_nack(&q, &item, SHMCHAN_WORKQ_UNCOUNTED),
		 -EINVAL);
	CHECK_EQ(shmchan_workq_nack(&q, &item, SHMCHAN_WORKQ_AFRESH), 0);
	CHECK_EQ(shmchan_workq_take(&q, &item, 0), 0);
	CHECK_EQ(item.attempts, 1);
	CHECK_EQ(shmchan_workq_ack(&q, &item), 0);
	shmchan_workq_close(&q);
}

/* A worker that leaves with items gives them back as well; so does a sleeper. */
TEST(leaving_gives_back)
{
	struct shmchan_workq_item item, kept;
	struct shmchan_workq q, other;
	uint64_t begin;

	open_queue(&q, "leave", 4, 0);
	open_queue(&other, "leave", 4, 0);
	put_value(&q, 21);
	CHECK_EQ(shmchan_workq_take(&other, &item, 0), 0);
	CHECK_EQ(shmchan_workq_reserve(&other, &item, 0), 0);
	put_value(&q, 22);
	CHECK_EQ(shmchan_workq_take(&q, &kept, 0), 0);
	CHECK_EQ(value_of(&kept), 22);
	CHECK_EQ(shmchan_workq_take(&q, &item, 20 * MS), -ETIMEDOUT);
	shmchan_workq_close(&other);
	begin = now_ns();
	CHECK_EQ(shmchan_workq_take(&q, &item, TOLD_NS), 0);
	CHECK_LT(now_ns() - begin, TOLD_NS);
	CHECK_EQ(value_of(&item), 21);
	CHECK_EQ(item.attempts, 2);
	CHECK_EQ(stat_of(&q).free, 2);
	CHECK_EQ(stat_of(&q).claimed, 2);
	shmchan_workq_close(&q);
}

/* Slow, but alive: stopped for longer than any death takes to be noticed. */
TEST(stopped_workers_keep_what_they_have)
{
	struct shmchan_workq_claim claims[4];
	struct shmchan_workq_item item;
	struct shmchan_workq q;
	uint64_t begin;
	pid_t pid;

	open_queue(&q, "slow", 4, 0);
	pid = child_fork();
	if (!pid) {
		open_queue(&q, "slow", 4, 0);
		CHECK_EQ(shmchan_workq_take(&q, &item, -1), 0);
		raise(SIGSTOP);
		CHECK_EQ(shmchan_workq_ack(&q, &item), 0);
		child_done();
	}
	put_value(&q, 1);
	CHECK(waitpid(pid, NULL, WUNTRACED) == pid);
	CHECK_EQ(shmchan_workq_take(&q, &item, 300 * MS), -ETIMEDOUT);
	/* Anybody can see who has it. */
	CHECK_EQ(shmchan_workq_claims(&q, claims, 4), 1);
	CHECK_EQ(claims[0].state, SHMCHAN_WORKQ_CLAIMED);
	CHECK_EQ(claims[0].slot, 1);
	CHECK_EQ(claims[0].lives, 1);
	CHECK_EQ(claims[0].attempts, 1);
	kill(pid, SIGCONT);
	CHECK_CHILD_OK(pid);
	begin = now_ns();
	while (stat_of(&q).free != 4 && now_ns() - begin < TOLD_NS)
		sleep_ms(1);
	CHECK_EQ(shmchan_workq_take(&q, &item, 0), -EAGAIN);
	shmchan_workq_close(&q);
}

/*
 * Several workers sleep, an item comes, and whoever has it is killed, again and
 * again: the others are woken and have it, without anybody putting anything.
 */
TEST(sleepers_get_what_the_dead_had)
{
	struct shmchan_workq_item item;
	struct shmchan_workq q;
	pid_t pids[4];
	int i;

	open_queue(&q, "sleep", 4, SHMCHAN_WORKQ_UNLIMITED);
	for (i = 0; i < 4; i++) {
		pids[i] = child_fork();
		if (!pids[i])
			victim("sleep", 4, SHMCHAN_WORKQ_UNLIMITED);
	}
	sleep_ms(50);
	put_value(&q, 77);
	for (i = 0; i < 4; i++)
		CHECK_EQ(child_wait(pids[i]), SIGKILL);
	CHECK_EQ(shmchan_workq_take(&q, &item, TOLD_NS), 0);
	CHECK_EQ(value_of(&item), 77);
	CHECK_EQ(item.attempts, 5);
	CHECK_EQ(shmchan_workq_ack(&q, &item), 0);
	shmchan_workq_close(&q);
}

/* And producers that sleep for room, the places of who reserved and died. */
TEST(sleepers_get_the_room_of_the_dead)
{
	struct shmchan_workq_item item;
	struct shmchan_workq q;
	pid_t pid;
	int i;

	open_queue(&q, "room", 2, 0);
	put_value(&q, 1);
	pid = child_fork();
	if (!pid) {
		open_queue(&q, "room", 2, 0);
		CHECK_EQ(shmchan_workq_reserve(&q, &item, 0), 0);
		memset(item.data, 0xff, item.length);
		sleep_ms(100);
		raise(SIGKILL);
	}
	for (i = 0; stat_of(&q).free && i < 3000; i++)
		sleep_ms(1);
	put_value(&q, 2);
	CHECK_EQ(child_wait(pid), SIGKILL);
	CHECK_EQ(shmchan_workq_take(&q, &item, 0), 0);
	CHECK_EQ(value_of(&item), 1);
	CHECK_EQ(shmchan_workq_take(&q, &item, 0), 0);
	CHECK_EQ(value_of(&item), 2);
	shmchan_workq_close(&q);
}

TEST_MAIN
