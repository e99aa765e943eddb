// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Channels of many, the receiving end: until there is something. */

#include "backend.h"
#include "channel_private.h"
#include "spin.h"

/* Between two looks at the clock. */
#define LOOKS		16
/* Looks without a clock first. */
#define EAGER_LOOKS	64

/* Rounds for nothing, one after the other, after which it pauses. */
#define EMPTY_ROUNDS	16

/* One WAIT takes SHMCHAN_MAX_ELEMS words; of these one is for members. */
#define WORDS		(SHMCHAN_MAX_ELEMS - 8)

/* Of one round, beside one for each lane. */
#define MORE_TURNS	4

/* One round: read from whoever has something. */
static inline __attribute__((always_inline)) int
look_around(struct shmchan_receiver *rx, channel_look_fn fn,
	    const struct channel_look *look, int err)
{
	uint32_t n;

	/*
	 * Those who only look as if they had something must not keep us.  But a
	 * lane can have several ends in a row that are no news, each of which takes
	 * a turn, before what its next sender has sent.
	 */
	for (n = 0; n <= rx->nr_lanes + MORE_TURNS; n++) {
		if (rx->cur && err != -EAGAIN) {
			err = channel_judge(rx, err, look->msg);
			if (err != -EAGAIN)
				return err;
		}
		if (!channel_turn(rx))
			return -EAGAIN;
		err = fn(rx, look);
		if (err >= 0)
			return err;
	}
	if (rx->cur && err != -EAGAIN)
		err = channel_judge(rx, err, look->msg);
	return err;
}

/* Before we sleep, if that may be worth it. */
static inline __attribute__((always_inline)) int
spin(struct shmchan_receiver *rx, channel_look_fn fn,
     const struct channel_look *look, uint64_t deadline)
{
	uint64_t ns = shmchan__spin_begin(&rx->spin), begin, now, until;
	int i, ret;

	if (!ns)
		return -EAGAIN;
	begin = now = shmchan__now();
	until = deadline > begin && ns < deadline - begin ? begin + ns :
							   deadline;
	do {
		for (i = 0; i < LOOKS; i++) {
			ret = look_around(rx, fn, look, -EAGAIN);
			if (ret != -EAGAIN) {
				shmchan__spin_hit(&rx->spin, now - begin);
				return ret;
			}
			shmchan_cpu_relax();
		}
		now = shmchan__now();
		shmchan__spin_bury(rx->region, begin, now);
	} while (now < until);
	/* Cut short, it says nothing. */
	if (until != deadline)
		shmchan__spin_missed(&rx->spin, now - begin);
	return -EAGAIN;
}

static int scan(void *arg)
{
	return channel_something((struct shmchan_receiver *)arg);
}

static int wait_words(struct shmchan_receiver *rx, uint64_t deadline)
{
	struct shmchan_wait_elem elems[SHMCHAN_MAX_ELEMS];
	const uint8_t *base = rx->region->base;
	uint64_t *floor, its_floor;
	uint32_t i, n = 0;

	for (i = 0; i < rx->nr_lanes; i++)
		elems[n++] = shmchan_elem64(BELL_DATA, (uint64_t)
			((const uint8_t *)rx->glances[i].word - base),
			rx->glances[i].seen);
	/* Where we are passed, that word may look as it did. */
	for (i = 0; i < rx->nr_lanes && rx->passable; i++) {
		floor = &rx->lanes[i].lane.control->floor;
		its_floor = shmchan_load_acquire(floor);
		if (its_floor > rx->inlets[i].pos)
			return 0;
		elems[n++] = shmchan_elem64(BELL_DATA, (uint64_t)
			((const uint8_t *)floor - base), its_floor);
	}
	elems[n++] = shmchan_elem_members(rx->region, rx->members);
	return shmchan__bell_wait_others(rx->region, elems, n, deadline);
}

static int sleep_until(struct shmchan_receiver *rx, uint64_t deadline)
{
	uint64_t begin;
	int err;

	if (channel_something(rx))
		return 0;
	channel_publish(rx);
	if (rx->poll) {
		shmchan__yield_to(rx->region);
		return 0;
	}
	rx->waits++;
	begin = shmchan__now();
	if (rx->nr_lanes * (rx->passable ? 2 : 1) <= WORDS)
		err = wait_words(rx, deadline);
	else
		err = shmchan__bell_wait_scan(rx->region, BELL_DATA,
					      rx->members, scan, rx, deadline);
	if (!err)
		shmchan__spin_parked(&rx->spin, shmchan__now() - begin);
	return channel_receiver_told(rx, err);
}

static inline __attribute__((always_inline)) int
until(struct shmchan_receiver *rx, channel_look_fn fn,
      const struct channel_look *look, int64_t timeout_ns, int ret)
{
	uint64_t deadline;
	int looks, round;

	ret = look_around(rx, fn, look, ret);
	if (ret != -EAGAIN)
		return ret;
	if (!timeout_ns) {
		ret = shmchan_region_check(rx->region);
		return ret ? ret : shmchan__fail_briefly(EAGAIN,
			CHANNEL ": there is nothing to receive");
	}
	if (rx->poll || shmchan__spins(&rx->spin)) {
		for (looks = EAGER_LOOKS; looks; looks--) {
			ret = look_around(rx, fn, look, -EAGAIN);
			if (ret == -EAGAIN)
				continue;
			shmchan__spin_at_once(&rx->spin);
			return ret;
		}
	}
	deadline = shmchan_deadline(timeout_ns);
	for (round = 0;; round++) {
		ret = shmchan_region_check(rx->region);
		if (ret)
			return ret;
		/* What was found was nothing: a repair is under way, perhaps. */
		if (round > EMPTY_ROUNDS)
			shmchan__await_repair(rx->region);
		else if (round)
			(void)shmchan_region_poll_members(rx->region);
		if (deadline != SHMCHAN_FOREVER && shmchan__now() >= deadline)
			return shmchan__fail(ETIMEDOUT,
					     CHANNEL ": nothing came in all the time that there was");
		ret = spin(rx, fn, look, deadline);
		if (ret != -EAGAIN)
			return ret;
		ret = sleep_until(rx, deadline);
		if (ret && ret != -ETIMEDOUT)
			return ret;
		ret = look_around(rx, fn, look, -EAGAIN);
		if (ret != -EAGAIN)
			return ret;
	}
}

int channel_until(struct shmchan_receiver *rx, channel_look_fn fn,
		  const struct channel_look *look, int64_t timeout_ns, int err)
{
	int ret = channel_receiver_check(rx);

	if (ret)
		return ret;
	return channel_receiver_told(rx, until(rx, fn, look, timeout_ns, err));
}

int channel_wait_peers(struct shmchan_region *region, uint32_t first,
		       uint32_t seats, uint32_t nr, int64_t timeout_ns)
{
	uint64_t deadline = timeout_ns ? shmchan_deadline(timeout_ns) : 0, seq;
	struct shmchan_wait_elem elem;
	uint32_t i, live;
	int err;

	if (nr > seats)
		return shmchan__fail(EINVAL,
				     CHANNEL ": waiting for %u, where there are seats for %u",
				     nr, seats);
	for (;;) {
		seq = shmchan_members_seq(region);
		live = 0;
		for (i = 0; i < seats; i++)
			live += SHMCHAN_SLOT_WORD_STATE(
				shmchan_slot_word(region, first + i)) ==
				SHMCHAN_SLOT_LIVE;
		err = shmchan_region_check(region);
		if (err || live >= nr)
			return err;
		if (!timeout_ns)
			return shmchan__fail(EAGAIN,
					     CHANNEL ": %u of %u are there",
					     live, nr);
		elem = shmchan_elem_members(region, seq);
		err = shmchan_bell_wait(region, &elem, 1, deadline, NULL);
		if (err)
			return err;
	}
}
