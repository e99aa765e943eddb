// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Channels from one sender to one receiver: opening and closing. */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <shmchan/wire.h>

#include "spsc_private.h"

/* A name that appears and disappears under us so often is a quarrel. */
#define OPEN_TRIES	16
/* No channel of ours has more. */
#define MAX_WINDOWS	8

/*
 * Four times the L2, which leaves room for what the reader still has in its
 * own, but within half of the L3 (docs/perf.md, lesson 3).
 */
static uint64_t default_capacity(void)
{
	long l2 = sysconf(_SC_LEVEL2_CACHE_SIZE);
	long l3 = sysconf(_SC_LEVEL3_CACHE_SIZE);
	uint64_t capacity = l2 > 0 ? 4 * (uint64_t)l2 : 4ULL << 20;

	if (l3 > 0 && capacity > (uint64_t)l3 / 2)
		capacity = (uint64_t)l3 / 2;
	if (capacity < 1ULL << 20)
		capacity = 1ULL << 20;
	if (capacity > 8ULL << 20)
		capacity = 8ULL << 20;
	return capacity;
}

static uint64_t power_of_two(uint64_t n)
{
	uint64_t p = SHMCHAN_LANE_MIN_CAPACITY;

	while (p < n)
		p <<= 1;
	return p;
}

static int check_opts(const struct shmchan_spsc_opts *opts)
{
	if (opts->size != sizeof(*opts))
		return shmchan__fail(EINVAL,
				     "spsc: options of %zu bytes, this library knows %zu; use SHMCHAN_SPSC_OPTS()",
				     opts->size, sizeof(*opts));
	if (opts->role != SHMCHAN_SENDER && opts->role != SHMCHAN_RECEIVER)
		return shmchan__fail(EINVAL,
				     "spsc: role %d is neither SHMCHAN_SENDER nor SHMCHAN_RECEIVER",
				     (int)opts->role);
	if (opts->capacity > SHMCHAN_LANE_MAX_CAPACITY)
		return shmchan__fail(EINVAL,
				     "spsc: a capacity of %llu bytes, at most %llu",
				     (unsigned long long)opts->capacity,
				     (unsigned long long)SHMCHAN_LANE_MAX_CAPACITY);
	return 0;
}

static int create(struct shmchan_region **region, const char *name,
		  const struct shmchan_spsc_opts *opts)
{
	uint64_t capacity = power_of_two(opts->capacity ? opts->capacity :
							  default_capacity());
	uint64_t control = SHMCHAN_CONTROL_OFFSET(capacity);
	uint32_t seat = opts->same_uid ? SHMCHAN_SLOT_FLAG_SAME_UID : 0;
	const struct shmchan_slot slots[2] = { { seat, 0 }, { seat, 0 } };
	const struct shmchan_doorbell doorbells[2] = {
		{ SLOT_RECEIVER, 0 }, { SLOT_SENDER, 0 },
	};
	const struct shmchan_window windows[3] = {
		{ 0, capacity, SLOT_SENDER, 0 },
		{ control + SHMCHAN_PAGE, SHMCHAN_PAGE, SLOT_SENDER, 0 },
		{ control + 2 * SHMCHAN_PAGE, SHMCHAN_PAGE, SLOT_RECEIVER, 0 },
	};
	const struct shmchan_wire_spsc header = {
		.wire = {
			.magic = SHMCHAN_WIRE_MAGIC,
			.version = SHMCHAN_WIRE_VERSION,
			.kind = SHMCHAN_WIRE_SPSC,
			.length = sizeof(header),
		},
		.data_doorbell = BELL_DATA,
		.space_doorbell = BELL_SPACE,
		.lane = {
			.ring_offset = 0,
			.capacity = capacity,
			.control_offset = control + SHMCHAN_PAGE,
			.cursors_offset = control + 2 * SHMCHAN_PAGE,
			.cursor_stride = sizeof(struct shmchan_lane_cursor),
			.nr_readers = 1,
			.writer_slot = SLOT_SENDER,
			.reader_slot = SLOT_RECEIVER,
			.flags = SHMCHAN_LANE_HOLD |
				 (opts->poll ? SHMCHAN_LANE_POLL : 0),
		},
	};
	struct shmchan_region_opts ropts = SHMCHAN_REGION_OPTS(
		.backend = opts->backend,
		.flags = capacity < SHMCHAN_HUGE ? SHMCHAN_CREATE_SMALL : 0,
		.mode = opts->mode,
		.nr_slots = 2, .slots = slots,
		.nr_doorbells = 2, .doorbells = doorbells,
		.nr_windows = 3, .windows = windows,
		.data_size = capacity, .control_size = 3 * SHMCHAN_PAGE,
		.header = &header, .header_len = sizeof(header));

	ropts.slot = (uint32_t)opts->role;
	return shmchan_region_create(region, name, &ropts);
}

static int open_or_create(struct shmchan_region **region, const char *name,
			  const struct shmchan_spsc_opts *opts)
{
	struct shmchan_open_opts oopts = SHMCHAN_OPEN_OPTS(
		.backend = opts->backend, .any_owner = opts->any_owner);
	int err = -ENOENT, tries;

	oopts.slot = (uint32_t)opts->role;
	for (tries = 0; tries < OPEN_TRIES; tries++) {
		if (opts->create) {
			err = create(region, name, opts);
			if (err != -EEXIST || opts->exclusive)
				return err;
		}
		err = shmchan_region_open(region, name, &oopts);
		if (err != -ENOENT || !opts->create)
			return err;
	}
	return err;
}

/*
 * The members' windows are the creator's word, and the header is too: that
 * they agree is what keeps our stores from faulting.
 */
static int check_window(const struct shmchan_region *region, uint64_t offset,
			uint64_t length)
{
	struct shmchan_window windows[MAX_WINDOWS];
	struct shmchan_query query = { .size = sizeof(query) };
	uint32_t i, nr;
	int err;

	query.windows = (uintptr_t)windows;
	query.nr_windows = MAX_WINDOWS;
	err = shmchan_region_query(region, &query);
	if (err)
		return err;
	nr = query.nr_windows < MAX_WINDOWS ? query.nr_windows : MAX_WINDOWS;
	for (i = 0; i < nr; i++)
		if ((windows[i].slot == region->slot ||
		     windows[i].slot == SHMCHAN_SLOT_SHARED) &&
		    offset >= windows[i].offset &&
		    offset - windows[i].offset <= windows[i].length &&
		    length <= windows[i].length - (offset - windows[i].offset))
			return 0;
	return shmchan__fail(EPROTO,
			     "spsc: slot %u may not write %llu bytes at %llu, as its role must",
			     region->slot, (unsigned long long)length,
			     (unsigned long long)offset);
}

/* All that the sealed header says, once. */
static int check_header(const struct shmchan_region *region,
			struct shmchan_wire_spsc *header,
			struct shmchan_lane *lane)
{
	const struct shmchan_lane_geometry *geo = &header->lane;
	int err;

	memcpy(header, shmchan_region_at(region, region->control_offset),
	       sizeof(*header));
	if (header->wire.magic != SHMCHAN_WIRE_MAGIC)
		return shmchan__fail(EPROTO,
				     "spsc: %s is not a channel (magic %#llx, not %#llx)",
				     region->name,
				     (unsigned long long)header->wire.magic,
				     (unsigned long long)SHMCHAN_WIRE_MAGIC);
	if (header->wire.version != SHMCHAN_WIRE_VERSION)
		return shmchan__fail(EPROTO,
				     "spsc: %s has layout version %u, this program has version %u",
				     region->name, header->wire.version,
				     SHMCHAN_WIRE_VERSION);
	if (header->wire.kind != SHMCHAN_WIRE_SPSC ||
	    header->wire.length != sizeof(*header))
		return shmchan__fail(EPROTO,
				     "spsc: %s is a channel of kind %u with a header of %u bytes, not %u with %zu",
				     region->name, header->wire.kind,
				     header->wire.length, SHMCHAN_WIRE_SPSC,
				     sizeof(*header));
	if (region->nr_slots != 2 || region->nr_doorbells != 2 ||
	    header->data_doorbell != BELL_DATA ||
	    header->space_doorbell != BELL_SPACE || geo->nr_readers != 1 ||
	    geo->writer_slot != SLOT_SENDER ||
	    geo->reader_slot != SLOT_RECEIVER ||
	    (geo->flags & ~SHMCHAN_LANE_POLL) != SHMCHAN_LANE_HOLD)
		return shmchan__fail(EPROTO,
				     "spsc: %s has another geometry than a channel for one sender and one receiver",
				     region->name);
	err = shmchan_lane_attach(lane, region->base,
				  region->control_offset + region->control_size,
				  geo, (const uint64_t *)shmchan_region_at(
					region, shmchan_slot_offset(region, 0)),
				  region->nr_slots);
	if (err)
		return -EPROTO;
	if (geo->ring_offset + geo->capacity > region->data_size ||
	    geo->control_offset < region->control_offset + SHMCHAN_PAGE ||
	    geo->cursors_offset < region->control_offset + SHMCHAN_PAGE)
		return shmchan__fail(EPROTO,
				     "spsc: %s keeps parts of its lane in the wrong areas",
				     region->name);
	if (region->slot == SLOT_RECEIVER)
		return check_window(region, geo->cursors_offset,
				    sizeof(struct shmchan_lane_cursor));
	err = check_window(region, geo->ring_offset, geo->capacity);
	if (!err)
		err = check_window(region, geo->control_offset,
				   sizeof(struct shmchan_lane_control));
	return err;
}

static void wake_sender(void *arg)
{
	struct shmchan_spsc *ch = (struct shmchan_spsc *)arg;

	ch->rings++;
	/* ESTALE shows at the next call that waits; nothing else can fail. */
	(void)shmchan_bell_ring(ch->region, BELL_SPACE, 0);
}

static int attach_sender(struct shmchan_spsc *ch,
			 const struct shmchan_lane *lane)
{
	int err;

	err = shmchan_lane_writer_attach(&ch->w, lane, ch->region->generation,
		&shmchan_doorbell_status(ch->region, BELL_DATA)->waiters);
	if (err)
		return err;
	ch->first_record = ch->w.records;
	ch->first_pos = ch->w.tail;
	/* For the EPOCH that a takeover has appended, unless there was none. */
	if (ch->w.tail && shmchan_lane_flush(&ch->w))
		(void)shmchan_spsc__ring(ch);
	return 0;
}

static int attach_receiver(struct shmchan_spsc *ch,
			   const struct shmchan_lane *lane)
{
	const uint32_t *waiters = NULL;
	int err;

	if (!ch->poll)
		waiters = &shmchan_doorbell_status(ch->region,
						   BELL_SPACE)->waiters;
	err = shmchan_lane_reader_join(&ch->r, lane, 0, ch->region->generation,
				       SHMCHAN_FROM_CURSOR, waiters,
				       ch->poll ? NULL : wake_sender, ch);
	/* The last receiver left nonsense: what is certain is a checkpoint. */
	if (err == -EBADMSG)
		err = shmchan_lane_reader_rejoin(&ch->r, SHMCHAN_FROM_OLDEST);
	if (err)
		return err;
	ch->first_record = ch->r.records;
	ch->first_pos = ch->r.pos;
	return 0;
}

static int attach(struct shmchan_spsc *ch, const struct shmchan_spsc_opts *opts)
{
	struct shmchan_region *region = ch->region;
	uint32_t peer = opts->role == SHMCHAN_SENDER ? SLOT_RECEIVER :
						       SLOT_SENDER;
	struct shmchan_wire_spsc header;
	struct shmchan_lane lane;
	int err;

	err = check_header(region, &header, &lane);
	if (err)
		return err;
	ch->role = opts->role;
	ch->poll = header.lane.flags & SHMCHAN_LANE_POLL;
	ch->ring_offset = header.lane.ring_offset;
	ch->cursor_offset = header.lane.cursors_offset;
	ch->peer_word = &lane.slots[peer];
	ch->own_word = &lane.slots[opts->role];
	ch->own_live = shmchan_slot_word(region, (uint32_t)opts->role);
	ch->peer_known = SHMCHAN_SLOT_WORD_GEN(shmchan_slot_word(region, peer));
	shmchan_spsc__set_spin(ch, opts->spin_ns);
	/* Nobody there yet is fine; anything else is looked at first. */
	ch->peer_fine = 0;
	return opts->role == SHMCHAN_SENDER ? attach_sender(ch, &lane) :
					      attach_receiver(ch, &lane);
}

int shmchan_spsc_open(struct shmchan_spsc *ch, const char *name,
		      const struct shmchan_spsc_opts *opts)
{
	int err;

	memset(ch, 0, sizeof(*ch));
	err = check_opts(opts);
	if (err)
		return err;
	err = open_or_create(&ch->region, name, opts);
	if (err) {
		ch->region = NULL;
		return err;
	}
	err = attach(ch, opts);
	if (err) {
		shmchan_region_close(ch->region);
		ch->region = NULL;
	}
	return err;
}

void shmchan_spsc_close(struct shmchan_spsc *ch)
{
	int due;

	if (!ch || !ch->region)
		return;
	if (ch->role == SHMCHAN_SENDER) {
		due = shmchan_lane_close(&ch->w);
		/* Commits with MORE that nobody flushed count too. */
		if (due > 0 || shmchan_lane_flush(&ch->w) > 0)
			(void)shmchan_spsc__ring(ch);
	} else {
		shmchan_lane_leave(&ch->r);
	}
	shmchan_region_close(ch->region);
	ch->region = NULL;
}

void shmchan_spsc_get_stats(const struct shmchan_spsc *ch,
			    struct shmchan_spsc_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->rings = ch->rings;
	stats->waits = ch->waits;
	if (ch->role == SHMCHAN_SENDER) {
		stats->records = ch->w.records - ch->first_record;
		stats->bytes = ch->w.tail - ch->first_pos;
	} else {
		stats->records = ch->r.records - ch->first_record;
		stats->bytes = ch->r.pos - ch->first_pos;
		stats->epochs = ch->r.epochs;
	}
}
