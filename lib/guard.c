// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Handles that are used wrongly, in words: see <shmchan/guard.h>. */

#include <string.h>

#include <shmchan/guard.h>

#include "guard_private.h"
#include "internal.h"
#include "lane_private.h"

/* Where a commit of what was reserved before the end stores; nobody looks. */
static uint64_t nowhere[2];
/* No word that there is. */
#define NEVER	(~0ULL)

int shmchan__in_use(const char *what)
{
	return shmchan__fail(EBUSY,
			     "%s: another thread is in a call on this handle, which belongs to one thread at a time: open one for each",
			     what);
}

int shmchan__not_open(const char *what)
{
	return shmchan__fail(EINVAL,
			     "%s: this handle is not open: it was closed, its opening failed, or it never was",
			     what);
}

int shmchan__no_reservation(const char *what)
{
	return shmchan__fail(EINVAL,
			     "%s: no reservation of this handle's that is open: it was committed or aborted before, or is another's",
			     what);
}

int shmchan__too_much(const char *what, size_t length, size_t room)
{
	return shmchan__fail(EINVAL,
			     "%s: %zu bytes to commit, where %zu were reserved",
			     what, length, room);
}

void shmchan__shut_writer(struct shmchan_lane_writer *w)
{
	memset(w, 0, sizeof(*w));
	w->ring = (uint8_t *)nowhere;
	w->lap = (uintptr_t)nowhere;
	w->own_word = &shmchan__no_slot;
	w->own_live = NEVER;
}

void shmchan__shut_reader(struct shmchan_lane_reader *r)
{
	memset(r, 0, sizeof(*r));
	r->ring = (const uint8_t *)&shmchan__no_slot;
	r->lap = (uintptr_t)&shmchan__no_slot;
	/* Not 0: then there would be more to look at. */
	r->soft_end = 1;
	r->own_word = r->writer_word = &shmchan__no_slot;
	r->own_live = NEVER;
}
