// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Channels of many, the receiving end: opening and closing. */

#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "channel_private.h"
#include "entry.h"
#include "spin.h"

static void free_all(struct shmchan_receiver *rx)
{
	if (rx->inlets)
		channel_forget_held(rx);
	free(rx->lanes);
	free(rx->glances);
	free(rx->inlets);
	free(rx->hot);
	free(rx->bounce);
	memset(rx, 0, sizeof(*rx));
}

int channel_receiver_check(const struct shmchan_receiver *rx)
{
	int err;

	if (!rx)
		return shmchan__fail(EINVAL, CHANNEL ": no handle (NULL)");
	if (!rx->region)
		return shmchan__fail(EINVAL,
				     CHANNEL ": this receiver is not open: it was closed, or its opening failed");
	err = shmchan__usable(rx->region);
	return err ? err : shmchan_region_check(rx->region);
}

int channel_receiver_told(struct shmchan_receiver *rx, int err)
{
	uint32_t i;

	for (i = 0; err == -ESTALE && i < rx->nr_lanes; i++) {
		rx->lanes[i].own_live = ~0ULL;
		rx->lanes[i].soft_end = 0;
	}
	return err;
}

static int allocate(struct shmchan_receiver *rx, uint32_t n)
{
	rx->nr_lanes = n;
	rx->lanes = calloc(n, sizeof(*rx->lanes));
	rx->glances = calloc(n, sizeof(*rx->glances));
	rx->inlets = calloc(n, sizeof(*rx->inlets));
	rx->hot = calloc(n, sizeof(*rx->hot));
	if (rx->lanes && rx->glances && rx->inlets && rx->hot)
		return 0;
	return shmchan__fail(ENOMEM,
			     CHANNEL ": no memory for a receiver of %u senders",
			     n);
}

/* Where to begin, if nothing is said. */
static enum shmchan_lane_from from_where(const struct channel_shape *s,
					 const struct shmchan_channel_opts *o)
{
	if (o->from != SHMCHAN_FROM_CURSOR ||
	    s->wire.flags & SHMCHAN_CHANNEL_DURABLE)
		return o->from;
	return SHMCHAN_FROM_NOW;
}

static int join(struct shmchan_receiver *rx, const struct channel_shape *s,
		uint32_t i, enum shmchan_lane_from from)
{
	struct shmchan_region *region = rx->region;
	struct shmchan_lane_reader *r = &rx->lanes[i];
	const uint32_t *waiters = NULL;
	struct shmchan_lane lane;
	int err;

	err = channel_lane(region, s, i, channel_view_of(s, rx->index), &lane);
	if (err)
		return err;
	if (!rx->poll)
		waiters = &shmchan_doorbell_status(region, BELL_SPACE)->waiters;
	err = shmchan_lane_reader_join(r, &lane, rx->blind ?
				       SHMCHAN_NO_CURSOR : rx->index,
				       region->generation, from, waiters,
				       rx->poll ? NULL : channel_wake, rx);
	/* The last receiver left nonsense: what is certain is a checkpoint. */
	if (err == -EBADMSG)
		err = shmchan_lane_reader_rejoin(r, SHMCHAN_FROM_OLDEST);
	/* One mad sender stops its own lane: the others' go on. */
	if (err == -EAGAIN)
		err = 0;
	/* It holds the sender already, but only now is past what was there before. */
	if (!err && r->cursor)
		shmchan_store_release(&r->cursor->settled,
				      (uint64_t)region->generation);
	if (!err && rx->blind)
		err = shmchan_lane_reader_slot(r, region->slot);
	return err;
}

/*
 * That a sender had ended before we came is no news, unless it has left something;
 * then its end is told behind that.
 */
static void first_look(struct shmchan_receiver *rx, uint32_t i)
{
	struct shmchan_lane_reader *r = &rx->lanes[i];
	struct shmchan__inlet *in = &rx->inlets[i];

	in->member = shmchan_load_acquire((uint64_t *)r->writer_word);
	channel_park(rx, r);
	in->told = !channel_ready(rx, i) &&
		   SHMCHAN_SLOT_WORD_GEN(in->member) &&
		   SHMCHAN_SLOT_WORD_STATE(in->member) != SHMCHAN_SLOT_LIVE;
	in->ended = in->told ? SHMCHAN_SLOT_WORD_GEN(in->member) : 0;
	in->epochs = r->epochs;
	in->first = r->records;
}

static int attach(struct shmchan_receiver *rx,
		  const struct shmchan_channel_opts *opts)
{
	struct shmchan_region *region = rx->region;
	struct channel_shape shape;
	uint32_t i;
	int err;

	err = channel_check(region, opts, 1, &shape);
	if (!err)
		err = allocate(rx, shape.wire.nr_senders);
	if (err)
		return err;
	rx->index = region->slot - rx->nr_lanes;
	rx->burst = opts->burst;
	rx->poll = !!(shape.wire.flags & SHMCHAN_CHANNEL_POLL);
	rx->blind = !!(shape.wire.flags & SHMCHAN_CHANNEL_BLIND);
	rx->data_doorbell = BELL_DATA;
	rx->space_doorbell = BELL_SPACE;
	shmchan__spin_init(&rx->spin, rx->poll && !opts->spin_ns ?
			   SHMCHAN_SPIN_DEFAULT_NS : opts->spin_ns,
			   shmchan__alone());
	rx->members = shmchan_members_seq(region);
	/* Many senders may sleep for room in what the last receiver held. */
	rx->wake_later = 1;
	for (i = 0; i < rx->nr_lanes && !err; i++)
		err = join(rx, &shape, i, from_where(&shape, opts));
	rx->wake_later = 0;
	if (rx->wake_due)
		channel_wake(rx);
	if (err)
		return err;
	rx->passable = rx->lanes[0].passable;
	for (i = 0; i < rx->nr_lanes; i++)
		first_look(rx, i);
	return 0;
}

static int enter(struct shmchan_receiver *rx, const char *name,
		 const int *capability, const struct shmchan_channel_opts *opts)
{
	struct shmchan_channel_opts o;
	int err;

	if (!rx)
		return shmchan__fail(EINVAL, CHANNEL ": no handle (NULL)");
	memset(rx, 0, sizeof(*rx));
	err = channel_check_opts(&o, opts);
	if (!err)
		err = channel_open(&rx->region, name, capability, &o, 1);
	if (err)
		return err;
	err = attach(rx, &o);
	if (err && shmchan_region_check(rx->region))
		err = -ESTALE;
	if (err) {
		shmchan__entry_undo(rx->region, capability);
		free_all(rx);
	}
	return err;
}

int shmchan_receiver_open(struct shmchan_receiver *rx, const char *name,
			  const struct shmchan_channel_opts *opts)
{
	return enter(rx, name, NULL, opts);
}

int shmchan_receiver_adopt(struct shmchan_receiver *rx, int capability,
			   const struct shmchan_channel_opts *opts)
{
	return enter(rx, NULL, &capability, opts);
}

void shmchan_receiver_close(struct shmchan_receiver *rx)
{
	uint32_t i;

	if (!rx || !rx->region)
		return;
	if (!shmchan__usable(rx->region) && !shmchan_region_check(rx->region)) {
		rx->wake_later = 1;
		for (i = 0; i < rx->nr_lanes; i++)
			shmchan_lane_leave(&rx->lanes[i]);
		rx->wake_later = 0;
		if (rx->wake_due)
			channel_wake(rx);
	}
	shmchan_region_close(rx->region);
	free_all(rx);
}

void shmchan_receiver_get_stats(const struct shmchan_receiver *rx,
				struct shmchan_channel_stats *stats)
{
	uint32_t i;

	if (!stats)
		return;
	memset(stats, 0, sizeof(*stats));
	if (!rx || !rx->region)
		return;
	for (i = 0; i < rx->nr_lanes; i++)
		stats->records += rx->lanes[i].records - rx->inlets[i].first;
	stats->records -= rx->lost;
	stats->lost = rx->lost;
	stats->rings = rx->rings;
	stats->waits = rx->waits;
}

int shmchan_receiver_wait_peers(struct shmchan_receiver *rx, uint32_t nr,
				int64_t timeout_ns)
{
	int err = channel_receiver_check(rx);

	if (err)
		return err;
	return channel_receiver_told(rx, channel_wait_peers(rx->region, 0,
							    rx->nr_lanes, nr,
							    timeout_ns));
}

int shmchan_receiver_origin(struct shmchan_receiver *rx,
			    struct shmchan_origin *origin)
{
	int err;

	if (!origin)
		return shmchan__fail(EINVAL,
				     CHANNEL ": nowhere to put who it was: NULL");
	memset(origin, 0, sizeof(*origin));
	err = channel_receiver_check(rx);
	if (err)
		return err;
	if (!rx->last)
		return shmchan__fail(EINVAL,
				     CHANNEL ": nothing was received yet");
	return shmchan__origin(rx->region, rx->last, origin);
}
