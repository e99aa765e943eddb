// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/*
 * Channels of many: what one looks like, to whoever may read it.
 *
 * Senders and receivers do nothing for this but to keep two numbers that nobody
 * else needs, on their slow paths: the most that was kept in a lane, and how much
 * was lost.  How much was sent is found as the next holder of a sender's seat finds
 * it: by a walk from the newest checkpoint.
 */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend.h"
#include "channel_private.h"
#include "lane_private.h"

/* The seat for looks of a moment is held for microseconds. */
#define OPEN_TRIES	200
#define LANE_TRIES	8

void shmchan_channel_info_free(struct shmchan_channel_info *info)
{
	if (!info)
		return;
	free(info->lanes);
	free(info->receivers);
	free(info->cursors);
	free(info);
}

/* Where a lane ends, by a walk that its writer may overtake. */
static void walk(const struct shmchan_lane *lane,
		 struct shmchan_lane_checkpoint *at)
{
	uint64_t begin = at->pos, header;
	uint32_t size, count;

	while (at->pos - begin < lane->capacity) {
		header = shmchan_load_acquire(shmchan_lane_word(lane, at->pos));
		if (!shmchan_hdr_committed(header) ||
		    !lane_header_sane(lane, header, at->pos))
			return;
		if (shmchan_hdr_kind(header) == SHMCHAN_HDR_DATA)
			at->records++;
		else if (shmchan_hdr_kind(header) == SHMCHAN_HDR_RUN &&
			 lane_run_sane(header, shmchan_load_relaxed(
				shmchan_lane_word(lane, at->pos + 8)), &size,
				&count))
			at->records += count;
		at->pos += shmchan_hdr_extent(header);
	}
}

static void see_lane(const struct shmchan_lane *lane,
		     struct shmchan_lane_stat *stat)
{
	struct shmchan_lane_checkpoint entry, at = { 0, 0 };
	uint64_t start = 0, floor;
	uint32_t i;
	int tries;

	for (tries = 0; tries < LANE_TRIES; tries++) {
		at.pos = at.records = 0;
		for (i = 0; i < SHMCHAN_LANE_CHECKPOINTS; i++) {
			entry = lane_checkpoint_get(lane, i);
			if (entry.pos != ~0ULL && entry.pos >= at.pos)
				at = entry;
		}
		start = at.pos;
		walk(lane, &at);
		shmchan_fence_acquire();
		floor = shmchan_load_relaxed(&lane->control->floor);
		/* What we walked over was still there. */
		if (floor <= start)
			break;
	}
	stat->records = at.records;
	stat->bytes = at.pos;
	stat->high_water =
		shmchan_load_relaxed(&lane->control->reserved[0]);
}

static void see_slot(const struct shmchan_region *region, uint32_t slot,
		     uint32_t *state, uint32_t *generation)
{
	uint64_t word = shmchan_slot_word(region, slot);

	*state = SHMCHAN_SLOT_WORD_STATE(word);
	*generation = SHMCHAN_SLOT_WORD_GEN(word);
}

static uint64_t behind(uint64_t end, uint64_t pos)
{
	return pos < end ? end - pos : 0;
}

/* Does the cursor say something of who has the seat? */
static int counts(const struct shmchan_channel_info *info,
		  const struct shmchan_receiver_stat *r, uint64_t generation)
{
	if (info->wire.flags & SHMCHAN_CHANNEL_DURABLE)
		return generation != 0;
	return r->state == SHMCHAN_SLOT_LIVE && generation == r->generation;
}

static void see_cursor(const struct shmchan_lane *lane,
		       const struct shmchan_channel_info *info, uint32_t j,
		       uint32_t i)
{
	struct shmchan_lane_cursor *cursor = shmchan_lane_cursor(lane, j);
	struct shmchan_receiver_stat *r = &info->receivers[j];
	struct shmchan_cursor_stat *c;
	uint64_t pos = shmchan_load_acquire(&cursor->pos);
	uint64_t generation = shmchan_load_relaxed(&cursor->generation);

	c = &info->cursors[(size_t)j * info->wire.nr_senders + i];
	c->lost = shmchan_load_relaxed(&cursor->lost);
	r->lost += c->lost;
	if (!counts(info, r, generation))
		return;
	c->records = shmchan_load_relaxed(&cursor->records);
	c->depth = behind(info->lanes[i].records, c->records);
	c->depth_bytes = behind(info->lanes[i].bytes, pos);
	c->evicted = pos < shmchan_load_relaxed(&lane->control->floor);
	r->records += c->records;
	r->depth += c->depth;
	r->evicted += c->evicted;
}

static int allocate(struct shmchan_channel_info *info)
{
	uint32_t n = info->wire.nr_senders, m = info->wire.nr_receivers;

	info->lanes = calloc(n, sizeof(*info->lanes));
	info->receivers = calloc(m, sizeof(*info->receivers));
	if (!(info->wire.flags & SHMCHAN_CHANNEL_BLIND))
		info->cursors = calloc((size_t)m * n, sizeof(*info->cursors));
	if (info->lanes && info->receivers &&
	    (info->cursors || info->wire.flags & SHMCHAN_CHANNEL_BLIND))
		return 0;
	return shmchan__fail(ENOMEM,
			     CHANNEL ": no memory to describe %u senders and %u receivers",
			     n, m);
}

static int see_lanes(const struct shmchan_region *region,
		     const struct channel_shape *shape,
		     struct shmchan_channel_info *info)
{
	struct shmchan_lane lane;
	uint32_t i, j;
	int err;

	for (i = 0; i < shape->wire.nr_senders; i++) {
		err = channel_lane(region, shape, i, VIEW_CASUAL, &lane);
		if (err)
			return err;
		info->lanes[i].slot = i;
		see_slot(region, i, &info->lanes[i].state,
			 &info->lanes[i].generation);
		see_lane(&lane, &info->lanes[i]);
		for (j = 0; info->cursors && j < shape->wire.nr_receivers; j++)
			see_cursor(&lane, info, j, i);
	}
	return 0;
}

static int see(const struct shmchan_region *region,
	       struct shmchan_channel_info **to)
{
	struct shmchan_channel_info *info;
	struct channel_shape shape;
	uint32_t j;
	int err;

	err = channel_read_header(region, &shape);
	if (err)
		return err;
	info = calloc(1, sizeof(*info));
	if (!info)
		return shmchan__fail(ENOMEM,
				     CHANNEL ": no memory to describe it");
	info->wire = shape.wire;
	err = allocate(info);
	for (j = 0; !err && j < shape.wire.nr_receivers; j++) {
		struct shmchan_receiver_stat *r = &info->receivers[j];

		r->slot = shape.wire.nr_senders + j;
		r->reliable = j < shape.wire.nr_reliable;
		see_slot(region, r->slot, &r->state, &r->generation);
	}
	if (!err)
		err = see_lanes(region, &shape, info);
	if (!err)
		err = shmchan_region_check(region);
	if (err)
		shmchan_channel_info_free(info);
	else
		*to = info;
	return err;
}

int shmchan_sender_stat(const struct shmchan_sender *tx,
			struct shmchan_channel_info **info)
{
	int err;

	if (!info)
		return shmchan__fail(EINVAL, "nowhere to put the answer: NULL");
	*info = NULL;
	if (!tx || !tx->region)
		return shmchan__not_open("sender");
	err = shmchan__usable(tx->region);
	return err ? err : see(tx->region, info);
}

int shmchan_receiver_stat(const struct shmchan_receiver *rx,
			  struct shmchan_channel_info **info)
{
	int err;

	if (!info)
		return shmchan__fail(EINVAL, "nowhere to put the answer: NULL");
	*info = NULL;
	if (!rx || !rx->region)
		return shmchan__not_open("receiver");
	err = shmchan__usable(rx->region);
	return err ? err : see(rx->region, info);
}

int shmchan_channel_stat(struct shmchan_channel_info **info,
			 enum shmchan_backend backend, const char *name)
{
	const struct timespec pause = { 0, 1000000 };
	struct shmchan_open_opts opts = SHMCHAN_OPEN_OPTS(
		.backend = backend, .any_owner = 1,
		.rights = SHMCHAN_RIGHT_MAP_READ);
	struct shmchan_region *region;
	int err, tries;

	if (!info)
		return shmchan__fail(EINVAL, "nowhere to put the answer: NULL");
	*info = NULL;
	if (!name)
		return shmchan__fail(EINVAL, "no name (NULL) to look at");
	err = channel_first_observer(name, backend, &opts.slot);
	if (err)
		return err;
	for (tries = 0; tries < OPEN_TRIES; tries++) {
		err = shmchan_region_open(&region, name, &opts);
		if (err != -EBUSY)
			break;
		nanosleep(&pause, NULL);
	}
	if (err)
		return err;
	err = see(region, info);
	shmchan_region_close(region);
	return err;
}
