/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_ENTRY_H
#define SHMCHAN_ENTRY_H

/*
 * How one gets into a region with a layout: a channel, a pool, a set of locks.
 *
 * All have in common that a region of that name is found or made or waited for, a
 * seat of some role is taken, and then what the sealed header says of the layout
 * is compared with what this program knows and with what the region is.  The
 * header is the creator's word, and so are the windows; that they agree is what
 * keeps our stores from faulting.
 *
 * Instead of by a name one gets in by a capability, whatever it is for.  All that
 * can be known of it before is checked before it joins: it is good for one member,
 * and who comes and goes again is the end of a channel for the other side.
 */

#include <shmchan/access.h>
#include <shmchan/channel.h>
#include <shmchan/wire.h>

#include "backend.h"

#pragma GCC visibility push(hidden)

/* What all that write and sleep need. */
#define SHMCHAN__RIGHTS_OF_MEMBERS \
	(SHMCHAN_RIGHT_MAP_READ | SHMCHAN_RIGHT_MAP_WRITE | \
	 SHMCHAN_RIGHT_RING | SHMCHAN_RIGHT_WAIT)

/*
 * What there is, as far as it can be seen without a seat in it.  The local backend's
 * files show the header; the module shows slots, doorbells and windows, and no
 * memory.
 */
struct shmchan__sight {
	const char *name;
	uint32_t nr_slots;
	int abandoned;		/* local: what the dead have left is nothing */
	int has_header;		/* what follows is there; of a longer one, so much */
	union {
		struct shmchan_wire wire;
		struct shmchan_wire_channel channel;
	} header;
	/* Else this, as many of each as q says; they lie behind it. */
	struct shmchan_query q;
	struct shmchan_window *windows;
	struct shmchan_doorbell *bells;
};

/* What is asked for. */
struct shmchan__entry {
	const char *what;	/* begins messages: "spsc" */
	uint32_t kind;		/* SHMCHAN_WIRE_*: what the name has to be ... */
	uint32_t length;	/* ... and how long its header is */
	const char *seat;	/* what such a seat is: "a sender's" */
	enum shmchan_backend backend;
	uint32_t first_slot;	/* the seats of our role: any of them */
	uint32_t nr_slots;	/* ... or more: of these, as many as there are */
	int last_first;		/* begin with the last of them */
	/*
	 * If not NULL, asked where a region of this kind is there: which seats of it
	 * they are, and the rights that it takes to have one (of which a capability
	 * has to have enough).  Errors end it.
	 */
	int (*seats)(const struct shmchan__sight *sight,
		     const struct shmchan__entry *entry, uint32_t *first_slot,
		     uint32_t *nr_slots, uint32_t *rights);
	uint32_t rights;	/* to ask for; 0: read write ring wait */
	uint32_t join_flags;
	int any_owner;
	int create;		/* make it if it is not there */
	int exclusive;		/* ... and fail if it is */
	int64_t wait_ns;	/* without create: for the name to appear */
	const int *capability;	/* to join with, instead of by a name */
	/* Makes it and takes slot first_slot; arg is that below. */
	int (*make)(struct shmchan_region **region, const char *name,
		    const struct shmchan__entry *entry);
	const void *arg;
};

/*
 * Sleeps while it waits for the name, if that is asked for, else not.  Errors:
 * ENOENT, EEXIST, EBUSY (all seats of the role are taken), ETIMEDOUT (it did not
 * appear), and those of shmchan_region_create() and _open().  With a capability
 * name is nothing, and the errors are those of shmchan_region_adopt(), and EACCES
 * (it lacks a right, a part of the region, or is for another role's seat).
 */
int shmchan__entry_open(struct shmchan_region **region, const char *name,
			const struct shmchan__entry *entry);

/* As .seats: slot 0 is one role's, and all others are the other's. */
int shmchan__entry_all_but_first(const struct shmchan__sight *sight,
				 const struct shmchan__entry *entry,
				 uint32_t *first_slot, uint32_t *nr_slots,
				 uint32_t *rights);

/*
 * It turned out to be no use: leave.  A capability's file stays its owner's, who
 * may look at it, but it is good for nobody any more.
 */
void shmchan__entry_undo(struct shmchan_region *region, const int *capability);

/*
 * Copy the sealed header, of which length bytes are known here, and check what
 * all begin with.  EPROTO, which says what it is and what it should be.
 */
int shmchan__entry_header(const struct shmchan_region *region,
			  const char *what, uint32_t kind, void *header,
			  uint32_t length);

/*
 * entry_look.c: is what is there by that name, or what the entry's capability is for,
 * of this kind, as far as can be seen without taking a seat?  Who comes and goes again
 * ends a channel for the other side, and with same_uid has the seat for ever; so what
 * is certain to be refused does not come.  The local backend's files tell all that the
 * header says.  Of the module's regions that have a name what looks like another kind
 * is refused, and what looks like nothing known, or alike (a set of two locks and a
 * work queue can), is found out by who is in, who checks all again.  A capability's
 * has to look like this kind.
 *
 * *sight is what was seen, to be freed with free(); NULL after an error.  ENOENT,
 * EPROTO (both kinds, or versions, are said), ENOMEM, and what shmchan_region_open()
 * returns, or shmchan_capability_query().
 */
int shmchan__entry_look(struct shmchan__sight **sight, const char *name,
			const struct shmchan__entry *entry);

/* What all headers begin with: 0, or EPROTO in words. */
int shmchan__entry_wire(const char *what, const char *name,
			const struct shmchan_wire *wire, uint32_t kind,
			uint32_t length);

/* EACCES: fewer rights than needed. */
int shmchan__entry_rights(uint32_t rights, const char *name, const char *what,
			  uint32_t needed);

/* EACCES: the part (in words: "ring") is beyond what our capability reaches. */
int shmchan__entry_reach(const struct shmchan_region *region, const char *what,
			 const char *part, uint64_t offset, uint64_t length);

/* EPROTO: we may not write there, as our role must. */
int shmchan__entry_window(const struct shmchan_region *region,
			  const char *what, uint64_t offset, uint64_t length);

/* The least power of two that is n or more, and least or more. */
uint64_t shmchan__power_of_two(uint64_t n, uint64_t least);

#pragma GCC visibility pop

#endif /* SHMCHAN_ENTRY_H */
