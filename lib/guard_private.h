/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_GUARD_PRIVATE_H
#define SHMCHAN_GUARD_PRIVATE_H

/*
 * Ends of lanes that are not there, for handles that are closed or are the other
 * end: inlined code goes through their pointers without asking.
 */

#include <shmchan/lane.h>

#pragma GCC visibility push(hidden)

/* No word is as it should be: reserve and send go the slow way, where one asks. */
void shmchan__shut_writer(struct shmchan_lane_writer *w);
/* An empty lane: there is nothing, in the short way. */
void shmchan__shut_reader(struct shmchan_lane_reader *r);

#pragma GCC visibility pop

#endif /* SHMCHAN_GUARD_PRIVATE_H */
