// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/*
 * Channels of many in event loops: what a receiver waits for, and arming it.
 *
 * There may be more lanes than anybody can name words.  So we are counted among
 * those who sleep on the doorbell, then look at all lanes, and wait for the
 * doorbell's count of rings to move.  Counted we stay until it does, which saves
 * the call the next time; but with the local backend, where it is no call, one who
 * rings may die after it has uncounted us and before the count of rings moves.
 */

#include "backend.h"
#include "channel_private.h"
#include "loop_private.h"

static int check(const struct shmchan_receiver *rx)
{
	int err = channel_receiver_check(rx);

	if (err || !rx->poll)
		return err;
	return shmchan__fail(ENOTSUP,
			     CHANNEL ": nobody rings in %s: it was made with poll; make it without",
			     shmchan__name_of(rx->region));
}

static uint64_t rings(const struct shmchan_receiver *rx)
{
	return shmchan_load_seq_cst(
		&shmchan_doorbell_status(rx->region, BELL_DATA)->seq);
}

/* As below; but 1, and no detail, if there is something. */
int shmchan__receiver_conds(struct shmchan_receiver *rx,
			    struct shmchan_cond *conds)
{
	int err = check(rx), found;

	if (!err && (rx->region->backend == SHMCHAN_BACKEND_LOCAL ||
		     !rx->armed || rings(rx) != rx->armed_seq)) {
		rx->armed = 0;
		err = shmchan__bell_count(rx->region, BELL_DATA,
					  &rx->armed_seq);
		rx->armed = !err;
	}
	if (err)
		return channel_receiver_told(rx, err);
	found = channel_something(rx);
	/* Behind what was looked at: zeros are no empty channel. */
	if (shmchan_region_check(rx->region))
		return -ESTALE;
	if (found)
		return 1;
	channel_publish(rx);
	conds[0].region = rx->region;
	conds[0].elem = shmchan__elem_rings(rx->region, BELL_DATA,
					    rx->armed_seq);
	conds[1].region = rx->region;
	conds[1].elem = shmchan_elem_members(rx->region, rx->members);
	return 0;
}

int shmchan_receiver_conds(struct shmchan_receiver *rx,
			   struct shmchan_cond conds[SHMCHAN_RECEIVER_CONDS])
{
	int ret = shmchan__receiver_conds(rx, conds);

	return ret > 0 ? shmchan__fail(EAGAIN, "there is something to receive") :
			 ret;
}

int shmchan_receiver_arm(struct shmchan_receiver *rx)
{
	int err = check(rx), found;

	if (!err)
		err = shmchan__loop_subscribe(rx->region, BELL_DATA,
					      &rx->subscribed);
	if (!err)
		err = shmchan_bell_arm(rx->region, BELL_DATA, NULL, 0);
	if (err)
		return channel_receiver_told(rx, err);
	/* Ends of members make the file readable, armed or not. */
	found = channel_something(rx);
	if (shmchan_region_check(rx->region))
		return -ESTALE;
	if (found)
		return shmchan__fail(EAGAIN, "there is something to receive");
	channel_publish(rx);
	return 0;
}

int shmchan_receiver_ack(struct shmchan_receiver *rx)
{
	int err = channel_receiver_check(rx);

	return err ? err : channel_receiver_told(rx,
						 shmchan__loop_ack(rx->region));
}
