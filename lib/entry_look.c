// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* What there is, before a seat of it is taken: see entry.h. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "access_private.h"
#include "backend_local.h"
#include "entry.h"

/* The local backend: the header is in the file. */

static int look_at_file(int fd, struct shmchan__sight *s,
			const struct shmchan__entry *e)
{
	struct local_super super;
	struct local_layout at;
	size_t length = sizeof(s->header);
	int err = local_read_super(fd, &super, &at);

	if (err)
		return err;
	if (length > at.status - at.control)
		length = at.status - at.control;
	if (pread(fd, &s->header, length, (off_t)at.control) != (ssize_t)length)
		return shmchan__fail(EPROTO, "%s: the file of %s got shorter",
				     e->what, s->name);
	s->nr_slots = super.nr_slots;
	s->has_header = 1;
	err = shmchan__entry_wire(e->what, s->name, &s->header.wire, e->kind,
				  e->length);
	if (err != -EPROTO || local_anyone(fd))
		return err;
	/* To open it says that it is nothing, and removes it. */
	s->abandoned = 1;
	return 0;
}

static int look_locally(struct shmchan__sight *s, const struct shmchan__entry *e)
{
	int fd = local_look(s->name), err;

	if (fd < 0)
		return fd;
	err = look_at_file(fd, s, e);
	close(fd);
	return err;
}

/* The module: slots, doorbells and windows can be seen, and no memory. */

/* How many windows there are of all members. */
static uint32_t shared_windows(const struct shmchan__sight *s)
{
	uint32_t i, n = 0;

	for (i = 0; i < s->q.nr_windows; i++)
		n += s->windows[i].slot == SHMCHAN_SLOT_SHARED;
	return n;
}

static uint32_t shared_bells(const struct shmchan__sight *s)
{
	uint32_t i, n = 0;

	for (i = 0; i < s->q.nr_doorbells; i++)
		n += s->bells[i].owner == SHMCHAN_SLOT_SHARED;
	return n;
}

/* Doorbell i + 1 is that of slot i. */
static int bell_of_each(const struct shmchan__sight *s)
{
	uint32_t i;

	for (i = 0; i < s->q.nr_doorbells; i++)
		if (s->bells[i].owner != i)
			return 0;
	return s->q.nr_doorbells == s->q.nr_slots;
}

/* As many as there are doorbells, with cells for as many members as there are slots. */
static int objects_fit(const struct shmchan__sight *s)
{
	const struct shmchan_window *w = &s->windows[s->q.nr_windows - 1];

	return w->offset == s->q.control_offset + SHMCHAN_PAGE &&
	       w->length == SHMCHAN_ALIGN_UP(64ULL * (1 + s->q.nr_slots) *
					     s->q.nr_doorbells, SHMCHAN_PAGE);
}

/* As the file that makes one says. */
static int fits(const struct shmchan__sight *s, uint32_t kind)
{
	uint32_t slots = s->q.nr_slots, bells = s->q.nr_doorbells;
	uint32_t windows = s->q.nr_windows;

	switch (kind) {
	case SHMCHAN_WIRE_SPSC:
		return slots == 2 && windows == 3 && bells == 2 &&
		       s->bells[0].owner == 1 && s->bells[1].owner == 0;
	case SHMCHAN_WIRE_CHANNEL:
		return slots >= 2 + SHMCHAN_CHANNEL_OBSERVERS &&
		       bells == 2 && shared_bells(s) == 2 &&
		       windows >= 2 && !shared_windows(s);
	case SHMCHAN_WIRE_RPC:
		return slots >= 2 && bell_of_each(s) &&
		       windows == 2 * slots && !shared_windows(s);
	case SHMCHAN_WIRE_POOL:
		return slots >= 2 && bells == 1 && windows == slots + 1;
	case SHMCHAN_WIRE_WORKQ:
		return bells == 2 && shared_bells(s) == 2 && windows == 2 &&
		       shared_windows(s) == 2;
	case SHMCHAN_WIRE_SYNC:
		return bells && shared_bells(s) == bells && windows &&
		       windows <= 2 && shared_windows(s) == windows &&
		       objects_fit(s);
	default:
		return 1;
	}
}

/* What it looks like instead; 0: nothing that we know. */
static uint32_t resembles(const struct shmchan__sight *s)
{
	uint32_t kind;

	for (kind = SHMCHAN_WIRE_SPSC; kind <= SHMCHAN_WIRE_SYNC; kind++)
		if (fits(s, kind))
			return kind;
	return 0;
}

static int query(int fd, struct shmchan__sight *s)
{
	int err;

	s->windows = (struct shmchan_window *)(s + 1);
	s->bells = (struct shmchan_doorbell *)(s->windows + SHMCHAN_MAX_WINDOWS);
	s->q.windows = (uintptr_t)s->windows;
	s->q.nr_windows = SHMCHAN_MAX_WINDOWS;
	s->q.doorbells = (uintptr_t)s->bells;
	s->q.room_doorbells = SHMCHAN_MAX_DOORBELLS;
	err = shmchan_capability_query(fd, &s->q);
	s->nr_slots = s->q.nr_slots;
	return err;
}

static int look_by_name(struct shmchan__sight *s, const struct shmchan__entry *e)
{
	struct shmchan_capability_opts opts = SHMCHAN_CAPABILITY_OPTS(
		.backend = SHMCHAN_BACKEND_KMOD,
		.rights = SHMCHAN_RIGHT_MAP_READ, .any_owner = e->any_owner);
	int fd = shmchan_capability_open(s->name, &opts), err;
	uint32_t kind;

	if (fd < 0)
		return fd;
	err = query(fd, s);
	close(fd);
	if (err || fits(s, e->kind))
		return err;
	kind = resembles(s);
	/* Of a later version, perhaps: its header says which, to who is in. */
	if (!kind)
		return 0;
	return shmchan__fail(EPROTO,
			     "%s: %s looks like a %s (kind %u), not like a %s (kind %u): it has %u slots, %u doorbells and %u windows",
			     e->what, s->name, shmchan_wire_kind_name(kind),
			     kind, shmchan_wire_kind_name(e->kind), e->kind,
			     s->nr_slots, s->q.nr_doorbells, s->q.nr_windows);
}

static int look_by_capability(struct shmchan__sight *s,
			      const struct shmchan__entry *e)
{
	int err = query(*e->capability, s);

	if (err || fits(s, e->kind))
		return err;
	return shmchan__fail(EPROTO,
			     "%s: the capability is for %s, which is not a %s: it has %u slots, %u doorbells and %u windows",
			     e->what, s->name, shmchan_wire_kind_name(e->kind),
			     s->nr_slots, s->q.nr_doorbells, s->q.nr_windows);
}

int shmchan__entry_look(struct shmchan__sight **sight, const char *name,
			const struct shmchan__entry *e)
{
	enum shmchan_backend backend = e->backend;
	struct shmchan__sight *s;
	size_t size = sizeof(*s);
	int err;

	*sight = NULL;
	err = e->capability ? 0 : shmchan__pick_backend(&backend);
	if (err)
		return err;
	/* Much, so only if it is needed, and not to be cleared. */
	if (e->capability || backend == SHMCHAN_BACKEND_KMOD)
		size += SHMCHAN_MAX_WINDOWS * sizeof(*s->windows) +
			SHMCHAN_MAX_DOORBELLS * sizeof(*s->bells);
	s = malloc(size);
	if (!s)
		return shmchan__fail(ENOMEM, "%s: no memory to look at %s",
				     e->what, name);
	memset(s, 0, sizeof(*s));
	s->name = name;
	if (e->capability)
		err = look_by_capability(s, e);
	else if (backend == SHMCHAN_BACKEND_KMOD)
		err = look_by_name(s, e);
	else
		err = look_locally(s, e);
	if (err)
		free(s);
	else
		*sight = s;
	return err;
}
