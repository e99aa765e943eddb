/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_BACKEND_LOCAL_H
#define SHMCHAN_BACKEND_LOCAL_H

/*
 * The local backend: regions in tmpfs files, kept by their members.
 *
 * A region is one file.  Its bytes are the areas of the ABI at their offsets,
 * then what the kernel would keep to itself:
 *
 *	data | control | status | descriptors, identities | super
 *
 * The gaps between the areas are holes.  Far behind the bytes lie lock bytes
 * that exist only as OFD locks: one per slot, held by its holder for as long
 * as it lives, and one, the gate, held by whoever changes who is a member or
 * what a name means.  Locks end with the file, so with the process; that is
 * all that liveness rests on.
 *
 * The rules, from which the rest follows:
 *
 *  1. A file gets its name when it is complete and its creator holds a slot.
 *  2. A named file none of whose slot bytes is locked is *stale*.  Whoever
 *     meets one under its gate removes the name; the last to leave does too.
 *  3. A name is removed only under the gate of the file that it names, and
 *     given only to where there is none: so who holds the gate and sees the
 *     name of its file knows that it stays.
 *  4. A slot byte is locked before its word says LIVE and unlocked after it
 *     says LEFT.  So a word that said LIVE *before* its byte was seen
 *     unlocked is that of a holder who died.
 */

#include "backend.h"

#pragma GCC visibility push(hidden)

#define LOCAL_MAGIC	0x316e6168636d6873ULL	/* "shmchan1" */
#define LOCAL_VERSION	1
#define LOCAL_PREFIX	"shmchan."
#define LOCAL_DIR	"/dev/shm"

/* How long to wait for a gate: its holder does little and does not sleep. */
#define LOCAL_GATE_NS	10000000000ULL

/* Attempts at a name that others keep changing. */
#define LOCAL_TRIES	1000

/* The last page of the file. */
struct local_super {
	uint64_t magic;
	uint32_t version;
	uint32_t flags;			/* SHMCHAN_CREATE_* */
	uint64_t data_size;
	uint64_t control_size;
	uint32_t nr_slots;
	uint32_t nr_doorbells;
	uint32_t nr_windows;
	uint32_t data_folio_size;	/* what was got */
	/* Above: fixed before the file has a name. */
	uint64_t reserved[2];
	uint64_t reaped;		/* CLOCK_MONOTONIC ns: last look for dead */
};

/* What a holder says about itself. */
struct local_identity {
	uint32_t generation;
	uint32_t pid;
	uint64_t pid_ns;		/* inode of its pid namespace */
	uint32_t uid;
	uint32_t gid;
	uint32_t state;			/* how it ended, once it is the last */
	uint32_t reserved;
};

/* The holder of a slot and the one before. */
struct local_holders {
	struct local_identity now, before;
};

/* Where everything is, computed from the counts alone. */
struct local_layout {
	uint64_t control;
	uint64_t status;
	uint64_t status_size;
	uint64_t meta;			/* first byte after the status area */
	uint64_t slots;			/* struct shmchan_slot each */
	uint64_t doorbells;		/* struct shmchan_doorbell each */
	uint64_t windows;		/* struct shmchan_window each */
	uint64_t holders;		/* struct local_holders per slot */
	uint64_t super;
	uint64_t size;			/* of the file */
};

/* Beside the handle. */
struct shmchan__local {
	struct local_layout at;
	char *path;			/* NULL: unnamed */
	uint8_t *meta;			/* [at.meta, at.size), writable */
	struct local_super *super;
	/*
	 * Who has subscribed to ends of members: the generation of each slot
	 * whose end was told last.  Once set it stays.
	 */
	uint32_t *told;
	uint32_t telling;		/* subscribed now */
	/* At our last look: what slot words tell of changes, and what was counted. */
	uint64_t changes_seen;
	uint64_t seq_seen;
};

/* local_file.c: files, names, locks. */

void local_lay_out(struct local_layout *at, uint64_t data_size,
		  uint64_t control_size, uint32_t nr_slots,
		  uint32_t nr_doorbells, uint32_t nr_windows);
const char *local_dir(void);
int local_path(char *path, size_t size, const char *name);
/*
 * How to open what may be a region's file only to look into it.  O_NONBLOCK:
 * somebody may have put a pipe there.
 */
#define LOCAL_LOOK_FLAGS \
	(O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK)
/* So opened, of that name: the file, or the negative error with its detail. */
int local_look(const char *name);
int local_gate_enter(int fd, uint64_t timeout_ns);
void local_gate_leave(int fd);
int local_slot_lock(int fd, uint32_t slot);
void local_slot_unlock(int fd, uint32_t slot);
int local_slot_held(int fd, uint32_t slot);
int local_anyone(int fd);
int local_names(const char *path, int fd);
int local_is_region(int fd);
int local_read_super(int fd, struct local_super *super,
		     struct local_layout *at);
int local_displace(const char *path, const char *name);

/* local_members.c: slots and who holds them. */

int local_claim(struct shmchan_region_private *p, uint32_t slot);
void local_leave(struct shmchan_region_private *p);
int local_reap(struct shmchan_region_private *p, uint64_t now);
int local_member(const struct shmchan_region_private *p, uint32_t slot,
		 struct shmchan_member_info *info);

/* local_list.c: what there is. */

int local_list(int (*fn)(const struct shmchan_list_entry *entry, void *arg),
	       void *arg);

/* local_bell.c: futexes. */

void local_ring_members(struct shmchan_region_private *p);
int local_wait(struct shmchan_region_private *p,
	       const struct shmchan_wait_elem *elems, uint32_t nr_elems,
	       uint64_t deadline, uint32_t *index, int own);
int local_count(struct shmchan_region_private *p, uint32_t doorbell);
int local_ring(struct shmchan_region_private *p, uint32_t doorbell,
	       uint32_t max_wake);
int local_ring_wait(struct shmchan_region_private *p, uint32_t doorbell,
		    uint32_t max_wake, const struct shmchan_wait_elem *elems,
		    uint32_t nr_elems, uint64_t deadline, uint32_t *index);

/* What is slept on: a doorbell, and what the low half of its seq was. */
struct local_bell {
	struct shmchan_region_private *p;
	uint32_t number;
	uint32_t seq;
};

/* A futex of futex_waitv and of io_uring. */
struct local_waitv {
	uint64_t val;
	uint64_t uaddr;
	uint32_t flags;
	uint32_t reserved;
};

int local_bells_raise(struct local_bell *bells, uint32_t nr, int own,
		      int *passed);
struct local_waitv local_bell_futex(const struct local_bell *b);
void local_bells_sleep(const struct local_bell *bells, uint32_t nr,
		       uint64_t until);
uint64_t local_bells_due(const struct local_bell *bells, uint32_t nr,
			 uint64_t now, int without);
int local_still_member(const struct shmchan_region_private *p);

/* local_loop.c: several regions at a time, and events. */

uint32_t local_collect(struct local_bell *bells,
		       const struct shmchan_cond *conds, uint32_t nr);
int local_wait_conds(const struct shmchan_cond *conds, uint32_t nr,
		     uint64_t deadline, uint32_t *index, int own);
int local_wait_many(const struct shmchan_cond *conds, uint32_t nr,
		    uint64_t deadline, uint32_t *index);
int local_subscribe_members(struct shmchan_region_private *p);
int local_unsubscribe(struct shmchan_region_private *p, uint32_t doorbell);
int local_events(struct shmchan_region_private *p,
		 struct shmchan_event *events, uint32_t nr);
int local_bind_eventfd(struct shmchan_region_private *p, uint32_t doorbell,
		       int fd);

static inline void *local_meta(const struct shmchan_region_private *p,
			       uint64_t offset)
{
	return p->local->meta + (offset - p->local->at.meta);
}

static inline struct local_holders *
local_holders(const struct shmchan_region_private *p, uint32_t slot)
{
	return (struct local_holders *)local_meta(p, p->local->at.holders) +
	       slot;
}

static inline uint64_t *local_word(const struct shmchan_region_private *p,
				   uint32_t slot)
{
	return shmchan_region_at(&p->pub, shmchan_slot_offset(&p->pub, slot));
}

#pragma GCC visibility pop

#endif /* SHMCHAN_BACKEND_LOCAL_H */
