/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_CHANNEL_STAGE_H
#define SHMCHAN_TEST_CHANNEL_STAGE_H

/*
 * Channels of two senders and two receivers, for scenarios.  What a sender sends
 * is numbered from FIRST; who takes the seat of a dead one begins at LATER.  So a
 * receiver knows of each message whether it is the next, and of what it was told
 * it has lost whether that is right.
 */

#include <shmchan/channel.h>
#include <shmchan/fanin.h>
#include <shmchan/latest.h>

#include <sys/uio.h>

#include "records.h"

#define TAG	"chan"
#define RING	4096
#define FIRST	1000U
#define LATER	5000U

enum kind {
	HOLD,		/* all receivers are reliable, senders block */
	DURABLE,	/* one receiver, whose seat holds */
	EVICT,		/* who is slow is passed at once */
	OVERWRITE,	/* everybody is */
	LATEST,		/* and asks for the newest alone */
};

static inline struct shmchan_channel_opts opts_of(enum kind kind, uint32_t slot)
{
	struct shmchan_channel_opts opts = SHMCHAN_CHANNEL_OPTS(
		.create = 1, .nr_senders = 2, .nr_receivers = 2,
		.capacity = RING, .spin_ns = -1, .slot = slot);

	switch (kind) {
	case HOLD:
		break;
	case DURABLE:
		opts.durable = 1;
		opts.nr_receivers = 1;
		break;
	case EVICT:
		opts.policy = SHMCHAN_POLICY_EVICT;
		break;
	case LATEST:
		opts.blind = 1;
		opts.policy = SHMCHAN_POLICY_OVERWRITE;
		break;
	case OVERWRITE:
		opts.policy = SHMCHAN_POLICY_OVERWRITE;
		break;
	}
	return opts;
}

/* The seat of somebody who has just died may take a moment. */
static inline void open_tx(struct shmchan_sender *tx, enum kind kind,
			   uint32_t slot)
{
	struct shmchan_channel_opts opts = opts_of(kind, slot);
	uint64_t end = now_ns() + CRASH_PATIENCE_NS;
	int err;

	do
		err = shmchan_sender_open(tx, crash_name(TAG), &opts);
	while (err == -EBUSY && now_ns() < end);
	CHECK_EQ(err, 0);
}

static inline void open_rx(struct shmchan_receiver *rx, enum kind kind,
			   enum shmchan_lane_from from)
{
	struct shmchan_channel_opts opts = opts_of(kind, SHMCHAN_SLOT_ANY);
	uint64_t end = now_ns() + CRASH_PATIENCE_NS;
	int err;

	opts.from = from;
	do
		err = shmchan_receiver_open(rx, crash_name(TAG), &opts);
	while (err == -EBUSY && now_ns() < end);
	CHECK_EQ(err, 0);
}

/* A message says its number first; all of it depends on that. */
static inline void message_fill(void *to, size_t n, uint32_t seed)
{
	record_fill(to, n, seed);
	memcpy(to, &seed, sizeof(seed));
}

static inline uint32_t message_check(const void *from, size_t n)
{
	uint8_t whole[1024];
	uint32_t seed;

	CHECK(n >= sizeof(seed) && n <= sizeof(whole));
	memcpy(&seed, from, sizeof(seed));
	message_fill(whole, n, seed);
	if (memcmp(whole, from, n))
		FAIL("message %u of %zu bytes is torn", seed, n);
	return seed;
}

static inline int send_seed(struct shmchan_sender *tx, size_t n, uint32_t seed,
			    int64_t timeout)
{
	uint8_t buf[1024];

	message_fill(buf, n, seed);
	return shmchan_send(tx, buf, n, 0, 0, timeout);
}

/* What a receiver knows of both senders. */
struct reader {
	uint32_t next[2];	/* number; 0: whatever comes first */
	uint32_t at_end;	/* ... as the first end of sender 0 was told */
	int ends[2];		/* how many were told */
	int first_end;		/* the error */
	int newest;		/* it asks for the newest alone */
	uint32_t hole;		/* of sender 0: this one may be missing, */
	int missing;		/* ... and is */
};

static inline struct reader reader_of_all(enum kind kind)
{
	return (struct reader){ .next = { FIRST, FIRST },
				.newest = kind == LATEST };
}

static inline void reader_got(struct reader *rd, uint32_t slot, uint32_t seed)
{
	if (!slot && rd->hole && rd->next[0] == rd->hole &&
	    seed == rd->hole + 1) {
		rd->missing = 1;
		rd->next[0]++;
	}
	if (rd->next[slot])
		CHECK_EQ(seed, rd->next[slot]);
	rd->next[slot] = seed + 1;
}

static inline void reader_ended(struct reader *rd, uint32_t slot, int err)
{
	if (!rd->ends[slot]++ && !slot) {
		rd->at_end = rd->next[0];
		rd->first_end = err;
		rd->next[0] = LATER;
	}
}

/* One thing that is told.  EAGAIN and ETIMEDOUT: nothing was. */
static inline int reader_one(struct shmchan_receiver *rx, struct reader *rd,
			     int64_t timeout)
{
	struct shmchan_msg msg = { .slot = 99 };
	uint8_t buf[1024];
	int err;

	err = rd->newest ?
	      shmchan_recv_newest(rx, buf, sizeof(buf), &msg, timeout) :
	      shmchan_recv(rx, buf, sizeof(buf), &msg, timeout);
	if (err == -EAGAIN || err == -ETIMEDOUT)
		return err;
	CHECK_LT(msg.slot, 2);
	if (!err || err == -EOVERFLOW) {
		if (rd->next[msg.slot])
			rd->next[msg.slot] += (uint32_t)msg.lost;
		if (err)
			CHECK_GT(msg.lost, 0);
		else
			reader_got(rd, msg.slot, message_check(buf, msg.length));
		return 0;
	}
	CHECK(err == -EPIPE || err == -EOWNERDEAD);
	reader_ended(rd, msg.slot, err);
	return 0;
}

/* All that there is. */
static inline void reader_drain(struct shmchan_receiver *rx, struct reader *rd)
{
	while (!reader_one(rx, rd, 0))
		;
}

/* Until so many ends were told, and then there is nothing more. */
static inline void reader_until(struct shmchan_receiver *rx, struct reader *rd,
				int ends0, int ends1)
{
	while (rd->ends[0] < ends0 || rd->ends[1] < ends1)
		CHECK_EQ(reader_one(rx, rd, CRASH_PATIENCE_NS), 0);
	CHECK_EQ(reader_one(rx, rd, 0), -EAGAIN);
	CHECK_EQ(rd->ends[0], ends0);
	CHECK_EQ(rd->ends[1], ends1);
}

#endif /* SHMCHAN_TEST_CHANNEL_STAGE_H */
