// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/*
 * Channels of many, the receiving end: whose turn it is.
 *
 * A lane is *hot* if there was something in it lately.  Hot lanes have their turns
 * in a circle; at each change of turn a few of the idle lanes are looked at, from
 * where that ended the last time, and those that have something join the circle at
 * its end.  So with H hot lanes of N a message waits for at most
 * N / BESIDE + H turns of burst messages each.
 *
 * To look at a lane is to compare one word with what it was: glances[].word is
 * the header at our place in the lane, and seen what was there when the lane was found
 * empty.  What happens to senders is looked for when members_seq has changed.
 */

#include <string.h>

#include "channel_private.h"
#include "lane_private.h"

/* Idle lanes that are looked at beside hot ones. */
#define BESIDE		16
/* So often in a row there was nothing: it is idle. */
#define COLD		64

/* Reading at r is over for now: what is to change until we come again? */
void channel_park(struct shmchan_receiver *rx, struct shmchan_lane_reader *r)
{
	struct shmchan__inlet *in = &rx->inlets[channel_index(rx, r)];
	struct shmchan__glance *g = &rx->glances[channel_index(rx, r)];
	uint64_t header;

	g->word = shmchan_lane__from(r, r->pos);
	in->pos = r->pos;
	header = shmchan_load_acquire(g->word);
	g->seen = 0;
	if (r->run_left || r->deferred)
		g->seen = ~0ULL;	/* no header: there is something */
	else if (in->bad)
		g->seen = in->bad;	/* until somebody mends it */
	else if (!shmchan_hdr_committed(header))
		g->seen = header;
	else if (lane_header_jumps(header) && lane_end_is_told(r,
			shmchan_load_acquire((uint64_t *)r->writer_word)))
		/* It leads nowhere: who left it died, and its successor goes on. */
		in->bad = g->seen = header;
}

void channel_wake(void *arg)
{
	struct shmchan_receiver *rx = (struct shmchan_receiver *)arg;

	if (rx->wake_later) {
		rx->wake_due = 1;
		return;
	}
	rx->wake_due = 0;
	rx->rings++;
	/* ESTALE shows at the next call; nothing else can fail. */
	(void)channel_receiver_told(rx, shmchan_bell_ring(rx->region,
							  BELL_SPACE, 0));
}

/* What senders may be waiting for, before we sleep. */
void channel_publish(struct shmchan_receiver *rx)
{
	uint32_t i;

	rx->wake_later = 1;
	for (i = 0; i < rx->nr_hot; i++)
		shmchan_lane_publish(&rx->lanes[rx->hot[i]]);
	rx->wake_later = 0;
	if (rx->wake_due)
		channel_wake(rx);
}

static void heat(struct shmchan_receiver *rx, uint32_t i)
{
	rx->inlets[i].idle = 0;
	if (rx->inlets[i].hot)
		return;
	rx->inlets[i].hot = 1;
	rx->hot[rx->nr_hot++] = (uint16_t)i;
}

/*
 * The one at this place of the circle.  The others stay in order: if the last one took
 * its place, who goes round would come by that twice, and by another not at all.
 */
static void cool(struct shmchan_receiver *rx, uint32_t place)
{
	uint32_t i = rx->hot[place];

	/* Its sender gets what room there is: we may not look here for long. */
	shmchan_lane_publish(&rx->lanes[i]);
	rx->inlets[i].hot = 0;
	rx->nr_hot--;
	memmove(&rx->hot[place], &rx->hot[place + 1],
		(rx->nr_hot - place) * sizeof(rx->hot[0]));
}

/* Has this holder of a seat come to an end? */
static int over(uint64_t word)
{
	switch (SHMCHAN_SLOT_WORD_STATE(word)) {
	case SHMCHAN_SLOT_FREE:
	case SHMCHAN_SLOT_CLAIMING:
	case SHMCHAN_SLOT_LIVE:
		return 0;
	default:
		return 1;
	}
}

/* Has anything happened to senders since we looked?  That one comes is no news. */
void channel_members(struct shmchan_receiver *rx)
{
	uint64_t seq = shmchan_members_seq(rx->region), word;
	uint32_t i;

	if (seq == rx->members)
		return;
	rx->members = seq;
	for (i = 0; i < rx->nr_lanes; i++) {
		word = shmchan_load_acquire((uint64_t *)
					    rx->lanes[i].writer_word);
		if (word == rx->inlets[i].member)
			continue;
		rx->inlets[i].member = word;
		/* Who comes may mend what was broken. */
		if (!over(word) && !rx->inlets[i].bad)
			continue;
		rx->inlets[i].look = 1;
		heat(rx, i);
	}
}

/* The first of n lanes from i on that has something, or n. */
static uint32_t find(const struct shmchan_receiver *rx, uint32_t i, uint32_t n)
{
	const struct shmchan__glance *g = &rx->glances[i];
	uint32_t k;

	if (rx->passable) {
		for (k = 0; k < n; k++)
			if (channel_ready(rx, i + k))
				break;
		return k;
	}
	for (k = 0; k < n; k++)
		if (channel_changed(&g[k]))
			break;
	return k;
}

/* Idle lanes from where we were, nr of them at most; hot ones do not hurt. */
static void look_at_idle(struct shmchan_receiver *rx, uint32_t nr)
{
	uint32_t n, k;

	if (nr > rx->nr_lanes)
		nr = rx->nr_lanes;
	while (nr) {
		if (rx->next_idle >= rx->nr_lanes)
			rx->next_idle = 0;
		n = rx->nr_lanes - rx->next_idle;
		if (n > nr)
			n = nr;
		k = find(rx, rx->next_idle, n);
		if (k < n)
			heat(rx, rx->next_idle + k++);
		rx->next_idle += k;
		nr -= k;
	}
}

/* The next hot lane that has something.  1: rx->cur is it. */
static int next_hot(struct shmchan_receiver *rx)
{
	uint32_t n = rx->nr_hot, place = rx->next_hot, i;
	struct shmchan__inlet *in;

	for (; n; n--) {
		if (place >= rx->nr_hot)
			place = 0;
		i = rx->hot[place];
		in = &rx->inlets[i];
		if (in->look || channel_ready(rx, i)) {
			in->look = 0;
			in->idle = 0;
			in->bad = 0;
			rx->cur = &rx->lanes[i];
			rx->left = rx->burst;
			rx->next_hot = place + 1;
			return 1;
		}
		if (++in->idle < COLD)
			place++;
		else
			cool(rx, place);
	}
	rx->next_hot = place;
	return 0;
}

/*
 * Its turn is over before we have seen that there is no more: if its sender ended
 * meanwhile, no word will change for that.
 */
static void look_again(struct shmchan_receiver *rx)
{
	const struct shmchan_lane_reader *r = rx->cur;

	if (shmchan_load_relaxed(r->writer_word) == r->live_word)
		return;
	rx->inlets[channel_index(rx, r)].look = 1;
	heat(rx, channel_index(rx, r));
}

/* Somebody else's turn, if anybody has something. */
int channel_turn(struct shmchan_receiver *rx)
{
	if (rx->cur) {
		channel_park(rx, rx->cur);
		if (!rx->left)
			look_again(rx);
	}
	rx->cur = NULL;
	rx->left = 0;
	channel_members(rx);
	look_at_idle(rx, BESIDE);
	if (next_hot(rx))
		return 1;
	if (rx->nr_lanes <= BESIDE)
		return 0;
	look_at_idle(rx, SHMCHAN_CHANNEL_CHUNK - BESIDE);
	return next_hot(rx);
}

/* Is there anything at all?  Looks at every lane. */
int channel_something(struct shmchan_receiver *rx)
{
	uint32_t i, found = 0;

	if (rx->cur) {
		channel_park(rx, rx->cur);
		look_again(rx);
	}
	channel_members(rx);
	for (i = 0; i < rx->nr_lanes; i++) {
		if (!rx->inlets[i].look && !channel_ready(rx, i))
			continue;
		heat(rx, i);
		found = 1;
	}
	return (int)found;
}

/*
 * An end, or what looks like one: EPIPE or EOWNERDEAD if it is news, and whose;
 * EAGAIN if it was told before.  The lane says it again at each look; and of a
 * holder that ended before it had touched the lane, the slot word alone tells.
 */
static int news_of_end(struct shmchan__inlet *in,
		       const struct shmchan_lane_reader *r, int err,
		       uint32_t *generation)
{
	uint64_t word = shmchan_load_acquire((uint64_t *)r->writer_word);
	int is_over = over(word);

	/* A successor has told us: it is no end of this epoch. */
	if (r->epochs != in->epochs && !r->end_seen) {
		in->epochs = r->epochs;
		in->told = 0;
		*generation = r->whose.epoch - 1;
		in->ended = *generation;
		return err;
	}
	*generation = is_over || !r->whose.epoch ?
		      SHMCHAN_SLOT_WORD_GEN(word) : r->whose.epoch;
	if (in->told && r->epochs == in->epochs) {
		if (!is_over || *generation == in->ended)
			return -EAGAIN;
		err = SHMCHAN_SLOT_WORD_STATE(word) == SHMCHAN_SLOT_LEFT ?
		      -EPIPE : -EOWNERDEAD;
	}
	in->epochs = r->epochs;
	in->told = 1;
	in->ended = *generation;
	return err;
}

static void count_lost(struct shmchan_receiver *rx,
		       const struct shmchan_lane_reader *r)
{
	rx->lost += r->lost;
	/* In our own pages, for who looks from outside. */
	if (r->cursor)
		shmchan_store_relaxed(&r->cursor->lost,
			shmchan_load_relaxed(&r->cursor->lost) +
			r->lost);
}

/*
 * It is told once of each holder, or that one could keep us busy.  If we cannot get
 * over it, we wait until the word there changes: the next holder puts a jump there.
 * If that one began behind, and has left it, we go where it is; what that skips
 * nobody can count.
 */
static int broken(struct shmchan_receiver *rx, struct shmchan_lane_reader *r,
		  struct shmchan__inlet *in)
{
	uint64_t word = shmchan_load_acquire((uint64_t *)r->writer_word);
	uint32_t generation = SHMCHAN_SLOT_WORD_GEN(word);
	int same = in->bad_generation == generation;

	if (in->bad_pos == r->pos && in->bad_generation) {
		if (same || over(word)) {
			in->bad = shmchan_load_acquire(
					shmchan_lane__from(r, r->pos));
			return -EAGAIN;
		}
		channel_drop_held(rx, channel_index(rx, r));
		(void)shmchan_lane_reader_rejoin(r, SHMCHAN_FROM_NOW);
	}
	in->bad_pos = r->pos;
	in->bad_generation = generation;
	return same ? -EAGAIN : -EBADMSG;
}

/* What lanes say without words, or not of whom. */
static int said(const struct shmchan_receiver *rx,
		const struct shmchan_lane_reader *r, int err,
		uint32_t generation)
{
	uint32_t slot = r->lane.writer_slot;

	switch (err) {
	case -EPIPE:
	case -EOWNERDEAD:
		return shmchan__fail(-err,
				     CHANNEL ": sender %u of %s (generation %u) %s",
				     slot, shmchan__name_of(rx->region),
				     generation,
				     err == -EPIPE ? "closed" : "died");
	case -EMSGSIZE:
		return shmchan__fail(EMSGSIZE,
				     CHANNEL ": the next message of sender %u has another size than there is room for: msg->length tells, and it is still there",
				     slot);
	default:
		return err;
	}
}

/*
 * A look at the lane whose turn it is has failed with err: what is to be told of
 * it.  EAGAIN: nothing; it is somebody else's turn.
 */
int channel_judge(struct shmchan_receiver *rx, int err, struct shmchan_msg *msg)
{
	struct shmchan_lane_reader *r = rx->cur;
	struct shmchan__inlet *in = &rx->inlets[channel_index(rx, r)];
	uint32_t generation = r->whose.epoch;
	uint64_t lost = 0;

	switch (err) {
	case -EPIPE:
	case -EOWNERDEAD:
		err = news_of_end(in, r, err, &generation);
		break;
	case -EOVERFLOW:
		count_lost(rx, r);
		lost = r->lost;
		break;
	case -EMSGSIZE:
		lost = in->skipped;
		in->skipped = 0;
		/* Others are not to wait for who has room for this. */
		rx->left = 0;
		break;
	case -EBADMSG:
		err = broken(rx, r, in);
		break;
	default:
		break;
	}
	if (err != -EAGAIN)
		err = said(rx, r, err, generation);
	if (!msg)
		return err;
	if (err != -EMSGSIZE)
		msg->length = 0;
	msg->meta = 0;
	msg->slot = r->lane.writer_slot;
	msg->generation = generation;
	msg->lost = lost;
	return err;
}
