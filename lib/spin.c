// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Spin, then park: see spin.h. */

#include <string.h>
#include <unistd.h>

#include "spin.h"

/* Before anything was measured. */
#define PARK_NS		10000
/* No sleep that somebody ended was shorter: then there was none. */
#define PARK_MIN_NS	2000

/* Short waits between two tries, at first and at last. */
#define BACKOFF_MIN	16
#define BACKOFF_MAX	256

/*
 * With one CPU our peer cannot run while we spin.  That we are bound to one of
 * several says nothing of the kind: those who want the least latency bind each
 * side to a CPU of its own.
 */
int shmchan__alone(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) == 1;
}

void shmchan__spin_init(struct shmchan_spin *s, int64_t fixed_ns, int alone)
{
	memset(s, 0, sizeof(*s));
	s->fixed_ns = fixed_ns ? fixed_ns : alone ? -1 : 0;
	s->park_ns = PARK_NS;
	s->backoff = BACKOFF_MIN;
}

uint64_t shmchan__spin_begin(struct shmchan_spin *s)
{
	if (s->fixed_ns > 0)
		return (uint64_t)s->fixed_ns;
	if (shmchan__spins(s))
		return s->park_ns;
	s->parked++;
	return 0;
}

/* An average over the last eight or so. */
static void learn(struct shmchan_spin *s, uint64_t cost)
{
	const uint64_t most = 4ULL * SHMCHAN_SPIN_MAX_NS;

	if (cost > most)
		cost = most;
	s->spin_ns = s->spin_ns - (s->spin_ns >> 3) + (uint32_t)(cost >> 3);
}

void shmchan__spin_hit(struct shmchan_spin *s, uint64_t ns)
{
	s->spun++;
	learn(s, ns);
	/* A try that succeeds is followed by others. */
	s->skip = 0;
	s->backoff = BACKOFF_MIN;
}

void shmchan__spin_missed(struct shmchan_spin *s, uint64_t ns)
{
	s->missed++;
	learn(s, ns + s->park_ns);
	if (s->spin_ns < s->park_ns)
		return;
	s->skip = s->backoff;
	if (s->backoff < BACKOFF_MAX)
		s->backoff *= 2;
}

void shmchan__spin_parked(struct shmchan_spin *s, uint64_t ns)
{
	/* It was ended before it began. */
	if (ns < PARK_MIN_NS)
		return;
	if (s->skip && ns <= 3 * (uint64_t)s->park_ns)
		s->skip--;
	/*
	 * How much of it was waiting is unknown.  So what it costs is what the
	 * shortest ninth of them took: not the very shortest, which may not have
	 * slept at all.
	 */
	if (ns < s->park_ns)
		s->park_ns -= s->park_ns / 8;
	else
		s->park_ns += s->park_ns / 64 + 1;
	if (s->park_ns > SHMCHAN_SPIN_MAX_NS)
		s->park_ns = SHMCHAN_SPIN_MAX_NS;
}
