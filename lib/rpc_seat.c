// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Services, the server: one client's seat, and who has it.
 *
 * A seat has holders one after the other.  We know one of them, from when it says
 * that its lanes are in order (it has repaired what its predecessor left) until
 * its slot word changes; requests carry the generation of who has sent them, so
 * those of an earlier one are passed over.
 */

#include <errno.h>
#include <string.h>
#include <time.h>

#include "rpc_private.h"

/* Longer than a JOIN waits for the references of an exit, by far. */
#define CLAIM_TRIES	200
#define CLAIM_PAUSE_NS	1000000

/* Room in the request lane: the client may be waiting for it. */
static void wake_client(void *arg)
{
	struct shmchan_rpc__seat *seat = arg;

	seat->s->stats.rings++;
	/* ESTALE shows at the next call; nothing else can fail. */
	(void)shmchan_bell_ring(seat->region, BELL_CLIENT(seat->slot), 0);
}

static int attach_replies(struct shmchan_rpc__seat *seat,
			  const uint32_t *waiters)
{
	struct shmchan_lane lane;
	int err;

	err = shmchan__rpc_reply_lane(seat->region, &seat->s->header,
				      seat->slot, &lane);
	if (!err)
		err = shmchan_lane_writer_attach(&seat->w, &lane,
						 seat->region->generation,
						 waiters);
	if (err)
		return err;
	shmchan_lane_writer_asym(&seat->w, (int)seat->region->asym);
	seat->reply_cursor = rpc_offset(seat->region, lane.cursors);
	return 0;
}

/*
 * From where this client says that its own begin: what lies before is none of its
 * doing.  Where the last server had got further, from there; and if that one's
 * cursor is nonsense, from the oldest that there is.  (What is taken twice so is
 * addressed to another server.)
 */
static int attach_requests(struct shmchan_rpc__seat *seat,
			   const uint32_t *waiters)
{
	uint64_t *pos = &seat->own->requests.pos;
	uint64_t start = shmchan_load_relaxed((uint64_t *)&seat->client->start);
	struct shmchan_lane lane;
	int err;

	if (seat->attached || shmchan_load_relaxed(pos) < start)
		shmchan_store_seq_cst(pos, start);
	if (seat->attached)
		return shmchan_lane_reader_rejoin(&seat->r,
						  SHMCHAN_FROM_CURSOR);
	err = shmchan__rpc_request_lane(seat->region, &seat->s->header,
					seat->slot, &lane);
	if (err)
		return err;
	seat->request_ring = rpc_offset(seat->region, lane.ring);
	err = shmchan_lane_reader_join(&seat->r, &lane, 0,
				       seat->region->generation,
				       SHMCHAN_FROM_CURSOR, waiters,
				       wake_client, seat);
	if (err == -EBADMSG)
		err = shmchan_lane_reader_rejoin(&seat->r, SHMCHAN_FROM_OLDEST);
	return err;
}

/* A client that we have not known. */
static int attach(struct shmchan_rpc__seat *seat, uint64_t word)
{
	const uint32_t *waiters = &shmchan_doorbell_status(seat->region,
		BELL_CLIENT(seat->slot))->waiters;
	uint32_t i;
	int err = 0;

	seat->generation = SHMCHAN_SLOT_WORD_GEN(word);
	seat->live_word = word;
	seat->bad = 0;
	seat->full_since = 0;
	memset(seat->open, 0, sizeof(seat->open));
	memset(seat->taken_back, 0, sizeof(seat->taken_back));
	for (i = 0; i < SHMCHAN_RPC_PENDING; i++)
		shmchan_store_relaxed(&seat->own->dropped_ids[i], 0);
	if (!seat->attached)
		err = attach_replies(seat, waiters);
	if (!err)
		err = attach_requests(seat, waiters);
	if (err == -ESTALE)
		return err;
	if (err) {
		shmchan__rpc_seat_bad(seat);
		return -EBADMSG;
	}
	if (!seat->attached)
		shmchan_store_relaxed(&seat->own->start, seat->w.tail);
	seat->attached = 1;
	/* Who was asleep beside the last server's nonsense looks again. */
	shmchan_store_seq_cst(&seat->own->generation,
			      (uint64_t)seat->region->generation);
	return shmchan_bell_notify(seat->region, BELL_CLIENT(seat->slot)) ==
	       -ESTALE ? -ESTALE : 0;
}

/* While somebody else takes the slot, its word tells of nobody's end: for a moment. */
static uint64_t settled_word(const struct shmchan_region *region, uint32_t slot)
{
	uint64_t word = shmchan_slot_word(region, slot);
	int tries = CLAIM_TRIES;

	while (SHMCHAN_SLOT_WORD_STATE(word) == SHMCHAN_SLOT_CLAIMING &&
	       tries--) {
		nanosleep(&(struct timespec){ .tv_nsec = CLAIM_PAUSE_NS },
			  NULL);
		word = shmchan_slot_word(region, slot);
	}
	return word;
}

int shmchan__rpc_how_ended(const struct shmchan_region *region, uint32_t slot,
			   uint32_t generation)
{
	uint64_t word = settled_word(region, slot);
	uint32_t state = SHMCHAN_SLOT_WORD_STATE(word);
	const struct shmchan_identity *id = NULL;
	struct shmchan_member_info info;

	if (SHMCHAN_SLOT_WORD_GEN(word) != generation) {
		if (!shmchan_region_member(region, slot, &info))
			id = shmchan__identity_of(&info, generation);
		if (!id)
			return 0;
		state = id->state;
	}
	switch (state) {
	case SHMCHAN_SLOT_LEFT:
		return -EPIPE;
	case SHMCHAN_SLOT_DIED:
	case SHMCHAN_SLOT_REVOKED:
		return -EOWNERDEAD;
	default:
		return 0;
	}
}

int shmchan__rpc_seat_end(const struct shmchan_rpc__seat *seat)
{
	int how = shmchan__rpc_how_ended(seat->region, seat->slot,
					 seat->generation);

	return how ? how : -EOWNERDEAD;
}

int shmchan__rpc_seat_look(struct shmchan_rpc__seat *seat)
{
	uint64_t word = shmchan_load_acquire((uint64_t *)seat->word);

	if (seat->generation) {
		if (__builtin_expect(word == seat->live_word, 1))
			return 0;
		/* All zero is what who is revoked sees. */
		if (shmchan_region_check(seat->region))
			return -ESTALE;
		seat->last_end = shmchan__rpc_seat_end(seat);
		seat->last = seat->generation;
		seat->generation = 0;
		/* Who comes next is waited for, and told of if it is bad. */
		seat->bad = 0;
		return seat->last_end;
	}
	/* Pairs with the store in the client's attach(). */
	if (SHMCHAN_SLOT_WORD_STATE(word) != SHMCHAN_SLOT_LIVE ||
	    shmchan_load_acquire((uint64_t *)&seat->client->generation) !=
	    SHMCHAN_SLOT_WORD_GEN(word))
		return -EAGAIN;
	return attach(seat, word);
}

void shmchan__rpc_seat_bad(struct shmchan_rpc__seat *seat)
{
	if (seat->bad)
		return;
	seat->bad = 1;
	seat->s->stats.bad++;
}

int shmchan__rpc_seat_taken_back(const struct shmchan_rpc__seat *seat,
				 uint32_t id)
{
	const struct shmchan_wire_rpc_client *client = seat->client;

	/* Most never take any back: one line that stays ours. */
	if (!shmchan_load_acquire((uint64_t *)&client->cancelled))
		return 0;
	return shmchan_load_relaxed((uint32_t *)
		&client->cancelled_ids[PLACE(id)]) == id;
}

int shmchan__rpc_seat_put(struct shmchan_rpc__seat *seat, uint32_t id,
			  uint32_t flags, int32_t status, const void *reply,
			  size_t length)
{
	const size_t prefix = sizeof(struct shmchan_wire_rpc_reply);
	struct shmchan_wire_rpc_reply *head;
	struct shmchan_reservation rsv;
	int ret;

	ret = shmchan_lane_reserve(&seat->w, prefix + length, &rsv);
	if (ret)
		return ret;
	head = rsv.data;
	head->client = seat->generation;
	head->flags = flags;
	head->status = status;
	head->reserved = 0;
	shmchan_lane__copy_in(head + 1, reply, length, 0);
	ret = shmchan_lane_commit(&seat->w, &rsv, prefix + length, id, 0);
	if (ret > 0) {
		seat->s->stats.rings++;
		ret = shmchan_bell_ring(seat->region, BELL_CLIENT(seat->slot),
					0);
		if (ret > 0)
			ret = 0;
	}
	return ret ? ret : shmchan_region_check(seat->region);
}

void shmchan__rpc_seat_drop(struct shmchan_rpc__seat *seat, uint32_t id)
{
	uint64_t *dropped = &seat->own->dropped;

	shmchan_store_relaxed(&seat->own->dropped_ids[PLACE(id)], id);
	/* Release: which one it was, and the replies before it. */
	shmchan_store_seq_cst(dropped, shmchan_load_relaxed(dropped) + 1);
	(void)shmchan_bell_notify(seat->region, BELL_CLIENT(seat->slot));
	seat->s->stats.dropped++;
}
