// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Signals: a count that is posted and taken.  See <shmchan/signal.h>.
 *
 * As many are woken as were posted.  If one of them is killed before it takes its
 * share, that wakes all.
 */

#include <shmchan/signal.h>

#include "sync_private.h"

/* 0: taken.  EAGAIN: there is none. */
static int signal_take(struct shmchan_signal *s)
{
	uint64_t *word = &s->o.line->word, n = shmchan_load_relaxed(word);

	while (n)
		if (shmchan_cas(word, &n, n - 1))
			return shmchan_region_check(s->o.region);
	return -EAGAIN;
}

static int signal_take_slow(struct shmchan_signal *s, int64_t timeout_ns)
{
	uint64_t deadline = 0, members;
	int ret, err = 0;

	for (;;) {
		members = shmchan_members_seq(s->o.region);
		ret = signal_take(s);
		if (ret != -EAGAIN)
			return ret;
		if (err)
			return sync_fail_briefly(ETIMEDOUT,
				"signal: the count was 0 all the time");
		if (!timeout_ns) {
			err = shmchan_region_check(s->o.region);
			return err ? err : sync_fail_briefly(EAGAIN,
				"signal: the count is 0");
		}
		if (!deadline)
			deadline = shmchan_deadline(timeout_ns);
		err = shmchan__sync_wait(&s->o,
			&(struct shmchan__seen){ &s->o.line->word, 0 }, 1,
			members, deadline);
		if (err && err != -ETIMEDOUT)
			return err;
	}
}

int shmchan_signal_timedwait(struct shmchan_signal *s, int64_t timeout_ns)
{
	int err;

	if (s && s->o.line && !shmchan__sync_here(&s->o) && !signal_take(s))
		return 0;
	err = shmchan__sync_enter(s ? &s->o : NULL);
	return err ? err : signal_take_slow(s, timeout_ns);
}

int shmchan_signal_post(struct shmchan_signal *s, uint32_t n)
{
	int err;

	if (!s || !s->o.line)
		return shmchan__sync_enter(s ? &s->o : NULL);
	err = shmchan__sync_here(&s->o);
	if (err)
		return err;
	if (!n)
		return shmchan_region_check(s->o.region);
	/* And before the waiters are looked at: <shmchan/bell.h>. */
	shmchan_fetch_add(&s->o.line->word, n);
	return shmchan_sync__notify(&s->o, n);
}

uint64_t shmchan_signal__count(const struct shmchan_signal *s)
{
	/* It writes nothing there. */
	if (shmchan__sync_enter(s ? (struct shmchan_sync_object *)&s->o : NULL))
		return 0;
	return shmchan_load_acquire(&s->o.line->word);
}

#ifndef SHMCHAN_EXPLORER
int shmchan_signal_attach(struct shmchan_signal *s,
			  const struct shmchan_place *place)
{
	return shmchan__sync_attach(s ? &s->o : NULL, place,
				    SHMCHAN_SYNC_SIGNAL, 0,
				    SHMCHAN_SIGNAL_SIZE);
}
#endif
