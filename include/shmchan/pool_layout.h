/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_POOL_LAYOUT_H
#define SHMCHAN_POOL_LAYOUT_H

/*
 * What a pool looks like in memory.  <shmchan/pool.h> is the essay; read that
 * first.
 *
 *  data     the owner's window: the buffers, class behind class
 *  words    the owner's: one per buffer
 *  holders  each holder's own: struct shmchan_pool_block and its cells
 *
 * All zero is the valid state of a pool that nobody has used yet.  All shared
 * words are 64-bit, in the byte order of the machine.
 */

#include <shmchan/wire.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SHMCHAN_POOL_MAX_CLASSES	8
#define SHMCHAN_POOL_MAX_SIZE		(1ULL << 30)	/* of a buffer, bytes */
#define SHMCHAN_POOL_MAX_BUFFERS	(1U << 20)
/* A sleeping owner names a word of each: see SHMCHAN_MAX_ELEMS. */
#define SHMCHAN_POOL_MAX_HOLDERS	96U
#define SHMCHAN_POOL_MAX_CELLS		256U
#define SHMCHAN_POOL_ALIGN		64U		/* of buffers */

/*
 * What is sent: a part of a buffer, as it is in that lap.  A lap is one use of a
 * buffer, from alloc until it is reused; it wraps after 2^32, so a reference that
 * somebody has kept for as long may name something else.
 */
struct shmchan_pool_ref {
	uint32_t index;		/* of the buffer */
	uint32_t lap;
	uint32_t offset;	/* of the part, in the buffer */
	uint32_t length;
};

/* The word of a buffer: {lap:32, state:32}. */
enum shmchan_pool_state {
	SHMCHAN_POOL_FREE = 0,
	SHMCHAN_POOL_LOANED = 1,	/* may be taken */
	SHMCHAN_POOL_ASKED = 2,		/* the owner looks if anybody has it */
};

static inline uint64_t shmchan_pool_word(uint32_t lap, uint32_t state)
{
	return (uint64_t)lap << 32 | state;
}

/*
 * A cell: {generation:32, index + 1:32}, of the buffer that the holder of that
 * generation has, or 0.  Those of other generations than the seat's do not count.
 */
static inline uint64_t shmchan_pool_cell(uint32_t generation, uint32_t index)
{
	return (uint64_t)generation << 32 | (index + 1);
}

/* What begins a holder's window; its cells follow. */
struct shmchan_pool_block {
	uint64_t used;		/* no cell from this one on has been used */
	uint64_t drops;		/* goes up when a cell is cleared */
	uint64_t reserved[6];
};

static inline uint64_t *shmchan_pool_cells(struct shmchan_pool_block *block)
{
	return (uint64_t *)(block + 1);
}

/*
 * A region of kind SHMCHAN_WIRE_POOL.  In one that is WRITABLE, data and words are in
 * shared windows, the words are cells (lib/pool_cells.h), one more behind them counts
 * the buffers given back, and the holders' windows are not used.
 */
#define SHMCHAN_POOL_WRITABLE	(1U << 0)

struct shmchan_wire_pool_class {
	uint64_t offset;	/* of its first buffer, from the region's start */
	uint64_t size;		/* of a buffer, as it was asked for */
	uint64_t stride;	/* from one to the next */
	uint32_t nr;
	uint32_t reserved;	/* 0 */
};

struct shmchan_wire_pool {
	struct shmchan_wire wire;
	uint32_t bell;		/* the owner waits on it */
	uint32_t flags;		/* SHMCHAN_POOL_WRITABLE */
	uint32_t nr_holders;	/* slots 1 and up */
	uint32_t nr_cells;	/* of each */
	uint32_t nr_classes;
	uint32_t nr_buffers;	/* of all classes */
	uint64_t words_offset;
	uint64_t holders_offset;	/* of slot 1's */
	uint64_t holder_stride;
	struct shmchan_wire_pool_class classes[SHMCHAN_POOL_MAX_CLASSES];
};

#ifndef SHMCHAN_EXPLORER
SHMCHAN__ASSERT(sizeof(struct shmchan_pool_ref) == 16);
SHMCHAN__ASSERT(sizeof(struct shmchan_pool_block) == 64);
SHMCHAN__ASSERT(sizeof(struct shmchan_wire_pool_class) == 32);
SHMCHAN__ASSERT(sizeof(struct shmchan_wire_pool) == 72 + 8 * 32);
#endif

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_POOL_LAYOUT_H */
