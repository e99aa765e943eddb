/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_SYNC_CELLS_PRIVATE_H
#define SHMCHAN_SYNC_CELLS_PRIVATE_H

/* Cells of slots: finding them, and what is in them. */

#include <shmchan/sync_cells.h>

#include "sync_private.h"

#pragma GCC visibility push(hidden)

/*
 * How long an object with a cell for each slot is, from its first line on: for
 * shmchan__sync_attach().
 */
static inline uint64_t shmchan__sync_cells_size(const struct shmchan_place *place,
						uint64_t cells_offset)
{
	if (cells_offset || !place || !place->region)
		return sizeof(struct shmchan_sync_line);
	return sizeof(struct shmchan_sync_line) +
	       SHMCHAN_SYNC_CELLS_SIZE(place->region->nr_slots);
}

/*
 * Before anything is written at the place: can cells be there?  What is wrong with
 * the place itself, shmchan__sync_attach() says.  EINVAL, EACCES.
 */
int shmchan__sync_cells_check(const struct shmchan_place *place,
			      uint64_t cells_offset, uint32_t stride);

/*
 * Find the cells of an object that was attached to.  cells_offset 0: behind its
 * first line.  Errors: EINVAL, EACCES (beyond our reach, or ours is in no window
 * that we may write), EPROTO (others keep them elsewhere), ESTALE.
 */
int shmchan__sync_cells_attach(const struct shmchan_sync_object *o,
			       struct shmchan_sync_cells *cells,
			       uint64_t cells_offset, uint32_t stride);

#pragma GCC visibility pop

/* Is this what the living holder of that slot says? */
static inline int
shmchan__sync_cell_lives(const struct shmchan_sync_object *o, uint32_t slot,
			 uint64_t cell)
{
	return shmchan__sync_lives(o, shmchan_cell((uint32_t)(cell >> 32),
						   slot, 0, 0));
}

#endif /* SHMCHAN_SYNC_CELLS_PRIVATE_H */
