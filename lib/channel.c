// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/*
 * Channels of many: options, the layout, and what is sealed of it.
 *
 *	data	ring of sender 0, ring of sender 1, ...
 *	control	header | a page of each sender | pages of each receiver
 *
 * In a receiver's pages are its cursors, one of each lane in a row.  So lane i has
 * its cursors at a stride, from i * 64 bytes on.
 */

#include "channel_private.h"
#include "entry.h"

#define FLAGS	(SHMCHAN_CHANNEL_DURABLE | SHMCHAN_CHANNEL_POLL | \
		 SHMCHAN_CHANNEL_BLIND)

const uint64_t channel_nothing;

void channel_lay_out(struct channel_shape *s,
		     const struct shmchan_wire_channel *wire)
{
	s->wire = *wire;
	s->data_size = wire->nr_senders * wire->capacity;
	s->control = SHMCHAN_CONTROL_OFFSET(s->data_size);
	s->senders = s->control + SHMCHAN_PAGE;
	s->cursors = s->senders + (uint64_t)wire->nr_senders * SHMCHAN_PAGE;
	s->cursor_stride = 0;
	if (!(wire->flags & SHMCHAN_CHANNEL_BLIND))
		s->cursor_stride = SHMCHAN_ALIGN_UP(
			SHMCHAN_LANE_CURSORS_SIZE(wire->nr_senders),
			SHMCHAN_PAGE);
	s->control_size = s->cursors - s->control +
			  wire->nr_receivers * s->cursor_stride;
}

/* Options. */

static int check_seats(const struct shmchan_channel_opts *o)
{
	if (o->nr_senders > SHMCHAN_CHANNEL_MAX ||
	    o->nr_receivers > SHMCHAN_CHANNEL_MAX)
		return shmchan__fail(EINVAL,
				     CHANNEL ": %u senders and %u receivers: at most %u of each",
				     o->nr_senders, o->nr_receivers,
				     SHMCHAN_CHANNEL_MAX);
	if (o->nr_reliable > o->nr_receivers)
		return shmchan__fail(EINVAL,
				     CHANNEL ": nr_reliable is %u: should be at most nr_receivers, %u",
				     o->nr_reliable, o->nr_receivers);
	return 0;
}

static int check_policy(const struct shmchan_channel_opts *o)
{
	if ((uint32_t)o->policy > SHMCHAN_POLICY_OVERWRITE ||
	    (uint32_t)o->pattern > SHMCHAN_PATTERN_LATEST ||
	    (uint32_t)o->seat > SHMCHAN_SEAT_CASUAL ||
	    (uint32_t)o->from > SHMCHAN_FROM_NOW)
		return shmchan__fail(EINVAL,
				     CHANNEL ": policy %d, pattern %d, seat %d or from %d is none",
				     (int)o->policy, (int)o->pattern,
				     (int)o->seat, (int)o->from);
	if (o->policy == SHMCHAN_POLICY_OVERWRITE && o->nr_reliable)
		return shmchan__fail(EINVAL,
				     CHANNEL ": nr_reliable is %u with SHMCHAN_POLICY_OVERWRITE, where nobody holds a sender: should be 0",
				     o->nr_reliable);
	if (o->blind && o->policy != SHMCHAN_POLICY_OVERWRITE)
		return shmchan__fail(EINVAL,
				     CHANNEL ": blind is of use with SHMCHAN_POLICY_OVERWRITE alone: else senders have to see where receivers are");
	if (o->durable && (o->policy > SHMCHAN_POLICY_FAIL ||
			   (o->nr_reliable &&
			    o->nr_reliable != o->nr_receivers)))
		return shmchan__fail(EINVAL,
				     CHANNEL ": in a durable channel nobody is passed: policy should be SHMCHAN_POLICY_BLOCK or _FAIL, and all receivers reliable");
	if (o->hold_ns < 0)
		return shmchan__fail(EINVAL,
				     CHANNEL ": hold_ns is %lld: should be 0 or more; for ever is SHMCHAN_POLICY_BLOCK",
				     (long long)o->hold_ns);
	return 0;
}

int channel_check_opts(struct shmchan_channel_opts *o,
		       const struct shmchan_channel_opts *theirs)
{
	static const struct shmchan__opts_type type = {
		sizeof(*o), sizeof(*o), "SHMCHAN_CHANNEL_OPTS",
	};
	int err = shmchan__take_opts(o, &type, theirs);

	if (err)
		return err;
	if (!o->nr_senders)
		o->nr_senders = 1;
	if (!o->nr_receivers)
		o->nr_receivers = 1;
	err = check_seats(o);
	if (!err)
		err = check_policy(o);
	if (err)
		return err;
	if (o->capacity > SHMCHAN_LANE_MAX_CAPACITY)
		return shmchan__fail(EINVAL,
				     CHANNEL ": a capacity of %llu bytes, at most %llu",
				     (unsigned long long)o->capacity,
				     (unsigned long long)SHMCHAN_LANE_MAX_CAPACITY);
	if (!o->nr_reliable && o->policy != SHMCHAN_POLICY_OVERWRITE)
		o->nr_reliable = o->nr_receivers;
	if (!o->burst)
		o->burst = 64;
	return 0;
}

/* What was sealed: all of it, once. */

static int check_numbers(const struct shmchan_wire_channel *w)
{
	int holds = w->policy != SHMCHAN_POLICY_OVERWRITE;

	return w->pattern <= SHMCHAN_PATTERN_LATEST &&
	       w->policy <= SHMCHAN_POLICY_OVERWRITE &&
	       w->nr_senders && w->nr_senders <= SHMCHAN_CHANNEL_MAX &&
	       w->nr_receivers && w->nr_receivers <= SHMCHAN_CHANNEL_MAX &&
	       w->nr_reliable <= w->nr_receivers &&
	       !!w->nr_reliable == holds && !(w->flags & ~FLAGS) &&
	       (!(w->flags & SHMCHAN_CHANNEL_BLIND) || !holds) &&
	       (!(w->flags & SHMCHAN_CHANNEL_DURABLE) ||
		(w->policy <= SHMCHAN_POLICY_FAIL &&
		 w->nr_reliable == w->nr_receivers)) &&
	       w->hold_ns < 1ULL << 63 &&
	       w->capacity >= SHMCHAN_LANE_MIN_CAPACITY &&
	       w->capacity <= SHMCHAN_LANE_MAX_CAPACITY &&
	       !(w->capacity & (w->capacity - 1)) &&
	       w->data_doorbell == BELL_DATA &&
	       w->space_doorbell == BELL_SPACE &&
	       !w->wire.reserved && !w->reserved[0] && !w->reserved[1];
}

int channel_read_header(const struct shmchan_region *region,
			struct channel_shape *shape)
{
	struct shmchan_wire_channel wire;
	int err = shmchan__entry_header(region, CHANNEL, SHMCHAN_WIRE_CHANNEL,
					&wire, sizeof(wire));
	uint32_t nr_slots;

	if (err)
		return err;
	if (!check_numbers(&wire))
		return shmchan__fail(EPROTO,
				     CHANNEL ": the header of %s says what no channel can be: %u senders, %u receivers, %u reliable, policy %u, flags %#x, capacity %llu",
				     shmchan__name_of(region), wire.nr_senders,
				     wire.nr_receivers, wire.nr_reliable,
				     wire.policy, wire.flags,
				     (unsigned long long)wire.capacity);
	channel_lay_out(shape, &wire);
	nr_slots = wire.nr_senders + wire.nr_receivers +
		   SHMCHAN_CHANNEL_OBSERVERS;
	if (region->nr_slots == nr_slots &&
	    region->nr_doorbells == 2 &&
	    region->data_size == shape->data_size &&
	    region->control_offset == shape->control &&
	    region->control_size == shape->control_size)
		return 0;
	return shmchan__fail(EPROTO,
			     CHANNEL ": %s has %u slots, %u doorbells, %llu bytes of data and %llu of control; by its header it should have %u, 2, %llu and %llu",
			     shmchan__name_of(region), region->nr_slots,
			     region->nr_doorbells,
			     (unsigned long long)region->data_size,
			     (unsigned long long)region->control_size,
			     nr_slots,
			     (unsigned long long)shape->data_size,
			     (unsigned long long)shape->control_size);
}

/* Lanes. */

enum channel_view channel_view_of(const struct channel_shape *shape,
				  uint32_t receiver)
{
	return receiver < shape->wire.nr_reliable ? VIEW_RELIABLE : VIEW_CASUAL;
}

/*
 * A lane is the same bytes for all, but each side knows of it what it needs.  The
 * writer waits for the first cursors alone, and writes so that it may be passed by
 * whom it does not wait for.  These read as of a lane that overwrites, which it is
 * to them; and who is never passed need not look.
 */
static uint32_t flags_of(const struct shmchan_wire_channel *w,
			 enum channel_view view)
{
	uint32_t poll = w->flags & SHMCHAN_CHANNEL_POLL ? SHMCHAN_LANE_POLL : 0;

	if (view == VIEW_CASUAL || w->policy == SHMCHAN_POLICY_OVERWRITE)
		return poll | SHMCHAN_LANE_OVERWRITE;
	if (w->flags & SHMCHAN_CHANNEL_DURABLE)
		return poll | SHMCHAN_LANE_HOLD;
	if (w->policy == SHMCHAN_POLICY_EVICT ||
	    (view == VIEW_WRITER && w->nr_reliable < w->nr_receivers))
		return poll | SHMCHAN_LANE_EVICT;
	return poll;
}

int channel_lane(const struct shmchan_region *region,
		 const struct channel_shape *s, uint32_t sender,
		 enum channel_view view, struct shmchan_lane *lane)
{
	const struct shmchan_wire_channel *w = &s->wire;
	struct shmchan_lane_geometry geo = {
		.ring_offset = sender * w->capacity,
		.capacity = w->capacity,
		.control_offset = s->senders + (uint64_t)sender * SHMCHAN_PAGE,
		.cursors_offset = s->cursors +
				  SHMCHAN_LANE_CURSORS_SIZE(sender),
		.cursor_stride = (uint32_t)s->cursor_stride,
		.nr_readers = view == VIEW_CASUAL ? w->nr_receivers :
						    w->nr_reliable,
		.writer_slot = sender,
		.reader_slot = w->nr_senders,
		.flags = flags_of(w, view),
	};

	if (!s->cursor_stride) {
		geo.cursors_offset = s->senders;
		geo.cursor_stride = sizeof(struct shmchan_lane_cursor);
		geo.nr_readers = 0;
	}
	return shmchan_lane_attach(lane, region->base,
				   region->control_offset +
				   region->control_size, &geo,
				   channel_slots(region), region->nr_slots) ?
	       -EPROTO : 0;
}
