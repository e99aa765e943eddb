// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Channels from one sender to one receiver: opening and closing. */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "entry.h"
#include "spsc_private.h"

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

static int take_opts(struct shmchan_spsc_opts *opts,
		     const struct shmchan_spsc_opts *theirs)
{
	static const struct shmchan__opts_type type = {
		sizeof(*opts), offsetof(struct shmchan_spsc_opts, wait_ns),
		"SHMCHAN_SPSC_OPTS",
	};
	int err = shmchan__take_opts(opts, &type, theirs);

	if (err)
		return err;
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

static int make(struct shmchan_region **region, const char *name,
		const struct shmchan__entry *entry)
{
	const struct shmchan_spsc_opts *opts = entry->arg;
	uint64_t capacity = shmchan__power_of_two(
		opts->capacity ? opts->capacity : default_capacity(),
		SHMCHAN_LANE_MIN_CAPACITY);
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
	ropts.join_flags = opts->join_flags;
	return shmchan_region_create(region, name, &ropts);
}

static int open_or_create(struct shmchan_region **region, const char *name,
			  const int *capability,
			  const struct shmchan_spsc_opts *opts)
{
	const struct shmchan__entry entry = {
		.what = "spsc", .kind = SHMCHAN_WIRE_SPSC,
		.length = sizeof(struct shmchan_wire_spsc),
		.seat = opts->role == SHMCHAN_SENDER ? "the sender's" :
						       "the receiver's",
		.backend = opts->backend,
		.first_slot = (uint32_t)opts->role, .nr_slots = 1,
		.join_flags = opts->join_flags,
		.any_owner = opts->any_owner, .create = opts->create,
		.exclusive = opts->exclusive, .wait_ns = opts->wait_ns,
		.capability = capability,
		.make = make, .arg = opts,
	};

	return shmchan__entry_open(region, name, &entry);
}

/*
 * A name may be published with less than a channel takes, and then parts of it
 * would not be mapped.
 */
static int check_reach(const struct shmchan_region *region,
		       const struct shmchan_lane_geometry *geo)
{
	const struct {
		const char *name;
		uint64_t offset, length;
	} parts[] = {
		{ "ring", geo->ring_offset, geo->capacity },
		{ "control words", geo->control_offset,
		  sizeof(struct shmchan_lane_control) },
		{ "cursor", geo->cursors_offset,
		  sizeof(struct shmchan_lane_cursor) },
	};
	size_t i;
	int err;

	err = shmchan__entry_rights(region->rights, region->name, "spsc",
				    SHMCHAN__RIGHTS_OF_MEMBERS);
	for (i = 0; !err && i < sizeof(parts) / sizeof(parts[0]); i++)
		err = shmchan__entry_reach(region, "spsc", parts[i].name,
					   parts[i].offset, parts[i].length);
	return err;
}

/* All that the sealed header says, once. */
static int check_header(const struct shmchan_region *region,
			struct shmchan_wire_spsc *header,
			struct shmchan_lane *lane)
{
	const struct shmchan_lane_geometry *geo = &header->lane;
	int err;

	err = shmchan__entry_header(region, "spsc", SHMCHAN_WIRE_SPSC, header,
				    sizeof(*header));
	if (err)
		return err;
	if (region->nr_slots != 2 || region->nr_doorbells != 2 ||
	    header->data_doorbell != BELL_DATA ||
	    header->space_doorbell != BELL_SPACE || geo->nr_readers != 1 ||
	    geo->writer_slot != SLOT_SENDER ||
	    geo->reader_slot != SLOT_RECEIVER ||
	    (geo->flags & ~SHMCHAN_LANE_POLL) != SHMCHAN_LANE_HOLD)
		return shmchan__fail(EPROTO,
				     "spsc: %s has another geometry than a channel for one sender and one receiver",
				     shmchan__name_of(region));
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
				     shmchan__name_of(region));
	err = check_reach(region, geo);
	if (err)
		return err;
	if (region->slot == SLOT_RECEIVER)
		return shmchan__entry_window(region, "spsc",
					     geo->cursors_offset,
					     sizeof(struct shmchan_lane_cursor));
	err = shmchan__entry_window(region, "spsc", geo->ring_offset,
				    geo->capacity);
	if (!err)
		err = shmchan__entry_window(region, "spsc",
					    geo->control_offset,
					    sizeof(struct shmchan_lane_control));
	return err;
}

static void wake_sender(void *arg)
{
	struct shmchan_spsc *ch = (struct shmchan_spsc *)arg;

	ch->rings++;
	/* ESTALE shows at the next call; nothing else can fail. */
	(void)shmchan_spsc__told(ch, shmchan_bell_ring(ch->region, BELL_SPACE,
						       0));
}

static int attach_sender(struct shmchan_spsc *ch,
			 const struct shmchan_lane *lane)
{
	int err;

	err = shmchan_lane_writer_attach(&ch->w, lane, ch->region->generation,
		&shmchan_doorbell_status(ch->region, BELL_DATA)->waiters);
	if (err)
		return err;
	shmchan_lane_writer_asym(&ch->w, (int)ch->region->asym);
	ch->first_record = ch->w.records;
	ch->first_pos = ch->w.tail;
	/* For the EPOCH that a takeover has appended, unless there was none. */
	if (ch->w.tail && shmchan_lane_flush(&ch->w) > 0)
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
	/* Nobody is overtaken in a HOLD lane: an honest sender has one. */
	if (err == -EAGAIN)
		return shmchan__fail(EBADMSG,
				     "spsc: the last receiver of %s left a cursor that is nonsense, and the sender breaks the rules: it has no checkpoint to begin at",
				     shmchan__name_of(ch->region));
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
	ch->own_word = region->own_word;
	ch->own_live = region->own_live;
	ch->peer_known = SHMCHAN_SLOT_WORD_GEN(shmchan_slot_word(region, peer));
	shmchan_spsc__set_spin(ch, opts->spin_ns);
	/* No word that is there: it is looked at first. */
	ch->peer_fine = ~0ULL;
	return opts->role == SHMCHAN_SENDER ? attach_sender(ch, &lane) :
					      attach_receiver(ch, &lane);
}

/* As it is when it is not open: whatever is inlined goes the slow way. */
static void shut(struct shmchan_spsc *ch)
{
	memset(ch, 0, sizeof(*ch));
	shmchan__shut_writer(&ch->w);
	shmchan__shut_reader(&ch->r);
	ch->peer_word = ch->own_word = ch->w.own_word;
	ch->peer_fine = ch->own_live = ch->w.own_live;
}

static int enter(struct shmchan_spsc *ch, const char *name,
		 const int *capability, const struct shmchan_spsc_opts *opts)
{
	int err = open_or_create(&ch->region, name, capability, opts);

	if (err)
		return err;
	err = attach(ch, opts);
	/* Whatever was found, and was no part of the channel. */
	if (err && shmchan_region_check(ch->region))
		err = -ESTALE;
	if (err) {
		shmchan__entry_undo(ch->region, capability);
		shut(ch);
	}
	return err;
}

static int no_handle(void)
{
	return shmchan__fail(EINVAL, "spsc: no handle (NULL)");
}

int shmchan_spsc_open(struct shmchan_spsc *ch, const char *name,
		      const struct shmchan_spsc_opts *opts)
{
	struct shmchan_spsc_opts o;
	int err;

	if (!ch)
		return no_handle();
	shut(ch);
	err = take_opts(&o, opts);
	return err ? err : enter(ch, name, NULL, &o);
}

int shmchan_spsc_adopt(struct shmchan_spsc *ch, int capability,
		       const struct shmchan_spsc_opts *opts)
{
	struct shmchan_spsc_opts o;
	int err;

	if (!ch)
		return no_handle();
	shut(ch);
	err = take_opts(&o, opts);
	if (err)
		return err;
	if (o.capacity || o.poll || o.mode || o.same_uid)
		return shmchan__fail(EINVAL,
				     "spsc: a capability is for a channel that is there: of the options only role, spin_ns and join_flags say something of it");
	return enter(ch, NULL, &capability, &o);
}

static void part(struct shmchan_spsc *ch)
{
	int due;

	if (ch->role == SHMCHAN_RECEIVER) {
		shmchan_lane_leave(&ch->r);
		return;
	}
	due = shmchan_lane_close(&ch->w);
	/* Commits with MORE that nobody flushed count too. */
	if (due > 0 || shmchan_lane_flush(&ch->w) > 0)
		(void)shmchan_spsc__ring(ch);
}

void shmchan_spsc_close(struct shmchan_spsc *ch)
{
	if (!ch || !ch->region)
		return;
	/* A sender that was revoked has not come to its end. */
	if (!shmchan_spsc_check(ch))
		part(ch);
	shmchan_region_close(ch->region);
	shut(ch);
}

void shmchan_spsc_get_stats(const struct shmchan_spsc *ch,
			    struct shmchan_spsc_stats *stats)
{
	if (!stats)
		return;
	memset(stats, 0, sizeof(*stats));
	if (!ch || !ch->region)
		return;
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
