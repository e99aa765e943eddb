// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Lanes: the geometry, checked once. */

#include <string.h>

#include "lane_private.h"

struct span {
	const char *name;
	uint64_t begin;
	uint64_t length;
};

static int check_spans(const struct span *span, int nr, uint64_t size)
{
	int i, j;

	for (i = 0; i < nr; i++) {
		if (span[i].begin > size || span[i].length > size - span[i].begin)
			return lane_fail(EINVAL,
				"lane: %s (%llu bytes at %llu) lies outside of %llu bytes",
				span[i].name,
				(unsigned long long)span[i].length,
				(unsigned long long)span[i].begin,
				(unsigned long long)size);
		for (j = 0; j < i; j++)
			if (span[i].begin < span[j].begin + span[j].length &&
			    span[j].begin < span[i].begin + span[i].length)
				return lane_fail(EINVAL,
						 "lane: %s and %s overlap",
						 span[i].name, span[j].name);
	}
	return 0;
}

static int check_flags(const struct shmchan_lane_geometry *geo)
{
	uint32_t how = geo->flags & (SHMCHAN_LANE_OVERWRITE |
				     SHMCHAN_LANE_EVICT | SHMCHAN_LANE_HOLD);

	if (geo->flags & ~SHMCHAN_LANE_FLAGS || geo->reserved[0] ||
	    geo->reserved[1] || geo->reserved[2])
		return lane_fail(EINVAL,
				 "lane: flags %#x or reserved fields unknown to this version",
				 geo->flags);
	if (how & (how - 1))
		return lane_fail(EINVAL,
				 "lane: OVERWRITE, EVICT and HOLD exclude each other");
	if (geo->flags & SHMCHAN_LANE_HOLD && !geo->nr_readers)
		return lane_fail(EINVAL, "lane: HOLD needs a reader's cursor");
	return 0;
}

static int check_numbers(const struct shmchan_lane_geometry *geo,
			 const uint64_t *slots, uint32_t nr_slots)
{
	uint64_t capacity = geo->capacity;

	if (capacity < SHMCHAN_LANE_MIN_CAPACITY ||
	    capacity > SHMCHAN_LANE_MAX_CAPACITY || capacity & (capacity - 1))
		return lane_fail(EINVAL,
				 "lane: capacity %llu is not a power of two from %llu to %llu",
				 (unsigned long long)capacity,
				 (unsigned long long)SHMCHAN_LANE_MIN_CAPACITY,
				 (unsigned long long)SHMCHAN_LANE_MAX_CAPACITY);
	if (geo->ring_offset % SHMCHAN_LANE_LINE || geo->control_offset % 64 ||
	    geo->cursors_offset % 64 || geo->cursor_stride % 64 ||
	    !geo->cursor_stride)
		return lane_fail(EINVAL,
				 "lane: an offset or the stride of the cursors is not a multiple of a line");
	if (geo->nr_readers > SHMCHAN_LANE_MAX_READERS)
		return lane_fail(EINVAL, "lane: %u readers, at most %u",
				 geo->nr_readers, SHMCHAN_LANE_MAX_READERS);
	if (slots && (geo->writer_slot >= nr_slots ||
		      geo->nr_readers > nr_slots ||
		      geo->reader_slot > nr_slots - geo->nr_readers))
		return lane_fail(EINVAL,
				 "lane: slots of the writer (%u) and the readers (%u and on, %u) are not all below %u",
				 geo->writer_slot, geo->reader_slot,
				 geo->nr_readers, nr_slots);
	return 0;
}

const uint64_t shmchan__no_slot;

int shmchan_lane__stale(void)
{
	return lane_fail(ESTALE,
			 "lane: we are no longer a member: our slot was taken from us, or we left");
}

int shmchan__lane_own(const struct shmchan_lane *lane, uint32_t slot,
		      uint32_t generation, const uint64_t **word,
		      uint64_t *live)
{
	*word = &shmchan__no_slot;
	*live = shmchan__no_slot;
#ifdef SHMCHAN_EXPLORER
	(void)lane;
	(void)slot;
	(void)generation;
	return 0;
#else
	if (!lane->slots)
		return 0;
	*word = &lane->slots[slot];
	*live = shmchan_load_acquire((uint64_t *)*word);
	return shmchan__word_live(*live, generation) ? 0 :
						       shmchan_lane__stale();
#endif
}

int shmchan_lane_attach(struct shmchan_lane *lane, void *base, uint64_t size,
			const struct shmchan_lane_geometry *geometry,
			const uint64_t *slots, uint32_t nr_slots)
{
	struct shmchan_lane_geometry geo;
	struct span span[3];
	int err;

	if (!lane || !base || !geometry)
		return lane_fail(EINVAL, "lane: no %s (NULL)",
				 !lane ? "handle" :
				 !base ? "memory" : "geometry");
	memcpy(&geo, geometry, sizeof(geo));
	err = check_flags(&geo);
	if (!err)
		err = check_numbers(&geo, slots, nr_slots);
	if (err)
		return err;
	span[0] = (struct span){ "ring", geo.ring_offset, geo.capacity };
	span[1] = (struct span){ "control", geo.control_offset,
				 sizeof(struct shmchan_lane_control) };
	/* What lies behind the last one's cursor is not of this lane. */
	span[2] = (struct span){ "cursors", geo.cursors_offset, 0 };
	if (geo.nr_readers)
		span[2].length = (geo.nr_readers - 1ULL) * geo.cursor_stride +
				 sizeof(struct shmchan_lane_cursor);
	err = check_spans(span, 3, size);
	if (err)
		return err;
	if ((uintptr_t)base % 64)
		return lane_fail(EINVAL, "lane: base is not aligned to 64");

	memset(lane, 0, sizeof(*lane));
	lane->ring = (uint8_t *)base + geo.ring_offset;
	lane->control = (struct shmchan_lane_control *)
		((uint8_t *)base + geo.control_offset);
	lane->cursors = (uint8_t *)base + geo.cursors_offset;
	lane->slots = slots;
	lane->nr_slots = slots ? nr_slots : 0;
	lane->capacity = geo.capacity;
	lane->eighth = geo.capacity / SHMCHAN_LANE_STEPS;
	lane->cursor_stride = geo.cursor_stride;
	lane->nr_readers = geo.nr_readers;
	lane->writer_slot = geo.writer_slot;
	lane->reader_slot = geo.reader_slot;
	lane->max_payload = (uint32_t)(geo.capacity / 4 - 8);
	lane->flags = geo.flags;
	return 0;
}
