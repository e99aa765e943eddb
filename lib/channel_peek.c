// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/*
 * Channels of many, the receiving end: messages where they lie.
 *
 * A lane's cursor says one thing: all before is done with.  So what is held is kept
 * in order, with a bit for what was released, and the cursor goes over those that
 * are released in front.
 */

#include <stdlib.h>

#include "channel_private.h"

/* Of one lane.  Ticket t is at place t % SHMCHAN_MAX_HELD. */
struct channel_held {
	uint64_t first;		/* ticket of the oldest that is held */
	uint64_t next;		/* ticket of the next peek */
	uint64_t released;	/* bits, by place, of [first, next) */
	uint64_t pos[SHMCHAN_MAX_HELD];
};

void channel_forget_held(struct shmchan_receiver *rx)
{
	uint32_t i;

	for (i = 0; i < rx->nr_lanes; i++)
		free(rx->inlets[i].held);
}

static struct channel_held *held_of(struct shmchan__inlet *in)
{
	if (!in->held)
		in->held = (struct channel_held *)calloc(1, sizeof(*in->held));
	return in->held;
}

static int look_peek(struct shmchan_receiver *rx, const struct channel_look *l)
{
	struct shmchan_lane_reader *r = rx->cur;
	struct channel_held *h = held_of(&rx->inlets[channel_index(rx, r)]);
	struct shmchan_view *view = l->view;
	uint32_t meta = 0, place;
	size_t length = 0;
	uint64_t pos;
	int ret;

	if (!h)
		return shmchan__fail(ENOMEM,
				     CHANNEL ": no memory for what is held");
	if (h->next - h->first == SHMCHAN_MAX_HELD) {
		/* Of this sender; the next call looks at the others first. */
		rx->left = 0;
		return shmchan__fail(ENOBUFS,
				     CHANNEL ": %u messages of sender %u are held: release the oldest",
				     SHMCHAN_MAX_HELD, r->lane.writer_slot);
	}
	/* What is skipped on the way is held, too. */
	pos = r->pos;
	ret = shmchan_lane_peek(r, &view->data, &length, &meta);
	if (ret)
		return ret;
	place = (uint32_t)(h->next % SHMCHAN_MAX_HELD);
	h->pos[place] = pos;
	h->released &= ~(1ULL << place);
	view->ticket = h->next++;
	view->of = rx;
	rx->nr_held++;
	shmchan__received(rx, length, meta, &view->msg);
	return 0;
}

static int no_view(void)
{
	return shmchan__fail(EINVAL, CHANNEL ": no view (NULL)");
}

int shmchan_peek(struct shmchan_receiver *rx, struct shmchan_view *view,
		 int64_t timeout_ns)
{
	struct channel_look look = { .view = view };
	int ret = view ? channel_receiver_enter(rx) : no_view();

	if (ret)
		return ret;
	look.msg = &view->msg;
	view->data = NULL;
	view->of = NULL;
	ret = -EAGAIN;
	/* Whether there is anything or not: who waits would learn it too late. */
	if (rx->passable)
		ret = shmchan__fail(ENOTSUP,
				    CHANNEL ": senders of %s may pass us: it takes shmchan_recv(), which copies",
				    shmchan__name_of(rx->region));
	else if (rx->left)
		ret = look_peek(rx, &look);
	if (ret && ret != -ENOTSUP)
		ret = channel_until(rx, look_peek, &look, timeout_ns, ret);
	shmchan__leave(&rx->busy);
	return ret;
}

/* Over those that are released in front. */
static void advance(struct shmchan_lane_reader *r, struct channel_held *h)
{
	uint64_t bit;

	while (h->first < h->next) {
		bit = 1ULL << h->first % SHMCHAN_MAX_HELD;
		if (!(h->released & bit))
			break;
		h->released &= ~bit;
		h->first++;
	}
	r->nr_held = (uint32_t)(h->next - h->first);
	if (r->nr_held)
		r->held = h->pos[h->first % SHMCHAN_MAX_HELD];
}

static int release(struct shmchan_receiver *rx, const struct shmchan_view *view)
{
	struct shmchan_lane_reader *r;
	struct channel_held *h;
	uint64_t bit;

	if (view->of != rx || view->msg.slot >= rx->nr_lanes ||
	    !rx->inlets[view->msg.slot].held)
		return shmchan__fail(EINVAL,
				     CHANNEL ": this message was peeked by another receiver, or never");
	h = rx->inlets[view->msg.slot].held;
	r = &rx->lanes[view->msg.slot];
	bit = 1ULL << view->ticket % SHMCHAN_MAX_HELD;
	if (view->ticket < h->first || view->ticket >= h->next ||
	    h->released & bit)
		return shmchan__fail(EINVAL,
				     CHANNEL ": message %llu of sender %u was released already",
				     (unsigned long long)view->ticket,
				     view->msg.slot);
	h->released |= bit;
	rx->nr_held--;
	advance(r, h);
	if (!r->nr_held)
		return shmchan_lane_release(r);
	if (r->held - r->published >= r->eighth)
		shmchan_lane_publish(r);
	return shmchan_lane_reader_check(r);
}

int shmchan_release(struct shmchan_receiver *rx, const struct shmchan_view *view)
{
	int ret = view ? channel_receiver_enter(rx) : no_view();

	if (ret)
		return ret;
	ret = rx->region ? release(rx, view) : channel_receiver_check(rx);
	shmchan__leave(&rx->busy);
	return ret;
}

/* The lane begins elsewhere: what was held in it is not there any more. */
void channel_drop_held(struct shmchan_receiver *rx, uint32_t i)
{
	struct channel_held *h = rx->inlets[i].held;

	if (!h)
		return;
	rx->nr_held -= h->next - h->first;
	h->first = h->next;
	h->released = 0;
}
