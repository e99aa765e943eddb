// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Channels of many: making one, and the way in. */

#include <stdlib.h>
#include <string.h>

#include "channel_private.h"
#include "entry.h"

#define TOTAL_DEFAULT	(16ULL << 20)
#define LEAST_DEFAULT	(16ULL << 10)
#define MOST_DEFAULT	(1ULL << 20)

static const char *const patterns[] = {
	"channel of many", "fan-in", "publish and subscribe", "latest value",
};

/* What is asked for, and as what. */
struct request {
	const struct shmchan_channel_opts *opts;
	int receiver;
};

/* Making it. */

static uint64_t capacity_of(const struct shmchan_channel_opts *o)
{
	uint64_t capacity = TOTAL_DEFAULT / o->nr_senders;

	if (o->capacity)
		return shmchan__power_of_two(o->capacity,
					     SHMCHAN_LANE_MIN_CAPACITY);
	if (capacity > MOST_DEFAULT)
		return MOST_DEFAULT;
	return shmchan__power_of_two(capacity, LEAST_DEFAULT);
}

static void describe(const struct shmchan_channel_opts *o,
		     struct shmchan_wire_channel *wire)
{
	*wire = (struct shmchan_wire_channel){
		.wire = {
			.magic = SHMCHAN_WIRE_MAGIC,
			.version = SHMCHAN_WIRE_VERSION,
			.kind = SHMCHAN_WIRE_CHANNEL,
			.length = sizeof(*wire),
		},
		.pattern = o->pattern,
		.policy = o->policy,
		.nr_senders = o->nr_senders,
		.nr_receivers = o->nr_receivers,
		.nr_reliable = o->nr_reliable,
		.flags = (o->durable ? SHMCHAN_CHANNEL_DURABLE : 0) |
			 (o->poll ? SHMCHAN_CHANNEL_POLL : 0) |
			 (o->blind ? SHMCHAN_CHANNEL_BLIND : 0),
		.hold_ns = (uint64_t)o->hold_ns,
		.capacity = capacity_of(o),
		.data_doorbell = BELL_DATA,
		.space_doorbell = BELL_SPACE,
	};
}

/* By offset.  Returns how many. */
static uint32_t windows_of(const struct channel_shape *s,
			   struct shmchan_window *w)
{
	const struct shmchan_wire_channel *wire = &s->wire;
	uint32_t i, nr = 0;

	for (i = 0; i < wire->nr_senders; i++)
		w[nr++] = (struct shmchan_window){
			.offset = i * wire->capacity,
			.length = wire->capacity, .slot = i,
		};
	for (i = 0; i < wire->nr_senders; i++)
		w[nr++] = (struct shmchan_window){
			.offset = s->senders + (uint64_t)i * SHMCHAN_PAGE,
			.length = SHMCHAN_PAGE, .slot = i,
		};
	for (i = 0; i < wire->nr_receivers && s->cursor_stride; i++)
		w[nr++] = (struct shmchan_window){
			.offset = s->cursors + i * s->cursor_stride,
			.length = s->cursor_stride,
			.slot = wire->nr_senders + i,
		};
	return nr;
}

static int make(struct shmchan_region **region, const char *name,
		const struct shmchan__entry *entry)
{
	const struct shmchan_channel_opts *o =
		((const struct request *)entry->arg)->opts;
	const struct shmchan_doorbell doorbells[2] = {
		{ SHMCHAN_SLOT_SHARED, 0 }, { SHMCHAN_SLOT_SHARED, 0 },
	};
	uint32_t nr_seats = o->nr_senders + o->nr_receivers, i;
	uint32_t nr_slots = nr_seats + SHMCHAN_CHANNEL_OBSERVERS;
	struct shmchan_region_opts ropts = SHMCHAN_REGION_OPTS(
		.backend = o->backend, .mode = o->mode,
		.nr_slots = nr_slots,
		.nr_doorbells = 2, .doorbells = doorbells);
	struct shmchan_wire_channel wire;
	struct shmchan_window *windows;
	struct shmchan_slot *slots;
	struct channel_shape shape;
	int err;

	describe(o, &wire);
	channel_lay_out(&shape, &wire);
	windows = calloc(2ULL * nr_slots, sizeof(*windows));
	slots = calloc(nr_slots, sizeof(*slots));
	if (windows && slots) {
		for (i = 0; i < nr_seats && o->same_uid; i++)
			slots[i].flags = SHMCHAN_SLOT_FLAG_SAME_UID;
		ropts.flags = wire.capacity < SHMCHAN_HUGE ?
			      SHMCHAN_CREATE_SMALL : 0;
		ropts.slots = slots;
		ropts.windows = windows;
		ropts.nr_windows = windows_of(&shape, windows);
		ropts.data_size = shape.data_size;
		ropts.control_size = shape.control_size;
		ropts.header = &wire;
		ropts.header_len = sizeof(wire);
		ropts.slot = entry->last_first ?
			     entry->first_slot + entry->nr_slots - 1 :
			     entry->first_slot;
		ropts.join_flags = o->join_flags;
		err = shmchan_region_create(region, name, &ropts);
	} else {
		err = shmchan__fail(ENOMEM, CHANNEL ": no memory to make one");
	}
	free(windows);
	free(slots);
	return err;
}

/* Finding it: how many seats there are, before one is taken. */

static int check_pattern(const char *name,
			 const struct shmchan_wire_channel *wire,
			 const struct shmchan_channel_opts *o)
{
	if (!o->pattern || !wire->pattern || wire->pattern == o->pattern ||
	    wire->pattern > SHMCHAN_PATTERN_LATEST)
		return 0;
	return shmchan__fail(EPROTO,
			     CHANNEL ": %s is of the pattern %s (%u), not %s (%u)",
			     name, patterns[wire->pattern], wire->pattern,
			     patterns[o->pattern], (uint32_t)o->pattern);
}

/* Is there any seat of that kind? */
static int check_kind(const struct shmchan_wire_channel *wire,
		      const struct shmchan_channel_opts *o)
{
	if (o->seat == SHMCHAN_SEAT_CASUAL &&
	    wire->nr_reliable == wire->nr_receivers)
		return shmchan__fail(EINVAL,
				     CHANNEL ": no seat is casual: all %u hold the senders",
				     wire->nr_receivers);
	if (o->seat == SHMCHAN_SEAT_RELIABLE && !wire->nr_reliable)
		return shmchan__fail(EINVAL,
				     CHANNEL ": no seat is reliable: senders overwrite");
	return 0;
}

static int check_slot(const struct shmchan_channel_opts *o, int receiver,
		      uint32_t *first, uint32_t *nr)
{
	if (o->slot == SHMCHAN_SLOT_ANY)
		return 0;
	if (o->slot < *first || o->slot >= *first + *nr)
		return shmchan__fail(EINVAL,
				     CHANNEL ": slot %u is not a %s's seat: those are %u to %u",
				     o->slot, receiver ? "receiver" : "sender",
				     *first, *first + *nr - 1);
	*first = o->slot;
	*nr = 1;
	return 0;
}

static int can_be(const struct shmchan_wire_channel *wire)
{
	return wire->nr_senders && wire->nr_senders <= SHMCHAN_CHANNEL_MAX &&
	       wire->nr_receivers && wire->nr_receivers <= SHMCHAN_CHANNEL_MAX;
}

/*
 * How many seats there are of each role, before we are in; of the module's regions
 * the rest of *wire stays 0: each sender has a ring, and nobody shares one.
 */
static int count_seats(const struct shmchan__sight *s,
		       struct shmchan_wire_channel *wire)
{
	uint32_t i;

	memset(wire, 0, sizeof(*wire));
	if (s->has_header) {
		*wire = s->header.channel;
	} else {
		for (i = 0; i < s->q.nr_windows &&
			    s->windows[i].offset < s->q.control_offset &&
			    s->windows[i].slot != SHMCHAN_SLOT_SHARED; i++)
			wire->nr_senders++;
		/* If there are fewer slots, so many that it cannot be. */
		wire->nr_receivers = s->nr_slots - wire->nr_senders -
				     SHMCHAN_CHANNEL_OBSERVERS;
	}
	if (can_be(wire) && wire->nr_senders + wire->nr_receivers +
			    SHMCHAN_CHANNEL_OBSERVERS == s->nr_slots)
		return 0;
	return shmchan__fail(EPROTO,
			     CHANNEL ": %s is none of many: it has not the seats and windows that one has",
			     s->name);
}

/*
 * What the header says, where it is to be seen, can be refused before a seat is
 * taken, and seats of the other kind need not be tried.
 */
static int seats_by_header(const char *name, const struct request *req,
			   const struct shmchan_wire_channel *wire,
			   uint32_t *first, uint32_t *nr)
{
	int err = check_pattern(name, wire, req->opts);

	if (err || !req->receiver || req->opts->slot != SHMCHAN_SLOT_ANY ||
	    wire->nr_reliable > wire->nr_receivers)
		return err;
	err = check_kind(wire, req->opts);
	if (err)
		return err;
	if (req->opts->seat == SHMCHAN_SEAT_RELIABLE)
		*nr = wire->nr_reliable;
	if (req->opts->seat == SHMCHAN_SEAT_CASUAL) {
		*first += wire->nr_reliable;
		*nr -= wire->nr_reliable;
	}
	return 0;
}

/* Of receivers who tell nobody where they are: they write nothing, nor ring. */
#define RIGHTS_OF_THE_BLIND	(SHMCHAN_RIGHT_MAP_READ | SHMCHAN_RIGHT_WAIT)

static int seats(const struct shmchan__sight *s, const struct shmchan__entry *e,
		 uint32_t *first, uint32_t *nr, uint32_t *rights)
{
	const struct request *req = e->arg;
	struct shmchan_wire_channel wire;
	int err = count_seats(s, &wire);

	if (err)
		return err;
	*first = req->receiver ? wire.nr_senders : 0;
	*nr = req->receiver ? wire.nr_receivers : wire.nr_senders;
	/* They have no windows: what there are is the senders'. */
	if (req->receiver && s->q.nr_windows == 2 * wire.nr_senders)
		*rights = RIGHTS_OF_THE_BLIND;
	err = check_slot(req->opts, req->receiver, first, nr);
	return err || !s->has_header ? err :
	       seats_by_header(s->name, req, &wire, first, nr);
}

int channel_first_observer(const char *name, enum shmchan_backend backend,
			   uint32_t *slot)
{
	const struct shmchan__entry entry = {
		.what = CHANNEL, .kind = SHMCHAN_WIRE_CHANNEL,
		.length = sizeof(struct shmchan_wire_channel),
		.backend = backend, .any_owner = 1,
	};
	struct shmchan_wire_channel wire = { .nr_senders = 0 };
	struct shmchan__sight *sight;
	int err = shmchan__check_name(name);

	if (!err)
		err = shmchan__entry_look(&sight, name, &entry);
	if (err)
		return err;
	/* Who joins anything of what is abandoned is told so. */
	if (!sight->abandoned)
		err = count_seats(sight, &wire);
	free(sight);
	*slot = wire.nr_senders + wire.nr_receivers;
	return err;
}

int channel_open(struct shmchan_region **region, const char *name,
		 const int *capability, const struct shmchan_channel_opts *o,
		 int receiver)
{
	static const char *const seats_of[] = {
		"receivers'", "reliable receivers'", "casual receivers'",
	};
	const struct request req = { o, receiver };
	struct shmchan__entry entry = {
		.what = CHANNEL, .kind = SHMCHAN_WIRE_CHANNEL,
		.length = sizeof(struct shmchan_wire_channel),
		.seat = !receiver ? "senders'" : seats_of[o->seat],
		.backend = o->backend,
		.first_slot = receiver ? o->nr_senders : 0,
		.nr_slots = receiver ? o->nr_receivers : o->nr_senders,
		.last_first = receiver && o->seat == SHMCHAN_SEAT_CASUAL,
		.capability = capability, .seats = seats,
		.join_flags = o->join_flags,
		.any_owner = o->any_owner, .create = o->create,
		.exclusive = o->exclusive, .wait_ns = o->wait_ns,
		.make = make, .arg = &req,
	};
	int err = 0;

	*region = NULL;
	if (o->create)
		err = check_slot(o, receiver, &entry.first_slot,
				 &entry.nr_slots);
	return err ? err : shmchan__entry_open(region, name, &entry);
}

/* What we are in. */

static int check_seat(const struct channel_shape *s, uint32_t index,
		      const struct shmchan_channel_opts *o)
{
	int casual = index >= s->wire.nr_reliable, err;

	if (o->seat == SHMCHAN_SEAT_ANY ||
	    casual == (o->seat == SHMCHAN_SEAT_CASUAL))
		return 0;
	err = check_kind(&s->wire, o);
	if (err)
		return err;
	return shmchan__fail(EBUSY,
			     CHANNEL ": all %u %s seats are taken",
			     casual ? s->wire.nr_reliable :
			     s->wire.nr_receivers - s->wire.nr_reliable,
			     casual ? "reliable" : "casual");
}

/* A capability may reach less, and the creator may have given other windows. */
static int check_reach(const struct shmchan_region *r,
		       const struct channel_shape *s)
{
	uint32_t slot = r->slot, n = s->wire.nr_senders;
	int err;

	err = shmchan__entry_rights(r->rights, r->name, CHANNEL,
				    slot >= n && !s->cursor_stride ?
				    RIGHTS_OF_THE_BLIND :
				    SHMCHAN__RIGHTS_OF_MEMBERS);
	if (!err)
		err = shmchan__entry_reach(r, CHANNEL, "rings", 0,
					   s->data_size);
	if (!err)
		err = shmchan__entry_reach(r, CHANNEL, "control words",
					   s->senders,
					   s->control + s->control_size -
					   s->senders);
	if (err)
		return err;
	if (slot >= n)
		return s->cursor_stride ?
		       shmchan__entry_window(r, CHANNEL, s->cursors +
					     (slot - n) * s->cursor_stride,
					     s->cursor_stride) : 0;
	err = shmchan__entry_window(r, CHANNEL, slot * s->wire.capacity,
				    s->wire.capacity);
	return err ? err :
	       shmchan__entry_window(r, CHANNEL, s->senders +
				     (uint64_t)slot * SHMCHAN_PAGE,
				     SHMCHAN_PAGE);
}

int channel_check(const struct shmchan_region *region,
		  const struct shmchan_channel_opts *opts, int receiver,
		  struct channel_shape *shape)
{
	int err = channel_read_header(region, shape);
	uint32_t n = shape->wire.nr_senders;

	if (err)
		return err;
	if (receiver ? region->slot < n ||
		       region->slot >= n + shape->wire.nr_receivers :
		       region->slot >= n)
		return shmchan__fail(EPROTO,
				     CHANNEL ": slot %u of %s is not a %s's seat",
				     region->slot, shmchan__name_of(region),
				     receiver ? "receiver" : "sender");
	err = check_pattern(shmchan__name_of(region), &shape->wire, opts);
	if (!err && receiver)
		err = check_seat(shape, region->slot - n, opts);
	return err ? err : check_reach(region, shape);
}
