/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SHMCHAN_H
#define _SHMCHAN_H

/*
 * The objects of the module, who owns them, and what protects them.
 *
 * A region hangs off an inode of our own pseudo file system and lives exactly
 * as long: every capability is a file on that inode, every mapping holds its
 * file, and evict_inode frees the region.  So a pointer to a region is good
 * for whoever holds a file on it.  The name table holds none: a name is taken
 * out of it by the ->release of the last file that keeps it, or sooner.
 *
 * A capability and the member it becomes by JOIN are one structure, the
 * private_data of the file.  Members of one address space hang off a
 * shmchan_mm, whose mmu_notifier says when that address space ends.
 *
 * Locks, outermost first; no two of one kind are ever held together:
 *
 *  shmchan_mm.lock     mutex: the list of its members
 *  member.read_lock    mutex: readers of events, so that none is lost on EFAULT
 *  names_lock          mutex: the name table, region.name, name.users
 *  pinned_lock         mutex: regions that pins have outlived
 *  quota_lock          mutex: the table of users
 *  folio lock          a folio may be mapped: see memory.c
 *  member.lock         spinlock: its waits and subscriptions
 *  region.seat_lock    spinlock: seats and the slot words
 *  bell.lock           spinlock: its waits, subscriptions and status lines
 *
 * mmap_lock is taken outside of all of them by ->mmap and ->fault, which take
 * the folio lock only, and inside of none of them.
 */

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/rhashtable-types.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/uidgid.h>
#include <linux/wait.h>

#include <linux/shmchan.h>

struct ns_common;
struct pid;
struct shmchan_name;
struct shmchan_user;

/**
 * struct shmchan_bell - a doorbell
 * @lock: protects all below and the doorbell's lines in the status area
 * @waits: struct shmchan_wait_entry of those who sleep in WAIT
 * @subs: struct shmchan_sub of those who subscribed
 * @nr_waits: length of @waits
 * @nr_armed: how many of @subs are armed
 * @owner: the slot that may wait, or SHMCHAN_SLOT_SHARED; never changes
 * @seq: rings so far
 * @status: its lines in the status area; the pointer never changes
 */
struct shmchan_bell {
	spinlock_t lock;		/* all of this */
	struct list_head waits;
	struct list_head subs;
	u32 nr_waits;
	u32 nr_armed;
	u32 owner;
	u64 seq;
	struct shmchan_doorbell_status *status;
} ____cacheline_aligned_in_smp;

/**
 * struct shmchan_holder - who holds or held a seat
 * @pid: thread group, a reference; NULL: nobody
 * @uid: effective user at JOIN
 * @gid: effective group at JOIN
 * @generation: which holder of the seat this is
 * @state: enum shmchan_slot_state
 */
struct shmchan_holder {
	struct pid *pid;
	kuid_t uid;
	kgid_t gid;
	u32 generation;
	u32 state;
};

/**
 * struct shmchan_seat - a slot
 * @cur: its holder, or the last one
 * @prev: the one before
 * @flags: SHMCHAN_SLOT_FLAG_*; never change
 * @uid: who alone may hold it: reserved, or with SAME_UID its first holder
 * @word: its word in the status area; the pointer never changes
 *
 * Protected by region.seat_lock.
 */
struct shmchan_seat {
	struct shmchan_holder cur;
	struct shmchan_holder prev;
	u32 flags;
	kuid_t uid;
	u64 *word;
};

/**
 * struct shmchan_region - memory, doorbells, slots and windows
 * @inode: what it hangs off; its page cache is the memory
 * @data_size: bytes; the data area begins at offset 0
 * @control_offset: where the control area begins
 * @control_size: bytes
 * @status_offset: where the status area begins
 * @status_size: bytes
 * @nr_extents: physically contiguous runs that make up the data area
 * @flags: SHMCHAN_CREATE_* that describe the memory
 * @mode: permission bits
 * @uid: owner
 * @gid: group
 * @label: its name as /proc/PID/maps shows it; "" if it never had one
 * @windows: by offset
 * @nr_windows: length of @windows
 * @bells: doorbell 0 first
 * @nr_bells: length of @bells
 * @nr_seats: length of @seats
 * @seats: the slots
 * @seat_lock: protects @seats, @nr_live, @members_seq and the slot words
 * @nr_live: how many seats are held
 * @members_seq: joins and ends so far
 * @status: the head of the status area
 * @name: its entry in the name table, or NULL; names_lock
 * @user: whom its memory is charged to
 * @nr_pages: how much
 * @folios: once the inode is evicted: what is not free yet, chained
 * @pinned_node: the same: in pinned_regions
 *
 * What is not said to be protected never changes once the region can be seen.
 */
struct shmchan_region {
	struct inode *inode;
	u64 data_size;
	u64 control_offset;
	u64 control_size;
	u64 status_offset;
	u64 status_size;
	u32 nr_extents;
	u32 flags;
	umode_t mode;
	kuid_t uid;
	kgid_t gid;
	char label[SHMCHAN_NAME_LEN];

	struct shmchan_window *windows;
	u32 nr_windows;
	u32 nr_bells;
	struct shmchan_bell *bells;

	u32 nr_seats;
	struct shmchan_seat *seats;
	spinlock_t seat_lock;		/* seats, nr_live, members_seq */
	u32 nr_live;
	u64 members_seq;
	struct shmchan_status *status;

	struct shmchan_name *name;

	struct shmchan_user *user;
	u64 nr_pages;

	struct folio *folios;
	struct list_head pinned_node;
};

/**
 * struct shmchan_mm - an address space that has members
 * @mn: tells us when it ends; holds mm_count, never mm_users
 * @lock: protects @members
 * @members: struct shmchan_member by mm_node
 *
 * One per address space, counted by mmu_notifier_get() and _put(): each
 * member holds a count from JOIN until its file is released.
 */
struct shmchan_mm {
	struct mmu_notifier mn;
	struct mutex lock;		/* members */
	struct list_head members;
};

/* The life of a capability; it only goes forward, but for a JOIN that fails. */
enum shmchan_member_state {
	SHMCHAN_UNBOUND,
	SHMCHAN_JOINING,	/* JOIN is under way */
	SHMCHAN_BOUND,
	SHMCHAN_ENDED,
};

/**
 * struct shmchan_member - a capability, and the member it becomes
 * @region: good while the file is
 * @rights: SHMCHAN_RIGHT_*
 * @state: enum shmchan_member_state; UNBOUND to JOINING and BOUND to ENDED by
 *	cmpxchg, so that one caller wins
 * @slot: valid from BOUND on, never changes
 * @generation: the same
 * @mm: the same; a reference
 * @mm_node: in mm->members; mm->lock
 * @name: the name that it keeps in the table, or NULL; names_lock
 * @nr_vmas: mappings of the file; see shmchan_member_end()
 * @map_start: of all that was ever mapped; written under mmap_lock
 * @map_end: the same
 * @lock: protects @waits, @subs, @nr_subs, @nr_shared and shmchan_sub.seen
 * @waits: struct shmchan_wait_entry of its calls that sleep
 * @subs: struct shmchan_sub
 * @nr_subs: length of @subs
 * @nr_shared: conditions that its @waits have on shared doorbells
 * @read_lock: one reader of events at a time
 * @poll: who polls the file
 */
struct shmchan_member {
	struct shmchan_region *region;
	u32 rights;
	u32 state;
	u32 slot;
	u32 generation;
	struct shmchan_mm *mm;
	struct list_head mm_node;
	struct shmchan_name *name;
	atomic_t nr_vmas;
	u64 map_start;
	u64 map_end;

	spinlock_t lock;		/* waits, subs */
	struct list_head waits;
	struct list_head subs;
	u32 nr_subs;
	u32 nr_shared;
	struct mutex read_lock;		/* one reader at a time */
	wait_queue_head_t poll;
};

/**
 * struct shmchan_call - an ioctl under way
 * @file: what it was called on
 * @uarg: the caller's structure
 * @usize: its size
 * @arg: our copy of it, zero-extended
 */
struct shmchan_call {
	struct file *file;
	void __user *uarg;
	u32 usize;
	void *arg;
};

/* main.c */
int shmchan_respond(const struct shmchan_call *call, size_t size);

/* memory.c: region memory, mapping it, fencing it off */
extern const struct file_operations shmchan_member_fops;

struct shmchan_region *shmchan_memory_new(void);
void shmchan_memory_drop(struct shmchan_region *region);
int shmchan_memory_fill(struct shmchan_region *region);
struct file *shmchan_memory_file(struct shmchan_region *region, u32 rights);
int shmchan_memory_pin(void);
void shmchan_memory_unpin(void);
void shmchan_memory_exit(void);
void *shmchan_memory_at(const struct shmchan_region *region, u64 offset);
int shmchan_memory_area(const struct shmchan_region *region, u64 start,
			u64 length);
void shmchan_memory_unmap(struct shmchan_member *member);
int shmchan_memory_fence(struct shmchan_region *region, u64 start, u64 length);
int shmchan_member_mmap(struct file *file, struct vm_area_struct *vma);

/* region.c: making and describing regions */
int shmchan_create_ioctl(struct shmchan_call *call);
int shmchan_query_ioctl(struct shmchan_call *call);
void shmchan_region_free(struct shmchan_region *region);

/* names.c: names, and who may open them */
int shmchan_name_check(u64 uptr, u32 len, char *name);
int shmchan_name_free(const char *name);
int shmchan_name_add(struct shmchan_member *creator, const char *name);
void shmchan_name_hold(struct shmchan_member *member);
void shmchan_name_put(struct shmchan_member *member);
int shmchan_open_ioctl(struct shmchan_call *call);
int shmchan_list_ioctl(struct shmchan_call *call);

/* member.c: joining and ending */
struct shmchan_mm *shmchan_mm_get(void);
void shmchan_mm_put(struct shmchan_mm *smm);
struct shmchan_member *shmchan_member_new(struct shmchan_region *region,
					  u32 rights);
void shmchan_member_release(struct shmchan_member *member);
int shmchan_member_check(const struct shmchan_member *member, u32 rights);
int shmchan_member_join(struct shmchan_member *member, u32 slot, u32 flags);
void shmchan_members_exit(void);
int shmchan_join_ioctl(struct shmchan_call *call);
int shmchan_leave_ioctl(struct shmchan_call *call);
int shmchan_member_info_ioctl(struct shmchan_call *call);

/* doorbell.c: sleeping and waking */
void shmchan_bell_init(struct shmchan_bell *bell, u32 owner,
		       struct shmchan_doorbell_status *status);
u32 shmchan_bell_ring(struct shmchan_bell *bell, u32 max_wake);
void shmchan_bells_end(struct shmchan_member *member);
int shmchan_wait_ioctl(struct shmchan_call *call);
int shmchan_ring_ioctl(struct shmchan_call *call);
int shmchan_ring_wait_ioctl(struct shmchan_call *call);
int shmchan_arm_ioctl(struct shmchan_call *call);
int shmchan_subscribe_ioctl(struct shmchan_call *call);
__poll_t shmchan_member_poll(struct file *file, poll_table *table);
ssize_t shmchan_member_read(struct kiocb *iocb, struct iov_iter *to);

/* quota.c: how much memory a user, and all, may hold */
int shmchan_quota_charge(struct shmchan_region *region, u64 nr_pages);
void shmchan_quota_uncharge(struct shmchan_region *region, u64 nr_pages);
void shmchan_quota_query(struct shmchan_query_device *query);

#endif /* _SHMCHAN_H */
