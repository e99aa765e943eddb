// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Watching a channel without disturbing it: the memory and its lanes. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

#define FIRST_ROOM	65536
#define PAGE		4096ULL
#define SHORTEST_NS	50000ULL
#define LONGEST_NS	10000000ULL
#define LOOK_NS		300000000ULL	/* who is there */

/* Members of a local channel may shorten its file under us. */
static void on_sigbus(int number)
{
	static const char words[] =
		"shmchan: the channel's file got shorter: a member breaks it\n";

	(void)number;
	(void)!write(STDERR_FILENO, words, sizeof(words) - 1);
	_exit(TOOL_FAILED);
}

static int fail_open(const struct tap *t, int err)
{
	tool_fail(t->common->command, "%s: %s", t->common->name, strerror(err));
	return tool_status(-err);
}

/* Where what is in a channel's memory is, wherever that is mapped. */
struct place {
	uint8_t *base;
	uint64_t size;
	uint64_t control;
	uint64_t status;
	uint32_t nr_slots;
};

/*
 * A lane as one that overwrites, without cursors: so no call on its reader writes.
 */
static int join(struct tap *t, const struct place *at, uint32_t i,
		const struct shmchan_lane_geometry *theirs,
		enum shmchan_lane_from from)
{
	struct shmchan_lane_geometry geo = *theirs;
	struct shmchan_lane lane;
	int err;

	geo.flags = SHMCHAN_LANE_OVERWRITE;
	geo.nr_readers = 0;
	geo.reader_slot = 0;
	geo.cursors_offset = at->control;
	geo.cursor_stride = sizeof(struct shmchan_lane_cursor);
	err = shmchan_lane_attach(&lane, at->base, at->size, &geo, t->slots,
				  at->nr_slots);
	if (!err)
		err = shmchan_lane_reader_join(&t->lanes[i], &lane,
					       SHMCHAN_NO_CURSOR, 0, from,
					       NULL, NULL, NULL);
	/* Whether we are still a member shows there. */
	if (!err && t->region)
		err = shmchan_lane_reader_slot(&t->lanes[i], t->region->slot);
	return err ? tool_library_error(t->common->command, err) : 0;
}

static int join_all(struct tap *t, const struct place *at,
		    enum shmchan_lane_from from)
{
	const struct shmchan_wire *wire =
		(const struct shmchan_wire *)(at->base + at->control);
	struct shmchan_wire_channel many;
	struct shmchan_wire_spsc one;
	uint32_t i;
	int status = 0;

	memcpy(&one, wire, sizeof(one));
	memcpy(&many, wire, sizeof(many));
	if (one.wire.magic != SHMCHAN_WIRE_MAGIC ||
	    one.wire.version != SHMCHAN_WIRE_VERSION ||
	    (one.wire.kind != SHMCHAN_WIRE_SPSC &&
	     one.wire.kind != SHMCHAN_WIRE_CHANNEL))
		return tool_fail(t->common->command,
			"%s is a %s: only channels, from one to one or of many, can be watched",
			t->common->name,
			one.wire.magic == SHMCHAN_WIRE_MAGIC ?
			shmchan_wire_kind_name(one.wire.kind) :
			"region that is no channel");
	t->kind = (enum shmchan_wire_kind)one.wire.kind;
	t->slots = (const uint64_t *)(at->base + at->status +
				      SHMCHAN_STATUS_SLOTS_OFFSET);
	t->nr_slots = at->nr_slots;
	t->nr_senders = 1;
	t->capacity = one.lane.capacity;
	if (t->kind == SHMCHAN_WIRE_CHANNEL) {
		t->nr_senders = many.nr_senders;
		t->capacity = many.capacity;
	}
	if (!t->nr_senders || t->nr_senders > SHMCHAN_CHANNEL_MAX)
		return tool_fail(t->common->command,
				 "%s is damaged: %u senders", t->common->name,
				 t->nr_senders);
	t->lanes = calloc(t->nr_senders, sizeof(*t->lanes));
	t->dead = calloc(t->nr_senders, 1);
	if (!t->lanes || !t->dead ||
	    buffer_grow(t->common->command, &t->buffer, &t->size, FIRST_ROOM))
		return tool_fail(t->common->command, "no memory for %u lanes",
				 t->nr_senders);
	for (i = 0; i < t->nr_senders && !status; i++) {
		/* As channels of many lay them out: the ring, and a page. */
		const struct shmchan_lane_geometry lane = {
			.ring_offset = i * many.capacity,
			.capacity = many.capacity,
			.control_offset = at->control + (1 + i) * PAGE,
			.writer_slot = i,
		};

		status = join(t, at, i, t->kind == SHMCHAN_WIRE_CHANNEL ?
			      &lane : &one.lane, from);
	}
	return status;
}

/* The local backend: the file, which shmchan_region_stat() has looked into. */
static int map_file(struct tap *t, const struct shmchan_region_info *info,
		    struct place *at)
{
	const struct shmchan_query *q = &info->query;
	struct sigaction action = { .sa_handler = on_sigbus };
	char path[PATH_MAX];
	struct stat st;
	void *base;
	int fd;

	snprintf(path, sizeof(path), "%s/shmchan.%s", shmchan_local_dir(),
		 t->common->name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return fail_open(t, errno);
	t->mapped = q->status_offset + q->status_size;
	if (fstat(fd, &st) || st.st_ino != info->inode ||
	    (uint64_t)st.st_size < t->mapped) {
		close(fd);
		return fail_open(t, ENOENT);
	}
	if (!t->common->any_owner && st.st_uid != geteuid() && st.st_uid) {
		close(fd);
		tool_fail(t->common->command,
			  "%s is of user %u: --any-owner, to trust it all the same",
			  t->common->name, (unsigned int)st.st_uid);
		return TOOL_DENIED;
	}
	base = mmap(NULL, t->mapped, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (base == MAP_FAILED)
		return fail_open(t, errno);
	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, NULL);
	t->base = base;
	t->inode = info->inode;
	*at = (struct place){ base, t->mapped, q->control_offset,
			      q->status_offset, q->nr_slots };
	return 0;
}

/*
 * The module: as who only looks, in the last of the slots, to read.  The first of those
 * is left to who looks for a moment.
 */
static int take_seat(struct tap *t, const struct shmchan_region_info *info,
		     struct place *at)
{
	struct shmchan_open_opts opts = SHMCHAN_OPEN_OPTS(
		.backend = SHMCHAN_BACKEND_KMOD,
		.any_owner = t->common->any_owner,
		.rights = SHMCHAN_RIGHT_MAP_READ);
	struct shmchan_channel_info *channel = NULL;
	int err, i;

	err = shmchan_channel_stat(&channel, SHMCHAN_BACKEND_KMOD,
				   t->common->name);
	if (err == -EPROTO && info->query.nr_slots == 2) {
		tool_fail(t->common->command,
			  "%s has two seats, its sender's and its receiver's, and the module lets nobody map it who has none. A channel of many (shmchan pub) has seats for who only looks; or put 'shmchan recv | tee' in between",
			  t->common->name);
		return TOOL_FAILED;
	}
	if (err)
		return tool_library_error(t->common->command, err);
	opts.slot = channel->wire.nr_senders + channel->wire.nr_receivers;
	shmchan_channel_info_free(channel);
	for (i = 1; i < SHMCHAN_CHANNEL_OBSERVERS; i++) {
		opts.slot++;
		err = shmchan_region_open(&t->region, t->common->name, &opts);
		if (err != -EBUSY)
			break;
	}
	if (err) {
		t->region = NULL;
		return common_open_failed(t->common, err);
	}
	*at = (struct place){ t->region->base,
			      t->region->control_offset +
			      t->region->control_size,
			      t->region->control_offset,
			      t->region->status_offset, t->region->nr_slots };
	return 0;
}

/* *waited: it was not there, and then it was. */
static int stat_or_wait(struct tap *t, struct shmchan_region_info **info,
			int *waited)
{
	const struct timespec pause = { 0, 10000000 };
	const struct common *c = t->common;
	uint64_t begin = monotonic_ns();
	int err;

	for (;;) {
		err = shmchan_region_stat(info, c->backend, c->name);
		if (err != -ENOENT || !c->wait || asked_to_end())
			break;
		if (c->timeout_ns >= 0 &&
		    monotonic_ns() - begin > (uint64_t)c->timeout_ns) {
			tool_fail(c->command, "no %s appeared in %g s", c->name,
				  (double)c->timeout_ns / 1e9);
			return TOOL_TIMEOUT;
		}
		*waited = 1;
		nanosleep(&pause, NULL);
	}
	return err ? tool_library_error(c->command, err) : 0;
}

int tap_open(struct tap *t, const struct common *common,
	     enum shmchan_lane_from from)
{
	struct shmchan_region_info *info = NULL;
	struct place at;
	int status, waited = 0;

	memset(t, 0, sizeof(*t));
	t->common = common;
	t->looked = monotonic_ns();
	status = stat_or_wait(t, &info, &waited);
	if (status)
		return status;
	/* Who waits for its beginning means all of it. */
	if (waited)
		from = SHMCHAN_FROM_OLDEST;
	status = info->backend == SHMCHAN_BACKEND_KMOD ?
		 take_seat(t, info, &at) : map_file(t, info, &at);
	shmchan_region_info_free(info);
	if (!status)
		status = join_all(t, &at, from);
	if (status)
		tap_close(t);
	return status;
}

void tap_close(struct tap *t)
{
	free(t->lanes);
	free(t->dead);
	free(t->buffer);
	if (t->base)
		munmap((void *)(uintptr_t)t->base, t->mapped);
	if (t->region)
		shmchan_region_close(t->region);
	memset(t, 0, sizeof(*t));
}

/* One lane: 0, or what is to be told of it. */
static int read_lane(struct tap *t, uint32_t i, struct tap_message *m)
{
	struct shmchan_lane_reader *r = &t->lanes[i];
	struct shmchan_lane_sender sender;
	int err;

	do
		err = shmchan_lane_recv(r, t->buffer, t->size, &m->length,
					&m->meta);
	while (err == -EMSGSIZE &&
	       !buffer_grow(t->common->command, &t->buffer, &t->size,
			    m->length));
	m->slot = i;
	m->generation = 0;
	switch (-err) {
	case 0:
		t->dead[i] = 0;
		m->data = t->buffer;
		if (!shmchan_lane_reader_sender(r, &sender))
			m->generation = sender.by_lane;
		return 0;
	case EOVERFLOW:
		m->lost = r->lost;
		return err;
	case EPIPE:
	case EOWNERDEAD:
		/* They say so until somebody else comes. */
		if (t->dead[i])
			return -EAGAIN;
		t->dead[i] = 1;
		t->died |= err == -EOWNERDEAD;
		return err;
	case EBADMSG:
		if (t->dead[i] == 2)
			return -EAGAIN;
		t->dead[i] = 2;
		t->died = 1;
		return err;
	default:
		return err;
	}
}

int tap_next(struct tap *t, struct tap_message *m)
{
	uint32_t n, i;
	int err;

	for (n = 0; n < t->nr_senders; n++) {
		i = t->next;
		err = read_lane(t, i, m);
		if (err != -EAGAIN) {
			/* The others have their turn: order between them is none. */
			t->next = (i + 1) % t->nr_senders;
			t->idle_ns = 0;
			return err;
		}
		t->next = (i + 1) % t->nr_senders;
	}
	return -EAGAIN;
}

/* Has everybody left, but who only looks? */
static int all_gone(const struct tap *t)
{
	struct shmchan_region_info *info;
	int gone, err;
	uint32_t i;

	/* The module keeps the slot words true; ours is not among these. */
	if (t->region) {
		for (i = 0; i < t->nr_slots - SHMCHAN_CHANNEL_OBSERVERS; i++)
			if (SHMCHAN_SLOT_WORD_STATE(shmchan_slot_word(
				t->region, i)) == SHMCHAN_SLOT_LIVE)
				return 0;
		return 1;
	}
	err = shmchan_region_stat(&info, SHMCHAN_BACKEND_LOCAL,
				  t->common->name);
	if (err)
		return err == -ENOENT;
	gone = info->inode != t->inode || !info->nr_live;
	shmchan_region_info_free(info);
	return gone;
}

/* Where nobody is left, nobody has said of the last ones that they died. */
static void see_the_dead(struct tap *t)
{
	uint64_t word;
	uint32_t i;

	for (i = 0; i < t->nr_senders; i++) {
		word = shmchan_load_acquire((uint64_t *)
					    &t->slots[t->lanes[i].lane.writer_slot]);
		if (SHMCHAN_SLOT_WORD_STATE(word) == SHMCHAN_SLOT_LIVE)
			t->died = 1;
	}
}

int tap_sleep(struct tap *t)
{
	uint64_t now = monotonic_ns();
	struct timespec pause;

	if (t->gone)
		return 1;
	if (now - t->looked > LOOK_NS) {
		t->looked = now;
		t->gone = all_gone(t);
		/* What they have sent meanwhile comes first. */
		if (t->gone) {
			see_the_dead(t);
			return 0;
		}
	}
	t->idle_ns = !t->idle_ns ? SHORTEST_NS : 2 * t->idle_ns;
	if (t->idle_ns > LONGEST_NS)
		t->idle_ns = LONGEST_NS;
	pause.tv_sec = 0;
	pause.tv_nsec = (long)t->idle_ns;
	nanosleep(&pause, NULL);
	return 0;
}
