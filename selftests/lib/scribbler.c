// SPDX-License-Identifier: GPL-2.0-only

/*
 * Lanes and channels beside a scribbler: a sender that writes anything to its ring,
 * or a receiver that does so to its cursor.
 */

#include <shmchan/spsc.h>

#include "channel_fixture.h"
#include "scribbler.h"

#define CAPACITY	4096

/* ---- One sender, one receiver ---- */

static void open_as(struct shmchan_spsc *ch, const char *tag,
		    enum shmchan_spsc_role role)
{
	struct shmchan_spsc_opts lane = SHMCHAN_SPSC_OPTS(
		.role = role, .create = 1, .capacity = CAPACITY, .spin_ns = -1);

	CHECK_EQ(shmchan_spsc_open(ch, test_name(tag), &lane), 0);
}

static int send_one(struct shmchan_spsc *tx, uint64_t *rnd, uint64_t n)
{
	uint64_t words[16] = { n };

	return shmchan_spsc_send(tx, words, 8 + scribbler_pick(rnd, 120), 0, 0,
				 0);
}

/* Nobody can take over a lane at the end of all positions. */
static void be_repairable(const struct shmchan_lane_writer *w)
{
	shmchan_store_relaxed(&w->lane.control->floor,
			      w->limit - w->lane.capacity);
}

static void mad_lane_sender(struct scribbler *s, const char *tag)
{
	struct shmchan_spsc tx;
	uint64_t n;

	for (;;) {
		open_as(&tx, tag, SHMCHAN_SENDER);
		scribbler_opened(s);
		scribbler_aim(s, tx.w.lane.ring, CAPACITY);
		scribbler_aim(s, tx.w.lane.control, sizeof(*tx.w.lane.control));
		for (n = 0; !scribbler_asked(s); n++)
			scribbler_fire(s, send_one(&tx, &s->rnd, n));
		be_repairable(&tx.w);
		shmchan_spsc_close(&tx);
	}
}

/* Receives something, one way or another. */
static int receive(struct shmchan_spsc *rx, uint32_t how)
{
	uint8_t buf[CAPACITY];
	const void *data;
	size_t length;
	uint32_t meta;
	int err;

	switch (how % 4) {
	case 0:
		err = shmchan_spsc_peek(rx, &data, &length, &meta, 0);
		if (err)
			return err;
		CHECK_LE(length, CAPACITY);
		scribbler_look(data, length);
		return shmchan_spsc_release(rx);
	case 1:
		err = shmchan_spsc_recv_n(rx, buf, 8, 16, &meta, 0);
		CHECK_LE(err, 16);
		/* Of another size. */
		if (err >= 0)
			return 0;
		if (err != -EMSGSIZE)
			return err;
		/* fallthrough */
	default:
		err = shmchan_spsc_recv(rx, buf, sizeof(buf), &length, &meta,
					how % 8 == 7 ? 100000 : 0);
		CHECK(err || length <= sizeof(buf));
		return err;
	}
}

/* It may be told as it comes that there is no place to begin. */
static void open_anew(struct scribbler_round *r, struct shmchan_spsc *rx)
{
	struct shmchan_spsc_opts lane = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_RECEIVER, .create = 1, .capacity = CAPACITY,
		.spin_ns = -1);
	int err;

	do {
		err = shmchan_spsc_open(rx, test_name(r->tag), &lane);
		SCRIBBLER_ERRORS(err, EBADMSG);
		if (err)
			scribbler_ask(r);
	} while (err && scribbler_goes_on(r));
}

static void lane_receiver(struct scribbler_round *r)
{
	struct shmchan_spsc rx;
	int err;

	open_anew(r, &rx);
	while (scribbler_goes_on(r)) {
		err = receive(&rx, scribbler_choose(r, 16));
		SCRIBBLER_ERRORS(err, EAGAIN, ETIMEDOUT, EBADMSG, EPIPE,
				 EOWNERDEAD);
		if (!err)
			scribbler_done(r);
		else
			sched_yield();
		/* That it has closed may be true: it opens anew. */
		if (err != -EBADMSG && !scribbler_is_stuck(r))
			continue;
		shmchan_spsc_close(&rx);
		scribbler_ask(r);
		open_anew(r, &rx);
	}
	shmchan_spsc_close(&rx);
}

static void mad_lane_receiver(struct scribbler *s, const char *tag)
{
	struct shmchan_spsc rx;
	uint8_t buf[CAPACITY];
	size_t length;

	open_as(&rx, tag, SHMCHAN_RECEIVER);
	scribbler_aim(s, rx.r.cursor, sizeof(*rx.r.cursor));
	for (;;)
		scribbler_fire(s, shmchan_spsc_recv(&rx, buf, sizeof(buf),
						    &length, NULL, 0));
}

static int send_somehow(struct shmchan_spsc *tx, uint32_t how)
{
	struct shmchan_reservation rsv;
	uint64_t words[32] = { how };
	int err;

	switch (how % 4) {
	case 0:
		err = shmchan_spsc_reserve(tx, 8 * (how % 32), &rsv, 0);
		if (err)
			return err;
		memcpy(rsv.data, words, rsv.length < 8 ? 0 : 8);
		return how % 8 ? shmchan_spsc_commit(tx, &rsv, 0, 0, 0) :
				 shmchan_spsc_abort(tx, &rsv);
	case 1:
		err = shmchan_spsc_send_n(tx, words, 8, 1 + how % 32, 0, 0);
		return err > 0 ? 0 : err;
	default:
		return shmchan_spsc_send(tx, words, how, 0, 0,
					 how % 8 == 7 ? 100000 : 0);
	}
}

static void lane_sender(struct scribbler_round *r)
{
	struct shmchan_spsc tx;
	int err;

	open_as(&tx, r->tag, SHMCHAN_SENDER);
	while (scribbler_goes_on(r)) {
		err = send_somehow(&tx, scribbler_choose(r, 256));
		SCRIBBLER_ERRORS(err, EAGAIN, ETIMEDOUT, EBADMSG, EPIPE,
				 EOWNERDEAD);
		if (!err)
			scribbler_done(r);
		else if (err == -EAGAIN || err == -ETIMEDOUT)
			sched_yield();
		else {
			r->reopened++;
			shmchan_spsc_close(&tx);
			open_as(&tx, r->tag, SHMCHAN_SENDER);
		}
	}
	shmchan_spsc_close(&tx);
}

TEST_LIMIT(lane_senders, 120)
{
	scribbler_run(&(struct scribbler_scene){
		"sender of a lane", mad_lane_sender, lane_receiver });
}

TEST_LIMIT(lane_receivers, 120)
{
	scribbler_run(&(struct scribbler_scene){
		"receiver of a lane", mad_lane_receiver, lane_sender });
}

/* ---- Many ---- */

static struct shmchan_channel_opts opts;

static void mad_sender(struct scribbler *s, const char *tag)
{
	struct shmchan_sender tx;
	uint64_t words[16] = { 0 };

	for (;;) {
		open_tx(&tx, tag, &opts);
		scribbler_opened(s);
		scribbler_aim(s, tx.w.lane.ring, CAPACITY);
		scribbler_aim(s, tx.w.lane.control, sizeof(*tx.w.lane.control));
		for (; !scribbler_asked(s); words[0]++) {
			size_t length = 8 + scribbler_pick(&s->rnd, 120);

			scribbler_fire(s, shmchan_send(&tx, words, length, 0, 0,
						       0));
		}
		be_repairable(&tx.w);
		shmchan_sender_close(&tx);
	}
}

/*
 * What the honest sender has sent comes, in order and soon, whatever the other one
 * does; what comes of that one is within bounds.
 */
static void receiver(struct scribbler_round *r)
{
	uint64_t buf[CAPACITY / 8], sent = 0, got = 0, others = 0;
	struct shmchan_receiver rx;
	struct shmchan_sender tx;
	struct shmchan_msg msg;
	int err;

	open_rx(&rx, r->tag, &opts);
	open_tx(&tx, r->tag, &opts);
	while (scribbler_goes_on(r)) {
		int bad = 0;

		CHECK_EQ(send_u64(&tx, sent, 0), 0);
		sent++;
		for (others = 0; got < sent; ) {
			err = shmchan_recv(&rx, buf, sizeof(buf), &msg, 0);
			SCRIBBLER_ERRORS(err, EBADMSG, EOVERFLOW, EPIPE,
					 EOWNERDEAD);
			if (msg.slot == tx.region->slot) {
				CHECK_EQ(err, 0);
				CHECK_EQ(msg.length, 8);
				CHECK_EQ(buf[0], got);
				got++;
				continue;
			}
			bad |= err == -EBADMSG;
			if (!err) {
				CHECK_LE(msg.length, sizeof(buf));
				scribbler_done(r);
			}
			CHECK_LT(++others, 10000);
		}
		/* Of that sender nothing comes any more. */
		if (!bad && !scribbler_is_stuck(r))
			continue;
		shmchan_receiver_close(&rx);
		scribbler_ask(r);
		open_rx(&rx, r->tag, &opts);
	}
	shmchan_sender_close(&tx);
	shmchan_receiver_close(&rx);
}

static void mad_receiver(struct scribbler *s, const char *tag)
{
	struct shmchan_receiver rx;
	struct shmchan_msg msg;
	uint8_t buf[CAPACITY];
	uint32_t i;

	open_rx(&rx, tag, &opts);
	for (i = 0; i < rx.nr_lanes; i++)
		scribbler_aim(s, rx.lanes[i].cursor, sizeof(*rx.lanes[i].cursor));
	for (;;)
		scribbler_fire(s, shmchan_recv(&rx, buf, sizeof(buf), &msg, 0));
}

/* Whom it keeps from sending it keeps, but what is sent comes to the other receiver. */
static void sender(struct scribbler_round *r)
{
	struct shmchan_receiver rx;
	struct shmchan_sender tx;
	struct shmchan_msg msg;
	uint64_t sent = 0, value;
	int err;

	open_rx(&rx, r->tag, &opts);
	open_tx(&tx, r->tag, &opts);
	while (scribbler_goes_on(r)) {
		err = send_u64(&tx, sent, 0);
		SCRIBBLER_ERRORS(err, EAGAIN, EBADMSG, EPIPE, EOWNERDEAD);
		if (!err) {
			CHECK_EQ(try_u64(&rx, &value, &msg), 0);
			CHECK_EQ(value, sent);
			sent++;
			scribbler_done(r);
		} else if (err == -EAGAIN) {
			CHECK_EQ(opts.policy, SHMCHAN_POLICY_BLOCK);
			sched_yield();
		} else {
			CHECK_EQ(opts.policy, SHMCHAN_POLICY_BLOCK);
			r->reopened++;
			shmchan_sender_close(&tx);
			open_tx(&tx, r->tag, &opts);
			/* Of the last one's end. */
			err = try_u64(&rx, &value, &msg);
			CHECK(err == -EPIPE || err == -EAGAIN);
		}
	}
	shmchan_sender_close(&tx);
	shmchan_receiver_close(&rx);
}

static void many(const char *what, enum shmchan_policy policy, int durable,
		 void (*scribble)(struct scribbler *s, const char *tag),
		 void (*work)(struct scribbler_round *r))
{
	opts = SHMCHAN_CHANNEL_OPTS(.create = 1, .nr_senders = 2,
				    .capacity = CAPACITY, .policy = policy,
				    .durable = durable, .spin_ns = -1);
	/* An empty seat of a durable channel holds its senders. */
	opts.nr_receivers = work == sender ? 2 : 1;
	scribbler_run(&(struct scribbler_scene){ what, scribble, work });
}

TEST_LIMIT(senders, 120)
{
	many("sender, BLOCK", SHMCHAN_POLICY_BLOCK, 0, mad_sender, receiver);
}

TEST_LIMIT(senders_of_a_durable_channel, 120)
{
	many("sender, durable", SHMCHAN_POLICY_BLOCK, 1, mad_sender,
	     receiver);
}

TEST_LIMIT(senders_that_evict, 120)
{
	many("sender, EVICT", SHMCHAN_POLICY_EVICT, 0, mad_sender, receiver);
}

TEST_LIMIT(senders_that_overwrite, 120)
{
	many("sender, OVERWRITE", SHMCHAN_POLICY_OVERWRITE, 0, mad_sender,
	     receiver);
}

TEST_LIMIT(receivers, 120)
{
	many("receiver, BLOCK", SHMCHAN_POLICY_BLOCK, 0, mad_receiver,
	     sender);
}

TEST_LIMIT(receivers_of_a_durable_channel, 120)
{
	many("receiver, durable", SHMCHAN_POLICY_BLOCK, 1, mad_receiver,
	     sender);
}

TEST_LIMIT(receivers_that_are_evicted, 120)
{
	many("receiver, EVICT", SHMCHAN_POLICY_EVICT, 0, mad_receiver,
	     sender);
}

TEST_MAIN
