/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_LIB_SPIN_H
#define SHMCHAN_LIB_SPIN_H

/*
 * Spin, then park: how long.  For each handle by itself; a wait is
 *
 *	ns = shmchan__spin_begin(s);
 *	if (ns) {
 *		look again for ns at most;
 *		if (it has come)
 *			shmchan__spin_hit(s, how long it took);
 *		else
 *			shmchan__spin_missed(s, ns);
 *	}
 *	if (it has not come) {
 *		sleep;
 *		shmchan__spin_parked(s, how long that took);
 *	}
 *
 * The clock is the caller's, so that tests have their own.
 *
 * Spinning for as long as a sleep costs is never worse than twice the best that
 * could be done (who waits longer pays both), and mostly better.  It is
 * the best if waits are short and a waste if they are long, so it is done while
 * what it has cost lately, hits and misses together, is less than a sleep each.
 * If not, waits sleep at once; and now and then one tries again, ever more
 * seldom while that fails.  A wait that was long by itself would have failed, so
 * only short ones bring the next try nearer: where messages come once in a
 * millisecond nothing is ever tried.
 *
 * A peer that shares our CPU cannot do anything while we spin: spins fail, and
 * waits, though short, sleep at once.  Therefore nothing is concluded from how
 * short a sleep was but that a try would be worth something.
 */

#include <shmchan/spin.h>

#pragma GCC visibility push(hidden)

/* How to begin: fixed_ns as in shmchan_spsc_opts.spin_ns, alone: one CPU. */
void shmchan__spin_init(struct shmchan_spin *s, int64_t fixed_ns, int alone);

/* For how long this wait may spin; 0: not at all. */
uint64_t shmchan__spin_begin(struct shmchan_spin *s);

void shmchan__spin_hit(struct shmchan_spin *s, uint64_t ns);
void shmchan__spin_missed(struct shmchan_spin *s, uint64_t ns);
void shmchan__spin_parked(struct shmchan_spin *s, uint64_t ns);

/* Would begin allow it?  Changes nothing. */
static inline int shmchan__spins(const struct shmchan_spin *s)
{
	if (s->fixed_ns)
		return s->fixed_ns > 0;
	return s->spin_ns < s->park_ns || !s->skip;
}

/* It came before the clock was looked at. */
static inline void shmchan__spin_at_once(struct shmchan_spin *s)
{
	s->spin_ns -= s->spin_ns >> 3;
	s->spun++;
}

/* Is there only one CPU to run on, for all? */
int shmchan__alone(void);

#pragma GCC visibility pop

#endif /* SHMCHAN_LIB_SPIN_H */
