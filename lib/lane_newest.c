// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/*
 * Lanes, the reading end: the newest payload, past all others.
 *
 * There is no pointer to the newest record: the writer publishes by a header, and
 * that is all.  But checkpoints say where records begin, one in each eighth; from
 * the newest of them it is a walk over headers, in which the last payload before
 * the end is remembered.  Then that is read, as in recv: copied, and looked after.
 *
 * A checkpoint is there before the record that begins at it, which may be a
 * reservation for long, or never come.  So if there is none behind the newest, the
 * walk begins at one that has fewer before it.
 */

#include <string.h>

#include "lane_private.h"

/* Passed so often in a row: the writer is mad, or the lane far too small. */
#define TRIES	32

/* A payload that a walk came by. */
struct found {
	uint64_t pos;		/* of its record */
	uint64_t records;	/* payloads before it */
	uint32_t before;	/* of these, in the same run */
	int any;
};

/*
 * Where to begin: not before where we are, and with fewer payloads before it than
 * below.  Returns whether that skips any; then *was is where we were.
 */
static int newest_start(struct shmchan_lane_reader *r, uint64_t below,
			struct shmchan_lane_reader *was)
{
	struct shmchan_lane_checkpoint entry, last = { 0, 0 };
	uint64_t floor = shmchan_load_acquire(&r->lane.control->floor);
	uint32_t i;

	for (i = 0; i < SHMCHAN_LANE_CHECKPOINTS; i++) {
		entry = lane_checkpoint_get(&r->lane, i);
		if (entry.pos == ~0ULL || entry.pos < floor ||
		    entry.pos - floor > r->lane.capacity ||
		    entry.records >= below)
			continue;
		if (entry.pos > last.pos)
			last = entry;
	}
	if (last.pos <= r->pos)
		return 0;
	*was = *r;
	r->published = last.pos;
	shmchan_lane__move(r, last.pos);
	r->records = last.records;
	r->run_left = 0;
	r->soft_end = 0;
	/* Over what was skipped a section may have begun. */
	r->whose.epoch = 0;
	r->whose_since = ~0ULL;
	return r->records > was->records;
}

/* What is left of an open run, all but its last payload, is older. */
static void skip_run(struct shmchan_lane_reader *r, struct found *found)
{
	uint64_t n = r->run_left;

	found->pos = r->pos;
	found->records = r->records + n - 1;
	found->before = (uint32_t)(n - 1);
	found->any = 1;
	r->records += n;
	r->run_left = 0;
	shmchan_lane__move(r, r->run_end);
}

/*
 * To the end, or so far that the writer must be running ahead of us: then what was
 * found is new enough.  The error at the end.
 */
static int walk(struct shmchan_lane_reader *r, struct found *found)
{
	const uint64_t begin = r->pos;
	uint64_t header;
	int err;

	found->any = 0;
	while (r->pos - begin <= r->lane.capacity / 2) {
		err = r->run_left ? 0 : shmchan_lane__next(r, &header);
		if (err)
			return err;
		if (r->run_left) {
			skip_run(r, found);
			continue;
		}
		found->pos = r->pos;
		found->records = r->records;
		found->before = 0;
		found->any = 1;
		r->records++;
		shmchan_lane__move(r, r->pos + shmchan_hdr_extent(header));
	}
	return -EAGAIN;
}

/* Go back and read it, then on to where the walk ended.  EOVERFLOW: it is gone. */
static int read_found(struct shmchan_lane_reader *r, const struct found *found,
		      void *buf, size_t capacity, size_t *length,
		      uint32_t *meta)
{
	uint64_t end = r->pos, records = r->records, header;
	int err;

	shmchan_lane__move(r, found->pos);
	r->records = found->records;
	r->soft_end = 0;
	if (found->before) {
		r->records -= found->before;
		err = shmchan_lane__next(r, &header);
		if (err)
			return err;
		/* Another record by now: we have been passed. */
		if (r->run_left <= found->before)
			return -EOVERFLOW;
		r->records += found->before;
		r->run_next += (uint64_t)found->before * r->run_size;
		r->run_left -= found->before;
	}
	err = shmchan_lane__recv(r, buf, capacity, length, meta);
	if (err)
		return err;
	/* It had gone on by itself, to what is newer than it, if it was passed. */
	if (r->records != found->records + 1)
		return 0;
	shmchan_lane__move(r, end);
	r->records = records;
	r->run_left = 0;
	return 0;
}

int shmchan_lane_recv_newest(struct shmchan_lane_reader *r, void *buf,
			     size_t capacity, size_t *length, uint32_t *meta,
			     uint64_t *skipped)
{
	uint64_t before = r->records, below = ~0ULL, start;
	struct shmchan_lane_reader was;
	struct found found = { 0, 0, 0, 0 };
	int tries, skips, end, err;

	*skipped = 0;
	if (!(r->lane.flags & SHMCHAN_LANE_OVERWRITE))
		return lane_fail(ENOTSUP,
				 "lane: the newest alone is for lanes that overwrite");
	for (tries = 0; tries < TRIES; tries++) {
		skips = newest_start(r, below, &was);
		start = r->records;
		end = walk(r, &found);
		/* Passed in the walk, with what was found; so often at most. */
		if (end == -EOVERFLOW) {
			below = ~0ULL;
			continue;
		}
		if (!found.any) {
			if (!skips || end == -ESTALE)
				return end;
			/* There is none behind it (yet): what is before it? */
			*r = was;
			below = start;
			continue;
		}
		err = read_found(r, &found, buf, capacity, length, meta);
		if (err == -EOVERFLOW) {
			below = ~0ULL;
			continue;
		}
		/* It is still there; what was before it will not be told again. */
		if (err == -EMSGSIZE)
			*skipped = r->records - before;
		if (err)
			return err;
		*skipped = r->records - 1 - before;
		/* What is said only once is said at the next call. */
		if (end == -EOWNERDEAD || end == -EBADMSG) {
			r->deferred = end;
			r->soft_end = 0;
		}
		return 0;
	}
	return -EAGAIN;
}
