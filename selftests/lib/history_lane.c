// SPDX-License-Identifier: GPL-2.0-only

/*
 * A lane from one sender to one receiver, both of which are killed at random: each
 * receiver gets what was sent, all of it, once and in order, but for what the last
 * receiver had not said it was done with.
 */

#include "history_stream.h"
#include "spsc_fixture.h"

#define CAPACITY	4096
#define TAG		"lane"

static const struct stream_rules rules = {
	.nr_slots = 1, .durable = 1,
	/* A quarter of the ring, in the smallest messages. */
	.again = CAPACITY / 4 / 16,
};

static void fill(uint64_t *words, uint32_t n, uint64_t value)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		words[i] = value;
}

static int64_t some_time(struct history_self *me)
{
	return history_pick(me, 3) ? history_pick(me, 3) * MS : 0;
}

static int send_some(struct history_self *me, struct shmchan_spsc *tx,
		     uint64_t value, int commit)
{
	struct shmchan_reservation rsv;
	uint32_t n = 1 + history_pick(me, 6);
	uint64_t words[8];
	int err;

	if (commit && history_pick(me, 2)) {
		fill(words, n, value);
		return shmchan_spsc_send(tx, words, n * 8, 0,
					 history_pick(me, 8) ? 0 : SHMCHAN_MORE,
					 some_time(me));
	}
	err = shmchan_spsc_reserve(tx, sizeof(words), &rsv, some_time(me));
	if (err)
		return err;
	/* What is never committed must not be seen. */
	fill(words, 8, commit ? ~0ULL : value);
	memcpy(rsv.data, words, sizeof(words));
	fill(words, n, value);
	memcpy(rsv.data, words, n * 8);
	return commit ? shmchan_spsc_commit(tx, &rsv, n * 8, 0, 0) :
			shmchan_spsc_abort(tx, &rsv);
}

static void sender(struct history_self *me)
{
	struct history_event *e = history_invoke(me, STREAM_OPEN_TX, 0, 0);
	struct shmchan_spsc tx;
	int err;

	open_as(&tx, TAG, SHMCHAN_SENDER, CAPACITY, history_pick(me, 2) ? -1 : 0);
	history_return(e, me, 0, 0);
	while (history_goes_on(me)) {
		int commit = !!history_pick(me, 8);
		uint64_t value = stream_value(me);

		e = history_invoke(me, commit ? STREAM_SEND : STREAM_ABORT, 0,
				   value);
		err = send_some(me, &tx, value, commit);
		history_return(e, me, err, 0);
		/* There may be no receiver for a while. */
		CHECK(!err || err == -EAGAIN || err == -ETIMEDOUT ||
		      err == -EOWNERDEAD || err == -EPIPE);
		if (err == -EOWNERDEAD || err == -EPIPE)
			shmchan_spsc_wait_peer(&tx, 2 * MS);
		history_pace(me);
	}
	e = history_invoke(me, STREAM_CLOSE_TX, 0, 0);
	shmchan_spsc_close(&tx);
	history_return(e, me, 0, 0);
}

static int recv_some(struct history_self *me, struct shmchan_spsc *rx,
		     uint64_t *value, int64_t timeout)
{
	uint64_t words[8];
	const void *data;
	size_t length, i;
	int err;

	if (history_pick(me, 2)) {
		err = shmchan_spsc_recv(rx, words, sizeof(words), &length,
					NULL, timeout);
	} else {
		err = shmchan_spsc_peek(rx, &data, &length, NULL, timeout);
		if (!err) {
			CHECK_LE(length, sizeof(words));
			memcpy(words, data, length);
			err = shmchan_spsc_release(rx);
		}
	}
	if (err)
		return err;
	*value = words[0];
	for (i = 1; i < length / 8; i++)
		if (words[i] != words[0])
			return STREAM_TORN;
	return length && !(length % 8) ? 0 : STREAM_TORN;
}

/* 0 if there was nothing. */
static int receive(struct history_self *me, struct shmchan_spsc *rx,
		   int64_t timeout)
{
	struct history_event *e = history_invoke(me, STREAM_RECV, 0, 0);
	uint64_t value = 0;
	int err = recv_some(me, rx, &value, timeout);

	if (err == -EAGAIN || err == -ETIMEDOUT) {
		history_forget(e, me);
		return 0;
	}
	history_return(e, me, err, value);
	/* Told until another sender comes, which it may never. */
	if (err == -EPIPE || err == -EOWNERDEAD)
		return !shmchan_spsc_wait_peer(rx, timeout ? 2 * MS : 0);
	CHECK(!err || err == STREAM_TORN);
	return 1;
}

static void receiver(struct history_self *me)
{
	struct history_event *e = history_invoke(me, STREAM_OPEN_RX, 0, 0);
	struct shmchan_spsc rx;

	open_as(&rx, TAG, SHMCHAN_RECEIVER, CAPACITY,
		history_pick(me, 2) ? -1 : 0);
	history_return(e, me, 0, 0);
	while (history_goes_on(me)) {
		receive(me, &rx, some_time(me));
		history_pace(me);
	}
	if (history_last(me)) {
		while (receive(me, &rx, 0))
			;
		e = history_invoke(me, STREAM_DRAINED, 0, 0);
		history_return(e, me, 0, 0);
	}
	e = history_invoke(me, STREAM_CLOSE_RX, 0, 0);
	shmchan_spsc_close(&rx);
	history_return(e, me, 0, 0);
}

static void play(struct history_self *me)
{
	if (me->role)
		receiver(me);
	else
		sender(me);
}

TEST_LIMIT(random_runs, 120)
{
	struct history_run run = {
		.nr_roles = 2, .kills = (uint32_t)HARNESS_ROUNDS(300),
		.last = 1U << 1, .play = play,
	};
	struct history *h = history_new();

	history_perform(h, &run);
	history_judge(h, stream_checker, &rules);
}

/*
 * Histories made by hand.  Actor 0 sends 1, 2 and is killed in sending 3; actor 1 is
 * the next sender, and actors 2 and 3 receive.
 */
static const struct history_actor cast[] = {
	{ .killed = 20, .dead = 22 }, { .dead = 60 },
	{ .killed = 50, .dead = 52, .role = 1 }, { .dead = 90, .role = 1 },
};

#define SENDS								\
	{ 1, 2, 0, STREAM_OPEN_TX, 0, 0, 0, 0 },			\
	{ 3, 4, 0, STREAM_SEND, 0, 0, 1, 0 },				\
	{ 5, 6, 0, STREAM_SEND, 0, 0, 2, 0 },				\
	{ 7, 8, 2, STREAM_OPEN_RX, 0, 0, 0, 0 },			\
	{ 9, 0, 0, STREAM_SEND, 0, 0, 3, 0 },				\
	{ 23, 24, 1, STREAM_OPEN_TX, 0, 0, 0, 0 },			\
	{ 25, 26, 1, STREAM_SEND, 0, 0, 0x100000001, 0 },		\
	{ 27, 28, 1, STREAM_SEND, 0, -ETIMEDOUT, 0x100000002, 0 }

#define GOT(at, who, what)	{ at, at + 1, who, STREAM_RECV, 0, 0, 0, what }
#define TOLD(at, who)	{ at, at + 1, who, STREAM_RECV, 0, -EOWNERDEAD, 0, 0 }
#define DRAINED(at, who)	{ at, at + 1, who, STREAM_DRAINED, 0, 0, 0, 0 }
#define OPENED(at, who)	{ at, at + 1, who, STREAM_OPEN_RX, 0, 0, 0, 0 }

#define JUDGE(says, ...)						\
	do {								\
		const struct history_event ev[] = { SENDS, __VA_ARGS__ }; \
		HISTORY_EXPECT(ev, cast, stream_checker, &rules, says);	\
	} while (0)

TEST(the_judge_knows_right_from_wrong)
{
	/* With what was cut, and without. */
	JUDGE(NULL, GOT(31, 2, 1), GOT(33, 2, 2), GOT(35, 2, 3), TOLD(37, 2),
	      GOT(39, 2, 0x100000001), DRAINED(41, 2));
	JUDGE(NULL, GOT(31, 2, 1), GOT(33, 2, 2), TOLD(37, 2),
	      GOT(39, 2, 0x100000001), DRAINED(41, 2));
	/* The next receiver goes on, or gets some again. */
	JUDGE(NULL, GOT(31, 2, 1), GOT(33, 2, 2), OPENED(53, 3),
	      GOT(55, 3, 2), TOLD(57, 3), GOT(59, 3, 0x100000001),
	      DRAINED(61, 3));
	/* The first one was killed in taking 2. */
	JUDGE(NULL, GOT(31, 2, 1), { 33, 0, 2, STREAM_RECV, 0, 0, 0, 0 },
	      OPENED(53, 3), TOLD(57, 3), GOT(59, 3, 0x100000001),
	      DRAINED(61, 3));
	JUDGE("are missing", GOT(31, 2, 1), TOLD(37, 2),
	      GOT(39, 2, 0x100000001));
	JUDGE("never came", GOT(31, 2, 1), GOT(33, 2, 2), DRAINED(41, 2));
	JUDGE("again, or late", GOT(31, 2, 1), GOT(33, 2, 2),
	      GOT(35, 2, 1));
	JUDGE("again, or late", GOT(31, 2, 1), GOT(33, 2, 1));
	JUDGE("never sent", GOT(31, 2, 7));
	/* A send that said it had not. */
	JUDGE("never sent", GOT(31, 2, 1), GOT(33, 2, 2), TOLD(37, 2),
	      GOT(39, 2, 0x100000001), GOT(41, 2, 0x100000002));
	JUDGE("before it was sent", GOT(10, 2, 1), GOT(12, 2, 2), TOLD(20, 2),
	      { 22, 24, 2, STREAM_RECV, 0, 0, 0, 0x100000001 });
	JUDGE("has not ended", GOT(10, 2, 1), GOT(12, 2, 2), TOLD(14, 2));
	JUDGE("was not told", GOT(31, 2, 1), GOT(33, 2, 2), GOT(35, 2, 3),
	      GOT(39, 2, 0x100000001));
	JUDGE("torn", { 31, 32, 2, STREAM_RECV, 0, STREAM_TORN, 0, 1 });
	JUDGE("begins with value", GOT(31, 2, 1), OPENED(53, 3),
	      GOT(59, 3, 0x100000001));
	JUDGE("which lived", { 29, 30, 2, STREAM_OPEN_TX, 0, 0, 0, 0 });
}

TEST_MAIN
