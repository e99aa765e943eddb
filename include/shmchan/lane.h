/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_LANE_H
#define SHMCHAN_LANE_H

/*
 * Lanes: one writer, any number of readers, records of any size, in order.
 *
 * A lane is the one data structure that everything which carries messages is
 * made of.  It needs no region: it attaches to raw memory and a geometry.  It
 * makes no system call and knows no bell: where somebody may have to be woken,
 * writers' calls return 1 and readers call a hook.  Channels
 * (<shmchan/spsc.h> is the simplest) add the region, the bells and blocking.
 *
 *	struct shmchan_lane lane;
 *	struct shmchan_lane_writer w;
 *	struct shmchan_lane_reader r;
 *
 *	err = shmchan_lane_attach(&lane, base, size, &geometry, slots, n);
 *	err = shmchan_lane_writer_attach(&w, &lane, generation, &waiters);
 *	if (shmchan_lane_send(&w, "hello", 5, 0, 0) == 1)
 *		ring();
 *
 *	err = shmchan_lane_reader_join(&r, &lane, 0, generation,
 *				       SHMCHAN_FROM_OLDEST, NULL, NULL, NULL);
 *	err = shmchan_lane_recv(&r, buf, sizeof(buf), &length, &meta);
 *
 * How it works.  Records lie in a ring, each behind a header word.  To commit
 * is to store that word; to look is to load it: one cache line carries word
 * and payload, so a message costs what the line costs.  The writer zeroes
 * ahead of itself, so a reader that arrives at a header which is not there yet
 * finds 0.
 *
 * One word tells how far the writer may go: it stores only below its *limit*,
 * and raises that by an eighth of the ring or more at a time.  Waiting for
 * slow readers, failing, overwriting and evicting differ only in how the
 * limit is raised.  Where readers may be passed, they copy first and look at
 * the limit then: bytes at position p are intact if p + capacity >= limit.
 *
 * A *checkpoint* in each eighth says {position of a record, how many payloads
 * came before}: who comes late, who was passed, and who takes over from a dead
 * writer start at one; so a reader that was passed knows how many it lost.
 *
 * Death.  Nobody cleans up for the dead.  Readers judge: what a dead writer
 * reserved and did not commit is skipped, what it committed is delivered, then
 * comes the end.  The next holder of the writer's slot repairs.  What must be
 * in memory in program order when a kill comes is kept in order by
 * shmchan_crash_fence().
 *
 * docs/lane.md has the invariants, each barrier with its partner, and what is
 * not promised.
 */

#include <shmchan/lane_layout.h>
#include <shmchan/lane_reader.h>
#include <shmchan/lane_writer.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Check a geometry completely and see the lane at it.  base is what its
 * offsets count from, size how many bytes there are; slots are the slot words
 * of the region's status page, nr_slots of them, or NULL for a lane whose
 * members all live.  The geometry is copied before it is looked at.  Returns
 * 0, or EINVAL and says what is wrong with it.
 */
int shmchan_lane_attach(struct shmchan_lane *lane, void *base, uint64_t size,
			const struct shmchan_lane_geometry *geometry,
			const uint64_t *slots, uint32_t nr_slots);

/* Bytes that the cursors of nr_readers take, one behind the other. */
#define SHMCHAN_LANE_CURSORS_SIZE(nr_readers) \
	((nr_readers) * sizeof(struct shmchan_lane_cursor))

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_LANE_H */
