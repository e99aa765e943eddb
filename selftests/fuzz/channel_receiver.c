// SPDX-License-Identifier: GPL-2.0-only

/*
 * A receiver of a channel with a hostile sender, and an honest one.  Whatever is in
 * the one lane, of the other all is received, in order; where senders may pass us,
 * what was lost is told of exactly.
 */

#include <sys/uio.h>

#include "channel.h"

#define HONEST		0
#define HOSTILE		1

static struct fuzz_channel channels[5];
static struct fuzz_channel *c;
static struct shmchan_receiver *rx;
static uint64_t sent, received;		/* of the honest */

static void prepare(void)
{
	const struct shmchan_channel_opts opts[5] = {
		{ .policy = SHMCHAN_POLICY_BLOCK },
		{ .policy = SHMCHAN_POLICY_EVICT },
		{ .policy = SHMCHAN_POLICY_OVERWRITE },
		{ .policy = SHMCHAN_POLICY_OVERWRITE, .blind = 1 },
		{ .policy = SHMCHAN_POLICY_BLOCK, .durable = 1 },
	};
	struct shmchan_channel_opts o;
	int i;

	for (i = 0; i < 5; i++) {
		o = SHMCHAN_CHANNEL_OPTS(.nr_senders = 2,
					 .nr_receivers = 1);
		o.policy = opts[i].policy;
		o.blind = opts[i].blind;
		o.durable = opts[i].durable;
		fuzz_channel_new(&channels[i], &o);
	}
}

/* What is said of the honest sender is true. */
static void judge(int err, const struct shmchan_msg *msg, const uint64_t *value)
{
	FUZZ_ERRORS(err, EAGAIN, EPIPE, EOWNERDEAD, EMSGSIZE, EOVERFLOW,
		    EBADMSG, ENOTSUP, ENOBUFS);
	if (err == -EAGAIN || err == -ENOTSUP)
		return;
	FUZZ_CHECK(msg->slot <= HOSTILE);
	if (msg->slot != HONEST)
		return;
	if (err == -EOVERFLOW) {
		FUZZ_CHECK(c->passing && msg->lost <= sent - received);
		received += msg->lost;
		return;
	}
	/* The newest is too long: what was before it is lost. */
	if (err == -EMSGSIZE && msg->lost) {
		FUZZ_CHECK(c->passing && msg->lost < sent - received);
		received += msg->lost;
	}
	if (err < 0) {
		FUZZ_CHECK(err == -EMSGSIZE || err == -ENOBUFS);
		return;
	}
	if (msg->lost) {
		FUZZ_CHECK(c->passing);
		received += msg->lost;
	}
	FUZZ_CHECK(msg->length >= 8 && received < sent);
	FUZZ_CHECK(*value == received);
	received++;
}

static void receive(uint8_t op, uint8_t arg)
{
	size_t room = (arg & 31) * 8, i;
	struct shmchan_msg msg = { .slot = ~0U };
	struct shmchan_origin origin;
	struct shmchan_view view;
	struct iovec iov[2];
	uint64_t *buf;
	int err;

	/* As large as is said: one byte more is a report. */
	buf = malloc(room + 8);
	switch (op % 6) {
	case 0:
		err = shmchan_recv(rx, buf, room, &msg, 0);
		judge(err, &msg, buf);
		FUZZ_CHECK(err || msg.length <= room);
		break;
	case 1:
		iov[0].iov_base = buf;
		iov[0].iov_len = room < 8 ? room : 8;
		iov[1].iov_base = buf + 1;
		iov[1].iov_len = room < 8 ? 0 : room - 8;
		err = shmchan_recvv(rx, iov, 2, &msg, 0);
		judge(err, &msg, buf);
		break;
	case 2:
		err = shmchan_recv_n(rx, buf, 8, room / 8, &msg, 0);
		FUZZ_CHECK(err <= (int)(room / 8));
		if (err <= 0 && room)
			judge(err, &msg, buf);
		for (i = 0; err > 0 && i < (size_t)err; i++) {
			msg.length = 8;
			judge(0, &msg, &buf[i]);
			msg.lost = 0;
		}
		break;
	case 3:
		err = shmchan_recv_newest(rx, buf, room, &msg, 0);
		judge(err, &msg, buf);
		break;
	case 4:
		view.msg.slot = HOSTILE;
		err = shmchan_peek(rx, &view, 0);
		if (err) {
			judge(err, &view.msg, NULL);
			break;
		}
		fuzz_look(view.data, view.msg.length);
		judge(err, &view.msg, view.data);
		err = shmchan_release(rx, &view);
		FUZZ_CHECK(!err);
		break;
	default:
		err = shmchan_receiver_origin(rx, &origin);
		FUZZ_CHECK(!err || err == -EINVAL);
		break;
	}
	free(buf);
}

static void hostile_one(uint8_t arg)
{
	struct shmchan_sender *tx = &c->tx[HOSTILE];
	const uint32_t *waiters = tx->w.waiters;
	const struct shmchan_lane lane = tx->w.lane;
	uint8_t bytes[1024] = { 0 };
	uint32_t generation;

	switch (arg & 3) {
	case 0:
		fuzz_slot(&c->kept, HOSTILE, arg & 4 ? SHMCHAN_SLOT_DIED :
						     SHMCHAN_SLOT_LEFT);
		break;
	case 1:
		generation = fuzz_slot(&c->kept, HOSTILE, SHMCHAN_SLOT_LIVE);
		if (arg & 4)
			(void)shmchan_lane_writer_attach(&tx->w, &lane,
							 generation, waiters);
		break;
	default:
		/* It is as a sender is, mostly. */
		(void)shmchan_send(tx, bytes, (arg & 0xf8) * 4, arg, 0, 0);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	struct shmchan_lane *lane;
	uint64_t value[8] = { 0 };
	struct shmchan_msg msg;
	uint8_t op;
	int i, err;

	if (!channels[0].kept.all)
		prepare();
	c = &channels[fuzz_u8(&in) % 5];
	fuzz_put_back(&c->kept);
	rx = &c->rx[0];
	sent = received = 0;
	lane = &c->tx[HOSTILE].w.lane;
	fuzz_begin();
	fuzz_hostile(lane->ring, CAPACITY);
	fuzz_hostile(lane->control, sizeof(*lane->control));
	while (fuzz_more(&in)) {
		op = fuzz_u8(&in);
		if (fuzz_peer(&in, op))
			continue;
		fuzz_call();
		if (op >= 0xc0) {
			value[0] = sent;
			err = shmchan_send(&c->tx[HONEST], value,
					   8 * (1 + (op & 7)), op, 0, 0);
			FUZZ_CHECK(!err || (err == -EAGAIN && !c->passing));
			sent += !err;
		} else if (op >= 0x80) {
			hostile_one(fuzz_u8(&in));
		} else {
			receive(op, fuzz_u8(&in));
		}
	}
	/* However it is: what the honest one has sent comes. */
	fuzz.countdown = 0;
	for (i = 0; received < sent; i++) {
		uint8_t all[CAPACITY];

		FUZZ_CHECK(i < 3000);
		fuzz_call();
		msg.slot = HOSTILE;
		err = shmchan_recv(rx, all, sizeof(all), &msg, 0);
		memcpy(value, all, 8);
		judge(err, &msg, value);
		FUZZ_CHECK(err != -EAGAIN);
	}
	return 0;
}
