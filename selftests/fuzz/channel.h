/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_FUZZ_CHANNEL_H
#define SHMCHAN_FUZZ_CHANNEL_H

/* Channels of two senders and two receivers, of each policy. */

#include <shmchan/channel.h>

#include "channel_private.h"
#include "kept.h"

#define CAPACITY	4096

struct fuzz_channel {
	struct fuzz_kept kept;
	int passing;			/* senders may pass who is slow */
	struct shmchan_sender tx[2];
	struct shmchan_receiver rx[2];
};

/* What is allocated when it is needed first is there before we begin. */
static inline void fuzz_channel_warm(struct shmchan_receiver *rx)
{
	struct shmchan_view view;
	uint64_t value;
	int err;

	do {
		err = shmchan_peek(rx, &view, 0);
		if (err == -ENOTSUP)
			err = shmchan_recv(rx, &value, 8, NULL, 0);
		else if (!err)
			err = shmchan_release(rx, &view);
	} while (!err);
	FUZZ_CHECK(err == -EAGAIN);
	if (!rx->bounce)
		rx->bounce = malloc(rx->lanes[0].max_payload);
}

static inline void fuzz_channel_keep(struct fuzz_channel *c,
				     struct shmchan_receiver *rx)
{
	uint32_t i;

	fuzz_keep(&c->kept, rx, sizeof(*rx));
	fuzz_keep_heap(&c->kept, rx->lanes);
	fuzz_keep_heap(&c->kept, rx->glances);
	fuzz_keep_heap(&c->kept, rx->inlets);
	fuzz_keep_heap(&c->kept, rx->hot);
	for (i = 0; i < rx->nr_lanes; i++)
		if (rx->inlets[i].held)
			fuzz_keep_heap(&c->kept, rx->inlets[i].held);
}

static inline void fuzz_channel_new(struct fuzz_channel *c,
				    const struct shmchan_channel_opts *what)
{
	struct shmchan_channel_opts opts = *what;
	const char *name = fuzz_name();
	uint64_t value = 0;
	uint32_t i;

	opts.create = 1;
	opts.capacity = CAPACITY;
	opts.spin_ns = -1;
	c->passing = opts.policy >= SHMCHAN_POLICY_EVICT;
	for (i = 0; i < opts.nr_senders; i++)
		FUZZ_CHECK(!shmchan_sender_open(&c->tx[i], name, &opts));
	for (i = 0; i < opts.nr_receivers; i++)
		FUZZ_CHECK(!shmchan_receiver_open(&c->rx[i], name, &opts));
	for (i = 0; i < opts.nr_senders; i++)
		FUZZ_CHECK(!shmchan_send(&c->tx[i], &value, 8, 0, 0, 0));
	for (i = 0; i < opts.nr_receivers; i++)
		fuzz_channel_warm(&c->rx[i]);
	for (i = 0; i < opts.nr_receivers; i++)
		fuzz_channel_keep(c, &c->rx[i]);
	for (i = 0; i < opts.nr_senders; i++)
		fuzz_keep(&c->kept, &c->tx[i], sizeof(c->tx[i]));
	fuzz_keep_region(&c->kept, c->tx[0].region);
}

#endif /* SHMCHAN_FUZZ_CHANNEL_H */
