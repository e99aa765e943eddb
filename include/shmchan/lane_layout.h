/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_LANE_LAYOUT_H
#define SHMCHAN_LANE_LAYOUT_H

/*
 * What a lane looks like in memory.  <shmchan/lane.h> is the essay; read that
 * first.
 *
 * A lane has three parts, each in a window of its own:
 *
 *  ring     of the writer: capacity bytes, records packed at 8 bytes
 *  control  of the writer: struct shmchan_lane_control
 *  cursors  of the readers: one struct shmchan_lane_cursor each
 *
 * Positions are bytes since the lane began and never wrap (2^64 bytes last
 * for centuries); position p is at offset p mod capacity of the ring.
 *
 * All zero is the valid state of a lane that nobody has used yet, so nobody
 * has to initialise one before others may look.
 *
 * All shared words are 64-bit, in the byte order of the machine.
 */

#include <stddef.h>
#include <stdint.h>

#include <shmchan/atomic.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The model checker makes these small.  STEPS is a power of two, at least 4;
 * what the texts call an eighth is the capacity divided by it.  A line is a
 * power of two, and a capacity at least STEPS of them.  For progress with
 * records of any size, 3/4 of the capacity + MARGIN + LINE must not exceed it.
 */
#ifndef SHMCHAN_LANE_STEPS
#define SHMCHAN_LANE_STEPS	8
#endif
#ifndef SHMCHAN_LANE_LINE
#define SHMCHAN_LANE_LINE	64
#endif
/*
 * How far ahead of the tail the writer keeps the ring zeroed, in bytes, and how
 * much more it zeroes when it comes to that.  Multiples of LINE; AT_ONCE is a
 * power of two and at most an eighth of the capacity.
 */
#ifndef SHMCHAN_LANE_AHEAD
#define SHMCHAN_LANE_AHEAD	(2ULL * SHMCHAN_LANE_LINE)
#endif
#ifndef SHMCHAN_LANE_AT_ONCE
#define SHMCHAN_LANE_AT_ONCE	(8ULL * SHMCHAN_LANE_LINE)
#endif
#ifndef SHMCHAN_LANE_MIN_CAPACITY
#define SHMCHAN_LANE_MIN_CAPACITY	4096ULL
#endif
#define SHMCHAN_LANE_MAX_CAPACITY	(1ULL << 30)
#define SHMCHAN_LANE_MAX_READERS	1024U
/* Beyond, a position is nonsense; before, what is added to one cannot overflow. */
#define SHMCHAN_LANE_MAX_POS		(1ULL << 62)
#define SHMCHAN_LANE_CHECKPOINTS	SHMCHAN_LANE_STEPS

/*
 * Room that records leave free before the limit: the word that ends the
 * stream, and two control records (EPOCH of a next writer, EOS), so that both
 * can be said in a lane that is full.
 */
#define SHMCHAN_LANE_MARGIN	24

/*
 * The header word of a record:
 *
 *	 63          32 31                    3 2  1 0
 *	+--------------+-----------------------+----+-+
 *	|     meta     |      length + 8       |kind|B|
 *	+--------------+-----------------------+----+-+
 *
 * length is that of the payload in bytes, exactly, 0 allowed; a record takes
 * its header and the payload rounded up to 8: ((length + 8) + 7) & ~7.  So a
 * header is never 0, and 0 is the end of what is written.  B (BUSY) says that
 * it is reserved and not committed; to a reader it is the end as well, until
 * the writer is dead.
 *
 * kind: DATA; PAD, bytes to be skipped; CTRL, one word without payload, whose
 * length field is a type and whose meta an argument; RUN, several payloads of
 * one size, a multiple of 8, behind one header and one word {size: low 32,
 * count: high 32}.
 */
#define SHMCHAN_HDR_BUSY	1U
#define SHMCHAN_HDR_DATA	(0U << 1)
#define SHMCHAN_HDR_PAD		(1U << 1)
#define SHMCHAN_HDR_CTRL	(2U << 1)
#define SHMCHAN_HDR_RUN		(3U << 1)
#define SHMCHAN_HDR_KIND	(3U << 1)

enum shmchan_lane_ctrl {
	SHMCHAN_CTRL_EOS = 0,	/* the writer ended the stream */
	SHMCHAN_CTRL_EPOCH = 1,	/* meta: generation of a writer that took over */
	SHMCHAN_CTRL_JUMP = 2,	/* go on at the next checkpoint */
};

static inline uint64_t
shmchan_hdr(uint64_t length, uint32_t kind_busy, uint32_t meta)
{
	return (uint64_t)meta << 32 |
	       (uint32_t)((length + 8) << 3 | kind_busy);
}

/* Payload length; for a PAD, what it skips less 8; for CTRL, the type. */
static inline uint32_t shmchan_hdr_length(uint64_t header)
{
	return ((uint32_t)header >> 3) - 8;
}

static inline uint32_t shmchan_hdr_kind(uint64_t header)
{
	return (uint32_t)header & SHMCHAN_HDR_KIND;
}

/* Bytes in the ring that a payload of length takes with its header. */
static inline uint64_t shmchan_lane_extent(uint64_t length)
{
	return (length + 15) & ~7ULL;
}

static inline uint64_t shmchan_hdr_extent(uint64_t header)
{
	if (shmchan_hdr_kind(header) == SHMCHAN_HDR_CTRL)
		return 8;
	return shmchan_lane_extent(shmchan_hdr_length(header));
}

/* The record behind a header was committed (whatever its kind). */
static inline int shmchan_hdr_committed(uint64_t header)
{
	return (uint32_t)header != 0 && !(header & SHMCHAN_HDR_BUSY);
}

/*
 * A record boundary: pos, and how many payloads were committed before it.
 * pos is the sequence of a seqlock of its own: it never repeats, and is ~0
 * while records changes.
 */
struct shmchan_lane_checkpoint {
	uint64_t pos;
	uint64_t records;
};

/*
 * Of the writer.  floor is what the algorithm's description calls limit, less
 * the capacity: the writer stores only below floor + capacity; so the byte at
 * position p is intact iff p >= floor, read after the byte.  proposed is what
 * floor is about to become.
 */
struct shmchan_lane_control {
	uint64_t floor;
	uint64_t proposed;
	uint64_t reserved[6];
	struct shmchan_lane_checkpoint checkpoints[SHMCHAN_LANE_CHECKPOINTS];
};

/*
 * Of one reader.  It counts for the writer only while generation is that of
 * the live holder of the reader's slot (in HOLD lanes: always).
 */
struct shmchan_lane_cursor {
	uint64_t pos;		/* it needs nothing before this */
	uint64_t generation;	/* 0: nobody */
	uint64_t records;	/* payloads before pos, roughly; for the curious */
	/* Of channels of many, whose receivers tell the curious and their senders: */
	uint64_t lost;		/* payloads that it missed */
	uint64_t settled;	/* generation again, once it stands where it begins */
	uint64_t reserved[3];
};

/* Flags of a lane.  They are part of its geometry: all sides agree. */
#define SHMCHAN_LANE_OVERWRITE	(1U << 0) /* readers never hold the writer */
#define SHMCHAN_LANE_EVICT	(1U << 1) /* the writer may pass who is slow */
#define SHMCHAN_LANE_HOLD	(1U << 2) /* cursors count without a holder */
#define SHMCHAN_LANE_POLL	(1U << 3) /* nobody ever sleeps */
#define SHMCHAN_LANE_FLAGS	15U
/* The writer may pass a reader: it reads by copying and looking again. */
#define SHMCHAN_LANE_PASSABLE	(SHMCHAN_LANE_OVERWRITE | SHMCHAN_LANE_EVICT)

/*
 * Where a lane is and how it works; as it stands in a sealed header.  Offsets
 * count from one base, that of the region.
 */
struct shmchan_lane_geometry {
	uint64_t ring_offset;		/* multiple of 4096 (of LINE at least) */
	uint64_t capacity;		/* a power of two */
	uint64_t control_offset;	/* multiple of 64 */
	uint64_t cursors_offset;	/* multiple of 64 */
	uint32_t cursor_stride;		/* bytes, multiple of 64 */
	uint32_t nr_readers;		/* 0 to 1024 */
	uint32_t writer_slot;
	uint32_t reader_slot;		/* of reader 0; reader i has this + i */
	uint32_t flags;			/* SHMCHAN_LANE_* */
	uint32_t reserved[3];		/* 0 */
};

/*
 * A lane as one process sees it: validated, and then constant.  Several
 * writers' and readers' handles may share one.
 */
struct shmchan_lane {
	uint8_t *ring;
	struct shmchan_lane_control *control;
	uint8_t *cursors;
	const uint64_t *slots;	/* slot words, or NULL: everybody lives */
	uint64_t capacity;
	uint64_t eighth;
	uint32_t cursor_stride;
	uint32_t nr_readers;
	uint32_t writer_slot;
	uint32_t reader_slot;
	uint32_t max_payload;
	uint32_t flags;
	uint32_t nr_slots;
};

#ifndef SHMCHAN_EXPLORER
SHMCHAN__ASSERT(sizeof(struct shmchan_lane_checkpoint) == 16);
SHMCHAN__ASSERT(sizeof(struct shmchan_lane_control) == 64 + 128);
SHMCHAN__ASSERT(sizeof(struct shmchan_lane_cursor) == 64);
SHMCHAN__ASSERT(sizeof(struct shmchan_lane_geometry) == 64);
#endif

/* A reader of an OVERWRITE lane may do without: it tells nobody where it is. */
#define SHMCHAN_NO_CURSOR	0xffffffffU

static inline struct shmchan_lane_cursor *
shmchan_lane_cursor(const struct shmchan_lane *lane, uint32_t reader)
{
	return (struct shmchan_lane_cursor *)
		(lane->cursors + (size_t)reader * lane->cursor_stride);
}

static inline uint64_t *
shmchan_lane_word(const struct shmchan_lane *lane, uint64_t pos)
{
	return (uint64_t *)(lane->ring + (pos & (lane->capacity - 1)));
}

/* Sets the detail of ESTALE, and returns it negative. */
int shmchan_lane__stale(void);

/*
 * Is our own slot word another than when we had the slot?  Where the region was
 * mapped, who has been revoked finds zeros, and in the slot words first: so what
 * was loaded before this was the region's if it says no.  The fence keeps those
 * loads before it; with TSO only from the compiler.
 */
static inline int shmchan_lane__gone(const uint64_t *own_word,
				     uint64_t own_live)
{
#ifdef SHMCHAN_EXPLORER
	/* Nobody is revoked there. */
	(void)own_word;
	(void)own_live;
	return 0;
#else
	shmchan_fence_acquire();
	return __builtin_expect(shmchan_load_relaxed(own_word) != own_live, 0);
#endif
}

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_LANE_LAYOUT_H */
