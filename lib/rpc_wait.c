// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Services, the client: spinning, then sleeping. */

#include <errno.h>

#include "rpc_client.h"
#include "spin.h"

/* Looks at the words without a clock first, about a microsecond. */
#define EAGER_LOOKS	64
/* Between two looks at the clock. */
#define LOOKS		16
#define MAX_WORDS	4

struct word {
	const uint64_t *at;
	uint64_t value;
	uint32_t doorbell;
};

static int differs(const struct word *words, uint32_t nr)
{
	uint32_t i;

	for (i = 0; i < nr; i++)
		if (shmchan_load_relaxed(words[i].at) != words[i].value)
			return 1;
	return 0;
}

/* Returns whether it was worth it. */
static int spin_first(struct shmchan_rpc_client *c, const struct word *words,
		      uint32_t nr, uint64_t until)
{
	uint64_t ns = shmchan__spin_begin(&c->spin), begin, now, end;
	int i;

	if (!ns)
		return 0;
	for (i = 0; i < EAGER_LOOKS; i++) {
		if (differs(words, nr)) {
			shmchan__spin_at_once(&c->spin);
			return 1;
		}
		shmchan_cpu_relax();
	}
	begin = now = shmchan__now();
	end = until > begin && ns < until - begin ? begin + ns : until;
	while (now < end) {
		for (i = 0; i < LOOKS; i++) {
			if (differs(words, nr)) {
				shmchan__spin_hit(&c->spin, now - begin);
				return 1;
			}
			shmchan_cpu_relax();
		}
		now = shmchan__now();
		shmchan__spin_bury(c->region, begin, now);
	}
	/* Cut short, it says nothing. */
	if (end != until)
		shmchan__spin_missed(&c->spin, now - begin);
	return 0;
}

static int sleep_on(struct shmchan_rpc_client *c, const struct word *words,
		    uint32_t nr, uint64_t until)
{
	struct shmchan_wait_elem elems[MAX_WORDS];
	uint64_t begin;
	uint32_t i;
	int err;

	for (i = 0; i < nr; i++)
		elems[i] = shmchan_elem64(words[i].doorbell,
					  rpc_offset(c->region, words[i].at),
					  words[i].value);
	/* What the server may be waiting for, before we sleep. */
	shmchan_lane_publish(&c->r);
	c->stats.waits++;
	begin = shmchan__now();
	err = shmchan__bell_wait_others(c->region, elems, nr, until);
	if (!err)
		shmchan__spin_parked(&c->spin, shmchan__now() - begin);
	return err;
}

int shmchan__rpc_wait(struct shmchan_rpc_client *c, uint64_t peer, int room,
		      uint64_t pos, uint64_t until)
{
	const uint64_t *header = shmchan_lane__from(&c->r, c->r.pos);
	struct word words[MAX_WORDS] = {
		{ header, shmchan_load_acquire((uint64_t *)header), c->bell },
		{ c->server_word, peer, SHMCHAN_DOORBELL_MEMBERS },
		{ &c->server->dropped, c->dropped, c->bell },
		{ NULL, pos, c->bell },
	};
	int err = shmchan_region_check(c->region), repair;

	if (err)
		return err;
	/* Whatever the server does to what we look at, time is up when it is. */
	if (until != SHMCHAN_FOREVER && shmchan__now() >= until)
		return shmchan__fail(ETIMEDOUT, "rpc: the time is up");
	repair = c->bad || lane_header_jumps(words[0].value);
	/* Came meanwhile; or it is one more than a look skips. */
	if (c->r.run_left ||
	    (!repair && shmchan_hdr_committed(words[0].value)))
		return 0;
	if (repair) {
		/* Another one will say that it has put the lane in order. */
		words[0].at = &c->server->generation;
		if (shmchan__rpc_mended(c, &words[0].value))
			return 0;
	}
	words[3].at = &shmchan_lane_cursor(&c->w.lane, 0)->pos;
	if (spin_first(c, words, room ? 4 : 3, until))
		return 0;
	return sleep_on(c, words, room ? 4 : 3, until);
}

int shmchan__rpc_try_over(struct shmchan_rpc_client *c, int room)
{
	int err = shmchan_region_check(c->region);

	if (err)
		return err;
	/* Who never sleeps has to look for the dead, for the next time. */
	(void)shmchan_region_poll_members(c->region);
	if (room)
		return shmchan__fail_lazily(EAGAIN,
			"rpc: no room for a request, or no server: %llu calls are under way",
			(unsigned long long)c->nr_pending);
	return shmchan__fail_lazily(EAGAIN,
		"rpc: no reply has come: %llu calls are under way",
		(unsigned long long)c->nr_pending);
}
