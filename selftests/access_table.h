/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_ACCESS_TABLE_H
#define SHMCHAN_ACCESS_TABLE_H

/*
 * The results that docs/access-policy.md calls for, written by hand.
 *
 * Three tables: what a name gives to whom; what can be done by right of a
 * capability; what can be done with the device alone.  access_matrix tries all
 * that is in them, for every subject in every IPC namespace.
 */

#include "access_ops.h"

#define THE(subject)	(1U << (subject))
#define AT(place)	(1U << (place))
#define ANYWHERE	(AT(FIRST) | AT(CHILD) | AT(FOREIGN))

/*
 * What a name gives
 *
 * Rights are letters: r MAP_READ, w MAP_WRITE, b RING (a bell), s WAIT (sleep),
 * a ADMIN, p PUBLISH.  "all" is all six, "-" none.
 */
#define NR_MODES	8

static const unsigned int modes[NR_MODES] = {
	0000, 0600, 0640, 0660, 0666, 0444, 0222, 0066,
};

struct name_row {
	unsigned int where;	/* of the name, and the subject */
	unsigned int who;
	const char *rights[NR_MODES];
};

/* The name that CREATE gave: the owner is 1000, the group 1000. */
static const struct name_row created_rows[] = {
	/*  0000    0600    0640    0660    0666    0444    0222    0066 */

	{ ANYWHERE, THE(OWNER) | THE(CHILD_OWNER),
	  { "ap",   "all",  "all",  "all",  "all",  "rsap", "wbap", "ap" } },
	{ ANYWHERE, THE(MEMBER),
	  { "-",    "-",    "rs",   "rwbs", "rwbs", "rs",   "wb",   "rwbs" } },
	{ ANYWHERE, THE(OTHER) | THE(PUBLISHER) | THE(COLLEAGUE) |
		    THE(BARE_ROOT) | THE(NO_IPC_OWNER) | THE(CHOWN) |
		    THE(SYS_ADMIN) | THE(BELOW_ROOT),
	  { "-",    "-",    "-",    "-",    "rwbs", "rs",   "wb",   "rwbs" } },

	/* CAP_IPC_OWNER, where it counts, and where it does not. */
	{ ANYWHERE, THE(ROOT) | THE(IPC_OWNER),
	  { "all",  "all",  "all",  "all",  "all",  "all",  "all",  "all" } },
	{ AT(CHILD), THE(CHILD_ROOT) | THE(MAKER),
	  { "all",  "all",  "all",  "all",  "all",  "all",  "all",  "all" } },
	{ AT(FIRST) | AT(FOREIGN), THE(CHILD_ROOT) | THE(MAKER),
	  { "-",    "-",    "-",    "-",    "rwbs", "rs",   "wb",   "rwbs" } },
};

/* One that PUBLISH made of all rights: the owner is 1003, the group 1003. */
static const struct name_row published_rows[] = {
	/*  0000    0600    0640    0660    0666    0444    0222    0066 */

	{ ANYWHERE, THE(PUBLISHER),
	  { "ap",   "all",  "all",  "all",  "all",  "rsap", "wbap", "ap" } },
	{ ANYWHERE, THE(COLLEAGUE),
	  { "-",    "-",    "rs",   "rwbs", "rwbs", "rs",   "wb",   "rwbs" } },
	{ ANYWHERE, THE(OWNER) | THE(CHILD_OWNER) | THE(MEMBER) | THE(OTHER) |
		    THE(BARE_ROOT) | THE(NO_IPC_OWNER) | THE(CHOWN) |
		    THE(SYS_ADMIN) | THE(BELOW_ROOT),
	  { "-",    "-",    "-",    "-",    "rwbs", "rs",   "wb",   "rwbs" } },

	/* CAP_IPC_OWNER, where it counts, and where it does not. */
	{ ANYWHERE, THE(ROOT) | THE(IPC_OWNER),
	  { "all",  "all",  "all",  "all",  "all",  "all",  "all",  "all" } },
	{ AT(CHILD), THE(CHILD_ROOT) | THE(MAKER),
	  { "all",  "all",  "all",  "all",  "all",  "all",  "all",  "all" } },
	{ AT(FIRST) | AT(FOREIGN), THE(CHILD_ROOT) | THE(MAKER),
	  { "-",    "-",    "-",    "-",    "rwbs", "rs",   "wb",   "rwbs" } },
};

/*
 * The capabilities that the next table is about.  Where the name or whoever
 * passes one has more to give, it is narrowed to that.
 */
struct column {
	const char *rights;
	enum { WHOLE, ONE_SLOT, ONE_FOLIO } part;
};

static const struct column columns[] = {
	{ "all" },
	{ "r" }, { "w" }, { "b" }, { "s" }, { "a" }, { "p" },
	{ "rw" }, { "rs" }, { "rwbs" },
	/* all but one */
	{ "wbsap" }, { "rbsap" }, { "rwsap" }, { "rwbap" }, { "rwbsp" },
	{ "rwbsa" },
	/* all, but for slot 1, or with folio 0 of the data area, alone */
	{ "all", ONE_SLOT }, { "all", ONE_FOLIO },
};

#define NR_COLUMNS	COUNT(columns)

/*
 * What can be done
 *
 * A letter per column, in groups:
 *
 *	all rights; r w b s a p alone; rw rs rwbs; all but r w b s a p; for one
 *	slot, of one folio
 *
 * One letter is for all columns.  The letters:
 *
 *	+ it works		. EACCES	/ there is no such case
 *	- it is not told	P EPERM		? see the subjects
 *	c ENOTCONN		i EISCONN	s ESTALE
 *	e EEXIST		n ENOENT	v EINVAL
 *	* a refusal, of which several would be right
 *
 * First for a member, of slot 0 (of slot 1 where the capability is for that);
 * then for a capability that has not joined; then one letter each for all
 * rights and a member that somebody else is, one that has left, and a
 * capability that was revoked before it joined.
 *
 * The subjects, in groups: owner, member of the group, third one, publisher,
 * colleague; in the first user namespace Root, root without capabilities,
 * CAP_IPC_OWNER, all but that, CAP_CHOWN, CAP_SYS_ADMIN; the Maker of the child
 * user namespace, its root, the owner in it, root Below it.
 *
 * What changes the region for good comes last, and SEAL after all that needs
 * what it forbids.
 */
struct row {
	const char *what;
	op_fn fn;
	long a;
	long b;
	const char *member;
	const char *unbound;
	const char *others;
	const char *who;
	enum {
		EITHER,
		HOME,		/* where the region was created */
		ELSEWHERE,
	} where;
};

/* Alike for a member, and for one that is none yet. */
#define BOTH(letters)	letters, letters

/* Offsets in the data area. */
#define FOLIO(nr)	((nr) * PAGE)
#define WINDOW0		FOLIO(FOLIO_OWN)
#define WINDOW1		FOLIO(FOLIO_FOREIGN)
#define SHARED		FOLIO(FOLIO_SHARED)
#define NOBODYS		FOLIO(FOLIO_NOBODY)

static const struct row capability_rows[] = {
	/* all|rwbsap|combinations|all but rwbsap|slot folio */

	{ "QUERY", op_query, 0, 0, BOTH("+"), "++s" },
	{ "QUERY, the cgroup", op_cgroup, 0, 0, BOTH("?"), "??s",
	  /* omtpc  RbinhS MCOB */
	  "+---- +--+-+ --+-" },
	{ "EXTENTS", op_extents, 0, 0, BOTH("+"), "++s" },
	{ "EXTENTS, physical addresses", op_extents, SHMCHAN_EXTENTS_PHYS, 0,
	  BOTH("?"), "??*",
	  "PPPPP +PP+P+ PPPP" },

	{ "JOIN, any slot", op_join, SHMCHAN_SLOT_ANY, 0,
	  "i", "+", "iis" },
	{ "JOIN, slot 0", op_join, 0, 0,
	  "i", "+ ++++++ +++ ++++++ .+", "iis" },
	{ "JOIN, slot 1", op_join, 1, 0,
	  "i", "+", "iis" },
	{ "JOIN, the slot reserved for the owner", op_join, SLOT_RESERVED, 0,
	  "i", "? ?????? ??? ?????? .?", "iis",
	  "+.... ...... ..+." },

	/* PUBLISH: making two of one. */
	{ "MINT as much", op_mint, 0, 0,
	  BOTH("+ .....+ ... +++++. ++"), "Pss" },
	{ "MINT more", op_mint_more, 0, 0,
	  BOTH("/ ...... ... ...... //"), "///" },
	{ "MINT for slot 0", op_mint_slot, 0, 0,
	  BOTH("+ .....+ ... +++++. .+"), "Pss" },
	{ "MINT for slot 1", op_mint_slot, 1, 0,
	  BOTH("+ .....+ ... +++++. ++"), "Pss" },
	{ "MINT for folio 0", op_mint_folio, 0, 0,
	  BOTH("+ .....+ ... +++++. ++"), "Pss" },
	{ "MINT for folio 1", op_mint_folio, 1, 0,
	  BOTH("+ .....+ ... +++++. +."), "Pss" },
	/* Narrowing the one there is makes no second one. */
	{ "MINT SELF as much", op_narrow, 0, 0,
	  "i", "+", "Pss" },
	{ "MINT SELF more", op_narrow_more, 0, 0,
	  "/ iiiiii iii iiiiii //", "/ ...... ... ...... //", "///" },
	{ "PUBLISH as much", op_publish, 0, 0,
	  BOTH("+ .....+ ... +++++. ++"), "Pss" },
	{ "PUBLISH more", op_publish_more, 0, 0,
	  BOTH("/ ...... ... ...... //"), "///" },
	{ "PUBLISH, and OPEN that", op_publish_and_open, 0, 0,
	  BOTH("+ .....+ ... +++++. ++"), "Pss" },
	{ "PUBLISH, and WITHDRAW that", op_publish_and_withdraw, 0, 0,
	  BOTH("+ .....+ ... +++++. ++"), "Pss" },

	{ "LEAVE", op_leave, 0, 0, "+", "c", "Pss" },

	/* WAIT and MAP_READ, for words that can be read. */
	{ "WAIT on slot 0's doorbell for window 0", op_wait, BELL_OF(0),
	  WINDOW0,
	  "+ ...... .++ .++.++ .+", "c", "Pss" },
	{ "WAIT on slot 1's doorbell for window 0", op_wait, BELL_OF(1),
	  WINDOW0,
	  ". ...... ... ...... +.", "c", "Pss" },
	{ "WAIT on a shared doorbell for window 1", op_wait, BELL_SHARED,
	  WINDOW1,
	  "+ ...... .++ .++.++ +.", "c", "Pss" },
	{ "WAIT for members", op_wait_members, 0, 0,
	  "+ ...... .++ .++.++ ++", "c", "Pss" },
	/* RING: of anybody's doorbell but the kernel's. */
	{ "RING slot 0's doorbell", op_ring, BELL_OF(0), 0,
	  "+ ..+... ..+ ++.+++ ++", "c", "Pss" },
	{ "RING slot 1's doorbell", op_ring, BELL_OF(1), 0,
	  "+ ..+... ..+ ++.+++ ++", "c", "Pss" },
	{ "RING the members' doorbell", op_ring, SHMCHAN_DOORBELL_MEMBERS, 0,
	  ".", "c", "Pss" },
	{ "RING_WAIT on a shared doorbell for window 0", op_ring_wait,
	  BELL_SHARED, WINDOW0,
	  "+ ...... ..+ .+..++ ++", "c", "Pss" },
	{ "SUBSCRIBE to slot 0's doorbell", op_subscribe, BELL_OF(0), 0,
	  "+ ...+.. .++ +++.++ .+", "c", "Pss" },
	{ "SUBSCRIBE to slot 1's doorbell", op_subscribe, BELL_OF(1), 0,
	  ". ...... ... ...... +.", "c", "Pss" },
	{ "SUBSCRIBE to a shared doorbell", op_subscribe, BELL_SHARED, 0,
	  "+ ...+.. .++ +++.++ ++", "c", "Pss" },
	{ "SUBSCRIBE to the members' doorbell", op_subscribe,
	  SHMCHAN_DOORBELL_MEMBERS, 0,
	  "+ ...+.. .++ +++.++ ++", "c", "Pss" },
	{ "SUBSCRIBE to members that end", op_subscribe_members, 0, 0,
	  "+ ...+.. .++ +++.++ ++", "c", "Pss" },
	{ "BIND_EVENTFD to slot 0's doorbell", op_bind_eventfd, BELL_OF(0), 0,
	  "+ ...+.. .++ +++.++ .+", "c", "Pss" },
	{ "BIND_EVENTFD to slot 1's doorbell", op_bind_eventfd, BELL_OF(1), 0,
	  ". ...... ... ...... +.", "c", "Pss" },
	{ "BIND_EVENTFD to a shared doorbell", op_bind_eventfd, BELL_SHARED, 0,
	  "+ ...+.. .++ +++.++ ++", "c", "Pss" },
	{ "BIND_EVENTFD to the members' doorbell", op_bind_eventfd,
	  SHMCHAN_DOORBELL_MEMBERS, 0,
	  "+ ...+.. .++ +++.++ ++", "c", "Pss" },
	{ "ARM a shared doorbell for window 0", op_arm, BELL_SHARED, WINDOW0,
	  "+ ...... .++ .++.++ ++", "c", "Pss" },
	{ "read(2)", op_read, 0, 0,
	  "+ ...+.. .++ +++.++ ++", "c", "Pss" },
	{ "poll(2)", op_poll, 0, 0, "+", "c", "+ss" },

	/* MAP_READ: what is in reach. */
	{ "mmap(2) window 0 to read", op_map, WINDOW0, RO,
	  "+ +..... +++ .+++++ ++", "c", "Pss" },
	{ "mmap(2) window 1 to read", op_map, WINDOW1, RO,
	  "+ +..... +++ .+++++ +.", "c", "Pss" },
	{ "mmap(2) a shared window to read", op_map, SHARED, RO,
	  "+ +..... +++ .+++++ +.", "c", "Pss" },
	{ "mmap(2) nobody's folio to read", op_map, NOBODYS, RO,
	  "+ +..... +++ .+++++ +.", "c", "Pss" },
	{ "mmap(2) the header page to read", op_map_header, RO, 0,
	  "+ +..... +++ .+++++ ++", "c", "Pss" },
	{ "mmap(2) the status area to read", op_map_status, RO, 0,
	  "+ +..... +++ .+++++ ++", "c", "Pss" },
	/*
	 * MAP_WRITE with MAP_READ: one's own windows, and shared ones.  Without
	 * MAP_WRITE it is a read-only file, and mmap(2) itself says EACCES.
	 */
	{ "mmap(2) window 0 to write", op_map, WINDOW0, RW,
	  "+ ...... +.+ ..++++ .+",
	  "c .c.... c.c c.cccc cc", "Pss" },
	{ "mmap(2) window 0 to write alone", op_map, WINDOW0,
	  PROT_WRITE,
	  "+ ...... +.+ ..++++ .+",
	  "c .c.... c.c c.cccc cc", "Pss" },
	{ "mmap(2) window 1 to write", op_map, WINDOW1, RW,
	  ". ...... ... ...... +.",
	  "c .c.... c.c c.cccc cc", "Pss" },
	{ "mmap(2) a shared window to write", op_map, SHARED, RW,
	  "+ ...... +.+ ..++++ +.",
	  "c .c.... c.c c.cccc cc", "Pss" },
	{ "mmap(2) nobody's folio to write", op_map, NOBODYS, RW,
	  ".",
	  "c .c.... c.c c.cccc cc", "Pss" },
	{ "mmap(2) the header page to write", op_map_header, RW, 0,
	  ".",
	  "c .c.... c.c c.cccc cc", "Pss" },
	{ "mmap(2) the status area to write", op_map_status, RW, 0,
	  ".",
	  "c .c.... c.c c.cccc cc", "Pss" },
	{ "mprotect(2) window 0 to write", op_mprotect, WINDOW0, 0,
	  "+ ...... +.+ ..++++ .+", "c", "Pss" },
	{ "mprotect(2) window 1 to write", op_mprotect, WINDOW1, 0,
	  ". ...... ... ...... +.", "c", "Pss" },
	{ "mprotect(2) a shared window to write", op_mprotect, SHARED, 0,
	  "+ ...... +.+ ..++++ +.", "c", "Pss" },
	{ "EXPORT_DMABUF of window 0", op_export, WINDOW0, 0,
	  "+ +..... +++ .+++++ ++", "c", "Pss" },
	{ "EXPORT_DMABUF of window 1", op_export, WINDOW1, 0,
	  "+ +..... +++ .+++++ +.", "c", "Pss" },
	{ "EXPORT_DMABUF of window 0 to write", op_export, WINDOW0,
	  SHMCHAN_EXPORT_WRITE,
	  "+ ...... +.+ ..++++ .+", "c", "Pss" },
	{ "EXPORT_DMABUF of window 1 to write", op_export, WINDOW1,
	  SHMCHAN_EXPORT_WRITE,
	  ". ...... ... ...... +.", "c", "Pss" },
	{ "EXPORT_DMABUF of a shared window to write", op_export, SHARED,
	  SHMCHAN_EXPORT_WRITE,
	  "+ ...... +.+ ..++++ +.", "c", "Pss" },

	/* Any member, and ADMIN without joining. */
	{ "MEMBER_INFO", op_member_info, SLOT_VICTIM, 0,
	  "+", "+ cccc+c ccc ++++c+ ++", "Pss" },
	/* ADMIN. */
	{ "SETATTR, the mode", op_setattr, SHMCHAN_SETATTR_MODE, 0606,
	  BOTH("+ ....+. ... ++++.+ ++"), "Pss" },
	/* ... and CAP_CHOWN over the ids, but for the owner's own groups. */
	{ "SETATTR, to a group of the owner's", op_setattr,
	  SHMCHAN_SETATTR_GID, GID_OF_OWNER,
	  BOTH("? ....?. ... ????.? ??"), "Pss",
	  /* omtpc  RbinhS MCOB */
	  "+PPPP +PP++P P++v" },
	{ "SETATTR, to the publisher's group", op_setattr,
	  SHMCHAN_SETATTR_GID, UID_PUBLISHER,
	  BOTH("? ....?. ... ????.? ??"), "Pss",
	  "PPPPP +PP++P P+Pv" },
	{ "SETATTR, to oneself as the owner", op_setattr_own, 0, 0,
	  BOTH("? ....?. ... ????.? ??"), "Pss",
	  "+PPPP +PP++P P++P" },
	{ "SETATTR, to another owner", op_setattr,
	  SHMCHAN_SETATTR_UID, UID_NEW_OWNER,
	  BOTH("? ....?. ... ????.? ??"), "Pss",
	  "PPPPP +PP++P P+PP" },
	{ "REVOKE a slot", op_revoke_slot, SLOT_VICTIM, 0,
	  BOTH("+ ....+. ... ++++.+ ++"), "Pss" },
	/* Below the child user namespace the number is nobody's. */
	{ "REVOKE a user", op_revoke_uid, UID_VICTIM, 0,
	  BOTH("? ....?. ... ????.? ??"), "Pss",
	  "+++++ ++++++ +++v" },
	{ "WITHDRAW the name that CREATE gave", op_withdraw, CREATED, 0,
	  BOTH("+ ....+. ... ++++.+ ++"), "Pss", .where = HOME },
	{ "WITHDRAW the name that CREATE gave", op_withdraw, CREATED, 0,
	  BOTH("n"), "Pss", .where = ELSEWHERE },
	{ "WITHDRAW another region's name", op_withdraw, OF_ANOTHER, 0,
	  BOTH("n"), "Pss" },
	{ "WITHDRAW what somebody published", op_withdraw, PUBLISHED, 0,
	  BOTH("+ ....+. ... ++++.+ ++"), "Pss" },
	{ "WITHDRAW all that was published", op_withdraw_all, 0, 0,
	  BOTH("+ ....+. ... ++++.+ ++"), "Pss" },
	{ "SEAL against names", op_seal, SHMCHAN_SEAL_PUBLISH, 0,
	  BOTH("+ ....+. ... ++++.+ ++"), "Pss" },
	{ "SEAL against members", op_seal, SHMCHAN_SEAL_MEMBERS, 0,
	  BOTH("+ ....+. ... ++++.+ ++"), "Pss" },
};

/* On the device, where there is a region of mode 0666, and a name published. */
static const struct row device_rows[] = {
	{ "QUERY_DEVICE", op_query_device, .who = "+" },
	{ "QUERY_DEVICE, what all hold", op_all_bytes, .who =
	  /* omtpc  RbinhS MCOB */
	  "----- +--+-+ ----" },
	{ "QUERY_DEVICE, no limit of the uid", op_no_limit, .who =
	  "----- +--+-- ----" },
	{ "LIST_USERS, others", op_list_users, .who =
	  "----- +--+-+ ----" },
	{ "CREATE", op_create, FREE, .who = "+" },
	{ "CREATE, much contiguous memory", op_contig, .who =
	  "PPPPP +PP+PP PPPP" },
	{ "CREATE, a name that is there", op_create, CREATED, .who = "e",
	  .where = HOME },
	{ "CREATE, a name of another namespace", op_create, CREATED,
	  .who = "+", .where = ELSEWHERE },
	{ "LIST, a name that is there", op_listed, CREATED, .who = "+",
	  .where = HOME },
	{ "LIST, a name of another namespace", op_listed, CREATED,
	  .who = "-", .where = ELSEWHERE },
	{ "LIST, a name published there", op_listed, PUBLISHED, .who = "+" },
	{ "OPEN, no name", op_open, FREE, .who = "n" },
	{ "OPEN, a name that is there", op_open, CREATED, .who = "+",
	  .where = HOME },
	{ "OPEN, a name of another namespace", op_open, CREATED,
	  .who = "n", .where = ELSEWHERE },
	{ "OPEN, if it is the caller's own or root's", op_open_own, CREATED,
	  .who = "+PPPP PPPPPP PP+P", .where = HOME },
	{ "OPEN, if it is the owner's", op_open_of, CREATED, UID_OWNER,
	  .who = "+++++ ++++++ +++P", .where = HOME },
	{ "OPEN, if it is another's", op_open_of, CREATED, UID_NEW_OWNER,
	  .who = "P", .where = HOME },
	{ "OPEN, a published name if it is the caller's own or root's",
	  op_open_own, PUBLISHED,
	  .who = "PPP+P PPPPPP PPPP" },
	{ "OPEN, a published name if it is the region's owner's",
	  op_open_of, PUBLISHED, UID_OWNER,
	  .who = "P" },
};

#endif /* SHMCHAN_ACCESS_TABLE_H */
