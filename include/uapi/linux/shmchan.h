/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
#ifndef _UAPI_LINUX_SHMCHAN_H
#define _UAPI_LINUX_SHMCHAN_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: the objects
 *
 * A *region* is memory plus doorbells, slots and windows.  It lives while a
 * file or a mapping of it lives, then vanishes.
 *
 * A *capability* is a file for a region: CREATE and OPEN on /dev/shmchan
 * return one.  It carries rights, and until JOIN it can be passed to anybody
 * with SCM_RIGHTS.
 *
 * A *member* is a capability bound by JOIN, once in its life, to the address
 * space that called.  It takes a *slot*, a numbered seat that one live member
 * holds at a time; generations tell its holders apart.  A member ends at the
 * first of LEAVE, the end of its address space, and the last close.
 *
 * A *window* is a range of whole folios that only the holder of one slot may
 * map writable, or that all members may (shared).  Bytes under no window are
 * read-only to everybody.
 *
 * A *doorbell* is a numbered wait point, owned by one slot or shared.
 *
 * DOC: offsets
 *
 * A region has three areas, and every offset in this ABI is an mmap(2) offset
 * into them:
 *
 * ======== ============================================== ====================
 * area     begins at                                      consists of
 * ======== ============================================== ====================
 * data     0                                              2 MiB folios, or
 *                                                         4 KiB ones (SMALL)
 * control  SHMCHAN_CONTROL_OFFSET(data_size)              4 KiB folios
 * status   SHMCHAN_STATUS_OFFSET(data_size, control_size) written by the
 *                                                         kernel alone
 * ======== ============================================== ====================
 *
 * The first page of the control area is the *header page*: it holds what
 * CREATE was given as its header, and nobody can ever map it writable.
 *
 * DOC: the calls
 *
 * Every call takes a structure whose first member is its size as the caller
 * knows it.  A larger structure than the kernel's (up to 4096 bytes) is
 * accepted if what the kernel does not know is zero; a shorter one is filled with zeros, but must
 * reach to the end of what the first version defined.  The answer is written
 * back up to the caller's size.
 *
 * Errors that every call can give:
 *
 * ============= ==============================================================
 * ENOTTY        no such call, or the wrong kind of file for it
 * EINVAL        the structure is too short, a reserved field or an unknown
 *               flag is not zero, or a value is out of its range
 * E2BIG         the structure is longer than ours and the rest is not zero,
 *               or an array is longer than its bound
 * EFAULT        the structure or an array cannot be read or written
 * EOPNOTSUPP    a flag is known, but this version does not offer it
 * ENOMEM        no memory for the kernel's own bookkeeping
 * ============= ==============================================================
 *
 * Calls on a member also give:
 *
 * ============= ==============================================================
 * ENOTCONN      the capability has not joined
 * EPERM         another address space than the one that joined is calling
 * ESTALE        the member has ended
 * EACCES        the right, the window or the doorbell is not the caller's
 * ============= ==============================================================
 */

#define SHMCHAN_ABI_MAJOR	1
#define SHMCHAN_ABI_MINOR	0

#define SHMCHAN_NAME_LEN	64	/* with the terminating zero */

/* Bounds; QUERY_DEVICE reports them, so that they can grow. */
#define SHMCHAN_MAX_SLOTS	4096
#define SHMCHAN_MAX_DOORBELLS	4095	/* beside doorbell 0 */
#define SHMCHAN_MAX_WINDOWS	4096
#define SHMCHAN_MAX_ELEMS	128
#define SHMCHAN_MAX_SUBS	256	/* per member */
#define SHMCHAN_MAX_WAITERS	1024	/* per doorbell that a slot owns */
#define SHMCHAN_MAX_SHARED	512	/* conditions of a member on shared ones */

#define SHMCHAN_ALIGN_UP(x, a)	(((__u64)(x) + (a) - 1) & ~((__u64)(a) - 1))
#define SHMCHAN_PAGE		4096ULL
#define SHMCHAN_HUGE		(2ULL << 20)

/* Where the areas begin: fixed by the ABI, so that CREATE can be filled in. */
#define SHMCHAN_CONTROL_OFFSET(data_size) \
	SHMCHAN_ALIGN_UP(data_size, SHMCHAN_HUGE)
#define SHMCHAN_STATUS_OFFSET(data_size, control_size) \
	SHMCHAN_ALIGN_UP(SHMCHAN_CONTROL_OFFSET(data_size) + (control_size), \
			 SHMCHAN_HUGE)

/* Slot and owner numbers with a meaning of their own. */
#define SHMCHAN_SLOT_ANY	0xffffffffU	/* JOIN: any free one */
#define SHMCHAN_SLOT_SHARED	0xfffffffeU	/* window, doorbell: everybody */
#define SHMCHAN_SLOT_NONE	0xfffffffdU	/* QUERY: not joined */

/* Doorbell 0 is the kernel's: rung when a member joins or ends. */
#define SHMCHAN_DOORBELL_MEMBERS	0

/**
 * DOC: rights
 *
 * What a capability allows.  They are asked for at OPEN and only narrow.  The
 * mode of a region grants them by its bits: r is MAP_READ and WAIT, w is
 * MAP_WRITE and RING.  ADMIN and PUBLISH are the owner's and CAP_IPC_OWNER's
 * (in the user namespace that owns the IPC namespace of the name).
 */
#define SHMCHAN_RIGHT_MAP_READ	(1U << 0)
#define SHMCHAN_RIGHT_MAP_WRITE	(1U << 1)
#define SHMCHAN_RIGHT_RING	(1U << 2)
#define SHMCHAN_RIGHT_WAIT	(1U << 3)
#define SHMCHAN_RIGHT_ADMIN	(1U << 4)
#define SHMCHAN_RIGHT_PUBLISH	(1U << 5)
#define SHMCHAN_RIGHT_ALL	0x3fU

/**
 * DOC: the status area
 *
 * Written by the kernel, read by members; it names nobody.  It begins with a
 * struct shmchan_status; then one 64-bit word per slot; then one struct
 * shmchan_doorbell_status per doorbell, doorbell 0 first.
 *
 * A slot word is {generation:32, flags:24, state:8}, from the top.  The
 * generation is 0 for a slot that nobody ever held and grows by one with each
 * holder.
 */
enum shmchan_slot_state {
	SHMCHAN_SLOT_FREE = 0,		/* never held */
	SHMCHAN_SLOT_LIVE = 1,
	SHMCHAN_SLOT_LEFT = 2,		/* the holder left, or closed its file */
	SHMCHAN_SLOT_DIED = 3,		/* its address space ended */
	SHMCHAN_SLOT_REVOKED = 4,
	SHMCHAN_SLOT_CLAIMING = 5,	/* being fenced for its next holder */
};

#define SHMCHAN_SLOT_WORD_ASYM	(1U << 8)	/* SHMCHAN_JOIN_ASYM was given */

#define SHMCHAN_SLOT_WORD_STATE(w)	((__u32)(w) & 0xff)
#define SHMCHAN_SLOT_WORD_GEN(w)	((__u32)((__u64)(w) >> 32))

struct shmchan_status {
	__u32 version;			/* 1 */
	__u32 nr_slots;
	__u32 nr_doorbells;		/* doorbell 0 included */
	__u32 slots_offset;		/* from the start of the status area */
	__u32 doorbells_offset;
	__u32 doorbell_stride;
	__aligned_u64 members_seq;	/* grows with each join and each end */
	__u32 reserved[24];
};

/*
 * Producers read waiters at every publication, so it has a cache line that a
 * ring does not write while nobody waits.
 */
struct shmchan_doorbell_status {
	__u32 waiters;			/* sleeping in WAIT, or armed */
	__u32 reserved1[15];
	__aligned_u64 seq;		/* rings so far */
	__u32 reserved2[14];
};

#define SHMCHAN_STATUS_SLOTS_OFFSET	sizeof(struct shmchan_status)
#define SHMCHAN_STATUS_DOORBELLS_OFFSET(slots) \
	SHMCHAN_ALIGN_UP(SHMCHAN_STATUS_SLOTS_OFFSET + 8ULL * (slots), 128)
#define SHMCHAN_STATUS_SIZE(slots, doorbells) \
	SHMCHAN_ALIGN_UP(SHMCHAN_STATUS_DOORBELLS_OFFSET(slots) + \
			 128ULL * ((doorbells) + 1), SHMCHAN_PAGE)

#define SHMCHAN_IOC_TYPE	0xBD

enum {
	SHMCHAN_CMD_QUERY_DEVICE = 0x00,	/* on /dev/shmchan */
	SHMCHAN_CMD_CREATE,
	SHMCHAN_CMD_OPEN,
	SHMCHAN_CMD_LIST,
	SHMCHAN_CMD_QUERY = 0x20,		/* on a capability */
	SHMCHAN_CMD_JOIN,
	SHMCHAN_CMD_LEAVE = 0x40,		/* on a member */
	SHMCHAN_CMD_MEMBER_INFO,
	SHMCHAN_CMD_WAIT,
	SHMCHAN_CMD_RING,
	SHMCHAN_CMD_RING_WAIT,
	SHMCHAN_CMD_ARM,
	SHMCHAN_CMD_SUBSCRIBE,
};

/**
 * struct shmchan_query_device - ioctl(SHMCHAN_IOC_QUERY_DEVICE)
 * @size: sizeof(struct shmchan_query_device)
 * @flags: 0
 * @abi_major: out: grows when a program has to be changed
 * @abi_minor: out: grows when something is added
 * @features: out: SHMCHAN_FEATURE_*
 * @max_slots: out: bound on shmchan_create.nr_slots
 * @max_doorbells: out: bound on shmchan_create.nr_doorbells
 * @max_windows: out: bound on shmchan_create.nr_windows
 * @max_elems: out: bound on shmchan_wait.nr_elems
 * @max_subs: out: bound on the subscriptions of a member
 * @max_waiters: out: bound on the waiters of a doorbell that a slot owns
 * @user_limit: out: bytes the caller's uid may hold; ~0 where it is exempt
 * @user_bytes: out: bytes the caller's uid holds
 * @total_limit: out: bytes all may hold together
 * @total_bytes: out: bytes all hold together, or 0 for a caller without
 *	CAP_SYS_ADMIN: other namespaces are none of its business
 *
 * What this module is and can.
 */
struct shmchan_query_device {
	__u32 size;
	__u32 flags;
	__u32 abi_major;
	__u32 abi_minor;
	__aligned_u64 features;
	__u32 max_slots;
	__u32 max_doorbells;
	__u32 max_windows;
	__u32 max_elems;
	__u32 max_subs;
	__u32 max_waiters;
	__aligned_u64 user_limit;
	__aligned_u64 user_bytes;
	__aligned_u64 total_limit;
	__aligned_u64 total_bytes;
};

#define SHMCHAN_FEATURE_HUGE	(1ULL << 0)	/* 2 MiB folios */
#define SHMCHAN_FEATURE_SMALL	(1ULL << 1)	/* 4 KiB folios */
#define SHMCHAN_FEATURE_CONTIG	(1ULL << 2)	/* SHMCHAN_CREATE_CONTIG */
#define SHMCHAN_FEATURE_NUMA	(1ULL << 3)	/* shmchan_create.numa_policy */

/**
 * struct shmchan_window - a range that one slot, or all, may map writable
 * @offset: of its first byte; a multiple of the folio size of its area
 * @length: in bytes; a multiple of the same
 * @slot: the slot that owns it, or SHMCHAN_SLOT_SHARED
 * @flags: 0
 */
struct shmchan_window {
	__aligned_u64 offset;
	__aligned_u64 length;
	__u32 slot;
	__u32 flags;
};

/**
 * struct shmchan_doorbell - who may wait on a doorbell
 * @owner: the slot whose holder may wait, or SHMCHAN_SLOT_SHARED
 * @flags: 0
 */
struct shmchan_doorbell {
	__u32 owner;
	__u32 flags;
};

/**
 * struct shmchan_slot - who may hold a slot
 * @flags: SHMCHAN_SLOT_FLAG_*
 * @uid: with SHMCHAN_SLOT_FLAG_UID, the user (as the creator sees it) that
 *	alone may hold it; else 0
 */
struct shmchan_slot {
	__u32 flags;
	__u32 uid;
};

#define SHMCHAN_SLOT_FLAG_UID		(1U << 0)	/* reserved for @uid */
#define SHMCHAN_SLOT_FLAG_SAME_UID	(1U << 1)	/* as its first holder */

/**
 * struct shmchan_create - ioctl(SHMCHAN_IOC_CREATE)
 * @size: sizeof(struct shmchan_create)
 * @flags: SHMCHAN_CREATE_*
 * @name: user pointer to @name_len bytes of [A-Za-z0-9._-], or 0: unnamed
 * @name_len: 0 to 63, without a terminating zero
 * @mode: nine permission bits; the umask applies.  x bits must be zero
 * @data_size: bytes, a multiple of 2 MiB (4 KiB with SHMCHAN_CREATE_SMALL);
 *	may be 0
 * @control_size: bytes, a multiple of 4 KiB, at least one page
 * @header: user pointer to what the header page is to hold
 * @header_len: up to 4096
 * @nr_slots: 1 to SHMCHAN_MAX_SLOTS
 * @slots: user pointer to @nr_slots struct shmchan_slot, or 0: anybody
 * @doorbells: user pointer to @nr_doorbells struct shmchan_doorbell; they get
 *	the numbers from 1 up
 * @nr_doorbells: up to SHMCHAN_MAX_DOORBELLS
 * @nr_windows: up to SHMCHAN_MAX_WINDOWS
 * @windows: user pointer to @nr_windows struct shmchan_window, in the order of
 *	their offsets, without overlap
 * @numa_policy: 0 (the caller's own)
 * @join_flags: with SHMCHAN_CREATE_JOIN: as shmchan_join.flags
 * @numa_nodes: 0
 * @join_slot: with SHMCHAN_CREATE_JOIN: as shmchan_join.slot
 * @generation: out, with SHMCHAN_CREATE_JOIN
 * @fd: out: the capability, with all rights, close-on-exec
 * @reserved: 0
 *
 * Makes a region.  All its memory is allocated, zeroed and charged before the
 * name can be seen.  The name belongs to the caller's IPC namespace, until the
 * last member bound from that namespace has ended and the creator's file is
 * closed or has ended too.
 *
 * EEXIST: the name is taken.  ENOMEM: no memory, or the memory cgroup is full.
 * EDQUOT: over the limit of the uid.  ENOSPC: over the limit of all together.
 * EINTR: a fatal signal.  EMFILE, ENFILE: no file.  With
 * SHMCHAN_CREATE_JOIN also the errors of JOIN.  Nothing is left of a region
 * whose creation failed.
 */
struct shmchan_create {
	__u32 size;
	__u32 flags;
	__aligned_u64 name;
	__u32 name_len;
	__u32 mode;
	__aligned_u64 data_size;
	__aligned_u64 control_size;
	__aligned_u64 header;
	__u32 header_len;
	__u32 nr_slots;
	__aligned_u64 slots;
	__aligned_u64 doorbells;
	__u32 nr_doorbells;
	__u32 nr_windows;
	__aligned_u64 windows;
	__u32 numa_policy;
	__u32 join_flags;
	__aligned_u64 numa_nodes;
	__u32 join_slot;
	__u32 generation;
	__s32 fd;
	__u32 reserved;
};

#define SHMCHAN_CREATE_SMALL	(1U << 0)	/* data of 4 KiB folios */
#define SHMCHAN_CREATE_CONTIG	(1U << 1)	/* data of one extent */
#define SHMCHAN_CREATE_JOIN	(1U << 2)	/* JOIN in the same call */
#define SHMCHAN_CREATE_DUMP	(1U << 3)	/* in core dumps too */

/**
 * struct shmchan_open - ioctl(SHMCHAN_IOC_OPEN)
 * @size: sizeof(struct shmchan_open)
 * @flags: SHMCHAN_OPEN_*
 * @name: user pointer to @name_len bytes
 * @name_len: 1 to 63
 * @rights: the rights wanted, at least one; all of them or none are given
 * @owner_uid: with SHMCHAN_OPEN_OWNER_UID, as the caller sees it; else 0
 * @join_flags: with SHMCHAN_OPEN_JOIN: as shmchan_join.flags
 * @join_slot: with SHMCHAN_OPEN_JOIN: as shmchan_join.slot
 * @generation: out, with SHMCHAN_OPEN_JOIN
 * @fd: out: the capability, close-on-exec
 * @reserved: 0
 *
 * Looks a name up in the caller's IPC namespace.  Whoever comes first can
 * create any name: the OWNER flags refuse one that somebody else did create.
 *
 * ENOENT: no such name.  EACCES: a right that is wanted is not granted.
 * EPERM: its owner is not an expected one.
 */
struct shmchan_open {
	__u32 size;
	__u32 flags;
	__aligned_u64 name;
	__u32 name_len;
	__u32 rights;
	__u32 owner_uid;
	__u32 join_flags;
	__u32 join_slot;
	__u32 generation;
	__s32 fd;
	__u32 reserved;
};

#define SHMCHAN_OPEN_JOIN	(1U << 0)	/* JOIN in the same call */
#define SHMCHAN_OPEN_OWNER_UID	(1U << 1)	/* owner may be @owner_uid */
#define SHMCHAN_OPEN_OWNER_SELF	(1U << 2)	/* ... the caller or root */

/**
 * struct shmchan_list_entry - one name
 * @name: with terminating zero
 * @data_size: bytes
 * @control_size: bytes
 * @uid: owner as the caller sees it
 * @gid: group as the caller sees it
 * @mode: permission bits
 * @nr_slots: how many slots the region has
 * @nr_live: how many of them are held
 * @reserved: 0
 */
struct shmchan_list_entry {
	char name[SHMCHAN_NAME_LEN];
	__aligned_u64 data_size;
	__aligned_u64 control_size;
	__u32 uid;
	__u32 gid;
	__u32 mode;
	__u32 nr_slots;
	__u32 nr_live;
	__u32 reserved;
};

/**
 * struct shmchan_list - ioctl(SHMCHAN_IOC_LIST)
 * @size: sizeof(struct shmchan_list)
 * @flags: 0
 * @cursor: in/out: 0 to begin with; pass on what came back
 * @entries: user pointer to room for @nr_entries entries
 * @nr_entries: in: room, 1 to 1024; out: how many were written; 0: no more
 * @entry_size: sizeof(struct shmchan_list_entry)
 *
 * The names of the caller's IPC namespace, oldest first.
 */
struct shmchan_list {
	__u32 size;
	__u32 flags;
	__aligned_u64 cursor;
	__aligned_u64 entries;
	__u32 nr_entries;
	__u32 entry_size;
};

/**
 * struct shmchan_query - ioctl(SHMCHAN_IOC_QUERY)
 * @size: sizeof(struct shmchan_query)
 * @flags: 0
 * @data_size: out
 * @control_offset: out
 * @control_size: out
 * @status_offset: out
 * @status_size: out
 * @nr_slots: out
 * @nr_doorbells: out: doorbell 0 not counted
 * @rights: out: those of this capability
 * @slot: out: SHMCHAN_SLOT_NONE before JOIN
 * @generation: out: 0 before JOIN
 * @mode: out
 * @uid: out: owner as the caller sees it
 * @gid: out: group as the caller sees it
 * @windows: user pointer to room for @nr_windows struct shmchan_window, or 0
 * @doorbells: user pointer to room for @room_doorbells struct
 *	shmchan_doorbell, or 0
 * @nr_windows: in: room; out: how many there are
 * @room_doorbells: in: room
 * @data_folio_size: out: 2 MiB or 4 KiB
 * @nr_extents: out: physically contiguous runs that make up the data area
 * @create_flags: out: the SHMCHAN_CREATE_* flags that describe the memory
 * @reserved: 0
 * @name: out: what CREATE named it; empty if nothing
 *
 * Everything about a region that a capability may know.
 */
struct shmchan_query {
	__u32 size;
	__u32 flags;
	__aligned_u64 data_size;
	__aligned_u64 control_offset;
	__aligned_u64 control_size;
	__aligned_u64 status_offset;
	__aligned_u64 status_size;
	__u32 nr_slots;
	__u32 nr_doorbells;
	__u32 rights;
	__u32 slot;
	__u32 generation;
	__u32 mode;
	__u32 uid;
	__u32 gid;
	__aligned_u64 windows;
	__aligned_u64 doorbells;
	__u32 nr_windows;
	__u32 room_doorbells;
	__u32 data_folio_size;
	__u32 nr_extents;
	__u32 create_flags;
	__u32 reserved;
	char name[SHMCHAN_NAME_LEN];
};

/**
 * struct shmchan_join - ioctl(SHMCHAN_IOC_JOIN)
 * @size: sizeof(struct shmchan_join)
 * @flags: SHMCHAN_JOIN_*
 * @slot: in: a slot or SHMCHAN_SLOT_ANY; out: the slot taken
 * @generation: out
 *
 * Binds the capability to the caller's address space, once in its life.
 *
 * EISCONN: it has joined already (or did once).  EBUSY: the slot is held, or
 * memory of its window is still pinned, by I/O of an earlier holder or of
 * somebody who may read it (the kernel cannot tell which).  EUSERS:
 * no slot is free.  EACCES: the slot is reserved for another user.  EINTR: a
 * fatal signal while waiting for the address space's lock.
 */
struct shmchan_join {
	__u32 size;
	__u32 flags;
	__u32 slot;
	__u32 generation;
};

/*
 * This member publishes without a full barrier and has registered for
 * membarrier(GLOBAL_EXPEDITED): who waits for it calls that first.  The
 * kernel shows the flag in the slot word and does nothing else with it.
 */
#define SHMCHAN_JOIN_ASYM	(1U << 0)

/**
 * struct shmchan_leave - ioctl(SHMCHAN_IOC_LEAVE)
 * @size: sizeof(struct shmchan_leave)
 * @flags: 0
 *
 * Ends the member.  Its mappings stay, but what they map is gone: touching
 * them raises SIGBUS.
 */
struct shmchan_leave {
	__u32 size;
	__u32 flags;
};

/**
 * struct shmchan_identity - who holds or held a slot, as the caller sees it
 * @generation: 0: nobody
 * @state: enum shmchan_slot_state
 * @pid: process id, 0 where it is not visible or gone
 * @uid: effective user at JOIN
 * @gid: effective group at JOIN
 * @reserved: 0
 */
struct shmchan_identity {
	__u32 generation;
	__u32 state;
	__u32 pid;
	__u32 uid;
	__u32 gid;
	__u32 reserved;
};

/**
 * struct shmchan_member_info - ioctl(SHMCHAN_IOC_MEMBER_INFO)
 * @size: sizeof(struct shmchan_member_info)
 * @flags: 0
 * @slot: the slot asked about
 * @reserved: 0
 * @current_holder: out: its holder, or the last one
 * @previous_holder: out: the one before
 */
struct shmchan_member_info {
	__u32 size;
	__u32 flags;
	__u32 slot;
	__u32 reserved;
	struct shmchan_identity current_holder;
	struct shmchan_identity previous_holder;
};

/**
 * struct shmchan_wait_elem - a word, and the doorbell rung when it changes
 * @fd: a member's file, or -1: the one that WAIT is called on
 * @doorbell: one that this member may wait on
 * @offset: of the word; aligned to its size
 * @value: what it is now, as far as the caller knows
 * @mask: which bits count
 * @flags: SHMCHAN_ELEM_*
 * @reserved: 0
 *
 * The element is quiet while (word & mask) == (value & mask).
 */
struct shmchan_wait_elem {
	__s32 fd;
	__u32 doorbell;
	__aligned_u64 offset;
	__aligned_u64 value;
	__aligned_u64 mask;
	__u32 flags;
	__u32 reserved;
};

#define SHMCHAN_ELEM_32		(1U << 0)	/* a 32-bit word; else 64 */

/**
 * struct shmchan_wait - ioctl(SHMCHAN_IOC_WAIT)
 * @size: sizeof(struct shmchan_wait)
 * @flags: 0
 * @elems: user pointer to @nr_elems struct shmchan_wait_elem
 * @nr_elems: 1 to SHMCHAN_MAX_ELEMS
 * @clockid: CLOCK_MONOTONIC
 * @deadline: in nanoseconds of that clock, as the caller reads it;
 *	SHMCHAN_FOREVER: none
 * @index: out: the first element found changed
 * @reserved: 0
 *
 * Sleeps while all elements are quiet.  Consecutive elements with the same fd
 * and doorbell cost one place in that doorbell's queue.  A wake-up beats a
 * timeout and a signal that come at the same time.
 *
 * ETIMEDOUT: the deadline has passed.  EINTR: a signal (restarted as the
 * handler's SA_RESTART says).  EUSERS: the doorbell has its most waiters, or
 * it is a shared one and this member waits for too much on those.
 * ESTALE: a member of the elements ended meanwhile.  EBADF: an fd is not a
 * member's.
 */
struct shmchan_wait {
	__u32 size;
	__u32 flags;
	__aligned_u64 elems;
	__u32 nr_elems;
	__u32 clockid;
	__aligned_u64 deadline;
	__u32 index;
	__u32 reserved;
};

#define SHMCHAN_FOREVER		0x7fffffffffffffffULL

/**
 * struct shmchan_ring - ioctl(SHMCHAN_IOC_RING)
 * @size: sizeof(struct shmchan_ring)
 * @flags: SHMCHAN_RING_*
 * @doorbell: the one to ring; with SHMCHAN_RING_SET 0
 * @max_wake: wake at most so many in WAIT; 0: all
 * @doorbells: with SHMCHAN_RING_SET: user pointer to @nr_doorbells __u32
 * @nr_doorbells: with SHMCHAN_RING_SET: 1 to SHMCHAN_MAX_ELEMS; else 0
 * @woken: out: how many were woken
 *
 * Wakes those in WAIT whose elements have changed, and no others; marks the
 * doorbell pending for those who subscribed to it, and disarms them.
 */
struct shmchan_ring {
	__u32 size;
	__u32 flags;
	__u32 doorbell;
	__u32 max_wake;
	__aligned_u64 doorbells;
	__u32 nr_doorbells;
	__u32 woken;
};

#define SHMCHAN_RING_SET	(1U << 0)

/**
 * struct shmchan_ring_wait - ioctl(SHMCHAN_IOC_RING_WAIT)
 * @size: sizeof(struct shmchan_ring_wait)
 * @flags: 0
 * @doorbell: the one to ring first
 * @max_wake: as in RING
 * @wait: as in WAIT; its size member counts for itself
 *
 * RING, then WAIT.  What is wrong with the WAIT is found when the ring has been
 * done.  EINTR: a signal; the ring is not done again: call WAIT.
 */
struct shmchan_ring_wait {
	__u32 size;
	__u32 flags;
	__u32 doorbell;
	__u32 max_wake;
	struct shmchan_wait wait;
};

/**
 * struct shmchan_arm - ioctl(SHMCHAN_IOC_ARM)
 * @size: sizeof(struct shmchan_arm)
 * @flags: SHMCHAN_ARM_*
 * @doorbell: one that this member has subscribed to
 * @nr_elems: up to SHMCHAN_MAX_ELEMS, may be 0
 * @elems: user pointer to as many elements, with fd -1 and this doorbell
 *
 * For whoever sleeps elsewhere (poll, epoll, io_uring): counts the member
 * among the waiters, so that producers ring, until the next ring.  Then looks
 * at the elements: EAGAIN if one has changed; the member is armed all the same.
 * The contract is that of completion queues: drain, arm, drain again if
 * EAGAIN, sleep.
 *
 * ENOENT: not subscribed.
 */
struct shmchan_arm {
	__u32 size;
	__u32 flags;
	__u32 doorbell;
	__u32 nr_elems;
	__aligned_u64 elems;
};

#define SHMCHAN_ARM_DISARM	(1U << 0)

/**
 * struct shmchan_subscribe - ioctl(SHMCHAN_IOC_SUBSCRIBE)
 * @size: sizeof(struct shmchan_subscribe)
 * @flags: SHMCHAN_SUBSCRIBE_*
 * @doorbell: one that this member may wait on
 * @reserved: 0
 *
 * From now on the file polls readable when the doorbell has been rung, and
 * read(2) tells which and how often since the last read.
 *
 * EEXIST: subscribed already.  ENOENT: not subscribed.  EUSERS: the bound of
 * the member.
 */
struct shmchan_subscribe {
	__u32 size;
	__u32 flags;
	__u32 doorbell;
	__u32 reserved;
};

#define SHMCHAN_SUBSCRIBE_END	(1U << 0)

/**
 * struct shmchan_event - what read(2) on a member returns, as many as fit
 * @doorbell: which was rung
 * @reserved: 0
 * @count: how often since the last read
 *
 * read(2) does not wait for events: EAGAIN if none is pending.  EINVAL: no room
 * for one.  EINTR: a signal, while another thread was reading.
 */
struct shmchan_event {
	__u32 doorbell;
	__u32 reserved;
	__aligned_u64 count;
};

#define SHMCHAN_IOC_QUERY_DEVICE \
	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_QUERY_DEVICE)
#define SHMCHAN_IOC_CREATE	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_CREATE)
#define SHMCHAN_IOC_OPEN	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_OPEN)
#define SHMCHAN_IOC_LIST	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_LIST)
#define SHMCHAN_IOC_QUERY	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_QUERY)
#define SHMCHAN_IOC_JOIN	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_JOIN)
#define SHMCHAN_IOC_LEAVE	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_LEAVE)
#define SHMCHAN_IOC_MEMBER_INFO	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_MEMBER_INFO)
#define SHMCHAN_IOC_WAIT	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_WAIT)
#define SHMCHAN_IOC_RING	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_RING)
#define SHMCHAN_IOC_RING_WAIT	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_RING_WAIT)
#define SHMCHAN_IOC_ARM		_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_ARM)
#define SHMCHAN_IOC_SUBSCRIBE	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_SUBSCRIBE)

#endif /* _UAPI_LINUX_SHMCHAN_H */
