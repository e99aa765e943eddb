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
 * with SCM_RIGHTS.  MINT makes another one that allows less.
 *
 * A *member* is a capability bound by JOIN, once in its life, to the address
 * space that called.  It takes a *slot*, a numbered seat that one live member
 * holds at a time; generations tell its holders apart.  A member ends at the
 * first of LEAVE, REVOKE, the end of its address space, and the last close.
 *
 * A *window* is a range of whole folios that only the holder of one slot may
 * map writable, or that all members may (shared).  Bytes under no window are
 * read-only to everybody.
 *
 * A *doorbell* is a numbered wait point, owned by one slot or shared.
 *
 * A *name* stands for a region in one IPC namespace.  CREATE gives the first,
 * in the caller's; PUBLISH gives others, in the caller's too.
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
 * EINTR         a fatal signal
 * ENOMEM        no memory for the kernel's own bookkeeping
 * ============= ==============================================================
 *
 * Calls on a member also give:
 *
 * ============= ==============================================================
 * ENOTCONN      the capability has not joined
 * EPERM         another address space than the one that joined is calling
 * ESTALE        the member has ended
 * EACCES        the right, the window, the range or the doorbell is not the
 *               caller's
 * ============= ==============================================================
 *
 * QUERY and EXTENTS work on any capability, whoever has it, and say ESTALE of one
 * that has been revoked.  MINT, PUBLISH, WITHDRAW, SETATTR, SEAL and REVOKE work
 * on one that has not joined as well, whoever has it, and then give:
 *
 * ============= ==============================================================
 * ESTALE        it has been revoked
 * EACCES        the right that the call takes is not among its rights
 * EALREADY      somebody is at JOIN with it
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
#define SHMCHAN_MAX_ASYNC	4096	/* places of a member's WAITs by io_uring */
#define SHMCHAN_MAX_NODES	64	/* in shmchan_create.numa_nodes */
#define SHMCHAN_MAX_NAMES	64	/* of a region, in all namespaces */
#define SHMCHAN_MAX_DEPTH	16	/* of capabilities minted from minted ones */

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
 * mode of a name grants them by its bits: r is MAP_READ and WAIT, w is
 * MAP_WRITE and RING.  ADMIN and PUBLISH are the owner's and CAP_IPC_OWNER's
 * (in the user namespace that owns the IPC namespace of the name).  A name that
 * PUBLISH made grants no more than it was made with, to anybody.
 *
 * ADMIN: SETATTR, SEAL, REVOKE, WITHDRAW of any name, and who holds a slot
 * without joining.  PUBLISH: giving on what one has, by PUBLISH, or by MINT to
 * more than one.  A capability without it is good for one member, whoever that is.
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
	SHMCHAN_CMD_LIST_USERS,
	SHMCHAN_CMD_QUERY = 0x20,		/* on a capability */
	SHMCHAN_CMD_JOIN,
	SHMCHAN_CMD_EXTENTS,
	SHMCHAN_CMD_MINT,
	SHMCHAN_CMD_PUBLISH,
	SHMCHAN_CMD_WITHDRAW,
	SHMCHAN_CMD_SETATTR,
	SHMCHAN_CMD_SEAL,
	SHMCHAN_CMD_REVOKE,
	SHMCHAN_CMD_LEAVE = 0x40,		/* on a member */
	SHMCHAN_CMD_MEMBER_INFO,
	SHMCHAN_CMD_WAIT,
	SHMCHAN_CMD_RING,
	SHMCHAN_CMD_RING_WAIT,
	SHMCHAN_CMD_ARM,
	SHMCHAN_CMD_SUBSCRIBE,
	SHMCHAN_CMD_EXPORT_DMABUF,
	SHMCHAN_CMD_BIND_EVENTFD,
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
 * @contig_limit: out: bytes that the caller may ask for with
 *	SHMCHAN_CREATE_CONTIG; ~0 where only memory itself is the limit
 * @pool_bytes: out: contiguous memory set aside when the module was loaded
 * @pool_free: out: how much of it nobody has now; 0 for a caller that may not
 *	have it
 * @max_nodes: out: bound on shmchan_create.nr_nodes
 * @max_names: out: bound on the names of a region
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
	__aligned_u64 contig_limit;
	__aligned_u64 pool_bytes;
	__aligned_u64 pool_free;
	__u32 max_nodes;
	__u32 max_names;
};

#define SHMCHAN_FEATURE_HUGE	(1ULL << 0)	/* 2 MiB folios */
#define SHMCHAN_FEATURE_SMALL	(1ULL << 1)	/* 4 KiB folios */
#define SHMCHAN_FEATURE_CONTIG	(1ULL << 2)	/* SHMCHAN_CREATE_CONTIG */
#define SHMCHAN_FEATURE_NUMA	(1ULL << 3)	/* shmchan_create.numa_policy */
#define SHMCHAN_FEATURE_DMABUF	(1ULL << 4)	/* EXPORT_DMABUF */
#define SHMCHAN_FEATURE_ACCESS	(1ULL << 5)	/* MINT to REVOKE */
#define SHMCHAN_FEATURE_EVENTFD	(1ULL << 6)	/* BIND_EVENTFD */
#define SHMCHAN_FEATURE_MEMBERS	(1ULL << 7)	/* SHMCHAN_SUBSCRIBE_MEMBERS */
#define SHMCHAN_FEATURE_URING_RING	(1ULL << 8)	/* RING by IORING_OP_URING_CMD */
#define SHMCHAN_FEATURE_URING_WAIT	(1ULL << 9)	/* WAIT by IORING_OP_URING_CMD */

/**
 * enum shmchan_numa_policy - where the data area's memory is to come from
 * @SHMCHAN_NUMA_DEFAULT: as the calling thread's memory policy says
 * @SHMCHAN_NUMA_BIND: from the given nodes only, the first one that has room
 * @SHMCHAN_NUMA_PREFER: the same, and from any other node when they are full
 * @SHMCHAN_NUMA_INTERLEAVE: folio after folio from the given nodes in turn,
 *	from the next of them when one is full, and from no others.  A node that
 *	is given twice gets twice as much
 *
 * None leaves the nodes that the caller's cpuset allows.
 */
enum shmchan_numa_policy {
	SHMCHAN_NUMA_DEFAULT = 0,
	SHMCHAN_NUMA_BIND = 1,
	SHMCHAN_NUMA_PREFER = 2,
	SHMCHAN_NUMA_INTERLEAVE = 3,
};

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
 * @numa_policy: enum shmchan_numa_policy
 * @join_flags: with SHMCHAN_CREATE_JOIN: as shmchan_join.flags
 * @numa_nodes: user pointer to @nr_nodes __u32 node numbers
 * @join_slot: with SHMCHAN_CREATE_JOIN: as shmchan_join.slot
 * @generation: out, with SHMCHAN_CREATE_JOIN
 * @fd: out: the capability, with all rights, close-on-exec
 * @nr_nodes: 0 with SHMCHAN_NUMA_DEFAULT; else 1 to SHMCHAN_MAX_NODES
 *
 * Makes a region.  All its memory is allocated, zeroed and charged before the
 * name can be seen.  The name belongs to the caller's IPC namespace, until the
 * last member bound from that namespace has ended and the creator's file is
 * closed or has ended too.
 *
 * With SHMCHAN_CREATE_CONTIG the data area is one physically contiguous run,
 * on one node.  Up to 4 MiB anybody may ask for that; making more moves other
 * people's memory about and interrupts all CPUs, so it takes CAP_SYS_RESOURCE in
 * the initial user namespace, or membership in the module's contig_gid.  It
 * takes at most the module's contig_ms.  A data area that is not to be
 * contiguous has as few runs as can be had without that.
 *
 * Without JOIN the name goes with the caller's address space as well, and when
 * the capability joins in another namespace: a file that is left with somebody
 * else keeps the region and not the name.
 *
 * EEXIST: the name is taken.  ENOMEM: no memory, or the memory cgroup is full,
 * or no contiguous run was found in time.  EINVAL, beside what every call
 * gives it for: SMALL with CONTIG, CONTIG of nothing, INTERLEAVE with CONTIG.
 * ENXIO: a node does not exist, has no memory, or the cpuset forbids it.
 * EPERM: CONTIG beyond what the caller may ask for.
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
	__u32 nr_nodes;
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
 * create any name: the OWNER flags refuse one that somebody else did create
 * (or publish).
 *
 * ENOENT: no such name.  EACCES: a right that is wanted is not granted.
 * EPERM: its owner is not an expected one.  ESTALE: it was revoked as it was
 * being opened.  EMLINK: the name was published with what was minted too many
 * times.  EMFILE, ENFILE: no file.  With SHMCHAN_OPEN_JOIN also the errors of
 * JOIN.
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
 * @uid: owner of the name as the caller sees it
 * @gid: its group, the same
 * @mode: its permission bits
 * @nr_slots: how many slots the region has
 * @nr_live: how many of them are held
 * @flags: SHMCHAN_NAME_*
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
	__u32 flags;
};

#define SHMCHAN_NAME_PUBLISHED	(1U << 0)	/* by PUBLISH, not by CREATE */

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
 * struct shmchan_user_entry - what one user holds
 * @uid: as the caller sees it
 * @nr_regions: how many regions are charged to it
 * @bytes: their memory, what the kernel keeps about them included
 */
struct shmchan_user_entry {
	__u32 uid;
	__u32 nr_regions;
	__aligned_u64 bytes;
};

/**
 * struct shmchan_list_users - ioctl(SHMCHAN_IOC_LIST_USERS)
 * @size: sizeof(struct shmchan_list_users)
 * @flags: 0
 * @cursor: in/out: 0 to begin with; pass on what came back
 * @entries: user pointer to room for @nr_entries entries
 * @nr_entries: in: room, 1 to 1024; out: how many were written; 0: no more
 * @entry_size: sizeof(struct shmchan_user_entry)
 *
 * Who holds memory: all users for a caller with CAP_SYS_ADMIN in the initial
 * user namespace, itself for others.
 */
struct shmchan_list_users {
	__u32 size;
	__u32 flags;
	__aligned_u64 cursor;
	__aligned_u64 entries;
	__u32 nr_entries;
	__u32 entry_size;
};

/**
 * struct shmchan_range - a part of an area
 * @offset: region offset, a multiple of 4 KiB
 * @length: in bytes, the same; 0: nothing, and then @offset is 0
 */
struct shmchan_range {
	__aligned_u64 offset;
	__aligned_u64 length;
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
 * @seals: out: SHMCHAN_SEAL_*
 * @name: out: its oldest name in the caller's IPC namespace; empty if it has
 *	none there
 * @charged_uid: out: the user whose limit it counts for, as the caller sees it
 * @numa_policy: out: enum shmchan_numa_policy
 * @charged_bytes: out: how much it counts for
 * @cgroup: out: inode number of the memory cgroup that was charged, in the
 *	cgroup file system; 0: none, or told only to the user that is charged
 *	and to CAP_SYS_ADMIN.  Of one that has been removed later kernels tell
 *	the one above it
 * @data: out: what this capability may map and wait for of the data area
 * @control: out: the same of the control area, beside the header page
 * @join_slot: out: the one slot that it may take, or SHMCHAN_SLOT_ANY
 * @reserved: out: 0
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
	__u32 seals;
	char name[SHMCHAN_NAME_LEN];
	__u32 charged_uid;
	__u32 numa_policy;
	__aligned_u64 charged_bytes;
	__aligned_u64 cgroup;
	struct shmchan_range data;
	struct shmchan_range control;
	__u32 join_slot;
	__u32 reserved;
};

/**
 * struct shmchan_extent - a physically contiguous run of a data area
 * @offset: where it begins in the region
 * @length: in bytes
 * @phys: its physical address with SHMCHAN_EXTENTS_PHYS; else 0
 * @node: the memory node it lies on
 * @reserved: 0
 */
struct shmchan_extent {
	__aligned_u64 offset;
	__aligned_u64 length;
	__aligned_u64 phys;
	__u32 node;
	__u32 reserved;
};

/**
 * struct shmchan_extents - ioctl(SHMCHAN_IOC_EXTENTS)
 * @size: sizeof(struct shmchan_extents)
 * @flags: SHMCHAN_EXTENTS_*
 * @start: in: an offset in the data area, 0 to begin with, a multiple of 4 KiB;
 *	out: where to go on
 * @extents: user pointer to room for @nr_extents entries
 * @nr_extents: in: room, 1 to 1024; out: how many were written; 0: no more
 * @extent_size: sizeof(struct shmchan_extent)
 *
 * What the data area is made of, from @start on, as far as the capability
 * reaches.  It never changes.
 *
 * EPERM: physical addresses are told with CAP_SYS_ADMIN in the initial user
 * namespace only.  EINTR: a fatal signal.
 */
struct shmchan_extents {
	__u32 size;
	__u32 flags;
	__aligned_u64 start;
	__aligned_u64 extents;
	__u32 nr_extents;
	__u32 extent_size;
};

#define SHMCHAN_EXTENTS_PHYS	(1U << 0)

/**
 * struct shmchan_join - ioctl(SHMCHAN_IOC_JOIN)
 * @size: sizeof(struct shmchan_join)
 * @flags: SHMCHAN_JOIN_*
 * @slot: in: a slot or SHMCHAN_SLOT_ANY; out: the slot taken
 * @generation: out
 *
 * Binds the capability to the caller's address space, once in its life.
 *
 * EISCONN: it has joined already (or did once).  EALREADY: somebody is at it.
 * ESTALE: it has been revoked.  ECONNREFUSED: the region is sealed against new
 * members.  EBUSY: the slot is held, or
 * memory of its window is still pinned, by I/O of an earlier holder or of
 * somebody who may read it (the kernel cannot tell which).  EUSERS:
 * no slot is free.  EACCES: the slot is reserved for another user, or is not
 * the one that the capability is for.
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

/*
 * When this member is revoked, touching its mappings is to raise SIGBUS.
 * Without the flag it goes on: see REVOKE.
 */
#define SHMCHAN_JOIN_SIGBUS	(1U << 1)

/**
 * struct shmchan_mint - ioctl(SHMCHAN_IOC_MINT)
 * @size: sizeof(struct shmchan_mint)
 * @flags: SHMCHAN_MINT_*
 * @rights: of the new one, at least one, and none that this one has not
 * @slot: with SHMCHAN_MINT_SLOT: the one slot that it may take; else 0
 * @data: with SHMCHAN_MINT_RANGE: what it may map and wait for of the data
 *	area; else zeros, and that is as much as with this one
 * @control: the same of the control area; the header page and the status area
 *	are readable with any range
 * @fd: out: the new capability, close-on-exec; -1 with SHMCHAN_MINT_SELF
 * @reserved: 0
 *
 * Makes a capability that allows no more than this one, to be passed on.  It has
 * not joined, also when this one has.  Revoking this one revokes it too.
 *
 * It takes the right PUBLISH, since it makes two of one.  With SHMCHAN_MINT_SELF
 * it does not: this capability itself is narrowed, before it joins.
 *
 * EACCES: also where the new one would be wider.  EMLINK: too many were minted
 * one from the other.  EISCONN: SELF, and it has joined.  EMFILE, ENFILE.
 */
struct shmchan_mint {
	__u32 size;
	__u32 flags;
	__u32 rights;
	__u32 slot;
	struct shmchan_range data;
	struct shmchan_range control;
	__s32 fd;
	__u32 reserved;
};

#define SHMCHAN_MINT_RANGE	(1U << 0)
#define SHMCHAN_MINT_SLOT	(1U << 1)
#define SHMCHAN_MINT_SELF	(1U << 2)

/**
 * struct shmchan_publish - ioctl(SHMCHAN_IOC_PUBLISH)
 * @size: sizeof(struct shmchan_publish)
 * @flags: 0
 * @name: user pointer to @name_len bytes, as in CREATE
 * @name_len: 1 to 63
 * @mode: nine permission bits, as in CREATE; the umask applies
 * @rights: the most that the name grants, and none that this capability has not
 * @reserved: 0
 *
 * Gives the region a further name, in the caller's IPC namespace: whoever may
 * open that gets capabilities as MINT would make them from this one.  The name's
 * owner and group are the caller's, and it is they and @mode that decide, not the
 * region's own.  It takes the right PUBLISH.
 *
 * The name goes when the last member bound from that namespace has ended, and
 * this capability, and others that named the region there, have too, or have
 * joined elsewhere: as long as one has not joined, the address space that named
 * it has to live as well.  It goes sooner by WITHDRAW, and when this capability
 * is revoked.
 *
 * EEXIST: the name is taken.  ECONNREFUSED: the region is sealed against it.
 * EMLINK: the region has its most names, or the capability was minted too many
 * times.  EXDEV: this capability keeps names in another namespace.  EACCES: also
 * where @rights are more than the capability's.
 */
struct shmchan_publish {
	__u32 size;
	__u32 flags;
	__aligned_u64 name;
	__u32 name_len;
	__u32 mode;
	__u32 rights;
	__u32 reserved;
};

/**
 * struct shmchan_withdraw - ioctl(SHMCHAN_IOC_WITHDRAW)
 * @size: sizeof(struct shmchan_withdraw)
 * @flags: SHMCHAN_WITHDRAW_*
 * @name: user pointer to @name_len bytes; 0 with SHMCHAN_WITHDRAW_PUBLISHED
 * @name_len: 1 to 63; 0 with SHMCHAN_WITHDRAW_PUBLISHED
 * @nr_names: out: how many went
 *
 * Takes away a name of this region in the caller's IPC namespace: one that this
 * capability has published, or with the right ADMIN any.  Who has opened it
 * keeps what it has.
 *
 * With SHMCHAN_WITHDRAW_PUBLISHED, which takes ADMIN: all that were published, in
 * whatever namespaces.
 *
 * ENOENT: no such name of this region.  EACCES: also one that another
 * capability has published, without ADMIN.
 */
struct shmchan_withdraw {
	__u32 size;
	__u32 flags;
	__aligned_u64 name;
	__u32 name_len;
	__u32 nr_names;
};

#define SHMCHAN_WITHDRAW_PUBLISHED	(1U << 0)

/**
 * struct shmchan_setattr - ioctl(SHMCHAN_IOC_SETATTR)
 * @size: sizeof(struct shmchan_setattr)
 * @flags: which of the following are to change: SHMCHAN_SETATTR_*
 * @mode: nine permission bits; x bits must be zero.  The umask does not apply
 * @uid: the new owner, as the caller sees it
 * @gid: the new group, the same
 * @reserved: 0
 *
 * Changes whom the name that CREATE gave lets in from now on; who is in stays.
 * It takes the right ADMIN.  What is not to change must be 0.
 *
 * Another owner than it has takes CAP_CHOWN in a user namespace that the old
 * and the new ids belong to: who could make a region look like root's could
 * pass it off as root's.  The owner can give it to a group that it is in itself.
 *
 * EPERM: also that.
 */
struct shmchan_setattr {
	__u32 size;
	__u32 flags;
	__u32 mode;
	__u32 uid;
	__u32 gid;
	__u32 reserved;
};

#define SHMCHAN_SETATTR_MODE	(1U << 0)
#define SHMCHAN_SETATTR_UID	(1U << 1)
#define SHMCHAN_SETATTR_GID	(1U << 2)

/**
 * struct shmchan_seal - ioctl(SHMCHAN_IOC_SEAL)
 * @size: sizeof(struct shmchan_seal)
 * @flags: 0
 * @seals: SHMCHAN_SEAL_*, at least one, to be added to those there are
 * @reserved: 0
 *
 * For good: nobody breaks a seal.  It takes the right ADMIN.
 */
struct shmchan_seal {
	__u32 size;
	__u32 flags;
	__u32 seals;
	__u32 reserved;
};

#define SHMCHAN_SEAL_MEMBERS	(1U << 0)	/* nobody joins any more */
#define SHMCHAN_SEAL_PUBLISH	(1U << 1)	/* no further names */

/**
 * struct shmchan_revoke - ioctl(SHMCHAN_IOC_REVOKE)
 * @size: sizeof(struct shmchan_revoke)
 * @flags: one of SHMCHAN_REVOKE_*
 * @slot: with SHMCHAN_REVOKE_SLOT; else 0
 * @generation: with SHMCHAN_REVOKE_SLOT: of the holder that is meant, 0:
 *	whichever it is; else 0
 * @uid: with SHMCHAN_REVOKE_UID, as the caller sees it; else 0
 * @nr_members: out: members that ended
 * @nr_unjoined: out: capabilities that had not joined
 * @reserved: 0
 *
 * Ends a member, or all of a user, with everything that was minted or opened by
 * way of their capabilities, and withdraws what those published.  By UID also the
 * capabilities that the user has opened and not joined.  It takes ADMIN.
 *
 * When it returns, nothing of the region is mapped by them any more.  Their mappings
 * stay where they are: what they could only read reads as zeros from now on, and
 * what they could write is memory of their own that nobody else sees; touching it
 * raises SIGBUS if they joined with SHMCHAN_JOIN_SIGBUS.  Their calls, also those
 * that sleep, give ESTALE; one that was on its way may still ring.  The kernel does
 * not release their robust futexes: those were in memory that is theirs no more.  A
 * dma-buf of theirs can no longer be mapped or touched (SIGBUS); what a device or a
 * pin of I/O has, it keeps until it lets go, and so long nobody gets the slot.
 *
 * Who may open the name may come in again: change its mode or seal it first.
 *
 * ESRCH: nobody holds the slot, or nothing is left of that generation, or it has
 * been revoked.  EINVAL: also the caller's own slot, which LEAVE is for.  EPERM: the
 * caller's capability was minted from the one that is meant.  By UID both are passed
 * over.
 */
struct shmchan_revoke {
	__u32 size;
	__u32 flags;
	__u32 slot;
	__u32 generation;
	__u32 uid;
	__u32 nr_members;
	__u32 nr_unjoined;
	__u32 reserved;
};

#define SHMCHAN_REVOKE_SLOT	(1U << 0)
#define SHMCHAN_REVOKE_UID	(1U << 1)

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
 *
 * For members, and for capabilities with the right ADMIN that have not joined.
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
 * @flags: SHMCHAN_WAIT_*
 * @elems: user pointer to @nr_elems struct shmchan_wait_elem
 * @nr_elems: 1 to SHMCHAN_MAX_ELEMS
 * @clockid: CLOCK_MONOTONIC
 * @deadline: in nanoseconds of that clock, as the caller reads it;
 *	SHMCHAN_FOREVER: none
 * @index: out: the first element found changed
 * @reserved: 0
 *
 * Takes the rights WAIT and MAP_READ.  Sleeps while all elements are quiet.
 * Consecutive elements with the same fd
 * and doorbell cost one place in that doorbell's queue.  A wake-up beats a
 * timeout and a signal that come at the same time.
 *
 * ETIMEDOUT: the deadline has passed.  EINTR: a signal (restarted as the
 * handler's SA_RESTART says).  EUSERS: the doorbell has its most waiters, or
 * it is a shared one and this member waits for too much on those.
 * ESTALE: a member of the elements ended meanwhile.  EBADF: an fd is not a
 * member's.
 *
 * With SHMCHAN_WAIT_FENCED, EAGAIN in place of sleeping if anybody is a member of a
 * region of the elements who joined with SHMCHAN_JOIN_ASYM.  It is looked at after the
 * caller has been counted: who joins so later, and then executes a full barrier
 * before it looks at counts of waiters, sees the count.
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

#define SHMCHAN_WAIT_FENCED	(1U << 0)	/* beside no ASYM members */

#define SHMCHAN_FOREVER		0x7fffffffffffffffULL

/**
 * struct shmchan_ring - ioctl(SHMCHAN_IOC_RING)
 * @size: sizeof(struct shmchan_ring)
 * @flags: SHMCHAN_RING_*
 * @doorbell: the one to ring; with SHMCHAN_RING_SET 0
 * @max_wake: wake at most so many in WAIT; 0: all
 * @doorbells: with SHMCHAN_RING_SET: user pointer to @nr_doorbells __u32
 * @nr_doorbells: with SHMCHAN_RING_SET: 1 to SHMCHAN_MAX_ELEMS; else 0
 * @woken: out: how many were woken; 0 for a capability that may not read all of
 *	the region, since that tells of words that have changed
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
 * With SHMCHAN_SUBSCRIBE_MEMBERS, on SHMCHAN_DOORBELL_MEMBERS only, read(2)
 * tells instead which members have ended since, each once, and the file polls
 * readable for those alone, not for members that come.
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

#define SHMCHAN_SUBSCRIBE_END		(1U << 0)
#define SHMCHAN_SUBSCRIBE_MEMBERS	(1U << 1)	/* who has ended */

/**
 * enum shmchan_event_kind - what an event tells of
 * @SHMCHAN_EVENT_RUNG: a doorbell has been rung
 * @SHMCHAN_EVENT_ENDED: a member has ended
 */
enum shmchan_event_kind {
	SHMCHAN_EVENT_RUNG = 0,
	SHMCHAN_EVENT_ENDED = 1,
};

/**
 * struct shmchan_event - what read(2) on a member returns, as many as fit
 * @kind: enum shmchan_event_kind
 * @doorbell: which was rung; of ENDED: SHMCHAN_DOORBELL_MEMBERS
 * @count: how often since the last read; of ENDED: how many members this slot has
 *	lost since, of which the last one is told of
 * @slot: of ENDED: whose; else 0
 * @generation: of ENDED: the same; else 0
 * @state: of ENDED: enum shmchan_slot_state, how it ended; else 0
 * @reserved: 0
 *
 * read(2) does not wait for events: EAGAIN if none is pending.  EINVAL: no room
 * for one.  EINTR: a signal, while another thread was reading.
 */
struct shmchan_event {
	__u32 kind;
	__u32 doorbell;
	__aligned_u64 count;
	__u32 slot;
	__u32 generation;
	__u32 state;
	__u32 reserved;
};

/**
 * struct shmchan_bind_eventfd - ioctl(SHMCHAN_IOC_BIND_EVENTFD)
 * @size: sizeof(struct shmchan_bind_eventfd)
 * @flags: SHMCHAN_BIND_*
 * @doorbell: one that this member may wait on
 * @fd: an eventfd; with SHMCHAN_BIND_END -1
 *
 * From now on each ring of the doorbell adds 1 to the eventfd, for KVM, vhost and
 * whoever else can sleep on nothing but one.  The member counts among the
 * waiters as long as it is bound, so producers ring each time: no ARM, and a
 * system call a message.  Where many sleep on the eventfd, or rings come faster
 * than they are woken, it may add 1 for several rings: at least one after the last
 * ring, and before BIND_END returns.  A bound doorbell counts as a subscription; one eventfd
 * for each doorbell and member.  The binding goes with the member, not with the
 * caller's number of the eventfd; then 1 is added once more, so that who sleeps can
 * look.  Takes the right WAIT.
 *
 * EEXIST: bound already.  ENOENT: not bound.  EUSERS: the bound of the member.
 * EBADF: no file.  EINVAL: also a file that is no eventfd.
 */
struct shmchan_bind_eventfd {
	__u32 size;
	__u32 flags;
	__u32 doorbell;
	__s32 fd;
};

#define SHMCHAN_BIND_END	(1U << 0)

/**
 * struct shmchan_uring_ring - IORING_OP_URING_CMD, cmd_op SHMCHAN_IOC_RING
 * @doorbell: the one to ring
 * @max_wake: as in struct shmchan_ring
 * @reserved: 0
 *
 * Lies in the cmd field of the submission queue entry, whose fd is a member's.
 * RING of one doorbell; the result is what @woken of struct shmchan_ring would be,
 * or an error of RING.  It never waits.
 */
struct shmchan_uring_ring {
	__u32 doorbell;
	__u32 max_wake;
	__aligned_u64 reserved;
};

/**
 * struct shmchan_uring_wait - IORING_OP_URING_CMD, cmd_op SHMCHAN_IOC_WAIT
 * @wait: user pointer to struct shmchan_wait
 * @reserved: 0
 *
 * Lies in the cmd field of the submission queue entry, whose fd is a member's.
 * WAIT; the wait and its elements may go once it has been submitted, or, where
 * io_uring begins it later (behind a link, IOSQE_IO_DRAIN, IOSQE_ASYNC), once it
 * has been completed.  The result is what @index of struct shmchan_wait would be,
 * or an error of WAIT.  While it waits it counts as a waiter, as a thread in WAIT
 * does.
 *
 * What ends it are a ring, the end of a member, its deadline (ETIMEDOUT), and
 * the end of the ring of io_uring, or exit or execve() of the thread that
 * submitted it, or execve() of another that has requests in the same ring:
 * ECANCELED then, if anybody is left to see.  A thread's exit may
 * leave it queued until it is rung, or until the ring of io_uring goes; it is
 * never the one that a ring with @max_wake chooses.  IORING_OP_ASYNC_CANCEL and
 * IORING_OP_LINK_TIMEOUT know nothing of such requests (6.12): to call one off have
 * a word of your own among the elements.
 *
 * EUSERS: a bound of WAIT, or SHMCHAN_MAX_ASYNC: so many elements of a member,
 * those in a row with one file and doorbell as one, until their requests have
 * been completed, which the submitter has to come for.
 */
struct shmchan_uring_wait {
	__aligned_u64 wait;
	__aligned_u64 reserved;
};

/**
 * struct shmchan_export_dmabuf - ioctl(SHMCHAN_IOC_EXPORT_DMABUF)
 * @size: sizeof(struct shmchan_export_dmabuf)
 * @flags: SHMCHAN_EXPORT_*
 * @offset: of the range, in the data or the control area; a multiple of 4 KiB
 * @length: in bytes, the same, not 0
 * @fd: out: a dma-buf, close-on-exec
 * @reserved: 0
 *
 * Makes a dma-buf of a range of the region, for devices and for processes
 * that are no members.  It keeps the region, and outlives the member and the
 * region's name; REVOKE of the member ends its mappings.  Takes the right MAP_READ.  Mappings of it
 * are read-only, and devices may read it only.
 *
 * With SHMCHAN_EXPORT_WRITE mappings may be writable, and devices may write;
 * that takes MAP_WRITE, and every byte has to be in windows that the member may
 * write (EACCES).  It counts as a pin then: a slot whose window it covers is
 * not given to a next holder before it and its mappings are closed.
 */
struct shmchan_export_dmabuf {
	__u32 size;
	__u32 flags;
	__aligned_u64 offset;
	__aligned_u64 length;
	__s32 fd;
	__u32 reserved;
};

#define SHMCHAN_EXPORT_WRITE	(1U << 0)

#define SHMCHAN_IOC_QUERY_DEVICE \
	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_QUERY_DEVICE)
#define SHMCHAN_IOC_CREATE	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_CREATE)
#define SHMCHAN_IOC_OPEN	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_OPEN)
#define SHMCHAN_IOC_LIST	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_LIST)
#define SHMCHAN_IOC_LIST_USERS	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_LIST_USERS)
#define SHMCHAN_IOC_QUERY	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_QUERY)
#define SHMCHAN_IOC_JOIN	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_JOIN)
#define SHMCHAN_IOC_EXTENTS	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_EXTENTS)
#define SHMCHAN_IOC_MINT	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_MINT)
#define SHMCHAN_IOC_PUBLISH	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_PUBLISH)
#define SHMCHAN_IOC_WITHDRAW	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_WITHDRAW)
#define SHMCHAN_IOC_SETATTR	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_SETATTR)
#define SHMCHAN_IOC_SEAL	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_SEAL)
#define SHMCHAN_IOC_REVOKE	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_REVOKE)
#define SHMCHAN_IOC_LEAVE	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_LEAVE)
#define SHMCHAN_IOC_MEMBER_INFO	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_MEMBER_INFO)
#define SHMCHAN_IOC_WAIT	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_WAIT)
#define SHMCHAN_IOC_RING	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_RING)
#define SHMCHAN_IOC_RING_WAIT	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_RING_WAIT)
#define SHMCHAN_IOC_ARM		_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_ARM)
#define SHMCHAN_IOC_SUBSCRIBE	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_SUBSCRIBE)
#define SHMCHAN_IOC_EXPORT_DMABUF \
	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_EXPORT_DMABUF)
#define SHMCHAN_IOC_BIND_EVENTFD \
	_IO(SHMCHAN_IOC_TYPE, SHMCHAN_CMD_BIND_EVENTFD)

#endif /* _UAPI_LINUX_SHMCHAN_H */
