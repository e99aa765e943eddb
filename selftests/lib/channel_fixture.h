/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_CHANNEL_FIXTURE_H
#define SHMCHAN_CHANNEL_FIXTURE_H

/* What the tests of channels of many share. */

#include <shmchan/channel.h>
#include <shmchan/fanin.h>
#include <shmchan/latest.h>
#include <shmchan/pubsub.h>

#include "harness.h"

#define MS	1000000LL
/* A death is told well within this; the local backend looks every 50 ms. */
#define TOLD_NS	(5000 * MS)

/* The seat of somebody who has just died may take a moment. */
static inline void open_tx(struct shmchan_sender *tx, const char *tag,
			   const struct shmchan_channel_opts *opts)
{
	uint64_t begin = now_ns();
	int err;

	do {
		err = shmchan_sender_open(tx, test_name(tag), opts);
		if (err == -EBUSY)
			sleep_ms(5);
	} while (err == -EBUSY && now_ns() - begin < TOLD_NS);
	CHECK_EQ(err, 0);
}

static inline void open_rx(struct shmchan_receiver *rx, const char *tag,
			   const struct shmchan_channel_opts *opts)
{
	uint64_t begin = now_ns();
	int err;

	do {
		err = shmchan_receiver_open(rx, test_name(tag), opts);
		if (err == -EBUSY)
			sleep_ms(5);
	} while (err == -EBUSY && now_ns() - begin < TOLD_NS);
	CHECK_EQ(err, 0);
}

static inline int send_u64(struct shmchan_sender *tx, uint64_t value,
			   int64_t timeout_ns)
{
	return shmchan_send(tx, &value, sizeof(value), 0, 0, timeout_ns);
}

static inline int recv_u64(struct shmchan_receiver *rx, uint64_t *value,
			   struct shmchan_msg *msg, int64_t timeout_ns)
{
	return shmchan_recv(rx, value, sizeof(*value), msg, timeout_ns);
}

/* So many that it is certain that something is found if it is there. */
static inline int try_u64(struct shmchan_receiver *rx, uint64_t *value,
			  struct shmchan_msg *msg)
{
	uint32_t i;
	int ret = -EAGAIN;

	for (i = 0; i <= rx->nr_lanes / SHMCHAN_CHANNEL_CHUNK + 1; i++) {
		ret = recv_u64(rx, value, msg, 0);
		if (ret != -EAGAIN)
			break;
	}
	return ret;
}

#endif /* SHMCHAN_CHANNEL_FIXTURE_H */
