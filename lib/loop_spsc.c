// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Channels in event loops: what each end waits for, and arming it. */

#include <errno.h>

#include "lane_private.h"
#include "loop_private.h"
#include "spsc_private.h"

static int check_end(const struct shmchan_spsc *ch, enum shmchan_spsc_role role)
{
	int err;

	if (!ch || !ch->region)
		return shmchan__not_open("spsc");
	err = shmchan__usable(ch->region);
	if (err)
		return err;
	if (ch->role != role)
		return shmchan_spsc__wrong_end(ch);
	if (ch->poll)
		return shmchan__fail(ENOTSUP,
			"nobody rings in %s: it was made with poll; make it without",
			shmchan__name_of(ch->region));
	return shmchan_spsc_check(ch);
}

/*
 * Would recv say anything new?  As it judges, but without going on.  The peer's
 * word was loaded before: if that says it has ended and the header is still not
 * committed, it never will be.
 */
static int something_there(const struct shmchan_spsc *ch, uint64_t peer,
			   uint64_t *header)
{
	const struct shmchan_lane_reader *r = &ch->r;

	*header = shmchan_load_acquire(shmchan_lane__from(r, r->pos));
	if (r->run_left || r->deferred)
		return 1;
	/* Who died amid a repair leaves a jump that leads nowhere. */
	if (shmchan_hdr_committed(*header))
		return !lane_header_jumps(*header) ||
		       !lane_end_is_told(r, peer);
	switch (SHMCHAN_SLOT_WORD_STATE(peer)) {
	case SHMCHAN_SLOT_FREE:
	case SHMCHAN_SLOT_LIVE:
		return 0;
	default:
		return !r->eos && !lane_end_is_told(r, peer);
	}
}

/* As below; but 1, and no detail, if there is something. */
int shmchan__spsc_conds(struct shmchan_spsc *ch, struct shmchan_cond *conds)
{
	int err = check_end(ch, SHMCHAN_RECEIVER);
	uint64_t peer, header;

	if (err)
		return err;
	peer = shmchan_load_acquire((uint64_t *)ch->peer_word);
	err = something_there(ch, peer, &header);
	/* Behind what was looked at: zeros are no empty channel. */
	if (shmchan_spsc_check(ch))
		return -ESTALE;
	if (err)
		return 1;
	/* What the sender may be waiting for, before we sleep. */
	shmchan_lane_publish(&ch->r);
	conds[0].region = ch->region;
	conds[0].elem = shmchan_elem64(BELL_DATA,
		ch->ring_offset + (ch->r.pos & ch->r.mask), header);
	conds[1].region = ch->region;
	conds[1].elem = shmchan_elem_slot(ch->region, SLOT_SENDER, peer);
	return 0;
}

int shmchan_spsc_conds(struct shmchan_spsc *ch,
		       struct shmchan_cond conds[SHMCHAN_SPSC_CONDS])
{
	int ret = shmchan__spsc_conds(ch, conds);

	return ret > 0 ? shmchan__fail(EAGAIN, "there is something to receive") :
			 ret;
}

static int subscribe(struct shmchan_spsc *ch, uint32_t doorbell)
{
	return shmchan_spsc__told(ch, shmchan__loop_subscribe(ch->region,
					doorbell, &ch->subscribed));
}

/*
 * peer is the other side's word from before the caller looked for what it waits
 * for.  Its end makes the file readable, armed or not; so one look is enough.
 */
static int arm(struct shmchan_spsc *ch, const struct shmchan_wait_elem *elem,
	       uint64_t peer)
{
	int err = shmchan_bell_arm(ch->region, elem->doorbell, elem, 1);

	if (err)
		return shmchan_spsc__told(ch, err);
	if (shmchan_load_acquire((uint64_t *)ch->peer_word) == peer)
		return shmchan_spsc_check(ch);
	if (shmchan_spsc_check(ch))
		return -ESTALE;
	return shmchan__fail(EAGAIN, "the other side came or went: look again");
}

int shmchan_spsc_arm(struct shmchan_spsc *ch)
{
	struct shmchan_cond conds[SHMCHAN_SPSC_CONDS];
	int err = check_end(ch, SHMCHAN_RECEIVER);

	if (!err)
		err = subscribe(ch, BELL_DATA);
	if (!err)
		err = shmchan_spsc_conds(ch, conds);
	return err ? err : arm(ch, &conds[0].elem, conds[1].elem.value);
}

int shmchan_spsc_arm_room(struct shmchan_spsc *ch, size_t length)
{
	int err = check_end(ch, SHMCHAN_SENDER);
	struct shmchan_lane_cursor *cursor;
	struct shmchan_wait_elem elem;
	uint64_t peer;

	if (!err)
		err = subscribe(ch, BELL_SPACE);
	/* What was sent with MORE must not wait for us while we wait. */
	if (!err)
		err = shmchan_spsc_flush(ch);
	if (err)
		return err;
	peer = shmchan_load_acquire((uint64_t *)ch->peer_word);
	cursor = shmchan_lane_cursor(&ch->w.lane, 0);
	elem = shmchan_elem64(BELL_SPACE, ch->cursor_offset,
			      shmchan_load_acquire(&cursor->pos));
	err = shmchan_spsc__peer_ok(ch);
	if (err == -ESTALE)
		return err;
	/* What send says it says better. */
	if (err || length > ch->w.max_payload ||
	    shmchan_lane__room(&ch->w, shmchan_lane_extent(length), 0) !=
	    -EAGAIN)
		return shmchan__fail(EAGAIN, "there is something for send to do");
	return arm(ch, &elem, peer);
}

int shmchan_spsc_ack(struct shmchan_spsc *ch)
{
	if (!ch || !ch->region)
		return shmchan__not_open("spsc");
	return shmchan_spsc__told(ch, shmchan__loop_ack(ch->region));
}
