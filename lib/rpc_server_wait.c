// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Services, the server: spinning, then sleeping, for all clients at once. */

#include <errno.h>

#include "rpc_private.h"
#include "spin.h"

/* Clients up to which their words are given to the wait; beyond, a scan. */
#define FEW	30

/* Has it something, in one look?  word becomes what to wait for if not. */
static int has_something(struct shmchan_rpc__seat *seat,
			 struct shmchan_wait_elem *word)
{
	uint64_t now = shmchan_load_acquire((uint64_t *)seat->word), value;

	word->offset = 0;
	if (seat->generation && now != seat->live_word)
		return 1;
	if (seat->bad)
		return seat->generation && seat->bad == 1;
	if (seat->generation) {
		value = shmchan_load_acquire(shmchan_lane__from(&seat->r,
								seat->r.pos));
		*word = shmchan_elem64(BELL_SERVER, seat->request_ring +
				       (seat->r.pos & seat->r.mask), value);
		return shmchan_hdr_committed(value) || seat->r.run_left;
	}
	if (SHMCHAN_SLOT_WORD_STATE(now) != SHMCHAN_SLOT_LIVE)
		return 0;
	value = shmchan_load_acquire((uint64_t *)&seat->client->generation);
	*word = shmchan_elem64(BELL_SERVER, seat->ready_word, value);
	return value == SHMCHAN_SLOT_WORD_GEN(now);
}

/* For any of them. */
int shmchan__rpc_anything(void *arg)
{
	struct shmchan_rpc_server *s = arg;
	struct shmchan_wait_elem unused;
	uint32_t i;

	if (shmchan_members_seq(s->region) != s->members)
		return 1;
	for (i = 0; i < s->nr_live; i++)
		if (has_something(&s->seats[s->live[i]], &unused))
			return 1;
	return 0;
}

static int sleep_on_few(struct shmchan_rpc_server *s, uint64_t until)
{
	struct shmchan_wait_elem elems[FEW + 1];
	uint32_t i, n = 1;

	elems[0] = shmchan_elem_members(s->region, s->members);
	for (i = 0; i < s->nr_live; i++) {
		if (has_something(&s->seats[s->live[i]], &elems[n]))
			return 0;
		if (elems[n].offset)
			n++;
	}
	return shmchan__bell_wait_others(s->region, elems, n, until);
}

/* Returns whether it was worth it. */
static int spin_first(struct shmchan_rpc_server *s, uint64_t until)
{
	uint64_t ns = shmchan__spin_begin(&s->spin), begin, now, end;

	if (!ns)
		return 0;
	begin = now = shmchan__now();
	end = until > begin && ns < until - begin ? begin + ns : until;
	do {
		if (shmchan__rpc_anything(s)) {
			shmchan__spin_hit(&s->spin, now - begin);
			return 1;
		}
		shmchan_cpu_relax();
		now = shmchan__now();
		shmchan__spin_bury(s->region, begin, now);
	} while (now < end);
	/* Cut short, it says nothing. */
	if (end != until)
		shmchan__spin_missed(&s->spin, now - begin);
	return 0;
}

void shmchan__rpc_publish(struct shmchan_rpc_server *s)
{
	struct shmchan_rpc__seat *seat;
	uint32_t i;

	for (i = 0; i < s->nr_live; i++) {
		seat = &s->seats[s->live[i]];
		if (seat->generation && !seat->bad)
			shmchan_lane_publish(&seat->r);
	}
}

int shmchan__rpc_wait_for_any(struct shmchan_rpc_server *s, uint64_t until)
{
	uint64_t begin;
	int err;

	if (until != SHMCHAN_FOREVER && shmchan__now() >= until)
		return shmchan__fail(ETIMEDOUT, "rpc: the time is up");
	if (spin_first(s, until))
		return 0;
	/* What clients may be waiting for, before we sleep. */
	shmchan__rpc_publish(s);
	s->stats.waits++;
	begin = shmchan__now();
	if (s->nr_live <= FEW)
		err = sleep_on_few(s, until);
	else
		err = shmchan__bell_wait_scan(s->region, BELL_SERVER,
					      s->members,
					      shmchan__rpc_anything, s, until);
	if (!err)
		shmchan__spin_parked(&s->spin, shmchan__now() - begin);
	return err;
}
