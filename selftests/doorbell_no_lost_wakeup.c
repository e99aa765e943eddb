// SPDX-License-Identifier: GPL-2.0-only
/*
 * No wake-up is lost: producers store, and ring only if the status page says
 * that somebody waits; the consumer sleeps without a time limit to speak of.
 * A lost one shows as a timeout.
 */

#include "../kselftest_harness.h"
#include "test_peer.h"

#define RW		(PROT_READ | PROT_WRITE)
#define NR_PRODUCERS	3
#define PINGS		3000
#define EVENTS		1500
#define LOST_MS		8000

static const char *name;
static struct layout layout;

/* The word of producer or player @nr: a cache line each, in the shared page. */
#define WORD(nr)	(control_at(&layout, FOLIO_SHARED) + 64 * (nr))

FIXTURE(lost) {
	struct peer peers[NR_PRODUCERS];
	int keeper;
};

FIXTURE_SETUP(lost)
{
	unsigned int i;

	name = own_name();
	layout = layout_default(SHMCHAN_CREATE_SMALL, false);
	layout.name = name;
	for (i = 0; i < NR_PRODUCERS; i++)
		ASSERT_EQ(0, peer_start(&self->peers[i]));
	self->keeper = create_region(&layout);
	ASSERT_LE(0, self->keeper);
}

FIXTURE_TEARDOWN(lost)
{
	unsigned int i;

	for (i = 0; i < NR_PRODUCERS; i++)
		if (self->peers[i].pid)
			peer_kill(&self->peers[i]);
}

struct player {
	int fd;
	struct status status;
	char *words;
};

static struct player me;

static volatile uint64_t *word(unsigned int nr)
{
	return (volatile uint64_t *)(me.words + 64 * nr);
}

static long enter(unsigned int slot)
{
	me.fd = open_joined(name, slot);
	if (me.fd < 0)
		return me.fd;
	if (map_status(me.fd, &me.status))
		return -EBADF;
	me.words = map(me.fd, WORD(0), PAGE, RW);
	return me.words == MAP_FAILED ? -errno : 0;
}

/*
 * The producer's half: the store and the load are sequentially consistent, so
 * that this or the sleeper sees the other.
 */
static long announce(unsigned int nr, uint64_t value, unsigned int bell)
{
	int ret = 0;

	__atomic_store_n(word(nr), value, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&me.status.bells[bell].waiters, __ATOMIC_SEQ_CST))
		ret = ring(me.fd, bell, 0);
	return ret < 0 ? ret : 0;
}

/* Plays in @slot (0 or 1), @rounds times. */
static long ping_pong(long slot, long rounds)
{
	unsigned int other = !slot;
	struct shmchan_wait_elem e;
	uint64_t i;
	long ret = enter(slot);

	for (i = 1; i <= (uint64_t)rounds && !ret; i++) {
		if (slot == 0)
			ret = announce(slot, i, BELL_OF(other));
		e = elem64(-1, BELL_OF(slot), WORD(other), i - 1);
		while (!ret && *word(other) < i)
			ret = wait_ms(me.fd, &e, 1, LOST_MS);
		if (!ret && slot == 1)
			ret = announce(slot, i, BELL_OF(other));
	}
	return ret ? ret : (long)i - 1;
}

TEST_F_TIMEOUT(lost, ping_pong, 120)
{
	peer_send(&self->peers[1], ping_pong, 1, PINGS);
	peer_send(&self->peers[0], ping_pong, 0, PINGS);
	EXPECT_EQ(PINGS, peer_answer(&self->peers[0], 100000));
	EXPECT_EQ(PINGS, peer_answer(&self->peers[1], 100000));
}

/* @nr: slot and word.  Publishes as fast as it can, with pauses now and then. */
static long produce(long nr, long events)
{
	long ret = enter(nr);
	long i;

	for (i = 1; i <= events && !ret; i++) {
		ret = announce(nr, i, BELL_OF(0));
		if (i % 64 == 0)
			usleep(i % 1000);
	}
	return ret ? ret : i - 1;
}

/* Slot 0: sleeps until a word changes, until all have reached @events. */
static long consume(long events, long b)
{
	struct shmchan_wait_elem elems[NR_PRODUCERS - 1];
	unsigned int i;
	bool done;
	long ret = enter(0);

	(void)b;
	for (i = 0; i < NR_PRODUCERS - 1; i++)
		elems[i] = elem64(-1, BELL_OF(0), WORD(1 + i), 0);
	do {
		done = true;
		for (i = 0; i < NR_PRODUCERS - 1; i++) {
			elems[i].value = *word(1 + i);
			done &= elems[i].value == (uint64_t)events;
		}
		if (!done && !ret)
			ret = wait_ms(me.fd, elems, NR_PRODUCERS - 1, LOST_MS);
		if (ret > 0)
			ret = 0;
	} while (!done && !ret);
	return ret;
}

TEST_F_TIMEOUT(lost, many_producers, 120)
{
	unsigned int i;

	peer_send(&self->peers[0], consume, EVENTS, 0);
	for (i = 1; i < NR_PRODUCERS; i++)
		peer_send(&self->peers[i], produce, i, EVENTS);
	for (i = 1; i < NR_PRODUCERS; i++)
		EXPECT_EQ(EVENTS, peer_answer(&self->peers[i], 100000));
	EXPECT_EQ(0, peer_answer(&self->peers[0], 100000));
}

/* The same for who arms and polls: drain, arm, drain again if EAGAIN, sleep. */
static long consume_by_poll(long events, long b)
{
	struct shmchan_event event;
	struct shmchan_wait_elem e;
	struct pollfd pfd;
	long ret = enter(0);

	(void)b;
	if (!ret)
		ret = subscribe(me.fd, BELL_OF(0), 0);
	pfd = (struct pollfd) { .fd = me.fd, .events = POLLIN };
	while (!ret) {
		while (read(me.fd, &event, sizeof(event)) > 0)
			;
		e = elem64(-1, BELL_OF(0), WORD(1), *word(1));
		if (e.value == (uint64_t)events)
			return 0;
		ret = arm(me.fd, BELL_OF(0), &e, 1, 0);
		if (ret == -EAGAIN)
			ret = 0;
		else if (!ret)
			ret = poll(&pfd, 1, LOST_MS) == 1 ? 0 : -ETIMEDOUT;
	}
	return ret;
}

TEST_F_TIMEOUT(lost, armed, 120)
{
	peer_send(&self->peers[0], consume_by_poll, EVENTS, 0);
	peer_send(&self->peers[1], produce, 1, EVENTS);
	EXPECT_EQ(EVENTS, peer_answer(&self->peers[1], 100000));
	EXPECT_EQ(0, peer_answer(&self->peers[0], 100000));
}

/* A producer dies between its store and its ring: its end wakes who asked. */
static long store_and_die(long nr, long value)
{
	*word(nr) = value;
	kill(getpid(), SIGKILL);
	return 0;
}

static long enter_slot(long slot, long b)
{
	(void)b;
	return enter(slot);
}

static long await_word_or_death(long a, long b)
{
	struct shmchan_wait_elem elems[2];
	long ret = enter(0);

	(void)a;
	(void)b;
	if (ret)
		return ret;
	elems[0] = elem64(-1, BELL_OF(0), WORD(1), 0);
	elems[1] = elem64(-1, SHMCHAN_DOORBELL_MEMBERS,
			  me.status.slots_offset + 8, me.status.slots[1]);
	return wait_ms(me.fd, elems, 2, LOST_MS);
}

TEST_F(lost, producer_dies_before_it_rings)
{
	const volatile struct shmchan_doorbell_status *bell;

	ASSERT_EQ(0, enter(2));
	bell = &me.status.bells[BELL_OF(0)];
	ASSERT_EQ(0, peer_call(&self->peers[1], enter_slot, 1, 0));
	peer_send(&self->peers[0], await_word_or_death, 0, 0);
	ASSERT_TRUE(eventually(bell->waiters == 1));
	peer_send(&self->peers[1], store_and_die, 1, 7);
	/* By doorbell 0; the word is then seen as well. */
	EXPECT_EQ(1, peer_answer(&self->peers[0], PATIENCE_MS));
	EXPECT_EQ(7, *word(1));
	EXPECT_EQ(0, bell->seq);
	EXPECT_EQ(0, bell->waiters);
}

TEST_HARNESS_MAIN
