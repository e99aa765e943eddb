// SPDX-License-Identifier: GPL-2.0-only

/*
 * A sender of a channel with a hostile receiver, and an honest one.  Whatever is in
 * the one's cursors, the other gets all that was sent, in order; where the sender may
 * pass who is slow, what was lost is told of exactly.
 */

#include <sys/uio.h>

#include "channel.h"

#define HONEST		0
#define HOSTILE		1
#define KINDS		6

static struct fuzz_channel channels[KINDS];
static struct fuzz_channel *c;
static struct shmchan_sender *tx;
static uint64_t sent, received;
static struct shmchan_reservation open_ones[4];
static unsigned int nr_open;

static void prepare(void)
{
	const struct shmchan_channel_opts kinds[KINDS] = {
		{ .policy = SHMCHAN_POLICY_BLOCK },
		{ .policy = SHMCHAN_POLICY_FAIL },
		{ .policy = SHMCHAN_POLICY_EVICT },
		{ .policy = SHMCHAN_POLICY_OVERWRITE },
		{ .policy = SHMCHAN_POLICY_BLOCK, .nr_reliable = 1 },
		{ .policy = SHMCHAN_POLICY_BLOCK, .durable = 1 },
	};
	struct shmchan_channel_opts o;
	int i;

	for (i = 0; i < KINDS; i++) {
		o = SHMCHAN_CHANNEL_OPTS(.nr_senders = 1, .nr_receivers = 2);
		o.policy = kinds[i].policy;
		o.nr_reliable = kinds[i].nr_reliable;
		o.durable = kinds[i].durable;
		fuzz_channel_new(&channels[i], &o);
	}
}

/* The honest one receives one message. */
static int receive(void)
{
	struct shmchan_msg msg = { 0 };
	uint64_t buf[128];
	int err;

	err = shmchan_recv(&c->rx[HONEST], buf, sizeof(buf), &msg, 0);
	FUZZ_ERRORS(err, EAGAIN, EOVERFLOW);
	if (err == -EOVERFLOW) {
		FUZZ_CHECK(c->passing && msg.lost <= sent - received);
		received += msg.lost;
	} else if (!err) {
		FUZZ_CHECK(msg.length >= 8 && received < sent);
		FUZZ_CHECK(buf[0] == received);
		received++;
	}
	return err;
}

static void send_one(uint8_t op, uint8_t arg)
{
	uint64_t buf[32 * 4] = { 0 };
	struct shmchan_reservation *rsv;
	struct iovec iov[2];
	size_t i, n;
	int err;

	switch (op % 6) {
	case 0:
		buf[0] = sent;
		err = shmchan_send(tx, buf, 8 + arg * 3U, 0, op & 0x40 ?
				   SHMCHAN_MORE : 0, 0);
		sent += !err;
		break;
	case 1:
		/* It is not to overtake what is reserved. */
		n = nr_open ? 0 : 1 + arg % 32;
		for (i = 0; i < n; i++)
			buf[i] = sent + i;
		err = shmchan_send_n(tx, buf, 8, n, 0, 0);
		FUZZ_CHECK(err <= (int)n);
		if (err > 0)
			sent += (uint64_t)err;
		break;
	case 2:
		iov[0].iov_base = buf;
		iov[0].iov_len = 8;
		iov[1].iov_base = buf;
		iov[1].iov_len = arg * 2;
		buf[0] = sent;
		err = shmchan_sendv(tx, iov, 2, 0, 0, 0);
		sent += !err;
		break;
	case 3:
		if (nr_open == 4)
			return;
		rsv = &open_ones[nr_open];
		err = shmchan_reserve(tx, 8 + arg * 3U, rsv, 0);
		if (!err)
			nr_open++;
		break;
	case 4:
		/* Only what is committed is numbered, so all but one go. */
		if (!nr_open)
			return;
		rsv = &open_ones[--nr_open];
		err = shmchan_abort(tx, rsv);
		break;
	default:
		err = shmchan_flush(tx);
		break;
	}
	FUZZ_ERRORS(err, EAGAIN, EMSGSIZE, ENOBUFS, EBADMSG, EPIPE, EOWNERDEAD);
	/* Only who may not be passed can say so. */
	if (err == -EBADMSG)
		FUZZ_CHECK(tx->w.lane.flags & SHMCHAN_LANE_HOLD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	uint8_t op, arg;
	int i;

	if (!channels[0].kept.all)
		prepare();
	c = &channels[fuzz_u8(&in) % KINDS];
	fuzz_put_back(&c->kept);
	tx = &c->tx[0];
	sent = received = nr_open = 0;
	fuzz_begin();
	fuzz_hostile(c->rx[HOSTILE].lanes[0].cursor,
		     sizeof(struct shmchan_lane_cursor));
	while (fuzz_more(&in)) {
		op = fuzz_u8(&in);
		if (fuzz_peer(&in, op))
			continue;
		fuzz_call();
		arg = fuzz_u8(&in);
		if (op >= 0xc0)
			(void)receive();
		else if (op >= 0x80)
			fuzz_slot(&c->kept, 1 + HOSTILE, arg & 1 ?
				  SHMCHAN_SLOT_LIVE : arg & 2 ?
				  SHMCHAN_SLOT_DIED : SHMCHAN_SLOT_LEFT);
		else
			send_one(op, arg);
	}
	fuzz.countdown = 0;
	while (nr_open)
		FUZZ_CHECK(!shmchan_abort(tx, &open_ones[--nr_open]));
	for (i = 0; received < sent; i++) {
		FUZZ_CHECK(i < 3000);
		fuzz_call();
		FUZZ_CHECK(receive() != -EAGAIN);
	}
	return 0;
}
