// SPDX-License-Identifier: GPL-2.0-only

/*
 * Channels of many whose members are killed at random: each receiver gets what each
 * sender sent, all of it, once and in order; or is told exactly how much it
 * has lost, where the channel is of that kind.
 */

#include "channel_fixture.h"
#include "history_stream.h"

#define CAPACITY	4096
#define SENDERS		3
#define MOST_RECEIVERS	3

static const char *tag;
static struct shmchan_channel_opts channel;

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

static int send_some(struct history_self *me, struct shmchan_sender *tx,
		     uint64_t value, int commit)
{
	struct shmchan_reservation rsv;
	uint32_t n = 1 + history_pick(me, 6);
	uint64_t words[8];
	int err;

	if (commit && history_pick(me, 2)) {
		fill(words, n, value);
		return shmchan_send(tx, words, n * 8, 0,
				    history_pick(me, 8) ? 0 : SHMCHAN_MORE,
				    some_time(me));
	}
	err = shmchan_reserve(tx, sizeof(words), &rsv, some_time(me));
	if (err)
		return err;
	/* What is never committed must not be seen. */
	fill(words, 8, commit ? ~0ULL : value);
	shmchan_fill(tx, &rsv, 0, words, sizeof(words));
	fill(words, n, value);
	shmchan_fill(tx, &rsv, 0, words, n * 8);
	return commit ? shmchan_commit(tx, &rsv, n * 8, 0, 0) :
			shmchan_abort(tx, &rsv);
}

static void sender(struct history_self *me)
{
	struct history_event *e = history_invoke(me, STREAM_OPEN_TX, me->role,
						 0);
	struct shmchan_channel_opts opts = channel;
	struct shmchan_sender tx;
	int err;

	opts.slot = me->role;
	opts.spin_ns = history_pick(me, 2) ? -1 : 0;
	open_tx(&tx, tag, &opts);
	history_return(e, me, 0, 0);
	while (history_goes_on(me)) {
		int commit = !!history_pick(me, 8);
		uint64_t value = stream_value(me);

		e = history_invoke(me, commit ? STREAM_SEND : STREAM_ABORT,
				   me->role, value);
		err = send_some(me, &tx, value, commit);
		history_return(e, me, err, 0);
		/* There may be no receiver for a while. */
		CHECK(!err || err == -EAGAIN || err == -ETIMEDOUT ||
		      (channel.durable &&
		       (err == -EOWNERDEAD || err == -EPIPE)));
		if (err == -EOWNERDEAD || err == -EPIPE)
			shmchan_sender_wait_peers(&tx, 1, 2 * MS);
		history_pace(me);
	}
	e = history_invoke(me, STREAM_CLOSE_TX, me->role, 0);
	shmchan_sender_close(&tx);
	history_return(e, me, 0, 0);
}

static int recv_some(struct history_self *me, struct shmchan_receiver *rx,
		     struct shmchan_msg *msg, uint64_t *value, int64_t timeout)
{
	struct shmchan_view view;
	uint64_t words[8];
	size_t i;
	int err;

	if (!channel.durable || history_pick(me, 2)) {
		err = shmchan_recv(rx, words, sizeof(words), msg, timeout);
	} else {
		err = shmchan_peek(rx, &view, timeout);
		*msg = view.msg;
		if (!err) {
			CHECK_LE(msg->length, sizeof(words));
			memcpy(words, view.data, msg->length);
			err = shmchan_release(rx, &view);
		}
	}
	if (err) {
		*value = err == -EOVERFLOW ? msg->lost : 0;
		return err;
	}
	*value = words[0];
	for (i = 1; i < msg->length / 8; i++)
		if (words[i] != words[0])
			return STREAM_TORN;
	return msg->length && !(msg->length % 8) ? 0 : STREAM_TORN;
}

/* 0 if there was nothing. */
static int receive(struct history_self *me, struct shmchan_receiver *rx,
		   int64_t timeout)
{
	struct history_event *e = history_invoke(me, STREAM_RECV, 0, 0);
	struct shmchan_msg msg = { 0 };
	uint64_t value = 0;
	int err = recv_some(me, rx, &msg, &value, timeout);

	if (err == -EAGAIN || err == -ETIMEDOUT) {
		history_forget(e, me);
		return 0;
	}
	e->object = msg.slot;
	history_return(e, me, err, value);
	return 1;
}

static void receiver(struct history_self *me)
{
	struct history_event *e = history_invoke(me, STREAM_OPEN_RX, 0, 0);
	struct shmchan_channel_opts opts = channel;
	struct shmchan_receiver rx;

	opts.spin_ns = history_pick(me, 2) ? -1 : 0;
	opts.burst = 1 + history_pick(me, 8);
	open_rx(&rx, tag, &opts);
	history_return(e, me, 0, 0);
	while (history_goes_on(me)) {
		receive(me, &rx, some_time(me));
		history_pace(me);
		/* A slow one is passed. */
		if (!channel.durable && !history_pick(me, 100))
			sleep_ms(1);
	}
	if (history_last(me)) {
		/* So few senders are all looked at by one try. */
		while (receive(me, &rx, 0))
			;
		e = history_invoke(me, STREAM_DRAINED, 0, 0);
		history_return(e, me, 0, 0);
	}
	e = history_invoke(me, STREAM_CLOSE_RX, 0, 0);
	shmchan_receiver_close(&rx);
	history_return(e, me, 0, 0);
}

static void play(struct history_self *me)
{
	if (me->role >= SENDERS)
		receiver(me);
	else
		sender(me);
}

static void run(const char *name, uint32_t nr_receivers,
		const struct shmchan_channel_opts *opts,
		const struct stream_rules *rules)
{
	struct history_run r = {
		.nr_roles = SENDERS + nr_receivers,
		.kills = (uint32_t)HARNESS_ROUNDS(150),
		.last = ((1U << nr_receivers) - 1) << SENDERS, .play = play,
	};
	struct history *h = history_new();

	tag = name;
	channel = *opts;
	channel.create = 1;
	channel.nr_senders = SENDERS;
	channel.capacity = CAPACITY;
	history_perform(h, &r);
	history_judge(h, stream_checker, rules);
}

TEST_LIMIT(one_receiver_loses_nothing, 120)
{
	const struct shmchan_channel_opts opts = SHMCHAN_FANIN_OPTS();
	const struct stream_rules rules = {
		.nr_slots = SENDERS, .durable = 1, .told_once = 1,
		/* A quarter of a lane, in the smallest messages. */
		.again = CAPACITY / 4 / 16,
	};

	run("fanin", 1, &opts, &rules);
}

static const struct stream_rules not_durable = {
	.nr_slots = SENDERS, .told_once = 1,
};
static const struct stream_rules passed = {
	.nr_slots = SENDERS, .told_once = 1, .passed = 1,
};

TEST_LIMIT(subscribers_hold_senders_back, 120)
{
	const struct shmchan_channel_opts opts = SHMCHAN_PUBSUB_OPTS(
		.nr_receivers = MOST_RECEIVERS);

	run("hold", MOST_RECEIVERS, &opts, &not_durable);
}

TEST_LIMIT(subscribers_are_passed, 120)
{
	const struct shmchan_channel_opts opts = SHMCHAN_PUBSUB_OPTS(
		.nr_receivers = MOST_RECEIVERS, .nr_reliable = 2,
		.policy = SHMCHAN_POLICY_EVICT, .hold_ns = MS / 4);

	run("passed", MOST_RECEIVERS, &opts, &passed);
}

TEST_LIMIT(senders_overwrite, 120)
{
	const struct shmchan_channel_opts opts = SHMCHAN_PUBSUB_OPTS(
		.nr_receivers = MOST_RECEIVERS,
		.policy = SHMCHAN_POLICY_OVERWRITE);

	run("overwrite", MOST_RECEIVERS, &opts, &passed);
}

/*
 * Histories made by hand: actor 0 sends 1 to 6 in seat 0, the last of them cut, and
 * actor 1 receives.
 */
static const struct history_actor cast[] = {
	{ .killed = 50, .dead = 52 }, { .dead = 90, .role = SENDERS },
};

#define SENT(at, what)	{ at, at + 1, 0, STREAM_SEND, 0, 0, what, 0 }
#define GOT(at, what)	{ at, at + 1, 1, STREAM_RECV, 0, 0, 0, what }
#define LOST(at, n)	{ at, at + 1, 1, STREAM_RECV, 0, -EOVERFLOW, 0, n }
#define TOLD(at)	{ at, at + 1, 1, STREAM_RECV, 0, -EOWNERDEAD, 0, 0 }
#define DRAINED(at)	{ at, at + 1, 1, STREAM_DRAINED, 0, 0, 0, 0 }

#define JUDGE(says, ...)						\
	do {								\
		const struct history_event ev[] = {			\
			{ 1, 2, 0, STREAM_OPEN_TX, 0, 0, 0, 0 },	\
			SENT(3, 1),					\
			{ 5, 8, 1, STREAM_OPEN_RX, 0, 0, 0, 0 },	\
			{ 6, 7, 0, STREAM_SEND, 0, 0, 2, 0 },		\
			SENT(11, 3), SENT(13, 4), SENT(15, 5),		\
			{ 17, 0, 0, STREAM_SEND, 0, 0, 6, 0 },		\
			__VA_ARGS__ };					\
		HISTORY_EXPECT(ev, cast, stream_checker, &not_durable, says); \
	} while (0)

TEST(the_judge_counts_losses)
{
	/* 2 was sent when it came: it may have it. */
	JUDGE(NULL, GOT(20, 2), GOT(22, 3), GOT(24, 4), GOT(26, 5),
	      TOLD(60), DRAINED(62));
	JUDGE(NULL, GOT(22, 3), LOST(23, 1), GOT(25, 5), GOT(27, 6), TOLD(60),
	      DRAINED(62));
	/* What was cut may be there, and lost. */
	JUDGE(NULL, GOT(22, 3), LOST(23, 3), TOLD(60), DRAINED(62));
	JUDGE(NULL, LOST(20, 2), GOT(25, 5));
	JUDGE(NULL, LOST(20, 3), GOT(25, 5));
	JUDGE("were lost", LOST(20, 0), GOT(25, 5));
	JUDGE("is old", LOST(20, 4), GOT(25, 5));
	JUDGE("is old", GOT(25, 1));
	JUDGE("others before it are missing", LOST(20, 1), GOT(25, 5));
	JUDGE("others before it are missing", GOT(25, 5));
	JUDGE("are missing", GOT(22, 3), GOT(25, 5));
	JUDGE("are missing", GOT(22, 3), LOST(23, 2), GOT(25, 5));
	JUDGE("said to be lost", GOT(22, 3), GOT(24, 4), LOST(26, 3),
	      DRAINED(62));
	JUDGE("at the end", GOT(22, 3), GOT(24, 4), DRAINED(62));
	JUDGE("has not ended", GOT(22, 3), TOLD(60), TOLD(64));
}

TEST_MAIN
